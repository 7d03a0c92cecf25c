"""Audits of models by their names: one model, or a training run from where it started to where it ended.

How a model replies is part of it. An audit of what a run made takes the run's own sampling, game parameters, device and
precision unless it is told otherwise, and then says so.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from equipoise.arena.records import write_episodes
from equipoise.core import Game
from equipoise.errors import UserError
from equipoise.lab.agent_origin import run_of
from equipoise.lab.audit import Audited, AuditSettings, audit_result, audited
from equipoise.lab.results import AuditResult, CurveRecord
from equipoise.models.hardware import Hardware
from equipoise.models.serving import served
from equipoise.policies.language_model import LanguageModelPolicy, Sampling, usual_reply_tokens
from equipoise.training.progress import Counting
from equipoise.training.recipe import Recipe

EPISODES = "episodes.jsonl.gz"
CURVES = ("nash_conv", "worst_case_advantage")
"""Figures whose course along a run is kept."""


@dataclass(frozen=True)
class Way:
    """How a model is run.

    Attributes:
        sampling: How it replies.
        hardware: Where it computes.
        notes: Where that is not how the model's own run did it.
    """

    sampling: Sampling
    hardware: Hardware
    notes: tuple[str, ...] = ()


def own_parameters(source: str, game: str) -> dict[str, Any]:
    """The parameters with which the run that made a model played a game; none for what no run made."""
    run = run_of(source)
    tasks = {} if run is None else dict(zip(run.names, run.tasks, strict=True))
    return dict(tasks[game].game.parameters) if game in tasks else {}


def own_way(source: str, game: Game, changes: Mapping[str, Any], hardware: Mapping[str, Any]) -> Way:
    """How a model is run: as in the run that made it, but for what is changed; a deviation is noted.

    Args:
        source: The model, as a user wrote it.
        game: What it plays; it says how long a reply may be where nothing else does.
        changes: Of `Sampling`, what was asked for.
        hardware: Of `Hardware`, likewise.

    Raises:
        UserError: For changes that make no sense.
    """
    run = run_of(source)
    own = Sampling(max_new_tokens=usual_reply_tokens(game)) if run is None else run.sampling
    sampling = replace(own, **changes)
    place = replace(Hardware() if run is None else run.hardware, **hardware)
    before = asdict(own)
    differs = {key: value for key, value in asdict(sampling).items() if value != before[key]}
    deviations = ", ".join(f"{key} {value} (its run: {before[key]})" for key, value in differs.items())
    notes = [f"Not as in the run that made it: {deviations}."] if run is not None and differs else []
    tasks = {} if run is None else {task.game.name: task.game for task in run.tasks}
    trained = tasks.get(game.name)
    if run is not None and trained is None:
        notes.append(f"Its run did not train on {game.name}; it trained on {', '.join(run.names)}.")
    elif trained is not None and trained.parameters != game.parameters:
        notes.append(f"The game of its run had other parameters: {trained.parameters}.")
    return Way(sampling, place, tuple(notes))


def audit_model(
    source: str,
    game: Game,
    way: Way,
    settings: AuditSettings,
    *,
    out: Path | None = None,
    command: str = "",
    progress: Counting | None = None,
) -> AuditResult:
    """Audits one model.

    Args:
        source: A folder, a hub name, or an embedded model's name.
        game: The game it plays.
        way: How it is run.
        settings: How much is played and computed.
        out: A folder for the episodes, compressed; None keeps none.
        command: What makes the result again.
        progress: Told of the episodes as they are played.
    """
    started = time.perf_counter()
    found = audited_model(source, game, way, settings, "agent", source, progress)
    if out is not None:
        _keep(found, out)
    title = f"{game.name}: audit of {source}"
    seconds = time.perf_counter() - started
    return audit_result(title, game, [found.agent], settings, seconds, command=command, notes=way.notes)


def audit_run(
    recipe: Recipe,
    out: Path,
    settings: AuditSettings,
    name: str = "",
    command: str = "",
    progress: Counting | None = None,
) -> AuditResult:
    """Audits the models of a finished run in one game on common deals: where it started, imitated, and ended.

    Args:
        recipe: What was run.
        out: Its folder.
        settings: How much is played and computed; the profile is the recipe's.
        name: Which of the run's games; empty for the first.
        command: What makes the run again.
        progress: Told of the episodes of all these audits as they are played.

    Raises:
        UserError: For a game that the run did not train on.
    """
    started = time.perf_counter()
    chosen = name or recipe.names[0]
    if chosen not in recipe.names:
        raise UserError(f"the run did not train on {chosen!r}; its games: {', '.join(recipe.names)}")
    game = recipe.tasks[recipe.names.index(chosen)].game
    stages = {"base": ("Base", recipe.model)}
    if recipe.imitates and recipe.rl.steps:
        stages["sft"] = ("SFT", str(out / "sft"))
    stages["trained"] = ("Trained", str(out / "model"))
    settings = replace(settings, profile=recipe.profile)
    way = Way(recipe.sampling, recipe.hardware)
    tell = None if progress is None else lambda more, total: progress(more, total * len(stages))
    agents = []
    for agent, (label, source) in stages.items():
        found = audited_model(source, game, way, settings, agent, label, tell)
        agents.append(found.agent)
    several = len(recipe.names) > 1
    _keep(found, out / game.name if several else out)
    curves = curves_of(out / "metrics.jsonl", "trained", recipe.seed, game.name if several else "")
    seconds, seeds = time.perf_counter() - started, (recipe.seed,)
    title = f"{game.name}: one training run"
    return audit_result(title, game, agents, settings, seconds, command=command, curves=curves, seeds=seeds)


def audited_model(
    source: str,
    game: Game,
    way: Way,
    settings: AuditSettings,
    name: str,
    label: str,
    progress: Counting | None = None,
) -> Audited:
    """The audit of a model by its name, as `audit.audited`; `name` is its player's and `label` how it is shown."""
    engine, tokenizer = served(source, way.hardware)
    try:
        return audited(LanguageModelPolicy(name, engine, tokenizer, way.sampling), game, settings, label, progress)
    finally:
        engine.close()


def _keep(found: Audited, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_episodes(folder / EPISODES, found.episodes)


def curves_of(path: Path, agent: str, seed: int, game: str = "") -> list[CurveRecord]:
    """The exact values along a run; a value belongs to the policy before its step's update.

    Args:
        path: The run's metrics.jsonl; where there is none there is no curve.
        agent: Whose curve it is.
        seed: Of the run.
        game: In a run of several games, whose metrics; they are named GAME/METRIC there.
    """
    if not path.is_file():
        return []
    prefix = f"{game}/" if game else ""
    points: dict[str, list[tuple[int, float]]] = {name: [] for name in CURVES}
    for text in path.read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        for name in CURVES:
            if f"{prefix}{name}" in line:
                points[name].append((line["step"] - 1, line[f"{prefix}{name}"]))
    return [CurveRecord(agent=agent, seed=seed, metric=name, points=tuple(p)) for name, p in points.items() if p]
