"""Renders what a player saw into words and parses the words a player answers with, for every game.

This is the only module that decides between "you" and "the other player". A game gives sentences with holes:

    {Player}, {player}     the one the event is about, at the start of or inside a sentence
    {Player's}, {player's} the possessive
    {bets|bet}             the verb for the third and for the second person
    {words}                the text the event holds, in quotation marks

Parsing is strict. The last non-empty line of a reply must be exactly one action's words, optionally after "Action:".
Anything else is a typed `Fault`: nothing is guessed, and a sentence that merely mentions an action plays nothing.
A line ends at a line feed and nowhere else: the other separators of Unicode (U+2028, form feed, a lone carriage return
...) show as anything or nothing, so what stands before one must not vanish from the line. Blanks around an action's
words are spaces and tabs; its letters and digits are ASCII. Where a state allows any text, a last line that is no
other action's words is the text, as it stands. Kinds of fault, by the last line:

    illegal      exactly one action's words, or a number (or numbers) of their form, that is not open now
    ambiguous    two or more actions named
    refusal      declines to act and names one action at most
    unparsable   anything else, an empty reply, or one too long to read

How a player is asked for its move is a `Wording`. Models raised on these games read the words alone, "check or bet?";
others do not see that they are to choose, so they are told, on a line of its own: Choose one: "check" or "bet".

What one player says is shown to another between quotation marks, on one line and without control characters
(`quoted`): no text can end its own quotation, open a line, fill a hole, or pass for a sentence of the game.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, get_args

from equipoise.core import Action, Event, Fault, Game, InformationState
from equipoise.errors import UserError
from equipoise.games.free_text import BLANK, MAX_TEXT, AnyText, is_legal, text_limit

_HOLE = re.compile(r"\{([^{}|]+)(?:\|([^{}|]*))?\}")
_HEAD = re.compile(r"action[ \t]*:[ \t]*(?=.)", re.DOTALL)
_NUMBER = re.compile(r"(?<![0-9])(?:0|[1-9][0-9]*)(?![0-9])")
_REFUSAL = re.compile(r"\b(?:i can(?:no|['\u2019])t|i won['\u2019]t|i will not|i refuse|as an ai)\b")
_SHOWN_CHARACTERS = 40
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
MAX_REPLY_CHARACTERS = MAX_TEXT

Reasoning = Literal["none", "brief", "free"]
"""What may stand before the action of a reply: nothing, one short sentence, or anything."""

REASONING: tuple[Reasoning, ...] = get_args(Reasoning)

Wording = Literal["terse", "full"]
"""How a player is asked for its move: by the words that are open alone, or told in a sentence to choose one of them."""

WORDINGS: tuple[Wording, ...] = get_args(Wording)

_ANSWERS: dict[Reasoning, str] = {
    "none": "Answer with {answer}.",
    "brief": "Answer with one short reason, then {answer} on a line of its own.",
    "free": "Think as long as you like, then end with {answer} on a line of its own.",
}


def render_rules(game: Game, reasoning: Reasoning = "none") -> str:
    """The rules and how to answer: what a model reads before the first observation.

    Raises:
        ValueError: For an unknown kind of reasoning.
    """
    if reasoning not in _ANSWERS:
        raise UserError(f"unknown reasoning {reasoning!r}; known: {', '.join(REASONING)}")
    return f"{game.rules_text} {_ANSWERS[reasoning].format(answer=game.answer)}"


def render_reply(game: Game, action: Action, reason: str = "") -> str:
    """A reply as a model would write it: the reason, if there is one, on a line of its own, and the action's words."""
    return f"{reason}\n{game.action_text(action)}" if reason else game.action_text(action)


def render_event(game: Game, event: Event, seat: int) -> str:
    """The sentence a reader in `seat` gets for one event."""
    own = event.player == seat
    third = "the other player" if game.num_players == 2 else f"player {(event.player or 0) + 1}"

    def fill(match: re.Match[str]) -> str:
        word, second_person = match.group(1), match.group(2)
        if second_person is not None:
            return second_person if own else word
        if word.lower() == "player":
            name = "you" if own else third
        elif word.lower() == "player's":
            name = "your" if own else f"{third}'s"
        elif word == "words":
            return quoted(str(event.value))
        else:
            raise UserError(f"unknown hole {match.group(0)!r} in a sentence of {game.name}")
        return name[0].upper() + name[1:] if word[0].isupper() else name

    return _HOLE.sub(fill, game.event_template(event))


def quoted(text: str) -> str:
    """A text between quotation marks, with an escape for every mark, backslash and unprintable character in it.

    Unprintable are control and format characters (those that turn the direction of writing among them), separators
    other than the space, and code points without a meaning.
    """
    return f'"{"".join(_shown(character) for character in text)}"'


def _shown(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if character.isprintable() else escaped(character)


def escaped(character: str) -> str:
    """The escape that stands for a character that cannot be shown, in ASCII: its code point in 4 or 8 hex digits."""
    return f"\\u{ord(character):04x}" if ord(character) <= 0xFFFF else f"\\U{ord(character):08x}"


def render_question(game: Game, legal: tuple[Action, ...], wording: Wording) -> str:
    """The closing line of an observation: the words that are legal now."""
    if wording == "full":
        choices = _choices(game, legal, '"')
        return f"Write {choices}." if len(legal) == 1 and text_limit(legal) else f"Choose one: {choices}."
    choices = _choices(game, legal)
    return f"{choices[0].upper()}{choices[1:]}?" if text_limit(legal) else f"{choices}?"


@lru_cache(maxsize=4096)
def _choices(game: Game, legal: tuple[Action, ...], mark: str = "") -> str:
    """The words that are legal, each between two marks; of more than four the first and the last."""
    words = [f"{mark}{game.action_text(a)}{mark}" for a in legal if not isinstance(a, AnyText)]
    choices = [" or ".join(words) if len(words) <= 4 else f"{words[0]} to {words[-1]}"] if words else []
    limit = text_limit(legal)
    return " or ".join([*choices, *([f"a message of at most {limit} characters"] if limit else [])])


def render_observation(
    game: Game, events: Sequence[Event], seat: int, legal: tuple[Action, ...], wording: Wording
) -> str:
    """One observation: a sentence per event, then the question, in the full wording on a line of its own."""
    sentences = " ".join(filter(None, (render_event(game, event, seat) for event in events)))
    question = render_question(game, legal, wording)
    if not sentences:
        return question
    return f"{sentences}\n{question}" if wording == "full" else f"{sentences} {question}"


def observations(
    game: Game, information_state: InformationState, seat: int, legal: tuple[Action, ...], wording: Wording
) -> tuple[list[str], list[Action]]:
    """The whole transcript behind an information state: K+1 observations and the K own actions between them."""
    cuts = [i for i, e in enumerate(information_state) if e.kind == "act" and e.player == seat]
    texts, actions, start = [], [], 0
    for cut in cuts:
        earlier = information_state[:cut]
        open_then = game.legal_at(earlier, seat)
        texts.append(render_observation(game, information_state[start:cut], seat, open_then, wording))
        actions.append(information_state[cut].value)
        start = cut + 1
    texts.append(render_observation(game, information_state[start:], seat, legal, wording))
    return texts, actions


def _fold(text: str) -> str:
    """Lower case for ASCII letters alone, so that no look-alike letter folds into an action's words."""
    return text.translate(_LOWER)


@lru_cache(maxsize=4096)
def _labels(game: Game) -> dict[str, Action]:
    named = [a for a in game.actions if not isinstance(a, AnyText)]
    labels = {_fold(game.action_text(a)): a for a in named}
    if len(labels) != len(named):
        raise UserError(f"two actions of {game.name} have the same words")
    return labels


@lru_cache(maxsize=4096)
def _mention(game: Game) -> re.Pattern[str]:
    """Finds the words of actions; the 3 of "3.5", of "3,000" or of "-3" is part of another number and no mention."""
    words = sorted((re.escape(label) for label in _labels(game)), key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?<!\d[.,])(?<!(?<!\w)-)(?:{'|'.join(words)})(?!\w)(?![.,]\d)")


@lru_cache(maxsize=4096)
def _number_form(game: Game) -> re.Pattern[str]:
    """Matches what has the form of an action whose words hold whole numbers; nothing where no action's do."""
    numbered = [re.escape(label) for label in _labels(game) if _NUMBER.search(label)]
    forms = {_NUMBER.sub(lambda _: _NUMBER.pattern, label) for label in numbered}
    return re.compile("|".join(sorted(forms)) or r"(?!)")


def parse(game: Game, text: str, legal: tuple[Action, ...]) -> Action | Fault:
    """The action a reply names, or the fault it is.

    Args:
        game: Whose words are spoken.
        text: The reply.
        legal: The actions open now.
    """
    if len(text) > MAX_REPLY_CHARACTERS:
        return Fault("unparsable", f"reply of {len(text)} characters; at most {MAX_REPLY_CHARACTERS} are read")
    line = next((bare for part in reversed(text.split("\n")) if (bare := part.strip(BLANK))), "")
    if not line:
        return Fault("unparsable", "empty reply")
    folded = _fold(line)
    spoken = _spoken(folded)
    action = _labels(game).get(spoken)
    if action is not None and action in legal:
        return action
    limit = text_limit(legal)
    if limit:
        return line if is_legal(line, legal) else _no_message(line, limit)
    return _fault(game, folded, spoken, legal)


def _spoken(line: str) -> str:
    """A line without "action:" before it and one full stop or exclamation mark after it, and the blanks beside them.

    Steps that each read the line once: a pattern for all of it would try every blank as the end of the words.
    """
    head = _HEAD.match(line)
    said = line[head.end() :] if head else line
    bare = said[:-1] if said[-1] in ".!" else said
    return bare.rstrip(" \t") or said


def _no_message(line: str, limit: int) -> Fault:
    """What is wrong with a line that is no message."""
    if len(line) > limit:
        return Fault("illegal", f"a message of {len(line)} characters; allowed: at most {limit}")
    return Fault("unparsable", "the message holds characters that no text can hold")


def _fault(game: Game, line: str, spoken: str, legal: tuple[Action, ...]) -> Fault:
    """What is wrong with a last line that is no legal action."""
    allowed = _choices(game, legal)
    if spoken in _labels(game) or _number_form(game).fullmatch(spoken):
        shown = spoken if len(spoken) <= _SHOWN_CHARACTERS else f"{spoken[:_SHOWN_CHARACTERS]}..."
        return Fault("illegal", f"{shown!r} is not allowed here; allowed: {allowed}")
    named = set(_mention(game).findall(line))
    if len(named) > 1:
        return Fault("ambiguous", f"the last line names {', '.join(sorted(named))}; expected one of: {allowed}")
    if _REFUSAL.search(line):
        return Fault("refusal", f"the reply declines to act; expected one of: {allowed}")
    return Fault("unparsable", f"the last line is not one action; expected one of: {allowed}")
