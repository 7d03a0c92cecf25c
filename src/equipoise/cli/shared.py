"""What several commands need: stopping, quiet libraries, settings on the command line."""

from __future__ import annotations

import json
from typing import Any


class Stopped(Exception):
    """The user stopped a command; the message says what was saved and how to go on."""


def quiet_libraries() -> None:
    """Keeps third-party notices that a user can do nothing about out of the terminal."""
    import os
    import warnings

    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers\..*")
    from transformers.utils import logging

    logging.disable_progress_bar()


def pairs(texts: list[str]) -> dict[str, Any]:
    """`key=value` settings as keyword arguments; integers and numbers are recognised."""
    found: dict[str, Any] = {}
    for text in texts:
        key, separator, value = text.partition("=")
        if not separator:
            raise ValueError(f"setting {text!r} has no '='; write key=value, for example hands=6")
        try:
            found[key] = json.loads(value)
        except json.JSONDecodeError:
            found[key] = value
    return found
