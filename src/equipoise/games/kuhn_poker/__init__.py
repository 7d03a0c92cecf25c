"""Kuhn poker: rules, opponents, hazards."""

from equipoise.games.domain import Domain
from equipoise.games.kuhn_poker.opponents import equilibrium_range
from equipoise.games.kuhn_poker.profiles import CORRECTED, PUBLISHED
from equipoise.games.kuhn_poker.rules import KuhnPoker

DOMAIN = Domain(KuhnPoker, CORRECTED, PUBLISHED, equilibrium_range)

__all__ = ["DOMAIN", "KuhnPoker"]
