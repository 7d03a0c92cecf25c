"""A study being run: its cells, what decides each of them, and how one is computed."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path

from equipoise.errors import UserError
from equipoise.lab.claims import claimed
from equipoise.lab.results import CandidateRecord, Made, Settings, StudyCell, now
from equipoise.lab.store import ResultCodec, Store
from equipoise.lab.study import REFERENCE, Measured, Size, Study
from equipoise.lab.workers import Cell
from equipoise.registry import described
from equipoise.training.recipe import Recipe, Task, load_recipe
from equipoise.training.run import train, versions

_POLL_S = 1.0


def key(game: str, arm: str, seed: int) -> str:
    """The name of an agent's cell."""
    return f"{game}/{arm}-{seed}"


def reference_key(game: str, player: str) -> str:
    """The name of a scripted player's cell."""
    return f"{game}/{REFERENCE}-{player}"


def parts(name: str) -> tuple[str, str, int]:
    """Game, arm and seed of the name of an agent's cell."""
    game, _, rest = name.rpartition("/")
    arm, _, seed = rest.rpartition("-")
    return game, arm, int(seed)


def player_of(name: str) -> tuple[str, str] | None:
    """Game and scripted player of a cell's name; None for an agent's."""
    game, _, rest = name.rpartition("/")
    before, _, player = rest.partition("-")
    return (game, player) if before == REFERENCE else None


@dataclass(frozen=True)
class Training:
    """How an agent's training went: its time, the checkpoints it considered, and the step of the one it took."""

    seconds: float = math.nan
    candidates: tuple[CandidateRecord, ...] = ()
    chosen: int | None = None


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
        """The agents, one seed of everything before the next seed of anything, each with what it waits for."""
        return [
            Cell(key(game, arm, seed), tuple(key(game, need, seed) for need in self._needs(arm, seed)))
            for seed in range(self.size.seeds)
            for game in self.size.games
            for arm in self.size.arms
            if seed < self.planned(arm)
        ]

    def _needs(self, arm: str, seed: int) -> list[str]:
        """The arms whose agent of this seed an arm starts from or meets, where the study has them.

        An arm that the met one is made of does not wait for it: it has it trained when it is measured.
        """
        met = self.study.met
        wanted = dict.fromkeys((self.study.arms[arm].starts_from, met))
        if met and arm in self.study.line(met):
            wanted.pop(met)
        return [name for name in wanted if name in self.size.arms and name != arm and seed < self.planned(name)]

    def references(self) -> list[Cell]:
        """The scripted players that stand beside the agents; they wait for nothing."""
        measure = self.study.measure
        return [
            Cell(reference_key(game, player)) for game in self.size.games for player in measure.references(self, game)
        ]

    def base(self, game: str) -> Recipe:
        """The recipe that the arms of a game change."""
        return load_recipe(self.study.recipe(game), self.size.overrides)

    def task(self, game: str) -> Task:
        """A game of the study with its profile and weights."""
        return self.base(game).tasks[0]

    def recipe(self, game: str, arm: str, seed: int) -> Recipe:
        """The recipe of a cell."""
        made = self.study.arms[arm]
        fixed = [f"seed={seed}", *made.overrides, *made.by_game.get(game, ())]
        if made.starts_from:
            start = str(self.run_folder(game, made.starts_from, seed) / "model")
            fixed += [f"model={json.dumps(start)}", "demonstrations.experts={}"]
        return load_recipe(self.study.recipe(game), (*self.size.overrides, *fixed))

    def made_by(self, name: str) -> Settings:
        """What decides a cell; a stored cell that anything else made is refused."""
        reference = player_of(name)
        if reference is not None:
            game, player = reference
            recipe = self.base(game)
            played = {"game": recipe.game, "game_parameters": dict(recipe.game_parameters), "profile": recipe.profile}
            return {"player": player, **played, **self.study.measure.decided_by(self, game)}
        game, arm, seed = parts(name)
        recipe, start = self.recipe(game, arm, seed), self.study.arms[arm].starts_from
        if start:
            recipe = replace(recipe, model=f"{start}-{seed}")
        return {"recipe": chosen(recipe), **self.study.measure.decided_by(self, game)}

    def run_folder(self, game: str, arm: str, seed: int) -> Path:
        """Where the run of a cell goes."""
        return self.work / game / f"{arm}-{seed}"

    def __call__(self, name: str) -> StudyCell:
        """The result of one cell."""
        started = time.perf_counter()
        reference = player_of(name)
        if reference is not None:
            game, player = reference
            measured = self.study.measure.reference(self, game, player)
            return self._cell(name, measured, started)
        game, arm, seed = parts(name)
        recipe, source = self.recipe(game, arm, seed), ""
        if self.study.arms[arm].kind == "trained":
            source = str(self.model(game, arm, seed))
        trained_s = time.perf_counter() - started
        measured = self.study.measure.measured(self, recipe, source or recipe.model, name)
        candidates, step = _selection(self.run_folder(game, arm, seed)) if source else ((), None)
        return self._cell(name, measured, started, Training(trained_s, candidates, step))

    def _cell(self, name: str, measured: Measured, started: float, training: Training = Training()) -> StudyCell:
        """A cell with what was measured; without `training` it is a scripted player's."""
        if not isinstance(measured, Measured):
            needed = "needed: an equipoise.lab.study.Measured"
            raise UserError(f"the measure of study {self.study.name!r} gave {described(measured)}; {needed}")
        reference = player_of(name)
        game, arm, seed = parts(name) if reference is None else (*reference, 0)
        made = Made(
            created=now(),
            seconds=time.perf_counter() - started,
            versions=versions(),
            by=self.made_by(name),
        )
        return StudyCell(
            study=self.study.name,
            game=game,
            arm=arm,
            seed=seed,
            reference=reference is not None,
            made=made,
            train_seconds=training.seconds,
            figures=dict(measured.figures),
            deals=dict(measured.deals),
            opponents=measured.opponents,
            faults=dict(measured.faults),
            candidates=training.candidates,
            chosen=training.chosen,
            meetings=dict(measured.meetings),
            probe=measured.probe,
        )

    def model(self, game: str, arm: str, seed: int) -> Path:
        """The folder of a trained model, trained by the first of the cells that need it to get here.

        On a new machine the cell that made it may be finished already, and its model gone.

        Raises:
            UserError: Where its run folder holds the run of another recipe.
        """
        start = self.study.arms[arm].starts_from
        if start:
            self.model(game, start, seed)
        folder = self.run_folder(game, arm, seed)
        while True:
            with claimed(folder.parent / f"{folder.name}.claim") as got:
                if got:
                    return trained(self.recipe(game, arm, seed), folder, key(game, arm, seed))
            time.sleep(_POLL_S)


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


def _selection(folder: Path) -> tuple[tuple[CandidateRecord, ...], int | None]:
    """Which checkpoints a run considered, and the step of the one it took; none where it did not choose."""
    path = folder / "selection.json"
    if not path.is_file():
        return (), None
    selection = json.loads(path.read_text(encoding="utf-8"))
    return tuple(CandidateRecord(**candidate) for candidate in selection["candidates"]), selection["chosen"]
