"""Exact values of policies in games whose tree can be walked: best responses, NashConv, worst cases.

A joint policy is one table per seat, `tables` [N]: the probability of each legal action at each information state.
Every function takes a game or a `GameTree`; compile the tree once when calling often. Values are per episode, in the
game's unit; divide by `game.num_rounds` for values per round (one hand of Kuhn poker: the same).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from equipoise.core import Action, Behaviour, Game, InformationState
from equipoise.errors import UserError
from equipoise.metrics.tree import GameTree, InformationSet, compiled
from equipoise.policies.scripted import PolicyTable

SUM_TOLERANCE = 1e-5
"""How far from one the probabilities of a row may sum (single-precision tables pass)."""


@dataclass(frozen=True)
class BestResponse:
    """A policy that earns the most, or leads by the most, against given others.

    Attributes:
        value: What it expects per episode: its return, or its lead.
        table: The action it takes at each information state of its seat, with probability one. Ties (`tree.tolerance`)
            go to the first legal action, so at states the others never reach it plays the first.
    """

    value: float
    table: PolicyTable


def information_states(game: Game | GameTree) -> list[tuple[int, InformationState, tuple[Action, ...]]]:
    """Every (seat, information state, legal actions) of the game, breadth first; the order never changes."""
    return [(point.seat, point.information_state, point.legal) for point in compiled(game).information_sets]


def behaviour_table(game: Game | GameTree, behaviour: Behaviour) -> tuple[PolicyTable, ...]:
    """The tables [N] of a script that plays every seat."""
    return tuple(
        {point.information_state: dict(behaviour(point.information_state, point.legal)) for point in points}
        for points in compiled(game).by_seat
    )


def expected_returns(game: Game | GameTree, tables: Sequence[PolicyTable]) -> np.ndarray:
    """Expected return of each seat, [N], when seat i plays tables[i].

    Raises:
        ValueError: For a table that misses a state or whose row is no distribution over the legal actions.
    """
    tree = compiled(game)
    return tree.expected_returns(plans(tree, tables))


def best_response(game: Game | GameTree, tables: Sequence[PolicyTable], seat: int) -> BestResponse:
    """The best response of `seat` to the other seats' tables; tables[seat] is not read, except that it must exist.

    Exact: action values are summed over all histories of an information state, weighted by what chance and the
    others make of them. Deterministic; ties go to the first legal action.

    Raises:
        ValueError: As `expected_returns`, or for a seat the game does not have.
    """
    tree = compiled(game)
    _check_seat(tree, seat)
    return _reply(tree, tables, seat, tree.returns[:, seat])


def regret(game: Game | GameTree, tables: Sequence[PolicyTable]) -> np.ndarray:
    """What each seat would gain by switching to its best response, [N], at least zero up to rounding.

    Raises:
        ValueError: As `expected_returns`.
    """
    tree = compiled(game)
    return regret_of_plans(tree, plans(tree, tables))


def nash_conv(game: Game | GameTree, tables: Sequence[PolicyTable]) -> float:
    """The sum over seats of what a best response gains: zero exactly at a Nash equilibrium.

    Raises:
        ValueError: As `expected_returns`.

    Reference: Lanctot et al. 2017, arXiv 1711.00832 (section 4.1).
    """
    return float(regret(game, tables).sum())


def exploitability(game: Game | GameTree, tables: Sequence[PolicyTable]) -> float:
    """NashConv / 2 of a two-player zero-sum game: what a best response wins beyond the value, averaged over seats.

    Raises:
        ValueError: As `expected_returns`, or for a game that is not two-player zero-sum, where the halves have no such
            meaning: use `nash_conv`, `regret` or `worst_case_advantage`.
    """
    tree = compiled(game)
    if not tree.game.zero_sum or tree.game.num_players != 2:
        raise UserError(f"{tree.game.name} is not two-player zero-sum; use nash_conv, regret or worst_case_advantage")
    return nash_conv(tree, tables) / 2


def worst_case_response(game: Game | GameTree, tables: Sequence[PolicyTable], seat: int) -> BestResponse:
    """The player in `seat` that maximises E[its own - the other's return] against the other seat's table.

    In a zero-sum game it is the best response of that seat, with twice its value. In other games it may pay to hurt: a
    best response maximises what the player itself earns, this one its lead. tables[seat] is not read, except that it
    must exist. Deterministic; ties go to the first legal action.

    Raises:
        ValueError: As `expected_returns`, for a seat the game does not have, or a game without exactly two seats.
    """
    tree = compiled(game)
    _check_two_players(tree)
    _check_seat(tree, seat)
    lead = tree.returns[:, seat] - tree.returns[:, 1 - seat]  # [Z]
    return _reply(tree, tables, seat, lead)


def worst_case_advantage(game: Game | GameTree, tables: Sequence[PolicyTable], seat: int) -> float:
    """Max over all opponents of E[theirs - own] per episode, for the agent of tables[seat] in `seat`.

    Every scripted pool's mean gap in that seat is a lower bound. In a zero-sum game it is twice the opponent's
    best-response value. The other seat's table is not read.

    Raises:
        ValueError: As `expected_returns`, or for a game without exactly two seats.
    """
    tree = compiled(game)
    _check_two_players(tree)
    _check_seat(tree, seat)
    return worst_case_response(tree, tables, 1 - seat).value


def mean_worst_case_advantage(game: Game | GameTree, tables: Sequence[PolicyTable]) -> float:
    """`worst_case_advantage` averaged over both seats; in a zero-sum game that is NashConv.

    Raises:
        ValueError: As `worst_case_advantage`.
    """
    tree = compiled(game)
    return (worst_case_advantage(tree, tables, 0) + worst_case_advantage(tree, tables, 1)) / 2


def pool_values(
    game: Game | GameTree, tables: Sequence[PolicyTable], opponent: Behaviour | Sequence[PolicyTable]
) -> tuple[float, float]:
    """Expected returns (own, theirs) per episode of an agent against one opponent, averaged over both seatings.

    Args:
        game: A two-player game.
        tables: The agent's table in each seat, [2].
        opponent: A script, or the opponent's table in each seat, [2].

    Raises:
        ValueError: As `expected_returns`, or for a game without exactly two seats.
    """
    tree = compiled(game)
    _check_two_players(tree)
    theirs = plans(tree, behaviour_table(tree, opponent) if callable(opponent) else opponent)
    own = plans(tree, tables)
    as_first = tree.expected_returns([own[0], theirs[1]])
    as_second = tree.expected_returns([theirs[0], own[1]])
    return float(as_first[0] + as_second[1]) / 2, float(as_first[1] + as_second[0]) / 2


def plans(tree: GameTree, tables: Sequence[PolicyTable]) -> list[np.ndarray]:
    """The realisation plan of each seat's table, [N][S].

    Raises:
        ValueError: As `expected_returns`.
    """
    if len(tables) != tree.game.num_players:
        raise UserError(f"got {len(tables)} tables; {tree.game.name} has {tree.game.num_players} seats, one table each")
    return [plan_of(tree, table, seat) for seat, table in enumerate(tables)]


def plan_of(tree: GameTree, table: PolicyTable, seat: int) -> np.ndarray:
    """The realisation plan [S] of a table in a seat.

    Raises:
        ValueError: As `expected_returns`.
    """
    rows = []
    for point in tree.by_seat[seat]:
        probabilities = table.get(point.information_state)
        if probabilities is None:
            raise missing(point)
        rows.append(row(point, probabilities))
    return tree.plan(seat, rows)


def regret_of_plans(tree: GameTree, joint: Sequence[np.ndarray]) -> np.ndarray:
    """What each seat would gain by its best response to the other realisation plans, [N]."""
    best = [tree.best_reply(joint, seat, tree.returns[:, seat])[0] for seat in range(tree.game.num_players)]
    gains: np.ndarray = np.array(best) - tree.expected_returns(joint)
    return gains


def row(point: InformationSet, probabilities: Mapping[Action, float], fault: float = 0.0) -> list[float]:
    """A row of a plan: the probability of each legal action, then of a fault.

    Raises:
        ValueError: Unless they are a distribution over the legal actions and the fault.
    """
    numbers = [float(probabilities.get(action, 0.0)) for action in point.legal]
    numbers.append(fault)
    if abs(sum(numbers) - 1) > SUM_TOLERANCE or min(numbers) < 0 or not all(a in point.legal for a in probabilities):
        raise UserError(
            f"got {dict(probabilities)} and fault {fault} at {point.information_state}; allowed: probabilities of "
            f"{', '.join(map(str, point.legal))} that sum to one with the fault"
        )
    return numbers


def missing(point: InformationSet) -> ValueError:
    """The error for a table without a row that the game needs."""
    return ValueError(
        f"the table of seat {point.seat} has no row for {point.information_state}; give one per state of "
        "information_states(game)"
    )


def _plans_of_others(tree: GameTree, tables: Sequence[PolicyTable], seat: int) -> list[np.ndarray]:
    if len(tables) != tree.game.num_players:
        raise UserError(f"got {len(tables)} tables; {tree.game.name} has {tree.game.num_players} seats, one table each")
    return [np.empty(0) if other == seat else plan_of(tree, tables[other], other) for other in range(len(tables))]


def _reply(tree: GameTree, tables: Sequence[PolicyTable], seat: int, gain: np.ndarray) -> BestResponse:
    """The policy of `seat` that expects the most of `gain` [Z] against the other seats' tables."""
    value, choices, _ = tree.best_reply(_plans_of_others(tree, tables, seat), seat, gain)
    table = {
        point.information_state: {action: float(i == choice) for i, action in enumerate(point.legal)}
        for point, choice in zip(tree.by_seat[seat], choices, strict=True)
    }
    return BestResponse(value, table)


def _check_seat(tree: GameTree, seat: int) -> None:
    if not 0 <= seat < tree.game.num_players:
        raise UserError(f"got seat {seat}; allowed: 0 to {tree.game.num_players - 1}")


def _check_two_players(tree: GameTree) -> None:
    if tree.game.num_players != 2:
        raise UserError(f"{tree.game.name} has {tree.game.num_players} seats; this value is defined for two")
