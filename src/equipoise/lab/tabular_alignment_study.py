"""Every alignment rule under every setting that the published comparison leaves unequal, on the memory-one policy.

The question is which rules teach reciprocity (`RECIPROCAL`), and under what settings they stop. Each condition changes
one setting and is run with every rule, so that no two rules are ever compared under different settings. What a
baseline's groups do to the noise of a single estimate is measured beside it (`baseline_variance`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

import numpy as np

from equipoise.errors import UserError
from equipoise.lab.baseline_variance import FEWEST_DRAWS, variance_table
from equipoise.lab.memory_one import mixed_groups, shared_groups
from equipoise.lab.tabular import sigmoid
from equipoise.lab.tabular_alignment import (
    RECIPROCAL,
    TOLERANCE,
    TabularSettings,
    alignment_table,
    objective_arms,
    raw_returns,
)
from equipoise.lab.tabular_dilemma import STATES

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
            ValueError: For fewer than 2 seeds, or too few draws for an interval.
        """
        if self.seeds < _FEWEST_SEEDS:
            raise UserError(f"got seeds {self.seeds}; at least {_FEWEST_SEEDS} are needed for a range over seeds")
        if self.draws < FEWEST_DRAWS:
            raise UserError(f"got draws {self.draws}; at least {FEWEST_DRAWS} are needed for a variance's interval")

    @property
    def command(self) -> str:
        """The command line that repeats the study."""
        return f"equipoise reproduce tabular-alignment --seeds {self.seeds} --draws {self.draws}"


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
