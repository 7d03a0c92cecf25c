"""A game made of another one: its words, figures and domain are the other's, except for what a subclass changes."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from equipoise.core import Action, Event, Game, InformationState, State


@dataclass(frozen=True, slots=True)
class WrappedState(State):
    """A state that speaks for another one.

    Attributes:
        inner: The state of the wrapped game.
    """

    inner: State

    @property
    def players_to_move(self) -> tuple[int, ...]:
        return self.inner.players_to_move

    @property
    def round(self) -> int:
        return self.inner.round

    @property
    def rewards(self) -> tuple[float, ...]:
        return self.inner.rewards

    @property
    def returns(self) -> tuple[float, ...]:
        return self.inner.returns

    def legal_actions(self, seat: int) -> tuple[Action, ...]:
        return self.inner.legal_actions(seat)

    def information_state(self, seat: int) -> InformationState:
        return self.inner.information_state(seat)

    def chance_outcomes(self) -> tuple[tuple[Action, float], ...]:
        return self.inner.chance_outcomes()


class WrappedGame(Game):
    """A game that speaks for another one; `initial_state` is the subclass's own."""

    def __init__(self, game: Game) -> None:
        """Args: game: What is played."""
        self._game = game
        self.name, self.answer = game.name, game.answer
        self.num_players, self.num_rounds = game.num_players, game.num_rounds
        self.max_reward, self.min_reward = game.max_reward, game.min_reward
        self.zero_sum, self.unit, self.max_slots = game.zero_sum, game.unit, game.max_slots
        self._made_by = game._made_by

    @property
    def inner(self) -> Game:
        """The game that is spoken for."""
        return self._game

    @property
    def parameters(self) -> dict[str, Any]:
        return self._game.parameters

    @property
    def actions(self) -> tuple[Action, ...]:
        return self._game.actions

    @property
    def rules_text(self) -> str:
        return self._game.rules_text

    def legal_at(self, information_state: InformationState, seat: int) -> tuple[Action, ...]:
        return self._game.legal_at(information_state, seat)

    def payoff_state(self, state: State, seat: int) -> Hashable:
        assert isinstance(state, WrappedState)
        return self._game.payoff_state(state.inner, seat)

    def as_first_round(self, information_state: InformationState) -> InformationState:
        return self._game.as_first_round(information_state)

    def label(self, information_state: InformationState) -> str:
        return self._game.label(information_state)

    def event_template(self, event: Event) -> str:
        return self._game.event_template(event)

    def action_text(self, action: Action) -> str:
        return self._game.action_text(action)
