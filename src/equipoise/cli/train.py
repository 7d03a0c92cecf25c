"""`equipoise train`: a model by a recipe, then an audit of where it started and where it ended."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from equipoise.cli.finish import finish
from equipoise.cli.shared import (
    HARDWARE,
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
    verb = verbs.add_parser("train", help="train a model by a recipe")
    verb.add_argument("recipe", nargs="?", help="a game, folder/recipe, or a .toml file")
    verb.add_argument("--games", nargs="+", default=[], metavar="GAME", help="train these games jointly, or: all")
    verb.add_argument("--out", type=Path, help="run folder (default: runs/RECIPE)")
    verb.add_argument("--model", help="start from this model, not the recipe's: tiny, smollm2, a folder, or a hub id")
    verb.add_argument("--seed", type=int, help="seed instead of the recipe's")
    verb.add_argument("--resume", action="store_true", help="continue an interrupted run, by the recipe it holds")
    verb.add_argument("--force", action="store_true", help="start over in a run folder that exists")
    verb.add_argument("--no-audit", action="store_true", help="leave the closing audit out")
    verb.add_argument("--deals", type=int, default=300, help="deals of the closing audit (default: 300)")
    add_sets(verb, "override a recipe key, for example rl.steps=50")
    add_hardware(verb)
    add_json(verb)
    unchecked(verb)
    verb.set_defaults(run=train)


def train(options: argparse.Namespace) -> None:
    """Trains by a recipe, then audits where it started and where it ended."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:  # torch warns each process of what costs it a moment
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    from equipoise.lab.audit import AuditSettings
    from equipoise.lab.model_audit import audit_run
    from equipoise.training.progress import counting
    from equipoise.training.recipe import label_of, load_recipe
    from equipoise.training.run import train as run
    from equipoise.training.signals import Interrupted

    overrides, settings = _overrides(options), AuditSettings(deals=options.deals)
    source = options.recipe or "sepo/joint"
    label = label_of(source)
    if options.recipe is None and not options.games:
        if not options.resume or options.out is None:
            raise UserError("nothing to train on; name a recipe, or give --games (for example --games all)")
        source, label = str(options.out / "recipe.toml"), options.out.name
        if not Path(source).is_file():
            raise UserError(f"nothing to resume in {options.out}: it has no recipe.toml; name a recipe and start")
    recipe = load_recipe(source, overrides)
    games = [(name, task.game) for name, task in zip(recipe.names, recipe.tasks, strict=True)]
    check_foreign(games, unchecked=options.unchecked)
    out = options.out or Path("runs") / f"{recipe.title}-{label}"
    quiet_libraries()
    try:
        model = run(recipe, out, resume=options.resume, force=options.force, label=label)
    except Interrupted as stop:
        raise Stopped(str(stop), stop) from None
    if int(os.environ.get("RANK", "0")):
        return  # the first of several processes audits and prints, for all
    if options.no_audit:
        print(json.dumps({"model": str(model)}) if options.json else f"model: {model}")
        return
    several = len(games) > 1
    for name, game in games:
        with counting("audit: episodes") as tell:
            found = audit_run(recipe, out, settings, name, _command(options), tell)
        finish(options, found, out / game.name if several else out)


def _overrides(options: argparse.Namespace) -> list[str]:
    """What the options change in the recipe."""
    overrides = list(options.set)
    overrides += [f"model={json.dumps(options.model)}"] if options.model is not None else []
    overrides += [f"seed={options.seed}"] if options.seed is not None else []
    overrides += [f"hardware.{name}={json.dumps(value)}" for name, value in hardware(options).items()]
    return overrides + ([f"games={json.dumps(options.games)}"] if options.games else [])


def _command(options: argparse.Namespace) -> str:
    """The command that trains and audits the same again."""
    words = ["equipoise", "train", *([options.recipe] if options.recipe else [])]
    words += ["--games", *options.games] if options.games else []
    named = {name: getattr(options, name) for name in ("model", "seed", *HARDWARE)}
    return command_line(words, named, options)
