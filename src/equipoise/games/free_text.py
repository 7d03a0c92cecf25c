"""Talk as an action: any line of text, where a state allows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from equipoise.core import Action
from equipoise.errors import UserError

MAX_TEXT = 4_000
"""The longest text any game may allow, in characters."""

BLANK = " \t\r"
"""Blanks that count for nothing around an action's words."""

SILENCE = "..."
"""The message of a player that says nothing: what a fault plays where any text is legal and an action is needed."""


@dataclass(frozen=True, slots=True)
class AnyText:
    """Stands for every line of text up to a length among the legal actions of a state: talk is an action like others.

    A game that allows it lists it in `Game.actions`, too. What is played is the text itself, a `str`.

    Attributes:
        limit: Most characters.
    """

    limit: int

    def __post_init__(self) -> None:
        if not len(SILENCE) <= self.limit <= MAX_TEXT:
            raise UserError(f"got a text limit of {self.limit}; allowed: {len(SILENCE)} to {MAX_TEXT} characters")

    def admits(self, action: Action) -> bool:
        """Whether an action is one line of 1 to `limit` characters that UTF-8 can write, without blanks around it."""
        return isinstance(action, str) and len(action) <= self.limit and is_line(action)


def is_line(text: str) -> bool:
    """Whether a text can be a message: not empty, no line feed, no blanks around it, no half of a surrogate pair."""
    whole = not any("\ud800" <= character <= "\udfff" for character in text)
    return bool(text) and "\n" not in text and text == text.strip(BLANK) and whole


def is_legal(action: Action, legal: Sequence[Action]) -> bool:
    """Whether an action is one of the legal ones, or a text that they admit."""
    if isinstance(action, AnyText):
        return False
    return action in legal or any(isinstance(option, AnyText) and option.admits(action) for option in legal)


@lru_cache(maxsize=4096)
def text_limit(legal: tuple[Action, ...]) -> int:
    """The most characters of a text among the legal actions; 0 where none is one."""
    return max((option.limit for option in legal if isinstance(option, AnyText)), default=0)
