"""The arena: who meets whom, and many episodes at once."""

from equipoise.arena.matchups import Match, against, enumerated_deals
from equipoise.arena.rollout import rollout

__all__ = ["Match", "against", "enumerated_deals", "rollout"]
