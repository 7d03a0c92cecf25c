"""A training step of a real model in Kuhn poker: as token trees, as padded rows, and by TRL's GRPOTrainer.

The rows are every legal reply at every information state, in the model's own tokens; their last two tokens are trained.
A step is the forward and backward passes over all rows; nothing is generated in it, and the optimizer's own work, the
same in all three, is left out. TRL is given the rows as finished completions, with an advantage for each token, and its
own `compute_loss` makes the loss of them (no KL, one iteration, no gradient checkpointing). What is padded is run a few
rows at a time, so that it fits into a small machine, and gradients add up; `kept` is what a pass over all rows would
keep for its backward pass, the sum of its parts.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from tree import as_embedded, kept, step, weighed

TOGETHER = 6
"""Padded rows of a pass."""


@dataclass(frozen=True)
class TrlPass:
    """Some rows as TRL's trainer takes them.

    Attributes:
        trainer: A `GRPOTrainer`.
        inputs: What it makes of a generation.
    """

    trainer: Any
    inputs: dict[str, torch.Tensor]

    def loss(self, model: Any) -> torch.Tensor:
        """As `training.passes.Pass.loss`, up to what TRL divides by."""
        found: torch.Tensor = self.trainer.compute_loss(model, self.inputs)
        return found


def trl_trainer(model: Any, tokenizer: Any, rows: int, folder: str) -> Any:
    """A `GRPOTrainer` of a model that will be given its rows."""
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    settings = GRPOConfig(
        output_dir=folder,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        beta=0.0,
        per_device_train_batch_size=rows,
        num_generations=2,
        report_to=[],
    )

    def nothing(completions: list[Any], **_: Any) -> list[float]:
        return [0.0] * len(completions)

    prompts = Dataset.from_list([{"prompt": "play"}] * rows)
    return GRPOTrainer(model, nothing, settings, train_dataset=prompts, processing_class=tokenizer)


def trl_inputs(examples: Sequence[Any], all_tokens: int, pad: int) -> dict[str, torch.Tensor]:
    """Prompts padded on the left and completions on the right: a row's trained tokens are its completion."""
    starts = [int(example.weights.nonzero()[0][0]) for example in examples]
    before, after = max(starts), max(len(e.tokens) - s for e, s in zip(examples, starts, strict=True))
    shape = len(examples), before + after
    ids, mask, weights = torch.full(shape, pad), torch.zeros(shape, dtype=torch.long), torch.zeros(shape)
    for i, (example, start) in enumerate(zip(examples, starts, strict=True)):
        part = i, slice(before - start, before - start + len(example.tokens))
        ids[part], mask[part] = torch.tensor(example.tokens), 1
        weights[part] = torch.from_numpy(example.weights).float()
    return {
        "prompt_ids": ids[:, :before],
        "prompt_mask": mask[:, :before],
        "completion_ids": ids[:, before:],
        "completion_mask": mask[:, before:],
        "advantages": weights[:, before:],
        "num_items_in_batch": torch.tensor(all_tokens),
    }


def measure(way: str, name: str, rows: int, repeats: int) -> dict[str, Any]:
    """CPU seconds of steps one way, the first of which is not counted, what a step keeps, and the tokens it runs.

    Args:
        way: "tree", "rows" or "trl".
        name: Of the model.
        rows: How many of the rows, from the first; 0 for all.
        repeats: Steps counted.
    """
    from equipoise.models.load import load
    from equipoise.policies.language_model import LanguageModelPolicy
    from equipoise.training.passes import RowPass, passes

    torch.set_num_threads(1)
    model, tokenizer = load(name)
    every = as_embedded(LanguageModelPolicy(name, model, tokenizer))
    examples = weighed(every[: rows or len(every)])
    groups = [examples[i : i + TOGETHER] for i in range(0, len(examples), TOGETHER)]
    with tempfile.TemporaryDirectory() as folder:
        ways: dict[str, Callable[[], Sequence[Any]]] = {
            "tree": lambda: passes(model, examples, 10**9),
            "rows": lambda: [RowPass(group) for group in groups],
        }
        if way == "trl":
            trainer = trl_trainer(model, tokenizer, len(examples), folder)
            trained, pad = sum(int((e.weights != 0).sum()) for e in examples), tokenizer.pad_token_id
            ways["trl"] = lambda: [TrlPass(trainer, trl_inputs(group, trained, pad)) for group in groups]
        parts = ways[way]
        for part in parts()[:1]:
            part.loss(model).backward()  # warms up
        seconds = [step(model, parts) for _ in range(repeats)]
        return {
            "rows": len(examples),
            "seconds": seconds,
            "mib": sum(kept(model, [part]) for part in parts()),
            "tokens": _tokens(parts(), groups),
        }


def _tokens(parts: Sequence[Any], groups: Sequence[Sequence[Any]]) -> int:
    """Tokens that a step's passes run, padding included."""
    if hasattr(parts[0], "trees"):
        return sum(len(part.trees) * max(map(len, part.trees)) for part in parts)
    return sum(len(group) * max(len(example.tokens) for example in group) for group in groups)
