"""Supervised fine-tuning on exact-token rows, through the Hugging Face Trainer, with the loss on rows kept aside."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset
from transformers import (
    PreTrainedModel,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from equipoise.errors import UserError
from equipoise.policies.plain_scoring import token_log_probs
from equipoise.training.rows import NOT_OURS, Row

IGNORED = -100


@dataclass(frozen=True)
class SftSettings:
    """How supervised training runs.

    Attributes:
        steps: Optimizer steps.
        batch_size: Rows per step.
        learning_rate: Peak learning rate of AdamW, decayed linearly to zero.
        micro_batches: Parts the rows of a step are split into to save memory.
        validate_every: Steps between two measurements of the loss on validation rows; first and last always count.
        seed: Keys the order of rows.
    """

    steps: int = 100
    batch_size: int = 64
    learning_rate: float = 5e-4
    micro_batches: int = 1
    validate_every: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "learning_rate", "micro_batches", "validate_every"):
            if not getattr(self, name) > 0:
                raise UserError(f"got {name}={getattr(self, name)}; it must be above 0")
        if self.batch_size % self.micro_batches:
            raise UserError(f"got batch_size={self.batch_size}, micro_batches={self.micro_batches}; it must divide it")


@dataclass(frozen=True)
class Fitted:
    """What supervised training did.

    Attributes:
        loss: Mean training loss over all steps, nats per token.
        validation: (step, loss) on the validation rows: before the first step, along the way and at the end.
    """

    loss: float
    validation: tuple[tuple[int, float], ...] = ()


def reply_labels(row: Row) -> list[int]:
    """Labels that score the row's own replies alone, [L]."""
    own = [token if turn != NOT_OURS else IGNORED for token, turn in zip(row.completion, row.turn, strict=True)]
    return [IGNORED] * len(row.prompt) + own


def all_labels(row: Row) -> list[int]:
    """Labels that score every token of the transcript (language modelling), [L]."""
    return list(row.prompt + row.completion)


class _Rows(Dataset[dict[str, list[int]]]):
    def __init__(self, rows: Sequence[Row], labels: Any) -> None:
        self._items = [{"input_ids": list(r.prompt + r.completion), "labels": labels(r)} for r in rows]

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> dict[str, list[int]]:
        return self._items[index]


def _padded(items: Sequence[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
    width = max(len(item["input_ids"]) for item in items)
    batch = {"input_ids": 0, "attention_mask": 0, "labels": IGNORED}
    tensors = {name: torch.full((len(items), width), fill) for name, fill in batch.items()}
    for i, item in enumerate(items):
        length = len(item["input_ids"])
        tensors["input_ids"][i, :length] = torch.tensor(item["input_ids"])
        tensors["labels"][i, :length] = torch.tensor(item["labels"])
        tensors["attention_mask"][i, :length] = 1
    return tensors


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
        self._path.write_text("", encoding="utf-8")
        self._note(0)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if state.global_step % self._every == 0 or state.global_step == state.max_steps:
            self._note(state.global_step)

    def _note(self, step: int) -> None:
        self.losses.append((step, self._measure()))
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, "validation_loss": self.losses[-1][1]}) + "\n")


def fit(
    model: PreTrainedModel,
    rows: Sequence[Row],
    settings: SftSettings,
    out: Path,
    *,
    validation: Sequence[Row] = (),
    labels: Any = reply_labels,
    callbacks: Sequence[TrainerCallback] = (),
    gradient_checkpointing: bool = False,
    similar_lengths: bool = False,
) -> Fitted:
    """Trains `model` in place on rows; returns the losses. With validation rows `out`/sft.jsonl holds theirs.

    Args:
        model: A causal language model, with or without an adapter.
        rows: Transcripts.
        settings: Steps, batch, learning rate, seed.
        out: Folder for the logs.
        validation: Transcripts of other episodes.
        labels: `reply_labels` or `all_labels`.
        callbacks: Progress reporting.
        gradient_checkpointing: Computes activations twice to save memory.
        similar_lengths: Puts rows of similar lengths into one batch: less padding, where lengths differ a lot.
    """
    if not rows:
        raise UserError("got no rows to train on")
    measured = _Validation(lambda: validation_loss(model, validation), settings.validate_every, out / "sft.jsonl")
    arguments = _arguments(settings, out, model.device.type == "cpu", gradient_checkpointing)
    arguments.train_sampling_strategy = "group_by_length" if similar_lengths else "random"
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=_Rows(rows, labels),
        data_collator=_padded,
        callbacks=[*callbacks, *([measured] if validation else [])],
    )
    trainer.remove_callback(_printer())
    result = trainer.train()
    model.eval()
    return Fitted(float(result.training_loss), tuple(measured.losses))


def _arguments(settings: SftSettings, out: Path, on_cpu: bool, gradient_checkpointing: bool) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(out),
        max_steps=settings.steps,
        per_device_train_batch_size=settings.batch_size // settings.micro_batches,
        gradient_accumulation_steps=settings.micro_batches,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="linear",
        weight_decay=0.0,
        seed=settings.seed,
        data_seed=settings.seed,
        bf16=False,
        activation_checkpointing=gradient_checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False} if gradient_checkpointing else None,
        use_cpu=on_cpu,
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        dataloader_pin_memory=False,
        remove_unused_columns=False,
    )


def _printer() -> type[TrainerCallback]:
    from transformers.trainer_callback import PrinterCallback

    return PrinterCallback
