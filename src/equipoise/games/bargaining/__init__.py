"""Bargaining over three items with private values (SEPO's second negotiation): rules, opponents, hazards."""

from equipoise.games.bargaining.profiles import CORRECTED, PUBLISHED
from equipoise.games.bargaining.rules import Bargaining
from equipoise.games.domain import Domain

DOMAIN = Domain(Bargaining, CORRECTED, PUBLISHED)

__all__ = ["DOMAIN", "Bargaining"]
