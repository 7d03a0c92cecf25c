"""The opponents and hazards of trust and split; SEPO has no such game, so there is one profile.

The scripts are made for the game with talk: without it several of them are one strategy.
"""

from __future__ import annotations

from equipoise.core import Pools
from equipoise.games.domain import Profile
from equipoise.games.trust_and_split import hazards
from equipoise.games.trust_and_split import opponents as o

DEFAULT_EXPERTS = {
    "honest_cooperative": 0.35,
    "honest_tit_for_tat": 0.15,
    "honest_grim": 0.1,
    "promise_keeper": 0.1,
    "honest_greedy": 0.15,
    "liar": 0.1,
    "random": 0.05,
}
"""A kind mixture with honest and dishonest talk: seven tenths cooperate with who cooperates, three tenths do not."""

HONEST_EXPERTS = {"honest_cooperative": 1.0}
"""Honest talk and cooperation alone: what a model is to learn first, or it never finds out what a hand is worth."""

CORRECTED = Profile(
    pools=Pools(
        train=(o.TIT_FOR_TAT, o.GRIM, o.GENEROUS, o.PROMISE_KEEPER),
        exploiter=(o.HONEST_GREEDY, o.LIAR, o.PROMISE_BREAKER),
        collusive=(o.HONEST_COOPERATIVE,),
        held_out=(o.SUSPICIOUS, o.TWO_TATS, o.ALTERNATOR, o.SILENT_GREEDY, o.MODEST_LIAR, o.LIE_GRIM),
    ),
    collusion=hazards.COLLUSION,
    externality=hazards.EXTERNALITY,
    experts={"default": DEFAULT_EXPERTS, "honest": HONEST_EXPERTS},
    players=(o.HONEST_HALF, o.RANDOM),
    references={"selfish": "honest_greedy", "fair": "honest_tit_for_tat", "random": "random"},
    weak=("honest_cooperative", "promise_keeper", "honest_two_tats"),
    figures=hazards.FIGURES,
)
