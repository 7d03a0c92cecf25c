"""What a seat can secure for itself whatever the others do, by a linear program over realisation plans.

Against a realisation plan x [S] of the seat the others' worst plan y [T] minimises x'Ay, where A holds chance times the
seat's return. For fixed x that is a linear program whose dual has one variable p per information state of the others;
so the best x comes from one program of a size that is linear in the tree:

    maximise p_0   subject to   F'p <= A'x,   E x = e,   x >= 0

E and F say that plans are plans: the empty sequence has weight one, and the actions of an information state share the
weight of the sequence that leads there. Needs scipy, which is loaded on the first call.

Reference: Koller, Megiddo and von Stengel 1996, Efficient computation of equilibria for extensive two-person games,
Games and Economic Behavior 14 (section 4); von Stengel 1996, the same volume.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from equipoise.core import Game
from equipoise.errors import UserError
from equipoise.metrics.coalition import opposed
from equipoise.metrics.tree import GameTree, compiled
from equipoise.policies.scripted import PolicyTable


@dataclass(frozen=True)
class Maximin:
    """The most a seat can secure, and how.

    Attributes:
        value: What it then expects at least, per episode.
        table: A policy of the seat that secures it. States that it never reaches itself have a uniform row.
    """

    value: float
    table: PolicyTable


def maximin_value(game: Game | GameTree, seat: int) -> float:
    """The maximin (security) value of a seat: the most it can expect per episode whatever the others do.

    Mixed policies count, and the others are against the seat, not for themselves. With two players it is exact, and in
    a zero-sum game it is the value of the game to that seat. With more, the others are one coalition that shares what
    it sees: then it is a lower bound of what the seat can secure against others who move each on its own.

    Raises:
        ValueError: As `GameTree`, for a seat the game does not have, or where the solver gives up.
    """
    return maximin(game, seat).value


def maximin(game: Game | GameTree, seat: int) -> Maximin:
    """The policy of a seat that secures `maximin_value`, and that value.

    Raises:
        ValueError: As `maximin_value`.
    """
    tree = compiled(game)
    if not 0 <= seat < tree.game.num_players:
        raise UserError(f"got seat {seat}; allowed: 0 to {tree.game.num_players - 1}")
    return secured(*opposed(tree, seat))


def secured(tree: GameTree, seat: int, other: int) -> Maximin:
    """`maximin` of a seat of a tree for two."""
    from scipy import sparse
    from scipy.optimize import linprog

    sequences = tree.num_sequences
    gains = tree.chance * tree.returns[:, seat]  # [Z]
    payoffs = sparse.coo_matrix(  # [T, S]
        (gains, (tree.last[other], tree.last[seat])), shape=(sequences[other], sequences[seat])
    ).tocsr()
    own, theirs = _faultless(tree, seat), _faultless(tree, other)  # forfeits are nobody's plan
    plan, their_plan = _constraints(tree, seat)[:, own], _constraints(tree, other)[:, theirs]  # E, F
    free = their_plan.shape[0]
    found = linprog(
        c=np.concatenate([np.zeros(len(own)), [-1.0], np.zeros(free - 1)]),
        A_ub=sparse.hstack([-payoffs[theirs][:, own], their_plan.T], format="csr"),
        b_ub=np.zeros(len(theirs)),
        A_eq=sparse.hstack([plan, sparse.csr_matrix((plan.shape[0], free))], format="csr"),
        b_eq=np.concatenate([[1.0], np.zeros(plan.shape[0] - 1)]),
        bounds=[(0.0, None)] * len(own) + [(None, None)] * free,
        method="highs",
    )
    if not found.success:
        raise UserError(f"no maximin value of seat {seat} in {tree.game.name}: {found.message}; try fewer rounds")
    weights = np.zeros(sequences[seat])
    weights[own] = np.maximum(found.x[: len(own)], 0.0)
    return Maximin(-float(found.fun), _table(tree, seat, weights))


def _faultless(tree: GameTree, seat: int) -> np.ndarray:
    """The sequences of a seat that are no forfeits."""
    keep = np.ones(tree.num_sequences[seat], dtype=bool)
    keep[[point.first + len(point.legal) for point in tree.by_seat[seat]]] = False
    return np.flatnonzero(keep)


def _constraints(tree: GameTree, seat: int) -> Any:
    """E or F as a sparse matrix [1 + information states, S]: its product with a plan is (1, 0, ..., 0)."""
    from scipy import sparse

    entries = [(0, 0, 1.0)]
    for i, point in enumerate(tree.by_seat[seat], start=1):
        entries.append((i, point.parent, -1.0))
        entries += [(i, point.first + offset, 1.0) for offset in range(len(point.legal))]
    rows, columns, values = zip(*entries, strict=True)
    return sparse.csr_matrix((values, (rows, columns)), shape=(len(tree.by_seat[seat]) + 1, tree.num_sequences[seat]))


def _table(tree: GameTree, seat: int, weights: np.ndarray) -> PolicyTable:
    """The policy of a realisation plan [S]."""
    table = {}
    for point in tree.by_seat[seat]:
        shares = weights[point.first : point.first + len(point.legal)]
        total = shares.sum()
        row = shares / total if total > 0 else np.full(len(shares), 1 / len(shares))
        table[point.information_state] = dict(zip(point.legal, row.tolist(), strict=True))
    return table
