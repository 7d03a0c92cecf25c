"""Which estimates may be told apart: the grounds of every sentence that a page says.

Two estimates are told apart only when their intervals do not overlap. An exact value without an interval belongs to one
fixed policy: it is a point that may be held against an interval, but two such points are not ranked, because nothing
says how far another seed would have landed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from equipoise.core import Estimate
from equipoise.reports.formats import known

_READS_ZERO = 0.0005
"""A pool exploitability below this reads 0.000."""
_VISIBLE = 0.005
"""An exact value from here on is worth setting against it."""


def has_interval(estimate: Estimate) -> bool:
    """Whether it has an interval over something that was sampled."""
    return not math.isnan(estimate.low) and not math.isnan(estimate.high) and estimate.method != "exact"


def separated(first: Estimate, second: Estimate) -> bool:
    """Whether two estimates may be called different: their intervals do not overlap."""
    if not has_interval(first) and not has_interval(second):
        return False
    one, other = _range(first), _range(second)
    if one is None or other is None:
        return False
    return one[1] < other[0] or other[1] < one[0]


def _range(estimate: Estimate) -> tuple[float, float] | None:
    if has_interval(estimate):
        return estimate.low, estimate.high
    exact = estimate.method == "exact" and known(estimate.value)
    return (estimate.value, estimate.value) if exact else None


def unseen(pool: float, exact: float) -> bool:
    """Whether the scripts of a pool find nothing although an opponent exists that takes enough to be seen.

    Args:
        pool: The pool exploitability.
        exact: What the strongest opponent takes, exactly.
    """
    return pool < _READS_ZERO and exact >= _VISIBLE


def best(estimates: Sequence[Estimate], direction: str) -> int | None:
    """The index of the estimate that is best beyond every other's interval; None for a tie or a single one."""
    order = sorted((i for i, e in enumerate(estimates) if known(e.value)), key=lambda i: estimates[i].value)
    if direction == "higher":
        order.reverse()
    if len(order) < 2 or not direction:
        return None
    first = estimates[order[0]]
    return order[0] if all(separated(first, estimates[i]) for i in order[1:]) else None
