"""Scripted bargainers: a memory, and the demands it makes with that memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from equipoise.core import Action, InformationState, Opponent
from equipoise.games.bargaining import demands as d
from equipoise.games.bargaining import memories as m
from equipoise.games.bargaining import reasons
from equipoise.games.bargaining.deal import VALUES, Triple, demands_within
from equipoise.games.scripts import FOLKLORE, Odds, Reason, mixed, pure

SEPO = "SEPO (arXiv 2605.30854)"
IN_KIND = "SEPO's player of this name, in kind (arXiv 2605.30854)"
FARATIN = "P. Faratin, C. Sierra, N. R. Jennings, Negotiation decision functions for autonomous agents, 1998"
COURNOT = "A. Cournot, Recherches sur les principes mathematiques de la theorie des richesses, 1838"


@dataclass(frozen=True)
class Script:
    """A behaviour that depends on its memory alone.

    Attributes:
        memory: What it keeps of what it has seen.
        odds: The probability of each demand it may make, given the parts of that memory.
    """

    memory: Callable[[InformationState], tuple[Any, ...]]
    odds: Callable[..., Odds]

    def __call__(self, information_state: InformationState, legal: tuple[Action, ...]) -> Mapping[Action, float]:
        """Probabilities of the legal actions, as `core.Behaviour`."""
        return dict.fromkeys(legal, 0.0) | dict(self.odds(*self.memory(information_state)))


def always(demand: Callable[..., Triple]) -> Callable[..., Odds]:
    """The odds of a script that makes one demand at each memory."""
    return lambda *memory: {demand(*memory): 1.0}


def alike(options: list[Triple]) -> Odds:
    """Odds that draw one entry of a list."""
    odds: dict[Action, float] = {}
    for option in options:
        odds[option] = odds.get(option, 0.0) + 1 / len(options)
    return odds


def rounded_either_way(pool: Triple) -> Odds:
    """Half of each item, each rounded up or down by a fair coin."""
    return alike([(a, b, c) for a, b, c in product(*((units // 2, -(-units // 2)) for units in pool))])


def greedy_with_other_values(pool: Triple) -> Odds:
    """`best_item_and_half` with values drawn anew, as if the player did not know its own."""
    return alike([d.best_item_and_half(pool, values) for values in VALUES])


def uniform(pool: Triple) -> Odds:
    """Every demand alike."""
    legal = demands_within(pool)
    return dict.fromkeys(legal, 1 / len(legal))


def _script(
    name: str,
    memory: Callable[[InformationState], tuple[Any, ...]],
    demand: Callable[..., Triple],
    source: str,
    reason: Reason | None = None,
) -> Opponent:
    return pure(name, Script(memory, always(demand)), source, reason)


def _mixed(name: str, odds: Callable[[Triple], Odds], source: str, reason: Reason | None = None) -> Opponent:
    return mixed(name, Script(m.pool_alone, odds), source, reason)


def _fair(pool: Triple, values: Triple, broken: int) -> Triple:
    return d.half_down(pool) if broken else d.fair_half(pool, values)


FAIR = _script("fair", m.deal_and_breakdown, _fair, IN_KIND, reasons.halves)
RECIPROCAL = _script("reciprocal", m.deal_and_last_round, d.reciprocated, FOLKLORE, reasons.reciprocates)
CONCEDER = _script("conceder", m.deal_and_breakdowns, d.two_best_items, IN_KIND)
GREEDY = _script("greedy", m.deal_alone, d.best_item_and_half, IN_KIND)
HARDBALL = _script("hardball", m.pool_alone, d.all_but_one, SEPO)
GENEROUS = _script(
    "generous", m.deal_alone, d.half_of_best_item, "a partner that trusts: asks for little", reasons.wants_little
)

BOULWARE = _script(
    "boulware",
    m.pool_and_last_round_ahead,
    lambda pool, ahead: d.all_but_one(pool) if ahead else d.half_down(pool),
    FARATIN,
)
MIRROR = _script(
    "mirror", m.pool_and_last_of_other, lambda pool, last: d.half_down(pool) if last is None else last, FOLKLORE
)
BEST_REPLY = _script("best_reply", m.pool_and_last_of_other, d.left_by, COURNOT)
SPECIALIST = _script("specialist", m.deal_alone, d.best_item, FOLKLORE)
ROUNDER = _mixed("rounder", rounded_either_way, FOLKLORE)

CONSERVATIVE = _script("conservative", m.pool_alone, d.half_down, SEPO, reasons.rounds_down)
PROPORTIONAL = _script("proportional", m.deal_alone, d.proportional, IN_KIND, reasons.weighs)
ADAPTIVE = _script("adaptive", m.pool_and_last_of_other, d.at_least_half, IN_KIND, reasons.takes_what_is_left)
RANDOM = _mixed("random", uniform, "uniformly random", reasons.picks_at_random)

GREEDY_REDRAWN = _mixed("greedy_redrawn", greedy_with_other_values, SEPO)
