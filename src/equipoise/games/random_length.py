"""A game of rounds that ends after each of them with some probability: a geometric number of rounds, with a cap."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from equipoise.core import CHANCE, Action, Game, State
from equipoise.errors import UserError
from equipoise.games.wrapped import WrappedGame, WrappedState

_Phase = Literal["play", "between", "resumed", "over"]
"""`between`: chance decides now. `resumed`: it has just decided to play on. `over`: it has ended the game."""


@dataclass(frozen=True, slots=True)
class _RandomLengthState(WrappedState):
    stop: float
    phase: _Phase = "play"

    @property
    def players_to_move(self) -> tuple[int, ...]:
        if self.phase == "over":
            return ()
        return (CHANCE,) if self.phase == "between" else self.inner.players_to_move

    @property
    def rewards(self) -> tuple[float, ...]:
        """What the round paid is paid once: when it ends, and not again when chance has decided."""
        decided = self.phase in ("resumed", "over")
        return (0.0,) * len(self.inner.rewards) if decided else self.inner.rewards

    def legal_actions(self, seat: int) -> tuple[Action, ...]:
        return self.inner.legal_actions(seat) if self.phase in ("play", "resumed") else ()

    def chance_outcomes(self) -> tuple[tuple[Action, float], ...]:
        match self.phase:
            case "between":
                return ("play on", 1.0 - self.stop), ("stop", self.stop)
            case "over":
                return ()
        return self.inner.chance_outcomes()

    def child(self, actions: Mapping[int, Action]) -> State:
        if self.phase != "between":
            return self._went_on(self.inner.child(actions))
        outcome = actions[CHANCE]
        if outcome not in ("play on", "stop"):
            raise UserError(f"got {outcome!r} between two rounds; allowed: 'play on', 'stop'")
        return _RandomLengthState(self.inner, self.stop, "resumed" if outcome == "play on" else "over")

    def forfeit(self, seat: int) -> State:
        return self._went_on(self.inner.forfeit(seat))

    def _went_on(self, inner: State) -> State:
        ended = inner.round > self.inner.round and not inner.is_terminal
        return _RandomLengthState(inner, self.stop, "between" if ended else "play")


class RandomLength(WrappedGame):
    """`game`, which now ends after each round with probability `stop`; its own number of rounds is the most there are.

    The first round is always played, and `n` of them with probability `(1 - stop) ** (n - 1) * stop` where the cap does
    not come first. No player sees chance decide: the next round begins, or none does. The words are the game's own, so
    wrap a game whose words do not say how many rounds there are. An episode has a row of zero rewards for each round
    that was not played.

    Reference: an option of the authors' code of arXiv 2511.19405, there with a cap of 16 rounds.
    """

    def __init__(self, game: Game, stop: float) -> None:
        """Lets `game` end early.

        Args:
            game: What is played.
            stop: The probability that the game ends after a round, more than 0 and less than 1.

        Raises:
            ValueError: For any other `stop`.
        """
        if isinstance(stop, bool) or not isinstance(stop, int | float) or not 0 < stop < 1:
            raise UserError(f"got stop={stop!r}; allowed: a probability of more than 0 and less than 1")
        super().__init__(game)
        self.stop = float(stop)

    @property
    def parameters(self) -> dict[str, Any]:
        return {**super().parameters, "stop": self.stop}

    def initial_state(self) -> State:
        return _RandomLengthState(self._game.initial_state(), self.stop)

    def payoff_state(self, state: State, seat: int) -> Hashable:
        """The game's own, and what chance has still to decide; what was just paid does not matter any more."""
        assert isinstance(state, _RandomLengthState)
        return super().payoff_state(state, seat), "play" if state.phase == "resumed" else state.phase
