"""`equipoise probe`: what a fresh naive learner gains from a frozen agent, continued where it stopped."""

from __future__ import annotations

import argparse
import dataclasses
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
    quiet_libraries,
    unchecked,
)
from equipoise.errors import UserError


def add_to(verbs: Any) -> None:
    """Adds the command to the parser."""
    verb = verbs.add_parser("probe", help="train a naive learner against a frozen agent: what does it gain?")
    verb.add_argument(
        "agent", metavar="AGENT", help="a run folder; with --recipe any model: tiny, smollm2, a folder, a hub id"
    )
    verb.add_argument("--recipe", help="the game and how the learner learns (default: as the agent's own run)")
    start = "what the learner starts from, without demonstrations (default: the recipe's start)"
    verb.add_argument("--from", dest="start", metavar="MODEL", help=start)
    verb.add_argument("--steps", type=int, help="training steps of the learner (default: the recipe's rl.steps)")
    verb.add_argument("--matches", type=int, default=256, help="matches in each seat to measure (default: 256)")
    verb.add_argument("--seed", type=int, help="keys training and matches (default: the recipe's)")
    add_hardware(verb)
    add_sets(verb, "override a recipe key: rl.learning_rate=1e-3")
    verb.add_argument("--out", type=Path, help="folder for learner, result and page (default: runs/probe/AGENT)")
    add_json(verb)
    unchecked(verb)
    verb.set_defaults(run=probe)


def probe(options: argparse.Namespace) -> None:
    """Trains a learner against an agent, or goes on with it, and says what it gains."""
    from equipoise.training.progress import counting

    run = _planned(options)
    quiet_libraries()
    try:
        with counting("probe: matches") as tell:
            result = run(_command(options), tell)
    except KeyboardInterrupt as stop:
        said = f"stopped; the learner's steps so far are kept in {run.out}; the same command continues"
        raise Stopped(said, stop) from None
    finish(options, result, run.out)


def _planned(options: argparse.Namespace) -> Any:
    """The probe that the options ask for; every mistake that can be seen before training is raised here."""
    from equipoise.lab.crossplay import CrossplaySettings
    from equipoise.lab.probe_run import ProbeRun, learner_recipe, probed

    if options.steps is not None and options.steps < 1:
        raise UserError(f"got --steps {options.steps}; a learner needs at least 1")
    CrossplaySettings(options.matches)
    recipe = learner_recipe(options.agent, options.recipe, options.set, options.start)
    if recipe.tasks[0].game.num_players != 2:
        raise UserError(f"{recipe.names[0]} has {recipe.tasks[0].game.num_players} players; a probe is between two")
    check_foreign([(recipe.names[0], recipe.tasks[0].game)], unchecked=options.unchecked)
    if options.steps is not None:
        recipe = dataclasses.replace(recipe, rl=dataclasses.replace(recipe.rl, steps=options.steps))
    if options.seed is not None:
        recipe = dataclasses.replace(recipe, seed=options.seed)
    recipe = dataclasses.replace(recipe, hardware=dataclasses.replace(recipe.hardware, **hardware(options)))
    if recipe.rl.steps < 1:
        raise UserError("the recipe takes no steps of reinforcement learning; say how many: --steps 60")
    agent = probed(options.agent, recipe)
    return ProbeRun(agent, recipe, options.matches, options.out or Path("runs") / "probe" / agent.name)


def _command(options: argparse.Namespace) -> str:
    """The command that computes the same probe again."""
    named = {"recipe": options.recipe, "from": options.start, "steps": options.steps, "seed": options.seed}
    named["matches"] = options.matches
    return command_line(["equipoise", "probe", options.agent], {**named, **hardware(options)}, options)
