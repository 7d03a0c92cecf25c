"""Seeds and deals that are both samples: known answers of two-way intervals, and what they count."""

import json
import math

import numpy as np
import pytest

from equipoise.metrics import (
    DealScores,
    clustered_mean,
    deal_scores,
    difference_of_arms,
    difference_of_paired_arms,
    difference_to_base,
    over_seeds_and_deals,
    seed_by_deal,
    seed_mean,
    t_quantile,
    two_way,
)

RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(3, 1)) + RNG.normal(size=(1, 40)) + RNG.normal(size=(3, 40))


def width(estimate):
    return estimate.high - estimate.low


def test_the_half_width_is_that_of_the_formula():
    seeds, deals = TABLE.mean(axis=1), TABLE.mean(axis=0)
    rest = TABLE - seeds[:, None] - deals[None, :] + TABLE.mean()
    v_rest = (rest**2).sum() / (2 * 39) / 120
    v_seeds, v_deals = seeds.var(ddof=1) / 3, deals.var(ddof=1) / 40
    half = math.sqrt(t_quantile(0.975, 2) ** 2 * v_seeds + t_quantile(0.975, 39) ** 2 * (v_deals - v_rest))
    found = two_way(TABLE)
    assert (found.low, found.high) == pytest.approx((TABLE.mean() - half, TABLE.mean() + half))
    assert (found.n, found.method) == (3, "t over seeds and deals")


@pytest.mark.parametrize("scale", [0.0, 0.1, 10.0])
def test_it_is_never_narrower_than_either_way_alone(scale):
    table = TABLE + scale * np.array([[1.0], [0.0], [-1.0]])
    found = two_way(table)
    assert width(found) >= width(clustered_mean(table.mean(axis=0), range(40))) - 1e-12
    assert width(found) >= width(seed_mean(table.mean(axis=1))) - 1e-12


def test_one_seed_is_an_interval_over_deals_alone_and_one_deal_is_none():
    found, plain = two_way(TABLE[:1]), clustered_mean(TABLE[0], range(40))
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high))
    assert (found.n, found.method) == (1, "t over deals alone")
    assert math.isnan(two_way(TABLE[:, :1]).low)


def test_scores_that_all_agree_have_an_interval_by_their_range_alone():
    assert math.isnan(two_way(np.full((3, 20), 0.5)).low)
    found = two_way(np.ones((3, 20)), bounds=(0.0, 1.0))
    assert found.high == 1
    assert found.low <= seed_mean([1.0] * 3, bounds=(0.0, 1.0)).low


def test_no_end_leaves_the_range():
    found = two_way(np.array([[1.0, 0.9, 1.0], [0.2, 0.1, 0.3]]), bounds=(0.0, 1.0))
    assert (found.low, found.high) == (0.0, 1.0)


def test_a_gap_is_left_out_of_the_mean_and_keeps_the_interval():
    holed = TABLE.copy()
    holed[1, :5] = np.nan
    found = two_way(holed)
    assert found.value == pytest.approx(np.nanmean(holed))
    assert width(found) == pytest.approx(width(two_way(TABLE)), rel=0.25)


def test_the_base_model_s_noise_is_counted_and_once():
    rng = np.random.default_rng(1)
    noise, exact = rng.normal(size=300), rng.normal(size=(10, 300)) * 1e-3 + 1.0
    found = difference_to_base(exact, noise)
    assert found.value == pytest.approx(1 - noise.mean(), abs=1e-3)
    # Ten seeds without luck of their own: what is left is the base model's interval, not a tenth of it.
    assert width(found) == pytest.approx(width(clustered_mean(noise, range(300))), rel=0.01)


def test_a_base_model_that_shares_the_luck_of_deals_takes_it_away():
    luck = np.random.default_rng(2).normal(size=300) * 5
    own = luck + np.random.default_rng(3).normal(size=(4, 300))
    assert width(difference_to_base(own, luck)) < width(two_way(own)) / 3


def test_paired_arms_lose_what_their_seeds_share_and_unpaired_ones_do_not():
    shared = np.array([[5.0], [0.0], [-5.0]])
    first, second = TABLE + shared, TABLE[:, ::-1] + shared
    paired, apart = difference_of_paired_arms(first, second), difference_of_arms(first, second)
    assert paired.value == pytest.approx(apart.value)
    assert width(paired) < width(apart) / 5
    assert paired.method.startswith("paired ")


def test_arms_of_outcomes_differ_by_what_their_seeds_allow():
    ones, zeros = np.ones((3, 1000)), np.zeros((5, 1000))
    found = difference_of_arms(ones, zeros, bounds=(0.0, 1.0))
    sides = 1 - seed_mean([1.0] * 3, bounds=(0.0, 1.0)).low, seed_mean([0.0] * 5, bounds=(0.0, 1.0)).high
    assert (found.value, found.high, found.n) == (1, 1, 3)
    assert found.low == pytest.approx(1 - math.hypot(*sides), abs=0.01)


def test_scores_by_deal_survive_json_and_give_the_same_interval():
    deals = [d for d in range(40) for _ in range(2)]  # both seats of a deal are one score
    tables = [deal_scores(np.repeat(row, 2) + np.tile([-1, 1], 40), deals) for row in TABLE]
    again = [DealScores.from_json(json.loads(json.dumps(table.to_json()))) for table in tables]
    assert again == tables
    assert over_seeds_and_deals(again).low == pytest.approx(two_way(TABLE).low)


def test_seeds_that_met_other_deals_have_gaps():
    found = seed_by_deal([DealScores((0, 1), (0.1, 0.2)), DealScores((2, 1), (0.3, 0.4))])
    np.testing.assert_array_equal(found, [[0.1, 0.2, np.nan], [np.nan, 0.4, 0.3]])


@pytest.mark.parametrize(
    "call",
    [
        lambda: two_way([1.0, 2.0]),
        lambda: two_way([[1.0, math.nan], [2.0, math.nan]]),
        lambda: two_way(TABLE, level=95),
        lambda: two_way(TABLE + 9, bounds=(0.0, 1.0)),
        lambda: difference_of_arms(TABLE, TABLE[:, :3]),
        lambda: difference_of_paired_arms(TABLE, TABLE[:2]),
        lambda: difference_to_base(TABLE, [1.0, 2.0]),
        lambda: deal_scores([1.0], [0, 1]),
        lambda: seed_by_deal([]),
        lambda: DealScores((0, 0), (1.0, 1.0)),
        lambda: DealScores((0,), (math.nan,)),
        lambda: DealScores.from_json({"deals": [0]}),
    ],
)
def test_impossible_input_is_refused(call):
    with pytest.raises(ValueError, match="got"):
        call()
