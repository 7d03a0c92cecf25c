"""The shipped checks fail every way in which a game or a script with talk can break what it promises."""

import pytest

from equipoise.core import Opponent
from equipoise.games.free_text import AnyText
from equipoise.games.prisoners_dilemma import DOMAIN as DILEMMA
from equipoise.games.trust_and_split.rules import TrustAndSplit, TrustState
from equipoise.testing import check_game, check_opponent
from equipoise.testing.play import HOSTILE, decisions


def script(behaviour, memory=None, reason=None):
    return Opponent("x", behaviour, stochastic=False, source="here", memory=memory, reason=reason)


def test_random_players_say_every_hostile_line_and_words_of_the_rules():
    game = TrustAndSplit(rounds=4)
    said = {e.value for seen, _ in decisions(game, 0) for e in seen if e.kind == "act" and isinstance(e.value, str)}
    assert set(HOSTILE) <= said
    assert {"rock", "paper", "scissors"} <= {word for line in said for word in line.split()}
    assert all(AnyText(40).admits(line) for line in HOSTILE)
    assert {e.value for seen, _ in decisions(DILEMMA.make(rounds=2), 0) for e in seen if e.kind == "act"} == {
        *DILEMMA.make().actions
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
        check_opponent(TrustAndSplit(rounds=1), script(says))


def test_a_script_that_speaks_and_claims_passes():
    check_opponent(TrustAndSplit(rounds=2), script(lambda seen, legal: {10 if len(legal) > 1 else "Hello.": 1.0}))


def test_a_memory_that_forgets_a_message_the_script_uses_fails():
    def echoes(information_state, legal):
        heard = [event.value for event in information_state if event.kind == "act"]
        return {10 if len(legal) > 1 else str(heard[-1]) if heard else "Hello.": 1.0}

    with pytest.raises(AssertionError, match=r"remembers the same .* but plays"):
        check_opponent(TrustAndSplit(rounds=2), script(echoes, memory=lambda seen: None))


def test_a_reason_for_a_message_may_be_a_message_itself():
    check_opponent(
        TrustAndSplit(rounds=1),
        script(lambda seen, legal: {legal[0] if len(legal) > 1 else "Hello.": 1.0}, reason=lambda seen, a: "It pays."),
    )
