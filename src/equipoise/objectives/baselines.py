"""Baselines over the rollouts of a group: episodes that share opponent, seat and deal.

What the others of a group earned is independent of one's own actions, so subtracting their mean removes variance and
leaves the expected gradient as it is, with no factor to correct.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.objectives._checks import boolean_mask, finite_matrix, integer_vector

_STD_CUTOFF = 1e-8


def leave_one_out(values: ArrayLike, groups: ArrayLike, mask: ArrayLike | None = None) -> NDArray[np.float64]:
    """Each value minus the mean of the other group members alive at that time step, [B, T].

    A member that is alone at a time step keeps its raw value (its baseline is 0). Masked entries are 0 and enter no
    mean.

    Args:
        values: Returns or rewards, [B, T].
        groups: Group of each episode, [B] integers.
        mask: True where the agent decided, [B, T]; None means everywhere.

    Raises:
        TypeError: If `groups` are not integers or `mask` is not boolean.
        ValueError: If shapes disagree or a value is not finite.

    Reference:
        Kool, van Hoof and Welling (2019), "Buy 4 REINFORCE samples, get a baseline for free".
    """
    values, index, alive = _checked(values, groups, mask)
    count, total = _group_sums(values, index, alive)
    others = count - 1
    baseline = np.where(others > 0, (total - values) / np.maximum(others, 1), 0.0)
    return np.where(alive, values - baseline, 0.0)


def standardise_by_group(values: ArrayLike, groups: ArrayLike, mask: ArrayLike | None = None) -> NDArray[np.float64]:
    """Each value minus its group's mean, divided by its group's population standard deviation, [B, T].

    The published normalisation, kept for ablation: it rescales every group to the same size however little its members
    differ (with two members the result is always -1 or +1). Groups whose deviation is below 1e-8 get 0, masked entries
    too.

    Args:
        values: Returns or rewards, [B, T].
        groups: Group of each episode, [B] integers.
        mask: True where the agent decided, [B, T]; None means everywhere.

    Raises:
        TypeError: If `groups` are not integers or `mask` is not boolean.
        ValueError: If shapes disagree or a value is not finite.

    Reference:
        Group-relative advantages of GRPO, arXiv 2402.03300, section 4.1.2, taken per time step.
    """
    values, index, alive = _checked(values, groups, mask)
    count, total = _group_sums(values, index, alive)
    deviation = values - total / np.maximum(count, 1)
    _, squares = _group_sums(deviation**2, index, alive)
    std = np.sqrt(squares / np.maximum(count, 1))
    return np.where(alive & (std >= _STD_CUTOFF), deviation / np.maximum(std, _STD_CUTOFF), 0.0)


def _checked(
    values: ArrayLike, groups: ArrayLike, mask: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.bool_]]:
    """The values [B, T], each row's group as an index from 0 [B], and the mask [B, T]."""
    array = finite_matrix("values", values)
    labels = integer_vector("groups", groups, array.shape[0])
    alive = np.ones(array.shape, dtype=np.bool_) if mask is None else boolean_mask("mask", mask, array.shape)
    return array, np.unique(labels, return_inverse=True)[1], alive


def _group_sums(
    values: NDArray[np.float64], index: NDArray[np.intp], alive: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """How many of a row's group are alive at each time step, and the sum of their values, both [B, T]."""
    num_groups = int(index.max(initial=-1)) + 1
    count = np.zeros((num_groups, values.shape[1]), dtype=np.int64)
    total = np.zeros((num_groups, values.shape[1]))
    np.add.at(count, index, alive)
    np.add.at(total, index, np.where(alive, values, 0.0))
    return count[index], total[index]
