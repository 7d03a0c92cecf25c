"""Figures with intervals: means over clusters, paired differences, seeds, proportions.

Episodes that share a deal are not independent, so the unit of every interval is the cluster. With G clusters the mean
is a ratio of totals and its variance comes from the clusters' residual totals; with equal clusters that is the t
interval over cluster means. Where the clusters are an enumeration of all deals rather than a sample of them, the luck
of the deal is counted although it was averaged out, and the interval is too wide, never too narrow.

Scores of a known range get bounds that hold for rare events too (`metrics.bounded`). Without a range there is the t
interval alone, which needs a spread that was seen: where all clusters agree there is no interval, and where the scores
have rare, large values, or two clusters are all there are and the scores are skewed, it covers less often than it says.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from equipoise.core import Estimate
from equipoise.errors import UserError
from equipoise.metrics.bounded import Bounds, heaviness, in_range, lower_bounds, upper_bounds

NO_SPREAD = 1e-12
"""Units whose mean has a standard error of no more than this agree, relative to the larger of 1 and the mean."""


def clustered_mean(
    scores: ArrayLike,
    clusters: Sequence[Hashable],
    level: float = 0.95,
    method: str = "t over clusters",
    bounds: Bounds | None = None,
) -> Estimate:
    """Mean of `scores` [B] with an interval whose unit is the cluster; NaN bounds with fewer than two clusters.

    Estimand: the expected score of an episode. Unbiased for equal clusters; of order 1/G otherwise. Every cluster is
    one independent unit of the interval.

    Args:
        scores: One number per episode, [B].
        clusters: The cluster of each episode, [B].
        level: Confidence level.
        method: What to call the t interval on the Estimate.
        bounds: The range of a score, if it has one that is known.

    Raises:
        ValueError: For no scores, unequal lengths, a level outside (0, 1), or a mean outside its range.

    Reference: Miller 2024, Adding Error Bars to Evals, arXiv 2411.00640 (clustered standard errors).
    """
    values = np.asarray(scores, dtype=float)
    return clustered_ratio(values, np.ones(values.shape), clusters, level, method, bounds)


def clustered_ratio(
    numerators: ArrayLike,
    denominators: ArrayLike,
    clusters: Sequence[Hashable],
    level: float = 0.95,
    method: str = "t over clusters",
    bounds: Bounds | None = None,
) -> Estimate:
    """Sum of `numerators` [B] over sum of `denominators` [B], with an interval over clusters (linearised variance).

    Estimand: the ratio of the expectations, for example faults per decision. Bias of order 1/G.

    Raises:
        ValueError: For no episodes, unequal lengths, a level outside (0, 1), denominators that sum to zero, or a ratio
            outside its range.

    Reference: Cochran 1977, Sampling Techniques, the chapter on ratio estimators.
    """
    top, bottom = np.asarray(numerators, dtype=float), np.asarray(denominators, dtype=float)
    check_level(level)
    if top.ndim != 1 or top.shape != bottom.shape or len(top) != len(clusters):
        raise UserError(f"got scores of shape {top.shape} and {len(clusters)} clusters; allowed: one cluster per score")
    if len(top) == 0:
        raise UserError("got no scores to average; give at least one episode")
    total = float(bottom.sum())
    if total == 0:
        raise UserError("got denominators that sum to zero; a ratio needs at least one unit below the line")
    ratio = float(top.sum()) / total
    index = cluster_index(clusters)
    residuals = np.bincount(index, weights=(top - ratio * bottom) / total)  # [G]
    return _interval(ratio, residuals, np.bincount(index, weights=bottom), level, method, bounds)


def linearised(
    value: float,
    influences: np.ndarray,
    clusters: Sequence[Hashable],
    level: float = 0.95,
    method: str = "t over clusters",
    bounds: Bounds | None = None,
) -> Estimate:
    """`value` with the interval of a smooth function of means; NaN bounds with fewer than two clusters.

    Args:
        value: The point estimate.
        influences: What each episode adds to the estimate's error, to first order, [B]; they sum to zero.
        clusters: The cluster of each episode, [B].
        level: Confidence level.
        method: What to call the t interval on the Estimate.
        bounds: The range of the figure, if it has one that is known.

    Reference: Cochran 1977, Sampling Techniques (linearised variance of ratios).
    """
    check_level(level)
    index = cluster_index(clusters)
    sizes = np.bincount(index).astype(float)
    return _interval(value, np.bincount(index, weights=influences), sizes, level, method, bounds)


def _interval(
    value: float, residuals: np.ndarray, sizes: np.ndarray, level: float, method: str, bounds: Bounds | None
) -> Estimate:
    """The interval from each cluster's residual total [G] and its size [G]."""
    count = len(residuals)
    if bounds is not None:
        value = in_range(value, bounds)
        if bounds[0] == bounds[1]:  # nothing could have come out otherwise
            return Estimate.exact(value)
    if count < 2:
        return Estimate(value, math.nan, math.nan, count, level, method)
    if bounds is not None:
        units, tail = value + count * residuals, 0.5 - level / 2
        low, high = (
            float(bound(units, end, tail, heaviness(sizes)))
            for bound, end in zip((lower_bounds, upper_bounds), bounds, strict=True)
        )
        return Estimate(value, low, high, count, level, renamed(method, "beta"))
    error = math.sqrt(count / (count - 1) * float(residuals @ residuals))
    if error <= NO_SPREAD * max(1.0, abs(value)):
        return Estimate(value, math.nan, math.nan, count, level, f"none: all agree ({method})")
    half = t_quantile(0.5 + level / 2, count - 1) * error
    return Estimate(value, value - half, value + half, count, level, method)


def renamed(method: str, kind: str) -> str:
    """The name of a t interval with another word in the place of "t": "t over deals" becomes "beta over deals"."""
    return " ".join(kind if word == "t" else word for word in method.split(" "))


def cluster_index(clusters: Sequence[Hashable]) -> np.ndarray:
    """Each episode's cluster as an integer 0..G-1 in order of first appearance, [B]."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(cluster, len(numbers)) for cluster in clusters], dtype=np.int64)


def paired_difference(
    a: ArrayLike,
    b: ArrayLike,
    clusters: Sequence[Hashable],
    level: float = 0.95,
    bounds: Bounds | None = None,
) -> Estimate:
    """Mean of a - b, episode by episode on common deals, with a t interval over clusters.

    See `difference_interval` for what it covers.

    Args:
        a: Scores of one agent, [B].
        b: Scores of the other on the same (opponent, seat, deal) in the same order, [B].
        clusters: The cluster of each pair, [B].
        level: Confidence level.
        bounds: The range of a score of either agent, if it has one that is known.

    Raises:
        ValueError: When a and b differ in length, or as `clustered_mean`.
    """
    first, second = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if first.shape != second.shape:
        raise UserError(f"got {first.shape} and {second.shape} scores; pairs need the same episodes in the same order")
    difference = first - second
    if not len(difference):
        raise UserError("got no pairs to average; give at least one")
    mean = float(difference.mean())
    influences = (difference - mean) / len(difference)
    return difference_interval(mean, influences, clusters, level, reach=range_of_difference(bounds))


def difference_interval(
    value: float,
    influences: np.ndarray,
    clusters: Sequence[Hashable],
    level: float = 0.95,
    method: str = "paired t over clusters",
    reach: Bounds | None = None,
) -> Estimate:
    """`value`, a difference of paired figures, with the t interval of `linearised`.

    Pairing takes the luck of the deal out, and what is left is small beside the range of a score: a bound that assumed
    the range alone would be many times as wide. So the range counts only where all pairs agree, which leaves a t
    interval no width, and at its ends. Events too rare to have been seen are not counted otherwise.

    Args:
        value: The difference.
        influences: What each episode adds to its error, [B]; they sum to zero.
        clusters: The cluster of each pair, [B].
        level: Confidence level.
        method: What to call the t interval on the Estimate.
        reach: The range of the difference, if it has one that is known.
    """
    plain = linearised(value, influences, clusters, level, method)
    if reach is None:
        return plain
    if math.isnan(plain.low):
        return linearised(value, influences, clusters, level, method, reach)
    return replace(plain, low=max(plain.low, reach[0]), high=min(plain.high, reach[1]))


def range_of_difference(bounds: Bounds | None) -> Bounds | None:
    """The range of the difference of two scores that have the range `bounds`."""
    return None if bounds is None else (bounds[0] - bounds[1], bounds[1] - bounds[0])


def over_seeds(values: ArrayLike) -> Estimate:
    """Median of one figure per training seed, with the range from the smallest to the largest as its interval.

    The range of n seeds covers the population's median with probability 1 - 2^(1-n), whatever the distribution (0.75
    for three seeds); that is the level reported. One seed has NaN bounds, and so have seeds that all agree: n equal
    figures do not say how far the next would be. Of figures in a known range `seed_mean` says something there too.

    Raises:
        ValueError: For no values.
    """
    seeds = _seeds(values)
    n, low, high = len(seeds), float(seeds.min()), float(seeds.max())
    method = "median and range over seeds"
    if n > 1 and high - low <= NO_SPREAD * max(1.0, abs(high)):
        method = f"none: all agree ({method})"
    if n == 1 or method.startswith("none"):
        low = high = math.nan
    return Estimate(float(np.median(seeds)), low, high, n, 1 - 2.0 ** (1 - n), method)


def seed_mean(values: ArrayLike, level: float = 0.95, bounds: Bounds | None = None) -> Estimate:
    """Mean of one figure per training seed, with an interval over seeds.

    Estimand: the expected figure of a further seed. Unbiased. Seeds whose figures are all at the ends of their range
    are outcomes, yes or no, and get Clopper and Pearson's interval (3 of 3: 0.29 to 1); seeds that agree inside the
    range get the bound of `metrics.bounded`; without a range they have none. Otherwise the t interval, kept inside the
    range: right for figures that are roughly normal over seeds. Few seeds with skewed figures it does not cover: with
    three to ten seeds and exponential ones it holds 0.89 to 0.91 for 0.95.

    Raises:
        ValueError: For no values, a level outside (0, 1), or values outside their range.
    """
    seeds = _seeds(values)
    names = range(len(seeds))
    plain = clustered_mean(seeds, names, level, "t over seeds")
    if bounds is None:
        return plain
    bounded = clustered_mean(seeds, names, level, "t over seeds", bounds)
    if only_outcomes(seeds, bounds) or math.isnan(plain.low):
        return bounded
    low, high = (float(end) for end in np.clip([plain.low, plain.high], *bounds))
    return Estimate(bounded.value, low, high, plain.n, level, plain.method)


def only_outcomes(values: np.ndarray, bounds: Bounds) -> bool:
    """Whether every value lies at an end of its range, as outcomes of yes or no do, or all of them agree."""
    at_end = np.isclose(values, bounds[0]) | np.isclose(values, bounds[1])
    return bool(at_end.all() or np.ptp(values) <= NO_SPREAD * max(1.0, float(np.abs(values).max())))


def proportion(successes: int, n: int, level: float = 0.95, method: str = "Clopper-Pearson") -> Estimate:
    """Share of successes in `n` independent trials with Clopper and Pearson's interval; NaN bounds for n < 2.

    Raises:
        ValueError: Unless 0 <= successes <= n with n at least 1, or for a level outside (0, 1).

    Reference: Clopper and Pearson 1934; Newcombe 1998, Statistics in Medicine 17, method 5.
    """
    if not 0 <= successes <= n or n < 1:
        raise UserError(f"got {successes} successes of {n}; allowed: 0 to n, and n at least 1")
    found = clustered_mean([1.0] * successes + [0.0] * (n - successes), range(n), level, bounds=(0.0, 1.0))
    return Estimate(found.value, found.low, found.high, n, level, method)


def t_quantile(p: float, df: float) -> float:
    """The point below which Student's t with `df` degrees of freedom falls with probability `p` in (0, 1).

    Raises:
        ValueError: For p outside (0, 1) or df that is not above 0.
    """
    from scipy.special import stdtrit

    if not 0 < p < 1 or not df > 0:
        raise UserError(f"got p={p}, df={df}; allowed: p in (0, 1) and df above 0")
    return float(stdtrit(df, p))


def check_level(level: float) -> None:
    """Refuses what is no confidence level."""
    if not 0 < level < 1:
        raise UserError(f"got level={level}; allowed: a confidence level in (0, 1), for example 0.95")


def _seeds(values: ArrayLike) -> np.ndarray:
    seeds = np.asarray(values, dtype=float)
    if seeds.ndim != 1 or len(seeds) == 0:
        raise UserError(f"got values of shape {seeds.shape}; allowed: one figure per seed, at least one")
    return seeds
