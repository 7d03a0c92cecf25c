"""Splitting a pie (SEPO's first negotiation): rules, opponents, hazards."""

from equipoise.games.domain import Domain
from equipoise.games.split.profiles import CORRECTED, PUBLISHED
from equipoise.games.split.rules import Split

DOMAIN = Domain(Split, CORRECTED, PUBLISHED)

__all__ = ["DOMAIN", "Split"]
