"""Which of a run's policies becomes its model: the one with the best SEPO index on deals of their own.

The deals are a stream of their own (`seeds.Use`), so they are neither those of training nor those of any audit, and all
candidates of a run meet the same ones. Exploitability in this index is by the exploiters that training meets: a choice
by held-out opponents would be a way to train on them, and the index that an audit reports is by them. A maximum over
candidates is biased upward: the index in selection.json is for choosing, the audit's for reporting.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.arena import against, rollout
from equipoise.core import Episode, FaultRule, Game
from equipoise.errors import UserError
from equipoise.games import Profile
from equipoise.metrics.sepo_index import components, index_over_grid
from equipoise.objectives.sepo import POOLS
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.policies.policy import Policy
from equipoise.policies.scripted import ScriptedPolicy
from equipoise.seeds import Seed
from equipoise.training.checkpoints import write_whole
from equipoise.training.play import AGENT


@dataclass(frozen=True)
class SelectionSettings:
    """Which policy of a run becomes its model.

    Attributes:
        every: Steps between two candidates, the last policy being one too; 0 switches the choice off: the last policy
            becomes the model.
        deals: Deals on which every candidate meets every opponent in both seats.
    """

    every: int = 0
    deals: int = 32

    def __post_init__(self) -> None:
        if self.every < 0 or self.deals < 1:
            raise UserError(f"got every={self.every}, deals={self.deals}; allowed: every >= 0, deals >= 1")


def sampled_index(
    policy: LanguageModelPolicy, game: Game, profile: Profile, deals: int, seed: Seed, fault_rule: FaultRule
) -> float:
    """The profile's SEPO index of a policy on sampled play: all pools but the held-out one, both seats, common deals.

    Its exploitability is by the exploiter pool, not by opponents that no training met as in an audit.

    Args:
        policy: Who is judged.
        game: At what.
        profile: Whose pools, hazards and weights count.
        deals: How many.
        seed: Keys everything.
        fault_rule: What a fault plays.
    """
    played: dict[str, list[Episode]] = {}
    for number, pool in enumerate(POOLS):
        players = profile.pools.of(pool)
        if players:
            policies: dict[str, Policy] = {player.name: ScriptedPolicy(player) for player in players}
            matches = against(AGENT, [player.name for player in players], [None] * deals)
            policies[AGENT] = policy
            played[pool] = rollout(game, policies, matches, seed=seed.at(number), fault_rule=fault_rule)
    found = components(played, AGENT, game, profile, exploiters="exploiter")
    (index,) = index_over_grid(
        found.u.value, found.e.value, found.c.value, found.x.value, found.scale, [profile.weights]
    )
    return index


class Selection:
    """The candidates of one run: their indices in selection.json, their weights in selection/ until one is chosen."""

    def __init__(
        self, folder: Path, judge: Callable[[], dict[str, float]], save: Callable[[Path], None], from_step: int = 0
    ) -> None:
        """Takes up what a run left behind.

        Args:
            folder: The run folder.
            judge: The current policy's index in every game.
            save: Saves the current policy to a folder, whole or not at all.
            from_step: Candidates after this step are dropped: a resumed run makes them again.
        """
        self._folder, self._judge, self._save = folder, judge, save
        self._path, self._weights = folder / "selection.json", folder / "selection"
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))["candidates"] if self._path.is_file() else []
        except (ValueError, KeyError, TypeError):
            raise UserError(f"{self._path} is damaged; start over with --force") from None
        self.candidates: list[dict[str, Any]] = [c for c in kept if c["step"] <= from_step and self._at(c).exists()]

    def consider(self, step: int) -> None:
        """Judges and saves the policy as it is after `step` steps, unless that was done."""
        if any(candidate["step"] == step for candidate in self.candidates):
            return
        games = self._judge()
        candidate = {"step": step, "sepo_index": float(np.mean(list(games.values()))), "games": games}
        shutil.rmtree(self._at(candidate), ignore_errors=True)
        self._weights.mkdir(exist_ok=True)
        self._save(self._at(candidate))
        self.candidates.append(candidate)
        self._write(None)

    def choose(self) -> Path:
        """The saved weights of the best candidate; of equal ones the later."""
        best = max(self.candidates, key=lambda c: (_number(c["sepo_index"]), c["step"]))
        self._write(best["step"])
        return self._at(best)

    def clear(self) -> None:
        """Removes the weights that were not chosen."""
        shutil.rmtree(self._weights, ignore_errors=True)

    def _at(self, candidate: dict[str, Any]) -> Path:
        return self._weights / f"step-{candidate['step']}"

    def _write(self, chosen: int | None) -> None:
        record = {"candidates": self.candidates, "chosen": chosen}
        write_whole(self._path, json.dumps(record, indent=1) + "\n")


def _number(value: float) -> float:
    return value if math.isfinite(value) else -math.inf
