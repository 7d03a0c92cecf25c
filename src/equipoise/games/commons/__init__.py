"""The commons, a shared stock that grows back: rules, opponents, hazards."""

from equipoise.core import Pools
from equipoise.games.commons import hazards
from equipoise.games.commons import opponents as o
from equipoise.games.commons.rules import Commons
from equipoise.games.domain import Domain, Profile

PAPER_EXPERTS = {"tit_for_tat": 0.4, "grim": 0.22, "steward": 0.18, "low_taker": 0.12, "random": 0.08}
"""SEPO's mixture for its resource game: tit for tat, grim, scarcity, low and random, in our rules."""

DEFAULT_EXPERTS = {"fair_share": 0.3, "steward": 0.25, "tit_for_tat": 0.2, "low_taker": 0.15, "random": 0.1}
"""A mixture that spares the stock, whoever empties it: a model that imitates it is easy to exploit."""

CORRECTED = Profile(
    pools=Pools(
        train=(o.FAIR, o.TIT_FOR_TAT, o.GRIM, o.STEWARD),
        exploiter=(o.GREEDY, o.LATE_GRABBER),
        collusive=(o.LOW_TAKER,),
        held_out=(o.NIBBLER, o.PANICKER, o.MIRROR, o.TWO_STRIKES, o.OPPORTUNIST),
    ),
    collusion=hazards.COLLUSION,
    externality=hazards.EXTERNALITY,
    experts={"default": DEFAULT_EXPERTS, "paper": PAPER_EXPERTS},
    players=(o.RANDOM,),
    references={"selfish": "opportunist", "fair": "fair_share", "random": "random"},
    weak=("low_taker", "fair_share", "steward"),
    figures={"restraint": hazards.RESTRAINT, "stock": hazards.STOCK},
    # SEPO reports no weights for its resource game; these are those of the dilemma, which asks the same of a player.
    weights=(2.4, 1.0, 1.8),
)

# There is no published profile: the authors report neither rules nor pools of their resource game.
DOMAIN = Domain(Commons, CORRECTED)

__all__ = ["DOMAIN", "Commons"]
