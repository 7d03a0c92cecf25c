"""What scripted bargainers demand, as functions of pools, values and earlier demands."""

from __future__ import annotations

from equipoise.games.bargaining.deal import TOTAL_VALUE, Triple, fits, half_of_units

Pair = tuple[Triple, Triple]


def by_value(values: Triple) -> list[int]:
    """The items from the most to the least valued; earlier items first among equals."""
    return sorted(range(3), key=lambda item: -values[item])


def half_down(pool: Triple) -> Triple:
    """Half of each item, rounded down: two such demands always fit."""
    return pool[0] // 2, pool[1] // 2, pool[2] // 2


def rounded_up(pool: Triple, values: Triple) -> int | None:
    """The item of which a fair player takes the odd unit: the one, if any, that holds half of its values."""
    best = by_value(values)[0]
    return best if pool[best] % 2 and 2 * values[best] >= TOTAL_VALUE else None


def fair_half(pool: Triple, values: Triple) -> Triple:
    """Half of each item, rounded up for an item that holds half of the player's values, and down for the others.

    It never takes more than half of the units, rounded up. Two such demands clash in one deal of eight, when both
    players set store by the same item.
    """
    demand = list(half_down(pool))
    odd = rounded_up(pool, values)
    if odd is not None:
        demand[odd] += 1
    return _triple(demand)


def proportional(pool: Triple, values: Triple) -> Triple:
    """Of each item the share v / (v + mean value), rounded to the nearest unit, halves up.

    The mean value, 10/3, is what the item is worth to the other player in expectation.
    """
    shares = [3 * value / (3 * value + TOTAL_VALUE) for value in values]
    return _triple([int(units * share + 0.5) for units, share in zip(pool, shares, strict=True)])


def best_item_and_half(pool: Triple, values: Triple) -> Triple:
    """All units of the most valued item and half of the others, rounded up."""
    best = by_value(values)[0]
    return _triple([units if item == best else -(-units // 2) for item, units in enumerate(pool)])


def best_item(pool: Triple, values: Triple) -> Triple:
    """All units of the most valued item and nothing else."""
    best = by_value(values)[0]
    return _triple([units if item == best else 0 for item, units in enumerate(pool)])


def half_of_best_item(pool: Triple, values: Triple) -> Triple:
    """Half of the units of the most valued item, rounded up, and nothing else."""
    best = by_value(values)[0]
    return _triple([-(-units // 2) if item == best else 0 for item, units in enumerate(pool)])


def two_best_items(pool: Triple, values: Triple, concessions: int) -> Triple:
    """All of the two most valued items and half of the third, less one unit of each a concession, down to half."""
    last = by_value(values)[2]
    low = half_down(pool)
    return _triple([low[i] if i == last else max(low[i], pool[i] - concessions) for i in range(3)])


def all_but_one(pool: Triple) -> Triple:
    """All units of each item but one."""
    return pool[0] - 1, pool[1] - 1, pool[2] - 1


def left_by(pool: Triple, demand: Triple | None) -> Triple:
    """What a demand leaves of the pool; half of each item, rounded down, where there was none yet."""
    if demand is None:
        return half_down(pool)
    return pool[0] - demand[0], pool[1] - demand[1], pool[2] - demand[2]


def at_least_half(pool: Triple, demand: Triple | None) -> Triple:
    """What a demand leaves of each item, or half of it, rounded down, where that is more."""
    return _triple([max(pair) for pair in zip(left_by(pool, demand), half_down(pool), strict=True)])


def is_greedy(pool: Triple, demand: Triple) -> bool:
    """Whether a demand takes more than half of the units, rounded up."""
    return sum(demand) > half_of_units(pool)


def as_many_units(pool: Triple, values: Triple, number: int) -> Triple:
    """A demand of `number` units, the most valued first."""
    demand = [0, 0, 0]
    for item in by_value(values):
        demand[item] = min(pool[item], number - sum(demand))
    return _triple(demand)


def reciprocated(pool: Triple, values: Triple, last: Pair | None) -> Triple:
    """The answer of a reciprocal player to the newest round.

    It opens with `fair_half` and repeats what held. After a breakdown it meets greed with a demand of as many units, so
    that greed repeated never fits, and anything else with half of each item, rounded down.
    """
    if last is None:
        return fair_half(pool, values)
    own, other = last
    if fits(pool, last):
        return own
    if is_greedy(pool, other):
        return as_many_units(pool, values, sum(other))
    return half_down(pool)


def _triple(numbers: list[int]) -> Triple:
    first, second, third = numbers
    return first, second, third
