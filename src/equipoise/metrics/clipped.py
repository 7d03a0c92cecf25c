"""Sums of clipped means, max(0, mean), with intervals that cover the clipped figure.

The sum of max(0, m_o) over opponents is the largest of the sums over subsets of them. From that its two bounds follow.
Above: the subset at which the true means are largest is no random one, so its own upper bound holds, and the largest
of all subsets' upper bounds is at least that. Below: every subset's mean is a lower bound of the figure, but the best
of them is found by looking, so their lower bounds have to hold all at once; how far they must reach is found by
resampling (a multiplier bootstrap of the largest studentised error). Opponents whose mean is clearly above or clearly
below zero are settled first, so where nothing is in doubt there is one subset and the plain interval is left.

A percentile bootstrap does not do this: where means are near zero its resamples are biased upward twice.

Reference: Fang and Santos 2019, Review of Economic Studies 86 (inference on functions that have only directional
derivatives); Chernozhukov, Lee and Rosen 2013, Econometrica 81 (intersection bounds: settling first, then the largest
studentised error).
"""

from __future__ import annotations

import itertools
import math
from statistics import NormalDist

import numpy as np

from equipoise.core import Estimate
from equipoise.metrics.bounded import Bounds, upper_bounds
from equipoise.metrics.estimate import NO_SPREAD, check_level, t_quantile
from equipoise.seeds import Seed, Use

RESAMPLES = 4000
"""Draws behind the simultaneous lower bound."""

MOST_IN_DOUBT = 12
"""Beyond this many means that may lie on either side of zero there are too many subsets, and no interval."""

_SETTLED = 0.1
"""The part of one side's error probability that settling opponents may use, all of them together."""


def clipped_sum(
    value: float,
    parts: np.ndarray,
    base: np.ndarray | None = None,
    bounds: Bounds | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """`value` with an interval for E[base] + the sum over parts of max(0, E[part]); NaN bounds for fewer than 2 deals.

    Held by simulation: coverage of at least 0.94 at 0.95 for one to six parts at, near and off zero.

    Args:
        value: The point estimate.
        parts: What is clipped, by deal, [G, O].
        base: What is added unclipped, by deal, [G]; None for nothing.
        bounds: The range of one part, if it has one that is known; for figures without a base.
        level: Confidence level.
        seed: Keys the resampling.
    """
    check_level(level)
    count, tail = len(parts), 0.5 - level / 2
    method = ("t" if bounds is None else "beta") + " over deals, clipped"
    if count < 2:
        return Estimate(value, math.nan, math.nan, count, level, method)
    sums = _subsets(parts, bounds, tail * _SETTLED)
    if sums is None:
        return Estimate(value, math.nan, math.nan, count, level, f"none: too many means near zero ({method})")
    units = sums @ parts.T + (0.0 if base is None else base)  # [K, G]
    moving = units if base is not None else units[sums.any(axis=1)]
    seen = moving if len(moving) else parts.T  # where all parts are settled below zero the figure is zero
    if bounds is None and _errors(seen).max() <= NO_SPREAD * max(1.0, abs(value)):
        return Estimate(value, math.nan, math.nan, count, level, f"none: all agree ({method})")
    ranges = None if bounds is None else (sums.sum(axis=1) * bounds[0], sums.sum(axis=1) * bounds[1])
    high = float(_upper(units, ranges, tail).max())
    low = float(_lower(units, ranges, _simultaneous(units, tail, seed)).max())
    return Estimate(value, min(low, value), max(high, value), count, level, method)


def _subsets(parts: np.ndarray, bounds: Bounds | None, tail: float) -> np.ndarray | None:
    """The subsets of parts that may be the one with the largest true sum, [K, O] of 0 and 1; None for too many."""
    each = parts.T  # [O, G]
    ends = None if bounds is None else (np.full(len(each), bounds[0]), np.full(len(each), bounds[1]))
    above = _lower(each, ends, tail / max(len(each), 1)) > 0
    below = _upper(each, ends, tail / max(len(each), 1)) <= 0
    doubtful = np.flatnonzero(~above & ~below)
    if len(doubtful) > MOST_IN_DOUBT:
        return None
    sums = np.tile(above.astype(float), (2 ** len(doubtful), 1))
    sums[:, doubtful] = list(itertools.product((0.0, 1.0), repeat=len(doubtful)))
    return sums


def _simultaneous(units: np.ndarray, tail: float, seed: int) -> float:
    """The tail at which the lower bounds of all rows [K, G] hold at once with error probability `tail`."""
    errors = _errors(units)
    spread = errors > NO_SPREAD
    if spread.sum() <= 1:
        return tail
    count = units.shape[1]
    centred = (units[spread] - units[spread].mean(axis=1, keepdims=True)) / (count * errors[spread, None])
    draws = Seed(seed).at(Use.RESAMPLING).generator().standard_normal((RESAMPLES, count))
    reach = float(np.quantile((draws @ centred.T).max(axis=1), 1 - tail))
    return min(tail, NormalDist().cdf(-reach))


def _errors(units: np.ndarray) -> np.ndarray:
    errors: np.ndarray = units.std(axis=-1, ddof=1) / math.sqrt(units.shape[-1])
    return errors


def _upper(units: np.ndarray, ranges: tuple[np.ndarray, np.ndarray] | None, tail: float) -> np.ndarray:
    """Upper bounds of the mean of each row [K, G], [K]."""
    if ranges is not None:
        return upper_bounds(units, ranges[1], tail)
    reach = t_quantile(1 - tail, units.shape[-1] - 1)
    bounds: np.ndarray = units.mean(axis=-1) + reach * _errors(units)
    return bounds


def _lower(units: np.ndarray, ranges: tuple[np.ndarray, np.ndarray] | None, tail: float) -> np.ndarray:
    mirrored: np.ndarray = -_upper(-units, None if ranges is None else (-ranges[1], -ranges[0]), tail)
    return mirrored
