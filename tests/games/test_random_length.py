"""A random number of rounds: how likely each is, what is paid and seen, which games can be wrapped."""

import re
from collections import Counter

import numpy as np
import pytest

from equipoise.arena import Match, rollout
from equipoise.core import CHANCE
from equipoise.games.kuhn_poker import KuhnPoker
from equipoise.games.prisoners_dilemma import DOMAIN, PrisonersDilemma
from equipoise.games.random_length import RandomLength
from equipoise.games.text import render_rules
from equipoise.policies import ScriptedPolicy
from equipoise.testing import check_game

CC = {0: "cooperate", 1: "cooperate"}


def dilemma(stop, rounds=4):
    return RandomLength(PrisonersDilemma(rounds, horizon="hidden"), stop)


def lengths(game):
    """Probability of each number of rounds, by walking the game while both cooperate."""
    found, open_ = Counter(), [(1.0, 0, game.initial_state())]
    while open_:
        mass, rounds, state = open_.pop()
        if state.is_terminal:
            found[rounds] += mass
        elif state.is_chance:
            open_ += [(mass * p, rounds, state.child({CHANCE: outcome})) for outcome, p in state.chance_outcomes()]
        else:
            open_.append((mass, rounds + 1, state.child(CC)))
    return found


@pytest.mark.parametrize("stop", [0.1, 0.5, 0.9])
def test_the_number_of_rounds_is_geometric_up_to_the_cap(stop):
    expected = {n: (1 - stop) ** (n - 1) * (stop if n < 4 else 1) for n in (1, 2, 3, 4)}
    assert lengths(dilemma(stop)) == pytest.approx(expected)
    mean = sum(n * p for n, p in expected.items())
    assert mean == pytest.approx((1 - (1 - stop) ** 4) / stop)


def test_the_first_round_is_always_played_and_one_round_never_asks_chance():
    assert lengths(dilemma(0.99, 1)) == {1: 1.0}
    state = dilemma(0.99).initial_state()
    assert state.players_to_move == (0, 1)


def test_each_round_is_paid_once():
    state = dilemma(0.3).initial_state().child(CC)
    assert (state.rewards, state.returns, state.is_chance, state.round) == ((3, 3), (3, 3), True, 1)
    assert state.legal_actions(0) == ()
    resumed, over = (state.child({CHANCE: outcome}) for outcome, _ in state.chance_outcomes())
    assert [s.rewards for s in (resumed, over)] == [(0, 0), (0, 0)]
    assert [s.returns for s in (resumed, over)] == [(3, 3), (3, 3)]
    assert [s.players_to_move for s in (resumed, over)] == [(0, 1), ()]
    assert over.legal_actions(0) == over.chance_outcomes() == ()
    assert resumed.child(CC).returns == (6, 6)


def test_a_forfeited_round_can_be_the_last():
    state = dilemma(0.3).initial_state().forfeit(0)
    assert state.is_chance
    assert state.child({CHANCE: "stop"}).returns == (0, 5)


def test_no_player_sees_chance_decide():
    state = dilemma(0.3).initial_state().child(CC)
    seen = state.information_state(0)
    assert all(state.child({CHANCE: outcome}).information_state(0) == seen for outcome in ("play on", "stop"))


def test_the_words_are_those_of_the_game():
    inner = PrisonersDilemma(4, horizon="hidden")
    assert render_rules(dilemma(0.3)) == render_rules(inner)
    assert dilemma(0.3).parameters == {**inner.parameters, "stop": 0.3}


def test_what_was_just_paid_does_not_tell_states_apart():
    game = dilemma(0.3)
    between = game.initial_state().child(CC)
    resumed = between.child({CHANCE: "play on"})
    values = [game.payoff_state(state, 0) for state in (game.initial_state(), between, resumed)]
    assert len(set(values)) == 3
    again = game.initial_state().forfeit(1).child({CHANCE: "play on"})
    assert game.payoff_state(again, 0) == values[2]


@pytest.mark.parametrize(
    "game", [dilemma(0.3), dilemma(0.9, 2), RandomLength(PrisonersDilemma(3), 0.5), RandomLength(KuhnPoker(3), 0.3)]
)
def test_any_game_of_rounds_can_be_wrapped(game):
    check_game(game)


def test_episodes_of_one_deal_have_one_length_and_rows_of_zeros_for_the_rest():
    game = dilemma(0.4, 6)
    policies = {name: ScriptedPolicy(DOMAIN.pools.find(name)) for name in ("tit_for_tat", "coin", "always_defect")}
    pairs = [("tit_for_tat", "tit_for_tat"), ("coin", "always_defect")]
    kind, rough = (rollout(game, policies, [Match(pair, deal) for deal in range(400)], seed=0) for pair in pairs)
    played = [len(episode.of(0)) for episode in kind]
    assert played == [len(episode.of(0)) for episode in rough]
    assert all(np.array(episode.rewards)[n:].sum() == 0 for episode, n in zip(kind, played, strict=True))
    assert all(len(episode.rewards) == 6 for episode in kind)
    assert [sum(episode.returns) for episode in kind] == [6 * n for n in played]
    mean = (1 - 0.6**6) / 0.4
    assert np.mean(played) == pytest.approx(mean, abs=4 * np.std(played) / 20)


@pytest.mark.parametrize("stop", [0, 1, -0.1, 1.5, float("nan"), "0.5", True, None])
def test_a_bad_probability_is_one_clear_line(stop):
    message = re.escape(f"got stop={stop!r}; allowed: a probability of more than 0 and less than 1")
    with pytest.raises(ValueError, match=message):
        RandomLength(PrisonersDilemma(), stop)


def test_only_the_outcomes_named_can_be_drawn():
    state = dilemma(0.3).initial_state().child(CC)
    with pytest.raises(ValueError, match="got 'cooperate' between two rounds; allowed: 'play on', 'stop'"):
        state.child({CHANCE: "cooperate"})
