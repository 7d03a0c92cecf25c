"""The repeated prisoner's dilemma with a memory-one policy, exactly.

Five logits: cooperation at the start and after each joint action. Every opponent is a machine with two internal states,
so policy and opponent together are a Markov chain with 5 x 2 states; values follow by pushing its distribution forward,
and gradients by pushing the tangents of that distribution along (forward-mode differentiation).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from equipoise.objectives import POOLS, Pool, SepoBatch, SepoWeights
from research.tabular import Draw, Gradients, TabularProblem, Values, sigmoid

START, CC, CD, DC, DD = range(5)
STATES = ("start", "after CC", "after CD", "after DC", "after DD")
"""Joint actions name the agent's move first."""

_OWN = np.array([[1.0, 5.0], [0.0, 3.0]])  # [agent, opponent], 1 = cooperate
_NEXT = np.array([[DD, DC], [CD, CC]])  # [agent, opponent]
_SIGNALS = 4  # own, other, collusion, externality


@dataclass(frozen=True)
class Machine:
    """An opponent with two internal states, starting in state 0.

    Attributes:
        name: The strategy.
        pool: What the opponent is for.
        cooperate: Probability of cooperation in each state.
        move: The next state by [state][agent's action, 1 = cooperate].
    """

    name: str
    pool: Pool
    cooperate: tuple[float, float]
    move: tuple[tuple[int, int], tuple[int, int]]


_MIRROR = ((1, 0), (1, 0))  # state 1 follows a defection
MACHINES = (
    Machine("tit for tat", "train", (1.0, 0.0), _MIRROR),
    Machine("generous tit for tat", "train", (1.0, 0.25), _MIRROR),
    Machine("coin", "train", (0.5, 0.5), _MIRROR),
    Machine("grim", "train", (1.0, 0.0), ((1, 0), (1, 1))),
    Machine("always defect", "exploiter", (0.0, 0.0), _MIRROR),
    Machine("alternator", "exploiter", (0.0, 1.0), ((1, 1), (0, 0))),
    Machine("always cooperate", "collusive", (1.0, 1.0), _MIRROR),
)
"""The published opponents; sources: Axelrod (1984), Nowak and Sigmund (1992) for generosity."""

OVER_COOPERATIVE = (2.0, 2.0, 0.8, 1.0, 0.8)
"""Logits of a policy that cooperates too readily to be safe."""


@dataclass(frozen=True, eq=False)
class Dilemma(TabularProblem):
    """The dilemma against `MACHINES`.

    Attributes:
        logits: Logits of cooperation by `STATES`, [5].
        weights: The published weights of this game.
        rounds: Rounds per episode, T.
        rollouts: Episodes per opponent.
    """

    logits: NDArray[np.float64] = field(default_factory=lambda: np.array(OVER_COOPERATIVE))
    weights: SepoWeights = field(default_factory=SepoWeights)
    rounds: int = 8
    rollouts: int = 16
    name: str = "prisoners_dilemma"
    states: tuple[str, ...] = STATES

    def exact(self) -> tuple[Values, Gradients]:
        """Value and gradient of u, e, c and x, as totals of an episode."""
        totals = {machine.name: self._totals(machine) for machine in MACHINES}
        by_pool = {pool: [totals[m.name] for m in MACHINES if m.pool == pool] for pool in POOLS}
        parts = {
            "u": [(value[0], tangent[0]) for value, tangent in by_pool["train"]],
            "e": [(max(0.0, v[1] - v[0]), (d[1] - d[0]) * (v[1] > v[0])) for v, d in by_pool["exploiter"]],
            "c": [(value[2], tangent[2]) for value, tangent in by_pool["collusive"]],
            "x": [(v[3], d[3]) for pool in self.weights.externality_pools for v, d in by_pool[pool]],
        }
        values = {term: float(np.mean([value for value, _ in part])) for term, part in parts.items()}
        return values, {term: np.mean([tangent for _, tangent in part], axis=0) for term, part in parts.items()}

    def _totals(self, machine: Machine) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Expected total of each signal [4] and its gradient [4, 5]."""
        coop = sigmoid(self.logits)
        slope = coop * (1.0 - coop)
        reach = np.zeros((5, 2))  # [information state, machine state]
        reach[START, 0] = 1.0
        tangent = np.zeros((5, 2, 5))
        value, gradient = np.zeros(_SIGNALS), np.zeros((_SIGNALS, 5))
        for _ in range(self.rounds):
            next_reach, next_tangent = np.zeros_like(reach), np.zeros_like(tangent)
            for agent, opponent in np.ndindex(2, 2):
                own_prob = coop if agent else 1.0 - coop
                their_prob = np.array(machine.cooperate) if opponent else 1.0 - np.array(machine.cooperate)
                flow = reach * own_prob[:, None] * their_prob
                flow_tangent = tangent * (own_prob[:, None] * their_prob)[:, :, None]
                sign = 1.0 if agent else -1.0
                flow_tangent[range(5), :, range(5)] += sign * slope[:, None] * their_prob * reach
                signals = _signals(np.array(agent), np.array(opponent))
                value += signals * flow.sum()
                gradient += signals[:, None] * flow_tangent.sum(axis=(0, 1))
                for state in range(2):
                    target = _NEXT[agent, opponent], machine.move[state][agent]
                    next_reach[target] += flow[:, state].sum()
                    next_tangent[target] += flow_tangent[:, state].sum(axis=0)
            reach, tangent = next_reach, next_tangent
        return value, gradient

    def draw(self, rng: np.random.Generator) -> Draw:
        """One batch: `rollouts` episodes against each machine, one group per machine."""
        opponent = np.repeat(np.arange(len(MACHINES)), self.rollouts)
        cooperate = np.array([machine.cooperate for machine in MACHINES])
        move = np.array([machine.move for machine in MACHINES])
        coop = sigmoid(self.logits)
        shape = (opponent.size, self.rounds)
        information, agent_played = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        opponent_played = np.zeros(shape, dtype=np.int64)
        state, memory = np.zeros(opponent.size, dtype=np.int64), np.zeros(opponent.size, dtype=np.int64)
        uniform = rng.random((2, *shape))
        for step in range(self.rounds):
            information[:, step] = memory
            agent = (uniform[0, :, step] < coop[memory]).astype(np.int64)
            other = (uniform[1, :, step] < cooperate[opponent, state]).astype(np.int64)
            agent_played[:, step], opponent_played[:, step] = agent, other
            state, memory = move[opponent, state, agent], _NEXT[agent, other]
        own, other_pay, collusion, externality = _signals(agent_played, opponent_played)
        pools = np.array([machine.pool for machine in MACHINES])
        batch = SepoBatch(
            own=own,
            other=other_pay,
            collusion=collusion,
            externality=externality,
            mask=np.ones(shape, dtype=np.bool_),
            pool=pools[opponent],
            opponent=opponent,
            group=opponent,
        )
        return Draw(batch, information, agent_played - coop[information], len(STATES))


def _signals(agent: NDArray[np.int64], opponent: NDArray[np.int64]) -> NDArray[np.float64]:
    """Own reward, other's reward, defection (collusion, against a cooperator), shortfall below 3 each, [4, ...]."""
    own, other = _OWN[agent, opponent], _OWN[opponent, agent]
    return np.stack([own, other, 1.0 - agent, (3.0 - (own + other) / 2.0) / 3.0])
