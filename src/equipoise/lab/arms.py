"""What studies of (game, arm, seed) share: arms, cells, what made a cell, and models that later cells start from."""

from __future__ import annotations

import dataclasses
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from equipoise.errors import UserError
from equipoise.lab.claims import claimed
from equipoise.lab.store import JsonRecord, Record, Store
from equipoise.lab.workers import Cell
from equipoise.training.recipe import Recipe
from equipoise.training.run import train, versions


@dataclass(frozen=True)
class Arm:
    """One way to make an agent.

    Attributes:
        label: For tables.
        kind: What kind of agent it is, by a word of its study: untrained, supervised, trained.
        seeds: Training seeds in the full study.
        overrides: What it changes in the game's recipe.
    """

    label: str
    kind: str
    seeds: int
    overrides: tuple[str, ...] = ()


def cells_of(
    games: Sequence[str], arms: Mapping[str, Arm], max_seeds: int, first: str, waiting: Sequence[str]
) -> list[Cell]:
    """The cells of a study, one seed of everything before the next seed of anything.

    Args:
        games: Which games.
        arms: Which arms.
        max_seeds: At most this many training seeds an arm.
        first: The arm whose model of the same game and seed others need.
        waiting: Kinds of arms that need it, where it is among the arms.
    """
    listed = []
    for seed in range(max_seeds):
        for game in games:
            for name, arm in arms.items():
                if seed < arm.seeds:
                    needs = name != first and arm.kind in waiting and first in arms
                    listed.append(Cell(key(game, name, seed), (key(game, first, seed),) if needs else ()))
    return listed


def check_size(arms: Sequence[str], games: Sequence[str], max_seeds: int) -> None:
    """Nothing for a study of at least one game, one arm and one seed.

    Raises:
        ValueError: For one that would have no cells.
    """
    if not games or not arms:
        raise UserError("got no games or no arms; name at least one of each")
    if max_seeds < 1:
        raise UserError(f"got {max_seeds} seeds; at least 1 is needed")


def key(game: str, arm: str, seed: int) -> str:
    """The name of a cell."""
    return f"{game}/{arm}-{seed}"


def parts(name: str) -> tuple[str, str, int]:
    """Game, arm and seed of a cell's name."""
    game, _, rest = name.partition("/")
    arm, _, seed = rest.rpartition("-")
    return game, arm, int(seed)


class Study(Protocol):
    """A study whose stored cells say what made them."""

    def made_by(self, name: str) -> dict[str, Any]:
        """What decides a cell's result, as JSON."""


def store_of(study: Study, folder: Path) -> Store[Record]:
    """The store of a study's cells."""
    return Store(folder, "cell", JsonRecord(), made_by=study.made_by)


def table_head(
    study: str, title: str, command: str, listed: Sequence[Cell], results: Sequence[Record]
) -> dict[str, Any]:
    """What every study's table begins with: what it is, what made it, and how much of it is done."""
    return {
        "schema": 1,
        "study": study,
        "title": title,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "versions": versions(),
        "seconds": sum(result["seconds"] for result in results),
        "cells": {"done": len(results), "all": len(listed)},
    }


def chosen(recipe: Recipe) -> dict[str, Any]:
    """What a recipe sets to other than the default, as JSON: a setting added later leaves old cells valid."""
    default, found = dataclasses.asdict(Recipe()), {}
    for name, value in dataclasses.asdict(recipe).items():
        if isinstance(value, dict) and dataclasses.is_dataclass(getattr(recipe, name)):
            value = {key: item for key, item in value.items() if item != default[name][key]}
            if value:
                found[name] = value
        elif value != default[name]:
            found[name] = value
    as_json: dict[str, Any] = json.loads(json.dumps(found))
    return as_json


def trained(recipe: Recipe, folder: Path, label: str) -> Path:
    """The folder of a run's model; an interrupted run is continued, and checkpoints of a finished one are removed."""
    model = train(recipe, folder, resume=(folder / "recipe.toml").is_file(), label=label)
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    return model


def shared(recipe: Recipe, folder: Path, label: str) -> Path:
    """The folder of a model that several cells need, trained by the first of them that gets here.

    On a new machine the cell that made it may be finished already, and its model gone.
    """
    while not (folder / "model").is_dir():
        with claimed(folder.with_suffix(".claim")) as got:
            if got and not (folder / "model").is_dir():
                trained(recipe, folder, label)
        if not got:
            time.sleep(1.0)
    return folder / "model"
