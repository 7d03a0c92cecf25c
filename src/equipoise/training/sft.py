"""Supervised fine-tuning on exact-token rows, through the Hugging Face Trainer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset
from transformers import PreTrainedModel, Trainer, TrainerCallback, TrainingArguments

from equipoise.training.rows import NOT_OURS, Row

IGNORED = -100


@dataclass(frozen=True)
class SftSettings:
    """How supervised training runs.

    Attributes:
        steps: Optimizer steps.
        batch_size: Rows per step.
        learning_rate: Peak learning rate of AdamW, decayed linearly to zero.
        seed: Keys the order of rows.
    """

    steps: int = 100
    batch_size: int = 64
    learning_rate: float = 5e-4
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "learning_rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"got {name}={getattr(self, name)}; it must be above 0")


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


def fit(
    model: PreTrainedModel,
    rows: Sequence[Row],
    settings: SftSettings,
    out: Path,
    *,
    labels: Any = reply_labels,
    callbacks: Sequence[TrainerCallback] = (),
) -> float:
    """Trains `model` in place on rows; returns the mean training loss.

    Args:
        model: A causal language model, with or without an adapter.
        rows: Transcripts.
        settings: Steps, batch, learning rate, seed.
        out: Folder for the trainer's logs.
        labels: `reply_labels` or `all_labels`.
        callbacks: Progress reporting.
    """
    if not rows:
        raise ValueError("got no rows to train on")
    arguments = TrainingArguments(
        output_dir=str(out),
        max_steps=settings.steps,
        per_device_train_batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="linear",
        weight_decay=0.0,
        seed=settings.seed,
        data_seed=settings.seed,
        bf16=False,
        use_cpu=model.device.type == "cpu",
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        dataloader_pin_memory=False,
        remove_unused_columns=False,
    )
    trainer = Trainer(
        model=model, args=arguments, train_dataset=_Rows(rows, labels), data_collator=_padded, callbacks=list(callbacks)
    )
    trainer.remove_callback(_printer())
    result = trainer.train()
    model.eval()
    return float(result.training_loss)


def _printer() -> type[TrainerCallback]:
    from transformers.trainer_callback import PrinterCallback

    return PrinterCallback
