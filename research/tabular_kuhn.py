"""One hand of Kuhn poker with a softmax table, exactly.

Twelve logits: betting (or calling) with each of three cards in four situations. The game has 6 deals and 5 betting
lines, so values and gradients are sums over 30 lines for each seat and opponent. A hand takes up to three moves; its
reward falls on the last, which may be the opponent's. The game is zero-sum: it has no collusion and no externality.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

from equipoise.objectives import Pool, SepoBatch, SepoWeights
from research.tabular import Draw, Gradients, TabularProblem, Values, sigmoid

SITUATIONS = ("", "pb", "p", "b")
"""Moves so far, p = pass and b = bet: seat 0 decides at the first two, seat 1 at the others."""

CARDS = ("J", "Q", "K")
STATES = tuple(f"{card} after {situation or 'the deal'}" for situation in SITUATIONS for card in CARDS)

_DEALS = tuple(permutations(range(3), 2))
_LINES = ("pp", "pbp", "pbb", "bp", "bb")
_PLIES = 3
BEST_RESPONSE = 5
"""Number of the exact best response; the scripts of `SCRIPTS` come before it."""

SCRIPTS: dict[str, tuple[Pool, tuple[float, ...]]] = {
    "nash": ("train", (1 / 3, 0, 1, 0, 2 / 3, 1, 1 / 3, 0, 1, 0, 1 / 3, 1)),
    "tight": ("train", (0, 0, 1, 0, 0.5, 1, 0, 0, 1, 0, 0.5, 1)),
    "loose": ("train", (0.5, 0.5, 1, 0.5, 1, 1, 0.5, 0.5, 1, 0.5, 1, 1)),
    "maniac": ("exploiter", (1,) * 12),
    "nit": ("exploiter", (0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1)),
}
"""Pool and probability of betting by `STATES`. Nash: Kuhn (1950), the equilibrium with bluffing rate 1/3."""

NAIVE = (-1.0, -0.2, 1.0, -1.2, -0.3, 0.9, -0.9, -0.1, 1.1, -1.1, -0.4, 0.8)
"""Logits of a policy that mostly bets by the strength of its card."""


@dataclass(frozen=True)
class _Tree:
    """The 30 lines: information state, move and whether it is played by ply, [30, 3] each; seat 0's payoff, [30]."""

    information: NDArray[np.int64]
    move: NDArray[np.int64]
    played: NDArray[np.bool_]
    payoff: NDArray[np.float64]


def _tree() -> _Tree:
    lines = list(product(_DEALS, _LINES))
    information, move = np.zeros((2, len(lines), _PLIES), dtype=np.int64)
    played = np.zeros((len(lines), _PLIES), dtype=np.bool_)
    payoff = np.zeros(len(lines))
    for row, (cards, line) in enumerate(lines):
        for ply, letter in enumerate(line):
            information[row, ply] = 3 * SITUATIONS.index(line[:ply]) + cards[ply % 2]
            move[row, ply] = letter == "b"
            played[row, ply] = True
        showdown = 1.0 if cards[0] > cards[1] else -1.0
        payoff[row] = {"pp": showdown, "pbp": -1.0, "pbb": 2 * showdown, "bp": 1.0, "bb": 2 * showdown}[line]
    return _Tree(information, move, played, payoff)


_TREE = _tree()


@dataclass(frozen=True, eq=False)
class Kuhn(TabularProblem):
    """Kuhn poker against `SCRIPTS` and the exact best response to the policy.

    Attributes:
        logits: Logits of betting by `STATES`, [12].
        weights: The published weights of this game.
        rollouts: Hands per opponent, seat and deal.
        rounds: One hand per episode.
    """

    logits: NDArray[np.float64] = field(default_factory=lambda: np.array(NAIVE))
    weights: SepoWeights = field(default_factory=lambda: SepoWeights(1.5, 0.0, 0.0, scale=1.5))
    rollouts: int = 8
    name: str = "kuhn_poker"
    states: tuple[str, ...] = STATES
    rounds: int = 1

    @cached_property
    def opponents(self) -> tuple[tuple[Pool, NDArray[np.float64]], ...]:
        """Pool and table of betting probabilities [12] of each opponent, the best response last."""
        scripts = tuple((pool, np.array(table, dtype=np.float64)) for pool, table in SCRIPTS.values())
        return (*scripts, ("exploiter", best_response(sigmoid(self.logits))))

    def exact(self) -> tuple[Values, Gradients]:
        """Value and gradient of u and e, per hand. The best response is held fixed, as Danskin's theorem allows."""
        parts: dict[str, list[tuple[float, NDArray[np.float64]]]] = {"u": [], "e": []}
        bet = sigmoid(self.logits)
        for pool, table in self.opponents:
            value, gradient = 0.0, np.zeros(12)
            for seat in range(2):
                own = _own_plies(seat)
                gain = _line_probability(bet, table, seat) * _payoff(seat) / 2
                score = np.where(own, _TREE.move - bet[_TREE.information], 0.0)
                value += float(gain.sum())
                np.add.at(gradient, _TREE.information, gain[:, None] * score)
            gap = -2.0 * value
            parts["u" if pool == "train" else "e"].append(
                (value, gradient) if pool == "train" else (max(0.0, gap), -2.0 * gradient * (gap > 0.0))
            )
        values = {term: float(np.mean([value for value, _ in part])) for term, part in parts.items()}
        return values, {term: np.mean([gradient for _, gradient in part], axis=0) for term, part in parts.items()}

    def draw(self, rng: np.random.Generator) -> Draw:
        """One batch: every opponent, seat and deal, `rollouts` hands each; they share a group."""
        bet = sigmoid(self.logits)
        cells = list(product(range(len(self.opponents)), range(2), range(len(_DEALS))))
        opponent, seat, deal = np.repeat(np.array(cells), self.rollouts, axis=0).T
        by_cell = np.array(
            [[_line_probability(bet, table, seat) for seat in range(2)] for _, table in self.opponents]
        ).reshape(-1, len(_LINES)) * len(_DEALS)  # [cells, lines]
        ceiling = np.repeat(by_cell.cumsum(axis=1), self.rollouts, axis=0)
        choice = (rng.random(opponent.size)[:, None] > ceiling[:, :-1]).sum(axis=1)
        line = deal * len(_LINES) + choice
        last = _TREE.played[line].sum(axis=1) - 1
        own = np.zeros((opponent.size, _PLIES))
        own[np.arange(opponent.size), last] = _TREE.payoff[line] * np.where(seat == 0, 1.0, -1.0)
        mask = _TREE.played[line] & (np.arange(_PLIES) % 2 == seat[:, None])
        information = _TREE.information[line]
        batch = SepoBatch(
            own=own,
            other=-own,
            collusion=np.zeros_like(own),
            externality=np.zeros_like(own),
            mask=mask,
            pool=np.array([pool for pool, _ in self.opponents])[opponent],
            opponent=opponent,
            group=np.repeat(np.arange(len(cells)), self.rollouts),
            always_open=frozenset({BEST_RESPONSE}),
        )
        return Draw(batch, information, np.where(mask, _TREE.move[line] - bet[information], 0.0), len(STATES))


def best_response(bet: NDArray[np.float64]) -> NDArray[np.float64]:
    """The deterministic table [12] that earns most against the table `bet` [12], by trying all 64 of each seat."""
    response = np.zeros(12)
    for seat in range(2):
        tables = np.zeros((64, 12))
        tables[:, 6 * seat : 6 * seat + 6] = list(product((0.0, 1.0), repeat=6))
        values = [(_line_probability(table, bet, seat) * _payoff(seat)).sum() for table in tables]
        response += tables[int(np.argmax(values))]
    return response


def _own_plies(seat: int) -> NDArray[np.bool_]:
    """Where `seat` moves, [30, 3]."""
    own: NDArray[np.bool_] = _TREE.played & (np.arange(_PLIES) % 2 == seat)
    return own


def _payoff(seat: int) -> NDArray[np.float64]:
    """What each line pays `seat`, [30]."""
    return _TREE.payoff if seat == 0 else -_TREE.payoff


def _line_probability(bet: NDArray[np.float64], other: NDArray[np.float64], seat: int) -> NDArray[np.float64]:
    """Probability of each line, deal included, when `seat` plays the table `bet` and the other seat `other`, [30]."""
    mover = np.where(np.arange(_PLIES) % 2 == seat, bet[_TREE.information], other[_TREE.information])
    factor = np.where(_TREE.move == 1, mover, 1.0 - mover)
    probability: NDArray[np.float64] = np.where(_TREE.played, factor, 1.0).prod(axis=1) / len(_DEALS)
    return probability
