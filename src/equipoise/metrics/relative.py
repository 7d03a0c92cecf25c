"""What an agent earns beside the others: over all opponents alike, and from the weak ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from equipoise.core import Episode, Estimate
from equipoise.errors import UserError
from equipoise.metrics.bounded import Bounds
from equipoise.metrics.estimate import linearised
from equipoise.metrics.opponents import equal_weights, mean_over_opponents, opponents, seat_of
from equipoise.metrics.payoff import deals
from equipoise.metrics.pool import pool_gap_scores


def nra_scores(episodes: Sequence[Episode], agent: str) -> np.ndarray:
    """Each episode's part of `nra`, [B]: its own - theirs over the opponent's total of |own| + |theirs|.

    Opponents are weighted equally, so that the mean over episodes is the metric.

    Raises:
        ValueError: For an episode without the agent or with other than two seats.
    """
    names, leads, sizes = _leads(episodes, agent)
    totals = _total_by(names, sizes)
    played = {name: names.count(name) for name in totals}
    parts = np.array([_ratio(lead, totals[name]) * played[name] for name, lead in zip(names, leads, strict=True)])
    scores: np.ndarray = parts * equal_weights(names)
    return scores


def nra(episodes: Sequence[Episode], agent: str) -> Estimate:
    """Normalised relative advantage: the mean over opponents of sum(own - theirs) / sum(|own| + |theirs|), in [-1, 1].

    The sums run over an opponent's episodes, own and theirs being an episode's returns. The absolute values keep losses
    from cancelling the denominator. An opponent with whom nobody was paid anything (0 / 0) counts as 0: parity. In
    self-play the metric is 0.

    Estimand: the mean over opponents of E[own - theirs] / E[|own| + |theirs|]. Ratios of totals: bias of order one over
    the number of deals, either way. An interval over deals, of a figure in [-1, 1], with the linearised variance of the
    ratios.

    Raises:
        ValueError: For no episodes, or as `nra_scores`.

    Reference: Duan et al. 2024, GTBench, arXiv 2402.12348 (normalized relative advantage).
    """
    if not episodes:
        raise UserError("got no episodes; the normalised relative advantage needs at least one per opponent")
    names, leads, sizes = _leads(episodes, agent)
    totals, gained = _total_by(names, sizes), _total_by(names, leads)
    ratios = {name: _ratio(gained[name], totals[name]) for name in totals}
    influences = np.array(
        [
            _ratio(lead - ratios[name] * size, totals[name]) / len(totals)
            for name, lead, size in zip(names, leads, sizes, strict=True)
        ]
    )
    value = float(np.mean(list(ratios.values())))
    return linearised(value, influences, deals(episodes), method="t over deals", bounds=(-1.0, 1.0))


def exploitation_scores(episodes: Sequence[Episode], agent: str) -> np.ndarray:
    """Each episode's own - theirs per round, weighted so that opponents count equally, [B].

    Raises:
        ValueError: For an episode without the agent or with other than two seats.
    """
    scores: np.ndarray = -pool_gap_scores(episodes, agent) * equal_weights(opponents(episodes, agent))
    return scores


def exploitation(episodes: Sequence[Episode], agent: str, bounds: Bounds | None = None) -> Estimate:
    """The mean over weak opponents of E[own - theirs], per round, in the game's unit; signs are kept.

    `episodes` are those against the profile's weak or trusting opponents. Above zero the agent takes more from them
    than they from it. In a zero-sum game that is skill, elsewhere it may be harm.

    Estimand: the expected lead of a round over a weak opponent chosen evenly. Unbiased where every deal meets every
    opponent equally often. An interval over deals.

    Args:
        episodes: The agent against weak opponents.
        agent: Its name.
        bounds: The range of a lead per round (`pool.gap_bounds`); None for a t interval.

    Raises:
        ValueError: For no episodes, or as `exploitation_scores`.
    """
    if not episodes:
        raise UserError("got no episodes; exploitation needs at least one against each weak opponent")
    leads = -pool_gap_scores(episodes, agent)
    return mean_over_opponents(leads, opponents(episodes, agent), deals(episodes), bounds=bounds)


def _leads(episodes: Sequence[Episode], agent: str) -> tuple[list[str], np.ndarray, np.ndarray]:
    """By episode: the opponent, own - theirs, and |own| + |theirs|."""
    seats = [seat_of(episode, agent) for episode in episodes]
    own = np.array([episode.returns[seat] for episode, seat in zip(episodes, seats, strict=True)])
    theirs = np.array([episode.returns[1 - seat] for episode, seat in zip(episodes, seats, strict=True)])
    names = opponents(episodes, agent)
    itself = np.array([name == agent for name in names])
    return names, np.where(itself, 0.0, own - theirs), np.abs(own) + np.abs(theirs)


def _total_by(names: Sequence[str], values: np.ndarray) -> dict[str, float]:
    totals: dict[str, float] = {}
    for name, value in zip(names, values, strict=True):
        totals[name] = totals.get(name, 0.0) + float(value)
    return totals


def _ratio(top: float, bottom: float) -> float:
    return top / bottom if bottom > 0 else 0.0
