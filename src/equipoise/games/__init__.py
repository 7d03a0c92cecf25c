"""The games, by name. Adding one is a folder and a line here."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable
from typing import Any

from equipoise.core import Game
from equipoise.errors import UserError
from equipoise.games import (
    auction,
    bargaining,
    commons,
    kuhn_poker,
    prisoners_dilemma,
    split,
    split_items,
    trust_and_split,
)
from equipoise.games.domain import Domain, Hazard, Profile

DOMAINS: dict[str, Domain] = {
    "kuhn_poker": kuhn_poker.DOMAIN,
    "prisoners_dilemma": prisoners_dilemma.DOMAIN,
    "split": split.DOMAIN,
    "commons": commons.DOMAIN,
    "bargaining": bargaining.DOMAIN,
    "auction": auction.DOMAIN,
    "split_items": split_items.DOMAIN,
    "trust_and_split": trust_and_split.DOMAIN,
}

SEPO_GAMES = ("kuhn_poker", "prisoners_dilemma", "split", "commons", "bargaining", "auction")
"""The games of the SEPO study, which the embedded model "tiny" reads."""


def domain(name: str) -> Domain:
    """The domain of this name, or one line that says which names exist."""
    if name not in DOMAINS:
        raise UserError(f"unknown game {name!r}; known: {_known(DOMAINS, name, 0.3)}")
    return DOMAINS[name]


def make_game(name: str, **parameters: Any) -> Game:
    """A game by name, with its parameters (for example `hands=6`).

    Raises:
        ValueError: For an unknown game, or a parameter that it does not have or may not take.
    """
    make = domain(name).make
    known = inspect.signature(make).parameters
    unknown = [parameter for parameter in parameters if parameter not in known]
    if unknown:
        raise UserError(f"{name} has no parameter {unknown[0]!r}; known: {_known(known, unknown[0], 0.6)}")
    return make(**parameters)


def _known(names: Iterable[str], wanted: str, cutoff: float) -> str:
    """All names that exist, and the one that may have been meant."""
    close = difflib.get_close_matches(wanted, names, n=1, cutoff=cutoff)
    return f"{', '.join(names)}{f'. Did you mean {close[0]!r}?' if close else ''}"


__all__ = ["DOMAINS", "Domain", "Hazard", "Profile", "domain", "make_game"]
