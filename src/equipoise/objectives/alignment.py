"""Opponent-aware credit: what one seat's decision is worth, given the advantages of both seats of the same episode.

Every rule takes the advantages of the seat that is trained (`own`) and of the other seat at the same time steps
(`other`), both [B, T], and returns the credits of the first, [B, T]. An advantage is a return minus its baseline, made
the same way whatever the rule, so that rules differ in the credit alone.

| rule | credit of time step t |
| --- | --- |
| `naive` | own_t |
| `sum_of_rewards` | own_t + other_t |
| `advantage_alignment` | own_t + beta * gamma * (sum over k < t of gamma^(t-k) own_k) * other_t |
| `advantage_alignment_inclusive` | own_t + beta * (sum over k <= t of gamma^(t-k) own_k) * other_t |

The added term of the last two is positive where what the episode brought this seat so far and what this decision
brings the other seat have the same sign: give to those who have been good to you, take from those who have not.

Both sums are kept by recurrence. No power of gamma is ever formed, so horizons of any length stay finite.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.errors import UserError
from equipoise.objectives._checks import finite_matrix, non_negative, unit_interval


@dataclass(frozen=True)
class AlignmentWeights:
    """How strongly the other seat's advantage counts.

    Attributes:
        beta: Weight of the alignment term. It has the unit of one over an advantage: rewards divided by d need d times
            the beta for the same policy gradient up to scale.
        discount: gamma, the discount of own earlier advantages per time step.
    """

    beta: float = 1.0
    discount: float = 0.9

    def __post_init__(self) -> None:
        """Check both weights.

        Raises:
            ValueError: If beta is negative or not finite, or the discount lies outside [0, 1].
        """
        non_negative("beta", self.beta)
        unit_interval("discount", self.discount)


AlignmentRule = Callable[[ArrayLike, ArrayLike, AlignmentWeights], NDArray[np.float64]]
"""The formula of a rule: the advantages of both seats, own first, [B, T] each, to credits of the first, [B, T]."""


def naive(own: ArrayLike, other: ArrayLike, weights: AlignmentWeights) -> NDArray[np.float64]:
    """Credits own_t, [B, T]: the other seat counts for nothing, whatever `weights` say.

    Raises:
        ValueError: If the advantages are not finite [B, T] arrays of one shape.
    """
    return _both(own, other)[0].copy()


def sum_of_rewards(own: ArrayLike, other: ArrayLike, weights: AlignmentWeights) -> NDArray[np.float64]:
    """Credits own_t + other_t, [B, T]: both seats earn what they earn together, whatever `weights` say.

    It teaches unconditional cooperation, which a greedy player exploits.

    Raises:
        ValueError: If the advantages are not finite [B, T] arrays of one shape.
    """
    own, other = _both(own, other)
    return own + other


def advantage_alignment(own: ArrayLike, other: ArrayLike, weights: AlignmentWeights) -> NDArray[np.float64]:
    """Credits own_t + beta * gamma * (sum over k < t of gamma^(t-k) own_k) * other_t, [B, T]: the published rule.

    The nearest earlier advantage therefore counts gamma^2: the leading gamma is part of the published equation. The
    first time step has no past and earns own_0.

    Raises:
        ValueError: If the advantages are not finite [B, T] arrays of one shape.

    Reference:
        Duque et al. (2024), arXiv 2406.14662; for language models arXiv 2511.19405.
    """
    own, other = _both(own, other)
    past = np.zeros_like(own)  # [B, T], the sum over k < t
    for step in range(1, own.shape[1]):
        past[:, step] = weights.discount * (past[:, step - 1] + own[:, step - 1])
    return own + weights.beta * weights.discount * past * other


def advantage_alignment_inclusive(own: ArrayLike, other: ArrayLike, weights: AlignmentWeights) -> NDArray[np.float64]:
    """Credits own_t + beta * (sum over k <= t of gamma^(t-k) own_k) * other_t, [B, T]: this time step counts as past.

    There is no leading gamma. At the first time step the added term is beta * own_0 * other_0.

    Raises:
        ValueError: If the advantages are not finite [B, T] arrays of one shape.

    Reference:
        An option beside `advantage_alignment` in the released code of arXiv 2511.19405; not the published equation.
    """
    own, other = _both(own, other)
    so_far = own.copy()  # [B, T], the sum over k <= t
    for step in range(1, own.shape[1]):
        so_far[:, step] += weights.discount * so_far[:, step - 1]
    return own + weights.beta * so_far * other


def _both(own: ArrayLike, other: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The advantages of both seats, checked, [B, T] each."""
    first, second = finite_matrix("own", own), finite_matrix("other", other)
    if second.shape != first.shape:
        raise UserError(f"other has shape {second.shape}; it must be {first.shape}, like own")
    return first, second
