"""The shipped checks pass every game and script we ship, and fail every way of breaking one."""

import inspect
from dataclasses import dataclass, replace

import pytest

from equipoise.core import Event, Opponent, Pools, State
from equipoise.games import DOMAINS, domain, make_game
from equipoise.games.free_text import AnyText
from equipoise.games.history import joint_moves
from equipoise.games.kuhn_poker import KuhnPoker
from equipoise.games.kuhn_poker.opponents import MANIAC, NIT, POOLS, nash
from equipoise.games.prisoners_dilemma import DOMAIN as DILEMMA
from equipoise.games.trust_and_split.rules import TrustAndSplit, TrustState
from equipoise.testing import MAX_REASON_CHARACTERS, check_game, check_opponent, check_pools, check_profile
from equipoise.testing.play import HOSTILE, decisions

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
        (HidesTheCards, r"pay it -?\d"),
        (HidesTheHandNumber, "show it"),
        (KeepsScore, "become"),
    ],
)
def test_a_payoff_state_that_merges_too_much_fails(broken, message):
    with pytest.raises(AssertionError, match=f"two states of one payoff state .* {message}"):
        check_game(broken(hands=3), seed=0)


def opponent(behaviour, stochastic=False, name="x", source="here", memory=None, reason=None):
    return Opponent(name, behaviour, stochastic, source, memory, reason)


def passive(information_state, legal):
    return {legal[0]: 1.0}


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (opponent(passive, stochastic=True), "never mixes"),
        (opponent(nash(0.1)), "claims stochastic=False"),
        (opponent(lambda i, legal: {"check": 1.0}), "outside"),
        (opponent(lambda i, legal: {legal[0]: 0.5}), "does not sum to one"),
        (opponent(lambda i, legal: {legal[0]: 1.5, legal[1]: -0.5}), "negative"),
        (opponent(passive, source=" "), "where the strategy comes from"),
        (opponent(passive, name="Nit Picker"), "lower case"),
    ],
)
def test_a_script_that_breaks_its_claims_fails(script, message):
    with pytest.raises(AssertionError, match=message):
        check_opponent(KuhnPoker(), script)


def test_a_script_that_remembers_fails():
    calls = []

    def moody(information_state, legal):
        calls.append(1)
        return {legal[len(calls) % 2]: 1.0}

    with pytest.raises(AssertionError, match="when asked again"):
        check_opponent(KuhnPoker(), opponent(moody))


def test_a_held_out_script_that_is_a_training_script_renamed_fails():
    pools = Pools(train=(opponent(MANIAC, name="a"),), held_out=(opponent(NIT, name="b"), opponent(MANIAC, name="c")))
    with pytest.raises(AssertionError, match="held_out/c plays exactly as train/a"):
        check_pools(KuhnPoker(), pools)


def test_empty_pools_fail():
    with pytest.raises(AssertionError, match="train pool is empty"):
        check_pools(KuhnPoker(), Pools(held_out=POOLS.held_out))
    with pytest.raises(AssertionError, match="held-out pool is empty"):
        check_pools(KuhnPoker(), Pools(train=POOLS.train))


COOPERATE, DEFECT = DILEMMA.make().actions


def moves_of_other(information_state):
    return [other for _, other in joint_moves(information_state) if other is not None]


def last_of_other(information_state):
    return (moves_of_other(information_state) or [None])[-1]


def answers(information_state, legal):
    return {DEFECT if last_of_other(information_state) == DEFECT else COOPERATE: 1.0}


def defects_from_the_third(information_state, legal):
    return {DEFECT if len(moves_of_other(information_state)) >= 2 else COOPERATE: 1.0}


def at_most_two_and_parity(information_state):
    """Tells whether two rounds were played, and something of older rounds that it does not keep up."""
    moves = moves_of_other(information_state)
    return len(moves) >= 2, moves[-2] if len(moves) == 3 else None


@pytest.mark.parametrize(
    ("behaviour", "memory", "message"),
    [
        (answers, lambda seen: None, "but plays"),
        (defects_from_the_third, last_of_other, "but plays"),
        (defects_from_the_third, at_most_two_and_parity, "after"),
    ],
)
def test_a_memory_that_forgets_what_the_script_uses_fails(behaviour, memory, message):
    with pytest.raises(AssertionError, match=f"remembers the same .* {message}"):
        check_opponent(DILEMMA.make(), opponent(behaviour, memory=memory))


def test_a_memory_of_what_the_payoff_state_leaves_open_fails():
    # The card is part of neither, so a script that remembers it only once it was shown cannot be merged before.
    def shown(information_state):
        return tuple(event.value for event in information_state if event.kind == "shown")

    class Blind(RemembersTheHand):
        def payoff_state(self, state, seat):
            return state.inner.hand, state.inner.history

    with pytest.raises(AssertionError, match=r"remembers the same .* but .* after"):
        check_opponent(Blind(hands=2), opponent(passive, memory=shown))


@pytest.mark.parametrize("memory", [last_of_other, lambda seen: tuple(moves_of_other(seen)), lambda seen: seen])
def test_a_memory_that_holds_what_the_script_uses_passes(memory):
    check_opponent(DILEMMA.make(), opponent(answers, memory=memory))


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        (lambda seen, action: "", "must be a sentence"),
        (lambda seen, action: " So it is.", "no spaces around it"),
        (lambda seen, action: "You began.\nSo do I.", "must be one line"),
        (lambda seen, action: "x" * (MAX_REASON_CHARACTERS + 1), "at most 160 characters"),
        (lambda seen, action: f"{action}.", "by itself it plays"),
        (lambda seen, action: "You began." if seen and moves_of_other(seen) else "", "must be a sentence"),
    ],
)
def test_a_reason_that_is_no_short_line_or_plays_by_itself_fails(reason, message):
    with pytest.raises(AssertionError, match=f"gives the reason .*{message}"):
        check_opponent(DILEMMA.make(), opponent(answers, reason=reason))


def test_a_reason_of_one_short_line_passes():
    check_opponent(DILEMMA.make(), opponent(answers, reason=lambda seen, action: f"It pays, so I {action}."))


def test_one_script_in_two_pools_passes_only_where_pools_overlap_under_one_name():
    first, last = opponent(MANIAC, name="a"), opponent(NIT, name="b")
    check_pools(KuhnPoker(), Pools(train=(first,), exploiter=(first,), held_out=(last,), overlapping=True))
    renamed = replace(first, name="c")
    with pytest.raises(AssertionError, match="exploiter/c plays exactly as train/a"):
        check_pools(KuhnPoker(), Pools(train=(first,), exploiter=(renamed,), held_out=(last,), overlapping=True))


def test_a_player_beside_the_pools_is_checked_too():
    sound = domain("kuhn_poker").corrected
    profile = replace(sound, players=(*sound.players, opponent(nash(0.1), name="odd")))
    with pytest.raises(AssertionError, match="claims stochastic=False"):
        check_profile(KuhnPoker(), profile)


def test_random_players_say_every_hostile_line_and_words_of_the_rules():
    game = TrustAndSplit(rounds=4)
    said = {e.value for seen, _ in decisions(game, 0) for e in seen if e.kind == "act" and isinstance(e.value, str)}
    assert set(HOSTILE) <= said
    assert {"rock", "paper", "scissors"} <= {word for line in said for word in line.split()}
    assert all(AnyText(40).admits(line) for line in HOSTILE)
    assert {e.value for seen, _ in decisions(DILEMMA.make(rounds=2), 0) for e in seen if e.kind == "act"} == {
        *(COOPERATE, DEFECT)
    }


class Shouts(TrustAndSplit):
    """Shows a message as it is, without quotation marks."""

    def event_template(self, event):
        if isinstance(event.value, str) and event.kind == "act":
            return f"{{Player}} {{says|say}}: {event.value}"
        return super().event_template(event)


class Capitalises(TrustAndSplit):
    def action_text(self, action):
        return super().action_text(action).capitalize()


class Speechless(TrustAndSplit):
    """Says that claims are open before the player has spoken."""

    def legal_at(self, information_state, seat):
        return tuple(range(11))


class Careless(TrustState):
    """Plays every message, whatever it is."""

    def _spoken(self, message):
        return super()._spoken(message if self.messages[0].admits(message) else "...")


class PlaysAnyMessage(TrustAndSplit):
    def initial_state(self):
        start = super().initial_state()
        return Careless(start.rounds, 0, start.events, messages=start.messages, alternating=False)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (Shouts, "outside quotation marks"),
        (Capitalises, "was read as"),
        (Speechless, "legal_at says"),
        (PlaysAnyMessage, "the illegal action .* was played"),
    ],
)
def test_a_game_that_breaks_what_it_promises_about_texts_fails(broken, message):
    with pytest.raises(AssertionError, match=message):
        check_game(broken(rounds=2), seed=0)


def test_the_parts_that_broken_games_replace_are_sound():
    check_game(TrustAndSplit(rounds=2), seed=0)


@pytest.mark.parametrize("words", [AnyText(500), "", " a", "a\nb", "x" * 501, 7])
def test_a_script_that_says_what_is_no_message_fails(words):
    def says(information_state, legal):
        return {legal[0] if len(legal) > 1 else words: 1.0}

    with pytest.raises(AssertionError, match="names an action outside"):
        check_opponent(TrustAndSplit(rounds=1), opponent(says))


def test_a_script_that_speaks_and_claims_passes():
    check_opponent(TrustAndSplit(rounds=2), opponent(lambda seen, legal: {10 if len(legal) > 1 else "Hello.": 1.0}))


def test_a_memory_that_forgets_a_message_the_script_uses_fails():
    def echoes(information_state, legal):
        heard = [event.value for event in information_state if event.kind == "act"]
        return {10 if len(legal) > 1 else str(heard[-1]) if heard else "Hello.": 1.0}

    with pytest.raises(AssertionError, match=r"remembers the same .* but plays"):
        check_opponent(TrustAndSplit(rounds=2), opponent(echoes, memory=lambda seen: None))


def test_a_reason_for_a_message_may_be_a_message_itself():
    check_opponent(
        TrustAndSplit(rounds=1),
        opponent(
            lambda seen, legal: {legal[0] if len(legal) > 1 else "Hello.": 1.0}, reason=lambda seen, a: "It pays."
        ),
    )
