"""What scripted bargainers keep of what they have seen.

Each function here is a sufficient statistic: what a script does depends on it alone, and after equal events it stays
equal. Scripts that ignore their values leave them out, so that dynamic programming can merge the deals. Rounds that a
player forfeited were not played and leave every memory as it was; only a player that watches the clock counts them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

from equipoise.core import InformationState
from equipoise.games.bargaining.deal import Triple, fits, pool_of, values_of
from equipoise.games.history import last_value, played_moves

Memory = Callable[[InformationState], Hashable]
Pair = tuple[Triple, Triple]
"""(own, other's) demand of one round."""


def played(information_state: InformationState) -> list[Pair]:
    """(own, other's) demand of every round that was played, oldest first."""
    return [(own, other) for own, other in played_moves(information_state)]


def breakdowns_so_far(information_state: InformationState) -> int:
    """How many of the rounds played had demands that did not fit."""
    pool = pool_of(information_state)
    return sum(pool is not None and not fits(pool, pair) for pair in played(information_state))


def pool_alone(information_state: InformationState) -> tuple[Triple | None]:
    """(pool,)."""
    return (pool_of(information_state),)


def deal_alone(information_state: InformationState) -> tuple[Triple | None, Triple | None]:
    """(pool, own values)."""
    return pool_of(information_state), values_of(information_state)


def deal_and_breakdown(information_state: InformationState) -> tuple[Triple | None, Triple | None, int]:
    """(pool, own values, 1 if any round broke down, else 0)."""
    return (*deal_alone(information_state), min(breakdowns_so_far(information_state), 1))


def deal_and_breakdowns(information_state: InformationState) -> tuple[Triple | None, Triple | None, int]:
    """(pool, own values, rounds that broke down, at most 2)."""
    return (*deal_alone(information_state), min(breakdowns_so_far(information_state), 2))


def deal_and_last_round(information_state: InformationState) -> tuple[Triple | None, Triple | None, Pair | None]:
    """(pool, own values, both demands of the newest round or None)."""
    rounds = played(information_state)
    return (*deal_alone(information_state), rounds[-1] if rounds else None)


def pool_and_last_of_other(information_state: InformationState) -> tuple[Triple | None, Triple | None]:
    """(pool, the other's demand in the newest round or None)."""
    rounds = played(information_state)
    return pool_of(information_state), rounds[-1][1] if rounds else None


def pool_and_last_round_ahead(information_state: InformationState) -> tuple[Triple | None, int]:
    """(pool, rounds still to come after this one)."""
    if not any(event.kind == "round" for event in information_state):
        return pool_of(information_state), -1  # still being dealt
    number, rounds = last_value(information_state, "round")
    return pool_of(information_state), rounds - number
