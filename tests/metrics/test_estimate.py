"""Intervals: known answers, and the rules every figure obeys."""

import math

import numpy as np
import pytest

from equipoise.core import Estimate
from equipoise.metrics import (
    clustered_mean,
    clustered_ratio,
    over_seeds,
    paired_difference,
    proportion,
    seed_mean,
    t_quantile,
)


@pytest.mark.parametrize(
    ("df", "expected"),
    [(1, 12.7062), (2, 4.30265), (5, 2.57058), (10, 2.22814), (30, 2.04227), (120, 1.97993)],
)
def test_t_quantile_matches_the_printed_tables(df, expected):
    # Abramowitz and Stegun 1964, table 26.10, two-sided 95 %.
    assert t_quantile(0.975, df) == pytest.approx(expected, abs=1e-5)


def test_t_quantile_has_closed_forms_at_one_and_two_degrees_of_freedom():
    for p in (0.6, 0.9, 0.995):
        assert t_quantile(p, 1) == pytest.approx(math.tan(math.pi * (p - 0.5)), rel=1e-9)
        assert t_quantile(p, 2) == pytest.approx((2 * p - 1) * math.sqrt(2 / (4 * p * (1 - p))), rel=1e-9)


def test_t_quantile_is_odd_and_ends_at_the_normal():
    assert t_quantile(0.025, 7) == pytest.approx(-t_quantile(0.975, 7), rel=1e-14)
    assert t_quantile(0.975, 10**9) == pytest.approx(1.959963985, abs=1e-8)


@pytest.mark.parametrize(("p", "df"), [(0.0, 3), (1.0, 3), (0.5, 0)])
def test_t_quantile_refuses_what_has_no_quantile(p, df):
    with pytest.raises(ValueError, match="allowed"):
        t_quantile(p, df)


def test_a_mean_over_singleton_clusters_is_the_textbook_t_interval():
    # Mean 5, standard deviation 1.5811, n 5: half width 2.77645 * 1.5811 / sqrt(5).
    estimate = clustered_mean([3, 4, 5, 6, 7], [0, 1, 2, 3, 4])
    assert estimate.value == 5
    assert estimate.high - 5 == pytest.approx(2.7764451 * math.sqrt(2.5 / 5), rel=1e-7)
    assert (estimate.n, estimate.level) == (5, 0.95)


def test_equal_clusters_give_the_interval_of_their_means():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(8, 5)) + rng.normal(size=(8, 1))
    clustered = clustered_mean(scores.ravel(), np.repeat(np.arange(8), 5).tolist())
    means = clustered_mean(scores.mean(axis=1), list(range(8)))
    assert clustered.low == pytest.approx(means.low)
    assert clustered.high == pytest.approx(means.high)


def test_repeating_every_episode_in_its_cluster_does_not_narrow_the_interval():
    scores, clusters = [0.0, 1.0, 3.0, 2.0], [0, 1, 2, 3]
    once, twice = clustered_mean(scores, clusters), clustered_mean(scores * 2, clusters * 2)
    assert (twice.low, twice.high) == pytest.approx((once.low, once.high))


def test_one_cluster_gives_nan_bounds():
    estimate = clustered_mean([1.0, 2.0, 3.0], ["a", "a", "a"])
    assert estimate.value == 2
    assert math.isnan(estimate.low)
    assert math.isnan(estimate.high)
    assert estimate.n == 1


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(1)
    clusters = np.repeat(np.arange(10), 4).tolist()
    covered = 0
    for _ in range(1000):
        scores = rng.normal(size=40) + np.repeat(rng.normal(size=10), 4)
        estimate = clustered_mean(scores, clusters)
        covered += estimate.low <= 0 <= estimate.high
    assert 0.93 <= covered / 1000 <= 0.97


def test_a_ratio_is_the_ratio_of_totals_not_the_mean_of_ratios():
    estimate = clustered_ratio([1, 0], [1, 9], ["a", "b"])
    assert estimate.value == pytest.approx(0.1)
    # Residual totals are 0.9 and -0.9: error sqrt(2 * (0.81 + 0.81)) / 10, t with one degree of freedom 12.7062.
    assert estimate.high - estimate.value == pytest.approx(12.706205 * math.sqrt(3.24) / 10, rel=1e-6)


def test_pairs_cancel_the_luck_both_share():
    rng = np.random.default_rng(2)
    luck, rest = rng.normal(size=50) * 10, rng.normal(size=50) * 0.01
    estimate = paired_difference(luck + 0.5 + rest, luck, list(range(50)))
    assert estimate.value == pytest.approx(0.5, abs=0.01)
    assert estimate.high - estimate.low < 0.02
    assert estimate.method == "paired t over clusters"


def test_clusters_that_all_agree_have_no_interval_and_say_so():
    estimate = clustered_mean([0.3] * 48, range(48))
    assert (estimate.value, estimate.n) == (pytest.approx(0.3), 48)
    assert math.isnan(estimate.low)
    assert math.isnan(estimate.high)
    assert estimate.method.startswith("none")


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2527, 0.3676), (15, 148, 0.0578, 0.1617), (0, 20, 0.0, 0.1684), (1, 29, 0.0009, 0.1776)],
)
def test_scores_of_0_and_1_have_clopper_and_pearson_s_interval(successes, n, low, high):
    # Newcombe 1998, Statistics in Medicine 17:857-872, table I, method 5.
    estimate = proportion(successes, n)
    assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=5e-5)
    clustered = clustered_mean([1.0] * successes + [0.0] * (n - successes), range(n), bounds=(0.0, 1.0))
    assert (clustered.low, clustered.high, clustered.method) == (estimate.low, estimate.high, "beta over clusters")


def test_scores_that_agree_inside_their_range_keep_what_the_range_allows():
    estimate = clustered_mean([3.0] * 48, range(48), bounds=(0.0, 5.0))
    # Nothing else in 48 deals: with 97.5 % another score comes at most this often, and then it is 5, or 0.
    often = 1 - 0.025 ** (1 / 48)
    assert (estimate.low, estimate.value, estimate.high) == pytest.approx((3 - 3 * often, 3, 3 + 2 * often))


def test_a_range_of_one_point_is_certain():
    estimate = clustered_mean([0.0] * 3, range(3), bounds=(0.0, 0.0))
    assert estimate == Estimate.exact(0.0)


def test_a_range_that_is_stretched_stretches_the_interval():
    scores = np.random.default_rng(3).random(30)
    narrow = clustered_mean(scores, range(30), bounds=(0.0, 1.0))
    wide = clustered_mean(4 * scores - 2, range(30), bounds=(-2.0, 2.0))
    assert (wide.low, wide.high) == pytest.approx((4 * narrow.low - 2, 4 * narrow.high - 2))


def test_clusters_of_unequal_size_count_as_fewer():
    faults, decisions = np.zeros(20), np.array([1.0] * 19 + [30.0])
    unequal = clustered_ratio(faults, decisions, range(20), bounds=(0.0, 1.0))
    assert unequal.high > clustered_ratio(faults, np.ones(20), range(20), bounds=(0.0, 1.0)).high > 0


def test_a_mean_outside_its_range_is_refused():
    with pytest.raises(ValueError, match="range"):
        clustered_mean([2.0, 3.0], [0, 1], bounds=(0.0, 1.0))


def test_seeds_are_reported_as_their_median_and_range():
    estimate = over_seeds([0.3, 0.1, 0.2])
    assert (estimate.value, estimate.low, estimate.high, estimate.n) == (0.2, 0.1, 0.3, 3)
    assert estimate.level == 0.75  # the range of three draws holds the median unless all fall on one side: 2 / 8
    assert estimate.method == "median and range over seeds"


def test_one_seed_has_no_range():
    assert math.isnan(over_seeds([0.3]).low)
    assert math.isnan(proportion(1, 1).high)


def test_seeds_that_all_agree_have_no_range():
    estimate = over_seeds([0.3, 0.3, 0.3])
    assert (estimate.value, math.isnan(estimate.low), math.isnan(estimate.high)) == (0.3, True, True)
    assert estimate.method.startswith("none")


def test_three_of_three_seeds_are_no_certainty():
    found = seed_mean([1.0, 1.0, 1.0], bounds=(0.0, 1.0))
    assert (found.low, found.value, found.high) == pytest.approx((0.025 ** (1 / 3), 1, 1))  # Clopper and Pearson
    assert math.isnan(seed_mean([1.0, 1.0, 1.0]).low)


def test_the_mean_over_seeds_is_a_t_interval_inside_the_range():
    plain, kept = seed_mean([0.9, 0.97, 0.99]), seed_mean([0.9, 0.97, 0.99], bounds=(0.0, 1.0))
    assert plain.high > 1
    assert (kept.value, kept.low, kept.high, kept.method) == (plain.value, plain.low, 1.0, "t over seeds")


@pytest.mark.parametrize(
    "call",
    [
        lambda: clustered_mean([], []),
        lambda: clustered_mean([1.0, 2.0], [0]),
        lambda: clustered_mean([1.0, 2.0], [0, 1], level=95),
        lambda: clustered_ratio([1.0], [0.0], [0]),
        lambda: paired_difference([1.0, 2.0], [1.0], [0]),
        lambda: over_seeds([]),
        lambda: proportion(3, 2),
    ],
)
def test_impossible_input_is_refused_with_what_is_needed(call):
    with pytest.raises(ValueError, match=r"got|need"):
        call()
