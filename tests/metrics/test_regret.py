"""Regret to the best reply against each script."""

from dataclasses import replace

import pytest

from equipoise.arena import against, rollout
from equipoise.core import CHANCE, Decision, Episode, Event, Reply
from equipoise.games import DOMAINS, domain, make_game
from equipoise.metrics import script_regret, script_regret_by_opponent, script_regret_scores, script_response
from equipoise.policies import ScriptedPolicy


def episode(opponent, own, deal=0, seat=0, rounds=2):
    policies = ("me", opponent) if seat == 0 else (opponent, "me")
    returns = (float(own), 0.0) if seat == 0 else (0.0, float(own))
    return Episode("toy", policies, deal, (), (tuple(r / rounds for r in returns),) * rounds, returns)


BEST = {"x": (10.0, 6.0), "y": (4.0, 4.0)}
PLAYED = [episode("x", 8), episode("x", 6, seat=1), episode("y", 0), episode("z", -100)]


def test_regret_is_per_round_and_by_seat_and_opponents_count_equally():
    by_opponent = script_regret_by_opponent(PLAYED, "me", BEST)
    assert {name: found.value for name, found in by_opponent.items()} == {"x": 0.5, "y": 2.0}
    assert script_regret(PLAYED, "me", BEST).value == pytest.approx(1.25)
    assert script_regret_scores(PLAYED, "me", BEST).mean() == pytest.approx(1.25)


def test_opponents_without_a_value_are_left_out():
    assert script_regret(PLAYED, "me", {"y": (4.0, 4.0)}).value == 2
    with pytest.raises(ValueError, match="got no episode against nobody"):
        script_regret(PLAYED, "me", {"nobody": (1.0, 1.0)})


def test_a_value_may_hold_for_single_deals():
    by_deal = {"x": {0: (10.0, 6.0)}}
    assert script_regret([*PLAYED, episode("x", -100, deal=1)], "me", by_deal).value == pytest.approx(0.5)
    with pytest.raises(ValueError, match="got no episode against x"):
        script_regret([episode("x", 1, deal=1)], "me", by_deal)


def shortened(opponent, own, played, rounds=4):
    """An episode that chance ended after `played` of its rounds."""
    decisions = tuple(Decision(0, r, 0, (), ("a",), Reply("a"), "a") for r in range(played))
    whole = episode(opponent, own, rounds=rounds)
    return replace(whole, decisions=decisions)


def test_where_chance_ends_games_regret_is_per_mean_round_played():
    found = script_regret([shortened("x", 2, 1), shortened("x", 8, 3)], "me", BEST)
    assert found.value == pytest.approx((10 - 5) / 2)


def test_a_best_reply_in_a_game_of_random_length_has_no_regret():
    game, opponent = make_game("trust_and_split", rounds=6, talk=False, stop=0.5), "honest_greedy"
    script = domain("trust_and_split").corrected.find(opponent)
    value = script_response(game, script, 0).value
    assert value == pytest.approx(27.5 * sum(0.5**n for n in range(6)))  # a round is reached with these chances
    players = {opponent: ScriptedPolicy(script), "me": ScriptedPolicy(replace(script, name="me"))}
    episodes = rollout(game, players, against("me", [opponent], [None] * 400), seed=0)
    found = script_regret(episodes, "me", {opponent: (value, value)})
    assert found.low < 0 < found.high
    assert found.high - found.low < 6


@pytest.mark.parametrize(("name", "parameters"), [("kuhn_poker", {"hands": 1}), ("auction", {"rounds": 2})])
@pytest.mark.parametrize("seat", [0, 1])
def test_the_mean_over_what_chance_may_show_is_the_value_of_the_whole_game(name, parameters, seat):
    game = make_game(name, **parameters)
    shown, pending = {}, [(game.initial_state(), 1.0)]
    while pending:
        state, chance = pending.pop()
        if state.is_chance:
            pending += [(state.child({CHANCE: outcome}), chance * p) for outcome, p in state.chance_outcomes()]
        else:
            seen = state.information_state(seat)
            shown[seen] = shown.get(seen, 0.0) + chance
    assert len(shown) > 1
    for opponent in domain(name).pools.train:
        whole = script_response(game, opponent, seat).value
        parts = [p * script_response(game, opponent, seat, seen=seen).value for seen, p in shown.items()]
        assert sum(parts) == pytest.approx(whole)


def test_the_best_reply_to_hardball_takes_the_one_unit_it_leaves_of_every_item():
    game = make_game("bargaining", rounds=3)
    state = game.initial_state()
    for outcome in ((4, 2, 3), (1, 2, 7), (8, 1, 1)):
        state = state.child({CHANCE: outcome})
    hardball = domain("bargaining").corrected.find("hardball")
    for seat in (0, 1):
        assert script_response(game, hardball, seat, seen=state.information_state(seat)).value == pytest.approx(30)


def test_an_opening_that_no_deal_shows_is_refused():
    game, script = make_game("bargaining"), domain("bargaining").pools.train[0]
    with pytest.raises(ValueError, match="bargaining deals nothing that shows seat 0"):
        script_response(game, script, 0, seen=(Event("seat", 1),))
    with pytest.raises(ValueError, match="got both start and seen"):
        script_response(game, script, 0, game.initial_state(), seen=())


def test_the_dilemma_s_regrets_are_the_known_ones():
    game, profile = make_game("prisoners_dilemma"), domain("prisoners_dilemma").corrected
    scripts = [profile.find(name) for name in ("tit_for_tat", "always_defect", "always_cooperate")]
    best = {o.name: tuple(script_response(game, o, seat).value for seat in (0, 1)) for o in scripts}
    assert best == {"tit_for_tat": (26, 26), "always_defect": (8, 8), "always_cooperate": (40, 40)}
    agent = ScriptedPolicy(replace(profile.find("tit_for_tat"), name="me"))
    players = {**{o.name: ScriptedPolicy(o) for o in scripts}, "me": agent}
    episodes = rollout(game, players, against("me", [o.name for o in scripts], [None] * 2), seed=0)
    found = {name: e.value for name, e in script_regret_by_opponent(episodes, "me", best).items()}
    # Tit for tat earns 24, 7 and 24 over eight rounds.
    assert found == pytest.approx({"tit_for_tat": 2 / 8, "always_defect": 1 / 8, "always_cooperate": 16 / 8})


SOLVED = {name: {} for name in DOMAINS if name not in ("bargaining", "trust_and_split")}
"""Games whose best replies are found quickly, with their parameters."""
SOLVED["split_items"] = {"rounds": 1}


@pytest.mark.parametrize("name", SOLVED)
def test_a_best_reply_has_no_regret_against_its_script(name):
    game, opponent = make_game(name, **SOLVED[name]), domain(name).pools.train[0]
    replies = [script_response(game, opponent, seat) for seat in (0, 1)]
    best = {opponent.name: tuple(reply.value for reply in replies)}
    script = ScriptedPolicy(opponent)
    for seat in (0, 1):
        reply = ScriptedPolicy(replace(opponent, name="me", behaviour=replies[seat].behaviour))
        matches = [m for m in against("me", [opponent.name], [None] * 200) if m.seats[seat] == "me"]
        found = script_regret(rollout(game, {"me": reply, script.name: script}, matches, seed=3), "me", best)
        assert found.value == pytest.approx(0, abs=1e-9) or found.low - 0.5 * (found.high - found.low) <= 0 <= (
            found.high + 0.5 * (found.high - found.low)
        )
