"""Supervised fine-tuning on exact-token rows: the loss of `loss.py` with one weight for every token of a reply."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import Dataset
from transformers import PreTrainedModel, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from equipoise.engines.exactness import token_log_probs
from equipoise.errors import UserError
from equipoise.models.hardware import Optimizer
from equipoise.seeds import Seed, Use
from equipoise.training.loss import Example
from equipoise.training.ranks import dividable, ranks, take_up
from equipoise.training.rows import NOT_OURS, Row
from equipoise.training.settings import PASS_TOKENS
from equipoise.training.trainer import StepSettings, WeightedTrainer

Weights = Callable[[Row], np.ndarray]
"""1 for each token of a row that is learned, 0 for the others, prompt included, [L]."""


@dataclass(frozen=True)
class SftSettings:
    """How supervised training runs.

    Attributes:
        steps: Optimizer steps.
        batch_size: Rows per step.
        learning_rate: Peak learning rate of AdamW, decayed linearly to zero.
        pass_tokens: Most tokens of one forward and backward pass; a step takes as many passes as it needs.
        validate_every: Steps between two measurements of the loss on validation rows; first and last always count.
        seed: Keys the order of rows.
    """

    steps: int = 100
    batch_size: int = 64
    learning_rate: float = 5e-4
    pass_tokens: int = PASS_TOKENS
    validate_every: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "learning_rate", "pass_tokens", "validate_every"):
            if not getattr(self, name) > 0:
                raise UserError(f"got {name}={getattr(self, name)}; it must be above 0")


@dataclass(frozen=True)
class Fitted:
    """What supervised training did.

    Attributes:
        loss: Mean training loss over all steps, nats per token.
        validation: (step, loss) on the validation rows: before the first step, along the way and at the end.
    """

    loss: float
    validation: tuple[tuple[int, float], ...] = ()


def reply_weights(row: Row) -> np.ndarray:
    """Weights that count the row's own replies alone, [L]."""
    return np.append(np.zeros(len(row.prompt)), np.array(row.turn) != NOT_OURS)


def all_weights(row: Row) -> np.ndarray:
    """Weights that count every token of the transcript (language modelling) but the first, which follows none, [L]."""
    return np.append([0.0], np.ones(len(row.prompt) + len(row.completion) - 1))


class _Rows(Dataset[dict[str, Any]]):
    def __init__(self, rows: Sequence[Row], weights: Weights) -> None:
        examples = [Example(row.prompt + row.completion, weights(row)) for row in rows]
        self._items = [{"input_ids": example.tokens, "example": example} for example in examples]

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self._items[index]


def _mean_over_tokens(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The rows of one step, weighed so that the loss is the mean over all tokens that count."""
    examples = [item["example"] for item in items]
    tokens = sum(example.weights.sum() for example in examples)
    return {"examples": [Example(example.tokens, example.weights / tokens) for example in examples]}


def validation_loss(model: PreTrainedModel, rows: Sequence[Row]) -> float:
    """Mean negative log-probability of the rows' own replies, nats per token; nothing else is counted."""
    training = model.training
    model.eval()
    scores = token_log_probs(model, [(row.prompt, row.completion) for row in rows])
    model.train(training)
    own = [score[np.array(row.turn) != NOT_OURS] for score, row in zip(scores, rows, strict=True)]
    return -float(np.concatenate(own).mean())


class _Validation(TrainerCallback):
    """Measures the loss on rows kept aside and writes it to a file, a line each time."""

    def __init__(self, measure: Callable[[], float], every: int, path: Path) -> None:
        self._measure, self._every, self._path = measure, every, path
        self.losses: list[tuple[int, float]] = []

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if ranks().first:
            self._path.write_text("", encoding="utf-8")
        self._note(0)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if state.global_step % self._every == 0 or state.global_step == state.max_steps:
            self._note(state.global_step)

    def _note(self, step: int) -> None:
        self.losses.append((step, self._measure()))
        if not ranks().first:
            return
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, "validation_loss": self.losses[-1][1]}) + "\n")


def fit(
    model: PreTrainedModel,
    rows: Sequence[Row],
    settings: SftSettings,
    out: Path,
    *,
    validation: Sequence[Row] = (),
    weights: Weights = reply_weights,
    callbacks: Sequence[TrainerCallback] = (),
    gradient_checkpointing: bool = False,
    optimizer: Optimizer = "adamw",
    similar_lengths: bool = False,
) -> Fitted:
    """Trains `model` in place on rows; returns the losses. With validation rows `out`/sft.jsonl holds theirs.

    Args:
        model: A causal language model, with or without an adapter.
        rows: Transcripts.
        settings: Steps, batch, learning rate, seed.
        out: Folder for the logs.
        validation: Transcripts of other episodes.
        weights: `reply_weights` or `all_weights`.
        callbacks: Progress reporting.
        gradient_checkpointing: Computes activations twice to save memory.
        optimizer: Where AdamW keeps its moments; see `models.hardware.Hardware`.
        similar_lengths: Puts rows of similar lengths into one batch: less padding, where lengths differ a lot.
    """
    if not rows:
        raise UserError("got no rows to train on")
    moved = dividable(model)

    def measure() -> float:
        take_up(model, moved)
        return validation_loss(model, validation)

    measured = _Validation(measure, settings.validate_every, out / "sft.jsonl")
    steps = StepSettings(
        settings.steps,
        settings.learning_rate,
        beta2=0.999,
        pass_tokens=settings.pass_tokens,
        seed=Seed(settings.seed).at(Use.ROWS).integer(),
        on_cpu=model.device.type == "cpu",
        gradient_checkpointing=gradient_checkpointing,
        optimizer=optimizer,
    )
    order = "group_by_length" if similar_lengths else "random"
    trainer = WeightedTrainer(
        steps,
        model=moved,
        args=steps.arguments(out, per_device_train_batch_size=settings.batch_size, train_sampling_strategy=order),
        train_dataset=_Rows(rows, weights),
        data_collator=_mean_over_tokens,
        callbacks=[*callbacks, *([measured] if validation else [])],
    )
    result = trainer.train()
    take_up(model, moved)
    model.eval()
    return Fitted(float(result.training_loss), tuple(measured.losses))
