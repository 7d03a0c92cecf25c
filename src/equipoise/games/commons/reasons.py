"""One true sentence for an ask of a demonstrator.

Each function takes what the player has seen and what it asks for there. The sentences are spoken to the other player.
"""

from __future__ import annotations

from equipoise.core import Action, InformationState
from equipoise.games.commons.rules import FAIR_SHARE
from equipoise.games.history import last_value, played_moves


def never_changes(information_state: InformationState, action: Action) -> str:
    """Why a player that asks for one number alone asks for it."""
    return f"I always ask for {action}."


def answers_last_ask(information_state: InformationState, action: Action) -> str:
    """Why a reciprocal player answers the other's last ask as it does."""
    rounds = played_moves(information_state)
    if not rounds:
        return f"I start with {action}."
    return f"You asked for {rounds[-1][1]} last, so I ask for {action}."


def bears_grudges(information_state: InformationState, action: Action) -> str:
    """Why a player that never forgives greed asks for what it asks."""
    theirs = [other for _, other in played_moves(information_state)]
    greed = next((ask for ask in theirs if ask > FAIR_SHARE), None)
    if greed is not None:
        return f"You once asked for {greed}, so I ask for {action}."
    if theirs:
        return f"You never asked for more than {FAIR_SHARE}, so I ask for {action}."
    return f"I start with {action}."


def spares_stock(information_state: InformationState, action: Action) -> str:
    """Why a player that spares the stock asks for what it asks."""
    return f"A stock of {last_value(information_state, 'stock')} bears {action} for each of us."


def draws(information_state: InformationState, action: Action) -> str:
    """Why a player without a plan asks for what it asks."""
    return "I pick a number by chance."
