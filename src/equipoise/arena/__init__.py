"""The arena: who meets whom, and many episodes at once."""

from equipoise.arena.matchups import MOST_DEALS, Match, against, enumerated_deals
from equipoise.arena.rollout import rollout

__all__ = ["MOST_DEALS", "Match", "against", "enumerated_deals", "rollout"]
