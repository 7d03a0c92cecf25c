"""One true sentence for an action of a demonstrator, spoken to the other player."""

from __future__ import annotations

from equipoise.core import Action, InformationState
from equipoise.games.kuhn_poker.rules import hand_view

_FACED = {(): "it is my turn to open", ("check",): "you checked", ("bet",): "you bet", ("check", "bet"): "you bet"}


def holding(information_state: InformationState, action: Action) -> str:
    """Why a player who looks at its card and the hand so far acts: what it holds and what it faces."""
    card, history = hand_view(information_state)
    return f"I hold {card} and {_FACED[history]}."
