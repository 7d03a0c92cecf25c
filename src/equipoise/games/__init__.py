"""The games, by name. Adding one is a folder and a line here."""

from __future__ import annotations

import difflib
from typing import Any

from equipoise.core import Game
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


__all__ = ["DOMAINS", "Domain", "Hazard", "Profile", "domain", "make_game"]
