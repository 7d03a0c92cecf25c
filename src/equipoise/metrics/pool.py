"""What scripted opponents take from the agent: a lower bound on what any opponent could.

The pool version of exploitability is as good as its scripts: an agent can score zero against all of them and lose to an
opponent nobody wrote. The exact values are in `equipoise.metrics.exact`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from equipoise.core import Episode, Estimate, Game
from equipoise.errors import UserError
from equipoise.metrics.bounded import Bounds
from equipoise.metrics.clipped import clipped_sum
from equipoise.metrics.estimate import clustered_mean
from equipoise.metrics.opponents import (
    deal_table,
    equal_weights,
    mean_over_opponents,
    opponents,
    seat_of,
)
from equipoise.metrics.payoff import deals, rounds_played


def pool_gap_scores(episodes: Sequence[Episode], agent: str) -> np.ndarray:
    """What the other player earned minus what the agent earned, per round, [B]; zero in self-play.

    Raises:
        ValueError: For an episode without the agent or with other than two seats.
    """
    return np.array([_gap(episode, agent) for episode in episodes])


def pool_gap(episodes: Sequence[Episode], agent: str, bounds: Bounds | None = None) -> dict[str, Estimate]:
    """Per opponent, the mean of theirs - own per round, unclipped, with an interval clustered by deal.

    Estimand: E[theirs - own] per round against that opponent. Unbiased; deals are the units of the interval.

    Args:
        episodes: The agent against its opponents.
        agent: Its name.
        bounds: The range of a gap per round (`gap_bounds`); None for a t interval.

    Raises:
        ValueError: As `pool_gap_scores`.
    """
    gaps, names = pool_gap_scores(episodes, agent), opponents(episodes, agent)
    estimates = {}
    for opponent in dict.fromkeys(names):
        rows = [i for i, name in enumerate(names) if name == opponent]
        units = [episodes[i].deal for i in rows]
        estimates[opponent] = clustered_mean(gaps[rows], units, method="t over deals", bounds=bounds)
    return estimates


def pool_exploitability_scores(episodes: Sequence[Episode], agent: str) -> np.ndarray:
    """Each episode's part of `pool_exploitability`, [B]: its gap if its opponent's mean gap is positive, else zero.

    The gate is the opponent's mean, not the episode's own sign: clipping every episode would count luck as
    exploitation. Episodes are weighted so that opponents count equally; the mean over episodes is the metric.

    Raises:
        ValueError: As `pool_gap_scores`.
    """
    scores = pool_exploitability_unclipped_scores(episodes, agent)
    totals = {name: 0.0 for name in opponents(episodes, agent)}
    for name, score in zip(opponents(episodes, agent), scores, strict=True):
        totals[name] += score
    gates = np.array([totals[name] > 0 for name in opponents(episodes, agent)], dtype=float)
    gated: np.ndarray = scores * gates
    return gated


def pool_exploitability(
    episodes: Sequence[Episode], agent: str, seed: int = 0, bounds: Bounds | None = None
) -> Estimate:
    """Mean over opponents of max(0, mean gap), per round, with an interval over deals.

    Estimand: the average over the pool of max(0, E[theirs - own]). Biased upward, because max(0, .) is convex: noise
    about a gap of zero adds. The bias vanishes as deals grow; `pool_exploitability_unclipped` has none. The interval is
    one of the clipped estimand all the same (`metrics.clipped`), never below zero; all episodes of a deal are one unit.

    Args:
        episodes: The agent against its opponents.
        agent: Its name.
        seed: Keys the resampling behind the lower bound.
        bounds: The range of a gap per round (`gap_bounds`); None where it is not known, and then there is no interval
            where all deals agree.

    Raises:
        ValueError: For no episodes, or as `pool_gap_scores`.
    """
    value = float(pool_exploitability_scores(_some(episodes), agent).mean())
    every_deal = list(dict.fromkeys(deals(episodes)))
    table = deal_table(pool_gap_scores(episodes, agent), opponents(episodes, agent), deals(episodes), every_deal)
    parts = table.units() / len(table.totals)  # [G, O]
    each = None if bounds is None else (bounds[0] / len(table.totals), bounds[1] / len(table.totals))
    return clipped_sum(value, parts, bounds=each, seed=seed)


def pool_exploitability_unclipped_scores(episodes: Sequence[Episode], agent: str) -> np.ndarray:
    """Each episode's gap, weighted so that opponents count equally, [B].

    Raises:
        ValueError: As `pool_gap_scores`.
    """
    weighted: np.ndarray = pool_gap_scores(episodes, agent) * equal_weights(opponents(episodes, agent))
    return weighted


def pool_exploitability_unclipped(episodes: Sequence[Episode], agent: str, bounds: Bounds | None = None) -> Estimate:
    """Mean over opponents of the mean gap, signs kept, per round, with an interval clustered by deal.

    Estimand: the average over the pool of E[theirs - own]. Unbiased. An agent that beats one script may hide that it
    loses to another, which the clipped version cannot.

    Args:
        episodes: The agent against its opponents.
        agent: Its name.
        bounds: The range of a gap per round (`gap_bounds`); None for a t interval.

    Raises:
        ValueError: For no episodes, or as `pool_gap_scores`.
    """
    gaps = pool_gap_scores(_some(episodes), agent)
    return mean_over_opponents(gaps, opponents(episodes, agent), deals(episodes), bounds=bounds)


def gap_bounds(game: Game) -> Bounds:
    """The range of theirs - own per round."""
    return game.min_reward - game.max_reward, game.max_reward - game.min_reward


def _gap(episode: Episode, agent: str) -> float:
    seat = seat_of(episode, agent)
    if episode.policies[1 - seat] == agent:
        return 0.0
    return (episode.returns[1 - seat] - episode.returns[seat]) / rounds_played(episode)


def _some(episodes: Sequence[Episode]) -> Sequence[Episode]:
    if not episodes:
        raise UserError("got no episodes; play at least one against each opponent of the pool")
    return episodes
