"""`equipoise demo`: base, SFT and SEPO side by side at Kuhn poker."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from equipoise.cli.finish import finish
from equipoise.cli.shared import Stopped, add_json, add_sets, quiet_libraries
from equipoise.errors import UserError


def add_to(verbs: Any) -> None:
    """Adds the command to the parser."""
    verb = verbs.add_parser("demo", help="base, SFT and SEPO at Kuhn poker, with a page; continues where it stopped")
    verb.add_argument("--out", type=Path, default=Path("runs/demo"), help="run folder (default: runs/demo)")
    verb.add_argument("--seeds", type=int, default=3, help="training seeds per arm (default: 3)")
    verb.add_argument("--deals", type=int, default=500, help="common deals per audit (default: 500)")
    add_sets(verb, "override a key of every recipe, for example rl.steps=10")
    add_json(verb)
    verb.set_defaults(run=demo)


def demo(options: argparse.Namespace) -> None:
    """Runs or continues the demo and writes its result."""
    from equipoise.lab.demo import DemoSettings
    from equipoise.lab.demo import demo as run
    from equipoise.training.signals import Interrupted

    if options.seeds < 1:
        raise UserError(f"got --seeds {options.seeds}; at least 1 is needed")
    settings = DemoSettings(tuple(range(options.seeds)), options.deals, tuple(options.set))
    quiet_libraries()
    try:
        result = run(options.out, settings, lambda line: print(line, file=sys.stderr))
    except Interrupted as stop:
        said = f"stopped; everything finished is kept. The same command continues in {options.out}"
        raise Stopped(said, stop) from None
    finish(options, result, options.out)
