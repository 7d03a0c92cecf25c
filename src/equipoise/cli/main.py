"""The command line. A user's mistake gives one line and exit code 2; Ctrl-C saves and says how to go on (130).

SIGTERM and SIGHUP do as Ctrl-C does, with 143 and 129.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from equipoise import __version__
from equipoise.cli import commands, crossplay, probe, reproduce, talk
from equipoise.cli.games import games as games_command
from equipoise.cli.shared import Stopped, one_line
from equipoise.core import FAULT_RULES
from equipoise.errors import UserError
from equipoise.games.text import REASONING

EXAMPLES = """examples:
  equipoise demo                                base, SFT and SEPO side by side
  equipoise games kuhn_poker                    rules, prompts, opponents
  equipoise train kuhn_poker --out runs/nash    against the exact best response
  equipoise train --games all --out runs/joint  one model, every game
  equipoise audit runs/nash --game kuhn_poker   how exploitable is it, exactly
  equipoise reproduce sepo --quick              every game, every objective
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
    games.add_argument("name", nargs="?", help="a game's name")
    _sets(games, "a game parameter, for example hands=6")
    _json(games)
    _profile(games)
    games.set_defaults(run=games_command)

    train = verbs.add_parser("train", help="train a model by a recipe")
    train.add_argument("recipe", nargs="?", help="a game, folder/recipe, or a .toml file")
    train.add_argument("--games", nargs="+", default=[], metavar="GAME", help="train these games jointly, or: all")
    train.add_argument("--out", type=Path, help="run folder (default: runs/RECIPE)")
    train.add_argument("--model", help="start from this model instead of the recipe's: tiny, a folder, or a hub id")
    train.add_argument("--seed", type=int, help="seed instead of the recipe's")
    train.add_argument("--resume", action="store_true", help="continue an interrupted run, by the recipe it holds")
    train.add_argument("--force", action="store_true", help="start over in a run folder that exists")
    train.add_argument("--no-audit", action="store_true", help="leave the closing audit out")
    train.add_argument("--deals", type=int, default=300, help="deals of the closing audit (default: 300)")
    _sets(train, "override a recipe key, for example rl.steps=50")
    _json(train)
    train.set_defaults(run=commands.train)

    rules = f"what a fault plays: {', '.join(FAULT_RULES)} (default: forfeit)"
    audit = verbs.add_parser("audit", help="audit a model: payoffs, pool and exact exploitability, faults")
    audit.add_argument("model", help="tiny, a model or run folder, or a hub id")
    audit.add_argument("--game", required=True, help="the game to audit in")
    audit.add_argument("--deals", type=int, default=500, help="common deals per opponent and seat (default: 500)")
    audit.add_argument("--seed", type=int, default=0, help="keys the deals (default: 0)")
    audit.add_argument("--fault-rule", choices=FAULT_RULES, default="forfeit", metavar="RULE", help=rules)
    audit.add_argument("--temperature", type=float, default=1.0, help="sampling temperature; 0: greedy (default: 1)")
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
    _profile(audit)
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
    options = parser().parse_args(arguments)
    try:
        with _own_interrupt():
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
