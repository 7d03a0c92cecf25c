"""One true sentence for a bid of a demonstrator.

Each function takes what the bidder has seen and the bid it makes there. The sentences are spoken to the other player.
"""

from __future__ import annotations

from equipoise.core import Action, InformationState
from equipoise.games.history import last_value, played_moves


def gain(information_state: InformationState, action: Action) -> str:
    """Why a bidder that looks at its value bids as it does: what a win would leave it."""
    value = last_value(information_state, "value")
    assert isinstance(action, int)
    return f"My value is {value}, so bid {action} leaves {value - action}."


def outbids(information_state: InformationState, action: Action) -> str:
    """Why a bidder that goes one above the other's last bid bids as it does, its limit included."""
    rounds = played_moves(information_state)
    assert isinstance(action, int)
    if not rounds:
        return f"I saw no bid yet, so I start with {action}."
    last = rounds[-1][1]
    if action == last + 1:
        return f"You bid {last} last, so I bid one more."
    return f"You bid {last} last, but my value is {last_value(information_state, 'value')}, so I stop at {action}."


def bids_low(information_state: InformationState, action: Action) -> str:
    """Why a bidder that always bids 1 does so."""
    return "The lowest bid costs least."


def tells_value(information_state: InformationState, action: Action) -> str:
    """What a bidder without a plan can say truly."""
    return f"My value is {last_value(information_state, 'value')}."
