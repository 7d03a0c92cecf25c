"""`equipoise crossplay`: a tournament of scripts and models, continued where it stopped."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.cli.finish import finish
from equipoise.cli.shared import (
    Stopped,
    add_hardware,
    add_json,
    add_sets,
    chosen_game,
    command_line,
    hardware,
    pairs,
    quiet_libraries,
    unchecked,
)
from equipoise.core import FAULT_RULES
from equipoise.errors import UserError
from equipoise.games import domain
from equipoise.games.text import REASONING

if TYPE_CHECKING:
    from equipoise.lab.crossplay_meeting import PlayedPair
    from equipoise.lab.crossplay_run import Tournament
    from equipoise.lab.store import Store


def add_to(verbs: Any) -> None:
    """Adds the command to the parser."""
    verb = verbs.add_parser(
        "crossplay", help="a tournament: every agent against every agent; continues where it stopped"
    )
    verb.add_argument(
        "agents",
        nargs="+",
        metavar="AGENT",
        help="a script of the game, tiny, tiny-talk, smollm2, a model or run folder, a hub id, package.module:Name or "
        "path/file.py:Name; NAME=AGENT gives it a name",
    )
    verb.add_argument("--game", required=True, help="the game to play")
    verb.add_argument("--matches", type=int, default=256, help="matches of every ordered pair (default: 256)")
    verb.add_argument("--seed", type=int, default=0, help="keys the deals and all play (default: 0)")
    rules = f"what a fault plays: {', '.join(FAULT_RULES)} (default: forfeit)"
    verb.add_argument("--fault-rule", choices=FAULT_RULES, default="forfeit", metavar="RULE", help=rules)
    own = "its run's, or"
    verb.add_argument("--temperature", type=float, help=f"sampling temperature of every model (default: {own} 1)")
    verb.add_argument("--max-new-tokens", type=int, help=f"longest reply of every model (default: {own} the game's)")
    kinds = ", ".join(REASONING)
    verb.add_argument("--reasoning", choices=REASONING, metavar="KIND", help=f"before a move: {kinds}")
    verb.add_argument("--thinking", action="store_true", help="let a thinking model think before it replies")
    add_hardware(verb)
    verb.add_argument("--jobs", type=int, default=1, help="pairs played at a time, one thread each (default: 1)")
    verb.add_argument("--out", type=Path, help="folder for result, page and episodes (default: runs/crossplay/GAME)")
    add_sets(verb, "a game parameter: rounds=10")
    add_json(verb)
    unchecked(verb)
    verb.set_defaults(run=crossplay)


def crossplay(options: argparse.Namespace) -> None:
    """Plays or continues a tournament and writes its matrix and page."""
    tournament = _tournament(options)
    if options.jobs < 1:
        raise UserError(f"got --jobs {options.jobs}; at least 1 is needed")
    store = tournament.open()
    if any(agent.kind == "model" for agent in tournament.agents):
        quiet_libraries()
    try:
        _play(tournament, store, options.jobs)
    except KeyboardInterrupt as stop:
        kept = f"finished pairs are in {tournament.out}; the same command continues"
        raise Stopped(f"stopped; {kept}", stop) from None
    finish(options, tournament.result(_command(options)), tournament.out)


def _play(tournament: Tournament, store: Store[PlayedPair], jobs: int) -> None:
    """Plays the pairs that are not finished; nothing is said where all are."""
    from equipoise.lab.workers import run
    from equipoise.training.progress import Progress

    cells = tournament.cells()
    done = sum(store.has(cell.key) for cell in cells)
    if done == len(cells):
        return
    with Progress("pairs", len(cells), done=done) as progress:
        run(store, cells, tournament, jobs=jobs, progress=lambda *_: progress.advance())


def _tournament(options: argparse.Namespace) -> Tournament:
    """The tournament that the options ask for; every mistake that can be seen before play is raised here."""
    from equipoise.lab.crossplay import CrossplaySettings, check_agents
    from equipoise.lab.crossplay_agents import agents_of
    from equipoise.lab.crossplay_run import Tournament
    from equipoise.models.hardware import Hardware

    settings = CrossplaySettings(options.matches, options.seed, options.fault_rule)
    game = chosen_game(options, options.game)
    parameters = {**domain(options.game).corrected.parameters, **pairs(options.set)}
    check_agents(options.agents)
    names = ("temperature", "max_new_tokens", "reasoning")
    sampling = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    sampling |= {"thinking": True} if options.thinking else {}
    agents = agents_of(options.agents, game, sampling)
    out = options.out or Path("runs") / "crossplay" / game.name
    return Tournament(options.game, parameters, agents, settings, out, Hardware(**hardware(options)))


def _command(options: argparse.Namespace) -> str:
    """The command that plays the same tournament again."""
    named: dict[str, Any] = {"game": options.game, "matches": options.matches, "seed": options.seed or None}
    named["fault-rule"] = options.fault_rule if options.fault_rule != "forfeit" else None
    for name in ("temperature", "max_new_tokens", "reasoning"):
        named[name.replace("_", "-")] = getattr(options, name)
    named |= {name: value for name, value in hardware(options).items() if name != "device"}
    thinking = ["--thinking"] if options.thinking else []
    return command_line(["equipoise", "crossplay", *options.agents, *thinking], named, options)
