"""The one loss of all training: minus the sum, over rows and tokens, of a token's weight times its log-probability.

Here are the weights; `passes.py` runs the rows. Reinforcement learning weighs each sampled token by its credit over the
number of episodes, so that the loss's gradient is minus the policy gradient; imitation weighs each token of a reply by
one over the number of such tokens. Identical rows arrive merged, weights summed, which is exact because the gradient is
linear in the weights. For the same reason a penalty on the divergence from a reference is a change of weights
(`less_divergence`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from equipoise.engines.engine import Ids
from equipoise.errors import UserError
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
    return replace(experience, weights=weights), divergence / tokens
