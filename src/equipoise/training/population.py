"""Past selves: snapshots of the trained weights, worn by the one model in turn.

A past self is not a second model. Its weights (of an adapter, or all where there is none) are kept beside the model,
and while it answers they stand in the place of the current ones: the base model exists once, whatever the number of
players. Snapshots are safetensors files in the run folder, so a resumed run meets the past it left; their checksums
stand in the manifest of every checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel

from equipoise.core import Action, Game, Reply
from equipoise.errors import UserError
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.policies.policy import Policy, Request, Session
from equipoise.seeds import Seed
from equipoise.training.checkpoints import checksum

Weights = Mapping[str, torch.Tensor]


def past_name(step: int) -> str:
    """The name of the self of a step."""
    return f"past-{step}"


def trained_weights(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """A copy of the parameters that training moves: an adapter's, or all of them."""
    return {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}


@contextmanager
def wearing(model: PreTrainedModel, weights: Weights) -> Iterator[None]:
    """Within it the model has other weights; afterwards its own, untouched. Nothing is copied."""
    parameters = dict(model.named_parameters())
    own = {name: parameters[name].data for name in weights}
    try:
        for name, value in weights.items():
            parameters[name].data = value
        yield
    finally:
        for name, value in own.items():
            parameters[name].data = value


class _WornSession(Session):
    """A language model's session whose every call is answered under other weights."""

    def __init__(self, model: PreTrainedModel, weights: Weights, inner: Session) -> None:
        self._model, self._weights, self._inner = model, weights, inner

    def replies(self, requests: Sequence[Request]) -> list[Reply]:
        with wearing(self._model, self._weights):
            return self._inner.replies(requests)

    def retract(self, requests: Sequence[Request]) -> None:
        self._inner.retract(requests)

    def constrained(self, requests: Sequence[Request]) -> list[Action]:
        with wearing(self._model, self._weights):
            return self._inner.constrained(requests)


class WornPolicy(Policy):
    """A language model under other weights than its own: another agent on the same base, or a past self."""

    def __init__(self, name: str, policy: LanguageModelPolicy, weights: Weights) -> None:
        """Args: name: Of this player. policy: Whose model it is. weights: What stands in the place of its own."""
        self.name = name
        self._policy, self._weights = policy, weights

    def session(self, game: Game, seed: Seed) -> Session:
        with wearing(self._policy.model, self._weights):  # the rules are read at once
            inner = self._policy.session(game, seed)
        return _WornSession(self._policy.model, self._weights, inner)


class PastSelf(WornPolicy):
    """A language model as it was: the same model under a snapshot's weights."""


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
        self.steps: list[int] = []

    def note(self, model: PreTrainedModel, step: int) -> None:
        """Takes a snapshot where one is due before `step`; the policy a run starts from is the first."""
        unused = self._settings.probability == 0 or bool(self._settings.frozen)
        if unused or step % self._settings.every or step in self.steps:
            return
        weights = trained_weights(model)
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = self._path(step).with_suffix(".partial")
        try:
            save_file({name: value.contiguous() for name, value in weights.items()}, partial)
        except (OSError, SafetensorError) as error:
            raise UserError(f"cannot save a past self to {self._folder}: {error}; free some space, resume") from error
        self._checksums[self._path(step).name] = checksum(partial)
        partial.replace(self._path(step))
        self.steps.append(step)
        self._kept[step] = weights

    def offered(self, rng: np.random.Generator, step: int) -> list[int]:
        """The snapshots that `step` draws from, by their own steps, all of them earlier."""
        known = [past for past in self.steps if past < step]
        known = known[-self._settings.recent :] if self._settings.recent else known
        if len(known) <= self._settings.offered:
            return list(known)
        return sorted(int(step) for step in rng.choice(known, size=self._settings.offered, replace=False))

    def player(self, step: int, policy: LanguageModelPolicy) -> PastSelf:
        """The self of a step, as the model was."""
        return PastSelf(past_name(step), policy, self.weights(step, policy))

    def weights(self, step: int, policy: LanguageModelPolicy) -> Weights:
        """The weights of a step; they are read from disk once and only kept while they are in use."""
        self._kept = {kept: weights for kept, weights in self._kept.items() if kept in self._recently(step)}
        if step not in self._kept:
            try:
                self._kept[step] = load_file(self._path(step), device=str(policy.model.device))
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
        return self._folder / f"step-{step:06d}.safetensors"
