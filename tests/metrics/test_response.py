"""The exact best reply to one script: known answers, the tree's answers, and play that earns what was promised."""

from dataclasses import replace

import numpy as np
import pytest

from equipoise.arena import Match, rollout
from equipoise.core import CHANCE, Opponent
from equipoise.games import DOMAINS, domain, make_game
from equipoise.games.first_rounds import FirstRounds
from equipoise.games.kuhn_poker import KuhnPoker
from equipoise.games.kuhn_poker.opponents import POOLS as KUHN_POOLS
from equipoise.metrics import GameTree, behaviour_table, best_response, expected_returns, script_response
from equipoise.policies import ScriptedPolicy

HAND = KuhnPoker()
SMALL = {
    "kuhn_poker": HAND,
    "prisoners_dilemma": make_game("prisoners_dilemma", rounds=4),
    "split": make_game("split", rounds=2),
    "auction": make_game("auction", rounds=1),
    "commons": FirstRounds(make_game("commons"), 3),
}
"""Games whose whole tree is quickly walked."""


def scripts(name):
    return [o for _, o in domain(name).pools.all()]


@pytest.mark.parametrize("name", SMALL)
def test_the_value_is_that_of_the_tree_for_every_script_in_either_seat(name):
    game = SMALL[name]
    tree = GameTree(game)
    for opponent in scripts(name):
        tables = behaviour_table(tree, opponent.behaviour)
        for seat in (0, 1):
            exact = best_response(tree, tables, seat).value
            assert script_response(game, opponent, seat).value == pytest.approx(exact, abs=1e-9), opponent.name


@pytest.mark.parametrize("name", SMALL)
def test_the_reply_earns_its_value_in_the_tree(name):
    game = SMALL[name]
    tree = GameTree(game)
    for opponent in scripts(name)[:4]:
        theirs = behaviour_table(tree, opponent.behaviour)
        reply = script_response(game, opponent, 0)
        own = {}
        for point in tree.by_seat[0]:
            try:
                own[point.information_state] = reply.behaviour(point.information_state, point.legal)
            except ValueError:  # the script never leads here
                own[point.information_state] = {point.legal[0]: 1.0}
        assert expected_returns(tree, (own, theirs[1]))[0] == pytest.approx(reply.value)


@pytest.mark.parametrize(
    ("script", "value"),
    [("tit_for_tat", 3 * 7 + 5), ("grim", 3 * 7 + 5), ("always_cooperate", 40), ("always_defect", 8), ("coin", 8 * 3)],
)
def test_best_replies_in_the_dilemma_of_eight_rounds(script, value):
    # Reciprocators are met with cooperation until the last round; a coin with defection, which earns (5 + 1) / 2.
    opponent = domain("prisoners_dilemma").pools.find(script)
    for seat in (0, 1):
        assert script_response(make_game("prisoners_dilemma"), opponent, seat).value == pytest.approx(value)


def test_the_best_reply_to_a_demand_of_seven_takes_three_each_round():
    game = make_game("split")
    assert script_response(game, domain("split").pools.find("selfish"), 1).value == pytest.approx(3 * game.num_rounds)


def test_merging_states_changes_no_value():
    game = make_game("prisoners_dilemma", rounds=4)
    for opponent in scripts("prisoners_dilemma"):
        merged = script_response(game, opponent, 0)
        apart = script_response(game, replace(opponent, memory=None), 0)
        assert merged.value == pytest.approx(apart.value)
        assert merged.beliefs <= apart.beliefs


def test_what_the_player_cannot_see_is_averaged_and_not_known():
    caller = Opponent("caller", lambda seen, legal: {legal[-1]: 1.0}, False, "calls and bets whatever it holds")
    value = script_response(HAND, caller, 1).value
    # Every hand faces a bet: fold J (-1), call with K (+2), call with Q, which wins 2 or loses 2. A player who saw the
    # other card would fold Q to the king and earn 1/2 with it.
    assert value == pytest.approx((-1 + 0 + 2) / 3)


def test_a_start_state_is_one_deal_and_deals_average_to_the_whole():
    opponent = KUHN_POOLS.find("tight")
    root = HAND.initial_state()
    dealt = [(root.child({CHANCE: deal}), p) for deal, p in root.chance_outcomes()]
    values = [script_response(HAND, opponent, 0, start=state).value for state, _ in dealt]
    # One deal is known whole to the solver, the other card included, so the deals are worth at least the game.
    average = sum(p * value for (_, p), value in zip(dealt, values, strict=True))
    assert average >= script_response(HAND, opponent, 0).value
    nobody = Opponent("nobody", lambda seen, legal: {legal[0]: 1.0}, False, "checks and folds")
    assert {script_response(HAND, nobody, 0, start=state).value for state, _ in dealt} == {1.0}


def test_played_in_the_arena_the_reply_earns_its_value():
    game = make_game("auction")
    opponent = domain("auction").pools.train[0]
    reply = script_response(game, opponent, 1)
    player = Opponent("reply", reply.behaviour, False, "best reply")
    policies = {"script": ScriptedPolicy(opponent), "reply": ScriptedPolicy(player)}
    episodes = rollout(game, policies, [Match(("script", "reply"), deal) for deal in range(400)], seed=3)
    earned = np.array([episode.returns[1] for episode in episodes])
    assert abs(earned.mean() - reply.value) < 4 * earned.std() / np.sqrt(len(earned))


SOLVED = {name: {} for name in DOMAINS if name not in ("kuhn_poker", "bargaining", "trust_and_split")}
SOLVED["split_items"] = {"rounds": 1}  # 1,331 claims a round: longer games take tens of seconds


@pytest.mark.parametrize("name", SOLVED)
def test_whole_games_are_solved_with_few_beliefs(name):
    game = make_game(name, **SOLVED[name])
    for opponent in scripts(name):
        assert script_response(game, opponent, 0).beliefs < 2_000, opponent.name


def test_a_problem_that_is_too_large_says_what_would_help():
    with pytest.raises(ValueError, match="tries more than 100 moves; give the script a memory"):
        script_response(KuhnPoker(hands=6), KUHN_POOLS.find("nash"), 0, most=100)


def test_a_best_reply_among_all_texts_is_refused_and_one_without_talk_is_found():
    honest = domain("trust_and_split").corrected.find("honest_greedy")
    with pytest.raises(ValueError, match="players of trust_and_split talk, and texts cannot be listed; a best reply"):
        script_response(make_game("trust_and_split"), honest, 0)
    # Against a claim of all coins a claim of all of them shares evenly: 5 coins, worth 10 or 1 each.
    game = make_game("trust_and_split", rounds=3, talk=False)
    assert script_response(game, honest, 0).value == pytest.approx(3 * 27.5)


def test_a_view_that_cannot_come_up_and_a_seat_that_does_not_exist_are_refused():
    never = domain("prisoners_dilemma").pools.find("always_defect")
    game = make_game("prisoners_dilemma", rounds=2)
    reply = script_response(game, never, 0)
    after = game.initial_state().child(dict.fromkeys((0, 1), game.actions[0]))
    with pytest.raises(ValueError, match="never leads seat 0"):
        reply.behaviour(after.information_state(0), game.actions)
    with pytest.raises(ValueError, match="got seat 2"):
        script_response(game, never, 2)
