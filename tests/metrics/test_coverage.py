"""How often intervals cover, by simulation: at least 0.93 at a nominal 0.95, in every design they are meant for."""

import math

import numpy as np
import pytest
from scipy.stats import binom

from equipoise.metrics import (
    clustered_mean,
    difference_of_arms,
    difference_to_base,
    paired_difference,
    proportion,
    seed_mean,
    two_way,
)
from equipoise.metrics.bounded import lower_bounds, upper_bounds
from equipoise.metrics.clipped import clipped_sum

LEAST = 0.93


def covers(estimate, truth):
    return estimate.low - 1e-12 <= truth <= estimate.high + 1e-12


def share_covered(draw, truth, bounds, runs=2000):
    """How often the interval of a bounded mean covers; `draw(shape)` gives independent units, [runs, G]."""
    units = draw((runs, draw.units))
    low, high = lower_bounds(units, bounds[0], 0.025), upper_bounds(units, bounds[1], 0.025)
    return float(((low <= truth + 1e-12) & (truth - 1e-12 <= high)).mean())


@pytest.mark.parametrize("deals", [48, 200, 1000])
@pytest.mark.parametrize("rate", [0.005, 0.02, 0.98])
def test_rates_are_covered_exactly_computed(rate, deals):
    counts = np.arange(deals + 1)
    likely = counts[binom.pmf(counts, deals, rate) > 1e-7]
    hit = [covers(proportion(int(count), deals), rate) for count in likely]
    assert (binom.pmf(likely, deals, rate) * hit).sum() >= 0.95 - 1e-5


@pytest.mark.parametrize("deals", [48, 200, 1000])
@pytest.mark.parametrize("slips", [0.005, 0.02])
@pytest.mark.parametrize("to", [0.0, 5.0])
def test_a_pay_inside_its_range_with_a_rare_slip_is_covered(slips, deals, to):
    rng = np.random.default_rng([deals, int(1000 * slips), int(to)])

    def draw(shape):
        return np.where(rng.random(shape) < slips, to, 3.0)

    draw.units = deals
    assert share_covered(draw, 3 + slips * (to - 3), (0.0, 5.0)) >= LEAST


@pytest.mark.parametrize("deals", [48, 200])
@pytest.mark.parametrize("rate", [0.005, 0.02, 0.98])
def test_rates_of_correlated_episodes_are_covered(rate, deals):
    rng = np.random.default_rng([deals, int(1000 * rate)])
    for correlation in (0.02, 0.3):
        odds = (1 - correlation) / correlation

        def draw(shape, odds=odds):
            return rng.binomial(8, rng.beta(rate * odds, (1 - rate) * odds, shape)) / 8

        draw.units = deals
        assert share_covered(draw, rate, (0.0, 1.0)) >= LEAST


@pytest.mark.parametrize("units", [3, 5, 10, 48])
def test_bounded_means_of_every_shape_are_covered(units):
    rng = np.random.default_rng(units)
    shapes = [(1.0, 1.0), (0.2, 0.2), (0.3, 3.0), (0.05, 0.5), (20.0, 20.0)]
    for a, b in shapes:

        def draw(shape, a=a, b=b):
            return rng.beta(a, b, shape)

        draw.units = units
        assert share_covered(draw, a / (a + b), (0.0, 1.0)) >= LEAST


def test_slips_of_unequal_clusters_are_covered():
    rng, covered, runs = np.random.default_rng(4), 0, 800
    sizes = rng.integers(1, 12, size=60)
    for _ in range(runs):
        faults = rng.binomial(sizes, 0.02).astype(float)
        found = clustered_mean(np.repeat(faults / sizes, sizes), np.repeat(np.arange(60), sizes), bounds=(0.0, 1.0))
        covered += covers(found, 0.02)
    assert covered / runs >= LEAST


@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
@pytest.mark.parametrize("chance", [0.1, 0.5, 0.8, 0.97])
def test_few_seeds_of_yes_or_no_are_covered(seeds, chance):
    counts = np.arange(seeds + 1)
    hit = [covers(seed_mean([1.0] * k + [0.0] * (seeds - k), bounds=(0.0, 1.0)), chance) for k in counts]
    assert (binom.pmf(counts, seeds, chance) * hit).sum() >= 0.95


def designs():
    for seeds in (3, 5, 10):
        for deals in (48, 300):
            for seed_part in (0.0, 1.0, 5.0):
                yield seeds, deals, seed_part


def crossed(rng, seeds, deals, seed_part):
    """Normal scores whose seeds give the mean `seed_part` times the standard error that deals and rest give it."""
    spread = seed_part * math.sqrt((1 / deals + 1 / (seeds * deals)) * seeds)
    return rng.normal(size=(seeds, 1)) * spread + rng.normal(size=(1, deals)) + rng.normal(size=(seeds, deals))


@pytest.mark.slow
@pytest.mark.parametrize(("seeds", "deals", "seed_part"), list(designs()))
def test_two_way_means_and_differences_to_a_base_are_covered(seeds, deals, seed_part):
    rng, runs = np.random.default_rng([seeds, deals, int(seed_part)]), 1500
    hits = np.zeros(3)
    for _ in range(runs):
        scores = crossed(rng, seeds, deals, seed_part)
        hits[0] += covers(two_way(scores), 0.0)
        hits[1] += covers(difference_to_base(scores, rng.normal(size=deals)), 0.0)
        hits[2] += covers(difference_of_arms(scores, crossed(rng, 3, deals, seed_part)), 0.0)
    assert (hits / runs >= LEAST).all(), hits / runs


def test_one_way_intervals_of_two_way_designs_are_not():
    """What the two-way interval is for: each way alone misses what the other one does."""
    rng, runs, by_seed, by_deal = np.random.default_rng(0), 400, 0, 0
    for _ in range(runs):
        by_seed += covers(seed_mean(crossed(rng, 5, 48, 0.0).mean(axis=1)), 0.0)
        by_deal += covers(clustered_mean(crossed(rng, 5, 48, 5.0).mean(axis=0), range(48)), 0.0)
    assert max(by_seed, by_deal) / runs < 0.75


def test_what_no_interval_of_ours_covers_is_as_often_missed_as_the_documentation_says():
    counts, deals, rate = np.arange(30), 1000, 0.005
    slips = [np.repeat([1.0, 0.0], [k, deals - k]) for k in counts]
    hit = [covers(paired_difference(s, np.zeros(deals), range(deals), bounds=(0.0, 1.0)), rate) for s in slips]
    assert (binom.pmf(counts, deals, rate) * hit).sum() == pytest.approx(0.87, abs=0.005)
    rng, runs = np.random.default_rng(1), 3000
    flat = [covers(seed_mean(rng.random(3), bounds=(0.0, 1.0)), 0.5) for _ in range(runs)]
    ends = [covers(seed_mean(rng.beta(0.5, 0.5, 3), bounds=(0.0, 1.0)), 0.5) for _ in range(runs)]
    assert np.mean(flat) == pytest.approx(0.92, abs=0.02)
    assert np.mean(ends) == pytest.approx(0.89, abs=0.02)


@pytest.mark.parametrize("rate", [0.005, 0.02, 0.98])
def test_two_way_rates_that_seeds_share_are_covered(rate):
    rng, runs, covered = np.random.default_rng(int(1000 * rate)), 500, 0
    for _ in range(runs):
        covered += covers(two_way((rng.random((5, 48)) < rate).astype(float), bounds=(0.0, 1.0)), rate)
    assert covered / runs >= LEAST


CLIPPED = {
    "one at zero": [0.0],
    "one just above": [0.5],
    "three at zero": [0.0, 0.0, 0.0],
    "six at two": [2.0] * 6,
    "on all sides": [-5.0, 0.0, 1.0, 5.0],
    "far above": [10.0] * 3,
    "far below": [-10.0] * 3,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CLIPPED)
@pytest.mark.parametrize("correlation", [0.0, 0.6])
def test_sums_of_clipped_means_are_covered(name, correlation):
    """Means in standard errors of 48 deals; some noise is shared by all opponents of a deal."""
    means = np.array(CLIPPED[name]) / math.sqrt(48)
    truth = np.maximum(means, 0).sum()
    rng, runs, covered = np.random.default_rng(8), 600, 0
    for run in range(runs):
        shared = math.sqrt(correlation) * rng.normal(size=(48, 1))
        parts = means + shared + math.sqrt(1 - correlation) * rng.normal(size=(48, len(means)))
        found = clipped_sum(np.maximum(parts.mean(axis=0), 0).sum(), parts, seed=run)
        assert found.low >= 0
        covered += covers(found, truth)
    assert covered / runs >= LEAST


def test_rare_gaps_of_known_range_are_covered_when_clipped():
    for rate in (0.005, 0.02):
        rng, runs, covered = np.random.default_rng(9), 200, 0
        for run in range(runs):
            parts = (rng.random((48, 2)) < rate).astype(float)
            found = clipped_sum(parts.mean(axis=0).sum(), parts, bounds=(-1.0, 1.0), seed=run)
            covered += covers(found, 2 * rate)
        assert covered / runs >= LEAST
