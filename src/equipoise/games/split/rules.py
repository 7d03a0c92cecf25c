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
from typing import Any

from equipoise.core import Action, Event, Game, InformationState, State
from equipoise.games.history import joint_moves

Two = tuple[float, float]

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
def _played(demands: tuple[int, int]) -> tuple[Two, tuple[InformationState, InformationState]]:
    """What a round pays, and the events by which each seat sees it."""
    rewards = pay(demands)
    acts = [Event("act", seat, demands[seat]) for seat in (0, 1)]
    paid = [Event("paid", seat, int(rewards[seat])) for seat in (0, 1)]
    return rewards, ((acts[0], acts[1], paid[0]), (acts[1], acts[0], paid[1]))


@lru_cache
def _announced(round_: int, rounds: int) -> InformationState:
    """The event that opens a round; nothing after the last."""
    return () if round_ == rounds else (Event("round", None, (round_ + 1, rounds)),)


@dataclass(frozen=True, slots=True)
class SplitState(State):
    """One point of the repeated game: the round, what the last one paid, and what each seat has seen."""

    rounds: int
    played: int
    events: tuple[InformationState, InformationState]
    rewards: Two = (0.0, 0.0)
    returns: Two = (0.0, 0.0)

    @property
    def round(self) -> int:
        return self.played

    @property
    def players_to_move(self) -> tuple[int, ...]:
        return (0, 1) if self.played < self.rounds else ()

    def legal_actions(self, seat: int) -> tuple[Action, ...]:
        return DEMANDS if seat in self.players_to_move else ()

    def information_state(self, seat: int) -> InformationState:
        return self.events[seat]

    def chance_outcomes(self) -> tuple[tuple[Action, float], ...]:
        return ()

    def child(self, actions: Mapping[int, Action]) -> SplitState:
        first, second = actions[0], actions[1]
        for demand in (first, second):
            if demand not in DEMANDS:
                raise ValueError(f"illegal demand {demand!r}; allowed: a whole number from 1 to {PIE - 1}")
        assert isinstance(first, int)
        assert isinstance(second, int)
        return self._after(*_played((first, second)))

    def forfeit(self, seat: int) -> SplitState:
        """A round without a demand of one player has no deal: both get nothing, as in a breakdown."""
        forfeit = Event("forfeit", seat)
        return self._after((0.0, 0.0), ((forfeit, Event("paid", 0, 0)), (forfeit, Event("paid", 1, 0))))

    def _after(self, rewards: Two, seen: tuple[InformationState, InformationState]) -> SplitState:
        header = _announced(self.played + 1, self.rounds)
        events = (self.events[0] + seen[0] + header, self.events[1] + seen[1] + header)
        returns = (self.returns[0] + rewards[0], self.returns[1] + rewards[1])
        return SplitState(self.rounds, self.played + 1, events, rewards, returns)


class Split(Game):
    """The repeated demand game over a pie of 10 points."""

    name = "split"
    max_reward = max(_PAYS)
    min_reward = min(_PAYS)
    unit = "points per round"
    answer = "one number"

    def __init__(self, rounds: int = 4) -> None:
        """Args: rounds: Rounds per episode, 1 to 100."""
        if type(rounds) is not int or not 1 <= rounds <= 100:
            raise ValueError(f"got rounds={rounds!r}; allowed: a whole number from 1 to 100")
        self.num_rounds = rounds

    @property
    def parameters(self) -> dict[str, Any]:
        return {"rounds": self.num_rounds}

    def initial_state(self) -> SplitState:
        first, second = ((Event("seat", seat), *_announced(0, self.num_rounds)) for seat in (0, 1))
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
        return (information_state[0], *_announced(0, self.num_rounds))

    def label(self, information_state: InformationState) -> str:
        pairs = [f"{own or '-'}:{other or '-'}" for own, other in joint_moves(information_state)]
        return f"after {' '.join(pairs)}" if pairs else "first round"

    def action_text(self, action: Action) -> str:
        return str(action)

    @property
    def rules_text(self) -> str:
        length = f"{self.num_rounds} round{'' if self.num_rounds == 1 else 's'}"
        return (
            f"Game: splitting {PIE} points between two players, {length}. "
            f"Each round both demand at once: 1 to {PIE - 1} points. "
            f"If the demands sum to {PIE} or less, each player gets what it demands. Else both get 0 points. "
            "Win as many points as possible."
        )

    def event_template(self, event: Event) -> str:
        match event.kind:
            case "seat":
                return ""
            case "round":
                return f"Round {event.value[0]} of {event.value[1]}."
            case "act":
                return f"{{Player}} {{demands|demand}} {event.value}."
            case "paid":
                return f"{{Player}} {{gets|get}} {event.value} point{'' if event.value == 1 else 's'}."
            case "forfeit":
                return "{Player} {forfeits|forfeit} the round."
        raise ValueError(f"split has no event {event.kind!r}")
