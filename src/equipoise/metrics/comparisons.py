"""Families of comparisons: hypotheses named beforehand are corrected together, all else is exploratory.

A p-value here is that of the interval itself: one minus the largest level at which the interval still excludes zero.
So whatever the interval counts (deals, seeds and deals, the base model's noise, the range of a score) the test counts,
and an interval at 0.95 excludes zero exactly where p is below 0.05.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from equipoise.core import Estimate
from equipoise.errors import UserError
from equipoise.metrics.estimate import check_level

Interval = Callable[[float], Estimate]
"""A difference with its interval at a level: for example `lambda level: paired_difference(a, b, deals, level)`."""

_STEPS = 50
_LEAST = 1e-12


@dataclass(frozen=True)
class Comparison:
    """One difference, tested against zero.

    Attributes:
        name: What is compared.
        estimate: The difference with its own interval, not corrected.
        p: Two-sided p-value, not corrected; NaN where there is no interval.
        adjusted_p: Holm's, over the named hypotheses of the family; None where exploratory.
        rejected: Whether "no difference" is rejected at the family's level; None where exploratory: no verdict.
        named: Whether the hypothesis was named beforehand.
    """

    name: str
    estimate: Estimate
    p: float
    adjusted_p: float | None
    rejected: bool | None
    named: bool


def compared(intervals: Mapping[str, Interval], named: Sequence[str], level: float = 0.95) -> list[Comparison]:
    """Every difference with its interval; those in `named` tested together by Holm's step-down procedure.

    The probability that any true hypothesis among the named is rejected is at most 1 - level, whatever their
    dependence. A named hypothesis without an interval counts in the family and is not rejected.

    Args:
        intervals: By name, the difference at any level.
        named: The hypotheses that were named before the data were seen.
        level: One minus the error probability of the family, and the level of each interval.

    Raises:
        ValueError: For a named hypothesis that is not measured or named twice, or a level outside (0, 1).

    Reference: Holm 1979, Scandinavian Journal of Statistics 6.
    """
    check_level(level)
    missing = [name for name in named if name not in intervals]
    if missing or len(set(named)) != len(named):
        raise UserError(f"got named hypotheses {', '.join(named)}; allowed, each once: {', '.join(intervals)}")
    p_values = {name: p_value(interval) for name, interval in intervals.items()}
    adjusted = dict(zip(named, holm([p_values[name] for name in named]), strict=True))
    return [
        Comparison(
            name,
            interval(level),
            p_values[name],
            adjusted.get(name),
            adjusted[name] <= 1 - level if name in adjusted else None,
            name in adjusted,
        )
        for name, interval in intervals.items()
    ]


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given; NaN counts as 1.

    Reference: Holm 1979, Scandinavian Journal of Statistics 6.
    """
    p = np.nan_to_num(np.asarray(p_values, dtype=float), nan=1.0)
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(steps, 1.0)
    found: list[float] = adjusted.tolist()
    return found


def p_value(interval: Interval) -> float:
    """One minus the largest level at which the interval excludes zero; NaN where there is none, 1 at a value of zero.

    Found by bisection: intervals grow with their level. p-values below 1e-12 read 1e-12.
    """
    if math.isnan(interval(0.95).low):
        return math.nan
    low, high = math.log(_LEAST), 0.0  # of p
    if _excludes_zero(interval(1 - _LEAST)):
        return _LEAST
    if interval(0.95).value == 0:
        return 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if _excludes_zero(interval(1 - math.exp(middle))) else (middle, high)
    return math.exp(high)


def _excludes_zero(estimate: Estimate) -> bool:
    return estimate.low > 0 or estimate.high < 0
