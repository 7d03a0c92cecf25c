"""Averages in which every opponent counts equally, and what each deal says of them.

An opponent's own mean comes first, then the mean over opponents, so that a figure does not depend on how often each was
met. A deal's episodes stay together, for several terms at once where a figure is made of several.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equipoise.core import Episode, Estimate
from equipoise.errors import UserError
from equipoise.metrics.bounded import Bounds
from equipoise.metrics.estimate import linearised
from equipoise.metrics.payoff import seats_of


@dataclass(frozen=True, eq=False)
class DealTable:
    """Scores of episodes added up by opponent and deal: all that an interval over deals needs.

    Attributes:
        totals: Sum of the scores against each opponent on each deal, [O, G].
        counts: Number of episodes behind it, [O, G].
    """

    totals: np.ndarray
    counts: np.ndarray

    def units(self) -> np.ndarray:
        """What each deal says of each opponent's mean score, [G, O]; their plain mean over deals is that mean.

        Where every deal met the opponent equally often it is the deal's own mean; a deal that did not meet it says
        nothing and stands at the mean.
        """
        episodes = self.counts.sum(axis=1, keepdims=True)
        means = self.totals.sum(axis=1, keepdims=True) / episodes
        deals = self.counts.shape[1]
        found: np.ndarray = (means + deals * (self.totals - means * self.counts) / episodes).T
        return found


def opponents(episodes: Sequence[Episode], agent: str) -> list[str]:
    """The other player of each episode, [B]; in self-play the agent itself.

    With more than two seats, the player that holds all the others.

    Raises:
        ValueError: For an episode without the agent, or one in which it meets several players.
    """
    return [_other(episode, agent) for episode in episodes]


def by_opponent(episodes: Sequence[Episode], agent: str) -> dict[str, list[Episode]]:
    """The episodes by the other player's name, in order of first meeting.

    Raises:
        ValueError: As `opponents`.
    """
    groups: dict[str, list[Episode]] = {}
    for episode, opponent in zip(episodes, opponents(episodes, agent), strict=True):
        groups.setdefault(opponent, []).append(episode)
    return groups


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
    scores: ArrayLike,
    keys: Sequence[Hashable],
    clusters: Sequence[Hashable],
    method: str = "t over deals",
    bounds: Bounds | None = None,
) -> Estimate:
    """The mean over opponents of each one's mean score, with an interval over clusters.

    Estimand: the expected score against an opponent chosen evenly. Bias of order 1/G; none if every deal meets every
    opponent equally often. Deals are the units of the interval.

    Args:
        scores: One number per episode, [B].
        keys: Whom each episode was played against, [B].
        clusters: The deal of each episode, [B].
        method: What to call the t interval on the Estimate.
        bounds: The range of a score, if it has one that is known.
    """
    values, weights = np.asarray(scores, dtype=float), equal_weights(keys)
    index = {key: row for row, key in enumerate(dict.fromkeys(keys))}
    rows = np.array([index[key] for key in keys])
    means = np.bincount(rows, values) / np.bincount(rows)  # [O]
    influences = weights * (values - means[rows]) / len(values)
    return linearised(float(means.mean()), influences, clusters, method=method, bounds=bounds)


def deal_table(
    scores: ArrayLike, keys: Sequence[Hashable], deals: Sequence[int], every_deal: Sequence[int]
) -> DealTable:
    """The scores [B] by opponent and deal.

    Args:
        scores: One number per episode.
        keys: Whom each episode was played against, [B].
        deals: The deal of each episode, [B].
        every_deal: The deals of the table's columns, [G]; more than these episodes' own where terms share them.
    """
    rows = {key: row for row, key in enumerate(dict.fromkeys(keys))}
    columns = {deal: column for column, deal in enumerate(every_deal)}
    table = DealTable(np.zeros((len(rows), len(columns))), np.zeros((len(rows), len(columns))))
    at = (np.array([rows[key] for key in keys]), np.array([columns[deal] for deal in deals]))
    np.add.at(table.totals, at, np.asarray(scores, dtype=float))
    np.add.at(table.counts, at, 1.0)
    return table
