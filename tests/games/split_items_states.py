"""States of splitting items, written down in a few words, and what claims pay there by hand."""

from itertools import product

import numpy as np

from equipoise.core import CHANCE
from equipoise.games.split_items import DOMAIN, SplitItems

PROFILE = DOMAIN.corrected
GAME = SplitItems()
EVERY_CLAIM = list(product(range(11), repeat=3))
ONE = ((10, 1, 1), (1, 10, 1))
"""A pair of values: hats are worth more to seat 0, books to seat 1, balls are a tie."""
TWO = ((10, 10, 1), (1, 10, 10))


def script(name):
    return PROFILE.find(name)


def values_drawn(game):
    """Every pair of values of the first round with its probability."""
    root = game.initial_state()
    return {deal: p for deal, p in root.chance_outcomes()}


def dealt(state, deal):
    """The state once chance has drawn a pair of values, whatever the number of nodes it takes."""
    for outcome in [deal] if state.rule != "one_to_twenty" else [*deal[0], *deal[1][:2]]:
        state = state.child({CHANCE: outcome})
    return state


def numbers(text):
    return tuple(int(word) for word in text.split())


def after(*rounds, game=None, deal=ONE):
    """The decision after rounds such as "10 0 5 : 5 5 5", or "f0" where seat 0 forfeits; each with the same values."""
    state = dealt((game or SplitItems()).initial_state(), deal)
    for text in rounds:
        if text[0] == "f":
            state = state.forfeit(int(text[1]))
        else:
            state = state.child({seat: numbers(claim) for seat, claim in enumerate(text.split(":"))})
        if not state.is_terminal:
            state = dealt(state, deal)
    return state


def pay(first, second, deal):
    """What two claims pay, by hand: 10 units of an item are divided, scaled down where the claims exceed them."""
    total = [0.0, 0.0]
    for a, b, v, w in zip(first, second, *deal, strict=True):
        scale = 10 / (a + b) if a + b > 10 else 1
        total[0] += a * scale * v
        total[1] += b * scale * w
    return tuple(total)


def fair(deal, seat):
    """10 of what is worth more to the player, 5 of ties, 0 of the rest."""
    return tuple(5 + 5 * int(np.sign(own - other)) for own, other in zip(deal[seat], deal[1 - seat], strict=True))
