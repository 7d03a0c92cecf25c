"""Every alignment rule under every setting that the published comparison leaves unequal, on the memory-one policy.

    python -m research.tabular_alignment --seeds 20 --draws 1000

The whole takes 13 minutes on one core and writes table.json, table.md and probabilities.svg into
`results/alignment/tabular`.

The question is which rules teach reciprocity (`RECIPROCAL`), and under what settings they stop. Each condition changes
one setting and is run with every rule, so that no two rules are ever compared under different settings. What a
baseline's groups do to the noise of a single estimate is measured beside it (`baseline_variance`).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.errors import UserError
from research.baseline_variance import FEWEST_DRAWS, variance_table
from research.command import exit_code
from research.memory_one import mixed_groups, shared_groups
from research.memory_one_training import (
    RECIPROCAL,
    TOLERANCE,
    TabularSettings,
    alignment_table,
    objective_arms,
    raw_returns,
)
from research.tabular import sigmoid
from research.tabular_alignment_report import alignment_text, write_alignment
from research.tabular_dilemma import STATES

SELF_PLAY = "self-play"
"""The condition that the others change."""

_FEWEST_SEEDS = 2


@dataclass(frozen=True)
class Condition:
    """Settings that every rule is trained under.

    Attributes:
        name: Its name in tables.
        what: What distinguishes it, in a sentence.
        base: The settings; rule and weights are the arm's.
    """

    name: str
    what: str
    base: TabularSettings


@dataclass(frozen=True)
class TabularAlignmentStudy:
    """How much the study computes.

    Attributes:
        seeds: Training seeds of every arm, 0 up to this number less 1.
        draws: Batches behind each variance.
    """

    seeds: int = 20
    draws: int = 1000

    def __post_init__(self) -> None:
        """Check both before minutes of work.

        Raises:
            UserError: For fewer than 2 seeds, or too few draws for an interval.
        """
        if self.seeds < _FEWEST_SEEDS:
            raise UserError(f"got seeds {self.seeds}; at least {_FEWEST_SEEDS} are needed for a range over seeds")
        if self.draws < FEWEST_DRAWS:
            raise UserError(f"got draws {self.draws}; at least {FEWEST_DRAWS} are needed for a variance's interval")

    @property
    def command(self) -> str:
        """The command line that repeats the study."""
        return f"python -m research.tabular_alignment --seeds {self.seeds} --draws {self.draws}"


def conditions(base: TabularSettings | None = None) -> tuple[Condition, ...]:
    """The conditions compared, each one change away from `base`, or from playing past selves where it says so."""
    base = TabularSettings() if base is None else base
    past = replace(base, past_probability=0.5)
    company = "half the opponents are past selves"
    starts = (
        Condition(
            f"start at {100 * float(sigmoid(np.array(logit))):.0f} %",
            "Training starts from this probability of cooperation in every state, in place of 50 %.",
            replace(base, start=(logit,) * len(STATES)),
        )
        for logit in (-4.0, -2.0, 2.0, 4.0)
    )
    return (
        Condition(SELF_PLAY, "Both seats are the policy of now, and both are trained.", base),
        Condition("past selves", f"For each game an opponent is drawn; {company}; one baseline for all.", past),
        Condition(
            "past, shared groups",
            f"For each group of eight an opponent is drawn, {company}; a baseline per group.",
            replace(past, pairing=shared_groups),
        ),
        Condition(
            "past, mixed groups",
            f"For each game an opponent is drawn, {company}; a baseline per group of eight.",
            replace(past, pairing=mixed_groups),
        ),
        Condition("no baseline", "Returns take the place of advantages.", replace(base, baseline=raw_returns)),
        Condition(
            "divisor 1",
            "Rewards are not divided by 5, so that a beta weighs five times as much.",
            replace(base, reward_divisor=1.0),
        ),
        Condition("one seat", "Only the first seat's decisions are trained.", replace(base, seats=1)),
        Condition("no entropy", "Without the entropy bonus.", replace(base, entropy=0.0)),
        *starts,
    )


def tabular_alignment_study(
    study: TabularAlignmentStudy,
    told: Callable[[str, float], None] | None = None,
    compared: tuple[Condition, ...] | None = None,
) -> dict[str, Any]:
    """What every rule learns in every condition, and what groups do to the noise, as JSON.

    Args:
        study: How much is computed.
        told: Called with the name of each part that is finished and the seconds it took.
        compared: The conditions, or None for all of `conditions`.
    """
    begin = time.monotonic()
    parts = []
    for condition in conditions() if compared is None else compared:
        start = time.monotonic()
        rows = alignment_table(objective_arms(condition.base), range(study.seeds))["rows"]
        parts.append({"name": condition.name, "what": condition.what, "rows": rows})
        if told is not None:
            told(condition.name, time.monotonic() - start)
    start = time.monotonic()
    variance = variance_table(draws=study.draws)
    if told is not None:
        told("baselines", time.monotonic() - start)
    return {
        "study": "tabular-alignment",
        "command": study.command,
        "versions": {package: version(package) for package in ("equipoise", "numpy")},
        "seconds": time.monotonic() - begin,
        "seeds": list(range(study.seeds)),
        "states": list(STATES),
        "target": {"probabilities": list(RECIPROCAL), "tolerance": TOLERANCE},
        "conditions": parts,
        "variance": variance,
    }


def parser() -> argparse.ArgumentParser:
    """The script's options."""
    options = argparse.ArgumentParser(
        prog="python -m research.tabular_alignment",
        description="What each alignment rule teaches a memory-one policy.",
    )
    folder = Path("results/alignment/tabular")
    options.add_argument("--out", type=Path, default=folder, help=f"folder for tables and figure (default: {folder})")
    options.add_argument("--seeds", type=int, default=20, help="training seeds of every arm (default: 20)")
    options.add_argument("--draws", type=int, default=1000, help="batches behind each variance (default: 1000)")
    options.add_argument("--json", action="store_true", help="print JSON instead of text")
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the study, writes the files and prints the tables."""
    options = parser().parse_args(arguments)
    study = TabularAlignmentStudy(options.seeds, options.draws)
    options.out.mkdir(parents=True, exist_ok=True)  # a folder that cannot be made is told before the work, not after

    def told(part: str, seconds: float) -> None:
        print(f"{part}: {seconds:.0f} s", file=sys.stderr)

    table = tabular_alignment_study(study, told)
    paths = write_alignment(table, options.out)
    print(paths[0].read_text(encoding="utf-8") if options.json else alignment_text(table))
    if not options.json:
        print(*paths, sep="\n")


if __name__ == "__main__":
    sys.exit(exit_code(main))
