"""Arithmetic of pools, values and demands: what fits, what it is worth, what half of it is."""

from __future__ import annotations

from functools import lru_cache
from itertools import product

from equipoise.core import Action, InformationState

Triple = tuple[int, int, int]
"""One number per item: units of a pool or a demand, or values."""

ITEMS = ("books", "hats", "balls")
MOST = 4
"""The most units of one item in a pool."""

TOTAL_VALUE = 10

POOLS: tuple[Triple, ...] = tuple((a, b, c) for a, b, c in product(range(1, MOST + 1), repeat=3))
VALUES: tuple[Triple, ...] = tuple(
    (a, b, TOTAL_VALUE - a - b) for a, b in product(range(1, TOTAL_VALUE - 1), repeat=2) if a + b < TOTAL_VALUE
)


@lru_cache
def demands_within(pool: Triple) -> tuple[Action, ...]:
    """Every demand that a pool allows one player, in the order of the game's actions."""
    return tuple(product(*(range(units + 1) for units in pool)))


def worth(units: Triple, values: Triple) -> int:
    """What units of each item are worth to a player with these values, in points."""
    return units[0] * values[0] + units[1] * values[1] + units[2] * values[2]


def fits(pool: Triple, demands: tuple[Triple, Triple]) -> bool:
    """Whether every item of the pool covers both demands."""
    return all(one + other <= units for units, one, other in zip(pool, *demands, strict=True))


@lru_cache(maxsize=100_000)
def largest_welfare(pool: Triple, first: Triple, second: Triple) -> int:
    """The most both players together can get of a pool: each unit goes to whom it is worth more, in points."""
    return sum(units * max(a, b) for units, a, b in zip(pool, first, second, strict=True))


def half_of_units(pool: Triple) -> int:
    """Half of the units of a pool, rounded up: what a player can demand and still leave the other its share.

    A player does not know the other's values. Before any demand each item is worth the same to the other in
    expectation, so the share of the units that is left is the share of the worth that is left.
    """
    return -(-sum(pool) // 2)


def pool_of(information_state: InformationState) -> Triple | None:
    """The pool a player has seen; None before it is dealt."""
    return _dealt(information_state, "pool")


def values_of(information_state: InformationState) -> Triple | None:
    """A player's own values; None before they are dealt."""
    return _dealt(information_state, "values")


def _dealt(information_state: InformationState, kind: str) -> Triple | None:
    for event in information_state[:3]:  # the seat, the pool and the values come first
        if event.kind == kind:
            dealt: Triple = event.value
            return dealt
    return None
