"""What cooperating means where a game rewards it: judged round by round, and never in a round without moves."""

from dataclasses import replace

import numpy as np
import pytest

from equipoise.arena import Match, rollout
from equipoise.core import Reply
from equipoise.games.prisoners_dilemma import DOMAIN, PrisonersDilemma
from equipoise.games.random_length import RandomLength
from equipoise.policies import Policy, ScriptedPolicy, Session

COOPERATION = DOMAIN.cooperation
PAIR = ("tit_for_tat", "alternator")


def played(game, deal=0, pair=PAIR, **policies):
    scripts = {name: ScriptedPolicy(DOMAIN.pools.find(name)) for name in pair if name not in policies}
    return rollout(game, {**scripts, **policies}, [Match(pair, deal)], seed=0)[0]


class Mute(Policy):
    """Says nothing."""

    name = "mute"

    def session(self, game, seed):
        return MuteSession()


class MuteSession(Session):
    def replies(self, requests):
        return [Reply("") for _ in requests]


@pytest.mark.parametrize("labels", ["words", "neutral"])
def test_cooperation_in_the_dilemma_is_the_move_under_both_labels(labels):
    episode = played(PrisonersDilemma(5, "hidden", labels))
    assert COOPERATION.cooperated(episode, 0) == [True, False, True, False, True]
    assert COOPERATION.cooperated(episode, 1) == [False, True, False, True, False]
    assert COOPERATION.best_joint(episode).tolist() == [6] * 5


def test_a_forfeited_round_is_no_answer_for_either_player_and_could_have_paid_the_best():
    episode = played(PrisonersDilemma(3), pair=("mute", "tit_for_tat"), mute=Mute())
    for seat in (0, 1):
        assert COOPERATION.cooperated(episode, seat) == [None] * 3
    assert COOPERATION.best_joint(episode).tolist() == [6] * 3


def test_a_round_that_was_not_played_could_have_paid_nothing():
    game = RandomLength(PrisonersDilemma(6, "hidden"), 0.5)
    lengths = set()
    for deal in range(12):
        episode = played(game, deal)
        rounds = len(episode.of(0))
        assert COOPERATION.cooperated(episode, 0) == [n % 2 == 0 if n < rounds else None for n in range(6)]
        assert COOPERATION.best_joint(episode).tolist() == [6] * rounds + [0] * (6 - rounds)
        lengths.add(rounds)
    assert {1, 2} < lengths


def test_mutual_cooperation_is_paid_the_best_joint_pay_and_nothing_else_is():
    episode = played(PrisonersDilemma(4), pair=("tit_for_tat", "always_cooperate"))
    assert np.array(episode.rewards).sum(axis=1).tolist() == COOPERATION.best_joint(episode).tolist()
    worse = played(PrisonersDilemma(4))
    assert (np.array(worse.rewards).sum(axis=1) < COOPERATION.best_joint(worse)).all()


def test_the_figure_of_the_hazards_counts_what_is_judged():
    episode = played(PrisonersDilemma(5))
    figure = DOMAIN.corrected.figures["cooperation_rate"]
    assert figure(episode, 0).tolist() == [float(c) for c in COOPERATION.cooperated(episode, 0)]
    assert figure(replace(episode, decisions=()), 0).tolist() == [0] * 5
