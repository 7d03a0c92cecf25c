"""One true sentence for a move of a demonstrator, in the labels of the game that is played.

Each function takes what the player has seen and the move it makes there. The sentences are spoken to the other player.
"""

from __future__ import annotations

from equipoise.core import Action, InformationState
from equipoise.games.history import played_moves
from equipoise.games.prisoners_dilemma.rules import cooperates


def answers_last_move(information_state: InformationState, action: Action) -> str:
    """Why a reciprocal player answers the other's last move as it does, forgiveness included."""
    rounds = played_moves(information_state)
    if not rounds:
        return f"I start with {action}."
    last = rounds[-1][1]
    if cooperates(action) and not cooperates(last):
        return f"You played {last} last, but I forgive it."
    return f"You played {last} last, so I play {action}."


def bears_grudges(information_state: InformationState, action: Action) -> str:
    """Why a player that never forgives does what it does."""
    theirs = [other for _, other in played_moves(information_state)]
    if not theirs:
        return f"I start with {action}."
    betrayal = next((move for move in theirs if not cooperates(move)), None)
    if betrayal is None:
        return f"You only played {theirs[0]} so far, so I play {action}."
    return f"You once played {betrayal}, so I play {action}."


def never_changes(information_state: InformationState, action: Action) -> str:
    """Why a player of one single move plays it."""
    return f"I always play {action}."


def tosses_a_coin(information_state: InformationState, action: Action) -> str:
    """Why a player without a plan plays what it plays."""
    return "I let a coin decide."
