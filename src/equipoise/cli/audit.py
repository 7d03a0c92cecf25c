"""`equipoise audit`: one model in one game."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from equipoise.cli.finish import finish
from equipoise.cli.shared import (
    HARDWARE,
    add_hardware,
    add_json,
    add_profile,
    add_sets,
    chosen_game,
    command_line,
    quiet_libraries,
    unchecked,
)
from equipoise.cli.shared import hardware as chosen_hardware
from equipoise.core import FAULT_RULES
from equipoise.errors import UserError
from equipoise.games.text import REASONING

PLAIN = {"deals": 500, "seed": 0, "fault_rule": "forfeit", "learned_episodes": 0, "regret_deals": 0}
"""What the options are where nothing is said."""


def add_to(verbs: Any) -> None:
    """Adds the command to the parser."""
    rules = f"what a fault plays: {', '.join(FAULT_RULES)} (default: forfeit)"
    verb = verbs.add_parser("audit", help="audit a model: payoffs, pool and exact exploitability, faults")
    verb.add_argument("model", help="tiny, smollm2, a model or run folder, or a hub id")
    verb.add_argument("--game", required=True, help="a game's name, package.module:Name or path/file.py:Name")
    verb.add_argument("--deals", type=int, default=500, help="common deals per opponent and seat (default: 500)")
    verb.add_argument("--seed", type=int, default=0, help="keys the deals (default: 0)")
    verb.add_argument("--fault-rule", choices=FAULT_RULES, default="forfeit", metavar="RULE", help=rules)
    own = "the run's that made the model, or"
    verb.add_argument("--temperature", type=float, help=f"sampling temperature; 0: greedy (default: {own} 1)")
    verb.add_argument("--max-new-tokens", type=int, help=f"longest reply (default: {own} what the words need)")
    kinds = ", ".join(REASONING)
    verb.add_argument(
        "--reasoning", choices=REASONING, metavar="KIND", help=f"before a move: {kinds} (default: {own} none)"
    )
    verb.add_argument("--thinking", action="store_true", help="let a thinking model think before it replies")
    verb.add_argument("--exact-rounds", type=int, metavar="N", help="first rounds to solve exactly; 0: none")
    verb.add_argument(
        "--learned-episodes", type=int, default=0, metavar="N", help="learn an adversary from N episodes (default: 0)"
    )
    text = "deals solved for the regret in bargaining and split_items (default: 0)"
    verb.add_argument("--regret-deals", type=int, default=0, metavar="N", help=text)
    for kind in ("opponent", "metric", "hazard"):
        text = f"{'an' if kind == 'opponent' else 'a'} {kind} to add: a name, package.module:Name or path/file.py:Name"
        verb.add_argument(f"--{kind}", action="append", default=[], metavar="NAME", help=text)
    add_profile(verb)
    add_hardware(verb)
    unchecked(verb)
    verb.add_argument("--out", type=Path, help="folder for result.json, report.html and the episodes")
    add_sets(verb, "a game parameter, for example hands=6")
    add_json(verb)
    verb.set_defaults(run=audit)


def audit(options: argparse.Namespace) -> None:
    """Audits one model in one game."""
    from equipoise.lab.audit import AuditSettings
    from equipoise.lab.model_audit import audit_model, own_parameters, own_way
    from equipoise.lab.results import RESULT
    from equipoise.lab.store import check_folder
    from equipoise.training.progress import counting

    game = chosen_game(options, options.game, options.profile, own_parameters(options.model, options.game))
    named = ("temperature", "max_new_tokens", "reasoning")
    changes = {name: getattr(options, name) for name in named if getattr(options, name) is not None}
    changes |= {"thinking": True} if options.thinking else {}
    settings = AuditSettings(
        deals=options.deals,
        seed=options.seed,
        fault_rule=options.fault_rule,
        profile=options.profile,
        exact=options.exact_rounds != 0,
        exact_rounds=options.exact_rounds or None,
        learned_episodes=options.learned_episodes,
        regret_deals=options.regret_deals,
        opponents=tuple(options.opponent),
        metrics=tuple(options.metric),
        hazards=tuple(options.hazard),
    )
    if options.out is not None:
        check_folder(options.out)
        if (options.out / RESULT).exists():
            raise UserError(f"{options.out} already holds a result; choose another --out")
    quiet_libraries()
    way = own_way(options.model, game, changes, chosen_hardware(options))
    with counting("audit: episodes") as tell:
        command = _command(options)
        result = audit_model(options.model, game, way, settings, out=options.out, command=command, progress=tell)
    finish(options, result, options.out)


def _command(options: argparse.Namespace) -> str:
    """The command that makes the same audit again."""
    named = {name.replace("_", "-"): getattr(options, name) for name in PLAIN if getattr(options, name) != PLAIN[name]}
    for name in ("temperature", "max_new_tokens", "reasoning", "exact_rounds", *HARDWARE):
        named[name.replace("_", "-")] = getattr(options, name)
    named["profile"] = None if options.profile == "corrected" else options.profile
    words = ["equipoise", "audit", options.model, "--game", options.game]
    words += ["--thinking"] if options.thinking else []
    for kind in ("opponent", "metric", "hazard"):
        words += [word for name in getattr(options, kind) for word in (f"--{kind}", name)]
    return command_line(words, named, options)
