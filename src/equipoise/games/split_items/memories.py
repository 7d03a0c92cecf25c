"""What scripted players of split_items keep of what they have seen.

Each function here is a sufficient statistic: what a script does depends on it alone, and after equal events it stays
equal. Scripts that look at values keep those of the round. Rounds that a player forfeited were not played and leave
every memory as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from equipoise.core import InformationState
from equipoise.games.history import own_seat
from equipoise.games.split_items.claims import STOCK, Triple, Values, claims_valued, is_greedy
from equipoise.games.split_items.rules import values_of

Memory = Callable[[InformationState], tuple[Any, ...]]


class Round(NamedTuple):
    """A round that was played, as one player sees it."""

    own_values: Triple
    other_values: Triple
    own: Triple
    other: Triple

    @property
    def own_greedy(self) -> bool:
        """Whether the player asked for any of what is worth more to the other."""
        return is_greedy(self.own, self.own_values, self.other_values)

    @property
    def other_greedy(self) -> bool:
        """Whether the other asked for any of what is worth more to the player."""
        return is_greedy(self.other, self.other_values, self.own_values)


def played(information_state: InformationState) -> list[Round]:
    """Every round that was played, oldest first."""
    seat = own_seat(information_state)
    rounds: list[Round] = []
    values: dict[int | None, Triple] = {}
    own: Triple | None = None
    for event in information_state:
        if event.kind == "values":
            values[event.player] = event.value
        elif event.kind == "act" and event.player == seat:
            own = event.value
        elif event.kind == "act":
            assert own is not None
            rounds.append(Round(values[seat], values[1 - seat], own, event.value))
    return rounds


def nothing(information_state: InformationState) -> tuple[()]:
    """No memory at all."""
    return ()


def values(information_state: InformationState) -> tuple[Values | None]:
    """(values of the round,)."""
    return (values_of(information_state),)


def values_and_last_of_other(information_state: InformationState) -> tuple[Values | None, bool | None]:
    """(values of the round, whether the other was greedy in the newest round played; None before the first)."""
    rounds = played(information_state)
    return values_of(information_state), rounds[-1].other_greedy if rounds else None


def values_and_last_own(information_state: InformationState) -> tuple[Values | None, bool | None]:
    """(values of the round, whether the player itself was greedy in the newest round played)."""
    rounds = played(information_state)
    return values_of(information_state), rounds[-1].own_greedy if rounds else None


def values_and_last_of_both(information_state: InformationState) -> tuple[Values | None, bool | None]:
    """(values of the round, whether both were greedy or neither was in the newest round played)."""
    rounds = played(information_state)
    return values_of(information_state), rounds[-1].own_greedy == rounds[-1].other_greedy if rounds else None


def values_and_grudge(information_state: InformationState) -> tuple[Values | None, bool]:
    """(values of the round, whether the other was greedy in any round)."""
    return values_of(information_state), any(round_.other_greedy for round_ in played(information_state))


def values_and_last_two_of_other(information_state: InformationState) -> tuple[Values | None, tuple[bool, ...]]:
    """(values of the round, whether the other was greedy in the newest two rounds, or in the one there is)."""
    return values_of(information_state), tuple(round_.other_greedy for round_ in played(information_state)[-2:])


def values_and_measure(information_state: InformationState) -> tuple[Values | None, int]:
    """(values of the round, units the other last claimed of an item worth less to it, on average, rounded up)."""
    rounds = played(information_state)
    if not rounds:
        return values_of(information_state), 0
    last = rounds[-1]
    taken = claims_valued(last.other, last.other_values, last.own_values, more=False)
    return values_of(information_state), min(STOCK, -(-sum(taken) // len(taken)))
