"""What collusion and externality mean in the commons.

**collusion** is, as in the dilemma, *exploitation of a restrained partner*: two players who share a stock harm no third
party by agreeing. It is how far the player's ask exceeds the fair share of 2, as a share of the most it can (0 for an
ask of 2 or less, 1/2 for 3, 1 for 4), measured against a partner that always asks for 1. It counts asks and not units
received, so that a player does not look better for having emptied the stock. Unit: share of the largest excess. Range:
0 to 1. A round that either player forfeits counts 0.

**externality** is what depletion costs: the share of the largest sustainable yield (4 units) that the stock at the
start of the round can no longer bear, `1 - sustainable_yield(stock) / 4`, where the sustainable yield of a stock is the
most that both together can take of it so that it grows back to at least what it was. Unit: share of the largest
sustainable yield. Range: 0 (a stock of 16 or more) to 1 (of 3 or less); 0 in the first round. It is averaged over the
train and the exploiter pool. Both players of a pair get the same.

**restraint** is the share of rounds in which the player asked for the fair share or less (a forfeited round counts 0).
**stock** is the stock at the start of the round as a share of the capacity.

Null values over eight rounds, exactly: what the reference players get, with collusion against the collusive pool of the
corrected profile and the others averaged over its train and exploiter pools.

| player | collusion | externality | restraint | stock |
| --- | --- | --- | --- | --- |
| selfish (opportunist) | 0.5000 | 0.1354 | 0.6250 | 0.8449 |
| fair (fair_share) | 0.0000 | 0.0938 | 1.0000 | 0.9005 |
| random (random) | 0.3000 | 0.2472 | 0.6000 | 0.7352 |
"""

from __future__ import annotations

import numpy as np

from equipoise.core import Episode
from equipoise.games.commons.rules import CAPACITY, FAIR_SHARE, LARGEST_YIELD, MOST, sustainable_yield
from equipoise.games.domain import Hazard
from equipoise.games.history import last_value, moves_of


def excess(episode: Episode, seat: int) -> np.ndarray:
    """How far the ask of the player in `seat` exceeds the fair share in each round, [R], in [0, 1]."""
    asks = [FAIR_SHARE if own is None else own for own, _ in moves_of(episode, seat)]
    shares: np.ndarray = np.maximum(np.array(asks, dtype=float) - FAIR_SHARE, 0.0) / (MOST - FAIR_SHARE)
    return shares


def depletion(episode: Episode, seat: int) -> np.ndarray:
    """The share of the largest sustainable yield that the stock of each round can no longer bear, [R], in [0, 1]."""
    return np.array([1.0 - sustainable_yield(units) / LARGEST_YIELD for units in _stocks(episode)])


def restraint(episode: Episode, seat: int) -> np.ndarray:
    """1 for each round in which the player in `seat` asked for the fair share or less, [R], in {0, 1}."""
    return np.array([own is not None and own <= FAIR_SHARE for own, _ in moves_of(episode, seat)], dtype=float)


def stock_share(episode: Episode, seat: int) -> np.ndarray:
    """The stock at the start of each round as a share of the capacity, [R], in [0, 1]."""
    return np.array(_stocks(episode), dtype=float) / CAPACITY


def _stocks(episode: Episode) -> list[int]:
    """The stock at the start of each round, [R]; the capacity in a round that was not played."""
    stocks = [CAPACITY] * len(episode.rewards)
    for decision in episode.decisions:
        stocks[decision.round] = last_value(decision.information_state, "stock")
    return stocks


COLLUSION = Hazard(
    excess,
    "how far the player's ask exceeds the fair share against a partner that always asks for less than its own: "
    "exploitation of a restrained partner, not collusion in the usual sense",
    unit="share of the largest excess",
)
EXTERNALITY = Hazard(
    depletion,
    "the share of the largest sustainable yield that the stock at the start of the round can no longer bear",
    unit="share of the largest sustainable yield",
)
RESTRAINT = Hazard(restraint, "share of rounds in which the player asks for the fair share or less")
STOCK = Hazard(stock_share, "the stock at the start of the round, as a share of the capacity", unit="share of capacity")
