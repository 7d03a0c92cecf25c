"""Scripts: players whose every move depends on what they remember, and on nothing else they have seen.

A game says what its scripts remember and what they do with it. What they are as opponents is the same in all games:
a pure strategy or one that mixes, with its source and its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from equipoise.core import Action, InformationState, Opponent

FOLKLORE = "folklore"
"""The source of a strategy that nobody is known to have written first."""

Memory = Callable[[InformationState], Hashable]
"""What a script keeps of what it has seen."""

Odds = Mapping[Action, float]
"""The probability of each action a script may take."""

Reason = Callable[[InformationState, Action], str]
"""Why a script takes an action there, in one true sentence."""


class Remembering(Protocol):
    """A behaviour that depends on its memory alone."""

    @property
    def memory(self) -> Memory:
        """What it keeps of what it has seen."""

    def __call__(self, information_state: InformationState, legal: tuple[Action, ...]) -> Odds:
        """Probabilities of the legal actions, as `core.Behaviour`."""


@dataclass(frozen=True)
class Script:
    """A behaviour that depends on its memory alone.

    Attributes:
        memory: What it keeps of what it has seen.
        choice: The action it takes with that memory, or the probability of each that it may take.
    """

    memory: Memory
    choice: Callable[[Any], int | Odds]

    def __call__(self, information_state: InformationState, legal: tuple[Action, ...]) -> Odds:
        """Probabilities of the legal actions, as `core.Behaviour`."""
        choice = self.choice(self.memory(information_state))
        return choice if isinstance(choice, Mapping) else {choice: 1.0}


def nothing(information_state: InformationState) -> None:
    """No memory at all."""


def pure(name: str, script: Remembering, source: str, reason: Reason | None = None) -> Opponent:
    """A script that never mixes, as an opponent."""
    return Opponent(name, script, False, source, script.memory, reason)


def mixed(name: str, script: Remembering, source: str, reason: Reason | None = None) -> Opponent:
    """A script that mixes at least once, as an opponent."""
    return Opponent(name, script, True, source, script.memory, reason)
