"""Reads the history of a game whose players move at the same time, for scripts and hazards.

Such a game opens every information state with `Event("seat", seat)`, which has no words: it tells a script which seat
it holds. Each round then shows the player's own move, the other player's move, or the forfeit of one of them.
"""

from __future__ import annotations

from typing import Any

from equipoise.core import Episode, Event, InformationState
from equipoise.errors import UserError

Pair = tuple[Any, Any]
"""(own move, other's move) of one round; None for a move that was not made or not seen because a player forfeited."""


def own_seat(information_state: InformationState) -> int:
    """The seat whose information state this is.

    Raises:
        ValueError: For a state that does not open with its seat.
    """
    first = information_state[0] if information_state else None
    if first is None or first.kind != "seat" or first.player is None:
        raise UserError(f"an information state of this game opens with its seat; got {first}")
    return first.player


def joint_moves(information_state: InformationState) -> list[Pair]:
    """(own, other's) move of every finished round of a two-player game, oldest first."""
    seat = own_seat(information_state)
    rounds: list[Pair] = []
    own: Event | None = None
    for event in information_state:
        if event.kind == "act" and event.player == seat:
            own = event
        elif event.kind == "act":
            rounds.append((own.value if own is not None else None, event.value))
            own = None
        elif event.kind == "forfeit":
            rounds.append((None, None))
            own = None
    return rounds


def played_moves(information_state: InformationState) -> list[Pair]:
    """(own, other's) move of every finished round that nobody forfeited, oldest first."""
    return [pair for pair in joint_moves(information_state) if None not in pair]


def last_value(information_state: InformationState, kind: str) -> Any:
    """The value of the newest event of a kind.

    Raises:
        ValueError: When no such event was seen.
    """
    for event in reversed(information_state):
        if event.kind == kind:
            return event.value
    raise UserError(f"no event {kind!r} in {information_state}")


def moves_of(episode: Episode, seat: int) -> list[Pair]:
    """(own, other's) move of every round of a two-player episode, [R]; (None, None) where a player forfeited.

    When both move at once and one of them forfeits, the other's choice is on the record but was never played, so it is
    left out here.
    """
    rounds: list[list[Any]] = [[None, None] for _ in episode.rewards]
    for decision in episode.decisions:
        rounds[decision.round][decision.seat != seat] = decision.action
    return [(None, None) if None in (own, other) else (own, other) for own, other in rounds]
