"""The shipped checks pass every game and script we ship, and fail every way in which a game can break its rules."""

import inspect
import re
from dataclasses import dataclass, replace

import pytest

from equipoise.core import Event, Opponent, State
from equipoise.games import DOMAINS, domain, make_game
from equipoise.games.kuhn_poker import KuhnPoker
from equipoise.testing import check_game, check_opponent, check_profile

SHORTER = {"split_items": {"rounds": 4}, "trust_and_split": {"rounds": 4}}
"""Lengths at which every script has shown what it does, where the default of ten rounds would take many seconds."""
GAMES = [(name, SHORTER.get(name, {})) for name in DOMAINS] + [("kuhn_poker", {"hands": 6})]


@pytest.mark.parametrize(("name", "parameters"), GAMES)
def test_every_game_conforms(name, parameters):
    for seed in (0, 1):
        check_game(make_game(name, **parameters), seed)


@pytest.mark.parametrize(("name", "parameters"), GAMES)
def test_every_profile_conforms(name, parameters):
    check_profile(make_game(name, **parameters), domain(name).corrected)


NO_SETTINGS = [None, [1], {}, float("nan"), -1, "abc"]


@pytest.mark.parametrize("name", DOMAINS)
@pytest.mark.parametrize("value", NO_SETTINGS, ids=repr)
def test_every_parameter_of_every_game_refuses_what_it_cannot_be_in_one_line(name, value):
    for parameter in inspect.signature(domain(name).make).parameters:
        with pytest.raises(ValueError, match=rf"got {parameter}=.*; allowed: ") as caught:
            make_game(name, **{parameter: value})
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", DOMAINS)
def test_every_game_refuses_an_event_that_it_has_no_sentence_for(name):
    with pytest.raises(ValueError, match="has no event 'nothing'"):
        make_game(name).event_template(Event("nothing", 0))


@dataclass(frozen=True)
class Wrapped(State):
    """A Kuhn state seen through the game that breaks something."""

    game: KuhnPoker
    inner: State

    @property
    def players_to_move(self):
        return self.inner.players_to_move

    @property
    def round(self):
        return self.inner.round

    @property
    def rewards(self):
        return self.game.rewards_of(self.inner)

    @property
    def returns(self):
        return self.inner.returns

    def legal_actions(self, seat):
        return self.inner.legal_actions(seat)

    def information_state(self, seat):
        return self.game.seen(self.inner, seat)

    def chance_outcomes(self):
        return self.game.chance_of(self.inner)

    def child(self, actions):
        return replace(self, inner=self.game.after(self.inner, actions))

    def forfeit(self, seat):
        return replace(self, inner=self.game.forfeited(self.inner, seat))


class WrappedKuhn(KuhnPoker):
    """Kuhn poker whose parts a subclass may break."""

    def initial_state(self):
        return Wrapped(self, super().initial_state())

    def payoff_state(self, state, seat):
        return super().payoff_state(state.inner, seat)

    def rewards_of(self, state):
        return state.rewards

    def seen(self, state, seat):
        return state.information_state(seat)

    def chance_of(self, state):
        return state.chance_outcomes()

    def after(self, state, actions):
        return state.child(actions)

    def forfeited(self, state, seat):
        return state.forfeit(seat)


class CreatesMoney(WrappedKuhn):
    def rewards_of(self, state):
        return tuple(r + (0.5 if r > 0 else 0) for r in state.rewards)


class PaysTwice(WrappedKuhn):
    def rewards_of(self, state):
        return tuple(2 * r for r in state.rewards)


class LeaksOnceTheHandIsOn(WrappedKuhn):
    def after(self, state, actions):
        child = state.child(actions)
        if not child.history or child.is_terminal:
            return child
        leak = Event("shown", 1, child.cards[1])
        return replace(child, events=(child.events[0] + (leak,), child.events[1]))


class Forgets(WrappedKuhn):
    def seen(self, state, seat):
        return state.information_state(seat)[-2:]


class HidesOwnActions(WrappedKuhn):
    def seen(self, state, seat):
        return tuple(e for e in state.information_state(seat) if e.kind != "act" or e.player != seat)


class UnfairDeck(WrappedKuhn):
    def chance_of(self, state):
        return tuple((outcome, p / 2) for outcome, p in state.chance_outcomes())


class AcceptsAnything(WrappedKuhn):
    def after(self, state, actions):
        fixed = {
            seat: action if seat < 0 or action in state.legal_actions(seat) else state.legal_actions(seat)[0]
            for seat, action in actions.items()
        }
        return state.child(fixed)


class CheapForfeit(WrappedKuhn):
    def forfeited(self, state, seat):
        return state._ended(1 - seat, 1.0, (Event("forfeit", seat, 1),))


class ForgivingForfeit(WrappedKuhn):
    def forfeited(self, state, seat):
        return state


class NarrowBounds(WrappedKuhn):
    min_reward = -1.0


class TooFewSlots(WrappedKuhn):
    max_slots = 1


class SaysYou(WrappedKuhn):
    def event_template(self, event):
        return "You act." if event.kind == "first" else super().event_template(event)


class LeavesHoles(WrappedKuhn):
    def event_template(self, event):
        return "{Player acts first." if event.kind == "first" else super().event_template(event)


class SameWords(WrappedKuhn):
    def action_text(self, action):
        return {"check": "pass", "fold": "pass"}.get(action, action)


class MisreadsLegality(WrappedKuhn):
    def legal_at(self, information_state, seat):
        return ("check", "bet")


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (CreatesMoney, "claims zero sum but paid"),
        (PaysTwice, "not the sum of the rewards"),
        (LeaksOnceTheHandIsOn, "chance outcome hidden from it"),
        (Forgets, "was rewritten|first saw"),
        (HidesOwnActions, "first saw"),
        (UnfairDeck, "chance sums to"),
        (AcceptsAnything, "illegal action .* was played"),
        (CheapForfeit, "more than -2"),
        (ForgivingForfeit, "did not end the round"),
        (NarrowBounds, "a round paid -2"),
        (TooFewSlots, "2 decisions in a round"),
        (SaysYou, "says 'you'"),
        (LeavesHoles, "has a hole left"),
        (MisreadsLegality, "legal_at says"),
    ],
)
def test_a_broken_game_fails_its_check(broken, message):
    with pytest.raises((AssertionError, ValueError), match=message):
        check_game(broken(), seed=0)


def test_two_actions_of_the_same_words_fail():
    with pytest.raises(ValueError, match="have the same words"):
        check_game(SameWords(), seed=0)


def test_the_wrapper_itself_is_sound():
    check_game(WrappedKuhn(), seed=0)
    check_game(WrappedKuhn(hands=3), seed=0)


class Mutable(Wrapped):
    """A state whose attributes can be set."""

    __setattr__ = object.__setattr__


class Settable(WrappedKuhn):
    def initial_state(self):
        return Mutable(self, KuhnPoker.initial_state(self))


def test_a_state_that_can_be_changed_fails():
    with pytest.raises(AssertionError, match="can be set"):
        check_game(Settable(), seed=0)


class RemembersTheHand(WrappedKuhn):
    """Only the hand in play matters to what comes."""

    def payoff_state(self, state, seat):
        return state.inner.hand, state.inner.cards, state.inner.history


class HidesTheHistory(RemembersTheHand):
    def payoff_state(self, state, seat):
        return state.inner.hand, state.inner.cards


class HidesTheCards(RemembersTheHand):
    def payoff_state(self, state, seat):
        return state.inner.hand, state.inner.history, bool(state.inner.cards)


class HidesTheHandNumber(RemembersTheHand):
    def payoff_state(self, state, seat):
        return state.inner.hand % 2, state.inner.cards, state.inner.history, state.is_terminal


class KeepsScore(RemembersTheHand):
    """Equal now, different after the next move."""

    def payoff_state(self, state, seat):
        score = state.inner.returns if len(state.inner.history) == 1 else ()
        return super().payoff_state(state, seat), score


def test_a_payoff_state_that_holds_all_that_matters_passes():
    check_game(RemembersTheHand(hands=3), seed=0)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (HidesTheHistory, "offer different moves or chance"),
        (HidesTheHandNumber, "show it"),
        (KeepsScore, "become"),
    ],
)
def test_a_payoff_state_that_merges_too_much_fails(broken, message):
    with pytest.raises(AssertionError, match=f"two states of one payoff state .* {message}"):
        check_game(broken(hands=3), seed=0)


def test_a_payoff_state_that_hides_the_cards_fails_by_what_it_pays_or_shows():
    said = []
    for seed in range(4):  # which of the two comes first depends on the plays
        with pytest.raises(AssertionError, match="two states of one payoff state") as failed:
            check_game(HidesTheCards(hands=3), seed=seed)
        said.append(str(failed.value))
    assert any(re.search(r"pay it -?\d", text) for text in said)
    assert any("show it" in text for text in said)


def test_a_memory_of_what_the_payoff_state_leaves_open_fails():
    # The card is part of neither, so a script that remembers it only once it was shown cannot be merged before.
    def shown(information_state):
        return tuple(event.value for event in information_state if event.kind == "shown")

    class Blind(RemembersTheHand):
        def payoff_state(self, state, seat):
            return state.inner.hand, state.inner.history

    def passive(information_state, legal):
        return {legal[0]: 1.0}

    script = Opponent("x", passive, stochastic=False, source="here", memory=shown)
    with pytest.raises(AssertionError, match=r"remembers the same .* but .* after"):
        check_opponent(Blind(hands=2), script)
