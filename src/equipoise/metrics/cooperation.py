"""Who cooperates, after what, and how much of the joint pay two players reach, where a game says what cooperating is.

A game's `Cooperation` answers yes, no or None (the round did not ask the player) for each round. A rate is over the
rounds that asked. What a player does depends on what was done before it, so the rounds are also told apart by the joint
move before them: the player's own newest answer and the other player's newest answer, each taken from the newest
earlier round that asked that player. Rounds in which a player was not asked, forfeited or did not play leave its newest
answer as it was. The two answers may therefore stem from different rounds, as they must in a game that asks one player
at a time. A round before which either player has not been asked yet is a "first" one. So every round that asks falls
into exactly one of

    first   after CC   after CD   after DC   after DD        own letter first, C cooperated, D did not

All episodes are of two players. In self-play list an episode twice, once for each seat: the deal keeps both together.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from equipoise.core import Episode, Estimate
from equipoise.errors import UserError
from equipoise.games.domain import Cooperation
from equipoise.metrics.estimate import clustered_ratio
from equipoise.metrics.payoff import deals, rounds_played

FIRST = "first"
BEFORE = (FIRST, "after CC", "after CD", "after DC", "after DD")
"""What may lie before a round that asks, in the order of tables."""

_LETTER = {True: "C", False: "D"}


def cooperation_counts(
    episodes: Sequence[Episode], seats: Sequence[int], cooperation: Cooperation
) -> dict[str, np.ndarray]:
    """Rounds in which the player cooperated, and rounds that asked it, in each episode by what was before, [B, 2] each.

    Args:
        episodes: Episodes of two players.
        seats: The seat of the player that is judged in each episode, [B].
        cooperation: What cooperating means.

    Raises:
        ValueError: For unequal lengths, or an episode of other than two players.
    """
    if len(episodes) != len(seats):
        raise UserError(f"got {len(episodes)} episodes and {len(seats)} seats; allowed: one seat for each episode")
    counts = {before: np.zeros((len(episodes), 2)) for before in BEFORE}
    for row, (episode, seat) in enumerate(zip(episodes, seats, strict=True)):
        _two_players(episode)
        answers = cooperation.cooperated(episode, seat), cooperation.cooperated(episode, 1 - seat)
        own_newest: bool | None = None
        other_newest: bool | None = None
        for own, other in zip(*answers, strict=True):
            if own is not None:
                counts[_before(own_newest, other_newest)][row] += (bool(own), 1)
                own_newest = own
            other_newest = other_newest if other is None else other
    return counts


def cooperation_scores(episodes: Sequence[Episode], seats: Sequence[int], cooperation: Cooperation) -> np.ndarray:
    """The rounds in which the player cooperated over the mean number that asked, [B]; their mean is the rate.

    Raises:
        ValueError: As `cooperation_counts`, or when no round of any episode asked.
    """
    total = sum(cooperation_counts(episodes, seats, cooperation).values(), np.zeros((len(episodes), 2)))
    if not total[:, 1].any():
        raise UserError(f"no round of {len(episodes)} episodes asked the player; a rate needs at least one")
    scores: np.ndarray = total[:, 0] / total[:, 1].mean()
    return scores


def cooperation_rate(episodes: Sequence[Episode], seats: Sequence[int], cooperation: Cooperation) -> Estimate:
    """Share of the rounds that asked the player in which it cooperated, with an interval clustered by deal, in [0, 1].

    Estimand: cooperations per asking round over the pairings in `episodes`. A ratio of totals: bias of order one over
    the number of deals. An interval over the deals that asked at all, of a score in [0, 1].

    Raises:
        ValueError: As `cooperation_scores`.
    """
    found = _rate(
        sum(cooperation_counts(episodes, seats, cooperation).values(), np.zeros((len(episodes), 2))), episodes
    )
    if found is None:
        raise UserError(f"no round of {len(episodes)} episodes asked the player; a rate needs at least one")
    return found


def conditional_cooperation(
    episodes: Sequence[Episode], seats: Sequence[int], cooperation: Cooperation
) -> dict[str, Estimate]:
    """P(cooperate | joint move before), by the names in `BEFORE`, each with an interval clustered by deal, in [0, 1].

    The module says which joint move is the one before. What never came up is left out. Estimand: cooperations per
    asking round of that kind, as play between these players brings it up: a description of play, not of what the
    player would do in states that it avoids. Otherwise as `cooperation_rate`.

    Raises:
        ValueError: As `cooperation_counts`.

    Reference: the conditional cooperation that arXiv 2406.14662 reads off trained policies.
    """
    found = {b: _rate(c, episodes) for b, c in cooperation_counts(episodes, seats, cooperation).items()}
    return {before: estimate for before, estimate in found.items() if estimate is not None}


def share_of(counted: ArrayLike, asked: ArrayLike, clusters: Sequence[Hashable]) -> Estimate | None:
    """Sum of `counted` [B] over sum of `asked` [B] as a share in [0, 1], with an interval over the clusters that asked.

    Clusters that never asked say nothing about the share, so they are no units of its interval. None where none asked.
    """
    top, bottom = np.asarray(counted, dtype=float), np.asarray(asked, dtype=float)
    kept = np.flatnonzero(bottom)
    if not len(kept):
        return None
    units = [clusters[int(i)] for i in kept]
    return clustered_ratio(top[kept], bottom[kept], units, method="t over deals", bounds=(0.0, 1.0))


def joint_pay(episodes: Sequence[Episode], cooperation: Cooperation) -> np.ndarray:
    """What the players were paid together in each episode, and the most that they could have been, [B, 2], in points.

    Only rounds that were played count.

    Raises:
        ValueError: For an episode of other than two players.
    """
    rows = np.zeros((len(episodes), 2))
    for row, episode in enumerate(episodes):
        _two_players(episode)
        best = np.asarray(cooperation.best_joint(episode), dtype=float)[: rounds_played(episode)]
        rows[row] = sum(episode.returns), best.sum()
    return rows


def efficiency_scores(episodes: Sequence[Episode], cooperation: Cooperation) -> np.ndarray:
    """The players' joint pay over the mean of the best joint pay, [B]; the mean is the efficiency.

    Raises:
        ValueError: As `joint_pay`.
    """
    joint, best = joint_pay(episodes, cooperation).T
    scores: np.ndarray = joint / best.mean()
    return scores


def efficiency(episodes: Sequence[Episode], cooperation: Cooperation) -> Estimate:
    """Joint pay over the best joint pay: the share of what two players could earn that these two did earn, at most 1.

    Estimand: the ratio of the expectations, so that rounds with more at stake count for more. Bias of order one over
    the number of deals. An interval over deals, of a score between 1 and the least that any match had, at most 0.

    Raises:
        ValueError: For no episodes, or as `joint_pay`.

    Reference: efficiency in the item games of arXiv 2511.19405.
    """
    joint, best = joint_pay(episodes, cooperation).T
    return efficiency_of(joint, best, deals(episodes))


def efficiency_of(joint: ArrayLike, best: ArrayLike, clusters: Sequence[Hashable]) -> Estimate:
    """`efficiency` from joint pay [B], the best joint pay [B] and the cluster of each match."""
    top, bottom = np.asarray(joint, dtype=float), np.asarray(best, dtype=float)
    shares = top[bottom > 0] / bottom[bottom > 0]
    return clustered_ratio(top, bottom, clusters, method="t over deals", bounds=(min(0.0, float(shares.min())), 1.0))


def _rate(counts: np.ndarray, episodes: Sequence[Episode]) -> Estimate | None:
    return share_of(counts[:, 0], counts[:, 1], deals(episodes))


def _before(own: bool | None, other: bool | None) -> str:
    if own is None or other is None:
        return FIRST
    return f"after {_LETTER[bool(own)]}{_LETTER[bool(other)]}"


def _two_players(episode: Episode) -> None:
    if len(episode.policies) != 2:
        raise UserError(f"got an episode of {len(episode.policies)} seats; cooperation is between two players")
