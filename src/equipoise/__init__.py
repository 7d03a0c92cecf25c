"""Equipoise: strategically safe language-model agents, trained and audited.

The names below are the public interface (docs/api.md says what each is for). They are imported when first used, so that
`import equipoise` is instant and loads no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from equipoise.arena import Match, against, rollout
    from equipoise.core import Decision, Episode, Estimate, Event, Fault, Game, Opponent, Pools, Reply, State
    from equipoise.engines.local import LocalEngine
    from equipoise.errors import UserError
    from equipoise.games import Domain, domain, make_game
    from equipoise.lab.audit import AuditSettings, audit
    from equipoise.lab.crossplay import crossplay
    from equipoise.lab.results import AuditResult, CrossplayResult, StudyResult, load_result
    from equipoise.metrics import best_response, nash_conv, payoff, worst_case_advantage
    from equipoise.models.load import load
    from equipoise.objectives import CreditBatch, CreditWeights, Rule
    from equipoise.policies import Policy, ScriptedPolicy, TabularPolicy
    from equipoise.policies.language_model import LanguageModelPolicy, Sampling
    from equipoise.registry import find
    from equipoise.training.recipe import Recipe, default_recipe, load_recipe
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
    "equipoise.engines.local": ("LocalEngine",),
    "equipoise.errors": ("UserError",),
    "equipoise.games": ("Domain", "domain", "make_game"),
    "equipoise.lab.audit": ("AuditSettings", "audit"),
    "equipoise.lab.crossplay": ("crossplay",),
    "equipoise.lab.results": ("AuditResult", "CrossplayResult", "StudyResult", "load_result"),
    "equipoise.metrics": ("best_response", "nash_conv", "payoff", "worst_case_advantage"),
    "equipoise.models.load": ("load",),
    "equipoise.objectives": ("CreditBatch", "CreditWeights", "Rule"),
    "equipoise.policies": ("Policy", "ScriptedPolicy", "TabularPolicy"),
    "equipoise.policies.language_model": ("LanguageModelPolicy", "Sampling"),
    "equipoise.registry": ("find",),
    "equipoise.training.recipe": ("Recipe", "default_recipe", "load_recipe"),
    "equipoise.training.run": ("train",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "AuditResult",
    "AuditSettings",
    "CreditBatch",
    "CreditWeights",
    "CrossplayResult",
    "Decision",
    "Domain",
    "Episode",
    "Estimate",
    "Event",
    "Fault",
    "Game",
    "LanguageModelPolicy",
    "LocalEngine",
    "Match",
    "Opponent",
    "Policy",
    "Pools",
    "Recipe",
    "Reply",
    "Rule",
    "Sampling",
    "ScriptedPolicy",
    "State",
    "StudyResult",
    "TabularPolicy",
    "UserError",
    "against",
    "audit",
    "best_response",
    "crossplay",
    "default_recipe",
    "domain",
    "find",
    "load",
    "load_recipe",
    "load_result",
    "make_game",
    "nash_conv",
    "payoff",
    "rollout",
    "train",
    "worst_case_advantage",
]


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        return getattr(import_module(_HOME_OF[name]), name)
    raise AttributeError(f"module 'equipoise' has no attribute {name!r}; public names: {', '.join(__all__)}")
