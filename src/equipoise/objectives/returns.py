"""What an action is credited with: everything it earns from now on, or only what its own step pays.

Reciprocity can only be learned from reward-to-go: against tit-for-tat a defection pays now and costs later.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.objectives._checks import finite_matrix, unit_interval


def discounted_returns(rewards: ArrayLike, discount: float = 1.0) -> NDArray[np.float64]:
    """Reward-to-go G_t = r_t + discount * G_{t+1}, [B, T].

    With `discount` below 1 the policy gradient built on G_t is the usual biased one: it omits the factor discount^t.

    Args:
        rewards: What each time step paid, [B, T]; 0 after an episode has ended.
        discount: Weight of the next step's return, in [0, 1].

    Raises:
        ValueError: If `rewards` is not a finite [B, T] array or `discount` lies outside [0, 1].

    Reference:
        Sutton and Barto, Reinforcement Learning (2018), equation 3.9.
    """
    returns = finite_matrix("rewards", rewards).copy()
    discount = unit_interval("discount", discount)
    for step in range(returns.shape[1] - 2, -1, -1):
        returns[:, step] += discount * returns[:, step + 1]
    return returns


def immediate_rewards(rewards: ArrayLike) -> NDArray[np.float64]:
    """The reward of each time step alone, [B, T]: the myopic credit of the published system.

    Kept for ablation. An action earns nothing for what it brings about later, so what is paid on a step where the agent
    does not decide is credited to nobody.

    Raises:
        ValueError: If `rewards` is not a finite [B, T] array.
    """
    return finite_matrix("rewards", rewards).copy()
