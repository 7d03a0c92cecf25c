"""Honesty, statements, promises and the worth of talk: known answers from scripts on every deal of one round.

One round of trust and split has twelve deals: two first speakers times six pairs of hands. Each is played in both
seatings, so a script speaks first in half of its rounds and has the upper hand in half of either half.
"""

import math
from dataclasses import replace

import numpy as np
import pytest

from equipoise.arena import Match, rollout
from equipoise.arena.matchups import enumerated_deals
from equipoise.core import Reply
from equipoise.games import domain, make_game
from equipoise.metrics.cooperation import efficiency
from equipoise.metrics.estimate import paired_difference, proportion
from equipoise.metrics.talk import (
    FIGURES,
    efficiency_difference,
    honesty,
    honesty_scores,
    promise_keeping,
    promise_keeping_scores,
    promise_rate,
    promise_rate_scores,
    statement_rate,
    statement_rate_scores,
    talk_counts,
)
from equipoise.policies import Policy, ScriptedPolicy, Session

DOMAIN = domain("trust_and_split")
TALK = DOMAIN.talk
PAIRS = {
    "honesty": (honesty, honesty_scores),
    "statement_rate": (statement_rate, statement_rate_scores),
    "promise_keeping": (promise_keeping, promise_keeping_scores),
    "promise_rate": (promise_rate, promise_rate_scores),
}


def script(name):
    return ScriptedPolicy(DOMAIN.corrected.find(name))


def every_deal(agent, other):
    """The agent's episodes on every deal of one round in both seatings, and its seat in each."""
    starts = [state for state, _ in enumerated_deals(make_game("trust_and_split", rounds=1))]
    assert len(starts) == 12
    seatings = [(agent, other), (other, agent)]
    matches = [Match(seats, deal, start) for seats in seatings for deal, start in enumerate(starts)]
    game = make_game("trust_and_split", rounds=1)
    return rollout(game, {n: script(n) for n in (agent, other)}, matches, seed=0), [0] * 12 + [1] * 12


def played(game, policies, seats, matches, seed=0):
    return rollout(game, policies, [Match(seats, deal) for deal in range(matches)], seed=seed)


def test_who_always_states_its_hand_truly_has_honesty_1_and_who_never_promises_has_no_promise_to_keep():
    found = every_deal("honest_cooperative", "liar")
    assert honesty(*found, TALK).value == 1.0
    assert statement_rate(*found, TALK).value == 1.0
    assert promise_rate(*found, TALK).value == 0.0
    with pytest.raises(ValueError, match=r"promise_keeping: in 24 episodes no message promises anything that could be"):
        promise_keeping(*found, TALK)


@pytest.mark.parametrize("liar", ["liar", "modest_liar"])
def test_a_liar_tells_an_honest_player_the_truth_when_it_knows_that_it_has_the_upper_hand(liar):
    """It knows only when it speaks second, and has the upper hand in half of those rounds: 1/2 of 1/2."""
    found = every_deal(liar, "honest_cooperative")
    assert honesty(*found, TALK).value == 0.25
    assert statement_rate(*found, TALK).value == 1.0


def test_two_liars_never_tell_the_truth():
    """The second hears the hand that the first one's beats: its own, which nobody else holds, or the one beating it."""
    assert honesty(*every_deal("liar", "liar"), TALK).value == 0.0


def test_a_promise_breaker_promises_always_keeps_nothing_and_states_nothing():
    found = every_deal("promise_breaker", "honest_cooperative")
    assert promise_keeping(*found, TALK).value == 0.0
    assert promise_rate(*found, TALK).value == 1.0
    assert statement_rate(*found, TALK).value == 0.0
    with pytest.raises(ValueError, match="honesty: in 24 episodes no message states anything; a share needs at least"):
        honesty(*found, TALK)


def test_a_promise_keeper_keeps_what_it_promises_with_a_lower_hand_that_it_knows():
    """Speaking second it says what it takes: 0 with the lower hand, a promise, or all 10, which promises nothing."""
    found = every_deal("promise_keeper", "honest_cooperative")
    assert promise_keeping(*found, TALK).value == 1.0
    assert promise_rate(*found, TALK).value == 0.25
    assert honesty(*found, TALK).value == 1.0


def test_random_words_are_true_in_a_third_of_the_rounds():
    game = make_game("trust_and_split", rounds=10)
    episodes = played(game, {"random": script("random")}, ("random", "random"), 100)
    found = honesty([*episodes, *episodes], [0] * 100 + [1] * 100, TALK)
    assert found.n == 100  # both seats of a deal are one cluster
    assert abs(found.value - 1 / 3) < 4 * math.sqrt(2 / 9 / 2000)
    assert found.low < 1 / 3 < found.high
    assert found.method == "beta over deals"


def test_a_share_at_its_end_has_clopper_and_pearson_s_interval_with_one_trial_per_deal_that_spoke():
    found = honesty(*every_deal("honest_cooperative", "liar"), TALK)
    assert (found.low, found.high, found.n) == (proportion(12, 12).low, 1.0, 12)
    kept = promise_keeping(*every_deal("promise_keeper", "honest_cooperative"), TALK)
    assert kept.n == 6  # in half of the deals whoever speaks second has the lower hand, and promises in that seat
    assert kept.low == proportion(6, 6).low


@pytest.mark.parametrize("figure", FIGURES)
def test_the_mean_score_is_the_metric(figure):
    names = {"honest": "liar", "promise": "promise_keeper"}
    found = every_deal(names["promise" if "promise" in figure else "honest"], "honest_cooperative")
    metric, scores = PAIRS[figure]
    assert scores(*found, TALK).shape == (24,)
    assert scores(*found, TALK).mean() == pytest.approx(metric(*found, TALK).value)


class Speaker(Policy):
    """Says one thing where it may talk and another where it must claim, in words."""

    def __init__(self, message, claim):
        self.name, self.message, self.claim = "speaker", message, claim

    def session(self, game, seed):
        return _Words(self)


class _Words(Session):
    def __init__(self, speaker):
        self.speaker = speaker

    def replies(self, requests):
        return [Reply(self.speaker.claim if r.legal[0] == 0 else self.speaker.message) for r in requests]


def speaking(message, claim, rounds=10, **options):
    game = make_game("trust_and_split", rounds=rounds, **options)
    players = {"speaker": Speaker(message, claim), "honest_greedy": script("honest_greedy")}
    return played(game, players, ("speaker", "honest_greedy"), 4)


def totals(episodes, seat):
    return {figure: tuple(rows.sum(axis=0)) for figure, rows in talk_counts(episodes, [seat] * 4, TALK).items()}


def test_a_promise_in_a_forfeited_round_is_neither_kept_nor_broken_but_a_statement_was_made():
    found = totals(speaking("I have rock and I take 0.", "all of them"), 0)
    assert found["statement_rate"] == (40, 40)
    assert 0 < found["honesty"][0] < found["honesty"][1] == 40
    assert found["promise_keeping"] == (0, 0)
    assert found["promise_rate"] == (0, 0)


def test_the_same_promise_is_kept_or_broken_where_the_round_is_played():
    assert totals(speaking("I take 4.", "4"), 0)["promise_keeping"] == (40, 40)
    assert totals(speaking("I take 4.", "5"), 0)["promise_keeping"] == (0, 40)
    assert totals(speaking("I take 4.", "5"), 0)["promise_rate"] == (40, 40)


def test_a_reply_that_is_no_message_says_nothing():
    episodes = speaking("", "4", rounds=2)
    assert totals(episodes, 0) == dict.fromkeys(FIGURES, (0, 0))
    assert totals(episodes, 1)["statement_rate"] == (4, 4)  # the other spoke where it was the first to
    with pytest.raises(ValueError, match="statement_rate: in 4 episodes no message was sent"):
        statement_rate(episodes, [0] * 4, TALK)


def test_rounds_that_were_not_played_hold_no_message():
    game = make_game("trust_and_split", rounds=20, stop=0.5)
    episodes = played(game, {"h": script("honest_cooperative")}, ("h", "h"), 30)
    spoken = talk_counts(episodes, [0] * 30, TALK)["statement_rate"]
    assert spoken[:, 1].tolist() == [max(d.round for d in e.decisions) + 1 for e in episodes]
    assert spoken[:, 1].min() < spoken[:, 1].max() < 20


def test_a_game_without_messages_has_no_figure_of_talk():
    silent = played(make_game("trust_and_split", rounds=2, talk=False), {"h": script("honest_half")}, ("h", "h"), 3)
    for metric, scores in PAIRS.values():
        for asked in (metric, scores):
            with pytest.raises(ValueError, match="in 3 episodes no message"):
                asked(silent, [0] * 3, TALK)


def test_seats_and_episodes_come_in_pairs():
    with pytest.raises(ValueError, match="got 24 episodes and 1 seats; allowed: one seat for each episode"):
        honesty(every_deal("liar", "liar")[0], [0], TALK)


def test_the_difference_of_two_efficiencies_is_paired_and_of_equal_denominators_a_mean():
    talked, _ = every_deal("honest_cooperative", "honest_greedy")
    game = make_game("trust_and_split", rounds=1)
    episodes = played(game, {"random": script("random")}, ("random", "random"), 24)
    other = [replace(episode, deal=deal) for episode, deal in zip(episodes, [*range(12)] * 2, strict=True)]
    found = efficiency_difference(talked, other, DOMAIN.cooperation)
    values = [efficiency(each, DOMAIN.cooperation).value for each in (talked, other)]
    assert found.value == pytest.approx(values[0] - values[1])
    shares = [np.array([sum(e.returns) / 100 for e in each]) for each in (talked, other)]
    mean = paired_difference(*shares, [*range(12)] * 2, bounds=(0.0, 1.0))
    assert (found.low, found.high, found.n) == pytest.approx((mean.low, mean.high, mean.n))
    same = efficiency_difference(talked, talked, DOMAIN.cooperation)
    assert (same.value, same.low, same.high) == (0, -same.high, proportion(0, 12).high)


def test_efficiencies_on_other_deals_are_not_subtracted():
    talked, _ = every_deal("honest_cooperative", "honest_greedy")
    with pytest.raises(ValueError, match="got 24 episodes with talk and 12 without; pairs need the same deals in"):
        efficiency_difference(talked, talked[:12], DOMAIN.cooperation)
    with pytest.raises(ValueError, match="at least one"):
        efficiency_difference([], [], DOMAIN.cooperation)
