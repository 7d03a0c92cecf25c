"""The command line. A user's mistake gives one line and exit code 2; Ctrl-C saves and says how to go on (130)."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TextIO

from equipoise import __version__
from equipoise.cli import commands, crossplay, new, probe, reproduce, talk
from equipoise.cli.games import games as games_command
from equipoise.cli.shared import Stopped, one_line, unchecked
from equipoise.core import FAULT_RULES
from equipoise.errors import UserError
from equipoise.games.text import REASONING
from equipoise.registry import PluginWarning

EXAMPLES = """examples:
  equipoise demo                                base, SFT and SEPO side by side
  equipoise games kuhn_poker                    rules, prompts, opponents
  equipoise train kuhn_poker --out runs/nash    against the exact best response
  equipoise train --games all --out runs/joint  one model, every game
  equipoise audit runs/nash --game kuhn_poker   how exploitable is it, exactly
  equipoise reproduce gradient-audit            which credit rule is right
  equipoise reproduce sepo --quick              every game, every objective
  equipoise new game my_game                    a game of your own, as a package
"""


def parser() -> argparse.ArgumentParser:
    """The argument parser with every command."""
    top = argparse.ArgumentParser(
        prog="equipoise",
        description="Train and audit strategically safe language-model agents.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"equipoise {__version__}")
    verbs = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    games = verbs.add_parser("games", help="list the games, or show one: rules, prompts, opponents")
    games.add_argument("name", nargs="?", help="a game's name, package.module:Name or path/file.py:Name")
    _sets(games, "a game parameter, for example hands=6")
    _json(games)
    _profile(games)
    unchecked(games)
    games.set_defaults(run=games_command)

    train = verbs.add_parser("train", help="train a model by a recipe")
    train.add_argument("recipe", nargs="?", help="a game, folder/recipe, or a .toml file")
    train.add_argument("--games", nargs="+", default=[], metavar="GAME", help="train these games jointly, or: all")
    train.add_argument("--out", type=Path, help="run folder (default: runs/RECIPE)")
    train.add_argument("--model", help="start from this model instead of the recipe's: tiny, a folder, or a hub id")
    train.add_argument("--seed", type=int, help="seed instead of the recipe's")
    train.add_argument("--resume", action="store_true", help="continue an interrupted run")
    train.add_argument("--deals", type=int, default=300, help="deals of the closing audit (default: 300)")
    _sets(train, "override a recipe key, for example rl.steps=50")
    _json(train)
    unchecked(train)
    train.set_defaults(run=commands.train)

    rules = f"what a fault plays: {', '.join(FAULT_RULES)} (default: forfeit)"
    audit = verbs.add_parser("audit", help="audit a model: payoffs, pool and exact exploitability, faults")
    audit.add_argument("model", help="tiny, a model or run folder, or a hub id")
    audit.add_argument("--game", required=True, help="a game's name, package.module:Name or path/file.py:Name")
    audit.add_argument("--deals", type=int, default=500, help="common deals per opponent and seat (default: 500)")
    audit.add_argument("--seed", type=int, default=0, help="keys the deals (default: 0)")
    audit.add_argument("--fault-rule", choices=FAULT_RULES, default="forfeit", metavar="RULE", help=rules)
    audit.add_argument("--temperature", type=float, default=1.0, help="sampling temperature (default: 1)")
    audit.add_argument("--max-new-tokens", type=int, help="longest reply (default: what the game's words need)")
    kinds = ", ".join(REASONING)
    audit.add_argument("--reasoning", choices=REASONING, default="none", metavar="KIND", help=f"before a move: {kinds}")
    audit.add_argument("--thinking", action="store_true", help="let a thinking model think before it replies")
    audit.add_argument("--exact-rounds", type=int, metavar="N", help="first rounds to solve exactly; 0: none")
    audit.add_argument(
        "--learned-episodes", type=int, default=0, metavar="N", help="learn an adversary from N episodes (default: 0)"
    )
    audit.add_argument(
        "--regret-deals",
        type=int,
        default=0,
        metavar="N",
        help="deals solved for the regret in bargaining and split_items (default: 0)",
    )
    for kind in ("opponent", "metric", "hazard"):
        text = f"{'an' if kind == 'opponent' else 'a'} {kind} to add: a name, package.module:Name or path/file.py:Name"
        audit.add_argument(f"--{kind}", action="append", default=[], metavar="NAME", help=text)
    _profile(audit)
    unchecked(audit)
    audit.add_argument("--out", type=Path, help="folder for report.json, report.html and the episodes")
    _sets(audit, "a game parameter, for example hands=6")
    _json(audit)
    audit.set_defaults(run=commands.audit)

    report = verbs.add_parser("report", help="render the report of a run folder again")
    report.add_argument("folder", type=Path, help="a folder with report.json")
    report.add_argument("--out", type=Path, help="where to write report.html (default: the folder itself)")
    _json(report)
    report.set_defaults(run=commands.report)

    crossplay.add_to(verbs)
    probe.add_to(verbs)
    talk.add_to(verbs)
    reproduce.add_to(verbs)
    new.add_to(verbs)

    demo = verbs.add_parser("demo", help="base, SFT and SEPO at Kuhn poker, with a report; continues where it stopped")
    demo.add_argument("--out", type=Path, default=Path("runs/demo"), help="run folder (default: runs/demo)")
    demo.add_argument("--seeds", type=int, default=3, help="training seeds per arm (default: 3)")
    demo.add_argument("--deals", type=int, default=500, help="common deals per audit (default: 500)")
    _sets(demo, "override a key of every recipe, for example rl.steps=10")
    _json(demo)
    demo.set_defaults(run=commands.demo)
    return top


def _sets(verb: argparse.ArgumentParser, what: str) -> None:
    verb.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help=what)


def _profile(verb: argparse.ArgumentParser) -> None:
    text = "whose opponents and hazards: corrected (default) or published, SEPO's own"
    verb.add_argument("--profile", choices=("corrected", "published"), default="corrected", help=text)


def _json(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--json", action="store_true", help="print JSON instead of text")


@contextmanager
def _plugin_warnings_in_one_line() -> Iterator[None]:
    """Within it a warning about an installed package is one line without a place in our code."""
    shown = warnings.showwarning

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if issubclass(category, PluginWarning):
            print(f"equipoise: warning: {message}", file=sys.stderr)
        else:
            shown(message, category, filename, lineno, file, line)

    with warnings.catch_warnings():
        warnings.simplefilter("default", PluginWarning)
        warnings.showwarning = show
        yield


class CtrlC(KeyboardInterrupt):
    """Ctrl-C under our own name.

    Where KeyboardInterrupt itself passes through code made from text (every dataclass and named tuple an import
    defines), Python remembers it and ends the process by the signal, although it was caught and 130 returned.
    """


@contextmanager
def _own_interrupt() -> Iterator[None]:
    """Raises `CtrlC` within; whoever has set another handler, or lets Ctrl-C be ignored, keeps it."""
    heard = signal.getsignal(signal.SIGINT)
    if heard is not signal.default_int_handler or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, _raise)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, heard)


def _raise(number: int, frame: FrameType | None) -> None:
    raise CtrlC


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    options = parser().parse_args(arguments)
    try:
        with _own_interrupt(), _plugin_warnings_in_one_line():
            options.run(options)
    except Stopped as stop:
        print(f"equipoise: {stop}", file=sys.stderr)
        return 130
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
