"""Averages in which every opponent counts equally, and their resampling by deal.

An opponent's own mean comes first, then the mean over opponents, so that a figure does not depend on how often each was
met. Deals are resampled with all their episodes, for several terms at once where a figure is made of several.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equipoise.core import Episode, Estimate
from equipoise.errors import UserError
from equipoise.metrics.estimate import linearised
from equipoise.metrics.payoff import seats_of

RESAMPLES = 2000
"""Bootstrap draws behind an interval."""

NO_WIDTH = 1e-12
"""Resamples that differ by no more than this agree."""


@dataclass(frozen=True, eq=False)
class DealTable:
    """Scores of episodes added up by opponent and deal: all that resampling deals needs.

    Attributes:
        totals: Sum of the scores against each opponent on each deal, [O, G].
        counts: Number of episodes behind it, [O, G].
    """

    totals: np.ndarray
    counts: np.ndarray

    def means(self, draws: np.ndarray) -> np.ndarray:
        """Each opponent's mean score in each resample, [R, O]; NaN where a resample never met it.

        Args:
            draws: How often each deal was drawn, [R, G].
        """
        played = draws @ self.counts.T
        totals = draws @ self.totals.T
        return np.where(played > 0, totals / np.maximum(played, 1), np.nan)


def opponents(episodes: Sequence[Episode], agent: str) -> list[str]:
    """The other player of each episode, [B]; in self-play the agent itself.

    With more than two seats, the player that holds all the others.

    Raises:
        ValueError: For an episode without the agent, or one in which it meets several players.
    """
    return [_other(episode, agent) for episode in episodes]


def _other(episode: Episode, agent: str) -> str:
    seats_of(episode, agent)
    others = list(dict.fromkeys(name for name in episode.policies if name != agent))
    if len(others) > 1:
        raise UserError(f"{agent!r} meets {' and '.join(others)} in one episode; figures are per opponent")
    return others[0] if others else agent


def seat_of(episode: Episode, agent: str) -> int:
    """The agent's seat in a two-player episode; the first in self-play.

    Raises:
        ValueError: For an episode without the agent or with other than two seats.
    """
    if len(episode.policies) != 2:
        raise UserError(f"got an episode of {len(episode.policies)} seats; this figure compares two players")
    return seats_of(episode, agent)[0]


def equal_weights(keys: Sequence[Hashable]) -> np.ndarray:
    """A weight per episode, [B], with mean one, under which every key weighs the same in total."""
    counts: dict[Hashable, int] = {}
    for key in keys:
        counts[key] = counts.get(key, 0) + 1
    return np.array([len(keys) / (len(counts) * counts[key]) for key in keys])


def mean_over_opponents(
    scores: ArrayLike, keys: Sequence[Hashable], clusters: Sequence[Hashable], method: str = "t over deals"
) -> Estimate:
    """The mean over opponents of each one's mean score, with a t interval over clusters.

    Estimand: the expected score against an opponent chosen evenly. Bias of order 1/G; none if every deal meets every
    opponent equally often. Deals are the units of the interval.

    Args:
        scores: One number per episode, [B].
        keys: Whom each episode was played against, [B].
        clusters: The deal of each episode, [B].
        method: What to call it on the Estimate.
    """
    values, weights = np.asarray(scores, dtype=float), equal_weights(keys)
    index = {key: row for row, key in enumerate(dict.fromkeys(keys))}
    rows = np.array([index[key] for key in keys])
    means = np.bincount(rows, values) / np.bincount(rows)  # [O]
    influences = weights * (values - means[rows]) / len(values)
    return linearised(float(means.mean()), influences, clusters, method=method)


def deal_table(
    scores: ArrayLike, keys: Sequence[Hashable], deals: Sequence[int], every_deal: Sequence[int]
) -> DealTable:
    """The scores [B] by opponent and deal.

    Args:
        scores: One number per episode.
        keys: Whom each episode was played against, [B].
        deals: The deal of each episode, [B].
        every_deal: The deals of the table's columns, [G]; more than these episodes' own where terms are resampled
            together.
    """
    rows = {key: row for row, key in enumerate(dict.fromkeys(keys))}
    columns = {deal: column for column, deal in enumerate(every_deal)}
    table = DealTable(np.zeros((len(rows), len(columns))), np.zeros((len(rows), len(columns))))
    at = (np.array([rows[key] for key in keys]), np.array([columns[deal] for deal in deals]))
    np.add.at(table.totals, at, np.asarray(scores, dtype=float))
    np.add.at(table.counts, at, 1.0)
    return table


def resampled_deals(deals: int, seed: int) -> np.ndarray:
    """How often each of `deals` deals is drawn in each of `RESAMPLES` bootstrap resamples, [R, G]."""
    return np.random.default_rng(seed).multinomial(deals, np.full(deals, 1 / deals), size=RESAMPLES)


def mean_of_met(values: np.ndarray) -> np.ndarray:
    """The mean over the opponents that a resample met, [R], of values [R, O]; zero where it met none."""
    met = ~np.isnan(values)
    means: np.ndarray = np.where(met, values, 0.0).sum(axis=1) / np.maximum(met.sum(axis=1), 1)
    return means


def percentile_interval(value: float, resampled: np.ndarray, deals: int) -> Estimate:
    """`value` with the 95 % percentile interval of its resamples [R]; NaN bounds where all of them agree.

    Deals that all agree say nothing about how far others would spread.
    """
    low, high = (float(bound) for bound in np.quantile(resampled, [0.025, 0.975]))
    if high - low <= NO_WIDTH:
        low = high = math.nan
    return Estimate(value, low, high, deals, 0.95, "bootstrap over deals")
