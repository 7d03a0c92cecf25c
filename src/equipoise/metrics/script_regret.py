"""What an agent leaves on the table against each scripted opponent: its regret to the best reply to that script.

A large gap to an opponent may be the best the agent can do (a rational, unequal split) or exploitation; regret tells
the two apart, because its yardstick is the most anybody could have earned in the agent's place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from equipoise.core import Episode, Estimate
from equipoise.errors import UserError
from equipoise.metrics.opponents import by_opponent, equal_weights, mean_over_opponents, opponents, seat_of
from equipoise.metrics.payoff import deals, rounds_played

ReplyValues = Mapping[str, Sequence[float] | Mapping[int, Sequence[float]]]
"""By opponent, what the best reply to it earns per episode in each seat, [2]: over all deals, or by deal."""


def script_regret_scores(episodes: Sequence[Episode], agent: str, best: ReplyValues) -> np.ndarray:
    """Each episode's part of `script_regret`, [K] for the K episodes that have a value in `best`.

    Opponents are weighted equally, so that the mean over these episodes is the metric.

    Raises:
        ValueError: For an episode without the agent or with other than two seats.
    """
    known, scores = _scores(episodes, agent, best)
    weighted: np.ndarray = scores * equal_weights(opponents(known, agent))
    return weighted


def script_regret(episodes: Sequence[Episode], agent: str, best: ReplyValues) -> Estimate:
    """The mean over opponents of the best reply's value less the agent's mean payoff, per round, in the game's unit.

    Seats count as often as they were played. Opponents and deals without a value are left out. Where chance may end
    the game, a round is one of the mean number played.

    Estimand: the mean over opponents of max E[own] - E[own]; at least zero, though an estimate may fall below by luck.
    Unbiased: the values are exact expectations over all deals, or over all that look to the agent as the one it was
    dealt, and only its payoff is sampled. A t interval over deals: the range
    of a regret is not known, so where all deals agree there is no interval.

    Args:
        episodes: The agent against scripted opponents.
        agent: Its name.
        best: By opponent, the exact value per episode of the best reply in each seat, or those of each deal.

    Raises:
        ValueError: When no episode has a value in `best`, or as `script_regret_scores`.
    """
    known, scores = _scores(episodes, agent, best)
    if not known:
        raise UserError(f"got no episode against {', '.join(best) or 'any opponent with a value'}; give at least one")
    return mean_over_opponents(scores, opponents(known, agent), deals(known))


def script_regret_by_opponent(episodes: Sequence[Episode], agent: str, best: ReplyValues) -> dict[str, Estimate]:
    """`script_regret` against each opponent that has a value and was met.

    Raises:
        ValueError: As `script_regret_scores`.
    """
    known, _ = _scores(episodes, agent, best)
    return {opponent: script_regret(own, agent, best) for opponent, own in by_opponent(known, agent).items()}


def _scores(episodes: Sequence[Episode], agent: str, best: ReplyValues) -> tuple[list[Episode], np.ndarray]:
    """The episodes that have a value, and best - own per round in each of them."""
    known, most = [], []
    for episode, name in zip(episodes, opponents(episodes, agent), strict=True):
        value = _value(best, name, episode, agent)
        if value is not None:
            known.append(episode)
            most.append(value)
    rounds = np.mean([rounds_played(episode) for episode in known]) if known else 1.0
    own = np.array([episode.returns[seat_of(episode, agent)] for episode in known])
    regrets: np.ndarray = np.array(most) / rounds - own / rounds
    return known, regrets


def _value(best: ReplyValues, opponent: str, episode: Episode, agent: str) -> float | None:
    values = best.get(opponent)
    if isinstance(values, Mapping):
        values = values.get(episode.deal)
    return None if values is None else values[seat_of(episode, agent)]
