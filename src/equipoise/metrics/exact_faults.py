"""Exact values that do not hide faults.

A value over renormalised legal replies says nothing about a policy whose words often name no action. Here a policy
keeps the probability of a fault at every information state, and a fault forfeits the round, as under the fault rule
`forfeit`. Fault-aware values need games in which a forfeit ends the game (one round).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from equipoise.core import Action, Game, InformationState
from equipoise.metrics.exact import missing, plans, regret_of_plans, row
from equipoise.metrics.tree import GameTree, compiled
from equipoise.policies.scripted import PolicyTable


@dataclass(frozen=True, slots=True)
class StatePolicy:
    """What a policy does at one information state.

    Attributes:
        probabilities: Probability of each legal action; they sum to 1 - fault.
        fault: Probability that the reply names no legal action.
    """

    probabilities: Mapping[Action, float]
    fault: float = 0.0

    def __post_init__(self) -> None:
        total = sum(self.probabilities.values()) + self.fault
        if not 0 <= self.fault <= 1 or not math.isclose(total, 1.0, abs_tol=1e-5):
            raise ValueError(
                f"got probabilities {dict(self.probabilities)} and fault {self.fault}; allowed: a fault in [0, 1] and "
                "probabilities that sum to 1 - fault"
            )


FaultyTable = Mapping[InformationState, StatePolicy]
"""What a seat does at each information state, faults included."""


def renormalised(table: FaultyTable) -> PolicyTable:
    """The table over legal actions alone, faults divided out; uniform where every reply is a fault."""
    legal_only: dict[InformationState, dict[Action, float]] = {}
    for information_state, policy in table.items():
        total = sum(policy.probabilities.values())
        count = len(policy.probabilities)
        legal_only[information_state] = {
            action: probability / total if total > 0 else 1 / count
            for action, probability in policy.probabilities.items()
        }
    return legal_only


def fault_aware_returns(game: Game | GameTree, tables: Sequence[FaultyTable]) -> np.ndarray:
    """Expected return of each seat, [N], when a fault forfeits.

    Raises:
        ValueError: For a table that misses a state or names an illegal action, or a game that goes on after a forfeit.
    """
    tree = _one_round(game)
    return tree.expected_returns(_faulty_plans(tree, tables))


def fault_aware_nash_conv(game: Game | GameTree, tables: Sequence[FaultyTable]) -> float:
    """The sum over seats of what a best response gains when the others' faults, and its own policy's, forfeit.

    A best responder never faults: it collects the others' forfeits, and is spared its own. Zero for a Nash
    equilibrium without faults. Equal to `nash_conv` without faults; usually, but not always, larger than that of the
    renormalised table.

    Raises:
        ValueError: As `fault_aware_returns`.
    """
    tree = _one_round(game)
    return float(regret_of_plans(tree, _faulty_plans(tree, tables)).sum())


def state_faults(game: Game | GameTree, tables: Sequence[FaultyTable]) -> tuple[float, float]:
    """The probability of a fault per information state: (maximum, reach-weighted mean).

    The maximum is over all states of all seats, reached or not. The weight of a state is chance times the policy's
    own reach (faults end the way there) times uniformly random play of the other seats, so that no choice of opponent
    hides a state; the mean is then faults per decision against a uniformly random player, seats in equal shares of
    episodes.

    Raises:
        ValueError: As `fault_aware_returns`, except that the game may go on after a forfeit.
    """
    tree = compiled(game)
    own = _faulty_plans(tree, tables)
    uniform = [{p.information_state: dict.fromkeys(p.legal, 1 / len(p.legal)) for p in seat} for seat in tree.by_seat]
    others = plans(tree, uniform)
    faults, weights = [], []
    for seat, points in enumerate(tree.by_seat):
        _, _, reach = tree.best_reply(others, seat, np.ones(len(tree.chance)))  # worth one each: values are reaches
        for point, options in zip(points, reach, strict=True):
            faults.append(tables[seat][point.information_state].fault)
            weights.append(options[0] * float(own[seat][point.parent]))
    return max(faults), float(np.dot(faults, weights) / np.sum(weights))


def _one_round(game: Game | GameTree) -> GameTree:
    tree = compiled(game)
    if not tree.forfeits_end:
        raise ValueError(f"{tree.game.name} {tree.game.parameters} goes on after a forfeit; give the game of one round")
    return tree


def _faulty_plans(tree: GameTree, tables: Sequence[FaultyTable]) -> list[np.ndarray]:
    if len(tables) != tree.game.num_players:
        raise ValueError(
            f"got {len(tables)} tables; {tree.game.name} has {tree.game.num_players} seats, one table each"
        )
    return [_faulty_plan(tree, table, seat) for seat, table in enumerate(tables)]


def _faulty_plan(tree: GameTree, table: FaultyTable, seat: int) -> np.ndarray:
    rows = []
    for point in tree.by_seat[seat]:
        policy = table.get(point.information_state)
        if policy is None:
            raise missing(point)
        rows.append(row(point, policy.probabilities, policy.fault))
    return tree.plan(seat, rows)
