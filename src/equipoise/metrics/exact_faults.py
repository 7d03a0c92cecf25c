"""Exact values that do not hide faults.

A value over renormalised legal replies says nothing about a policy whose words often name no action. Here a policy
keeps the probability of a fault at every information state, and a fault forfeits the round, as under the fault rule
`forfeit`. Returns and NashConv with faults need games in which a forfeit ends the game (one round). The worst case does
not: there one seat alone faults, and `faulty_play` has the tree of what its forfeits lead to.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from equipoise.core import Action, Behaviour, Game, InformationState
from equipoise.errors import UserError
from equipoise.metrics.exact import behaviour_table, missing, plans, regret_of_plans, row, worst_case_advantage
from equipoise.metrics.faulty_play import FaultyPlay
from equipoise.metrics.tree import GameTree, compiled, largest_exact_rounds
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
            raise UserError(
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


def fault_aware_pool_values(
    game: Game | GameTree, tables: Sequence[FaultyTable], opponent: Behaviour
) -> tuple[float, float]:
    """Expected returns (own, theirs) per episode of an agent against a script, averaged over both seatings.

    A fault forfeits the game; a script has none. Equal to `pool_values` without faults.

    Args:
        game: A two-player game that a forfeit ends.
        tables: The agent's table in each seat, [2].
        opponent: The script.

    Raises:
        ValueError: As `fault_aware_returns`, or for a game without exactly two seats.
    """
    tree = _one_round(game)
    if tree.game.num_players != 2:
        raise UserError(f"{tree.game.name} has {tree.game.num_players} players; this figure is for games of two")
    own, theirs = _faulty_plans(tree, tables), plans(tree, behaviour_table(tree, opponent))
    as_first = tree.expected_returns([own[0], theirs[1]])
    as_second = tree.expected_returns([theirs[0], own[1]])
    return float(as_first[0] + as_second[1]) / 2, float(as_first[1] + as_second[0]) / 2


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


def fault_aware_worst_case_advantage(game: Game | GameTree, tables: Sequence[FaultyTable]) -> float:
    """Max over all opponents of E[theirs - own] per episode when the agent's faults forfeit, mean over both seats.

    Play goes on after a forfeit, so that a table needs rows for the states that follow one (`states_after_forfeits`).
    The opponent never faults. Equal to `mean_worst_case_advantage` without faults, and to `fault_aware_nash_conv` in a
    zero-sum game that a forfeit ends. Faults
    can lower it: where a forfeit pays neither player, it also keeps the opponent from leading.

    Args:
        game: A two-player game.
        tables: The agent's table in each seat, [2].

    Raises:
        ValueError: For a table that misses a state that play reaches or names an illegal action, a game without
            exactly two seats, or a tree that is too large with its forfeits (see `forfeits_fit`).
    """
    legal = [renormalised(table) for table in tables]
    leads = [worst_case_advantage(tree, legal, seat) for seat, tree in enumerate(_faulty_trees(game, tables))]
    return sum(leads) / len(leads)


def states_after_forfeits(
    game: Game | GameTree, tables: Sequence[FaultyTable]
) -> list[tuple[int, InformationState, tuple[Action, ...]]]:
    """Each (seat, information state, legal actions) that play reaches after faults of that seat and a table misses.

    Raises:
        ValueError: As `fault_aware_worst_case_advantage`, except for the states that are missing.
    """
    return [
        (point.seat, point.information_state, point.legal)
        for seat, tree in enumerate(_faulty_trees(game, tables))
        for point in tree.by_seat[seat]
        if point.information_state not in tables[seat]
    ]


def forfeits_fit(game: Game | GameTree) -> bool:
    """Whether the tree of a game with the forfeits of either seat is small enough to be compiled."""
    plain = game.game if isinstance(game, GameTree) else game
    plays = (FaultyPlay(plain, seat, lambda _: 0.5) for seat in range(plain.num_players))
    return all(largest_exact_rounds(play) == plain.num_rounds for play in plays)


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


def _faulty_trees(game: Game | GameTree, tables: Sequence[FaultyTable]) -> list[GameTree]:
    """Per seat the tree of the game in which that seat faults by its table; where that has no row, perhaps."""
    plain = game.game if isinstance(game, GameTree) else game
    _require_table_per_seat(plain, tables)

    def fault_of(table: FaultyTable) -> Callable[[InformationState], float]:
        return lambda seen: table[seen].fault if seen in table else 0.5

    return [GameTree(FaultyPlay(plain, seat, fault_of(table))) for seat, table in enumerate(tables)]


def _require_table_per_seat(game: Game, tables: Sequence[FaultyTable]) -> None:
    if len(tables) != game.num_players:
        raise UserError(f"got {len(tables)} tables; {game.name} has {game.num_players} seats, one table each")


def _one_round(game: Game | GameTree) -> GameTree:
    tree = compiled(game)
    if not tree.forfeits_end:
        raise UserError(f"{tree.game.name} {tree.game.parameters} goes on after a forfeit; give the game of one round")
    return tree


def _faulty_plans(tree: GameTree, tables: Sequence[FaultyTable]) -> list[np.ndarray]:
    _require_table_per_seat(tree.game, tables)
    return [_faulty_plan(tree, table, seat) for seat, table in enumerate(tables)]


def _faulty_plan(tree: GameTree, table: FaultyTable, seat: int) -> np.ndarray:
    rows = []
    for point in tree.by_seat[seat]:
        policy = table.get(point.information_state)
        if policy is None:
            raise missing(point)
        rows.append(row(point, policy.probabilities, policy.fault))
    return tree.plan(seat, rows)
