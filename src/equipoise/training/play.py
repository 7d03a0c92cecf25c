"""What a training step needs from a way to play: credited rows, and a state that a resumed run takes up."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from transformers import PreTrainedModel

from equipoise.errors import UserError
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.seeds import Seed
from equipoise.training.rows import Row

if TYPE_CHECKING:
    from equipoise.training.kept_pass import KeptPass

AGENT = "agent"
"""The name of the policy that is trained."""


@dataclass(frozen=True)
class Experience:
    """What one step trains on.

    Attributes:
        rows: Distinct transcripts.
        weights: For each row, the summed credit of every completion token.
        counts: How many episodes each row stands for, whole or expected.
        episodes: Sides of episodes trained, the denominator of the policy gradient.
        metrics: What to log.
        kept: The pass that scored the rows, where it can be trained from.
    """

    rows: list[Row]
    weights: list[np.ndarray]
    counts: np.ndarray
    episodes: int
    metrics: dict[str, float] = field(default_factory=dict)
    kept: KeptPass | None = None


def trained_model(policy: LanguageModelPolicy) -> PreTrainedModel:
    """The model in this process that training moves and under whose weights a policy's engine answers.

    Raises:
        UserError: For an engine whose model is elsewhere.
    """
    model: PreTrainedModel | None = getattr(policy.engine, "model", None)
    if model is None:
        raise UserError(f"the engine {policy.engine.name!r} has no model in this process; use --engine local or vllm")
    return model


class Play(ABC):
    """One way to make experience: who meets whom at what, and what each decision is credited with."""

    @abstractmethod
    def collect(self, policy: LanguageModelPolicy, seed: Seed, step: int) -> Experience:
        """One step's credited rows; randomness is keyed by `seed` alone."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """What a resumed run must take up, as JSON."""

    @abstractmethod
    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes up a `state`."""
