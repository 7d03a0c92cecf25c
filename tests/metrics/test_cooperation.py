"""Cooperation rates, the joint move before, and efficiency, on episodes written by hand."""

import math

import numpy as np
import pytest

from equipoise.arena import Match, rollout
from equipoise.core import Decision, Episode, Reply
from equipoise.games import domain, make_game
from equipoise.games.domain import Cooperation
from equipoise.metrics.cooperation import (
    BEFORE,
    conditional_cooperation,
    cooperation_counts,
    cooperation_rate,
    cooperation_scores,
    efficiency,
    efficiency_scores,
    joint_pay,
)
from equipoise.metrics.estimate import clustered_ratio, proportion
from equipoise.metrics.payoff import rounds_played
from equipoise.policies import ScriptedPolicy

LETTERS = {"C": True, "D": False, "-": None}


def answers(episode, seat):
    """What the hand-written episodes say: a letter for each round, played by the seat."""
    moves = {d.round: d.action for d in episode.decisions if d.seat == seat}
    return [LETTERS[moves.get(r, "-")] for r in range(len(episode.rewards))]


def best(episode):
    """Ten points a round."""
    return np.full(len(episode.rewards), 10.0)


COOPERATION = Cooperation(answers, "plays C", best)


def episode(first, second, deal=0, pay=None, rounds=None):
    """An episode of letters by round for both seats; a blank stands for no decision at all."""
    length = rounds or len(first)
    decisions = [
        Decision(seat, r, 0, (), ("C", "D", "-"), Reply(action=moves[r]), moves[r])
        for r in range(len(first))
        for seat, moves in enumerate((first, second))
        if moves[r] != " "
    ]
    rewards = [tuple(row) for row in pay] if pay else [(0.0, 0.0)] * length
    return Episode("toy", ("me", "you"), deal, tuple(decisions), tuple(rewards), tuple(np.sum(rewards, axis=0)))


def counts(first, second, seat=0):
    """(cooperated, asked) by what was before, of one episode, zeros left out."""
    found = cooperation_counts([episode(first, second)], [seat], COOPERATION)
    return {before: tuple(row[0].astype(int)) for before, row in found.items() if row[0].any()}


def test_the_joint_move_before_has_the_player_s_own_letter_first():
    assert counts("CCD", "DCC") == {"first": (1, 1), "after CD": (1, 1), "after CC": (0, 1)}
    assert counts("CCD", "DCC", seat=1) == {"first": (0, 1), "after DC": (1, 1), "after CC": (1, 1)}


def test_rounds_that_did_not_ask_a_player_leave_its_newest_answer_as_it_was():
    assert counts("C--D", "D-CC") == {"first": (1, 1), "after CC": (0, 1)}
    assert counts("C--D", "D--C") == {"first": (1, 1), "after CD": (0, 1)}


def test_in_a_game_that_asks_one_player_at_a_time_the_answers_are_of_different_rounds():
    assert counts("C-C-D-", "-D-C-C") == {"first": (1, 1), "after CD": (1, 1), "after CC": (0, 1)}
    assert counts("C-C-D-", "-D-C-C", seat=1) == {"first": (0, 1), "after DC": (1, 1), "after CD": (1, 1)}


def test_a_round_is_first_until_both_were_asked():
    assert counts("CCC", "--C") == {"first": (3, 3)}
    assert counts("--C", "DD-") == {"first": (1, 1)}


def test_every_asking_round_falls_into_exactly_one_kind():
    rng = np.random.default_rng(4)
    episodes = [episode(*("".join(rng.choice(list("CD-"), 12)) for _ in range(2)), deal=d) for d in range(40)]
    found = cooperation_counts(episodes, [d % 2 for d in range(40)], COOPERATION)
    assert set(found) == set(BEFORE)
    asked = [sum(a is not None for a in answers(e, d % 2)) for d, e in enumerate(episodes)]
    assert sum(found.values())[:, 1].tolist() == asked


def test_the_rate_is_a_ratio_of_totals_clustered_by_deal():
    episodes = [episode("CCCD", "----", 0), episode("D---", "----", 1), episode("CD--", "----", 1)]
    expected = clustered_ratio([3, 0, 1], [4, 1, 2], [0, 1, 1], bounds=(0.0, 1.0))
    found = cooperation_rate(episodes, [0, 0, 0], COOPERATION)
    assert found.value == pytest.approx(4 / 7)
    assert (found.low, found.high, found.n) == (expected.low, expected.high, 2)
    assert cooperation_scores(episodes, [0, 0, 0], COOPERATION).mean() == pytest.approx(4 / 7)


def test_deals_that_never_asked_are_no_units_of_the_interval():
    asked = [episode("CD", "--", d) for d in range(3)]
    silent = [episode("--", "CC", d) for d in range(3, 9)]
    assert cooperation_rate(asked + silent, [0] * 9, COOPERATION).n == 3


@pytest.mark.parametrize(("letters", "successes"), [("CCCC", 10), ("DDDD", 0)])
def test_always_or_never_is_not_reported_as_certainty(letters, successes):
    episodes = [episode(letters, letters, d) for d in range(10)]
    found, expected = cooperation_rate(episodes, [0] * 10, COOPERATION), proportion(successes, 10)
    assert (found.value, found.low, found.high) == (expected.value, expected.low, expected.high)


def test_what_never_came_up_is_left_out():
    found = conditional_cooperation([episode("CC", "CC", d) for d in range(3)], [0] * 3, COOPERATION)
    assert list(found) == ["first", "after CC"]


def test_one_deal_has_no_interval():
    assert math.isnan(cooperation_rate([episode("CD", "CC")], [0], COOPERATION).low)


def test_a_player_that_was_never_asked_has_no_rate():
    with pytest.raises(ValueError, match="no round of 1 episodes asked the player"):
        cooperation_rate([episode("--", "CC")], [0], COOPERATION)
    assert conditional_cooperation([episode("--", "CC")], [0], COOPERATION) == {}


def test_a_seat_for_every_episode_and_two_seats_an_episode():
    with pytest.raises(ValueError, match="got 1 episodes and 2 seats"):
        cooperation_rate([episode("C", "C")], [0, 1], COOPERATION)
    three = Episode("toy", ("a", "b", "c"), 0, (), ((0.0, 0.0, 0.0),), (0.0, 0.0, 0.0))
    with pytest.raises(ValueError, match="an episode of 3 seats"):
        efficiency([three], COOPERATION)


def test_efficiency_is_joint_pay_over_the_best_of_the_rounds_that_were_played():
    full = episode("CC", "CC", 0, pay=[(5, 5), (2, 4)])
    short = episode("C ", "C ", 1, pay=[(1, 3), (0, 0)])
    assert (rounds_played(full), rounds_played(short)) == (2, 1)
    assert joint_pay([full, short], COOPERATION).tolist() == [[16, 20], [4, 10]]
    assert efficiency([full, short], COOPERATION).value == pytest.approx(20 / 30)
    assert efficiency_scores([full, short], COOPERATION).mean() == pytest.approx(20 / 30)


def test_efficiency_stays_within_its_range():
    reached = [episode("C", "C", d, pay=[(5, 5)]) for d in range(8)]
    found = efficiency(reached, COOPERATION)
    assert (found.value, found.high, found.low) == (1.0, 1.0, proportion(8, 8).low)
    mixed = [*reached[:7], episode("D", "D", 7, pay=[(1, 1)])]
    assert 0 <= efficiency(mixed, COOPERATION).low < 0.9 < efficiency(mixed, COOPERATION).high <= 1.0


def test_reciprocity_is_read_off_scripts_of_the_dilemma():
    """Tit for tat cooperates first and after the other's C, and never after its D (Axelrod 1984)."""
    game = make_game("prisoners_dilemma", rounds=10)
    scripts = {name: ScriptedPolicy(domain(game.name).corrected.find(name)) for name in ("tit_for_tat", "coin")}
    episodes = rollout(game, scripts, [Match(("tit_for_tat", "coin"), d) for d in range(40)], seed=0)

    def cooperated(episode, seat):
        return [d.action == "cooperate" for d in episode.of(seat)]

    found = conditional_cooperation(episodes, [0] * 40, Cooperation(cooperated, "cooperates", best))
    values = {before: estimate.value for before, estimate in found.items()}
    assert values == {"first": 1.0, "after CC": 1.0, "after CD": 0.0, "after DC": 1.0, "after DD": 0.0}
    coin = conditional_cooperation(episodes, [1] * 40, Cooperation(cooperated, "cooperates", best))
    assert all(estimate.low < 0.5 < estimate.high for estimate in coin.values())
