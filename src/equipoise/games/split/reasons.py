"""One true sentence for a demand of a demonstrator.

Each function takes what the player has seen and the demand it makes there. The sentences are spoken to the other
player.
"""

from __future__ import annotations

from equipoise.core import Action, InformationState
from equipoise.games.history import played_moves
from equipoise.games.split.rules import PIE, fits


def halves(information_state: InformationState, action: Action) -> str:
    """Why a fair player demands half."""
    return f"Half of {PIE} is {action}."


def never_changes(information_state: InformationState, action: Action) -> str:
    """Why a player of one single demand makes it."""
    return f"I always demand {action}."


def gives_way(information_state: InformationState, action: Action) -> str:
    """Why a player that gives way after a breakdown demands what it demands."""
    rounds = played_moves(information_state)
    if not rounds:
        return f"I start with {action}."
    if any(not fits(pair) for pair in rounds):
        return f"Our demands went over {PIE}, so I demand {action}."
    return f"Our demands fit so far, so I demand {action}."


def answers_last_demand(information_state: InformationState, action: Action) -> str:
    """Why a player that copies the other's last demand makes it."""
    rounds = played_moves(information_state)
    if not rounds:
        return f"I start with {action}."
    return f"You demanded {rounds[-1][1]}, so I demand {action}."


def picks_at_random(information_state: InformationState, action: Action) -> str:
    """Why a player without a plan demands what it demands."""
    return "I pick a number at random."
