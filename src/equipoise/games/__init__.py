"""The games, by name. Adding one is a folder and a line here."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from equipoise.core import Episode, Game, InformationState, Pools
from equipoise.games.kuhn_poker import KuhnPoker, hazards, opponents

Hazard = Callable[[Episode, int], np.ndarray]
Equilibrium = Callable[[InformationState], tuple[float, float]]


@dataclass(frozen=True)
class Domain:
    """Everything the product knows about one game.

    Attributes:
        make: Builds the game from its parameters.
        pools: Its scripted opponents by purpose.
        collusion: Collusion per round of an episode, [R].
        externality: Externality per round of an episode, [R].
        equilibrium: Where it is known: lowest and highest probability of the last legal action over all Nash equilibria
            at an information state.
    """

    make: Callable[..., Game]
    pools: Pools
    collusion: Hazard
    externality: Hazard
    equilibrium: Equilibrium | None = None


DOMAINS: dict[str, Domain] = {
    "kuhn_poker": Domain(
        KuhnPoker, opponents.POOLS, hazards.collusion, hazards.externality, opponents.equilibrium_range
    ),
}


def domain(name: str) -> Domain:
    """The domain of this name, or one line that says which names exist."""
    if name not in DOMAINS:
        close = difflib.get_close_matches(name, DOMAINS, n=1, cutoff=0.3)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"unknown game {name!r}; known: {', '.join(DOMAINS)}.{hint}")
    return DOMAINS[name]


def make_game(name: str, **parameters: Any) -> Game:
    """A game by name, with its parameters (for example `hands=6`)."""
    make = domain(name).make
    try:
        return make(**parameters)
    except TypeError as error:
        raise ValueError(f"{name} does not take these parameters: {parameters} ({error})") from None


__all__ = ["DOMAINS", "Domain", "domain", "make_game"]
