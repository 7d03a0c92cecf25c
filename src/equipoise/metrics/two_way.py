"""Intervals where several training seeds meet the same deals: both seeds and deals are samples.

A score is taken as mean + seed + deal + rest, with seeds and deals drawn at random (crossed random effects). The spread
of the seeds' means holds the seeds' variance and a share of the rest, that of the deals' means the deals' variance and
the same share. So the half width is

    sqrt(t_S^2 * V_seeds + t_D^2 * max(0, V_deals - V_rest)),   at least t_D * sqrt(V_deals)

with the variances of the mean that each side implies alone and each side's own quantile of Student's t. It is never
negative and never narrower than the interval of either side alone. Without the subtraction it is Banerjee's interval,
which cannot cover too little for normal effects; with it the rest is counted once. By simulation (tests/metrics/
test_coverage.py) it covers 0.94 to 0.99 at 0.95 for 2 to 10 seeds, 48 and 300 deals and a seed variance of zero, equal
to the deals' or dominant. Satterthwaite's degrees of freedom with the variance of Cameron, Gelbach and Miller are
narrower by up to a quarter where seeds do not differ, but cover 0.88 with two seeds that do. What no interval covers:
few seeds whose figures are skewed (exponential ones, three to ten seeds: 0.89 to 0.91).

Scores of a known range: the deals' side takes the bounds of `metrics.bounded`, which hold for rare events, and seeds
that are all at the ends of the range, or agree, take Clopper and Pearson's. Sides are joined by their distances from
the mean (Zou and Donner 2008), and no end leaves the range.

Reference: Owen 2007, Annals of Applied Statistics 1 (two crossed factors); Cameron, Gelbach and Miller 2011, Journal of
Business and Economic Statistics 29; Banerjee 1961 (sums of variances); Zou and Donner 2008, Statistics in Medicine 27.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equipoise.core import Estimate
from equipoise.errors import UserError
from equipoise.metrics.bounded import Bounds, in_range, lower_bounds, upper_bounds
from equipoise.metrics.deal_scores import DealScores, seed_by_deal
from equipoise.metrics.estimate import NO_SPREAD, check_level, only_outcomes, range_of_difference, t_quantile

T, BOUND, NONE = "t", "beta", "none"
"""How a side got its bounds: from its spread, from the range of a score, or not at all."""


@dataclass(frozen=True)
class _Side:
    """How far the interval of one side alone reaches below and above the mean, and how it was found."""

    below: float
    above: float
    kind: str


def two_way(scores: ArrayLike, bounds: Bounds | None = None, level: float = 0.95) -> Estimate:
    """Mean of scores [S, D] of S seeds on the same D deals, with an interval over seeds and deals; n counts seeds.

    Estimand: the expected score of a further seed on a further deal. Unbiased. NaN marks what a seed has not played;
    the mean is over what was played, and nothing is taken off for the rest then, which errs on the wide side. One seed
    has an interval over deals alone, which says nothing of other seeds; one deal has none.

    Args:
        scores: Each seed's mean score on each deal, [S, D]; see `seed_by_deal`.
        bounds: The range of a score, if it has one that is known. Without it there is no interval where all agree.
        level: Confidence level.

    Raises:
        ValueError: For other than two axes, a seed or deal without any score, a level outside (0, 1), or a mean
            outside its range.
    """
    table = _table(scores)
    value, seeds, deals, rest = _units(table)
    return _joined(value, [_seed_side(seeds, bounds, level)], deals, rest, len(table), bounds, level)


def over_seeds_and_deals(tables: Sequence[DealScores], bounds: Bounds | None = None, level: float = 0.95) -> Estimate:
    """`two_way` of several seeds' agents from their kept scores, one table for each seed."""
    return two_way(seed_by_deal(tables), bounds, level)


def difference_to_base(
    scores: ArrayLike, base: ArrayLike, bounds: Bounds | None = None, level: float = 0.95
) -> Estimate:
    """Mean of seeds' scores [S, D] minus a base model's scores [D] on the same deals, with a two-way interval.

    The base model was measured once: its own luck on a deal is part of that deal's difference for every seed, so its
    noise is counted, once, and does not shrink with the number of seeds. NaN where the base model has not met a deal.

    Args:
        scores: Each seed's score on each deal, [S, D].
        base: The base model's score on each deal, [D].
        bounds: The range of a score of either, if it has one that is known.
        level: Confidence level.

    Raises:
        ValueError: For a base of another length than the deals, or as `two_way`.
    """
    theirs = np.asarray(base, dtype=float)
    return difference_of_paired_arms(
        scores, np.broadcast_to(theirs, np.shape(scores)[:1] + theirs.shape), bounds, level
    )


def difference_of_paired_arms(
    first: ArrayLike, second: ArrayLike, bounds: Bounds | None = None, level: float = 0.95
) -> Estimate:
    """Mean of first [S, D] minus second [S, D], seed by seed and deal by deal, with a two-way interval.

    For arms whose seeds belong together, for example because they start from the same model.

    Raises:
        ValueError: For arms of different shapes, or as `two_way`.
    """
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if a.shape != b.shape:
        raise UserError(f"got scores of shapes {a.shape} and {b.shape}; pairs need the same seeds on the same deals")
    found = two_way(a - b, range_of_difference(bounds), level)
    return Estimate(found.value, found.low, found.high, found.n, found.level, f"paired {found.method}")


def difference_of_arms(
    first: ArrayLike, second: ArrayLike, bounds: Bounds | None = None, level: float = 0.95
) -> Estimate:
    """Mean of first [S1, D] minus second [S2, D], whose seeds have nothing in common, on the same D deals.

    Deals are paired, seeds are not: each arm's seeds add a side of their own. n counts the seeds of the smaller arm.

    Args:
        first: Scores of one arm's seeds on the deals, without gaps.
        second: Scores of the other's.
        bounds: The range of a score, if it has one that is known.
        level: Confidence level.

    Raises:
        ValueError: For different numbers of deals, gaps, or as `two_way`.
    """
    tables = _table(first), _table(second)
    if tables[0].shape[1] != tables[1].shape[1] or not all(np.isfinite(table).all() for table in tables):
        shapes = " and ".join(str(table.shape) for table in tables)
        raise UserError(f"got scores of shapes {shapes}; arms need the same deals, all of them played by every seed")
    (value, seeds, deals, rest), (other, their_seeds, their_deals, their_rest) = map(_units, tables)
    own, theirs = _seed_side(seeds, bounds, level), _seed_side(their_seeds, bounds, level)
    sides = [own, _Side(theirs.above, theirs.below, theirs.kind)]  # what is taken off errs the other way
    count = min(len(table) for table in tables)
    return _joined(
        value - other, sides, deals - their_deals, rest + their_rest, count, range_of_difference(bounds), level
    )


def _units(table: np.ndarray) -> tuple[float, np.ndarray, np.ndarray, float]:
    """The mean, what each seed [S] and each deal [D] says of it, and the variance that the rest gives it.

    Without gaps what a seed says is its mean, and what a deal says is the deal's mean.
    """
    played = np.isfinite(table)
    seeds, deals = table.shape
    value = float(table[played].mean())
    residuals = np.where(played, table - value, 0.0) / played.sum()
    by_seed, by_deal = value + seeds * residuals.sum(axis=1), value + deals * residuals.sum(axis=0)
    if not played.all() or min(seeds, deals) < 2:
        return value, by_seed, by_deal, 0.0
    rest = table - by_seed[:, None] - by_deal[None, :] + value
    return value, by_seed, by_deal, float((rest**2).sum()) / ((seeds - 1) * (deals - 1) * seeds * deals)


def _seed_side(units: np.ndarray, bounds: Bounds | None, level: float) -> _Side:
    """How far seeds alone reach: nothing to say for one seed, or for seeds that agree where no range is known."""
    if len(units) < 2:
        return _Side(0.0, 0.0, NONE)
    if bounds is not None and only_outcomes(units, bounds):
        return _bounded_side(units, bounds, level)
    half = t_quantile(0.5 + level / 2, len(units) - 1) * math.sqrt(_variance(units))
    return _Side(half, half, T if half > NO_SPREAD * max(1.0, abs(float(units.mean()))) else NONE)


def _deal_side(units: np.ndarray, bounds: Bounds | None, level: float) -> _Side:
    if len(units) < 2:
        return _Side(math.nan, math.nan, NONE)
    return _seed_side(units, None, level) if bounds is None else _bounded_side(units, bounds, level)


def _bounded_side(units: np.ndarray, bounds: Bounds, level: float) -> _Side:
    tail, value = 0.5 - level / 2, float(units.mean())
    low, high = float(lower_bounds(units, bounds[0], tail)), float(upper_bounds(units, bounds[1], tail))
    return _Side(value - low, high - value, BOUND)


def _joined(
    value: float,
    seed_sides: Sequence[_Side],
    deals: np.ndarray,
    rest: float,
    count: int,
    bounds: Bounds | None,
    level: float,
) -> Estimate:
    """The interval from the seeds' sides, what each deal says [D], and the variance of the rest."""
    check_level(level)
    if bounds is not None:
        value = in_range(value, bounds)
        if bounds[0] == bounds[1]:
            return Estimate.exact(value)
    deal_side = _deal_side(deals, bounds, level)
    seed_kind = max((side.kind for side in seed_sides), key=(NONE, T, BOUND).index)
    if seed_kind == deal_side.kind == NONE or math.isnan(deal_side.below):
        return Estimate(value, math.nan, math.nan, count, level, "none: too few seeds and deals, or all agree")
    variance = _variance(deals)
    own = math.sqrt(max(0.0, 1 - rest / variance)) if variance > 0 else 1.0  # the deals' part without the rest
    below = max(deal_side.below, math.hypot(*(side.below for side in seed_sides), own * deal_side.below))
    above = max(deal_side.above, math.hypot(*(side.above for side in seed_sides), own * deal_side.above))
    low, high = value - below, value + above
    if bounds is not None:
        low, high = max(low, bounds[0]), min(high, bounds[1])
    return Estimate(value, low, high, count, level, _named(seed_kind, deal_side.kind))


def _named(seeds: str, deals: str) -> str:
    if seeds == deals:
        return f"{seeds} over seeds and deals"
    if NONE in (seeds, deals):
        return f"{seeds} over seeds alone" if deals == NONE else f"{deals} over deals alone"
    return f"{seeds} over seeds, {deals} over deals"


def _variance(units: np.ndarray) -> float:
    """The variance of the mean of independent units."""
    return float(units.var(ddof=1)) / len(units)


def _table(scores: ArrayLike) -> np.ndarray:
    table = np.asarray(scores, dtype=float)
    if table.ndim != 2 or table.size == 0:
        raise UserError(f"got scores of shape {table.shape}; allowed: seeds by deals, [S, D]")
    played = ~np.isnan(table)
    if np.isinf(table).any() or not (played.any(axis=0).all() and played.any(axis=1).all()):
        raise UserError("got scores that are infinite, or a seed or deal without any score; leave those out")
    return table
