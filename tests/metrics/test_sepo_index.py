"""The SEPO index: known values, whose exploitability it counts, joint resampling, empty pools."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from equipoise.core import Episode, Opponent, Pools
from equipoise.games import DOMAINS, make_game
from equipoise.games.domain import Hazard, Profile
from equipoise.lab.audit_play import by_pool, play_against
from equipoise.metrics import components, index_over_grid, sepo_index, t_quantile
from equipoise.metrics.sepo_index import terms_by_deal
from equipoise.objectives.sepo import CreditWeights
from equipoise.objectives.sepo import sepo_index as objective
from equipoise.policies import ScriptedPolicy
from equipoise.seeds import Seed

GAME = SimpleNamespace(scale=1.5, min_reward=-9.0, max_reward=9.0)
PAID = Hazard(lambda episode, seat: np.array([row[seat] for row in episode.rewards]), "own pay", low=-9, high=9)


def profile(**changes):
    def script(name):
        return Opponent(name, lambda state, legal: {legal[0]: 1.0}, False, "toy")

    pools = Pools(
        (script("t1"), script("t2")), (script("e1"), script("e2")), (script("c"),), (script("h1"), script("h2"))
    )
    return Profile(pools, PAID, PAID, weights=(2.0, 0.5, 0.25), scale=2.0, **changes)


def episode(opponent, own, theirs, deal=0):
    return Episode("toy", ("me", opponent), deal, (), ((own, theirs),), (own, theirs))


PLAYED = {
    "train": [episode("t1", 1, 0), episode("t2", 3, 0), episode("t2", 5, 0, deal=1)],
    "exploiter": [episode("e1", 0, 2), episode("e1", 0, 0, deal=1), episode("e2", 4, 0)],
    "collusive": [episode("c", 6, 0)],
    "held_out": [episode("h1", 0, 3), episode("h1", 1, 2, deal=1), episode("h2", 5, 1)],
}
TRAINED_ON = {pool: episodes for pool, episodes in PLAYED.items() if pool != "held_out"}


def test_every_term_is_a_mean_over_its_pools_opponents():
    found = components(PLAYED, "me", GAME, profile())
    assert found.u.value == pytest.approx((1 + 4) / 2)
    assert found.e.value == pytest.approx((max(0, 2) + max(0, -4)) / 2)  # the held-out h1 and h2
    assert found.c.value == pytest.approx(6)
    assert found.x.value == pytest.approx((1 + 4 + 0 + 4) / 4)
    assert {name: gap.value for name, gap in found.gaps.items()} == {"h1": 2, "h2": -4}
    assert (found.absent, found.scale, found.weights) == ((), 2.0, (2.0, 0.5, 0.25))
    assert found.exploiters == "held_out"


def test_a_choice_during_training_can_leave_the_held_out_pool_alone():
    chosen, blind = (
        components(PLAYED, "me", GAME, profile(), "exploiter"),
        components(TRAINED_ON, "me", GAME, profile()),
    )
    for found in (chosen, blind):  # without a held-out pool the exploiters stand in, and it is said
        assert found.exploiters == "exploiter"
        assert found.e.value == pytest.approx((max(0, 1) + max(0, -4)) / 2)
        assert sepo_index(found).value == pytest.approx(2 * 2.5 - 2 * 2 * 0.5 - 0.5 * 6 - 0.25 * 2.25)
        assert terms_by_deal(found).keys() >= {"pool_exploitability"}


def test_the_exploiters_that_training_meets_do_not_move_the_index_s_exploitability():
    robbed = {**PLAYED, "exploiter": [episode("e1", 0, 9), episode("e2", 0, 9)]}
    found, at_deal = components(robbed, "me", GAME, profile()), terms_by_deal(components(robbed, "me", GAME, profile()))
    assert found.e == components(PLAYED, "me", GAME, profile()).e
    assert sepo_index(found).value == pytest.approx(2 * 2.5 - 2 * 2 * 1 - 0.5 * 6 - 0.25 * (1 + 4 + 0 + 0) / 4)
    assert "pool_exploitability" not in at_deal
    by_deal = {"held_out_exploitability": found.e.value, "sepo_index": sepo_index(found).value}
    for name, value in by_deal.items():
        assert np.mean(at_deal[name].scores) == pytest.approx(value)


def test_the_index_weighs_the_terms_and_agrees_with_the_objective():
    found = components(PLAYED, "me", GAME, profile())
    u, e, c, x = 2.5, 1.0, 6.0, 2.25
    assert sepo_index(found).value == pytest.approx(2 * u - 2 * 2 * e - 0.5 * c - 0.25 * x)
    for le, lc, lx in ((0, 0, 0), (2.4, 1.0, 1.8)):
        expected = objective(u, e, c, x, CreditWeights(le, lc, lx, scale=2.0))
        assert sepo_index(found, (le, lc, lx)).value == pytest.approx(expected)
        assert index_over_grid(u, e, c, x, 2.0, [(le, lc, lx)]) == pytest.approx([expected])


def test_an_empty_pool_contributes_nothing_and_is_named():
    found = components({"train": PLAYED["train"]}, "me", GAME, profile())
    assert found.absent == ("e", "c")
    assert (found.e.value, found.e.n, found.c.value, found.c.n) == (0, 0, 0, 0)
    assert found.x.value == found.u.value  # externality over the train pool alone
    assert sepo_index(found).value == pytest.approx(2 * 2.5 - 0.25 * 2.5)


def test_an_opponent_in_two_pools_counts_in_both():
    both = {"train": PLAYED["train"], "exploiter": PLAYED["train"]}
    assert components(both, "me", GAME, profile()).x.value == pytest.approx(2.5)


def test_the_game_gives_the_scale_where_the_profile_does_not():
    plain = components(PLAYED, "me", GAME, replace(profile(), scale=None))
    assert plain.scale == GAME.scale == 1.5


def test_all_terms_of_a_deal_are_one_unit_so_shared_luck_cancels():
    # Luck of a deal pays the agent in the train pool and costs s*u = lc*c exactly: the index is constant.
    luck = np.random.default_rng(0).normal(size=60)
    same = {
        "train": [episode("t1", value, 0, d) for d, value in enumerate(luck)],
        "collusive": [episode("c", value, 0, d) for d, value in enumerate(luck)],
    }
    found = components(same, "me", GAME, profile())
    cancelled, alone = sepo_index(found, (0.0, 2.0, 0.0)), sepo_index(found, (0.0, 0.0, 0.0))
    assert cancelled.value == pytest.approx(0)
    assert math.isnan(cancelled.low)  # every deal agrees
    spread = 2 * t_quantile(0.975, 59) * np.std(luck, ddof=1) / math.sqrt(60)
    assert alone.high - alone.low == pytest.approx(2 * spread)


def test_the_index_interval_covers_about_as_often_as_it_says():
    rng, covered = np.random.default_rng(3), 0
    for _ in range(150):
        luck = rng.normal(size=(50, 1)) * 0.5
        noise = rng.normal(size=(50, 3)) + luck
        pools = {
            "train": [episode("t1", 2 + a, 0, d) for d, a in enumerate(noise[:, 0])],
            "held_out": [episode("h1", 0, 1 + a, d) for d, a in enumerate(noise[:, 1])],
            "collusive": [episode("c", a, 0, d) for d, a in enumerate(noise[:, 2])],
        }
        found = sepo_index(components(pools, "me", GAME, profile()))
        covered += found.low <= 2 * 2 - 2 * 2 * 1 - 0.25 * 2 <= found.high
    assert covered / 150 >= 0.93


def test_the_interval_repeats_and_one_deal_has_none():
    found = components(PLAYED, "me", GAME, profile())
    assert sepo_index(found) == sepo_index(found)
    single = components({"train": PLAYED["train"][:2]}, "me", GAME, profile())
    assert math.isnan(sepo_index(single).low)
    assert sepo_index(single).n == 1


@pytest.mark.parametrize("weights", [(-1, 0, 0), (math.nan, 0, 0), (1, math.inf, 0), (1, 2)])
def test_a_weight_that_is_negative_or_no_number_is_refused(weights):
    found = components(PLAYED, "me", GAME, profile())
    with pytest.raises(ValueError, match="0 or more"):
        sepo_index(found, weights)
    with pytest.raises(ValueError, match="0 or more"):
        index_over_grid(1, 1, 1, 1, 1, [weights])


def test_no_episodes_is_an_error():
    with pytest.raises(ValueError, match="got no episodes"):
        components({"train": []}, "me", GAME, profile())


def measured(game_name, player, deals=200):
    game, known = make_game(game_name), DOMAINS[game_name].corrected
    agent = ScriptedPolicy(replace(known.find(player), name="me"))
    pools = {pool: known.pools.of(pool) for pool in known.pools.names}
    others = [opponent for _, opponent in known.pools.all()]
    return components(by_pool(play_against(agent, game, others, deals, Seed(0)), "me", pools), "me", game, known)


def test_tit_for_tat_in_the_dilemma_has_its_known_index():
    found = measured("prisoners_dilemma", "tit_for_tat")
    assert found.u.value == pytest.approx(2.79, abs=0.02)
    # Of the five held-out players joss alone gains: one defection's 5 points in 8 rounds where it defects last, which
    # with 0.1 a round after cooperation is 1 - 0.9^4 of all episodes. The exploiters take 0.3125: S was 1.74 with them.
    assert found.gaps.keys() == {"pavlov", "joss", "suspicious_tit_for_tat", "tit_for_two_tats", "prober"}
    assert found.e.value == pytest.approx(5 / 8 * (1 - 0.9**4) / 5, abs=0.015)
    assert found.c.value == 0
    assert sepo_index(found).value == pytest.approx(2.789 - 2.4 * 0.043 - 1.8 / 6, abs=0.04)


def test_always_defecting_in_the_dilemma_has_no_gap_and_defects_against_a_cooperator():
    found = measured("prisoners_dilemma", "always_defect")
    assert (found.e.value, found.c.value) == (0, 1)
    assert sepo_index(found).value < 0.3


@pytest.mark.parametrize("name", DOMAINS)
def test_components_lie_in_their_ranges_in_every_game(name):
    known = DOMAINS[name].corrected
    found = measured(name, known.references.get("random", known.pools.train[0].name), deals=12)
    game = make_game(name)
    assert game.min_reward <= found.u.low <= found.u.value <= found.u.high <= game.max_reward
    assert 0 <= found.e.value <= game.max_reward - game.min_reward
    assert known.collusion.low <= found.c.low <= found.c.high <= known.collusion.high
    assert known.externality.low <= found.x.low <= found.x.high <= known.externality.high
    assert ("c" in found.absent) == (not known.pools.collusive)
    assert math.isfinite(sepo_index(found).value)
