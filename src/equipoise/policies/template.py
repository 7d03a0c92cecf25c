"""Renders chat templates, which are programs that come with a model: sandboxed by transformers, and cut off here.

A template may loop for as long as it likes. It is Python once it is compiled, so a trace function looks at the clock at
each of its lines and stops it, in any thread and without signals. One single step cannot be stopped: a huge power, or a
text times a huge number, takes its time and its memory.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from equipoise.errors import UserError

LIMIT_S = 5.0
"""Seconds that one rendering may take; honest templates take milliseconds."""


class _Endless(Exception):
    """A template has used up its time."""


def render(tokenizer: Any, messages: list[dict[str, str]], thinking: bool) -> str:
    """The messages as a tokenizer's template writes them, with the opening of the next reply.

    The rules move into the first user turn where the template has no system turn, or drops it.

    Args:
        tokenizer: Whose template it is.
        messages: Rules, an observation, and what follows.
        thinking: Whether the template is to ask for thoughts; templates without such a switch ignore it.

    Raises:
        UserError: The template failed, or did not end in time.
    """
    rules, seen, *rest = messages
    try:
        text = _apply(tokenizer, messages, thinking)
        if rules["content"] in text:
            return text
    except _Endless as error:
        raise UserError(f"the chat template did not end within {LIMIT_S:g} seconds; use another one") from error
    except Exception as error:  # a template may raise anything to say that it has no system role
        if "system" not in str(error).lower():
            raise _failed(error) from error
    merged = {"role": "user", "content": f"{rules['content']}\n\n{seen['content']}"}
    try:
        return _apply(tokenizer, [merged, *rest], thinking)
    except _Endless as error:
        raise UserError(f"the chat template did not end within {LIMIT_S:g} seconds; use another one") from error
    except Exception as error:
        raise _failed(error) from error


def _failed(error: Exception) -> UserError:
    first = next(iter(str(error).splitlines()), type(error).__name__)
    return UserError(f"the chat template failed: {first}")


def _apply(tokenizer: Any, turns: list[dict[str, str]], thinking: bool) -> str:
    with _stopped_after(LIMIT_S):
        return str(
            tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True, enable_thinking=thinking)
        )


@contextmanager
def _stopped_after(limit_s: float) -> Iterator[None]:
    """Raises `_Endless` at the first line of Python that this thread runs after so many seconds."""
    end, before = time.monotonic() + limit_s, sys.gettrace()

    def watch(frame: FrameType, event: str, argument: object) -> Any:
        if time.monotonic() > end:
            raise _Endless
        return watch

    sys.settrace(watch)
    try:
        yield
    finally:
        sys.settrace(before)
