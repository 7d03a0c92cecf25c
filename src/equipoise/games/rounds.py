"""What two-player games of a fixed number of rounds share: who moves, what each seat has seen, what it was paid."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from equipoise.core import Action, Event, Game, InformationState, State
from equipoise.errors import UserError

MOST_ROUNDS = 100

Two = tuple[float, float]
"""One figure per seat."""

Seen = tuple[InformationState, InformationState]
"""The events each seat sees."""


@lru_cache
def announced(round_: int, rounds: int) -> InformationState:
    """The event that opens a round, counted from 0; nothing after the last."""
    return () if round_ == rounds else (Event("round", None, (round_ + 1, rounds)),)


def after(events: Seen, seen: Seen, header: InformationState = ()) -> Seen:
    """What each seat has seen once both have also seen `seen`, each its own, and then the same `header`."""
    return events[0] + seen[0] + header, events[1] + seen[1] + header


def moved(moves: tuple[Action, Action], paid: tuple[int, int]) -> Seen:
    """What each seat sees of moves made at once: its own, the other's, its pay; `games.history` reads them so."""
    acts = Event("act", 0, moves[0]), Event("act", 1, moves[1])
    return (*acts, Event("paid", 0, paid[0])), (*acts[::-1], Event("paid", 1, paid[1]))


def forfeited(seat: int, paid: tuple[int, int]) -> Seen:
    """What each seat sees of a round that one of them forfeited: no move, and its own pay."""
    forfeit = Event("forfeit", seat)
    return (forfeit, Event("paid", 0, paid[0])), (forfeit, Event("paid", 1, paid[1]))


def total(returns: Two, rewards: Two) -> Two:
    """Returns once `rewards` are added."""
    return returns[0] + rewards[0], returns[1] + rewards[1]


@dataclass(frozen=True, slots=True)
class RoundsState(State):
    """One point of the game; both seats move at once unless a game says otherwise.

    Attributes:
        rounds: How many there are.
        finished: How many are over.
        events: What each seat has seen.
        rewards: What the last round paid.
        returns: What all rounds paid so far.
    """

    rounds: int
    finished: int
    events: Seen
    rewards: Two = (0.0, 0.0)
    returns: Two = (0.0, 0.0)

    @property
    def round(self) -> int:
        return self.finished

    @property
    def players_to_move(self) -> tuple[int, ...]:
        return (0, 1) if self.finished < self.rounds else ()

    def information_state(self, seat: int) -> InformationState:
        return self.events[seat]

    def chance_outcomes(self) -> tuple[tuple[Action, float], ...]:
        return ()


class RoundsGame(Game):
    """A game of a number of rounds that its user chooses."""

    unit = "points per round"

    def __init__(self, rounds: int) -> None:
        """Args: rounds: Rounds per episode, 1 to 100."""
        if type(rounds) is not int or not 1 <= rounds <= MOST_ROUNDS:
            raise UserError(f"got rounds={rounds!r}; allowed: a whole number from 1 to {MOST_ROUNDS}")
        self.num_rounds = rounds

    @property
    def parameters(self) -> dict[str, Any]:
        return {"rounds": self.num_rounds}

    @property
    def length(self) -> str:
        """How many rounds there are, in words."""
        return f"{self.num_rounds} round{'' if self.num_rounds == 1 else 's'}"

    def action_text(self, action: Action) -> str:
        return str(action)

    def event_template(self, event: Event) -> str:
        """The sentences that these games share; a game says its own first, and asks here for all others."""
        match event.kind:
            case "seat":
                return ""
            case "round":
                return f"Round {event.value[0]} of {event.value[1]}."
            case "paid":
                return f"{{Player}} {{gets|get}} {event.value:g} point{'' if event.value == 1 else 's'}."
            case "forfeit":
                return "{Player} {forfeits|forfeit} the round."
        raise UserError(f"{self.name} has no event {event.kind!r}")
