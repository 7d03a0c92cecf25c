"""Scripted players of the repeated prisoner's dilemma.

A script is a memory (what it keeps of the game) and the probability of cooperating given that memory. Rounds that a
player forfeited were not played and leave every memory as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from equipoise.core import Action, InformationState
from equipoise.games.history import played_moves
from equipoise.games.prisoners_dilemma import reasons
from equipoise.games.prisoners_dilemma.rules import cooperates
from equipoise.games.scripts import FOLKLORE, Memory, Odds, mixed, nothing, pure

AXELROD = "R. Axelrod, The Evolution of Cooperation, 1984"
AXELROD_SURVEY = "R. Axelrod, Effective choice in the prisoner's dilemma, 1980"
NOWAK_GENEROUS = "M. Nowak, K. Sigmund, Tit for tat in heterogeneous populations, 1992"
NOWAK_PAVLOV = "M. Nowak, K. Sigmund, A strategy of win-stay, lose-shift, 1993"


@dataclass(frozen=True)
class Script:
    """A behaviour that depends on its memory alone.

    Attributes:
        memory: What it keeps of what it has seen.
        cooperation: Probability of cooperating with that memory.
    """

    memory: Memory
    cooperation: Callable[[Any], float]

    def __call__(self, information_state: InformationState, legal: tuple[Action, ...]) -> Odds:
        """Probabilities of the legal actions, as `core.Behaviour`."""
        p = self.cooperation(self.memory(information_state))
        cooperate, defect = legal
        return {cooperate: p, defect: 1.0 - p}


def cooperation_of(information_state: InformationState) -> list[tuple[bool, bool]]:
    """(own, other's) cooperation in every round that was played, oldest first."""
    return [(cooperates(own), cooperates(other)) for own, other in played_moves(information_state)]


def last_round(information_state: InformationState) -> tuple[bool, bool] | None:
    """Cooperation of both in the newest round; None before the first."""
    rounds = cooperation_of(information_state)
    return rounds[-1] if rounds else None


def last_of_other(information_state: InformationState) -> bool | None:
    """Whether the other cooperated in the newest round; None before the first."""
    newest = last_round(information_state)
    return None if newest is None else newest[1]


def last_own(information_state: InformationState) -> bool | None:
    """Whether the player itself cooperated in the newest round; None before the first."""
    newest = last_round(information_state)
    return None if newest is None else newest[0]


def ever_betrayed(information_state: InformationState) -> bool:
    """Whether the other has ever defected."""
    return any(not other for _, other in cooperation_of(information_state))


def last_two_of_other(information_state: InformationState) -> tuple[bool, ...]:
    """Whether the other cooperated in the newest two rounds, or in the one there is."""
    return tuple(other for _, other in cooperation_of(information_state)[-2:])


def probed(information_state: InformationState) -> tuple[int, bool, bool | None]:
    """Rounds played (at most 3), whether the other bore the probe in peace, whether it last cooperated (after 3)."""
    answers = [other for _, other in cooperation_of(information_state)]
    return min(len(answers), 3), all(answers[1:3]), answers[-1] if len(answers) >= 3 else None


def _probe(memory: tuple[int, bool, bool | None]) -> float:
    rounds, soft, last = memory
    if rounds < 3:
        return float(rounds > 0)
    return float(bool(last) and not soft)


def reciprocal(start: float, after_cooperation: float, after_defection: float) -> Script:
    """A script that looks at the other's last move alone; the numbers are its probabilities of cooperating."""
    table = {None: start, True: after_cooperation, False: after_defection}
    return Script(last_of_other, table.__getitem__)


def constant(cooperation: float) -> Script:
    """A script that cooperates with one probability, whatever happens."""
    return Script(nothing, lambda memory: cooperation)


TIT_FOR_TAT = pure("tit_for_tat", reciprocal(1, 1, 0), AXELROD, reasons.answers_last_move)
GENEROUS = mixed("generous_tit_for_tat", reciprocal(1, 1, 0.25), NOWAK_GENEROUS, reasons.answers_last_move)
COIN = mixed("coin", constant(0.5), FOLKLORE, reasons.tosses_a_coin)
GRIM = pure("grim", Script(ever_betrayed, lambda betrayed: float(not betrayed)), AXELROD_SURVEY, reasons.bears_grudges)
ALWAYS_DEFECT = pure("always_defect", constant(0), AXELROD_SURVEY, reasons.never_changes)
ALWAYS_COOPERATE = pure("always_cooperate", constant(1), AXELROD_SURVEY, reasons.never_changes)
ALTERNATOR = pure("alternator", Script(last_own, lambda own: float(own is False)), FOLKLORE)
PAVLOV = pure("pavlov", Script(last_round, lambda pair: float(pair is None or pair[0] == pair[1])), NOWAK_PAVLOV)
JOSS = mixed("joss", reciprocal(1, 0.9, 0), AXELROD_SURVEY)
SUSPICIOUS = pure("suspicious_tit_for_tat", reciprocal(0, 1, 0), FOLKLORE)
TWO_TATS = pure(
    "tit_for_two_tats", Script(last_two_of_other, lambda last: float(last != (False, False))), AXELROD_SURVEY
)
PROBER = pure(
    "prober", Script(probed, _probe), "P. Mathieu, B. Beaufils, J.-P. Delahaye, Our meeting with gradual, 1996"
)
