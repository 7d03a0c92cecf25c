"""What becomes of the policy gradient when a baseline's group mixes opponents instead of sharing one.

A leave-one-out baseline over games against the same opponent removes what that opponent is worth; over games against
different opponents it leaves that difference in every advantage. For a rule that is linear in own and other's
advantages (`naive`, `sum_of_rewards`) the expected gradient is the same and only the noise differs. The alignment rules
multiply advantages, so that what a group is also decides what they teach.

At a fixed policy many batches are drawn either way, and compared by

- *ratio*: total variance of the estimate (the trace of its covariance), mixed over shared;
- *cosine* and *length*: the mean estimate of mixed groups against that of shared groups; 1 and 1 where both are alike.

Opponents are drawn independently, or balanced, where every opponent turns up equally often in a batch: with shared
groups, independent draws add the noise of a batch in which few different opponents turn up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.core import Estimate
from equipoise.errors import UserError
from equipoise.objectives import AlignmentWeights, advantage_alignment, naive, sum_of_rewards
from equipoise.seeds import Seed
from research.memory_one import mixed_groups, play, shared_groups
from research.memory_one_training import SNAPSHOT_EVERY, TabularSettings, policy_gradient, train_memory_one
from research.tabular import sigmoid

SCENES = {"early": (50, (10, 20, 30)), "middle": (300, (10, 100, 200)), "late": (600, (150, 300, 450))}
"""The step of the policy that is trained and those of the three past selves that it meets beside itself."""

FEWEST_DRAWS = 20
"""Batches below which the bootstrap interval of a variance is not worth showing."""

_RESAMPLES = 1000
_LEVEL = 0.95


@dataclass(frozen=True)
class BaselineComparison:
    """Mixed groups against groups that share an opponent; intervals by bootstrap over batches.

    Attributes:
        ratio: Total variance of the estimate with mixed groups, divided by that with shared groups.
        cosine: Cosine between the two mean estimates.
        length: Length of the mean estimate of mixed groups, divided by that of shared groups.
    """

    ratio: Estimate
    cosine: Estimate
    length: Estimate


def compare_baselines(
    logits: NDArray[np.float64],
    opponents: NDArray[np.float64],
    settings: TabularSettings,
    *,
    balanced: bool,
    draws: int,
    seed: int,
) -> BaselineComparison:
    """How mixed and shared groups of eight differ when the policy `logits` [5] meets `opponents` [K, 5].

    Only the first seat is trained, without the entropy bonus.

    Args:
        logits: The policy whose gradient is estimated.
        opponents: Probabilities of cooperation of each opponent.
        settings: Rule, baseline and batch; its pairing, seats and entropy are not used.
        balanced: Whether every opponent turns up equally often in a batch, rather than by independent draws.
        draws: Batches per kind of group.
        seed: Key of all draws.

    Raises:
        UserError: For fewer than 20 draws.
    """
    if draws < FEWEST_DRAWS:
        raise UserError(f"draws is {draws}; at least {FEWEST_DRAWS} batches are needed for an interval of a variance")
    alone = replace(settings, seats=1, entropy=0.0)
    mixed, shared = (
        np.array(
            [
                _estimate(logits, opponents, replace(alone, pairing=pairing), balanced, rng)
                for rng in (Seed(seed).at(which, batch).generator() for batch in range(draws))
            ]
        )
        for which, pairing in enumerate((mixed_groups, shared_groups))
    )  # [draws, 5] each
    return _bootstrap(mixed, shared, Seed(seed).at(2).generator())


def variance_table(
    arms: Mapping[str, TabularSettings] | None = None, draws: int = 1000, seed: int = 0, training_seed: int = 0
) -> dict[str, Any]:
    """Every arm at every one of `SCENES`, with independent and with balanced opponents, as JSON.

    The policies of the scenes are steps of one run of alignment (beta 1) against itself and its past selves.

    Args:
        arms: The settings compared, by name; by default every linear rule and alignment with beta 0.5 and 1.
        draws: Batches per figure and kind of group.
        seed: Key of the batches.
        training_seed: Key of the run that the policies are from.
    """
    arms = default_arms() if arms is None else arms
    history = np.array(train_memory_one(TabularSettings(past_probability=0.5), training_seed).history)
    rows = []
    for scene, (step, past) in SCENES.items():
        policy, *earlier = (history[at // SNAPSHOT_EVERY - 1] for at in (step, *past))
        logits = np.log(policy) - np.log1p(-policy)
        for name, arm in arms.items():
            for balanced in (False, True):
                comparison = compare_baselines(
                    logits, np.array([policy, *earlier]), arm, balanced=balanced, draws=draws, seed=seed
                )
                rows.append({"scene": scene, "arm": name, "balanced": balanced, **asdict(comparison)})
    return {"scenes": SCENES, "draws": draws, "rows": rows}


def default_arms() -> dict[str, TabularSettings]:
    """The rules compared by default."""
    half = AlignmentWeights(beta=0.5)
    return {
        "naive": TabularSettings(rule=naive),
        "sum_of_rewards": TabularSettings(rule=sum_of_rewards),
        "advantage_alignment, beta 0.5": TabularSettings(rule=advantage_alignment, weights=half),
        "advantage_alignment, beta 1": TabularSettings(rule=advantage_alignment),
    }


def _bootstrap(mixed: NDArray[np.float64], shared: NDArray[np.float64], rng: np.random.Generator) -> BaselineComparison:
    """The comparison of two sets of estimates [draws, 5], each resampled by itself."""
    draws = len(mixed)
    even = np.full((1, draws), 1.0 / draws)
    points = _figures(_moments(mixed, even), _moments(shared, even))
    weights = [rng.multinomial(draws, even[0], size=_RESAMPLES) / draws for _ in range(2)]
    resampled = _figures(_moments(mixed, weights[0]), _moments(shared, weights[1]))
    low, high = np.quantile(resampled, [0.5 - _LEVEL / 2, 0.5 + _LEVEL / 2], axis=1)
    method = "percentile bootstrap over batches"
    return BaselineComparison(
        *(Estimate(float(points[k, 0]), float(low[k]), float(high[k]), draws, _LEVEL, method) for k in range(3))
    )


def _estimate(
    logits: NDArray[np.float64],
    opponents: NDArray[np.float64],
    settings: TabularSettings,
    balanced: bool,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """The estimate of one batch, [5]."""

    def draw(size: int) -> NDArray[np.int64]:
        if balanced:
            return rng.permutation(np.arange(size) % len(opponents))
        return rng.integers(len(opponents), size=size)

    opponent, groups = settings.pairing(draw, settings.games)
    games = play(sigmoid(logits), opponents[opponent], settings.rounds, rng)
    return policy_gradient(games, logits, settings, groups, np.zeros(settings.games, dtype=np.bool_))


def _moments(
    estimates: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean [R, 5] and total variance [R] of the estimates [draws, 5] under each row of weights [R, draws]."""
    mean = weights @ estimates
    centred = estimates - estimates.mean(axis=0)  # so that the difference below loses no digits
    shift = weights @ centred
    return mean, weights @ (centred**2).sum(axis=1) - (shift**2).sum(axis=1)


def _figures(
    mixed: tuple[NDArray[np.float64], NDArray[np.float64]], shared: tuple[NDArray[np.float64], NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Ratio of variances, cosine of means and ratio of their lengths, [3, R]."""
    one, two = np.linalg.norm(mixed[0], axis=1), np.linalg.norm(shared[0], axis=1)
    return np.stack([mixed[1] / shared[1], (mixed[0] * shared[0]).sum(axis=1) / (one * two), one / two])
