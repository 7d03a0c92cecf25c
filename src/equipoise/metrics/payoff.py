"""What players earn, per round.

Where chance may end a game, the rounds of an episode are those that were played, and every episode counts alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from equipoise.core import Episode, Estimate, Game
from equipoise.errors import UserError
from equipoise.metrics.bounded import Bounds
from equipoise.metrics.estimate import clustered_mean


def payoff_scores(episodes: Sequence[Episode], agent: str) -> np.ndarray:
    """The agent's return per round in each episode, [B], in the game's unit; self-play averages the agent's seats.

    Raises:
        ValueError: For an episode in which the agent has no seat.
    """
    return np.array([_own(episode, agent) for episode in episodes])


def payoff(episodes: Sequence[Episode], agent: str, bounds: Bounds | None = None) -> Estimate:
    """The agent's mean return per round, with an interval clustered by deal.

    Estimand: an episode's expected payoff per round over the mixture of opponents, seats and deals in `episodes`.
    Unbiased; deals are the units of the interval.

    Args:
        episodes: Episodes with the agent.
        agent: Its name.
        bounds: What a round can pay (`payoff_bounds`); None for a t interval.

    Raises:
        ValueError: For no episodes, or one in which the agent has no seat.
    """
    return clustered_mean(payoff_scores(episodes, agent), deals(episodes), method="t over deals", bounds=bounds)


def welfare_scores(episodes: Sequence[Episode]) -> np.ndarray:
    """The sum of all seats' returns per round in each episode, [B]."""
    return np.array([sum(episode.returns) / rounds_played(episode) for episode in episodes])


def welfare(episodes: Sequence[Episode], bounds: Bounds | None = None) -> Estimate:
    """The mean sum of all seats' returns per round, with an interval clustered by deal.

    Estimand: expected welfare per round over the pairings in `episodes`. Unbiased; zero in a zero-sum game.

    Args:
        episodes: Episodes of any players.
        bounds: What a round can pay all seats together (`welfare_bounds`); None for a t interval.

    Raises:
        ValueError: For no episodes.
    """
    return clustered_mean(welfare_scores(episodes), deals(episodes), method="t over deals", bounds=bounds)


def payoff_bounds(game: Game) -> Bounds:
    """The least and the most that a round pays one seat."""
    return game.min_reward, game.max_reward


def welfare_bounds(game: Game) -> Bounds:
    """The least and the most that a round pays all seats together, as far as the game says: nothing in a zero-sum game.

    Else what every seat can have, times the seats: no round need pay all of them that at once.
    """
    if game.zero_sum:
        return 0.0, 0.0
    return game.num_players * game.min_reward, game.num_players * game.max_reward


def rounds_played(episode: Episode) -> int:
    """The rounds up to the last decision: all of them, or fewer where chance ended the game.

    An episode without any decision tells nothing about that and counts with all of its rounds.
    """
    return max((decision.round + 1 for decision in episode.decisions), default=len(episode.rewards))


def deals(episodes: Sequence[Episode]) -> list[int]:
    """The cluster of each episode: its deal, [B]."""
    return [episode.deal for episode in episodes]


def seats_of(episode: Episode, agent: str) -> list[int]:
    """The seats the agent holds in an episode, at least one.

    Raises:
        ValueError: When it holds none.
    """
    seats = [seat for seat, name in enumerate(episode.policies) if name == agent]
    if not seats:
        raise UserError(
            f"{agent!r} has no seat in an episode of {', '.join(episode.policies)}; leave such episodes out"
        )
    return seats


def _own(episode: Episode, agent: str) -> float:
    seats = seats_of(episode, agent)
    return sum(episode.returns[seat] for seat in seats) / len(seats) / rounds_played(episode)
