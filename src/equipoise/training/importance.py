"""Where sampler and trainer round differently: each token is weighed by how much likelier the trainer has it.

A reply that another engine drew is a sample of what that engine computed. Its gradient is made one of the trainer's own
policy by the ratio of the two probabilities, token by token. A single ratio can be large by chance, so it is cut at a
cap; no token and no transcript is dropped, and a cut ratio leaves a small bias in place of a large variance.

Reference: truncated importance sampling, Ionides (2008), "Truncated Importance Sampling", JCGS 17(2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from transformers import PreTrainedModel

from equipoise.engines.exactness import token_log_probs
from equipoise.engines.local import wearing
from equipoise.errors import UserError
from equipoise.training.adapters import weights_of
from equipoise.training.play import Experience
from equipoise.training.rows import NOT_OURS, Row

Scored = Callable[[Sequence[Row]], list[np.ndarray]]
"""Log-probability of every completion token of some rows, each under the policy that is trained on it."""


@dataclass(frozen=True)
class Ratios:
    """How far sampler and trainer are apart, over sampled tokens.

    Attributes:
        mean: Of the ratios before they are cut; 1 in expectation.
        largest: Of the ratios before they are cut.
        cut: Share of the tokens whose ratio was cut.
    """

    mean: float
    largest: float
    cut: float


def truncated_ratios(
    trainer: np.ndarray, sampled: np.ndarray, cap: float, counts: np.ndarray | None = None
) -> tuple[np.ndarray, Ratios]:
    """min(exp(trainer - sampled), cap) of each token, [L], and what the ratios are like.

    Args:
        trainer: Log-probability of each sampled token as the trainer computes it, [L].
        sampled: The same as the engine that drew it told, [L].
        cap: The largest factor, at least 1.
        counts: How many samples each token stands for, [L]; one where it is None.

    Raises:
        UserError: For a cap below 1, which would shrink the weights of tokens on which both agree.
        ValueError: For arrays of other shapes, or log-probabilities of tokens that cannot have been sampled.
    """
    if not cap >= 1:
        raise UserError(f"got a cap of {cap} on importance ratios; allowed: 1 or more")
    weights = np.ones(len(sampled)) if counts is None else np.asarray(counts, dtype=float)
    if not trainer.shape == sampled.shape == weights.shape:
        raise ValueError(f"got shapes {trainer.shape}, {sampled.shape}, {weights.shape}; needed: one [L]")
    if not np.isfinite(sampled).all() or np.isnan(trainer).any():
        raise ValueError("got a log-probability that is not a number, or of a token that cannot have been sampled")
    if not len(sampled):
        return np.zeros(0), Ratios(1.0, 1.0, 0.0)
    with np.errstate(over="ignore"):
        ratios = np.exp(trainer - sampled)
    mean, cut = (float(np.average(values, weights=weights)) for values in (ratios, ratios > cap))
    return np.minimum(ratios, cap), Ratios(mean, float(ratios.max()), cut)


def corrected(experience: Experience, trainer: Scored, cap: float) -> Experience:
    """The experience with each sampled token's weight multiplied by its truncated ratio.

    Its metrics tell of the ratios as `ratio_mean`, `ratio_max` and `ratio_cut`.

    Args:
        experience: Rows with their log-probabilities as sampled.
        trainer: The trained policy as the trainer computes it; it must not have moved since.
        cap: As in `truncated_ratios`.

    Raises:
        UserError: For a row without log-probabilities.
    """
    rows = experience.rows
    if any(len(row.log_probs) != len(row.completion) for row in rows):
        raise UserError("a row has no log-probabilities; importance ratios are for rows that an engine sampled")
    scores = trainer(rows)
    ours = [np.array(row.turn) != NOT_OURS for row in rows]
    counts = [np.full(int(own.sum()), float(n)) for own, n in zip(ours, experience.counts, strict=True)]
    factors, ratios = truncated_ratios(
        np.concatenate([score[own] for score, own in zip(scores, ours, strict=True)]),
        np.concatenate([np.array(row.log_probs)[own] for row, own in zip(rows, ours, strict=True)]),
        cap,
        np.concatenate(counts),
    )
    weights, start = [], 0
    for weight, own in zip(experience.weights, ours, strict=True):
        scaled = np.array(weight, dtype=float)
        scaled[own] *= factors[start : start + int(own.sum())]
        weights.append(scaled)
        start += int(own.sum())
    told = {"ratio_mean": ratios.mean, "ratio_max": ratios.largest, "ratio_cut": ratios.cut}
    return Experience(rows, weights, experience.counts, experience.episodes, {**experience.metrics, **told})


def by_trainer(model: PreTrainedModel, temperature: float) -> Scored:
    """What a model in this process says of rows, each under the agent that is trained on it.

    Args:
        model: The trained model, with one or two adapters or none.
        temperature: Divides the logits.
    """

    def scored(rows: Sequence[Row]) -> list[np.ndarray]:
        found: dict[int, np.ndarray] = {}
        for agent in {row.adapter for row in rows}:
            mine = [i for i, row in enumerate(rows) if row.adapter == agent]
            own = {name: parameter.data for name, parameter in model.named_parameters()}
            with wearing(model, weights_of(own, agent) if agent else {}):
                pairs = [(rows[i].prompt, rows[i].completion) for i in mine]
                found.update(zip(mine, token_log_probs(model, pairs, temperature), strict=True))
        return [found[i] for i in range(len(rows))]

    return scored
