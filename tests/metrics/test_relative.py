"""Relative advantage and exploitation, on episodes written by hand."""

import math

import numpy as np
import pytest

from equipoise.core import Episode
from equipoise.metrics import exploitation, exploitation_scores, nra, nra_scores


def episode(opponent, own, theirs, deal=0, seat=0, rounds=1):
    policies, returns = ("me", opponent), (float(own), float(theirs))
    if seat == 1:
        policies, returns = policies[::-1], returns[::-1]
    rewards = tuple(tuple(r / rounds for r in returns) for _ in range(rounds))
    return Episode("toy", policies, deal, (), rewards, returns)


PLAYED = [episode("x", 3, 1), episode("x", 1, 3, deal=1, seat=1), episode("y", 5, 0), episode("y", 4, 1, deal=1)]


def test_relative_advantage_is_a_ratio_of_sums_averaged_over_opponents():
    # x: (2 - 2) / (4 + 4) = 0; y: (5 + 3) / (5 + 5) = 0.8
    assert nra(PLAYED, "me").value == pytest.approx(0.4)
    assert nra_scores(PLAYED, "me").mean() == pytest.approx(0.4)


def test_losses_do_not_break_the_denominator():
    # Without absolute values: (-3 - 3) / (-3 + 3) has no value.
    lost = [episode("x", -3, 3), episode("x", -1, 1, deal=1)]
    assert nra(lost, "me").value == -1
    assert nra([episode("x", -1, -3)], "me").value == pytest.approx(0.5)  # 2 / 4: to lose less is an advantage


def test_nobody_being_paid_is_parity():
    assert nra([episode("x", 0, 0), episode("y", 1, 0)], "me").value == 0.5
    assert nra_scores([episode("x", 0, 0)], "me").tolist() == [0]


def test_self_play_is_parity():
    assert nra([Episode("toy", ("me", "me"), 0, (), ((3.0, 1.0),), (3.0, 1.0))], "me").value == 0


def test_relative_advantage_is_scale_free_and_bounded():
    rng = np.random.default_rng(0)
    games = [(rng.normal(), rng.normal(), d) for d in range(50)]
    once, tenfold = ([episode("x", k * a, k * b, d) for a, b, d in games] for k in (1, 10))
    assert nra(once, "me").value == pytest.approx(nra(tenfold, "me").value)
    assert -1 <= nra(once, "me").low <= nra(once, "me").value <= nra(once, "me").high <= 1


def test_the_interval_of_relative_advantage_covers_as_often_as_it_says():
    rng, covered, widths = np.random.default_rng(1), 0, []
    for _ in range(300):  # E[own - theirs] / E[own + theirs] is 1/3 against x, 0 against y; deals share their luck
        luck = rng.gamma(4.0, 0.25, size=40)
        episodes = [episode("x", 2 * a * rng.gamma(4, 0.25), a, d) for d, a in enumerate(luck)]
        episodes += [episode("y", a, a * rng.gamma(4, 0.25), d) for d, a in enumerate(luck)]
        found = nra(episodes, "me")
        covered += found.low <= 1 / 6 <= found.high
        widths.append(found.high - found.low)
    assert covered / 300 >= 0.95
    assert np.median(widths) < 0.25  # of a range of 2


def test_exploitation_is_the_lead_per_round_over_each_weak_opponent():
    weak = [episode("kind", 40, 0, rounds=8), episode("naive", 8, 16, rounds=8), episode("naive", 8, 16, 1, rounds=8)]
    assert exploitation(weak, "me").value == pytest.approx((5 - 1) / 2)
    assert exploitation_scores(weak, "me").mean() == pytest.approx(2)


def test_exploitation_keeps_its_sign():
    assert exploitation([episode("x", 1, 4), episode("x", 1, 4, deal=1)], "me").value == -3


def test_one_deal_has_no_interval_and_no_episode_is_an_error():
    for metric in (nra, exploitation):
        assert math.isnan(metric(PLAYED[:1], "me").low)
        with pytest.raises(ValueError, match="got no episodes"):
            metric([], "me")
