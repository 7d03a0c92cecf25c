"""Arithmetic of claims and values: what two claims pay, what is best for both, what leaves the other its due."""

from __future__ import annotations

from itertools import product
from typing import cast

from equipoise.core import Action
from equipoise.games.proportional import proportional_shares

Triple = tuple[int, int, int]
"""One number per item: units claimed, or values."""

Values = tuple[Triple, Triple]
"""The values of both players, in points per unit."""

ITEMS = ("hats", "books", "balls")
STOCK = 10
"""Units of each item."""

EVERYTHING: Triple = (STOCK, STOCK, STOCK)
HALF: Triple = (STOCK // 2, STOCK // 2, STOCK // 2)


class Claims(tuple[Action, ...]):
    """The claims of the game as a tuple that knows its hash and answers `in` at once.

    The legal actions of a decision are part of a dictionary key several times. A plain tuple of 1,331 claims takes 20
    microseconds to hash and up to 20 to find a claim in; this one takes 0.1 for either.
    """

    def __init__(self, claims: tuple[Action, ...]) -> None:
        """Args: claims: The actions, in order."""
        self._hash = tuple.__hash__(self)
        self._members = frozenset(claims)

    def __hash__(self) -> int:
        return self._hash

    def __contains__(self, claim: object) -> bool:
        return claim in self._members


CLAIMS = Claims(tuple(product(range(STOCK + 1), repeat=len(ITEMS))))
"""Every claim, in the order of the game's actions: one object for all states."""


def worth(units: tuple[float, ...], values: Triple) -> float:
    """What units of each item are worth to a player with these values, in points."""
    return sum(number * value for number, value in zip(units, values, strict=True))


def pays(claims: tuple[Triple, Triple], values: Values) -> tuple[float, float]:
    """What both players are paid for two claims, in points, not rounded."""
    first, second = zip(*(proportional_shares(STOCK, pair) for pair in zip(*claims, strict=True)), strict=True)
    return worth(first, values[0]), worth(second, values[1])


def best_joint(values: Values) -> int:
    """The most that both players together can be paid: each unit goes to whom it is worth more, in points."""
    return STOCK * sum(max(pair) for pair in zip(*values, strict=True))


def welfare_claim(own: Triple, other: Triple) -> Triple:
    """All units of the items the player values more than the other does, half of ties, none of the rest.

    Two such claims never exceed the stock and are paid `best_joint` together.
    """
    first, second, third = (STOCK if a > b else STOCK // 2 if a == b else 0 for a, b in zip(own, other, strict=True))
    return first, second, third


def claims_valued(claim: Triple, own: Triple, other: Triple, *, more: bool) -> list[int]:
    """The units claimed of each item that the player values more (or less) than the other does."""
    return [units for units, a, b in zip(claim, own, other, strict=True) if (a > b if more else a < b)]


def is_greedy(claim: Triple, own: Triple, other: Triple) -> bool:
    """Whether a claim asks for any unit of an item that the player values less than the other does."""
    return any(claims_valued(claim, own, other, more=False))


def words(numbers: Triple) -> str:
    """Three numbers as they are written and read."""
    return f"{numbers[0]} {numbers[1]} {numbers[2]}"


WORDS: dict[Action, str] = {claim: words(cast(Triple, claim)) for claim in CLAIMS}
"""The words of every claim."""
