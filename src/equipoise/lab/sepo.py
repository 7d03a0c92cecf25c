"""SEPO's study in miniature: every game, every objective, several training seeds, one audit for all.

A cell is (game, arm, seed). The arms start from the same supervised model of their seed and differ in the objective and
its adversaries alone. All are audited on the same deals against the same opponents, some of which no training met, and
the weights audited are those of the checkpoint that did best on other deals.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from equipoise.errors import UserError
from equipoise.games import SEPO_GAMES, domain
from equipoise.lab.arms import Arm, cells_of, check_size, chosen, key, parts, shared, trained
from equipoise.lab.audit import Audit, AuditSettings, audit
from equipoise.lab.store import Record
from equipoise.lab.workers import Cell
from equipoise.models.load import load
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.policies.policy import Policy
from equipoise.policies.scripted import ScriptedPolicy
from equipoise.training.recipe import Recipe, find_recipe, load_recipe

ARMS: dict[str, Arm] = {
    "base": Arm("Base", "base", 1),
    "sft": Arm("SFT", "sft", 5, ("rl.steps=0",)),
    "payoff": Arm("Payoff alone", "trained", 5, ('objective.rule="payoff"',)),
    "own_pool": Arm("SEPO, own pool", "trained", 5, ('objective.rule="own_pool"',)),
    "own_pool_best_response": Arm("SEPO, own pool + adversary", "trained", 5, ('objective.rule="own_pool"',)),
    "welfare": Arm("Welfare", "trained", 3, ('objective.rule="welfare"',)),
    "shared_penalty": Arm("Shared penalty", "trained", 3, ('objective.rule="shared_penalty"',)),
    "independent_penalty": Arm("Independent penalty", "trained", 3, ('objective.rule="independent_penalty"',)),
}
ADVERSARIES: dict[str, tuple[str, ...]] = {"kuhn_poker": ('play.adversaries=["pool", "best_response"]',)}
"""How the arm own_pool_best_response plays its adversary; games too large to solve at every step learn theirs."""

LEARNED = ('play.adversaries=["pool", "learned"]', "play.refresh=10")


EXACT_ROUNDS = {"prisoners_dilemma": 8}
"""First rounds of the exact audit where a study takes more than an audit does unasked: all of the dilemma."""


@dataclass(frozen=True)
class SepoSettings:
    """How large the study is.

    Attributes:
        games: Which games.
        arms: Which arms.
        max_seeds: At most this many training seeds an arm.
        deals: Common deals of each audit.
        learned_episodes: Episodes the audit's learned adversary studies; 0 leaves it out.
        exact_rounds: First rounds the exact audit covers; None takes what fits, or `EXACT_ROUNDS`.
        overrides: Recipe overrides of every cell.
    """

    games: tuple[str, ...] = SEPO_GAMES
    arms: tuple[str, ...] = tuple(ARMS)
    max_seeds: int = 5
    deals: int = 48
    learned_episodes: int = 600
    exact_rounds: int | None = None
    overrides: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in self.games:
            domain(name)
        unknown = sorted(set(self.arms) - set(ARMS))
        if unknown:
            raise UserError(f"unknown arm {unknown[0]!r}; known: {', '.join(ARMS)}")
        check_size(self.arms, self.games, self.max_seeds)
        AuditSettings(deals=self.deals)

    def exact(self, game: str) -> int | None:
        """First rounds the exact audit of a game covers."""
        return EXACT_ROUNDS.get(game) if self.exact_rounds is None else self.exact_rounds

    def audit(self, game: str) -> AuditSettings:
        """The audit of every cell of a game."""
        rounds, episodes = self.exact(game), self.learned_episodes
        return AuditSettings(deals=self.deals, exact_rounds=rounds, learned_episodes=episodes, transcripts=1)


QUICK = SepoSettings(
    max_seeds=1,
    deals=24,
    learned_episodes=400,
    exact_rounds=1,
    overrides=("rl.steps=10", "selection.every=5", "sft.steps=30", "demonstrations.episodes=200"),
)
"""The whole study end to end, small: it shows that everything runs, not what trained agents do."""


def cells(settings: SepoSettings) -> list[Cell]:
    """The study's cells, one seed of everything before the next seed of anything."""
    arms = {name: ARMS[name] for name in settings.arms}
    return cells_of(settings.games, arms, settings.max_seeds, "sft", ("trained",))


@dataclass(frozen=True)
class SepoStudy:
    """Computes cells.

    Attributes:
        settings: How large the study is.
        work: Where run folders go; they can be thrown away once the cells are finished.
    """

    settings: SepoSettings
    work: Path

    def __call__(self, name: str) -> Record:
        """The result of one cell."""
        game, arm, seed = parts(name)
        started = time.perf_counter()
        recipe = self.recipe(game, arm, seed)
        source = self._trained(recipe, game, arm)
        ended = time.perf_counter()
        model, tokenizer = load(source)
        policy = LanguageModelPolicy("agent", model, tokenizer, recipe.sampling)
        found = self._audit(policy, recipe)
        folder = self._folder(game, arm, seed)
        return {
            "game": game,
            "arm": arm,
            "seed": seed,
            "train_seconds": ended - started,
            "seconds": time.perf_counter() - started,
            **audit_json(found),
            **_records(folder),
        }

    def recipe(self, game: str, arm: str, seed: int) -> Recipe:
        """The recipe of a cell; trained arms start from the supervised model of their seed."""
        fixed = [f"seed={seed}", *ARMS[arm].overrides]
        if arm == "own_pool_best_response":
            fixed += ADVERSARIES.get(game, LEARNED)
        if ARMS[arm].kind == "trained":
            start = str(self._folder(game, "sft", seed) / "model")
            fixed += [f"model={json.dumps(start)}", "demonstrations.experts={}"]
        return load_recipe(find_recipe(f"sepo/{game}"), (*self.settings.overrides, *fixed))

    def made_by(self, name: str) -> dict[str, Any]:
        """What decides a cell's result; a stored cell made by anything else is refused."""
        game, arm, seed = parts(name)
        recipe = self.recipe(game, arm, seed)
        if ARMS[arm].kind == "trained":
            recipe = replace(recipe, model=f"sft-{seed}")
        settings = self.settings
        exact = {"exact_rounds": settings.exact(game), "learned_episodes": settings.learned_episodes}
        return {"recipe": chosen(recipe), "deals": settings.deals, **exact}

    def reference(self, game: str, name: str) -> Audit:
        """The audit of a scripted reference player, on the study's deals."""
        recipe = load_recipe(find_recipe(f"sepo/{game}"))
        opponent = recipe.tasks[0].profile.find(name)
        return self._audit(ScriptedPolicy(replace(opponent, name="agent")), recipe)

    def _audit(self, policy: Policy, recipe: Recipe) -> Audit:
        game = recipe.tasks[0].game
        return audit(policy, game, replace(self.settings.audit(game.name), profile=recipe.profile))

    def _trained(self, recipe: Recipe, game: str, arm: str) -> str:
        """The folder of the cell's model, trained where it is not there yet."""
        if ARMS[arm].kind == "base":
            return recipe.model
        if ARMS[arm].kind == "trained":
            self.supervised(game, recipe.seed)
        return str(trained(recipe, self._folder(game, arm, recipe.seed), key(game, arm, recipe.seed)))

    def supervised(self, game: str, seed: int) -> None:
        """Makes sure that the supervised model of a seed exists: on a new machine its cell may be finished already."""
        shared(self.recipe(game, "sft", seed), self._folder(game, "sft", seed), key(game, "sft", seed))

    def _folder(self, game: str, arm: str, seed: int) -> Path:
        return self.work / game / f"{arm}-{seed}"


def audit_json(found: Audit) -> dict[str, Any]:
    """What a cell keeps of its audit."""
    return {
        "estimates": {name: estimate.to_json() for name, estimate in found.estimates.items()},
        "opponents": found.opponents,
        "faults": found.faults,
    }


def _records(folder: Path) -> dict[str, Any]:
    """What a run wrote beside its model: candidates of the selection, losses of supervised training."""
    records: dict[str, Any] = {}
    path = folder / "selection.json"
    if path.is_file():
        records["selection"] = json.loads(path.read_text(encoding="utf-8"))
    return records
