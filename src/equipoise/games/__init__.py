"""The games, by name. Adding one of ours is a folder and a line in `OURS`; anybody else's comes in by the registry."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from equipoise.core import Game, Opponent
from equipoise.errors import UserError
from equipoise.games.domain import Domain, Hazard, Profile
from equipoise.games.wrapped import WrappedGame
from equipoise.registry import find, is_foreign, nearest

OURS: Mapping[str, str] = {
    name: f"equipoise.games.{name}:DOMAIN"
    for name in (
        "kuhn_poker",
        "prisoners_dilemma",
        "split",
        "commons",
        "bargaining",
        "auction",
        "split_items",
        "trust_and_split",
    )
}
"""Where each of our games has its `Domain`; a game is loaded when it is asked for."""

OPPONENTS: Mapping[str, str] = {"uniform": "equipoise.games.uniform:UNIFORM"}
"""Opponents of ours that can play any game; those of one game are in its profile."""

HAZARDS: Mapping[str, str] = {}
"""Hazards of ours that make sense in any game: none. Those of one game are in its profile."""

SEPO_GAMES = ("kuhn_poker", "prisoners_dilemma", "split", "commons", "bargaining", "auction")
"""The games of the SEPO study, which the embedded model "tiny" reads."""


class _Ours(Mapping[str, Domain]):
    """Our own games by name, each loaded when it is looked at."""

    def __getitem__(self, name: str) -> Domain:
        if name not in OURS:
            raise KeyError(name)
        return domain(name)

    def __iter__(self) -> Iterator[str]:
        return iter(OURS)

    def __len__(self) -> int:
        return len(OURS)


DOMAINS: Mapping[str, Domain] = _Ours()
"""The domains of our own games by name."""


def domain(name: str) -> Domain:
    """The domain of a game: one of ours, an installed package's, `package.module:Name` or `path/file.py:Name`.

    Raises:
        UserError: Nothing of that name, or nothing that can be loaded; one line.
    """
    found: Domain = find("game", name)
    return found


def make_game(name: str, **parameters: Any) -> Game:
    """A game by name, with its parameters (for example `hands=6`), that knows its domain.

    What the domain makes is copied, not changed: where two domains hand out one and the same game, each call's game has
    the domain it was made by, and the one they share has none.

    Args:
        name: As `domain` takes it.
        **parameters: What the game's constructor takes.

    Raises:
        UserError: For an unknown game, or a parameter that it does not have or may not take.
    """
    found = domain(name)
    known = inspect.signature(found.make).parameters
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values())
    unknown = [parameter for parameter in parameters if parameter not in known]
    if unknown and not takes_any:
        hint = nearest(known, unknown[0], 0.6) or "none"
        raise UserError(f"{name} has no parameter {unknown[0]!r}; known: {hint}")
    made = _made(name, found, parameters)
    game = copy.copy(made)
    vars(game).update({**vars(made), "_made_by": _MadeBy(name, found)})  # a frozen class too; its copy may lack some
    return game


def _made(name: str, found: Domain, parameters: Mapping[str, Any]) -> Game:
    """The game; a stranger's that cannot be made is its user's mistake, one of ours would be a defect."""
    if not is_foreign("game", name):
        return found.make(**parameters)
    try:
        game = found.make(**parameters)
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"game {name!r} cannot be made with {dict(parameters)}: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(game, Game):
        raise UserError(f"game {name!r} made a value of type {type(game).__name__}; needed: a Game")
    if not isinstance(getattr(game, "name", None), str):
        raise UserError(f'game {name!r} has no name; set name = "..." in its class')
    return game


class _MadeBy:
    """The domain that a game was made by; serialized it is its name alone: scripts and hazards are functions."""

    def __init__(self, name: str, found: Domain | None = None) -> None:
        """Args: name: As `domain` takes it. found: The domain, where it is at hand; else it is found when asked for."""
        self._name, self._found = name, found

    def __reduce__(self) -> tuple[type[_MadeBy], tuple[str]]:
        return _MadeBy, (self._name,)

    @property
    def domain(self) -> Domain:
        """The domain."""
        if self._found is None:
            self._found = domain(self._name)
        return self._found


def domain_of(game: Game) -> Domain:
    """What is known of a game beside its rules, however it was made.

    A game from `make_game` carries the domain it was made by, and a game that wraps it has the same. One made from its
    class has our domain of its name if that domain makes such games, so a stranger's game of one of our names is not
    taken for ours. Any other has an empty one.
    """
    if isinstance(game._made_by, _MadeBy):
        return game._made_by.domain
    if game.name in OURS:
        ours = domain(game.name)
        if isinstance(_inside(game), type(_inside(ours.make()))):
            return ours
    return Domain(lambda: game)


def _inside(game: Game) -> Game:
    """The game that a wrapped one speaks for."""
    while isinstance(game, WrappedGame):
        game = game.inner
    return game


def script_of(game: Game, name: str) -> Opponent:
    """An opponent for a game: a script of its corrected profile by name, else as `registry.find` finds opponents.

    Raises:
        UserError: Nothing of that name; one line.
    """
    return domain_of(game).corrected.find(name)


__all__ = ["DOMAINS", "Domain", "Hazard", "Profile", "domain", "domain_of", "make_game", "script_of"]
