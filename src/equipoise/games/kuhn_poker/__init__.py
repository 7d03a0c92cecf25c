"""Kuhn poker: rules, opponents, hazards."""

from equipoise.games.kuhn_poker.rules import KuhnPoker

__all__ = ["KuhnPoker"]
