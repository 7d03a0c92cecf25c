"""A study of your own: two credits of SEPO's in one game, compared on one audit.

`equipoise reproduce examples/own_study.py:CREDITS` runs it.
"""

from pathlib import Path

from equipoise.lab.sepo import AuditMeasure
from equipoise.lab.study import Arm, Study, hypothesis
from equipoise.lab.study_run import StudyRun

CREDITS = Study(
    name="credits",
    title="Does the credit matter in the split game?",
    games=("split",),
    recipes={"split": "sepo/split"},
    arms={
        "sft": Arm("Supervised", seeds=3, overrides=("rl.steps=0",)),
        "shared": Arm("Shared", seeds=3, overrides=('objective.rule="shared_penalty"',), starts_from="sft"),
        "own": Arm("Own pool", seeds=3, overrides=('objective.rule="own_pool"',), starts_from="sft"),
    },
    measure=AuditMeasure(deals=48, learned_episodes=0),  # for speed: 1,000 deals and an adversary are the default
    hypotheses=(
        hypothesis(
            name="own above shared",
            arm="own",
            minus="shared",
            metric="sepo_index",
            text="{arm} scores {more} on the SEPO index than {minus}",
            expected="above",
        ),
    ),
    compared=(("own", "sft"), ("shared", "sft")),
    metrics=("sepo_index", "pool_exploitability"),
)


def main() -> None:
    """Says what the command in the first lines of this file computes."""
    run = StudyRun(CREDITS, CREDITS.size(seeds=2), Path("results/credits"), Path("runs/credits"))
    for cell in run.cells():
        print(cell.key, f"after {', '.join(cell.needs)}" if cell.needs else "")


if __name__ == "__main__":
    main()
