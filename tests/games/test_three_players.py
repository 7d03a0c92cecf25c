"""A game of three players is played, checked, audited and trained on; what is for two is left out or refused."""

import numpy as np
import pytest
from odd_one_out import OddOneOut

from equipoise.arena import Match, against, rollout
from equipoise.core import Event, Opponent
from equipoise.errors import UserError
from equipoise.games.text import render_event
from equipoise.games.uniform import UNIFORM
from equipoise.lab.audit import AuditSettings, audit
from equipoise.lab.crossplay import crossplay
from equipoise.metrics import nash_conv, payoff, pool_gap, welfare
from equipoise.metrics.exact import behaviour_table
from equipoise.objectives.rules import rule
from equipoise.objectives.sepo import CreditWeights
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.policies.scripted import ScriptedPolicy
from equipoise.seeds import Seed
from equipoise.testing import check_game
from equipoise.training.play import AGENT
from equipoise.training.population import PastSettings
from equipoise.training.self_play import Credit, SelfPlay, SelfPlaySettings

GAME = OddOneOut()


def always(side, name=None):
    return ScriptedPolicy(Opponent(name or side, lambda seen, legal: {side: 1.0}, False, "one side"))


COIN = ScriptedPolicy(Opponent("coin", UNIFORM.behaviour, True, "either side"))


def test_the_game_keeps_the_rules_of_games():
    for seed in (0, 1):
        check_game(GAME, seed)


def test_players_are_called_by_their_numbers_and_the_reader_you():
    told = [render_event(GAME, Event("act", 2, "left"), seat) for seat in (0, 2)]
    assert told == ["Player 3 goes left.", "You go left."]


def test_three_policies_sit_at_one_table():
    players = {"left": always("left"), "right": always("right"), "coin": COIN}
    (episode,) = rollout(GAME, players, [Match(("left", "right", "coin"), 0)], seed=0)
    assert [len(episode.of(seat)) for seat in range(3)] == [2, 2, 2]
    assert sum(episode.returns) == 0
    for sides, paid in zip(np.reshape([d.action for d in episode.decisions], (2, 3)), episode.rewards, strict=True):
        alone = [list(sides).count(side) == 1 for side in sides]
        assert paid == tuple(2.0 if odd else -1.0 for odd in alone)


def test_an_opponent_takes_every_seat_but_the_agent_s():
    matches = against("me", ["you"], [None, None], players=3)
    assert [m.seats for m in matches[::2]] == [("me", "you", "you"), ("you", "me", "you"), ("you", "you", "me")]
    assert [m.deal for m in matches] == [0, 1] * 3


def test_figures_of_one_player_take_three_and_those_of_two_refuse_in_one_line():
    players = {"left": always("left"), "right": always("right")}
    episodes = rollout(GAME, players, against("left", ["right"], [None], players=3), seed=0)
    assert payoff(episodes, "left").value == 2.0
    assert welfare(episodes).value == 0.0
    with pytest.raises(UserError, match="3 seats; this figure compares two players"):
        pool_gap(episodes, "left")
    with pytest.raises(UserError, match="odd_one_out has 3 players; cross-play is between two"):
        crossplay(GAME, players, matches=2)


def test_exact_values_are_those_of_three_players():
    assert nash_conv(GAME, behaviour_table(GAME, UNIFORM.behaviour)) == pytest.approx(0.0)
    # against two on the left a player gains by going right: 2 instead of 0 in each of two rounds, for each seat
    assert nash_conv(GAME, behaviour_table(GAME, always("left").behaviour)) == pytest.approx(12.0)


def test_an_audit_keeps_what_three_players_have_and_says_what_it_leaves_out():
    (found,) = audit(always("left", "agent"), GAME, AuditSettings(deals=40)).agents
    figures = set(found.estimates)
    assert {"payoff", "welfare", "fault_rate", "nash_conv"} <= figures
    assert not figures & {"nra", "regret", "worst_case_advantage", "sepo_index", "pool_exploitability", "exploitation"}
    assert found.estimates["nash_conv"].value == pytest.approx(6.0)  # per round
    assert found.estimates["payoff"].value == pytest.approx(0.0, abs=0.25)
    (record,) = found.opponents
    assert (record.opponent, record.pool, record.gap) == ("uniform", "reference", None)
    assert len(found.notes) >= 2
    assert found.played == len(found.conversations) == 40 * 3 + 40


def test_self_play_credits_three_seats(embedded, tmp_path):
    settings = SelfPlaySettings(deals=3, rollouts=2, trained="both", fault_rule="random_legal")
    credit = Credit(rule("sum_of_rewards").credits, CreditWeights(discount=1.0))
    play = SelfPlay(GAME, None, settings, PastSettings(probability=0.0), credit, tmp_path)
    experience = play.collect(LanguageModelPolicy(AGENT, *embedded), Seed(0).at(0), 0)
    assert experience.episodes == 3 * 2 * 3
    for weights in experience.weights:  # three players of a zero-sum game earn nothing together
        np.testing.assert_allclose(weights, 0.0, atol=1e-9)
