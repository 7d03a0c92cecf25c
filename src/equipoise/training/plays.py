"""How a run plays: for every game, and for every objective of a game, by its own play."""

from __future__ import annotations

from pathlib import Path

from equipoise.training.exact_play import Bonuses, ExactPlay
from equipoise.training.experience import SepoPlay
from equipoise.training.joint import JointPlay, SummedPlay
from equipoise.training.play import Play
from equipoise.training.recipe import Recipe, Task
from equipoise.training.self_play import Credit, SelfPlay
from equipoise.training.settings import Fading
from equipoise.training.two_agents import TwoAgentPlay


def plays_of(recipe: Recipe, population: Path) -> JointPlay:
    """All that a step of a run plays.

    Args:
        recipe: The run's; what it may not ask for it has refused.
        population: Where past selves are kept, in a folder for each game.

    Raises:
        UserError: For an adversary, or an exact gradient, in a game that is too large.
    """
    return JointPlay({task.game.name: _play(recipe, task, population / task.game.name) for task in recipe.tasks})


def _play(recipe: Recipe, task: Task, population: Path) -> Play:
    objective = task.objective
    plays: dict[str, Play] = {}
    if objective.self_play is not None:
        credit = Credit(objective.self_play, task.weights, _entropy(recipe, task))
        kind = TwoAgentPlay if task.self_play.agents == "two" else SelfPlay
        plays["self_play"] = kind(task.game, task.profile, task.self_play, task.past, credit, population)
    if objective.pools is not None:
        pools = {"sampled": _sampled, "exact": _exact}[recipe.rl.gradient]
        plays["pools"] = pools(recipe, task)
    return SummedPlay(plays)


def _sampled(recipe: Recipe, task: Task) -> Play:
    credits = task.objective.pools
    assert credits is not None
    return SepoPlay(task.game, task.profile, task.play, task.weights, credits, entropy=_entropy(recipe, task))


def _exact(recipe: Recipe, task: Task) -> Play:
    objective = task.objective
    assert objective.expectation is not None
    mixed = Fading(objective.legal_entropy, 2.0, recipe.rl.steps)
    bonuses = Bonuses(_entropy(recipe, task), objective.legal, mixed)
    most = recipe.rl.pass_tokens
    return ExactPlay(task.game, task.profile, task.play, task.weights, objective.expectation, bonuses, most)


def _entropy(recipe: Recipe, task: Task) -> Fading:
    """The coefficient of the bonus for the entropy of replies over the run."""
    return Fading(task.objective.entropy, task.objective.entropy_power, recipe.rl.steps)
