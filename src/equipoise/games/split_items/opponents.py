"""Scripted players of split_items: a memory, and the odds of each claim with that memory.

Most choose between two claims. The *fair claim* is `claims.welfare_claim`: all of what the player values more than the
other does, half of ties, nothing else. The *greedy claim* is everything. Another player counts as greedy in a round
when it asks for any unit of an item that is worth less to it than to the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from equipoise.core import Action, InformationState
from equipoise.games.scripts import FOLKLORE, Odds, mixed, pure
from equipoise.games.split_items import memories as m
from equipoise.games.split_items import reasons
from equipoise.games.split_items.claims import CLAIMS, EVERYTHING, HALF, Triple, Values, welfare_claim

ALIGNMENT = "arXiv 2511.19405"
AXELROD = "R. Axelrod, The Evolution of Cooperation, 1984, for claims"
AXELROD_SURVEY = "R. Axelrod, Effective choice in the prisoner's dilemma, 1980, for claims"
NOWAK_GENEROUS = "M. Nowak, K. Sigmund, Tit for tat in heterogeneous populations, 1992, for claims"
NOWAK_PAVLOV = "M. Nowak, K. Sigmund, A strategy of win-stay, lose-shift, 1993, for claims"

FORGIVENESS = 0.25
"""How often generous tit for tat lets greed pass."""

NEARLY_EVERYTHING: Triple = (8, 8, 8)


@dataclass(frozen=True)
class Script:
    """A behaviour that depends on its memory alone.

    Attributes:
        memory: What it keeps of what it has seen.
        odds: The probability of each claim it may make, given the parts of that memory.
    """

    memory: m.Memory
    odds: Callable[..., Odds]

    def __call__(self, information_state: InformationState, legal: tuple[Action, ...]) -> Odds:
        """Probabilities of the legal actions, as `core.Behaviour`."""
        return self.odds(*self.memory(information_state))


def always(claim: Triple) -> Callable[..., Odds]:
    """The odds of a script that makes one claim whatever it knows."""
    return lambda *memory: {claim: 1.0}


def fair_with(probability: Callable[[Any], float]) -> Callable[..., Odds]:
    """The odds of a script that makes the fair claim with a probability that its memory decides, else the greedy."""

    def odds(values: Values, remembered: Any) -> Odds:
        fair = probability(remembered)
        return {welfare_claim(*values): fair, EVERYTHING: 1.0 - fair}

    return odds


def _fair(values: Values) -> Odds:
    return {welfare_claim(*values): 1.0}


def _in_kind(values: Values, units: int) -> Odds:
    """The fair claim, and of what is worth less to the player as much as the other last took."""
    first, second, third = (
        units if own < other else fair for fair, own, other in zip(welfare_claim(*values), *values, strict=True)
    )
    return {(first, second, third): 1.0}


_UNIFORM: Odds = MappingProxyType(dict.fromkeys(CLAIMS, 1 / len(CLAIMS)))


WELFARE = pure("welfare", Script(m.values, _fair), ALIGNMENT, reasons.leaves_it_to_worth)
GREEDY = pure("greedy", Script(m.nothing, always(EVERYTHING)), ALIGNMENT, reasons.takes_everything)
HALVES = pure("half", Script(m.nothing, always(HALF)), FOLKLORE, reasons.halves)
GREEDY_MINUS = pure("greedy_minus", Script(m.nothing, always(NEARLY_EVERYTHING)), FOLKLORE)

TIT_FOR_TAT = pure(
    "tit_for_tat",
    Script(m.values_and_last_of_other, fair_with(lambda greedy: float(not greedy))),
    AXELROD,
    reasons.answers_last_claim,
)
GENEROUS = mixed(
    "generous_tit_for_tat",
    Script(m.values_and_last_of_other, fair_with(lambda greedy: FORGIVENESS if greedy else 1.0)),
    NOWAK_GENEROUS,
    reasons.answers_last_claim,
)
SUSPICIOUS = pure(
    "suspicious_tit_for_tat",
    Script(m.values_and_last_of_other, fair_with(lambda greedy: float(greedy is False))),
    FOLKLORE,
)
GRIM = pure(
    "grim",
    Script(m.values_and_grudge, fair_with(lambda betrayed: float(not betrayed))),
    AXELROD_SURVEY,
    reasons.bears_grudges,
)
ALTERNATOR = pure("alternator", Script(m.values_and_last_own, fair_with(lambda own: float(own is True))), FOLKLORE)
PAVLOV = pure(
    "pavlov", Script(m.values_and_last_of_both, fair_with(lambda alike: float(alike is not False))), NOWAK_PAVLOV
)
TWO_TATS = pure(
    "tit_for_two_tats",
    Script(m.values_and_last_two_of_other, fair_with(lambda last: float(last != (True, True)))),
    AXELROD_SURVEY,
)
MIRROR = pure("mirror", Script(m.values_and_measure, _in_kind), FOLKLORE)
RANDOM = mixed("random", Script(m.nothing, lambda: _UNIFORM), "uniformly random", reasons.picks_at_random)
