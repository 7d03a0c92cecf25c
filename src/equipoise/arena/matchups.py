"""Who meets whom, in which seats, on which deals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from equipoise.core import CHANCE, Game, State

MOST_DEALS = 10_000_000
"""More than any interval needs; what is beyond it is a slip that no memory holds."""


@dataclass(frozen=True, slots=True)
class Match:
    """One episode to play.

    Attributes:
        seats: Policy name per seat.
        deal: Matches that share it get the same cards (chance); they are one cluster in every interval.
        start: Where play starts; None is the game's root.
    """

    seats: tuple[str, ...]
    deal: int
    start: State | None = None


def enumerated_deals(game: Game) -> list[tuple[State, float]]:
    """Every state after the opening chance moves, with its probability: all deals of a one-round game."""
    deals, frontier = [], [(game.initial_state(), 1.0)]
    while frontier:
        state, probability = frontier.pop(0)
        if state.is_chance:
            frontier += [(state.child({CHANCE: o}), probability * p) for o, p in state.chance_outcomes()]
        else:
            deals.append((state, probability))
    return deals


def against(
    agent: str, opponents: Sequence[str], deals: Sequence[State | None], repeats: int = 1, *, players: int = 2
) -> list[Match]:
    """Matches of `agent` in every seat against each opponent on each deal, `repeats` times.

    Matches of one (opponent, seat, deal) are adjacent: they are the group a baseline is taken over. Where a game has
    more than two `players`, the opponent takes all other seats.
    """
    matches = []
    for opponent in opponents:
        for seat in range(players):
            seats = tuple(agent if other == seat else opponent for other in range(players))
            for deal, start in enumerate(deals):
                matches += [Match(seats, deal, start)] * repeats
    return matches
