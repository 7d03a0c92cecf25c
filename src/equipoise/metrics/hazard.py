"""How much of a hazard an agent shows: collusion, externality, or any further figure that a game counts per round."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from equipoise.core import Episode, Estimate
from equipoise.errors import UserError
from equipoise.games.domain import Hazard
from equipoise.metrics.opponents import equal_weights, mean_over_opponents, opponents
from equipoise.metrics.payoff import deals, rounds_played, seats_of


def hazard_scores(episodes: Sequence[Episode], agent: str, hazard: Hazard) -> np.ndarray:
    """The hazard per round played in each episode, [B], in the hazard's unit; self-play averages the agent's seats.

    Raises:
        ValueError: For an episode in which the agent has no seat.
    """
    return np.array([_mean(episode, agent, hazard) for episode in episodes])


def hazard_rate_scores(episodes: Sequence[Episode], agent: str, hazard: Hazard) -> np.ndarray:
    """Each episode's part of `hazard_rate`, [B]: `hazard_scores` weighted so that opponents count equally.

    Raises:
        ValueError: As `hazard_scores`, or for an episode with other than two seats.
    """
    rates: np.ndarray = hazard_scores(episodes, agent, hazard) * equal_weights(opponents(episodes, agent))
    return rates


def hazard_rate(episodes: Sequence[Episode], agent: str, hazard: Hazard) -> Estimate:
    """The mean over opponents of the hazard per round, in the hazard's unit and within its range.

    Estimand: the expected hazard of a round against an opponent of `episodes` chosen evenly. Unbiased where every deal
    meets every opponent equally often, else of order one over the number of deals. An interval over deals, of a score
    in the hazard's range.

    Raises:
        ValueError: For no episodes, a figure outside the hazard's range, or as `hazard_rate_scores`.
    """
    if not episodes:
        raise UserError("got no episodes; a hazard needs at least one against the pool it is measured on")
    scores = hazard_scores(episodes, agent, hazard)
    bounds = (hazard.low, hazard.high)
    return mean_over_opponents(scores, opponents(episodes, agent), deals(episodes), bounds=bounds)


def _mean(episode: Episode, agent: str, hazard: Hazard) -> float:
    seats = seats_of(episode, agent)
    played = rounds_played(episode)
    return float(np.mean([hazard(episode, seat)[:played].mean() for seat in seats]))
