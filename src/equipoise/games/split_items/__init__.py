"""Three items divided in proportion to claims, all values shown (arXiv 2511.19405): rules, opponents, hazards."""

from equipoise.core import Pools
from equipoise.games.domain import Domain, Profile
from equipoise.games.split_items import hazards
from equipoise.games.split_items import opponents as o
from equipoise.games.split_items.rules import SplitItems, split_items

DEFAULT_EXPERTS = {
    "welfare": 0.3,
    "tit_for_tat": 0.2,
    "generous_tit_for_tat": 0.15,
    "grim": 0.1,
    "half": 0.1,
    "greedy": 0.05,
    "random": 0.1,
}
"""A kind mixture, kinder than it is wise: a model that imitates it is easy to exploit."""

CORRECTED = Profile(
    pools=Pools(
        train=(o.TIT_FOR_TAT, o.GENEROUS, o.HALVES, o.GRIM),
        exploiter=(o.GREEDY, o.ALTERNATOR),
        collusive=(o.WELFARE,),
        held_out=(o.PAVLOV, o.SUSPICIOUS, o.TWO_TATS, o.GREEDY_MINUS, o.MIRROR),
    ),
    collusion=hazards.COLLUSION,
    externality=hazards.EXTERNALITY,
    experts={"default": DEFAULT_EXPERTS},
    players=(o.RANDOM,),
    references={"selfish": "greedy", "fair": "tit_for_tat", "random": "random"},
    weak=("welfare", "tit_for_two_tats", "generous_tit_for_tat"),
    figures={
        "efficiency": hazards.EFFICIENCY,
        "cooperation_rate": hazards.COOPERATION_RATE,
        "claim_low": hazards.CLAIM_LOW,
        "claim_high": hazards.CLAIM_HIGH,
    },
    # The game is not SEPO's; these are the weights of the dilemma, which asks the same of a player.
    weights=(2.4, 1.0, 1.8),
)

DOMAIN = Domain(split_items, CORRECTED, cooperation=hazards.COOPERATION)

__all__ = ["DOMAIN", "SplitItems", "split_items"]
