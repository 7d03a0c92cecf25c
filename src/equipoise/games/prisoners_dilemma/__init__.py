"""The prisoner's dilemma: rules, opponents, hazards."""

from equipoise.games.domain import Domain
from equipoise.games.prisoners_dilemma.hazards import COOPERATION
from equipoise.games.prisoners_dilemma.profiles import CORRECTED, PUBLISHED
from equipoise.games.prisoners_dilemma.rules import PrisonersDilemma

DOMAIN = Domain(PrisonersDilemma, CORRECTED, PUBLISHED, cooperation=COOPERATION)

__all__ = ["DOMAIN", "PrisonersDilemma"]
