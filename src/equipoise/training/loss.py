"""The one loss of all training: minus the sum, over rows and tokens, of a token's weight times its log-probability.

Reinforcement learning weighs each sampled token by its credit over the number of episodes, so that the loss's gradient
is minus the policy gradient; imitation weighs each token of a reply by one over the number of such tokens. Identical
rows arrive merged, weights summed, which is exact because the gradient is linear in the weights. For the same reason a
penalty on the divergence from a reference is a change of weights (`less_divergence`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from equipoise.engines.engine import Ids
from equipoise.errors import UserError
from equipoise.training.adapters import FIRST
from equipoise.training.play import Experience
from equipoise.training.rows import NOT_OURS

Reference = Callable[[list[tuple[Ids, Ids]]], list[np.ndarray]]
"""Log-probability of every completion token of some (prompt, completion) pairs under a fixed policy."""


@dataclass(frozen=True, slots=True)
class Example:
    """A sequence and how much each of its tokens counts.

    Attributes:
        tokens: Its tokens, [L].
        weights: The weight of each, 0 where a token is not trained; the first token follows nothing and never is, [L].
        adapter: Name of the adapter that is trained on it; empty for the model as it is.
    """

    tokens: Ids
    weights: np.ndarray
    adapter: str = ""


def examples_of(experience: Experience) -> list[Example]:
    """A step's rows with the weights whose loss has minus the policy gradient; tokens that are not ours weigh 0."""
    examples = []
    for row, credit in zip(experience.rows, experience.weights, strict=True):
        own = np.where(np.array(row.turn) == NOT_OURS, 0.0, credit) / experience.episodes
        examples.append(Example(row.prompt + row.completion, np.append(np.zeros(len(row.prompt)), own), row.adapter))
    return examples


def less_divergence(experience: Experience, reference: Reference, coefficient: float) -> tuple[Experience, float]:
    """The experience with the k3 estimate of KL(policy, reference) taken off its objective, and that divergence.

    The estimate's gradient at a sampled token is (1 - pi_ref/pi) * grad log pi, so the token's weight falls by
    coefficient * (1 - pi_ref/pi), once for every episode that its row stands for.

    Args:
        experience: Rows with their log-probabilities as sampled; the policy must not have moved since.
        reference: The fixed policy.
        coefficient: Of the penalty.

    Returns:
        The experience, and the divergence in nats per sampled token.

    Raises:
        UserError: For a row that the policy did not sample.
    """
    rows = experience.rows
    if any(len(row.log_probs) != len(row.completion) for row in rows):
        raise UserError("a row has no log-probabilities; the KL penalty is for rows that the policy sampled")
    weights, divergence, tokens = [], 0.0, 0.0
    scores = reference([(row.prompt, row.completion) for row in rows])
    for row, weight, count, score in zip(rows, experience.weights, experience.counts, scores, strict=True):
        ours = np.array(row.turn) != NOT_OURS
        log_ratio = np.where(ours, score - np.array(row.log_probs), 0.0)
        ratio = np.exp(log_ratio)
        weights.append(weight - coefficient * float(count) * (1.0 - ratio))
        divergence += float(count) * float(np.sum(ratio - log_ratio - 1.0))
        tokens += float(count) * int(ours.sum())
    return Experience(rows, weights, experience.counts, experience.episodes, experience.metrics), divergence / tokens


def passes(examples: Sequence[Example], count: int) -> list[list[Example]]:
    """The examples in at most so many parts of about equal number, similar lengths together: little is padding."""
    ordered = sorted(examples, key=lambda example: len(example.tokens)) if count > 1 else list(examples)
    parts = min(count, len(ordered))  # however many were asked for
    cuts = [len(ordered) * part // parts for part in range(parts + 1)] if parts else []
    return [ordered[start:end] for start, end in pairwise(cuts)]


def padded(examples: Sequence[Example]) -> dict[str, Any]:
    """The batch of some examples, padded on the right: ids, attention mask and weights, [B, L], and adapters, [B]."""
    shape = len(examples), max(len(example.tokens) for example in examples)
    ids, mask, weights = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64), np.zeros(shape)
    for i, example in enumerate(examples):
        part = i, slice(len(example.tokens))
        ids[part], mask[part], weights[part] = example.tokens, 1, example.weights
    return {
        "input_ids": torch.from_numpy(ids),
        "attention_mask": torch.from_numpy(mask),
        "weights": torch.from_numpy(weights).float(),
        "adapters": [example.adapter for example in examples],
    }


def weighted_loss(model: Any, batch: dict[str, Any], temperature: float = 1.0) -> torch.Tensor:
    """-sum over rows and tokens of weight * log-probability, differentiable.

    Logits are computed at the positions before a weighted token and nowhere else: with a large vocabulary they would be
    most of a pass's memory.

    Args:
        model: A causal language model, with or without adapters.
        batch: What `padded` made, on the model's device. Where it names adapters each row goes through its own.
        temperature: Divides the logits.
    """
    ids, weights = batch["input_ids"], batch["weights"]
    row, before = weights[:, 1:].nonzero(as_tuple=True)  # [n]: the last position that predicts each weighted token
    inputs = {"input_ids": ids, "attention_mask": batch["attention_mask"], "use_cache": False}
    if any(batch["adapters"]):
        model.eval()  # PEFT takes a name a row in this mode alone; nothing is dropped out, gradients are the same
        inputs["adapter_names"] = [adapter or FIRST for adapter in batch["adapters"]]
    head = getattr(model, "module", model).get_output_embeddings()  # inside what several processes wrap it in
    handle = head.register_forward_pre_hook(lambda module, seen: (seen[0][row, before][None],))
    try:
        logits = model(**inputs).logits[0]  # [n, vocabulary]
    finally:
        handle.remove()
    assert len(logits) == len(row)
    surprise = torch.nn.functional.cross_entropy(logits.float() / temperature, ids[row, before + 1], reduction="none")
    loss: torch.Tensor = (weights[row, before + 1] * surprise).sum()
    return loss
