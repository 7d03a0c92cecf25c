"""What a run tells of its policy on the way: exact figures for the curve, sampled indices for the choice of a model."""

from __future__ import annotations

from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.seeds import Seed, Use
from equipoise.training.adversaries import ExactCurve
from equipoise.training.recipe import Recipe
from equipoise.training.selection import sampled_index


class Curve:
    """The exact figures of the policy along a run, in every game that has some."""

    def __init__(self, recipe: Recipe, policy: LanguageModelPolicy) -> None:
        """Args: recipe: Which games, how many first rounds. policy: Whose figures."""
        self._policy, self._names = policy, [task.game.name for task in recipe.tasks]
        self._curves = {
            task.game.name: ExactCurve(task.game, recipe.rl.exact_rounds, task.profile.pools.exploiter)
            for task in recipe.tasks
            if policy.is_scored
        }

    def figures(self) -> dict[str, float]:
        """The figures by name, in a joint run with the game's name in front."""
        found = {name: curve.figures(self._policy) for name, curve in self._curves.items()}
        if len(self._names) == 1:
            return found.get(self._names[0], {})
        return {f"{name}/{key}": value for name, figures in found.items() for key, value in figures.items()}


def indices(recipe: Recipe, policy: LanguageModelPolicy) -> dict[str, float]:
    """The policy's SEPO index in every game, on the deals that a choice between policies is made on."""
    return {
        task.game.name: sampled_index(
            policy,
            task.game,
            task.profile,
            recipe.selection.deals,
            Seed(recipe.seed).at(Use.SELECTION, number),
            task.play.fault_rule,
        )
        for number, task in enumerate(recipe.tasks)
    }
