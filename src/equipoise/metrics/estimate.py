"""Figures with intervals: means over clusters, paired differences, seeds, proportions.

Episodes that share a deal are not independent, so the unit of every interval is the cluster. With G clusters the mean
is a ratio of totals and its variance comes from the clusters' residual totals; with equal clusters that is the t
interval over cluster means. Where the clusters are an enumeration of all deals rather than a sample of them, the luck
of the deal is counted although it was averaged out, and the interval is too wide, never too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import replace
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from equipoise.core import Estimate
from equipoise.errors import UserError

_SERIES_UP_TO = 400
_AT_END = 1e-12


def clustered_mean(
    scores: ArrayLike, clusters: Sequence[Hashable], level: float = 0.95, method: str = "t over clusters"
) -> Estimate:
    """Mean of `scores` [B] with a t interval whose unit is the cluster; NaN bounds with fewer than two clusters.

    Estimand: the expected score of an episode. Unbiased for equal clusters; of order 1/G otherwise. Every cluster is
    one independent unit of the interval.

    Args:
        scores: One number per episode, [B].
        clusters: The cluster of each episode, [B].
        level: Confidence level.
        method: What to call it on the Estimate.

    Raises:
        ValueError: For no scores, unequal lengths, or a level outside (0, 1).

    Reference: Miller 2024, Adding Error Bars to Evals, arXiv 2411.00640 (clustered standard errors).
    """
    values = np.asarray(scores, dtype=float)
    return clustered_ratio(values, np.ones(values.shape), clusters, level, method)


def clustered_ratio(
    numerators: ArrayLike,
    denominators: ArrayLike,
    clusters: Sequence[Hashable],
    level: float = 0.95,
    method: str = "t over clusters",
) -> Estimate:
    """Sum of `numerators` [B] over sum of `denominators` [B], with a t interval over clusters (linearised variance).

    Estimand: the ratio of the expectations, for example faults per decision. Bias of order 1/G.

    Raises:
        ValueError: For no episodes, unequal lengths, a level outside (0, 1), or denominators that sum to zero.

    Reference: Cochran 1977, Sampling Techniques, the chapter on ratio estimators.
    """
    top, bottom = np.asarray(numerators, dtype=float), np.asarray(denominators, dtype=float)
    _check_level(level)
    if top.ndim != 1 or top.shape != bottom.shape or len(top) != len(clusters):
        raise UserError(f"got scores of shape {top.shape} and {len(clusters)} clusters; allowed: one cluster per score")
    if len(top) == 0:
        raise UserError("got no scores to average; give at least one episode")
    total = float(bottom.sum())
    if total == 0:
        raise UserError("got denominators that sum to zero; a ratio needs at least one unit below the line")
    ratio = float(top.sum()) / total
    return linearised(ratio, (top - ratio * bottom) / total, clusters, level, method)


def linearised(
    value: float,
    influences: np.ndarray,
    clusters: Sequence[Hashable],
    level: float = 0.95,
    method: str = "t over clusters",
) -> Estimate:
    """`value` with the t interval of a smooth function of means; NaN bounds with fewer than two clusters.

    Args:
        value: The point estimate.
        influences: What each episode adds to the estimate's error, to first order, [B]; they sum to zero.
        clusters: The cluster of each episode, [B].
        level: Confidence level.
        method: What to call it on the Estimate.

    Reference: Cochran 1977, Sampling Techniques (linearised variance of ratios).
    """
    index = cluster_index(clusters)
    count = int(index.max()) + 1
    if count < 2:
        return Estimate(value, math.nan, math.nan, count, level, method)
    residuals = np.bincount(index, weights=influences)  # [G]
    error = math.sqrt(count / (count - 1) * float(residuals @ residuals))
    half = t_quantile(0.5 + level / 2, count - 1) * error
    return Estimate(value, value - half, value + half, count, level, method)


def cluster_index(clusters: Sequence[Hashable]) -> np.ndarray:
    """Each episode's cluster as an integer 0..G-1 in order of first appearance, [B]."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(cluster, len(numbers)) for cluster in clusters], dtype=np.int64)


def paired_difference(a: ArrayLike, b: ArrayLike, clusters: Sequence[Hashable], level: float = 0.95) -> Estimate:
    """Mean of a - b, episode by episode on common deals, with a t interval over clusters.

    Args:
        a: Scores of one agent, [B].
        b: Scores of the other on the same (opponent, seat, deal) in the same order, [B].
        clusters: The cluster of each pair, [B].
        level: Confidence level.

    Raises:
        ValueError: When a and b differ in length, or as `clustered_mean`.
    """
    first, second = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if first.shape != second.shape:
        raise UserError(f"got {first.shape} and {second.shape} scores; pairs need the same episodes in the same order")
    return clustered_mean(first - second, clusters, level, "paired t over clusters")


def over_seeds(values: ArrayLike) -> Estimate:
    """Median of one figure per training seed, with the range from the smallest to the largest as its interval.

    The range of n seeds covers the population's median with probability 1 - 2^(1-n), whatever the distribution (0.75
    for three seeds); that is the level reported. One seed has NaN bounds.

    Raises:
        ValueError: For no values.
    """
    seeds = np.asarray(values, dtype=float)
    if seeds.ndim != 1 or len(seeds) == 0:
        raise UserError(f"got values of shape {seeds.shape}; allowed: one figure per seed, at least one")
    n = len(seeds)
    low, high = (float(seeds.min()), float(seeds.max())) if n > 1 else (math.nan, math.nan)
    return Estimate(float(np.median(seeds)), low, high, n, 1 - 2.0 ** (1 - n), "median and range over seeds")


def wilson(successes: int, n: int, level: float = 0.95, method: str = "wilson") -> Estimate:
    """Share of successes in `n` independent trials with Wilson's score interval; NaN bounds for n < 2.

    Raises:
        ValueError: Unless 0 <= successes <= n, or for a level outside (0, 1).

    Reference: Wilson 1927; Newcombe 1998, Statistics in Medicine 17, method 3.
    """
    _check_level(level)
    if not 0 <= successes <= n:
        raise UserError(f"got {successes} successes of {n}; allowed: 0 to n")
    share = successes / n if n else math.nan
    if n < 2:
        return Estimate(share, math.nan, math.nan, n, level, method)
    z = NormalDist().inv_cdf(0.5 + level / 2)
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == n else centre + half
    return Estimate(share, low, high, n, level, method)


def within(estimate: Estimate, low: float, high: float) -> Estimate:
    """A mean of scores in [low, high] with its interval kept inside that range.

    Where the mean lies at an end, every score does, and a t interval would have no width: Wilson's interval with one
    trial per unit stands in. It is valid for bounded scores because a score that is 0 or 1 is the widest of its mean.
    Where the range is a single point nothing could have come out otherwise, and the interval is that point.

    Args:
        estimate: A mean with a t interval.
        low: The smallest value a score can have.
        high: The largest.

    Raises:
        ValueError: For a range that is empty, or a mean outside it.
    """
    if not low <= high or not low - _AT_END <= estimate.value <= high + _AT_END:
        raise UserError(f"got a mean of {estimate.value} in [{low}, {high}]; scores must lie in their range")
    if low == high:
        return replace(estimate, low=low, high=high)
    end = 0 if estimate.value <= low + _AT_END else 1 if estimate.value >= high - _AT_END else None
    if end is not None and estimate.n > 1:
        share = wilson(end * estimate.n, estimate.n, estimate.level)
        bounds = (low + (high - low) * share.low, low + (high - low) * share.high)
        return Estimate((low, high)[end], *bounds, estimate.n, estimate.level, "wilson over deals")
    return replace(estimate, low=float(np.clip(estimate.low, low, high)), high=float(np.clip(estimate.high, low, high)))


@lru_cache(maxsize=1024)
def t_quantile(p: float, df: int) -> float:
    """The point below which Student's t with `df` degrees of freedom falls with probability `p` in (0, 1).

    The distribution function of integer `df` is a finite sum, inverted by bisection; beyond 400 degrees of freedom the
    expansion about the normal is exact to ten digits.

    Raises:
        ValueError: For p outside (0, 1) or df below 1.

    Reference: Abramowitz and Stegun 1964, 26.7.3 and 26.7.4 (sums), 26.7.5 (expansion).
    """
    if not 0 < p < 1 or df < 1:
        raise UserError(f"got p={p}, df={df}; allowed: p in (0, 1) and df at least 1")
    if p < 0.5:
        return -t_quantile(1 - p, df)
    if df > _SERIES_UP_TO:
        return _expansion(NormalDist().inv_cdf(p), df)
    low, high = 0.0, math.pi / 2  # of theta = arctan(t / sqrt(df))
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if _central_mass(middle, df) < 2 * p - 1 else (low, middle)
    return math.tan((low + high) / 2) * math.sqrt(df)


def _central_mass(theta: float, df: int) -> float:
    """P(|T| <= sqrt(df) tan(theta)) for Student's t."""
    sine, cosine = math.sin(theta), math.cos(theta)
    odd = df % 2
    term, total = (cosine if odd else 1.0), 0.0
    for k in range(df // 2):
        total += term
        term *= (2 * k + 1 + odd) / (2 * k + 2 + odd) * cosine * cosine
    return (theta + sine * total) * 2 / math.pi if odd else sine * total


def _expansion(z: float, df: int) -> float:
    g1 = (z**3 + z) / 4
    g2 = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    g3 = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    g4 = (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160
    return z + g1 / df + g2 / df**2 + g3 / df**3 + g4 / df**4


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise UserError(f"got level={level}; allowed: a confidence level in (0, 1), for example 0.95")
