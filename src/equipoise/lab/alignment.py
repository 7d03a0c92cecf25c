"""The alignment study in miniature: three social dilemmas, every credit of self-play, several training seeds.

A cell is (game, arm, seed). All arms of a game start from the same embedded model and run the same recipe; an arm
changes one thing. Each trained agent then meets itself, a greedy and a cooperative script and the naively trained agent
of its seed, on common deals, and a fresh naive learner is trained against it.

Reference: the comparison of arXiv 2511.19405, whose arms also differ in entropy, steps, buffer and seats trained.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from equipoise.core import Game
from equipoise.errors import UserError
from equipoise.games import Profile
from equipoise.lab.agent_origin import fingerprint
from equipoise.lab.arms import Arm, cells_of, check_size, chosen, key, parts, shared, trained
from equipoise.lab.crossplay import CrossplaySettings, cooperation_in, met, talk_in
from equipoise.lab.crossplay_meeting import Meeting, meeting_of
from equipoise.lab.crossplay_table import cell_of, together_of
from equipoise.lab.probe import measure_probe, train_probe
from equipoise.lab.store import Record
from equipoise.lab.workers import Cell
from equipoise.models.load import load
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.policies.policy import Policy
from equipoise.policies.scripted import ScriptedPolicy
from equipoise.training.recipe import Recipe, find_recipe, load_recipe

AGENT, NAIVE = "agent", "naive"


@dataclass(frozen=True)
class Players:
    """The scripts of a game that every agent meets, and one that the tables show beside them.

    Attributes:
        greedy: Takes all it can, whatever the other does.
        cooperative: Does what is best for both together, whatever the other does.
        reciprocal: Cooperates with those who do.
    """

    greedy: str
    cooperative: str
    reciprocal: str

    def met(self) -> dict[str, str]:
        """The scripts that every agent meets, by the name of their role."""
        return {"greedy": self.greedy, "cooperative": self.cooperative}


PLAYERS = {
    "prisoners_dilemma": Players("always_defect", "always_cooperate", "tit_for_tat"),
    "split_items": Players("greedy", "welfare", "tit_for_tat"),
    "trust_and_split": Players("honest_greedy", "honest_cooperative", "honest_tit_for_tat"),
}


ARMS: dict[str, Arm] = {
    "start": Arm("Start model", "start", 1),
    "naive": Arm("Naive", "trained", 5, ('objective.rule="naive"',)),
    "sum_of_rewards": Arm("Sum of rewards", "trained", 5, ('objective.rule="sum_of_rewards"',)),
    "alignment": Arm("Advantage alignment", "trained", 5),
    "alignment_inclusive": Arm("Alignment, k <= t", "trained", 3, ('objective.rule="advantage_alignment_inclusive"',)),
    "without_past": Arm("Alignment without past selves", "trained", 3, ("past.probability=0.0",)),
    "without_baseline": Arm("Alignment without groups", "trained", 3, ('self_play.baseline="batch"',)),
    "alignment_sepo": Arm("Alignment + SEPO", "trained", 3, ('objective.rule=["advantage_alignment","sepo"]',)),
}


PROBE_STEPS = {"prisoners_dilemma": 60, "split_items": 40, "trust_and_split": 40}
"""Training steps of a probe: against the agents of seed 0 its pay has levelled off by then."""


@dataclass(frozen=True)
class AlignmentSettings:
    """How large the study is.

    Attributes:
        games: Which games.
        arms: Which arms.
        max_seeds: At most this many training seeds an arm.
        matches: Matches of every ordered pair of an evaluation.
        probe_steps: Training steps of every probe, by game.
        probe_rollouts: Episodes of each of its groups.
        overrides: Recipe overrides of every cell.
    """

    games: tuple[str, ...] = tuple(PLAYERS)
    arms: tuple[str, ...] = tuple(ARMS)
    max_seeds: int = 5
    matches: int = 256
    probe_steps: dict[str, int] = field(default_factory=lambda: dict(PROBE_STEPS))
    probe_rollouts: int = 8
    overrides: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for what, named, known in (("game", self.games, PLAYERS), ("arm", self.arms, ARMS)):
            unknown = sorted(set(named) - set(known))
            if unknown:
                raise UserError(f"unknown {what} {unknown[0]!r} of this study; known: {', '.join(known)}")
        check_size(self.arms, self.games, self.max_seeds)
        CrossplaySettings(self.matches)

    def planned(self, arm: str) -> int:
        """Training seeds of an arm."""
        return min(self.max_seeds, ARMS[arm].seeds)


QUICK = AlignmentSettings(
    max_seeds=1,
    matches=32,
    probe_steps=dict.fromkeys(PLAYERS, 5),
    probe_rollouts=4,
    overrides=("rl.steps=5", "self_play.rollouts=4"),
)
"""The whole study end to end, small: it shows that everything runs, not what trained agents do."""


def cells(settings: AlignmentSettings) -> list[Cell]:
    """The study's cells, one seed of everything before the next seed of anything."""
    arms = {name: ARMS[name] for name in settings.arms}
    return cells_of(settings.games, arms, settings.max_seeds, NAIVE, ("start", "trained"))


@dataclass(frozen=True)
class AlignmentStudy:
    """Computes cells.

    Attributes:
        settings: How large the study is.
        work: Where run folders go; they can be thrown away once the cells are finished.
    """

    settings: AlignmentSettings
    work: Path

    def __call__(self, name: str) -> Record:
        """The result of one cell."""
        game, arm, seed = parts(name)
        started = time.perf_counter()
        recipe = self.recipe(game, arm, seed)
        source = recipe.model
        if ARMS[arm].kind == "trained":
            source = str(trained(recipe, self._folder(game, arm, seed), name))
        ended = time.perf_counter()
        agents = {AGENT: _policy(AGENT, source, recipe), **scripted(recipe.tasks[0].profile, PLAYERS[game].met())}
        if arm != NAIVE:
            naive = shared(self.recipe(game, NAIVE, seed), self._folder(game, NAIVE, seed), key(game, NAIVE, seed))
            agents[NAIVE] = _policy(NAIVE, str(naive), recipe)
        figures = meetings(recipe.tasks[0].game, agents, AGENT, self.settings.matches)
        probe = self._probe(recipe, source, agents[AGENT], game, arm)
        return {
            "game": game,
            "arm": arm,
            "seed": seed,
            "train_seconds": ended - started,
            "seconds": time.perf_counter() - started,
            "met": figures,
            "probe": probe,
        }

    def recipe(self, game: str, arm: str, seed: int) -> Recipe:
        """The recipe of a cell."""
        changes = (*self.settings.overrides, f"seed={seed}", *ARMS[arm].overrides)
        return load_recipe(find_recipe(f"alignment/{game}"), changes)

    def made_by(self, name: str) -> dict[str, Any]:
        """What decides a cell's result; a stored cell made by anything else is refused."""
        game, arm, seed = parts(name)
        recipe, settings = self.recipe(game, arm, seed), self.settings
        return {
            "recipe": chosen(recipe),
            "start": fingerprint(recipe.model),
            "matches": settings.matches,
            "probe": {"steps": settings.probe_steps[game], "rollouts": settings.probe_rollouts},
        }

    def _probe(self, recipe: Recipe, source: str, agent: Policy, game: str, arm: str) -> dict[str, Any]:
        """What a fresh naive learner gains from the agent."""
        settings = self.settings
        folder = self.work / game / f"probe-{arm}-{recipe.seed}"
        learning = replace(recipe, self_play=replace(recipe.self_play, rollouts=settings.probe_rollouts))
        model = train_probe(learning, source, settings.probe_steps[game], folder)
        learner = _policy("probe", str(model), recipe)
        return measure_probe(recipe.tasks[0].game, agent, learner, CrossplaySettings(settings.matches)).to_json()

    def _folder(self, game: str, arm: str, seed: int) -> Path:
        return self.work / game / f"{arm}-{seed}"


def scripted(profile: Profile, roles: Mapping[str, str]) -> dict[str, Policy]:
    """Scripts of a profile as policies, each under the name of its role."""
    return {role: ScriptedPolicy(replace(profile.find(script), name=role)) for role, script in roles.items()}


def meetings(game: Game, agents: Mapping[str, Policy], agent: str, matches: int) -> dict[str, Any]:
    """What an agent and every opponent, itself included, earn from each other on common deals, as JSON.

    Args:
        game: What is played.
        agents: The agent and its opponents by name.
        agent: Whose meetings they are.
        matches: Matches of every ordered pair.

    Returns:
        By opponent: the figures of the agent there, those of the opponent, and what they reach together.
    """
    settings = CrossplaySettings(matches)
    cooperation, talk = cooperation_in(game), talk_in(game)
    found = {}
    for opponent in agents:
        played: dict[tuple[str, str], Meeting] = {}
        for pair in dict.fromkeys([(agent, opponent), (opponent, agent)]):
            played[pair] = meeting_of(met(game, agents, pair, settings), cooperation, talk)
        found[opponent] = {
            "agent": cell_of(played, agent, opponent).to_json(),
            "opponent": cell_of(played, opponent, agent).to_json(),
            "together": together_of(played, agent, opponent).to_json(),
        }
    return found


def _policy(name: str, source: str, recipe: Recipe) -> Policy:
    return LanguageModelPolicy(name, *load(source), recipe.sampling)
