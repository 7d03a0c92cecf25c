"""A study small enough to plan in a test: two games, four arms, a measure that reads a number off the key."""

from dataclasses import dataclass, replace
from pathlib import Path

from equipoise.core import Estimate
from equipoise.games import make_game
from equipoise.lab.results import GameRecord, HypothesisRecord, Made, StudyCell, StudyColumn, StudyGame, StudyTarget
from equipoise.lab.study import Arm, Measured, Study
from equipoise.lab.study_run import StudyRun, parts
from equipoise.metrics.deal_scores import DealScores

COLUMNS = {"pay": "What it is paid.", "danger": "What is taken from it."}


@dataclass(frozen=True)
class Counted:
    """Measures the seed of an agent, and nothing of a player but a constant."""

    scripts: tuple[str, ...] = ("nash",)
    matches: int = 4

    def decided_by(self, study, game):
        return {"matches": self.matches, "game": game}

    def measured(self, study, recipe, source, key):
        return Measured({"pay": Estimate(float(parts(key)[2]), -1.0, 9.0, 4, method="t over deals")})

    def references(self, study, game):
        return self.scripts

    def reference(self, study, game, player):
        return Measured({"pay": Estimate(7.0, 7.0, 7.0, 1, method="exact")})

    def game(self, study, game, cells, references):
        columns = [StudyColumn(key=key, title=key, definition=text, digits=2) for key, text in COLUMNS.items()]
        rate = StudyColumn(key="rate", title="rate", definition="A share.", unit="%", scale=100, low=0, high=1)
        return StudyGame(game=GameRecord.of(make_game(game)), columns=(*columns, rate), rows=())

    def summary(self, cell):
        return f"pay {cell.figures['pay'].value:.0f}"


def hypothesis(name, arm, minus, metric="pay", expected="above"):
    text = "{arm} is paid {more} than {minus}"
    return HypothesisRecord(name=name, arm=arm, minus=minus, metric=metric, text=text, expected=expected)


SMALL = Study(
    name="small",
    title="A small study",
    games=("kuhn_poker", "split"),
    recipes={"kuhn_poker": "sepo/kuhn_poker", "split": "sepo/split"},
    arms={
        "base": Arm("Base", kind="start"),
        "sft": Arm("Supervised", 3, overrides=("rl.steps=0",)),
        "ours": Arm(
            "Ours",
            3,
            overrides=('objective.rule="payoff"',),
            by_game={"split": ('objective.rule="own_pool"',)},
            starts_from="sft",
        ),
        "fewer": Arm("Fewer seeds", 2, overrides=("rl.steps=7",)),
    },
    measure=Counted(),
    hypotheses=(hypothesis("ours above sft", "ours", "sft"), hypothesis("ours above base", "ours", "base")),
    compared=(("ours", "sft"), ("fewer", "sft")),
    metrics=("pay", "danger"),
    targets={"split": (StudyTarget(arm="ours", metric="pay", relation="at least", bound=2.0),)},
    quick=("rl.steps=1",),
    quick_measure=Counted(matches=2),
)


def run_of(study=SMALL, folder=Path("o"), **size):
    """The study of a size, in a folder that need not be there."""
    return StudyRun(study, study.size(**size), folder, folder / "work")


def changed(**changes):
    """The small study with something else in it."""
    return replace(SMALL, **changes)


def cell(arm, seed=0, game="split", deals=None, reference=False, **figures):
    """A finished cell with planted figures, each with an interval over deals; None: not measured.

    `deals` are scores by deal of the figure `pay`, from deal 0 on, or by name of the deal.
    """
    if deals is not None:
        scores = deals if isinstance(deals, dict) else dict(enumerate(deals))
        figures = {"pay": sum(scores.values()) / len(scores), **figures}
    estimates = {
        name: Estimate(*[float("nan")] * 3, 0)
        if value is None
        else Estimate(value, value - 0.25, value + 0.25, 24, method="t over deals")
        for name, value in figures.items()
    }
    kept = {} if deals is None else {"pay": DealScores(tuple(scores), tuple(map(float, scores.values())))}
    made = Made(created="", seconds=2.0)
    return StudyCell(
        study="small", game=game, arm=arm, seed=seed, made=made, figures=estimates, deals=kept, reference=reference
    )
