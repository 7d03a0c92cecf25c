"""What several commands need: stopping, quiet libraries, settings on the command line."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.core import Game
from equipoise.errors import UserError
from equipoise.games import domain, make_game
from equipoise.registry import is_foreign

if TYPE_CHECKING:
    from equipoise.lab.results import Result

DEVICES, DTYPES = ("auto", "cpu", "cuda"), ("float32", "bfloat16")


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


def tell(result: Result, out: Path, *, as_json: bool) -> None:
    """Writes the page of a finished result and prints what it says, or its JSON.

    Args:
        result: Stored as `result.json` in `out`.
        out: Its folder; the page becomes `report.html` there.
        as_json: Whether the file is printed instead.
    """
    from equipoise.lab.results import RESULT
    from equipoise.reports.terminal import show
    from equipoise.reports.views import document_of
    from equipoise.reports.write import PAGE, write_page

    document = document_of(result)
    page = write_page(document, out / PAGE)
    if as_json:
        print((out / RESULT).read_text(encoding="utf-8"), end="")
        return
    show(document, sys.stdout)
    print(f"\n{page}\n{out / RESULT}")


def chosen_game(options: argparse.Namespace, name: str, profile: str = "corrected") -> Game:
    """The game that a command was asked for, with the parameters of its --set.

    Raises:
        UserError: For an unknown game, profile or parameter, or a stranger's game that breaks the rules of games.
    """
    known = domain(name).profile(profile)
    game = make_game(name, **{**known.parameters, **pairs(options.set)})
    check_foreign([(name, game)], unchecked=options.unchecked)
    return game


def check_foreign(games: Iterable[tuple[str, Game]], *, unchecked: bool) -> None:
    """Nothing for games that keep the rules, and for ours, whose tests hold them to it.

    Args:
        games: Each with the name it was found by.
        unchecked: Whether to go on whatever a check would say.

    Raises:
        UserError: For a stranger's game that breaks a rule; the line is the check's own.
    """
    for name, game in games:
        if not unchecked and is_foreign("game", name):
            from equipoise.testing import first_failure

            failure = first_failure(game)
            if failure:
                raise UserError(f"{name} breaks a rule of games: {failure} (--unchecked goes on all the same)")


def unchecked(verb: argparse.ArgumentParser) -> None:
    """Adds the option to play a game that breaks the rules of games."""
    text = "play somebody's game although its conformance check fails"
    verb.add_argument("--unchecked", action="store_true", help=text)


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
