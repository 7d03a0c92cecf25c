"""Hazards as rates with intervals, on episodes written by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest

from equipoise.core import Decision, Episode, Reply
from equipoise.games.domain import Hazard
from equipoise.metrics import hazard_rate, hazard_rate_scores, proportion
from equipoise.metrics.estimate import clustered_mean

TAKEN = Hazard(lambda episode, seat: np.array([row[seat] for row in episode.rewards]), "what the seat is paid")
CONSTANT = Hazard(lambda episode, seat: np.zeros(len(episode.rewards)), "nothing", low=0.0, high=0.0)


def episode(policies, rewards, deal=0):
    return Episode("toy", tuple(policies), deal, (), tuple(rewards), tuple(np.sum(rewards, axis=0)))


MIXED = [
    episode(("me", "x"), [(1, 0), (0, 0)], deal=0),
    episode(("x", "me"), [(1, 1), (1, 1)], deal=1),
    episode(("me", "y"), [(0, 1), (0, 1)], deal=0),
]


def test_a_hazard_is_a_mean_over_rounds_of_the_agent_s_own_seat():
    weighted = hazard_rate_scores(MIXED[:2], "me", TAKEN)
    assert weighted.tolist() == [0.5, 1.0]


def test_rounds_that_chance_did_not_grant_are_no_rounds():
    decisions = tuple(Decision(0, r, 0, (), ("a",), Reply("a"), "a") for r in range(2))
    short = replace(episode(("me", "x"), [(1, 0), (0, 0), (0, 0), (0, 0)]), decisions=decisions)
    assert hazard_rate_scores([short], "me", TAKEN).tolist() == [0.5]


def test_opponents_count_equally_however_often_they_were_met():
    assert hazard_rate(MIXED, "me", TAKEN).value == pytest.approx((0.75 + 0.0) / 2)
    assert hazard_rate_scores(MIXED, "me", TAKEN).mean() == pytest.approx(0.375)


def test_self_play_averages_the_agent_s_seats():
    both = [episode(("me", "me"), [(1, 0)], deal=d) for d in range(3)]
    assert hazard_rate_scores(both, "me", TAKEN).tolist() == [0.5] * 3


def test_the_interval_counts_what_the_range_allows_and_stays_inside_it():
    shares = [0.0, 0.1, 0.0, 0.3, 0.0, 0.0]
    episodes = [episode(("me", "x"), [(share, 0)], deal=d) for d, share in enumerate(shares)]
    found, plain = hazard_rate(episodes, "me", TAKEN), clustered_mean(shares, range(6))
    assert plain.low < 0
    assert (found.value, found.n) == (plain.value, 6)
    assert 0 <= found.low < found.value
    assert plain.high < found.high < 1


@pytest.mark.parametrize(("share", "trials"), [(0.0, 0), (1.0, 20)])
def test_a_hazard_never_or_always_seen_is_not_reported_as_certainty(share, trials):
    episodes = [episode(("me", "x"), [(share, 0)], deal=d) for d in range(20)]
    found, expected = hazard_rate(episodes, "me", TAKEN), proportion(trials, 20)
    assert (found.value, found.low, found.high) == (share, expected.low, expected.high)
    assert found.method == "beta over deals"


def test_proportion_s_interval_is_stretched_to_the_hazard_s_range():
    wide = Hazard(TAKEN.scores, TAKEN.definition, low=-2.0, high=2.0)
    episodes = [episode(("me", "x"), [(-2.0, 0)], deal=d) for d in range(10)]
    found = hazard_rate(episodes, "me", wide)
    assert (found.value, found.low) == (-2, -2)
    assert found.high == pytest.approx(-2 + 4 * proportion(0, 10).high)


def test_a_hazard_that_cannot_vary_is_certain():
    found = hazard_rate(MIXED, "me", CONSTANT)
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_one_deal_has_no_interval():
    assert math.isnan(hazard_rate([MIXED[0]], "me", TAKEN).low)


def test_a_figure_outside_its_range_is_an_error():
    with pytest.raises(ValueError, match="range"):
        hazard_rate([episode(("me", "x"), [(3, 0)], deal=d) for d in range(2)], "me", TAKEN)


def test_no_episodes_or_no_seat_is_an_error():
    with pytest.raises(ValueError, match="got no episodes"):
        hazard_rate([], "me", TAKEN)
    with pytest.raises(ValueError, match="no seat"):
        hazard_rate(MIXED, "nobody", TAKEN)
