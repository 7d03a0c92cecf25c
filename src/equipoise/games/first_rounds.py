"""The first rounds of a longer game, as a game of its own: small enough to solve where the whole is not."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from equipoise.core import Action, Event, Game, InformationState, State


@dataclass(frozen=True, slots=True)
class _FirstRoundsState(State):
    inner: State
    rounds: int

    @property
    def players_to_move(self) -> tuple[int, ...]:
        return self.inner.players_to_move if self.inner.round < self.rounds else ()

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
        return self.inner.legal_actions(seat) if self.players_to_move else ()

    def information_state(self, seat: int) -> InformationState:
        return self.inner.information_state(seat)

    def chance_outcomes(self) -> tuple[tuple[Action, float], ...]:
        return self.inner.chance_outcomes()

    def child(self, actions: Mapping[int, Action]) -> State:
        return _FirstRoundsState(self.inner.child(actions), self.rounds)

    def forfeit(self, seat: int) -> State:
        return _FirstRoundsState(self.inner.forfeit(seat), self.rounds)


class FirstRounds(Game):
    """`game` cut off after its first rounds: same words, same information states, fewer rewards."""

    def __init__(self, game: Game, rounds: int = 1) -> None:
        """Cuts `game` after `rounds` rounds.

        Raises:
            ValueError: Unless 1 <= rounds <= the game's own.
        """
        if not 1 <= rounds <= game.num_rounds:
            raise ValueError(f"got rounds={rounds}; {game.name} has {game.num_rounds}; allowed: 1 to that")
        self._game = game
        self.answer = game.answer
        self.name = game.name
        self.num_players = game.num_players
        self.num_rounds = rounds
        self.max_reward, self.min_reward = game.max_reward, game.min_reward
        self.zero_sum, self.unit, self.max_slots = game.zero_sum, game.unit, game.max_slots

    def initial_state(self) -> State:
        return _FirstRoundsState(self._game.initial_state(), self.num_rounds)

    @property
    def actions(self) -> tuple[Action, ...]:
        return self._game.actions

    @property
    def rules_text(self) -> str:
        return self._game.rules_text

    def legal_at(self, information_state: InformationState, seat: int) -> tuple[Action, ...]:
        return self._game.legal_at(information_state, seat)

    def as_first_round(self, information_state: InformationState) -> InformationState:
        return self._game.as_first_round(information_state)

    def payoff_state(self, state: State, seat: int) -> Hashable:
        assert isinstance(state, _FirstRoundsState)
        return self._game.payoff_state(state.inner, seat), state.is_terminal

    @property
    def parameters(self) -> dict[str, Any]:
        return self._game.parameters

    def label(self, information_state: InformationState) -> str:
        return self._game.label(information_state)

    def event_template(self, event: Event) -> str:
        return self._game.event_template(event)

    def action_text(self, action: Action) -> str:
        return self._game.action_text(action)
