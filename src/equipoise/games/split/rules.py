"""Splitting a pie over a fixed number of rounds (SEPO's first negotiation: four rounds).

Each round both players demand 1 to 9 of the 10 points of a new pie at once (Nash 1953, the demand game). Demands that
sum to 10 or less are paid as they are and what nobody demanded is lost; else both get nothing. In one round exactly the
nine pairs that sum to 10 are equilibria, from 1 and 9 to 9 and 1, so the question is who gives way to whom.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

from equipoise.core import Action, Event, InformationState, State
from equipoise.errors import UserError
from equipoise.games.history import joint_moves
from equipoise.games.rounds import RoundsGame, RoundsState, Seen, Two, after, announced, forfeited, moved, total

PIE = 10
DEMANDS: tuple[int, ...] = tuple(range(1, PIE))


def fits(demands: tuple[int, int]) -> bool:
    """Whether the pie covers both demands."""
    return sum(demands) <= PIE


def pay(demands: tuple[int, int]) -> Two:
    """What a round pays each seat for the demands of both, [2], in points."""
    return (float(demands[0]), float(demands[1])) if fits(demands) else (0.0, 0.0)


_PAYS = [reward for a, b in product(DEMANDS, repeat=2) for reward in pay((a, b))]


@lru_cache
def _played(demands: tuple[int, int]) -> tuple[Two, Seen]:
    """What a round pays, and the events by which each seat sees it."""
    rewards = pay(demands)
    return rewards, moved(demands, (int(rewards[0]), int(rewards[1])))


@dataclass(frozen=True, slots=True)
class SplitState(RoundsState):
    """One point of the repeated game."""

    def legal_actions(self, seat: int) -> tuple[Action, ...]:
        return DEMANDS if seat in self.players_to_move else ()

    def child(self, actions: Mapping[int, Action]) -> SplitState:
        first, second = actions[0], actions[1]
        for demand in (first, second):
            if demand not in DEMANDS:
                raise UserError(f"illegal demand {demand!r}; allowed: a whole number from 1 to {PIE - 1}")
        assert isinstance(first, int)
        assert isinstance(second, int)
        return self._after(*_played((first, second)))

    def forfeit(self, seat: int) -> SplitState:
        """A round without a demand of one player has no deal: both get nothing, as in a breakdown."""
        return self._after((0.0, 0.0), forfeited(seat, (0, 0)))

    def _after(self, rewards: Two, seen: Seen) -> SplitState:
        finished = self.finished + 1
        events = after(self.events, seen, announced(finished, self.rounds))
        return SplitState(self.rounds, finished, events, rewards, total(self.returns, rewards))


class Split(RoundsGame):
    """The repeated demand game over a pie of 10 points."""

    name = "split"
    max_reward = max(_PAYS)
    min_reward = min(_PAYS)
    answer = "one number"

    def __init__(self, rounds: int = 4) -> None:
        """Args: rounds: Rounds per episode, 1 to 100."""
        super().__init__(rounds)

    def initial_state(self) -> SplitState:
        first, second = ((Event("seat", seat), *announced(0, self.num_rounds)) for seat in (0, 1))
        return SplitState(self.num_rounds, 0, (first, second))

    @property
    def actions(self) -> tuple[Action, ...]:
        return DEMANDS

    def legal_at(self, information_state: InformationState, seat: int) -> tuple[Action, ...]:
        return DEMANDS

    def payoff_state(self, state: State, seat: int) -> int:
        """The round alone: pay depends on nothing that was played before."""
        return state.round

    def as_first_round(self, information_state: InformationState) -> InformationState:
        return (information_state[0], *announced(0, self.num_rounds))

    def label(self, information_state: InformationState) -> str:
        pairs = [f"{own or '-'}:{other or '-'}" for own, other in joint_moves(information_state)]
        return f"after {' '.join(pairs)}" if pairs else "first round"

    @property
    def rules_text(self) -> str:
        return (
            f"Game: splitting {PIE} points between two players, {self.length}. "
            f"Each round both demand at once: 1 to {PIE - 1} points. "
            f"If the demands sum to {PIE} or less, each player gets what it demands. Else both get 0 points. "
            "Win as many points as possible."
        )

    def event_template(self, event: Event) -> str:
        if event.kind == "act":
            return f"{{Player}} {{demands|demand}} {event.value}."
        return super().event_template(event)
