"""A game in which one seat's faults are moves of chance: play goes on after a forfeit, as under the rule `forfeit`.

Whether a reply names a legal action is settled before anybody moves: with the probability of a fault at what the seat
has seen, it forfeits the round there and then, and nobody's move of that moment is played. So the tree of this game
holds what a forfeit leads to, and every value of a tree can be computed on it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass

from equipoise.core import CHANCE, Action, Game, InformationState, State
from equipoise.games.wrapped import WrappedGame, WrappedState

_FAULT, _LEGAL = "fault", "legal"


@dataclass(frozen=True, slots=True)
class _FaultyState(WrappedState):
    """A state, and the probability of the fault that is still to be settled in it."""

    play: FaultyPlay
    fault: float

    @property
    def players_to_move(self) -> tuple[int, ...]:
        return (CHANCE,) if self.fault > 0 else self.inner.players_to_move

    def legal_actions(self, seat: int) -> tuple[Action, ...]:
        return () if self.fault > 0 else self.inner.legal_actions(seat)

    def chance_outcomes(self) -> tuple[tuple[Action, float], ...]:
        if self.fault == 0:
            return self.inner.chance_outcomes()
        return ((_FAULT, self.fault), (_LEGAL, 1 - self.fault)) if self.fault < 1 else ((_FAULT, 1.0),)

    def child(self, actions: Mapping[int, Action]) -> State:
        if self.fault == 0:
            return self.play.state(self.inner.child(actions))
        if actions[CHANCE] == _FAULT:
            return self.play.state(self.inner.forfeit(self.play.seat))
        return _FaultyState(self.inner, self.play, 0.0)

    def forfeit(self, seat: int) -> State:
        return self.play.state(self.inner.forfeit(seat))


class FaultyPlay(WrappedGame):
    """`game` as it goes for a seat that faults: same words, same information states, more chance."""

    def __init__(self, game: Game, seat: int, fault: Callable[[InformationState], float]) -> None:
        """Makes the faults of a seat moves of chance.

        Args:
            game: What is played.
            seat: Who faults; the others never do.
            fault: Probability of a fault at what the seat has seen, in [0, 1].
        """
        super().__init__(game)
        self._fault, self.seat = fault, seat

    def state(self, inner: State) -> State:
        """A state of the game as one of this game: before the seat moves, chance settles whether it faults."""
        moves = self.seat in inner.players_to_move
        return _FaultyState(inner, self, self._fault(inner.information_state(self.seat)) if moves else 0.0)

    def initial_state(self) -> State:
        return self.state(self._game.initial_state())

    def payoff_state(self, state: State, seat: int) -> Hashable:
        """As the game's own, where the probability of a fault is the same everywhere."""
        assert isinstance(state, _FaultyState)
        return super().payoff_state(state, seat), state.fault
