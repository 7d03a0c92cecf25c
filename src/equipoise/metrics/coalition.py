"""A game for any number of players as one for two: a seat, and all the others as one player.

The coalition sees what any of its members sees, remembers it, and moves for all of them at once. What it can do
contains whatever the members could do each on its own, so what it takes from the seat bounds what they take.

Reference: von Stengel and Koller 1997, Team-maxmin equilibria, Games and Economic Behavior 21 (a team that may not
share what it sees is weaker, and hard to solve for).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from itertools import product

from equipoise.core import CHANCE, Action, Event, Game, InformationState, State
from equipoise.games.wrapped import WrappedGame, WrappedState
from equipoise.metrics.tree import GameTree

_SEAT, _OTHERS = 0, 1


@dataclass(frozen=True, slots=True)
class _CoalitionState(WrappedState):
    """A state, and what the coalition has seen and done before it."""

    coalition: Coalition
    past: InformationState

    @property
    def players_to_move(self) -> tuple[int, ...]:
        movers = self.inner.players_to_move
        if not movers or self.inner.is_chance:
            return movers
        return (*((_SEAT,) if self.coalition.seat in movers else ()), *((_OTHERS,) if self._moving else ()))

    @property
    def rewards(self) -> tuple[float, ...]:
        return self.coalition.pair(self.inner.rewards)

    @property
    def returns(self) -> tuple[float, ...]:
        return self.coalition.pair(self.inner.returns)

    def legal_actions(self, seat: int) -> tuple[Action, ...]:
        if seat == _SEAT:
            return self.inner.legal_actions(self.coalition.seat)
        return tuple(product(*(self.inner.legal_actions(member) for member in self._moving)))

    def information_state(self, seat: int) -> InformationState:
        if seat == _SEAT:
            return self.inner.information_state(self.coalition.seat)
        seen = tuple(self.inner.information_state(member) for member in self.coalition.members)
        # Who moves is told, because a member's own view may not say so; the past is kept, because the views alone
        # need not say in which order members saw and moved. So the coalition has perfect recall by construction.
        return (*self.past, Event("joined", None, (self._moving, seen)))

    def child(self, actions: Mapping[int, Action]) -> State:
        moves = {seat: action for seat, action in actions.items() if seat == CHANCE}
        if _SEAT in actions:
            moves[self.coalition.seat] = actions[_SEAT]
        past = self.past
        if _OTHERS in actions:
            joint = actions[_OTHERS]
            assert isinstance(joint, tuple)
            moves |= zip(self._moving, joint, strict=True)
            past = (*self.information_state(_OTHERS), Event("act", _OTHERS, joint))
        return _CoalitionState(self.inner.child(moves), self.coalition, past)

    def forfeit(self, seat: int) -> State:
        who = self.coalition.seat if seat == _SEAT else self._moving[0]
        return _CoalitionState(self.inner.forfeit(who), self.coalition, self.past)

    @property
    def _moving(self) -> tuple[int, ...]:
        return tuple(member for member in self.coalition.members if member in self.inner.players_to_move)


class Coalition(WrappedGame):
    """`game` for two players: seat 0 is one seat of it, seat 1 all the others, paid the mean of what they are paid."""

    def __init__(self, game: Game, seat: int) -> None:
        """Joins all seats but one.

        Args:
            game: What is played.
            seat: The seat that stays alone; its information states are those of the game.
        """
        super().__init__(game)
        self.seat = seat
        self.members = tuple(other for other in range(game.num_players) if other != seat)
        self.num_players = 2
        self.zero_sum = game.zero_sum and len(self.members) == 1

    def pair(self, paid: tuple[float, ...]) -> tuple[float, float]:
        """What the seat is paid, and the mean of what the others are."""
        return paid[self.seat], sum(paid[member] for member in self.members) / len(self.members)

    def initial_state(self) -> State:
        return _CoalitionState(self._game.initial_state(), self, ())

    def payoff_state(self, state: State, seat: int) -> Hashable:
        """The state itself: whom a member's next move pays may hang on what another member saw."""
        return state


def opposed(tree: GameTree, seat: int) -> tuple[GameTree, int, int]:
    """A seat against all others as one player: the tree for two, the seat in it, and the others' seat.

    With two players it is the tree itself.
    """
    if tree.game.num_players == 2:
        return tree, seat, 1 - seat
    return GameTree(Coalition(tree.game, seat)), _SEAT, _OTHERS
