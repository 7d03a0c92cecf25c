"""A best-response probe in a folder: the learner's run, then what it gains, each done once.

    settings.json   what decides the probe          learner/   the learner's run folder
    result.json     what it gains, with intervals

A probe that is stopped goes on where it was. One that fails before the learner's first step leaves nothing.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from equipoise.core import Game
from equipoise.errors import UserError
from equipoise.lab.agent_origin import fingerprint, name_and_source, run_recipe
from equipoise.lab.crossplay import CrossplaySettings
from equipoise.lab.crossplay_agents import Agent, agents_of, policy_of
from equipoise.lab.probe import measure_probe, of_one_game, probe_recipe, train_probe
from equipoise.lab.results import GameRecord, Made, ProbeResult, now
from equipoise.lab.store import RESULT_KEY, ResultCodec, Store
from equipoise.lab.study_run import chosen
from equipoise.training.progress import Counting
from equipoise.training.recipe import Recipe, load_recipe
from equipoise.training.run import versions

LEARNER = "learner"


@dataclass(frozen=True)
class ProbeRun:
    """One probe of one agent.

    Attributes:
        agent: Who is probed.
        recipe: Of the learner.
        matches: Matches in each seat, beside as many of self-play.
        out: The folder.
    """

    agent: Agent
    recipe: Recipe
    matches: int
    out: Path

    @property
    def game(self) -> Game:
        """What is played."""
        return self.recipe.tasks[0].game

    @property
    def settings(self) -> CrossplaySettings:
        """How much is played to measure; a seed keys the learner's training and these matches alike."""
        return CrossplaySettings(self.matches, self.recipe.seed, self.recipe.tasks[0].self_play.fault_rule)

    @cached_property
    def store(self) -> Store[ProbeResult]:
        """Where the result is."""
        return Store(self.out, "probe", ResultCodec(ProbeResult), self._made_by())

    @property
    def learner(self) -> Path:
        """The learner's run folder."""
        return self.out / LEARNER

    def __call__(self, command: str = "", progress: Counting = lambda more, total: None) -> ProbeResult:
        """The result: read where it is finished, else computed, with what was computed before.

        Args:
            command: What makes it again.
            progress: Told of the matches that measure the learner, once it has learned.

        Raises:
            ValueError: For a folder of other settings, or a model that cannot be loaded.
            Interrupted: Ctrl-C while the learner learns; everything up to the last step is saved.
        """
        with self.store.opened(self.learner / "metrics.jsonl"):
            return self.store.result(RESULT_KEY, lambda _: self._computed(command, progress))

    def _computed(self, command: str, progress: Counting) -> ProbeResult:
        recipe, game, settings = self.recipe, self.game, self.settings
        model = train_probe(recipe, self.agent.source, recipe.rl.steps, self.learner)
        learner = Agent(LEARNER, str(model), "model", dataclasses.asdict(recipe.sampling))
        agent, probe = (policy_of(p, game, recipe.hardware) for p in (self.agent, learner))
        return ProbeResult(
            title=f"{game.name}: a naive learner against {self.agent.name}, which stays as it is",
            made=Made(created=now(), command=command, versions=versions()),
            game=GameRecord.of(game),
            agent=self.agent.participant(),
            learner={"start": recipe.model, "steps": recipe.rl.steps, "seed": recipe.seed},
            **dataclasses.asdict(settings),
            figures=measure_probe(game, agent, probe, settings, progress),
        )

    def _made_by(self) -> dict[str, Any]:
        """What decides the result; where the agent lies does not, if its content is known."""
        recipe = chosen(probe_recipe(self.recipe, self.agent.source, self.recipe.rl.steps))
        del recipe["past"]["frozen"]
        return {
            "game": self.game.name,
            "steps": self.recipe.rl.steps,
            "seed": self.recipe.seed,
            "matches": self.matches,
            "start": {"model": self.recipe.model, "content": fingerprint(self.recipe.model)},
            "recipe": recipe,
            "agent": self.agent.made_by(),
        }


def learner_recipe(text: str, named: str | None, changes: list[str], start: str | None) -> Recipe:
    """The recipe of a probe of an agent: of its own run, or the one that is named.

    Args:
        text: The agent as a user wrote it.
        named: A recipe by name or file, in place of the run's own.
        changes: Overrides, as section.key=value.
        start: What the learner starts from, without demonstrations; None for what the recipe says.

    Raises:
        ValueError: For an agent that is in no run folder where no recipe is named, or a recipe of several games.
    """
    _, source = name_and_source(text)
    path = run_recipe(source) if named is None else named
    if path is None:
        if "/" in source and not Path(source).exists():
            raise UserError(f"no folder {source!r}; give a run folder, or a hub id with --recipe")
        raise UserError(
            f"{source!r} is no run folder, so nothing says what it plays; give a run folder, or name a recipe: "
            "--recipe alignment/prisoners_dilemma"
        )
    recipe = of_one_game(load_recipe(path, changes))
    if start is not None:
        recipe = dataclasses.replace(
            recipe, model=start, demonstrations=dataclasses.replace(recipe.demonstrations, experts={})
        )
    return recipe


def probed(text: str, recipe: Recipe) -> Agent:
    """The agent that a user wrote, as a probe by this recipe meets it: it replies as the learner does.

    Raises:
        ValueError: For what is no model, or a model that was trained on other games.
    """
    (agent,) = agents_of([text], recipe.tasks[0].game, dataclasses.asdict(recipe.sampling))
    if agent.kind == "script":
        raise UserError(
            f"{agent.source!r} is a script, and a probe takes a model: beside a script its learner would also meet its "
            "own past selves; give a run folder, a model folder or an embedded model"
        )
    return dataclasses.replace(agent, source=str(Path(agent.source)))
