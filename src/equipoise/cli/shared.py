"""What several commands need: stopping, quiet libraries, settings on the command line."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
from collections.abc import Mapping
from typing import Any

from equipoise.errors import UserError


class Stopped(Exception):
    """The user stopped a command; the message says what was saved and how to go on.

    Attributes:
        number: The signal that did it.
    """

    def __init__(self, message: str, stop: BaseException) -> None:
        """Args: message: What was saved. stop: What stopped it; Ctrl-C where it names no signal."""
        super().__init__(message)
        self.number: int = getattr(stop, "number", signal.SIGINT)


def one_line(error: Exception) -> str:
    """The error's message without line breaks, with the remedy for a missing package."""
    if isinstance(error, ImportError):
        return f"{error}; install what is missing with pip install 'equipoise[train,report]'"
    return " ".join(str(error).split())


def quiet_libraries() -> None:
    """Keeps third-party notices that a user can do nothing about out of the terminal."""
    import os
    import warnings

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers\..*")
    from transformers.utils import logging

    logging.disable_progress_bar()


def command_line(words: list[str], named: Mapping[str, Any], options: argparse.Namespace) -> str:
    """The command that does the same again: its words, those of `named` that are set, then --set and --out."""
    for name, value in named.items():
        words = [*words, *([f"--{name}", str(value)] if value is not None else [])]
    for text in options.set:
        words = [*words, "--set", text]
    return shlex.join([*words, *(["--out", str(options.out)] if options.out else [])])


def pairs(texts: list[str]) -> dict[str, Any]:
    """`key=value` settings as keyword arguments; integers and numbers are recognised."""
    found: dict[str, Any] = {}
    for text in texts:
        key, separator, value = text.partition("=")
        if not separator:
            raise UserError(f"setting {text!r} has no '='; write key=value, for example hands=6")
        try:
            found[key] = json.loads(value)
        except json.JSONDecodeError:
            found[key] = value
    return found
