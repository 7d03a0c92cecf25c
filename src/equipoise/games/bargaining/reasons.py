"""One true sentence for a demand of a demonstrator.

Each function takes what the player has seen and the demand it makes there. The sentences are spoken to the other
player.
"""

from __future__ import annotations

from equipoise.core import Action, InformationState
from equipoise.games.bargaining.deal import ITEMS, fits, pool_of, values_of
from equipoise.games.bargaining.demands import by_value, is_greedy, rounded_up
from equipoise.games.bargaining.memories import breakdowns_so_far, played


def halves(information_state: InformationState, action: Action) -> str:
    """Why a fair player rounds half of each item as it does."""
    pool, values = pool_of(information_state), values_of(information_state)
    assert pool is not None
    assert values is not None
    odd = rounded_up(pool, values)
    if odd is None:
        return "I round half of each down."
    if breakdowns_so_far(information_state):
        return "We had a breakdown, so I round half of each down."
    return f"I take half of each and round up {ITEMS[odd]}."


def reciprocates(information_state: InformationState, action: Action) -> str:
    """Why a reciprocal player stays, strikes back or rounds down."""
    pool, rounds = pool_of(information_state), played(information_state)
    assert pool is not None
    if not rounds:
        return "I start with half."
    if fits(pool, rounds[-1]):
        return "We had a deal, so I stay."
    if is_greedy(pool, rounds[-1][1]):
        return "You demanded more than half, so I do too."
    return "We had a breakdown, so I round half of each down."


def wants_little(information_state: InformationState, action: Action) -> str:
    """Why a generous player asks for part of one item alone."""
    values = values_of(information_state)
    assert values is not None
    return f"Half of the {ITEMS[by_value(values)[0]]} is enough for me."


def rounds_down(information_state: InformationState, action: Action) -> str:
    """Why a conservative player demands what always fits with its like."""
    return "I round half of each down."


def weighs(information_state: InformationState, action: Action) -> str:
    """Why a proportional player takes different shares of the items."""
    return "I share each item by its worth to me."


def takes_what_is_left(information_state: InformationState, action: Action) -> str:
    """Why an adaptive player takes what the other did not want."""
    if not played(information_state):
        return "I round half of each down."
    return "I take half, or more where you left more."


def picks_at_random(information_state: InformationState, action: Action) -> str:
    """Why a player without a plan demands what it demands."""
    return "I demand at random."
