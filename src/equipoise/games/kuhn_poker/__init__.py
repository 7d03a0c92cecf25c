"""Kuhn poker: rules, opponents, hazards."""

from equipoise.games.domain import Domain, Hazard, Profile
from equipoise.games.kuhn_poker import hazards, opponents
from equipoise.games.kuhn_poker.rules import KuhnPoker

DOMAIN = Domain(
    KuhnPoker,
    Profile(
        pools=opponents.POOLS,
        collusion=Hazard(hazards.collusion, "nothing: a zero-sum game has nothing to collude about"),
        externality=Hazard(hazards.externality, "nothing: no third party bears a cost"),
    ),
    equilibrium=opponents.equilibrium_range,
)

__all__ = ["DOMAIN", "KuhnPoker"]
