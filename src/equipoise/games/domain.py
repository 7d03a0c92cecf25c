"""What the product knows about one game beside its rules: opponents by purpose, hazards, demonstrators, references."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from equipoise.core import Episode, Game, InformationState, Opponent, Pools
from equipoise.errors import UserError
from equipoise.registry import described, find, first_line, names, read_function, short_name

Equilibrium = Callable[[InformationState], tuple[float, float]]
ProfileName = Literal["corrected", "published"]
REFERENCES = ("selfish", "fair", "random")


@dataclass(frozen=True)
class Hazard:
    """One figure per round that an episode's moves decide, and what it means.

    Attributes:
        scores: The figure of each round for the player in `seat`, [R].
        definition: One sentence: what is counted, and against what.
        unit: Of one round's figure.
        low: The smallest value a round can have.
        high: The largest.
    """

    scores: Callable[[Episode, int], np.ndarray]
    definition: str
    unit: str = "share of rounds"
    low: float = 0.0
    high: float = 1.0

    def __call__(self, episode: Episode, seat: int) -> np.ndarray:
        """The figure of each round, [R]."""
        return np.asarray(self.scores(episode, seat), dtype=float)


Judged = Callable[[Episode, int], Sequence[bool | None]]
"""A yes or no for each round of an episode and the player in a seat, [R]; None where the round does not ask."""


@dataclass(frozen=True)
class Cooperation:
    """What cooperating means in a game that rewards it.

    Attributes:
        cooperated: Whether the player cooperated in each round; None in a round in which it had nothing to concede, or
            that was forfeited or not played.
        definition: One sentence: what counts.
        best_joint: What the two players could have been paid together in each round, at most, [R].
    """

    cooperated: Judged
    definition: str
    best_joint: Callable[[Episode], np.ndarray]


@dataclass(frozen=True)
class Talk:
    """How the messages of a game are held against facts and acts.

    Attributes:
        honest: Whether what the player's message of each round states is true; None where it states nothing.
        kept: Whether the player did in each round what its message promised; None where it promised nothing.
        greed: How much of what it could claim the player claimed in each round, [R], in [0, 1]; NaN in no play.
        replacements: Messages by name that a listener is shown instead of the one it heard; each is a function of the
            listener's information state.
    """

    honest: Judged
    kept: Judged
    greed: Callable[[Episode, int], np.ndarray]
    replacements: Mapping[str, Callable[[InformationState], str]]


@dataclass(frozen=True)
class Profile:
    """One way to define a game's opponents and hazards: the corrected one (the default), or the published one.

    Every part is optional: a figure that needs a part that is not there is left out.

    Attributes:
        pools: Scripted opponents by purpose.
        collusion: What collusion means here, measured against the collusive pool; None where it means nothing.
        externality: What cost to others means here; None where it means nothing.
        experts: Mixtures of demonstrators by name ("default", "paper"): player name to weight.
        players: Scripts that are in no pool: demonstrators and reference players.
        references: The players that give the hazards their scale: "selfish", "fair" and "random".
        weak: Names of weak or trusting opponents; exploitation is what the agent takes from them.
        figures: Further figures of the game by name, shown beside the hazards.
        weights: The penalty weights (le, lc, lx) of the SEPO index for this game.
        scale: s of the SEPO objective where it is not 3 / the largest payoff per round.
        parameters: Game parameters that belong to this profile.
    """

    pools: Pools = field(default_factory=Pools)
    collusion: Hazard | None = None
    externality: Hazard | None = None
    experts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    players: tuple[Opponent, ...] = ()
    references: Mapping[str, str] = field(default_factory=dict)
    weak: tuple[str, ...] = ()
    figures: Mapping[str, Hazard] = field(default_factory=dict)
    weights: tuple[float, float, float] = (2.4, 1.0, 1.8)
    scale: float | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        taken = {opponent.name for _, opponent in self.pools.all()}
        for player in self.players:
            if player.name in taken:
                raise UserError(f"player {player.name!r} is already in a pool; names are unique within a profile")
            taken.add(player.name)
        named = [*self.references.values(), *self.weak, *(name for mix in self.experts.values() for name in mix)]
        unknown = sorted(set(named) - taken)
        if unknown:
            raise UserError(f"no player named {unknown[0]!r} in this profile; known: {', '.join(sorted(taken))}")
        if not set(self.references) <= set(REFERENCES):
            raise UserError(f"references are {', '.join(REFERENCES)}; got {', '.join(self.references)}")

    @property
    def measures(self) -> dict[str, Hazard]:
        """The hazards that the game has and its further figures, by name."""
        hazards = {"collusion": self.collusion, "externality": self.externality}
        return {**{name: hazard for name, hazard in hazards.items() if hazard is not None}, **self.figures}

    def scale_in(self, game: Game) -> float:
        """s of the SEPO objective in a game: the profile's own, else the game's."""
        return game.scale if self.scale is None else self.scale

    @property
    def scripts(self) -> dict[str, Opponent]:
        """Every script by name, in the pools and beside them."""
        return {o.name: o for o in (*(opponent for _, opponent in self.pools.all()), *self.players)}

    def find(self, name: str) -> Opponent:
        """The script of this name in a pool or beside them, else an opponent as `registry.find` finds it."""
        scripts = self.scripts
        if name in scripts:
            return scripts[name]
        if ":" in name or name in names("opponent"):
            found: Opponent = find("opponent", name)
            return found
        return self.pools.find(name)


@dataclass(frozen=True)
class Domain:
    """Everything the product knows about one game; a way to make it is enough.

    Attributes:
        make: Builds the game from its parameters.
        corrected: The default profile; empty where a game has no opponents, hazards or demonstrators.
        published: SEPO's own pools and definitions, for comparison; None where the game is not SEPO's.
        equilibrium: Where it is known: lowest and highest probability of the last legal action over all Nash equilibria
            at an information state.
        cooperation: What cooperating means, in games that reward it.
        talk: How messages are judged, in games with talk.
    """

    make: Callable[..., Game]
    corrected: Profile = field(default_factory=Profile)
    published: Profile | None = None
    equilibrium: Equilibrium | None = None
    cooperation: Cooperation | None = None
    talk: Talk | None = None

    @property
    def pools(self) -> Pools:
        """The pools of the corrected profile."""
        return self.corrected.pools

    def profile(self, name: str) -> Profile:
        """The profile of this name.

        Raises:
            ValueError: For an unknown name, or a game that has no such profile.
        """
        profiles = {"corrected": self.corrected, "published": self.published}
        if name not in profiles:
            raise UserError(f"unknown profile {name!r}; known: {', '.join(profiles)}")
        found = profiles[name]
        if found is None:
            raise UserError("this game has no published profile; use profile 'corrected'")
        return found


def read_domain(found: object, name: str) -> Domain:
    """The domain of what somebody registered as a game: a domain, a game's class, a game, or a function that makes one.

    Raises:
        UserError: For anything else.
    """
    if isinstance(found, Domain):
        return found
    if isinstance(found, Game):
        return Domain(lambda: found)
    if callable(found) and (not isinstance(found, type) or issubclass(found, Game)):
        return Domain(found)
    raise UserError(f"{name!r} is {described(found)}; needed: a Game subclass, a function that makes one, or a Domain")


def read_opponent(found: object, name: str) -> Opponent:
    """The opponent that somebody registered: an `Opponent`, or a plain behaviour.

    A behaviour gets the last part of the name it was asked by, and may mix.

    Raises:
        UserError: For anything else.
    """
    if isinstance(found, Opponent):
        return found
    needed = "an Opponent, or a function of an information state and the legal actions that gives their probabilities"
    return Opponent(short_name(name), read_function(found, name, needed, 2), True, f"found as {name}")


def read_hazard(found: object, name: str) -> Hazard:
    """The hazard that somebody registered: a `Hazard`, or a function of an episode and a seat with values in [0, 1].

    Raises:
        UserError: For anything else.
    """
    if isinstance(found, Hazard):
        return found
    scores = read_function(found, name, "a Hazard, or a function of an episode and a seat", 2)
    return Hazard(scores, first_line(scores, name))
