"""Scripted players that split a pie.

A script is a memory (what it keeps of the game) and the probability of each demand given that memory. Rounds that a
player forfeited were not played and leave every memory as it was; only a player that watches the clock counts them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from equipoise.core import Action, InformationState
from equipoise.games.history import last_value, played_moves
from equipoise.games.scripts import FOLKLORE, Memory, Odds, mixed, nothing, pure
from equipoise.games.split import reasons
from equipoise.games.split.rules import DEMANDS, PIE, fits

SEPO = "SEPO (arXiv 2605.30854)"
FARATIN = "P. Faratin, C. Sierra, N. R. Jennings, Negotiation decision functions for autonomous agents, 1998"
COURNOT = "A. Cournot, Recherches sur les principes mathematiques de la theorie des richesses, 1838"

HALF = PIE // 2


@dataclass(frozen=True)
class Script:
    """A behaviour that depends on its memory alone.

    Attributes:
        memory: What it keeps of what it has seen.
        demands: The demands it makes with that memory, each as likely as the others.
    """

    memory: Memory
    demands: Callable[[Any], Sequence[int]]

    def __call__(self, information_state: InformationState, legal: tuple[Action, ...]) -> Odds:
        """Probabilities of the legal actions, as `core.Behaviour`."""
        chosen = self.demands(self.memory(information_state))
        return {action: 1.0 / len(chosen) if action in chosen else 0.0 for action in legal}


def broke_down(information_state: InformationState) -> bool:
    """Whether the demands of any round so far did not fit."""
    return any(not fits(pair) for pair in played_moves(information_state))


def last_of_other(information_state: InformationState) -> int | None:
    """What the other demanded in the newest round; None before the first."""
    rounds = played_moves(information_state)
    return rounds[-1][1] if rounds else None


def met_greed(information_state: InformationState) -> bool:
    """Whether the other has ever demanded more than half."""
    return any(other > HALF for _, other in played_moves(information_state))


def rounds_gone(information_state: InformationState) -> int:
    """How many rounds are over, at most three: after those the demands of `linear_conceder` fall no further."""
    return min(int(last_value(information_state, "round")[0]) - 1, 3)


def constant(*demands: int) -> Script:
    """A script that makes one demand, or one of several at random, whatever happens."""
    return Script(nothing, lambda memory: demands)


FAIR = pure("fair", constant(HALF), SEPO, reasons.halves)
BALANCED = pure("balanced", constant(6), SEPO, reasons.never_changes)
CONCEDER = pure("conceder", Script(broke_down, lambda broken: (5 if broken else 6,)), SEPO, reasons.gives_way)
SELFISH = pure("selfish", constant(7), SEPO)
HARDBALL = pure("hardball", constant(8), SEPO)
GENEROUS = pure("generous", constant(3), "a partner that trusts: leaves 7 whatever happens", reasons.never_changes)
TIT_FOR_TAT = pure(
    "tit_for_tat", Script(last_of_other, lambda last: (last or HALF,)), SEPO, reasons.answers_last_demand
)
RANDOM_3_TO_7 = mixed("random_3_to_7", constant(3, 4, 5, 6, 7), SEPO, reasons.picks_at_random)
RANDOM = mixed("random", constant(*DEMANDS), "uniformly random", reasons.picks_at_random)

LINEAR_CONCEDER = pure("linear_conceder", Script(rounds_gone, lambda gone: (8 - gone,)), FARATIN)
BEST_REPLY = pure("best_reply", Script(last_of_other, lambda last: (PIE - (last or HALF),)), COURNOT)
MIXER = mixed("mixer", constant(4, 5, 6), FOLKLORE)
GRUDGER = pure("grudger", Script(met_greed, lambda greed: (9 if greed else HALF,)), FOLKLORE)
