"""What an audit says of any game at all: whom it meets where there are no pools, and figures that need none.

A game of rules and words alone has no pools and no hazards. Its audit plays a uniformly random player and the agent
itself, so that payoff, welfare, fault figures and transcripts exist, and says what is missing and why. The same holds
for figures that compare two players, in a game of more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from equipoise.core import Episode, Estimate, Game, Opponent
from equipoise.errors import UserError
from equipoise.games import script_of
from equipoise.games.domain import Hazard, Profile, read_hazard
from equipoise.games.uniform import UNIFORM
from equipoise.lab.results import HazardRecord
from equipoise.metrics import hazard_rate, payoff, welfare
from equipoise.metrics.named import AgentMetric, defined_as, metric
from equipoise.metrics.payoff import rounds_played
from equipoise.registry import find

REFERENCE, GIVEN = "reference", "given"
"""Where opponents of an audit come from that are in no pool: the uniform player, and those that a user named."""

POOLS_NOTE = (
    "Payoff and welfare are against the train pool, pool exploitability against the exploiter pool, collusion "
    "against the collusive pool, externality against train and exploiter pools; robustness and the exploitability in "
    "the SEPO index are against the held-out pool, which no training met, where there is one; both seats, common deals."
)
"""Which figure is measured against whom, where a game of two players has pools."""

Company = Mapping[str, tuple[Opponent, ...]]
"""Whom an audit meets, by the pool they are in, or `REFERENCE`, or `GIVEN`."""

_Found = TypeVar("_Found")


@dataclass(frozen=True)
class Extras:
    """What a user asked an audit to meet and to measure beside what the game's profile has.

    Attributes:
        opponents: Opponents in no pool.
        metrics: By the names of their figures, with the definition of each.
        hazards: By the names of their figures.
    """

    opponents: tuple[Opponent, ...] = ()
    metrics: Mapping[str, tuple[AgentMetric, str]] = field(default_factory=dict)
    hazards: Mapping[str, Hazard] = field(default_factory=dict)


def extras_of(game: Game, opponents: Sequence[str], metrics: Sequence[str], hazards: Sequence[str]) -> Extras:
    """The extras that a user named, each in one of the registry's four spellings.

    Raises:
        UserError: For what cannot be found, or two of one name.
    """
    found = [script_of(game, name) for name in dict.fromkeys(opponents)]
    extras = Extras(
        tuple(_unique("opponent", [(opponent.name, opponent) for opponent in found]).values()),
        {name: (measure, defined_as(measure, name)) for name, measure in _named("metric", metrics, metric).items()},
        _named("hazard", hazards, lambda name: read_hazard(find("hazard", name), name)),
    )
    _unique("figure", [(name, None) for name in (*extras.metrics, *extras.hazards)])
    return extras


def short_name(spec: str) -> str:
    """The name of what a spec means: its last part."""
    return spec.rpartition(":")[2].rpartition(".")[2]


def _named(kind: str, specs: Sequence[str], get: Callable[[str], _Found]) -> dict[str, _Found]:
    return _unique(kind, [(short_name(spec), get(spec)) for spec in dict.fromkeys(specs)])


def _unique(kind: str, found: Sequence[tuple[str, _Found]]) -> dict[str, _Found]:
    names = [name for name, _ in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"two {kind}s are called {twice!r}; give one of them another name")
    return dict(found)


def company_of(profile: Profile, extras: Extras) -> Company:
    """Whom an audit meets: every pool's opponents, the uniform player where all pools are empty, and the user's own.

    Raises:
        UserError: For an opponent of a user's own that has the name of another one.
    """
    company = {pool: profile.pools.of(pool) for pool in profile.pools.names}
    if not any(company.values()):
        company[REFERENCE] = (UNIFORM,)
    known = {opponent.name: opponent for members in company.values() for opponent in members}
    for opponent in extras.opponents:
        if known.get(opponent.name, opponent) is not opponent:
            raise UserError(f"opponent {opponent.name!r} has the name of one of the game's own; give it another name")
    given = tuple(opponent for opponent in extras.opponents if opponent.name not in known)
    return {**company, **({GIVEN: given} if given else {})}


def plain_estimates(met: Mapping[str, Sequence[Episode]], itself: Sequence[Episode], agent: str) -> dict[str, Estimate]:
    """Figures of any game, whatever its pools, hazards and number of players: payoff, welfare, robustness.

    Args:
        met: The agent's episodes by where its opponents come from.
        itself: Its episodes against itself; none where there are pools.
        agent: Its name.
    """
    first = met.get("train") or met.get(REFERENCE) or [e for episodes in met.values() for e in episodes]
    found = {"payoff": payoff(first, agent), "welfare": welfare(itself or first)}
    if met.get("held_out"):
        found["robustness"] = payoff(met["held_out"], agent)
    return found


def extra_estimates(
    extras: Extras, episodes: Sequence[Episode], agent: str, taken: Iterable[str]
) -> dict[str, Estimate]:
    """The figures that a user named, over all opponents.

    Args:
        extras: What was named.
        episodes: The agent's episodes against all opponents.
        agent: Its name.
        taken: The names of the audit's other figures.

    Raises:
        UserError: For a metric or hazard that fails, gives something else than it should, or has a figure's name.
    """
    found = {}
    for name in {*extras.metrics, *extras.hazards} & set(taken):
        raise UserError(f"the audit has a figure {name!r} already; leave it out, or give yours another name")
    for name, (measure, _) in extras.metrics.items():
        try:
            value = measure(episodes, agent)
        except Exception as error:  # a stranger's code
            raise UserError(f"metric {name!r} failed: {type(error).__name__}: {error}") from error
        if not isinstance(value, Estimate):
            raise UserError(f"metric {name!r} gave a value of type {type(value).__name__}; needed: an Estimate")
        found[name] = value
    for name, hazard in extras.hazards.items():
        _check_hazard(name, hazard, episodes[0])
        found[name] = hazard_rate(episodes, agent, hazard)
    return found


def _check_hazard(name: str, hazard: Hazard, episode: Episode) -> None:
    try:
        scores = len(hazard(episode, 0))
    except Exception as error:  # a stranger's code
        raise UserError(f"hazard {name!r} failed: {type(error).__name__}: {error}") from error
    if scores < rounds_played(episode):
        raise UserError(f"hazard {name!r} gave {scores} numbers for {rounds_played(episode)} rounds; needed: one each")


def definitions(profile: Profile, extras: Extras) -> dict[str, HazardRecord]:
    """What each hazard, figure and metric beside the usual ones means."""
    hazards = {**profile.measures, **extras.hazards}
    return {
        **{n: HazardRecord(definition=h.definition, unit=h.unit, low=h.low, high=h.high) for n, h in hazards.items()},
        **{name: HazardRecord(definition=text, unit="") for name, (_, text) in extras.metrics.items()},
    }


def company_notes(game: Game, profile: Profile, company: Company) -> list[str]:
    """Whom the figures are against, and which are left out because the game lacks what they need."""
    notes = []
    if REFERENCE in company:
        notes.append(
            f"{game.name} has no pools: payoff is against {UNIFORM.name}, which plays every legal action equally "
            "often, and welfare is that of self-play. There is no SEPO index, no pool exploitability and no robustness."
        )
    elif game.num_players == 2 and company.get("exploiter") and not company.get("held_out"):
        notes.append(
            f"{game.name} has no held-out pool: the exploitability in the SEPO index is by the exploiter pool, which "
            "training may have met."
        )
    missing = [name for name in ("collusion", "externality") if name not in profile.measures]
    if missing:
        notes.append(f"{game.name} does not say what {' or '.join(missing)} is, so it is not measured.")
    if game.num_players != 2:
        notes.append(
            f"{game.name} has {game.num_players} players: an opponent takes all seats but the agent's. What compares "
            "two players is left out: the SEPO index, gaps, NRA, exploitation, regret and the worst case."
        )
    if GIVEN in company:
        names = ", ".join(opponent.name for opponent in company[GIVEN])
        notes.append(
            f"Beside them the agent met {names}; no figure but their own rows and those that were added counts them."
        )
    return notes
