"""Adversaries: exactly as strong as they claim, the same after a resume, refused where they cannot play."""

import json

import numpy as np
import pytest

from equipoise.core import Game
from equipoise.games import domain
from equipoise.games.kuhn_poker import KuhnPoker
from equipoise.games.prisoners_dilemma import PrisonersDilemma
from equipoise.metrics import GameTree
from equipoise.metrics.exact import mean_worst_case_advantage, nash_conv, pool_values
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.seeds import Seed
from equipoise.training.adversaries import ExactAdversary, ExactCurve, LearnedAdversary, agent_tables

GAMES = {"kuhn": KuhnPoker(), "dilemma": PrisonersDilemma(rounds=2)}


@pytest.fixture(scope="module")
def policy(embedded):
    return LanguageModelPolicy("agent", *embedded)


class Unrepeated(PrisonersDilemma):
    """A dilemma whose later rounds are no first rounds."""

    as_first_round = Game.as_first_round


def refreshed(game, policy, rounds=0):
    adversary = ExactAdversary(game, rounds)
    adversary.refresh(policy, Seed(0))
    return adversary


@pytest.mark.parametrize("name", GAMES)
def test_the_exact_adversary_gains_the_worst_case_advantage(name, policy):
    game = GAMES[name]
    adversary, tree = refreshed(game, policy), GameTree(game)
    tables = agent_tables(policy, game, tree)
    own, theirs = pool_values(tree, tables, adversary.opponent().behaviour)
    assert theirs - own == pytest.approx(mean_worst_case_advantage(tree, tables), abs=1e-6)
    for _, script in domain(game.name).pools.all():
        mine, its = pool_values(tree, tables, script.behaviour)
        assert its - mine <= theirs - own + 1e-6
    (gain,) = adversary.metrics().values()
    assert gain == pytest.approx(mean_worst_case_advantage(tree, tables))


@pytest.mark.parametrize("name", GAMES)
def test_an_adversary_survives_being_written_as_json(name, policy):
    game = GAMES[name]
    adversary, restored = refreshed(game, policy), ExactAdversary(game, 0)
    assert restored.state() is None
    assert not restored.ready
    restored.restore(json.loads(json.dumps(adversary.state())))
    assert restored.ready
    assert restored.metrics() == adversary.metrics()
    for points in adversary.tree.by_seat:
        for point in points:
            played = [a.opponent().behaviour(point.information_state, point.legal) for a in (adversary, restored)]
            assert played[0] == played[1]


def test_later_rounds_are_played_like_the_first(policy):
    game = KuhnPoker(hands=2)
    behaviour = refreshed(game, policy, rounds=1).opponent().behaviour
    state = game.initial_state().child({-1: ("J", "K")}).child({0: "bet"}).child({1: "fold"})
    state = state.child({-1: ("J", "K")})  # seat 1 opens the second hand with the jack, as seat 0 did the first
    first = game.initial_state().child({-1: ("J", "K")}).information_state(0)
    later = state.information_state(1)
    assert later != first
    assert behaviour(later, state.legal_actions(1)) == behaviour(first, state.legal_actions(1))


def test_rounds_that_cannot_be_played_like_the_first_must_be_covered():
    with pytest.raises(ValueError, match="covers the first 1 of 3 rounds of prisoners_dilemma"):
        ExactAdversary(Unrepeated(rounds=3), 1)
    assert ExactAdversary(Unrepeated(rounds=3), 0).tree.game.num_rounds == 3


def test_an_adversary_that_was_never_refreshed_cannot_play():
    with pytest.raises(ValueError, match="has not been refreshed yet"):
        ExactAdversary(KuhnPoker()).opponent()


def test_the_curve_is_exact_and_per_round(policy):
    dilemma, exploiters = PrisonersDilemma(rounds=4), domain("prisoners_dilemma").pools.exploiter
    tree = GameTree(PrisonersDilemma(rounds=4))
    figures = ExactCurve(dilemma, 4, exploiters).figures(policy)
    tables = agent_tables(policy, dilemma, tree)
    assert figures["worst_case_advantage"] == pytest.approx(mean_worst_case_advantage(tree, tables) / 4)
    gaps = [theirs - own for own, theirs in (pool_values(tree, tables, script.behaviour) for script in exploiters)]
    assert figures["pool_exploitability"] == pytest.approx(np.mean(np.maximum(gaps, 0)) / 4)
    assert figures["pool_exploitability"] <= figures["worst_case_advantage"] + 1e-9
    kuhn = ExactCurve(KuhnPoker(), 1, ()).figures(policy)
    tree = GameTree(KuhnPoker())
    assert kuhn == {"nash_conv": pytest.approx(nash_conv(tree, agent_tables(policy, KuhnPoker(), tree)))}


def test_a_curve_over_no_rounds_has_no_figures(policy):
    assert ExactCurve(KuhnPoker(), 0, ()).figures(policy) == {}


@pytest.mark.parametrize("name", GAMES)
def test_the_learned_adversary_takes_something_and_never_more_than_the_exact_one(name, policy):
    game = GAMES[name]
    adversary, tree = LearnedAdversary(game, 400 if name == "kuhn" else 200, "random_legal"), GameTree(game)
    assert not adversary.ready
    adversary.refresh(policy, Seed(0).at(0))
    adversary.refresh(policy, Seed(0).at(1))
    tables = agent_tables(policy, game, tree)
    own, theirs = pool_values(tree, tables, adversary.opponent().behaviour)
    most = mean_worst_case_advantage(tree, tables)
    assert 0.6 * most < theirs - own <= most + 1e-9
    assert not adversary.exact


def test_the_learned_adversary_depends_on_its_seed_alone_and_survives_json(policy):
    game, states = KuhnPoker(), GameTree(KuhnPoker()).information_sets

    def moves(adversary):
        return [adversary.opponent().behaviour(s.information_state, s.legal) for s in states]

    first, again, restored = (LearnedAdversary(game, 60, "forfeit") for _ in range(3))
    first.refresh(policy, Seed(0).at(3))
    again.refresh(policy, Seed(0).at(3))
    restored.restore(json.loads(json.dumps(first.state())))
    assert moves(first) == moves(again) == moves(restored)
    first.refresh(policy, Seed(0).at(4))
    restored.refresh(policy, Seed(0).at(4))
    assert first.state() == restored.state()


def test_a_learned_adversary_plays_under_its_own_name(policy):
    adversary = LearnedAdversary(KuhnPoker(), 20, "forfeit")
    with pytest.raises(ValueError, match="has not been refreshed yet"):
        adversary.opponent()
    adversary.refresh(policy, Seed(0).at(0))
    assert adversary.opponent().name == "learned"
