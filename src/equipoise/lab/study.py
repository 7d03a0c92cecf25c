"""A study: games x arms x seeds as a declaration, computed cell by cell and summed up in one typed result.

An arm is one way to make an agent: what it changes in its game's recipe, and whose model it starts from. A `Measure`
says what is measured of every agent. Everything else is the same for all studies: cells are trained and measured once
(`store`, `workers`), summed up over seeds and deals (`study_table`), and shown by one view.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from equipoise.errors import UserError
from equipoise.lab.claims import claimed
from equipoise.lab.results import (
    CandidateRecord,
    HypothesisRecord,
    Made,
    Settings,
    StudyCell,
    StudyGame,
    StudyRow,
    StudyTarget,
)
from equipoise.lab.store import ResultCodec, Store
from equipoise.lab.workers import Cell
from equipoise.training.recipe import Recipe, find_recipe, load_recipe
from equipoise.training.run import train, versions

Kind = Literal["start", "trained"]

OURS = {"sepo": "equipoise.lab.sepo:SEPO", "alignment": "equipoise.lab.alignment:ALIGNMENT"}
"""Our studies, by the name on the command line."""


@dataclass(frozen=True)
class Arm:
    """One way to make an agent.

    Attributes:
        label: For tables.
        seeds: Training seeds in the full study; an untrained arm has 1.
        kind: "start" for the model that all start from, as it is; "trained" for what training made of it.
        overrides: What it changes in the game's recipe.
        by_game: The same for single games.
        starts_from: The arm whose model of the same game and seed it starts from, without demonstrations; empty for
            the recipe's own model.
    """

    label: str
    seeds: int = 1
    kind: Kind = "trained"
    overrides: tuple[str, ...] = ()
    by_game: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    starts_from: str = ""


@dataclass(frozen=True)
class Size:
    """How large a study is run.

    Attributes:
        games: Which games.
        arms: Which arms.
        seeds: At most this many training seeds an arm.
        overrides: Recipe overrides of every cell.
    """

    games: tuple[str, ...]
    arms: tuple[str, ...]
    seeds: int
    overrides: tuple[str, ...] = ()


class Measure(Protocol):
    """What a study measures of every agent. It must be picklable: cells are computed by worker processes."""

    def decided_by(self, game: str) -> Settings:
        """What decides a measurement beside the agent, as JSON."""

    def measured(self, study: StudyRun, recipe: Recipe, source: str, key: str) -> dict[str, Any]:
        """The fields of a `StudyCell` that were measured of one agent, `figures` among them."""

    def game(self, study: StudyRun, game: str, cells: Mapping[str, Sequence[StudyCell]]) -> StudyGame:
        """What there is to say of a game beside its arms: columns, hazards, weightings; its rows are empty."""

    def references(self, study: StudyRun, game: str) -> list[StudyRow]:
        """Scripted players, measured as the agents are."""

    def summary(self, cell: StudyCell) -> str:
        """A cell's main figures in a few words, for a line of progress."""


@dataclass(frozen=True)
class Study:
    """A study.

    Attributes:
        name: On the command line, and of its recipes' folder.
        title: Of its page.
        arms: By name, in the order of tables.
        games: By default.
        measure: What is measured.
        hypotheses: Comparisons named beforehand; they are corrected together.
        compared: Further pairs of arms (arm, minus), exploratory.
        metrics: Figures in which pairs are compared.
        targets: By game, bounds for the median of the seeds.
        central: What stands for an arm's seeds: "mean" or "median".
        met: The arm whose agents all others meet, so that they wait for it; empty for none.
        notes: How to read its tables.
        quick: Overrides of its recipes that make it small, for `small`.
        quick_measure: What is measured then; None for the same.
    """

    name: str
    title: str
    arms: Mapping[str, Arm]
    games: tuple[str, ...]
    measure: Measure
    hypotheses: tuple[HypothesisRecord, ...] = ()
    compared: tuple[tuple[str, str], ...] = ()
    metrics: tuple[str, ...] = ()
    targets: Mapping[str, tuple[StudyTarget, ...]] = field(default_factory=dict)
    central: Literal["mean", "median"] = "mean"
    met: str = ""
    notes: tuple[str, ...] = ()
    quick: tuple[str, ...] = ()
    quick_measure: Measure | None = None

    def size(
        self,
        games: Sequence[str] = (),
        arms: Sequence[str] = (),
        seeds: int | None = None,
        overrides: Sequence[str] = (),
    ) -> Size:
        """A size of this study: all games, arms and seeds where nothing else is said.

        Raises:
            UserError: For a game or arm that the study does not have, or no seed.
        """
        for what, named, known in (("game", games, self.games), ("arm", arms, tuple(self.arms))):
            unknown = [name for name in named if name not in known]
            if unknown:
                raise UserError(f"unknown {what} {unknown[0]!r} of this study; known: {', '.join(known)}")
        most = max(arm.seeds for arm in self.arms.values()) if seeds is None else seeds
        if most < 1:
            raise UserError(f"got {most} seeds; at least 1 is needed")
        wanted = tuple(dict.fromkeys(arms or self.arms))
        needed = [name for arm in wanted for name in (self.arms[arm].starts_from,) if name]
        return Size(
            tuple(dict.fromkeys(games or self.games)),
            tuple(arm for arm in self.arms if arm in (*wanted, *needed)),
            most,
            tuple(overrides),
        )

    def small(self) -> Study:
        """The whole study end to end, small: it shows that everything runs, not what trained agents do."""
        return replace(self, measure=self.quick_measure or self.measure)


def read_study(found: Any, name: str) -> Study:
    """A study that was found by its name.

    Raises:
        UserError: For anything else.
    """
    if not isinstance(found, Study):
        raise UserError(f"{name} is a {type(found).__name__}, not a study (equipoise.lab.study.Study)")
    return found


def key(game: str, arm: str, seed: int) -> str:
    """The name of a cell."""
    return f"{game}/{arm}-{seed}"


def parts(name: str) -> tuple[str, str, int]:
    """Game, arm and seed of a cell's name."""
    game, _, rest = name.partition("/")
    arm, _, seed = rest.rpartition("-")
    return game, arm, int(seed)


@dataclass(frozen=True)
class StudyRun:
    """A study of a size in a folder; computes the cell of a key.

    Attributes:
        study: The declaration.
        size: How large it is.
        folder: Of its results; cells are in `cells/`.
        work: Where run folders go; they can be thrown away once the cells are finished.
    """

    study: Study
    size: Size
    folder: Path
    work: Path

    @property
    def store(self) -> Store[StudyCell]:
        """Where cells are."""
        return Store(self.folder / "cells", "cell", ResultCodec(StudyCell), made_by=self.made_by)

    def planned(self, arm: str) -> int:
        """Training seeds of an arm."""
        return min(self.size.seeds, self.study.arms[arm].seeds)

    def cells(self) -> list[Cell]:
        """The study's cells, one seed of everything before the next seed of anything, each with what it waits for."""
        listed, arms = [], self.study.arms
        for seed in range(self.size.seeds):
            for game in self.size.games:
                for name in self.size.arms:
                    if seed < self.planned(name):
                        needs = {arms[name].starts_from, self.study.met} - {"", name}
                        listed.append(
                            Cell(key(game, name, seed), tuple(key(game, n, seed) for n in needs & {*self.size.arms}))
                        )
        return listed

    def recipe(self, game: str, arm: str, seed: int) -> Recipe:
        """The recipe of a cell."""
        made = self.study.arms[arm]
        fixed = [f"seed={seed}", *made.overrides, *made.by_game.get(game, ())]
        if made.starts_from:
            start = str(self.run_folder(game, made.starts_from, seed) / "model")
            fixed += [f"model={json.dumps(start)}", "demonstrations.experts={}"]
        return load_recipe(find_recipe(f"{self.study.name}/{game}"), (*self.size.overrides, *fixed))

    def made_by(self, name: str) -> Settings:
        """What decides a cell; a stored cell that anything else made is refused."""
        game, arm, seed = parts(name)
        recipe, start = self.recipe(game, arm, seed), self.study.arms[arm].starts_from
        if start:
            recipe = replace(recipe, model=f"{start}-{seed}")
        return {"recipe": chosen(recipe), **self.study.measure.decided_by(game)}

    def run_folder(self, game: str, arm: str, seed: int) -> Path:
        """Where the run of a cell goes."""
        return self.work / game / f"{arm}-{seed}"

    def __call__(self, name: str) -> StudyCell:
        """The result of one cell."""
        game, arm, seed = parts(name)
        made = self.study.arms[arm]
        started = time.perf_counter()
        recipe, folder = self.recipe(game, arm, seed), self.run_folder(game, arm, seed)
        source = recipe.model
        if made.kind == "trained":
            if made.starts_from:
                self.model(game, made.starts_from, seed)
            source = str(trained(recipe, folder, name))
        ended = time.perf_counter()
        measured = self.study.measure.measured(self, recipe, source, name)
        return StudyCell(
            study=self.study.name,
            game=game,
            arm=arm,
            seed=seed,
            made=Made(
                created=datetime.now(UTC).isoformat(timespec="seconds"),
                seconds=time.perf_counter() - started,
                versions=versions(),
                by=self.made_by(name),
            ),
            train_seconds=ended - started,
            **measured,
            **_selection(folder),
        )

    def model(self, game: str, arm: str, seed: int) -> Path:
        """The folder of a model that several cells need, trained by the first of them that gets here.

        On a new machine the cell that made it may be finished already, and its model gone.
        """
        folder = self.run_folder(game, arm, seed)
        while not (folder / "model").is_dir():
            with claimed(folder.with_suffix(".claim")) as got:
                if got and not (folder / "model").is_dir():
                    trained(self.recipe(game, arm, seed), folder, key(game, arm, seed))
            if not got:
                time.sleep(1.0)
        return folder / "model"


def chosen(recipe: Recipe) -> Settings:
    """What a recipe sets to other than the default, as JSON: a setting added later leaves old cells valid."""
    default, found = dataclasses.asdict(Recipe()), {}
    for name, value in dataclasses.asdict(recipe).items():
        if isinstance(value, dict) and dataclasses.is_dataclass(getattr(recipe, name)):
            value = {key: item for key, item in value.items() if item != default[name][key]}
            if value:
                found[name] = value
        elif value != default[name]:
            found[name] = value
    as_json: Settings = json.loads(json.dumps(found))
    return as_json


def trained(recipe: Recipe, folder: Path, label: str) -> Path:
    """The folder of a run's model; an interrupted run is continued, and checkpoints of a finished one are removed."""
    model = train(recipe, folder, resume=(folder / "recipe.toml").is_file(), label=label)
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    return model


def _selection(folder: Path) -> dict[str, Any]:
    """Which checkpoints a run considered, and which it took."""
    path = folder / "selection.json"
    if not path.is_file():
        return {}
    found = json.loads(path.read_text(encoding="utf-8"))
    candidates = tuple(CandidateRecord(**candidate) for candidate in found["candidates"])
    return {"candidates": candidates, "chosen": found["chosen"]}
