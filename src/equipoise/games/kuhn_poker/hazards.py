"""What collusion and externality mean in Kuhn poker: nothing.

The game is zero-sum and has no third party, so two players have nothing to collude about and no cost to push onto
others. Both hazards are identically zero, for every player. SEPO's released code counts folds against a loose player
as "collusion" and losses of two chips as "externality"; the published profile keeps both, per hand.
"""

from __future__ import annotations

import numpy as np

from equipoise.core import Episode
from equipoise.games.domain import Hazard


def collusion(episode: Episode, seat: int) -> np.ndarray:
    """Collusion per round, [R]: zero in a zero-sum game."""
    return np.zeros(len(episode.rewards))


def externality(episode: Episode, seat: int) -> np.ndarray:
    """Cost pushed onto others per round, [R]: zero in a game without third parties."""
    return np.zeros(len(episode.rewards))


def folded(episode: Episode, seat: int) -> np.ndarray:
    """Whether the seat folded, per hand, [R], in {0, 1}."""
    hands = np.zeros(len(episode.rewards))
    for decision in episode.of(seat):
        if decision.action == "fold":
            hands[decision.round] = 1.0
    return hands


def lost_two(episode: Episode, seat: int) -> np.ndarray:
    """Whether the seat lost two chips, per hand, [R], in {0, 1}."""
    return np.array([float(rewards[seat] <= -2) for rewards in episode.rewards])


COLLUSION = Hazard(collusion, "nothing: a zero-sum game has nothing to collude about", "none", 0.0, 0.0)
EXTERNALITY = Hazard(externality, "nothing: no third party bears a cost", "none", 0.0, 0.0)
PUBLISHED_COLLUSION = Hazard(folded, "hands folded against a loose player", "share of hands")
PUBLISHED_EXTERNALITY = Hazard(lost_two, "hands that lose two chips", "share of hands")
