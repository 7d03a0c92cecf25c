"""The player that needs no pool: it plays every legal action equally often, in any game and any seat."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from equipoise.core import Action, InformationState, Opponent
from equipoise.games.free_text import SILENCE, AnyText


def spoken(action: Action) -> Action:
    """An action as a script plays it: where any text is legal it says nothing."""
    return SILENCE if isinstance(action, AnyText) else action


def uniform(information_state: InformationState, legal: tuple[Action, ...]) -> Mapping[Action, float]:
    """Equal probabilities of all legal actions, as `core.Behaviour`; any text counts as one action, silence."""
    return dict.fromkeys(map(spoken, legal), 1 / len(legal))


def _nothing(information_state: InformationState) -> Hashable:
    return ()


UNIFORM = Opponent("uniform", uniform, True, "plays every legal action equally often", memory=_nothing)
