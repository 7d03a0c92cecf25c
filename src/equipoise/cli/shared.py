"""What several commands need: unknown options, stopping, quiet libraries, settings on the command line."""

from __future__ import annotations

import argparse
import difflib
import json
import re
import shlex
import signal
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from equipoise.core import Game
from equipoise.errors import UserError
from equipoise.games import domain, make_game
from equipoise.registry import is_foreign


class Parser(argparse.ArgumentParser):
    """A parser that says which option it does not know before it says which one is missing: they may be the same."""

    def parse_known_args(self, args: Iterable[str] | None = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """As argparse has it.

        Raises:
            UserError: For an option that there is not.
        """
        words = sys.argv[1:] if args is None else [*args]
        self._check_options(words)
        return super().parse_known_args(words, namespace)

    def _check_options(self, words: list[str]) -> None:
        """Refuses an unknown option; a value, a number and what comes after a command or -- is none."""
        known = [option for action in self._actions for option in action.option_strings]
        bare = [option.lstrip("-") for option in known]  # dashes make no two options alike
        for word in words:
            if not _OPTION.fullmatch(word):
                if word == "--" or self._subparsers is not None:
                    return
                continue
            name = word.partition("=")[0]
            start = name if name.startswith("--") else name[:2]  # -xVALUE is -x; --na stands for --name
            if not any(option.startswith(start) for option in known):
                close = [o for o in known if o.lstrip("-") in difflib.get_close_matches(name.lstrip("-"), bare, n=1)]
                hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
                raise UserError(f"unknown option {name!r}; {hint}")


_OPTION = re.compile(r"-(-[^ ]+|[^-\d. ][^ ]*)", re.DOTALL)


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
    if "TRANSFORMERS_VERBOSITY" not in os.environ:  # a user cannot mend a slow kernel or a deprecated key
        logging.set_verbosity_error()


def command_line(words: list[str], named: Mapping[str, Any], options: argparse.Namespace) -> str:
    """The command that does the same again: its words, those of `named` that are set, then --set and --out."""
    for name, value in named.items():
        words = [*words, *([f"--{name}", str(value)] if value is not None else [])]
    for text in options.set:
        words = [*words, "--set", text]
    return shlex.join([*words, *(["--out", str(options.out)] if options.out else [])])


DEVICES, DTYPES = ("auto", "cpu", "cuda"), ("float32", "bfloat16")
HARDWARE = ("engine", "device", "dtype")


def add_sets(verb: argparse.ArgumentParser, what: str) -> None:
    """Adds --set KEY=VALUE."""
    verb.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help=what)


def add_profile(verb: argparse.ArgumentParser) -> None:
    """Adds --profile."""
    text = "whose opponents and hazards: corrected (default) or published, SEPO's own"
    verb.add_argument("--profile", choices=("corrected", "published"), default="corrected", help=text)


def add_json(verb: argparse.ArgumentParser) -> None:
    """Adds --json."""
    verb.add_argument("--json", action="store_true", help="print JSON instead of text")


def add_hardware(verb: argparse.ArgumentParser) -> None:
    """Adds --engine, --device and --dtype; what is not said is the run's own."""
    verb.add_argument("--engine", metavar="NAME", help="where tokens come from (default: the run's own, or local)")
    verb.add_argument("--device", choices=DEVICES, help="where models compute (default: the run's own, or auto)")
    verb.add_argument("--dtype", choices=DTYPES, help="of a model's weights (default: the run's own, or float32)")


def hardware(options: argparse.Namespace) -> dict[str, Any]:
    """What was said of engine, device and precision."""
    return {name: getattr(options, name) for name in HARDWARE if getattr(options, name) is not None}


def chosen_game(
    options: argparse.Namespace, name: str, profile: str = "corrected", own: Mapping[str, Any] | None = None
) -> Game:
    """The game that a command was asked for, with the parameters of its --set.

    Args:
        options: With `set` and `unchecked`.
        name: The game.
        profile: Whose parameters it has where nothing else is said.
        own: Parameters that go before the profile's: those of the run that made a model.

    Raises:
        UserError: For an unknown game, profile or parameter, or a stranger's game that breaks the rules of games.
    """
    known = domain(name).profile(profile)
    game = make_game(name, **{**known.parameters, **(own or {}), **pairs(options.set)})
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
        except (ValueError, RecursionError):  # thousands of digits, or of brackets
            raise UserError(f"setting {text[:40]!r}... is too long a number, or nested too deep") from None
    return found
