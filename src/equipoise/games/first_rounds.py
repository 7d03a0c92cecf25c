"""The first rounds of a longer game, as a game of its own: small enough to solve where the whole is not."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from equipoise.core import Action, Game, State
from equipoise.errors import UserError
from equipoise.games.wrapped import WrappedGame, WrappedState


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
