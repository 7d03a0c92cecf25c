"""How the values of a round are drawn.

one_or_ten      each value is 1 or 10; both players' values sum to the same, and at least one item differs. That
                leaves 12 equally likely pairs, and in each of them one item that each player values more than the other
                does and one that both value alike.
one_to_twenty   whole numbers from 1 to 20 under the same two conditions, every pair that meets them equally likely.
                Chance draws one number after the other (at most 20 outcomes a node), the first player's values first.
exclusive       each item is worth 10 to one player and 1 to the other. With three items the sums cannot be equal (one
                player has 21, the other 12), so all that is asked is that each player is the one for at least one item:
                6 equally likely pairs, in which both players come off alike on average.

Reference: arXiv 2511.19405 plays one_or_ten; the others are options of its authors' code. Their rule for exclusive
values is not known to us; the one above is ours.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from itertools import product
from typing import Literal, cast, get_args

from equipoise.core import Action
from equipoise.games.split_items.claims import ITEMS, Triple, Values

ValueRule = Literal["one_or_ten", "one_to_twenty", "exclusive"]
VALUE_RULES: tuple[ValueRule, ...] = get_args(ValueRule)

Outcomes = tuple[tuple[Action, float], ...]
Drawn = tuple[Action, ...]
"""What chance has drawn in a round so far."""

LOW, HIGH, LARGEST = 1, 10, 20

_TRIPLES = cast(list[Triple], list(product((LOW, HIGH), repeat=len(ITEMS))))
_ONE_OR_TEN: list[Values] = [(a, b) for a, b in product(_TRIPLES, _TRIPLES) if sum(a) == sum(b) and a != b]
_EXCLUSIVE: list[Values] = [
    (a, b) for a, b in product(_TRIPLES, _TRIPLES) if all(map(int.__ne__, a, b)) and LOW in a and HIGH in a
]
_NUMBERS = range(1, LARGEST + 1)
_WAYS = [Counter(map(sum, product(_NUMBERS, repeat=length))) for length in range(len(ITEMS) + 1)]
"""How many sequences of so many numbers have each sum."""


@lru_cache(maxsize=10_000)
def outcomes(rule: ValueRule, drawn: Drawn) -> Outcomes:
    """What chance may draw next, with probabilities, after what it has drawn."""
    if rule == "one_to_twenty":
        return _next_number(cast(tuple[int, ...], drawn))
    pairs = _ONE_OR_TEN if rule == "one_or_ten" else _EXCLUSIVE
    return tuple((pair, 1 / len(pairs)) for pair in pairs)


def dealt(rule: ValueRule, drawn: Drawn) -> Values | None:
    """Both players' values once what chance has drawn settles them; else None."""
    if rule != "one_to_twenty":
        return cast(Values, drawn[0])
    if len(drawn) < 2 * len(ITEMS) - 1:
        return None
    numbers = cast(tuple[int, ...], drawn)
    a, b, c, d, e = numbers
    return (a, b, c), (d, e, a + b + c - d - e)


def largest_sum(rule: ValueRule) -> int:
    """The largest sum that a player's values can have."""
    if rule == "one_to_twenty":
        return max(total for total, ways in _WAYS[-1].items() if ways > 1)
    return max(sum(a) for a, _ in (_ONE_OR_TEN if rule == "one_or_ten" else _EXCLUSIVE))


def described(rule: ValueRule) -> str:
    """What the rules say about values."""
    match rule:
        case "one_or_ten":
            return f"Each value is {LOW} or {HIGH}, and both players' values have the same sum."
        case "one_to_twenty":
            return f"Each value is {_NUMBERS[0]} to {LARGEST}, and both players' values have the same sum."
        case "exclusive":
            return f"Each item is worth {HIGH} to one player and {LOW} to the other."


def _next_number(drawn: tuple[int, ...]) -> Outcomes:
    size = len(ITEMS)
    if len(drawn) < size:
        weights = {number: _partners((*drawn, number)) for number in _NUMBERS}
    else:
        weights = {number: _completions(drawn[:size], (*drawn[size:], number)) for number in _NUMBERS}
    whole = sum(weights.values())
    return tuple((number, weight / whole) for number, weight in weights.items() if weight)


def _partners(start: tuple[int, ...]) -> int:
    """How many pairs of values meet the conditions and have a first player's that start so."""
    left = _WAYS[len(ITEMS) - len(start)]
    return sum(ways * (_WAYS[-1][sum(start) + rest] - 1) for rest, ways in left.items())


def _completions(first: tuple[int, ...], start: tuple[int, ...]) -> int:
    """How many values of the second player start so, have the first player's sum and differ from them."""
    ways = _WAYS[len(ITEMS) - len(start)][sum(first) - sum(start)]
    return ways - (first[: len(start)] == start)
