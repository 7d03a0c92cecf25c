"""Equipoise: strategically safe language-model agents, trained and audited.

The names below are the public interface. They are imported when first used, so that `import equipoise` is instant and
loads no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from equipoise.arena import Match, against, rollout
    from equipoise.core import Decision, Episode, Estimate, Event, Fault, Game, Opponent, Pools, Reply, State
    from equipoise.games import domain, make_game
    from equipoise.lab.audit import audit
    from equipoise.metrics import (
        best_response,
        nash_conv,
        payoff,
        pool_exploitability,
        worst_case_advantage,
    )
    from equipoise.models.load import load
    from equipoise.objectives import CreditBatch, CreditWeights, own_pool
    from equipoise.policies import Policy, ScriptedPolicy, TabularPolicy
    from equipoise.policies.language_model import LanguageModelPolicy, Sampling
    from equipoise.training.recipe import Recipe, load_recipe
    from equipoise.training.run import train

__version__ = "0.1.0"

_HOMES = {
    "equipoise.arena": ("Match", "against", "rollout"),
    "equipoise.core": (
        "Decision",
        "Episode",
        "Estimate",
        "Event",
        "Fault",
        "Game",
        "Opponent",
        "Pools",
        "Reply",
        "State",
    ),
    "equipoise.games": ("domain", "make_game"),
    "equipoise.metrics": ("best_response", "nash_conv", "payoff", "pool_exploitability", "worst_case_advantage"),
    "equipoise.models.load": ("load",),
    "equipoise.objectives": ("CreditBatch", "CreditWeights", "own_pool"),
    "equipoise.policies": ("Policy", "ScriptedPolicy", "TabularPolicy"),
    "equipoise.policies.language_model": ("LanguageModelPolicy", "Sampling"),
    "equipoise.lab.audit": ("audit",),
    "equipoise.training.recipe": ("Recipe", "load_recipe"),
    "equipoise.training.run": ("train",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "CreditBatch",
    "CreditWeights",
    "Decision",
    "Episode",
    "Estimate",
    "Event",
    "Fault",
    "Game",
    "LanguageModelPolicy",
    "Match",
    "Opponent",
    "Policy",
    "Pools",
    "Recipe",
    "Reply",
    "Sampling",
    "ScriptedPolicy",
    "State",
    "TabularPolicy",
    "against",
    "audit",
    "best_response",
    "domain",
    "load",
    "load_recipe",
    "make_game",
    "nash_conv",
    "own_pool",
    "payoff",
    "pool_exploitability",
    "rollout",
    "train",
    "worst_case_advantage",
]


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        return getattr(import_module(_HOME_OF[name]), name)
    raise AttributeError(f"module 'equipoise' has no attribute {name!r}; public names: {', '.join(__all__)}")
