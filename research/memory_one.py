"""Two memory-one players in the repeated prisoner's dilemma: who meets whom, games drawn, and what they do exactly.

A memory-one policy is five probabilities of cooperation, one per entry of `STATES`: at the start, and after each joint
action of the round before, own move first. Two of them are a Markov chain over joint actions, so every expectation
follows from pushing its distribution forward.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from research.tabular_dilemma import CC, CD, DC, DD, START, STATES

PAYOFF = np.array([[1.0, 5.0], [0.0, 3.0]])
"""What a round pays a player, by [own action, other's action], 1 = cooperate."""

ALWAYS_DEFECT = np.zeros(len(STATES))
ALWAYS_COOPERATE = np.ones(len(STATES))

GROUP = 8
"""Games per group, as in the published settings of the games with deals."""

Draw = Callable[[int], NDArray[np.int64]]
"""Draws that many opponents, as numbers."""

Pairing = Callable[[Draw, int], tuple[NDArray[np.int64], NDArray[np.int64]]]
"""From a draw of opponents and a number of games: the opponent and the group of each game, [B] each."""

_NEXT = np.array([[DD, DC], [CD, CC]])  # [own action, other's action]
_MIRROR = [START, CC, DC, CD, DD]  # the state that the other player is in


@dataclass(frozen=True, eq=False)
class Games:
    """A batch of games between two memory-one players; the first axis is the seat.

    Attributes:
        information: The state each seat decided in, [2, B, T].
        cooperated: What it played, 1 = cooperate, [2, B, T].
        rewards: What the round paid it, [2, B, T].
    """

    information: NDArray[np.int64]
    cooperated: NDArray[np.int64]
    rewards: NDArray[np.float64]


def one_group(draw: Draw, games: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """An opponent drawn for each game [B], and one group of all games [B]."""
    return draw(games), np.zeros(games, dtype=np.int64)


def mixed_groups(draw: Draw, games: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """An opponent drawn for each game [B], and groups of `GROUP` games, whoever they are against [B]."""
    return draw(games), np.arange(games) // GROUP


def shared_groups(draw: Draw, games: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """An opponent drawn for each group of `GROUP` games and shared by them [B], and the groups [B]."""
    groups = np.arange(games) // GROUP
    return draw(int(groups[-1]) + 1)[groups], groups


def play(first: NDArray[np.float64], second: NDArray[np.float64], rounds: int, rng: np.random.Generator) -> Games:
    """B games drawn between the policies `first` [5] or [B, 5] and `second` [B, 5]."""
    policies = np.stack(np.broadcast_arrays(first, second))  # [2, B, 5]
    seats, games = np.arange(2)[:, np.newaxis], np.arange(policies.shape[1])
    information = np.empty((2, games.size, rounds), dtype=np.int64)
    cooperated = np.empty_like(information)
    state = np.full((2, games.size), START)
    for step, uniform in enumerate(rng.random((rounds, 2, games.size))):
        actions = (uniform < policies[seats, games, state]).astype(np.int64)
        information[:, :, step], cooperated[:, :, step] = state, actions
        state = _NEXT[actions, actions[::-1]]
    return Games(information, cooperated, PAYOFF[cooperated, cooperated[::-1]])


def joint_actions(first: NDArray[np.float64], second: NDArray[np.float64], rounds: int) -> NDArray[np.float64]:
    """Exact probability of each joint action in each round, [T, 2, 2] by [round, first's action, second's action]."""
    reach = np.zeros(len(STATES))
    reach[START] = 1.0
    own = np.stack([1.0 - first, first])
    other = np.stack([1.0 - second, second])[:, _MIRROR]
    joint = np.empty((rounds, 2, 2))
    for step in range(rounds):
        joint[step] = (own * reach) @ other.T
        reach = np.zeros(len(STATES))
        reach[_NEXT] = joint[step]
    return joint


def payoffs(first: NDArray[np.float64], second: NDArray[np.float64], rounds: int) -> tuple[float, float]:
    """Exact expected pay per round of the first and of the second player."""
    mean = joint_actions(first, second, rounds).mean(axis=0)
    return float((mean * PAYOFF).sum()), float((mean * PAYOFF.T).sum())


def cooperation_rate(policy: NDArray[np.float64], rounds: int) -> float:
    """Exact share of cooperation when the policy plays itself, in [0, 1]."""
    return float(joint_actions(policy, policy, rounds)[:, 1].sum(axis=1).mean())
