"""A finite game compiled once into its sequence form, for exact values.

A seat's *sequence* is what it has done so far: nothing (index 0), or an action at one of its information states.
Under perfect recall the probability of a terminal is chance times one number per seat, the seat's *realisation plan*
at its last sequence; so expected returns are one product over the terminals, and a best response is one pass over a
seat's information states from the last to the first. Simultaneous moves become moves in seat order that later seats
do not see.

Each information state also has a *fault* sequence after its actions: the reply named no legal action and the seat
forfeits. It has weight zero unless a policy says otherwise, and a best response never takes it.

Reference: von Stengel 1996, Efficient computation of behavior strategies, Games and Economic Behavior 14.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from equipoise.core import CHANCE, Action, Game, InformationState, State
from equipoise.errors import UserError
from equipoise.games.free_text import text_limit

MAX_NODES = 250_000
"""The largest tree that is compiled; a larger one raises instead of filling the memory."""

TIE = 1e-12
"""Action values this close are a tie, and the first action wins it; `tolerance` scales it to a game's payoffs."""


def tolerance(largest: float) -> float:
    """How close two action values are a tie where the largest payoff is `largest`: sums round off in proportion."""
    return TIE * max(1.0, largest)


@dataclass(frozen=True, slots=True)
class InformationSet:
    """One information state of a seat in the tree.

    Attributes:
        seat: Whose it is.
        information_state: What the seat has seen.
        legal: Its legal actions.
        parent: The seat's sequence that leads here.
        first: The sequence of the first legal action; the others follow, then the fault.
    """

    seat: int
    information_state: InformationState
    legal: tuple[Action, ...]
    parent: int
    first: int


@dataclass(frozen=True, slots=True)
class _Node:
    """A state with the moves already made in it, its chance probability and each seat's last sequence."""

    state: State
    moves: tuple[tuple[int, Action], ...]
    chance: float
    sequences: tuple[int, ...]


class GameTree:
    """The sequence form of a game.

    Attributes:
        game: The game.
        information_sets: Every information state of every seat, breadth first.
        by_seat: The same by seat, each after its parents.
        forfeits_end: Whether every forfeit ends the game, so that faults have an exact value.
        chance: Probability that chance plays towards each terminal, [Z].
        returns: Returns at each terminal, [Z, N].
        last: Each seat's sequence at each terminal, [N][Z].
        num_sequences: How many sequences each seat has, [N].
    """

    def __init__(self, game: Game) -> None:
        """Compiles `game`.

        Raises:
            ValueError: When the tree has more than `MAX_NODES` nodes, a seat forgets what it did, or players talk.
        """
        if text_limit(game.actions):
            raise UserError(
                f"players of {game.name} talk, and texts cannot be listed; exact values need a game without"
            )
        self.game = game
        self.forfeits_end = True
        self.by_seat: list[list[InformationSet]] = [[] for _ in range(game.num_players)]
        self.information_sets: list[InformationSet] = []
        self.num_sequences: list[int] = [1] * game.num_players
        self._index: list[dict[InformationState, InformationSet]] = [{} for _ in range(game.num_players)]
        terminals: list[tuple[float, tuple[float, ...], tuple[int, ...]]] = []
        queue = deque([_Node(game.initial_state(), (), 1.0, (0,) * game.num_players)])
        nodes = 0
        while queue:
            node = queue.popleft()
            nodes += 1
            if nodes + len(queue) > MAX_NODES:  # what waits will be a node too
                raise UserError(
                    f"the tree of {game.name} {game.parameters} has more than {MAX_NODES} nodes; exact values need a "
                    "smaller game, for example one round"
                )
            if node.state.is_terminal:
                terminals.append((node.chance, node.state.returns, node.sequences))
            elif node.state.is_chance:
                for outcome, probability in node.state.chance_outcomes():
                    after = node.state.child({CHANCE: outcome})
                    queue.append(_Node(after, (), node.chance * probability, node.sequences))
            else:
                queue.extend(self._decide(node, terminals))
        self.chance = np.array([chance for chance, _, _ in terminals])  # [Z]
        self.returns = np.array([returns for _, returns, _ in terminals])  # [Z, N]
        self.last = [np.array([last[seat] for _, _, last in terminals]) for seat in range(game.num_players)]  # [N][Z]

    def plan(self, seat: int, rows: Sequence[Sequence[float]]) -> np.ndarray:
        """The realisation plan [S] of a seat; rows give the action probabilities of each state, then its fault."""
        weights = [1.0] + [0.0] * (self.num_sequences[seat] - 1)
        for point, row in zip(self.by_seat[seat], rows, strict=True):
            reach = weights[point.parent]
            for offset, probability in enumerate(row):
                weights[point.first + offset] = reach * probability
        return np.array(weights)

    def expected_returns(self, plans: Sequence[np.ndarray]) -> np.ndarray:
        """Expected returns [N] when seat i plays plans[i]."""
        expected: np.ndarray = self._reach(plans, without=None) @ self.returns
        return expected

    def best_reply(
        self, plans: Sequence[np.ndarray], seat: int, gain: np.ndarray
    ) -> tuple[float, list[int], list[list[float]]]:
        """The most a seat can expect of `gain` against the other plans.

        Args:
            plans: A realisation plan per seat; the one of `seat` is not read.
            seat: Who replies.
            gain: What each terminal is worth to it, [Z].

        Returns:
            The value; the index of the action taken at each of the seat's information states (ties within `tolerance`
            go to the first action); and the counterfactual value of each action there.
        """
        (values,), choices = self._lexicographic(plans, seat, [gain])
        options = [values[point.first : point.first + len(point.legal)] for point in self.by_seat[seat]]
        return values[0], choices, options

    def lexicographic_value(self, plans: Sequence[np.ndarray], seat: int, gains: Sequence[np.ndarray]) -> list[float]:
        """The most a seat can expect of the first gain; of the second among the replies that reach that; and so on.

        Args:
            plans: A realisation plan per seat; the one of `seat` is not read.
            seat: Who replies.
            gains: What each terminal is worth to it, most important first, [K][Z].

        Returns:
            The K values. Two values within `tolerance` are a tie, which the next gain decides.
        """
        values, _ = self._lexicographic(plans, seat, gains)
        return [worth[0] for worth in values]

    def _lexicographic(
        self, plans: Sequence[np.ndarray], seat: int, gains: Sequence[np.ndarray]
    ) -> tuple[list[list[float]], list[int]]:
        """Per gain the value of each of the seat's sequences, [K][S]; and the action taken at each of its states."""
        # One pass is enough, also for ties. Under perfect recall the information states after a sequence are decided
        # one by one, so what can be had there (a vector of K expectations, weighted by the others' reach) is the sum
        # of what can be had at each; and at one state it is what one of its actions leads to, or a mixture. The
        # lexicographic order is total and a >= b implies a + c >= b + c, so the best sum is the sum of the bests, and
        # the best of a union or of its mixtures is the best member. Hence the best vector of a sequence is its own
        # terminals' plus, for each state after it, that of the best action: ties compare all that follows, not a step.
        reach, size = self._reach(plans, without=seat), self.num_sequences[seat]
        worth: list[list[float]] = [
            np.bincount(self.last[seat], reach * gain, minlength=size).tolist() for gain in gains
        ]
        close = [tolerance(float(np.abs(gain).max())) for gain in gains]
        choices = []
        for point in reversed(self.by_seat[seat]):
            tied: Sequence[int] = range(point.first, point.first + len(point.legal))
            for values, within in zip(worth, close, strict=True):
                best = max([values[i] for i in tied])
                tied = [i for i in tied if values[i] >= best - within]
                values[point.parent] += best
            choices.append(tied[0] - point.first)
        return worth, choices[::-1]

    def _reach(self, plans: Sequence[np.ndarray], without: int | None) -> np.ndarray:
        """Probability of each terminal, [Z], leaving one seat's own moves out."""
        reach = self.chance
        for seat, plan in enumerate(plans):
            if seat != without:
                reach = reach * plan[self.last[seat]]
        return reach

    def _decide(self, node: _Node, terminals: list[tuple[float, tuple[float, ...], tuple[int, ...]]]) -> list[_Node]:
        """The nodes after each legal action of the next seat to move; its forfeit goes to the terminals."""
        state, seats = node.state, node.state.players_to_move
        seat = seats[len(node.moves)]
        point = self._information_set(state, seat, node.sequences[seat])
        children = []
        for offset, action in enumerate(point.legal):
            moves = (*node.moves, (seat, action))
            sequences = _with(node.sequences, seat, point.first + offset)
            if len(moves) == len(seats):
                children.append(_Node(state.child(dict(moves)), (), node.chance, sequences))
            else:
                children.append(_Node(state, moves, node.chance, sequences))
        forfeited = state.forfeit(seat)
        if forfeited.is_terminal:
            sequences = _with(node.sequences, seat, point.first + len(point.legal))
            terminals.append((node.chance, forfeited.returns, sequences))
        else:
            self.forfeits_end = False
        return children

    def _information_set(self, state: State, seat: int, parent: int) -> InformationSet:
        information_state = state.information_state(seat)
        known = self._index[seat].get(information_state)
        if known is None:
            legal = state.legal_actions(seat)
            known = InformationSet(seat, information_state, legal, parent, self.num_sequences[seat])
            self.num_sequences[seat] += len(legal) + 1
            self._index[seat][information_state] = known
            self.by_seat[seat].append(known)
            self.information_sets.append(known)
        elif known.parent != parent:
            raise UserError(
                f"seat {seat} of {self.game.name} forgets what it did: {information_state} follows two different own "
                "histories; exact values need perfect recall"
            )
        return known


def compiled(game: Game | GameTree) -> GameTree:
    """The game's tree; a tree is returned as it is, so that a caller compiles once."""
    return game if isinstance(game, GameTree) else GameTree(game)


def largest_exact_rounds(game: Game) -> int:
    """The most first rounds whose tree has at most `MAX_NODES` nodes: 0 where not even one round's has, or with talk.

    Nodes are counted, not built: states that `game.payoff_state` calls equal head equally large trees, so one of them
    is walked and multiplied. `FirstRounds(game, k)` compiles for every k up to the result.
    """
    if text_limit(game.actions):
        return 0
    nodes = 1
    frontier: dict[Hashable, tuple[State, int]] = {}  # a state, and how many nodes are worth the same
    _add(frontier, game, game.initial_state(), 1)
    for rounds in range(1, game.num_rounds + 1):
        later: dict[Hashable, tuple[State, int]] = {}
        while frontier:
            children: dict[Hashable, tuple[State, int]] = {}
            for state, count in frontier.values():
                if state.round >= rounds:
                    _add(later, game, state, count)
                    continue
                options = _options(state)
                nodes += count * sum(math.prod(map(len, options[: k + 1])) for k in range(len(options)))
                if nodes > MAX_NODES:
                    return rounds - 1
                for joint in product(*options):
                    moves = dict(zip(state.players_to_move, joint, strict=True))
                    _add(children, game, state.child(moves), count)
            frontier = children
        frontier = later
    return game.num_rounds


def _add(group: dict[Hashable, tuple[State, int]], game: Game, state: State, count: int) -> None:
    if not state.is_terminal:
        key = state.players_to_move, game.payoff_state(state, 0)
        first, known = group.get(key, (state, 0))
        group[key] = first, known + count


def _options(state: State) -> list[tuple[Action, ...]]:
    """The actions of each seat to move, or the outcomes of chance."""
    if state.is_chance:
        return [tuple(outcome for outcome, _ in state.chance_outcomes())]
    return [state.legal_actions(seat) for seat in state.players_to_move]


def _with(sequences: tuple[int, ...], seat: int, sequence: int) -> tuple[int, ...]:
    return (*sequences[:seat], sequence, *sequences[seat + 1 :])
