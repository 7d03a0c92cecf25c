"""Past selves: snapshots of the trained weights, which the engine puts in the place of the current ones in turn.

A past self is not a second model. Its weights (of an adapter, or all where there is none) have a name with the engine,
and while it answers they stand in the place of the current ones: the base model exists once, whatever the number of
players. Snapshots are safetensors files in the run folder, so a resumed run meets the past it left; their checksums
stand in the manifest of every checkpoint. Where a server trains the model the file says where the server has them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel

from equipoise.engines.engine import Engine, RemoteWeights
from equipoise.engines.local import Weights
from equipoise.errors import UserError
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.training.checkpoints import checksum
from equipoise.training.play import trained_model
from equipoise.training.ranks import ranks

_HELD, _SERVED = ".safetensors", ".json"
"""The files of snapshots: weights of this process, and where a server has them."""


def past_name(step: int) -> str:
    """The name of the self of a step."""
    return f"past-{step}"


def trained_weights(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """A copy of the parameters that training moves: an adapter's, or all of them."""
    return {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}


@dataclass(frozen=True)
class PastSettings:
    """Whom a learner meets beside its present self.

    Attributes:
        every: Steps between two snapshots.
        probability: Share of groups (of rollouts, where groups mix opponents) that meet a past self once there is one.
        recent: Only the newest so many snapshots are drawn; 0 draws from the whole history.
        offered: Most past selves that one step draws from.
        scripts: Names of scripted players that are drawn like past selves, from the first step on.
        frozen: Folder of a model that is met in the place of past selves and never changes; "" for none. With
            probability 1 and the rule "naive" the learner is a best-response probe of that model.
    """

    every: int = 10
    probability: float = 0.5
    recent: int = 0
    offered: int = 4
    scripts: tuple[str, ...] = ()
    frozen: str = ""

    def __post_init__(self) -> None:
        if self.every < 1 or self.recent < 0 or self.offered < 1:
            raise UserError(
                f"got every={self.every}, recent={self.recent}, offered={self.offered}; allowed: every >= 1, "
                "recent >= 0, offered >= 1"
            )
        if not 0.0 <= self.probability <= 1.0:
            raise UserError(f"got probability={self.probability}; allowed: 0 to 1")


class Population:
    """The snapshots of one run."""

    def __init__(self, folder: Path, settings: PastSettings) -> None:
        """Args: folder: Where snapshots are kept. settings: How often, and which are drawn."""
        self._folder, self._settings = folder, settings
        self._kept: dict[int, Weights] = {}
        self._checksums: dict[str, str] = {}
        self._playing: list[tuple[Engine, str]] = []
        self.steps: list[int] = []

    def note(self, policy: LanguageModelPolicy, step: int) -> None:
        """Takes a snapshot where one is due before `step`; the policy a run starts from is the first."""
        unused = self._settings.probability == 0 or bool(self._settings.frozen)
        if unused or step % self._settings.every or step in self.steps:
            return
        engine: object = policy.engine
        if not isinstance(engine, RemoteWeights):
            self._kept[step] = trained_weights(trained_model(policy))
        if ranks().first:
            self._write(step, engine)
        self.steps.append(step)

    def _write(self, step: int, engine: object) -> None:
        """Puts a snapshot into its file."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"step-{step:06d}{_SERVED if isinstance(engine, RemoteWeights) else _HELD}"
        partial = path.with_suffix(".partial")
        try:
            if isinstance(engine, RemoteWeights):
                partial.write_text(json.dumps({"state": engine.state}) + "\n", encoding="utf-8")
            else:
                save_file({name: value.contiguous() for name, value in self._kept[step].items()}, partial)
        except (OSError, SafetensorError) as error:
            raise UserError(f"cannot save a past self to {self._folder}: {error}; free some space, resume") from error
        self._checksums[path.name] = checksum(partial)
        partial.replace(path)

    def offered(self, rng: np.random.Generator, step: int) -> list[int]:
        """The snapshots that `step` draws from, by their own steps, all of them earlier."""
        known = [past for past in self.steps if past < step]
        known = known[-self._settings.recent :] if self._settings.recent else known
        if len(known) <= self._settings.offered:
            return list(known)
        return sorted(int(step) for step in rng.choice(known, size=self._settings.offered, replace=False))

    def player(self, step: int, policy: LanguageModelPolicy) -> LanguageModelPolicy:
        """The self of a step, as the model was."""
        name, engine = past_name(step), policy.engine
        if not isinstance(engine, RemoteWeights):
            return self.under(name, policy, self.weights(step, policy))
        engine.recall(name, json.loads(self._path(step).read_text(encoding="utf-8"))["state"])
        self._playing.append((engine, name))
        return policy.under(name, name)

    def under(self, name: str, policy: LanguageModelPolicy, weights: Weights) -> LanguageModelPolicy:
        """A policy under weights that its engine has until `dismiss`."""
        policy.engine.put(name, weights)
        self._playing.append((policy.engine, name))
        return policy.under(name, name)

    def dismiss(self) -> None:
        """Has the engine forget the weights of all that played."""
        for engine, name in self._playing:
            engine.drop(name)
        self._playing.clear()

    def weights(self, step: int, policy: LanguageModelPolicy) -> Weights:
        """The weights of a step; they are read from disk once and only kept while they are in use."""
        self._kept = {kept: weights for kept, weights in self._kept.items() if kept in self._recently(step)}
        if step not in self._kept:
            try:
                self._kept[step] = load_file(self._path(step), device=str(trained_model(policy).device))
            except (OSError, SafetensorError) as error:
                raise UserError(f"cannot read the past self {self._path(step)}: {error}; use --resume") from error
        return self._kept[step]

    def state(self) -> dict[str, Any]:
        """What a resumed run must take up, as JSON: the steps of the snapshots, and the checksums of their files."""
        return {"past": list(self.steps), "sha256": dict(self._checksums)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes up the snapshots of an interrupted run.

        Raises:
            ValueError: When one of them is gone, or is not what it was.
        """
        checksums = dict(state.get("sha256", {}))
        self._checksums = checksums
        for path in map(self._path, state["past"]):
            if not path.is_file():
                raise UserError(f"its past self {path} is gone")
            found = checksum(path)
            if checksums.setdefault(path.name, found) != found:  # a version without checksums said none
                raise UserError(f"its past self {path} is damaged")
        self._checksums, self._kept = checksums, {}
        self.steps = list(state["past"])

    def _recently(self, step: int) -> set[int]:
        """Snapshots worth keeping in memory beside the one of `step`: as many as one step may meet."""
        kept = [other for other in self._kept if other != step]
        return {step, *kept[-2 * self._settings.offered :]}

    def _path(self, step: int) -> Path:
        served = self._folder / f"step-{step:06d}{_SERVED}"
        return served if served.name in self._checksums else served.with_suffix(_HELD)
