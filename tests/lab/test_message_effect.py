"""What a message changes in a claim: worked out by hand for scripts, and exactly nothing where nothing is replaced.

Honest play that believes what it hears claims all 10 with the upper hand, none with the lower, and 5 where it does not
know. So to be told "I have the hand that beats yours" costs such a listener all it claims, to be told the opposite
makes it claim everything, and silence makes it claim half.
"""

import math
from dataclasses import replace

import numpy as np
import pytest

from equipoise.arena import Match, rollout
from equipoise.arena.matchups import enumerated_deals
from equipoise.core import Reply
from equipoise.engines.plain_scoring import token_log_probs
from equipoise.games import domain, make_game
from equipoise.games.trust_and_split.seen import current, finished
from equipoise.lab.message_effect import heard_claims, message_effect, message_effect_scores
from equipoise.metrics.estimate import paired_difference
from equipoise.models.load import load
from equipoise.policies import Policy, ScriptedPolicy, Session, TabularPolicy
from equipoise.policies.language_model import LanguageModelPolicy, Sampling

DOMAIN = domain("trust_and_split")
TALK = DOMAIN.talk
ROUND = make_game("trust_and_split", rounds=1)
ALONE = replace(TALK, replacements={"itself": lambda state: current(state).heard})
"""What replaces a message by itself."""


def script(name):
    return ScriptedPolicy(DOMAIN.corrected.find(name))


def one_round(listener, other, *rest):
    """The listener's claims on every deal of one round in both seatings: 24, half of them with the upper hand."""
    matches = [
        Match(seats, deal, start)
        for seats in ((listener, other), (other, listener))
        for deal, (start, _) in enumerate(enumerated_deals(ROUND))
    ]
    episodes = rollout(ROUND, {name: script(name) for name in (listener, other)}, matches, seed=0)
    return heard_claims(episodes, [0] * 12 + [1] * 12, DOMAIN, *rest)


def ten_rounds(listener, other, matches=8, **options):
    game = make_game("trust_and_split", rounds=10)
    found = [Match((listener, other), deal) for deal in range(matches)]
    episodes = rollout(game, {name: script(name) for name in (listener, other)}, found, seed=0)
    return game, heard_claims(episodes, [0] * matches, DOMAIN, **options)


@pytest.mark.parametrize("listener", ["honest_cooperative", "promise_keeper"])
def test_a_believing_listener_concedes_to_a_stated_upper_hand_and_takes_all_from_a_lower_one(listener):
    found = message_effect(ROUND, script(listener), one_round(listener, "honest_cooperative"), TALK)
    assert (found.claims, found.claimed.value, found.outside) == (24, 0.5, 0.0)
    assert {name: change.value for name, change in found.changes.items()} == {"silence": 0, "upper": -0.5, "lower": 0.5}
    by_side = {side: {name: c.value for name, c in changes.items()} for side, changes in found.by_side.items()}
    assert by_side == {
        "upper": {"silence": -0.5, "upper": -1.0, "lower": 0.0},
        "lower": {"silence": 0.5, "upper": 0.0, "lower": 1.0},
    }
    assert {change.n for change in found.changes.values()} == {12}


def test_the_interval_of_a_change_is_over_deals_and_of_its_range():
    heard, changes, _ = message_effect_scores(
        ROUND, script("honest_cooperative"), one_round("honest_cooperative", "liar"), TALK
    )
    found = message_effect(ROUND, script("honest_cooperative"), one_round("honest_cooperative", "liar"), TALK)
    none = np.zeros(24)
    assert found.changes["upper"] == paired_difference(changes["upper"], none, [*range(12)] * 2, bounds=(0.0, 1.0))
    assert found.changes["upper"].low < found.changes["upper"].value < found.changes["upper"].high
    assert heard.shape == changes["upper"].shape == (24,)


def test_a_listener_that_believes_a_liar_claims_nothing_until_it_is_told_something_else():
    """A liar states the hand that makes the listener concede, whenever it may be the lower one itself."""
    claims = [c for c in one_round("honest_cooperative", "liar") if c.side == "upper"]
    found = message_effect(ROUND, script("honest_cooperative"), claims, TALK)
    # The liar has the lower hand here. Speaking first (half the deals) it lies blindly: it states the hand its own
    # beats, which is neither hand on the table and beats the listener's. Speaking second it knows and does the same.
    assert found.claimed.value == 0.0
    assert found.changes["lower"].value == 1.0


def test_a_greedy_listener_does_not_listen():
    found = message_effect(ROUND, script("honest_greedy"), one_round("honest_greedy", "honest_cooperative"), TALK)
    assert found.claimed.value == 1.0
    assert {c.value for c in found.changes.values()} == {0.0}


def test_a_grim_listener_no_longer_listens_once_it_was_robbed():
    game, claims = ten_rounds("honest_grim", "honest_greedy")
    robbed = np.array(["lower" in _sides_before(c) for c in claims])
    _, changes, _ = message_effect_scores(game, script("honest_grim"), claims, TALK)
    assert 0 < robbed.sum() < len(claims) == 80
    for change in changes.values():
        assert not change[robbed].any()
    assert np.abs(changes["upper"][~robbed]).sum() > 0


def _sides_before(claim):
    """On which side the other player was in the rounds before."""
    return ["upper" if past.upper else "lower" for past in finished(claim.decision.information_state)]


def test_only_the_last_message_is_replaced_and_the_listener_s_own_stays():
    _, claims = ten_rounds("honest_tit_for_tat", "promise_breaker")
    for claim in claims:
        before = claim.decision.information_state
        after = claim.replaced("I have rock.")
        (changed,) = [i for i, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]]
        assert changed == claim.place
        assert current(after).heard == "I have rock."
        assert current(after).said == current(before).said
        assert finished(after) == finished(before)
    own_last = {c.decision.information_state[-1].player == c.decision.seat for c in claims}
    assert own_last == {True, False}  # both orders of speaking came up


def test_every_claim_of_a_played_round_is_asked_again_and_a_sample_is_a_seeded_part_of_them():
    _, every = ten_rounds("honest_cooperative", "liar", most=80)
    assert len(every) == 80
    sample = ten_rounds("honest_cooperative", "liar", most=20, seed=3)[1]
    assert len(sample) == 20
    assert sample == ten_rounds("honest_cooperative", "liar", most=20, seed=3)[1]
    assert sample != ten_rounds("honest_cooperative", "liar", most=20, seed=4)[1]
    places = [every.index(claim) for claim in sample]
    assert places == sorted(set(places))


class Mute(Policy):
    """Says something and then claims nothing that is legal, in words."""

    name = "mute"

    def session(self, game, seed):
        return _MuteSession()


class _MuteSession(Session):
    def replies(self, requests):
        return [Reply("hello there") for _ in requests]


def test_the_claim_of_a_forfeited_round_is_on_no_side():
    players = {"mute": Mute(), "honest_cooperative": script("honest_cooperative")}
    episodes = rollout(ROUND, players, [Match(("mute", "honest_cooperative"), deal) for deal in range(4)], seed=0)
    claims = heard_claims(episodes, [1] * 4, DOMAIN)
    assert [claim.side for claim in claims] == [None] * 4
    found = message_effect(ROUND, players["honest_cooperative"], claims, TALK)
    assert found.by_side == {}
    assert found.claimed.value == 0.5  # it heard no hand


def test_a_message_replaced_by_itself_changes_exactly_nothing_for_a_script():
    game, claims = ten_rounds("lie_grim", "liar")
    found = message_effect(game, script("lie_grim"), claims, ALONE)
    assert [c.value for c in found.changes.values()] == [0.0]
    assert [c.low < 0 < c.high for c in found.changes.values()] == [True]  # other deals might show a change


@pytest.fixture(scope="module")
def tiny():
    return LanguageModelPolicy("tiny", *load("tiny"))


def test_a_message_replaced_by_itself_changes_exactly_nothing_for_a_language_model(tiny):
    game, claims = ten_rounds("honest_cooperative", "liar", matches=2, most=8)
    talk = replace(TALK, replacements={**ALONE.replacements, **TALK.replacements})
    _, changes, outside = message_effect_scores(game, tiny, claims, talk)
    assert not changes["itself"].any()
    for name, message in TALK.replacements.items():
        states = [claim.decision.information_state for claim in claims]
        same = [claim.replaced(message(state)) == state for claim, state in zip(claims, states, strict=True)]
        assert (changes[name] == 0).tolist() == same  # what the speaker happened to say in the same words
    assert 0.0 < outside < 1.0


def test_a_language_model_s_claim_is_what_its_probabilities_renormalised_expect(tiny):
    claims = one_round("honest_cooperative", "liar", 2, 1)
    heard, changes, outside = message_effect_scores(ROUND, tiny, claims, TALK)
    left = []
    for index, claim in enumerate(claims):
        seat, legal = claim.decision.seat, claim.decision.legal
        states = [claim.decision.information_state]
        states += [claim.replaced(message(states[0])) for message in TALK.replacements.values()]
        expected = []
        for state in states:
            prompt = tiny.transcript(ROUND, state, seat, legal)
            rows = [(prompt, tiny.chat.reply(str(action))) for action in legal]
            masses = np.array([math.exp(scores.sum()) for scores in token_log_probs(tiny.engine.model, rows)])
            expected.append(masses @ np.arange(11) / masses.sum() / 10)
            left.append(1 - masses.sum())
        assert heard[index] == pytest.approx(expected[0], abs=1e-5)
        for change, value in zip(changes.values(), expected[1:], strict=True):
            assert change[index] == pytest.approx(value - expected[0], abs=1e-5)
    assert outside == pytest.approx(np.mean(left), abs=1e-5)


def test_odds_are_renormalised_over_legal_claims_and_even_where_none_is_ever_made():
    claims = one_round("honest_greedy", "honest_greedy", 1)
    (legal,) = {claim.decision.legal for claim in claims}

    def table(odds):
        states = [claims[0].decision.information_state]
        states += [claims[0].replaced(message(states[0])) for message in TALK.replacements.values()]
        return TabularPolicy("t", dict.fromkeys(states, odds))

    found = message_effect(ROUND, table({10: 0.2, 0: 0.2}), claims, TALK)
    assert (found.claimed.value, found.outside) == (0.5, pytest.approx(0.6))
    never = message_effect(ROUND, table(dict.fromkeys(legal, 0.0)), claims, TALK)
    assert (never.claimed.value, never.outside) == (0.5, 1.0)


def test_a_listener_that_cannot_tell_its_probabilities_is_refused_in_one_line(tiny):
    claims = one_round("honest_greedy", "honest_cooperative")
    with pytest.raises(ValueError, match=r"'mute' \(Mute\) cannot tell how likely its claims are; give a script"):
        message_effect(ROUND, Mute(), claims, TALK)
    thinker = LanguageModelPolicy("thinker", tiny.engine.model, tiny.tokenizer, Sampling(reasoning="brief"))
    with pytest.raises(ValueError, match="exact action probabilities need replies that are the action alone"):
        message_effect(ROUND, thinker, claims, TALK)


def test_what_cannot_be_measured_is_told_in_one_line():
    claims = one_round("honest_greedy", "honest_cooperative")
    silent = make_game("trust_and_split", rounds=1, talk=False)
    episodes = rollout(silent, {"h": script("honest_half")}, [Match(("h", "h"), 0)], seed=0)
    assert heard_claims(episodes, [0], DOMAIN) == []
    with pytest.raises(ValueError, match="got no claim after a message"):
        message_effect(ROUND, script("honest_half"), [], TALK)
    for text, shown in (("", "''"), ("two\nlines", r"'two\\nlines'"), ("x" * 501, f"'{'x' * 40}'")):
        with pytest.raises(ValueError, match=f"replacement 'odd' gives {shown}, which is no message of this trust"):
            message_effect(
                ROUND, script("honest_half"), claims, replace(TALK, replacements={"odd": lambda _, t=text: t})
            )
    with pytest.raises(ValueError, match="got 1 episodes and 2 seats"):
        heard_claims(episodes, [0, 1], DOMAIN)
    with pytest.raises(ValueError, match="give one whose domain has talk"):
        heard_claims(episodes, [0], domain("prisoners_dilemma"))
    with pytest.raises(ValueError, match="got most=0; ask for at least 1 claim"):
        heard_claims(episodes, [0], DOMAIN, most=0)


def test_the_result_has_both_sides_and_every_replacement():
    found = message_effect(ROUND, script("honest_cooperative"), one_round("honest_cooperative", "liar"), TALK)
    assert set(found.by_side) == {"upper", "lower"}
    assert set(found.changes) == set(TALK.replacements)
    assert found.changes["silence"].method == "paired t over clusters"
