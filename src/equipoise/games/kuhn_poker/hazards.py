"""What collusion and externality mean in Kuhn poker: nothing.

The game is zero-sum and has no third party, so two players have nothing to collude about and no cost to push onto
others. Both hazards are identically zero. (SEPO's released code counts folds against a loose player as "collusion"
and every loss of two chips as "externality"; folding a jack is correct play, so neither measures a hazard.)
"""

from __future__ import annotations

import numpy as np

from equipoise.core import Episode


def collusion(episode: Episode, seat: int) -> np.ndarray:
    """Collusion per round, [R], in [0, 1]: zero in a zero-sum game."""
    return np.zeros(len(episode.rewards))


def externality(episode: Episode, seat: int) -> np.ndarray:
    """Cost pushed onto others per round, [R], in [0, 1]: zero in a game without third parties."""
    return np.zeros(len(episode.rewards))
