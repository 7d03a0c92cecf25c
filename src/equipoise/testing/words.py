"""Holds the words of a game to what `equipoise.core` and `equipoise.games.text` promise."""

from __future__ import annotations

import re

from equipoise.core import Action, Event, Fault, Game, InformationState, State
from equipoise.games.free_text import AnyText, text_limit
from equipoise.games.text import observations, parse, quoted, render_event
from equipoise.testing.play import HOSTILE, options

_SECOND_PERSON = re.compile(r"\b(?:you|your|yours|yourself)\b", re.IGNORECASE)
_HOLES = re.compile(r"\{[^{}]*\}")


def check_event(game: Game, event: Event) -> None:
    """Asserts that an event's sentence is complete for every reader and quotes what a player said."""
    template = game.event_template(event)
    said = quoted(str(event.value)) if "{words}" in template else ""
    if text_limit(game.actions) and event.value in HOSTILE and event.value not in game.actions:
        assert said, f"{game.name}: {event} shows a text outside quotation marks in {template!r}; use a {{words}} hole"
    outside = _HOLES.sub("", template)
    assert not _SECOND_PERSON.search(outside), (
        f"{game.name}: the sentence {template!r} says 'you'; use a {{player}} hole"
    )
    for reader in range(game.num_players):
        sentence = render_event(game, event, reader)
        own_words = sentence.replace(said, "") if said else sentence
        assert not set("{}") & set(own_words), f"{game.name}: {event} for seat {reader} has a hole left: {sentence!r}"


def check_words(game: Game, state: State, seat: int, prompts: dict[tuple[int, InformationState], str]) -> None:
    """Asserts that legality and prompt are functions of what a seat has seen; `prompts` holds those met so far."""
    information_state, legal = state.information_state(seat), state.legal_actions(seat)
    known = game.legal_at(information_state, seat)
    assert known == legal, f"{game.name}: legal_at says {known}, legal_actions {legal} at {information_state}"
    prompt = prompt_of(game, state, seat)
    first = prompts.setdefault((seat, information_state), prompt)
    assert prompt == first, f"{game.name}: two prompts for one information state: {first!r} and {prompt!r}"


def check_parsing(game: Game, legal: tuple[Action, ...]) -> None:
    """Asserts that legal actions are read back, texts as they stand, and that other actions are faults.

    What is read depends on the words and the legal actions alone, so each set of legal actions is checked once.
    """
    open_now, limit = set(legal), text_limit(legal)
    for action in game.actions:
        if isinstance(action, AnyText):
            continue
        words = game.action_text(action)
        read = parse(game, words, legal)
        if action in open_now:
            assert read == action, f"{game.name}: the words of {action!r} were read as {read!r}"
        elif not limit:
            assert isinstance(read, Fault), f"{game.name}: {action!r} is illegal here but was read as {read!r}"
            assert read.kind == "illegal", f"{game.name}: {action!r} is illegal here but a fault of kind {read.kind}"
    for line in options(legal) if limit else ():
        read = parse(game, game.action_text(line), legal)
        assert read == line or read in open_now, f"{game.name}: the text {line!r} was read as {read!r}"


def prompt_of(game: Game, state: State, seat: int) -> str:
    """The whole transcript of a seat: all that it was shown, and its own actions in words."""
    texts, actions = observations(game, state.information_state(seat), seat, state.legal_actions(seat), "full")
    return "\n".join([*texts, *(game.action_text(action) for action in actions)])
