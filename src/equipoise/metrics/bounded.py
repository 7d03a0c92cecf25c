"""One-sided bounds for the mean of scores that lie in a known range, right also for rare events and for agreement.

A t interval takes its width from the spread that was seen. Where a slip happens once in 200 deals, 48 deals mostly show
none, and the interval has no width at all. What the range still allows has to be counted: to the scores that were seen
one more is added, at the end of the range, and every score is given a random weight, as in the Bayesian bootstrap. The
upper quantile of that weighted mean is Gaffke's bound. Here the weighted mean is taken as the Beta distribution with
its mean and its variance, between the smallest score and the end of the range. For scores of 0 and 1 this is no
approximation: it is the interval of Clopper and Pearson. For scores that all agree, too, it is exact.

Held by simulation (`tests/metrics/test_coverage.py`): coverage of at least 0.95 at 0.95 for rates from 0.005 to 0.98,
slips in the middle of the range, and correlated episodes, from 3 to 1,000 deals. The price is width where scores spread
little in a wide range: one deal of n could always have been at its end.

Reference: Gaffke 2005, Mathematical Methods of Statistics 14; Learned-Miller and Thomas 2019, arXiv 1905.06208 (the
bound and its equality with Clopper and Pearson 1934); Rubin 1981 (Bayesian bootstrap).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from equipoise.errors import UserError

Bounds = tuple[float, float]
"""The smallest and the largest value that a score can have."""

TOLERANCE = 1e-9
"""How far outside its range rounding may put a mean."""


def upper_bounds(units: np.ndarray, end: ArrayLike, tail: float, heaviness: float = 1.0) -> np.ndarray:
    """What the mean exceeds with probability `tail` at most, [...], from scores [..., G] of independent units.

    Args:
        units: Each unit's score; where units weigh differently, what makes their plain mean the weighted one.
        end: The largest value a score can have, [...].
        tail: The probability of being wrong on this side.
        heaviness: The weight of the unit that a random episode lies in, over that of a mean unit: 1 for equal units.
    """
    from scipy.special import betaincinv

    count = units.shape[-1]
    mean, top = units.mean(axis=-1), np.broadcast_to(np.asarray(end, dtype=float), units.shape[:-1])
    unseen = mean + heaviness * (top - mean)
    centre = (count * mean + unseen) / (count + 1)
    squares = ((units - centre[..., None]) ** 2).sum(axis=-1) + (unseen - centre) ** 2
    bottom = np.minimum(units.min(axis=-1), top)
    at_end = top - bottom <= TOLERANCE * np.maximum(1.0, np.abs(top))
    span = np.where(at_end, 1.0, top - bottom)
    share = np.clip((centre - bottom) / span, 1e-12, 1 - 1e-12)
    variance = np.maximum(squares / ((count + 1) * (count + 2)) / span**2, 1e-24)
    total = np.maximum(share * (1 - share) / variance - 1, 1e-3)  # the two parameters of the Beta together
    found = bottom + span * betaincinv(share * total, (1 - share) * total, 1 - tail)
    bounds: np.ndarray = np.clip(np.where(at_end, top, found), mean, top)
    return bounds


def lower_bounds(units: np.ndarray, end: ArrayLike, tail: float, heaviness: float = 1.0) -> np.ndarray:
    """What the mean falls below with probability `tail` at most, [...]; `end` is the smallest value of a score."""
    mirrored: np.ndarray = -upper_bounds(-units, -np.asarray(end, dtype=float), tail, heaviness)
    return mirrored


def heaviness(sizes: np.ndarray) -> float:
    """The weight of the unit that a random episode lies in, over that of a mean unit, from sizes [G]: at least 1."""
    return float(len(sizes) * (sizes @ sizes) / sizes.sum() ** 2)


def in_range(value: float, bounds: Bounds) -> float:
    """The mean, kept in its range against rounding.

    Raises:
        ValueError: For a range that is empty, or a mean outside it.
    """
    low, high = bounds
    slack = TOLERANCE * max(1.0, abs(low), abs(high))
    if not low <= high or not low - slack <= value <= high + slack:
        raise UserError(f"got a mean of {value} in [{low}, {high}]; scores must lie in their range")
    return float(np.clip(value, low, high))
