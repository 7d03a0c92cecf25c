"""Hands and coins: how hands are dealt, which one is the upper, what claims pay."""

from __future__ import annotations

from itertools import permutations, product
from typing import Literal

from equipoise.core import Action
from equipoise.games.proportional import proportional_shares
from equipoise.games.rounds import Two

Hands = Literal["random", "alternating"]
"""How hands are dealt: evenly, or with the upper hand on the other side every round."""

Pair = tuple[str, str]
"""The hands of both seats."""

Chances = tuple[tuple[Action, float], ...]

HANDS = ("rock", "paper", "scissors")
BEATS = {"rock": "scissors", "scissors": "paper", "paper": "rock"}
"""The hand that each hand beats."""
BEATEN_BY = {lower: upper for upper, lower in BEATS.items()}
"""The hand that beats each hand."""

COINS = 10
UPPER_VALUE, LOWER_VALUE = 10, 1
"""What a coin is worth to the player with the upper and with the lower hand, in points."""
BEST_JOINT = float(COINS * max(UPPER_VALUE, LOWER_VALUE))
"""The most both players together can be paid in a round: all coins to the upper hand."""


def upper_seat(hands: Pair) -> int:
    """The seat whose hand beats the other's."""
    return 0 if BEATS[hands[0]] == hands[1] else 1


def values_of(hands: Pair) -> tuple[int, int]:
    """What a coin is worth to each seat, in points."""
    return (UPPER_VALUE, LOWER_VALUE) if upper_seat(hands) == 0 else (LOWER_VALUE, UPPER_VALUE)


def pay(hands: Pair, claims: tuple[int, int]) -> Two:
    """What a round pays each seat, in points: its share of the coins times their value to it."""
    shares, values = proportional_shares(COINS, claims), values_of(hands)
    return shares[0] * values[0], shares[1] * values[1]


def forfeit_pay(hands: Pair, seat: int) -> Two:
    """What a round pays each seat when `seat` forfeits it, in points: the other gets all coins."""
    value = float(COINS * values_of(hands)[1 - seat])
    return (0.0, value) if seat == 0 else (value, 0.0)


_PAIRS: tuple[Pair, ...] = tuple(permutations(HANDS, 2))
_CLAIMS = range(COINS + 1)

PAYS: tuple[float, ...] = (
    *(points for hands in _PAIRS for claims in product(_CLAIMS, _CLAIMS) for points in pay(hands, claims)),
    *(points for hands in _PAIRS for seat in (0, 1) for points in forfeit_pay(hands, seat)),
)
"""All that a round can pay a player."""


def _evenly(pairs: tuple[Pair, ...]) -> Chances:
    return tuple((pair, 1 / len(pairs)) for pair in pairs)


_DEALS: dict[int | None, Chances] = {
    None: _evenly(_PAIRS),
    **{seat: _evenly(tuple(pair for pair in _PAIRS if upper_seat(pair) == seat)) for seat in (0, 1)},
}


def deals(upper: int | None) -> Chances:
    """The hands that chance may deal, with probabilities, to the seat that must have the upper one (None: either)."""
    return _DEALS[upper]
