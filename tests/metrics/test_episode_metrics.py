"""Payoff, pool and fault metrics on episodes written by hand."""

import math

import numpy as np
import pytest

from equipoise.core import FAULT_KINDS, Decision, Episode, Fault, Reply
from equipoise.metrics import (
    fault_kinds,
    fault_rate,
    fault_rate_scores,
    payoff,
    payoff_scores,
    pool_exploitability,
    pool_exploitability_scores,
    pool_exploitability_unclipped,
    pool_exploitability_unclipped_scores,
    pool_gap,
    pool_gap_scores,
    welfare,
    welfare_scores,
)
from equipoise.metrics.payoff import rounds_played


def episode(policies, returns, deal=0, decisions=(), rounds=1):
    rewards = tuple(tuple(r / rounds for r in returns) for _ in range(rounds))
    return Episode("toy", tuple(policies), deal, tuple(decisions), rewards, tuple(returns))


def decision(seat, fault=None, attempts=()):
    kinds = [Fault(kind, "") for kind in attempts]
    return Decision(
        seat,
        0,
        0,
        (),
        ("a",),
        Reply("a"),
        "a",
        Fault(fault, "") if fault else None,
        tuple((Reply(""), k) for k in kinds),
    )


POOL = [
    episode(("me", "bully"), (-2.0, 2.0), deal=0),
    episode(("bully", "me"), (0.0, 0.0), deal=1),
    episode(("me", "fool"), (4.0, -4.0), deal=0),
    episode(("fool", "me"), (-2.0, 2.0), deal=1),
]


def test_payoff_is_per_round_and_follows_the_agent_through_its_seats():
    assert payoff_scores(POOL, "me").tolist() == [-2, 0, 4, 2]
    assert payoff([episode(("me", "x"), (12.0, 0.0), rounds=6)] * 2, "me").value == 2


def shortened(policies, returns, played, rounds=4):
    """An episode that chance ended after `played` of its rounds."""
    decisions = [Decision(0, r, 0, (), ("a",), Reply("a"), "a") for r in range(played)]
    return episode(policies, returns, decisions=decisions, rounds=rounds)


def test_where_chance_ended_a_game_only_the_rounds_played_count():
    episodes = [shortened(("me", "x"), (6.0, 2.0), 2), shortened(("me", "x"), (6.0, 2.0), 4)]
    assert [rounds_played(e) for e in episodes] == [2, 4]
    assert payoff_scores(episodes, "me").tolist() == [3, 1.5]
    assert welfare_scores(episodes).tolist() == [4, 2]
    assert pool_gap_scores(episodes, "me").tolist() == [-2, -1]
    assert rounds_played(episode(("me", "x"), (0.0, 0.0), rounds=3)) == 3  # no decision tells that it was shorter


def test_self_play_averages_both_seats():
    assert payoff_scores([episode(("me", "me"), (3.0, 1.0))], "me").tolist() == [2]


def test_payoff_counts_deals_not_episodes():
    estimate = payoff(POOL, "me", bounds=(-6.0, 6.0))
    assert (estimate.value, estimate.n, estimate.method) == (1, 2, "beta over deals")
    assert math.isnan(payoff(POOL, "me").low)  # both deals agree, and no range is known


def test_welfare_sums_seats_per_round():
    assert welfare_scores([episode(("a", "b"), (6.0, 2.0), rounds=2)]).tolist() == [4]
    assert welfare(POOL).value == 0


def test_the_pool_gap_keeps_opponents_apart_and_signs():
    gaps = pool_gap(POOL, "me")
    assert {name: gap.value for name, gap in gaps.items()} == {"bully": 2, "fool": -6}


def test_pool_exploitability_clips_each_opponents_mean():
    assert pool_exploitability(POOL, "me").value == 1  # (max(0, 2) + max(0, -6)) / 2
    assert pool_exploitability_unclipped(POOL, "me").value == -2


def test_clipping_is_by_opponent_not_by_episode():
    even = [episode(("me", "x"), (-1.0, 1.0), deal=0), episode(("me", "x"), (1.0, -1.0), deal=1)]
    assert pool_exploitability(even, "me").value == 0  # clipping each episode would say 1


def test_opponents_count_equally_however_often_they_are_met():
    lopsided = [*POOL, episode(("me", "fool"), (1.0, -1.0), deal=2)]
    assert pool_exploitability(lopsided, "me").value == pytest.approx(1)


def test_the_interval_of_pool_exploitability_holds_the_value_and_repeats():
    luck = np.random.default_rng(0).normal(0.4, 1, size=100)
    episodes = [episode(("me", name), (-g, g), deal=d) for name in ("a", "b") for d, g in enumerate(luck)]
    estimate = pool_exploitability(episodes, "me")
    assert estimate.low < estimate.value < estimate.high
    assert estimate == pool_exploitability(episodes, "me")
    # A gap is 2 g with standard deviation 2 over 100 deals that both opponents share: about +-1.96 * 2 / 10.
    assert estimate.high - estimate.low == pytest.approx(2 * 1.96 * 0.2, rel=0.15)


def test_one_deal_supports_no_interval():
    assert math.isnan(pool_exploitability(POOL[:1], "me").low)
    assert math.isnan(payoff(POOL[:1], "me").high)


def test_self_play_has_no_gap():
    assert pool_gap_scores([episode(("me", "me"), (3.0, 1.0))], "me").tolist() == [0]


def test_every_pair_of_scores_and_figure_agrees():
    episodes = [*POOL, episode(("me", "fool"), (1.0, -1.0), deal=2)]
    pairs = [
        (payoff_scores, payoff),
        (pool_exploitability_scores, pool_exploitability),
        (pool_exploitability_unclipped_scores, pool_exploitability_unclipped),
    ]
    for scores, metric in pairs:
        assert scores(episodes, "me").mean() == pytest.approx(metric(episodes, "me").value)
    assert welfare_scores(episodes).mean() == pytest.approx(welfare(episodes).value)


FAULTY = [
    episode(("me", "x"), (0, 0), 0, [decision(0), decision(1, "refusal"), decision(0, "illegal")]),
    episode(("x", "me"), (0, 0), 1, [decision(1, attempts=("unparsable", "illegal"))]),
    episode(("me", "x"), (0, 0), 2, [decision(0)]),
]


def test_the_fault_rate_counts_the_agents_decisions_and_its_earlier_attempts():
    estimate = fault_rate(FAULTY, "me")
    assert estimate.value == 0.5  # an illegal reply and a resampled one, of four decisions; the refusal is x's
    assert estimate.n == 3
    assert fault_rate_scores(FAULTY, "me").mean() == pytest.approx(0.5)
    assert 0 <= estimate.low <= estimate.high <= 1


def test_fault_kinds_share_out_the_rate_by_the_first_fault():
    kinds = fault_kinds(FAULTY, "me")
    assert kinds == {**dict.fromkeys(FAULT_KINDS, 0.0), "illegal": 0.25, "unparsable": 0.25}


def test_no_fault_seen_is_not_reported_as_certainty():
    clean = [episode(("me", "x"), (0, 0), deal, [decision(0)]) for deal in range(20)]
    estimate = fault_rate(clean, "me")
    assert (estimate.value, estimate.low) == (0, 0)
    assert estimate.high == pytest.approx(0.1684, abs=5e-5)  # Clopper and Pearson for 0 of 20


def test_an_agent_without_a_seat_is_an_error():
    for metric in (payoff, pool_gap, fault_rate):
        with pytest.raises(ValueError, match="no seat"):
            metric(POOL, "nobody")


def test_no_episodes_is_an_error():
    for metric in (payoff, pool_exploitability, pool_exploitability_unclipped, fault_rate):
        with pytest.raises(ValueError, match=r"got no|no decision"):
            metric([], "me")
