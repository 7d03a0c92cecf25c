"""One true sentence for a claim of a demonstrator.

Each function takes what the player has seen and the claim it makes there. The sentences are spoken to the other player.
"""

from __future__ import annotations

from equipoise.core import Action, InformationState
from equipoise.games.split_items.claims import EVERYTHING
from equipoise.games.split_items.memories import played


def answers_last_claim(information_state: InformationState, action: Action) -> str:
    """Why a reciprocal player answers the other's last claim as it does, forgiveness included."""
    rounds = played(information_state)
    if not rounds:
        return "I start with what is worth more to me."
    if not rounds[-1].other_greedy:
        return "You left me what is worth more to me, so I do the same."
    if action == EVERYTHING:
        return "You last claimed what is worth more to me, so I claim everything."
    return "You last claimed what is worth more to me, but I forgive it."


def bears_grudges(information_state: InformationState, action: Action) -> str:
    """Why a player that never forgives does what it does."""
    rounds = played(information_state)
    if not rounds:
        return "I start with what is worth more to me."
    if any(round_.other_greedy for round_ in rounds):
        return "You once claimed what is worth more to me, so I claim everything."
    return "You always left me what is worth more to me, so I do the same."


def leaves_it_to_worth(information_state: InformationState, action: Action) -> str:
    """Why a player that maximises the joint pay claims what it does."""
    return "Each item goes to whom it is worth more."


def takes_everything(information_state: InformationState, action: Action) -> str:
    """Why a greedy player claims all there is."""
    return "I always claim everything."


def halves(information_state: InformationState, action: Action) -> str:
    """Why a player that looks at no values claims half."""
    return "I always claim half of each item."


def picks_at_random(information_state: InformationState, action: Action) -> str:
    """Why a player without a plan claims what it claims."""
    return "I claim at random."
