"""The command line. A user's mistake gives one line and exit code 2; Ctrl-C saves and says how to go on (130).

SIGTERM and SIGHUP do as Ctrl-C does, with 143 and 129.
"""

from __future__ import annotations

import argparse
import io
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TextIO

from equipoise import __version__
from equipoise.cli import audit, crossplay, demo, new, probe, report, reproduce, talk, train
from equipoise.cli.games import games as games_command
from equipoise.cli.shared import Parser, Stopped, add_json, add_profile, add_sets, one_line, unchecked
from equipoise.errors import ModelWarning, UserError
from equipoise.registry import PluginWarning

EXAMPLES = """examples:
  equipoise demo                                base, SFT and SEPO side by side
  equipoise games kuhn_poker                    rules, prompts, opponents
  equipoise train kuhn_poker --out runs/nash    against the exact best response
  equipoise train --games all --out runs/joint  one model, every game
  equipoise audit runs/nash --game kuhn_poker   how exploitable is it, exactly
  equipoise reproduce sepo --quick              every game, every objective
  equipoise new game my_game                    a game of your own, as a package
"""


def parser() -> argparse.ArgumentParser:
    """The argument parser with every command."""
    top = Parser(
        prog="equipoise",
        description="Train and audit strategically safe language-model agents.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"equipoise {__version__}")
    verbs = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    games = verbs.add_parser("games", help="list the games, or show one: rules, prompts, opponents")
    games.add_argument("name", nargs="?", help="a game's name, package.module:Name or path/file.py:Name")
    add_sets(games, "a game parameter, for example hands=6")
    add_json(games)
    add_profile(games)
    unchecked(games)
    games.set_defaults(run=games_command)

    train.add_to(verbs)
    audit.add_to(verbs)
    report.add_to(verbs)
    crossplay.add_to(verbs)
    probe.add_to(verbs)
    talk.add_to(verbs)
    reproduce.add_to(verbs)
    new.add_to(verbs)

    demo.add_to(verbs)
    return top


@contextmanager
def _own_warnings_in_one_line() -> Iterator[None]:
    """Within it a warning about an installed package or a model is one line without a place in our code."""
    shown = warnings.showwarning

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if issubclass(category, (PluginWarning, ModelWarning)):
            print(f"equipoise: warning: {message}", file=sys.stderr)
        else:
            shown(message, category, filename, lineno, file, line)

    with warnings.catch_warnings():
        for category in (PluginWarning, ModelWarning):
            warnings.simplefilter("default", category)
        warnings.showwarning = show
        yield


class CtrlC(KeyboardInterrupt):
    """Ctrl-C, SIGTERM or SIGHUP under our own name.

    Where KeyboardInterrupt itself passes through code made from text (every dataclass and named tuple an import
    defines), Python remembers it and ends the process by the signal, although it was caught and 130 returned.

    Attributes:
        number: The signal.
    """

    def __init__(self, number: int) -> None:
        """Args: number: The signal."""
        super().__init__()
        self.number = number


@contextmanager
def _own_interrupt() -> Iterator[None]:
    """Raises `CtrlC` within; whoever has set another handler, or lets a signal be ignored, keeps it."""
    mine = {}
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number and signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                mine[number] = signal.signal(number, _raise)
    try:
        yield
    finally:
        for number, heard in mine.items():
            signal.signal(number, heard)


def _raise(number: int, frame: FrameType | None) -> None:
    raise CtrlC(number)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file's name may be no text at all
    try:
        options = parser().parse_args(arguments)
        with _own_interrupt(), _own_warnings_in_one_line():
            options.run(options)
    except (Stopped, CtrlC) as stop:
        with suppress(OSError):  # after SIGHUP there may be no terminal
            print(f"equipoise: {stop if str(stop) else 'stopped'}", file=sys.stderr)
        return 128 + stop.number
    except KeyboardInterrupt:
        print("equipoise: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0
    except (UserError, OSError, ImportError) as error:
        print(f"equipoise: error: {one_line(error)}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
