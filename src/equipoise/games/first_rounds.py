"""The first rounds of a longer game, as a game of its own: small enough to solve where the whole is not."""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from equipoise.core import CHANCE, Action, Game, InformationState, State
from equipoise.errors import UserError
from equipoise.games.free_text import text_limit
from equipoise.games.wrapped import WrappedGame, WrappedState

MOST_HISTORIES = 50_000
"""Histories that are walked to count information states; a game with more of them at once is too large to be cheap."""


@dataclass(frozen=True, slots=True)
class _FirstRoundsState(WrappedState):
    rounds: int

    @property
    def players_to_move(self) -> tuple[int, ...]:
        return self.inner.players_to_move if self.inner.round < self.rounds else ()

    def legal_actions(self, seat: int) -> tuple[Action, ...]:
        return self.inner.legal_actions(seat) if self.players_to_move else ()

    def child(self, actions: Mapping[int, Action]) -> State:
        return _FirstRoundsState(self.inner.child(actions), self.rounds)

    def forfeit(self, seat: int) -> State:
        return _FirstRoundsState(self.inner.forfeit(seat), self.rounds)


class FirstRounds(WrappedGame):
    """`game` cut off after its first rounds: same words, same information states, fewer rewards."""

    def __init__(self, game: Game, rounds: int = 1) -> None:
        """Cuts `game` after `rounds` rounds.

        Raises:
            ValueError: Unless 1 <= rounds <= the game's own.
        """
        if not 1 <= rounds <= game.num_rounds:
            raise UserError(f"got rounds={rounds}; {game.name} has {game.num_rounds}; allowed: 1 to that")
        super().__init__(game)
        self.num_rounds = rounds

    def initial_state(self) -> State:
        return _FirstRoundsState(self._game.initial_state(), self.num_rounds)

    def payoff_state(self, state: State, seat: int) -> Hashable:
        return super().payoff_state(state, seat), state.is_terminal


def rounds_within(game: Game, states: int) -> int:
    """The most first rounds that have at most `states` information states, all seats together; 0 if the first has more.

    Walks the histories round by round and stops as soon as there are too many states, or more than `MOST_HISTORIES`.
    A game with talk has 0: its texts cannot be listed.
    """
    if text_limit(game.actions):
        return 0
    known: set[tuple[int, InformationState]] = set()
    frontier = [game.initial_state()]
    for rounds in range(1, game.num_rounds + 1):
        after: list[State] = []
        while frontier:
            after += [state for state in frontier if not state.is_terminal and state.round >= rounds]
            going = [state for state in frontier if not state.is_terminal and state.round < rounds]
            frontier = []
            for state in going:  # counted before any of them is expanded
                known.update((seat, state.information_state(seat)) for seat in state.players_to_move if seat != CHANCE)
                if len(known) > states:
                    return rounds - 1
            for state in going:
                options = _options(state)
                if len(frontier) + math.prod(map(len, options)) + len(after) > MOST_HISTORIES:
                    return rounds - 1
                frontier += [state.child(dict(moves)) for moves in itertools.product(*options)]
        frontier = after
    return game.num_rounds


def _options(state: State) -> list[list[tuple[int, Action]]]:
    """What everyone who moves here may do, chance included, as (seat, action)."""
    if state.is_chance:
        return [[(CHANCE, outcome) for outcome, _ in state.chance_outcomes()]]
    return [[(seat, action) for action in state.legal_actions(seat)] for seat in state.players_to_move]
