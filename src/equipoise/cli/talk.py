"""`equipoise talk`: how true an agent's messages are, what they change, and what talk adds to the joint pay."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from equipoise.cli.finish import finish
from equipoise.cli.shared import (
    Stopped,
    add_hardware,
    add_json,
    add_sets,
    check_foreign,
    command_line,
    hardware,
    pairs,
    quiet_libraries,
    unchecked,
)
from equipoise.core import FAULT_RULES


def add_to(verbs: Any) -> None:
    """Adds the command to the parser."""
    verb = verbs.add_parser("talk", help="what an agent's talk is worth: honesty, promises, effect, efficiency")
    verb.add_argument("agent", metavar="AGENT", help="a script of the game, tiny-talk, a model or run folder, a hub id")
    verb.add_argument("--with", dest="other", metavar="OTHER", help="whom it talks with (default: itself)")
    verb.add_argument("--game", help="a game with messages (default: the run's, or trust_and_split)")
    verb.add_argument("--matches", type=int, default=256, help="matches in each seat (default: 256)")
    verb.add_argument("--seed", type=int, default=0, help="keys the deals and all play (default: 0)")
    rules = f"what a fault plays: {', '.join(FAULT_RULES)} (default: forfeit)"
    verb.add_argument("--fault-rule", choices=FAULT_RULES, default="forfeit", metavar="RULE", help=rules)
    add_hardware(verb)
    add_sets(verb, "a game parameter: rounds=4")
    verb.add_argument("--out", type=Path, help="folder for result and page (default: runs/talk/AGENT or AGENT+OTHER)")
    add_json(verb)
    unchecked(verb)
    verb.set_defaults(run=talk)


def talk(options: argparse.Namespace) -> None:
    """Measures an agent's talk, or reads what was measured, and says what it is worth."""
    from equipoise.training.progress import counting

    run = _planned(options)
    if any(agent.kind == "model" for agent in run.agents):
        quiet_libraries()
    try:
        with counting("talk") as tell:
            result = run(_command(options), tell)
    except KeyboardInterrupt as stop:
        raise Stopped(f"stopped; what is finished is kept in {run.out}; the same command continues", stop) from None
    finish(options, result, run.out)


def _planned(options: argparse.Namespace) -> Any:
    """What the options ask for; every mistake that can be seen before play is raised here."""
    from equipoise.lab.crossplay import CrossplaySettings
    from equipoise.lab.talk_run import TalkRun, talkers, talking_game
    from equipoise.models.hardware import Hardware

    settings = CrossplaySettings(options.matches, options.seed, options.fault_rule)
    game = talking_game(options.agent, options.game, pairs(options.set))
    check_foreign([(options.game or game.name, game)], unchecked=options.unchecked)
    agents = talkers(list(dict.fromkeys([options.agent, options.other or options.agent])), game)
    out = options.out or Path("runs") / "talk" / "+".join(agent.name for agent in agents)
    return TalkRun(game, agents, settings, out, Hardware(**hardware(options)))


def _command(options: argparse.Namespace) -> str:
    """The command that measures the same again."""
    named = {"with": options.other, "game": options.game, "seed": options.seed or None}
    named["fault-rule"] = options.fault_rule if options.fault_rule != "forfeit" else None
    named |= {name: value for name, value in hardware(options).items() if name != "device"}
    return command_line(["equipoise", "talk", options.agent], {**named, "matches": options.matches}, options)
