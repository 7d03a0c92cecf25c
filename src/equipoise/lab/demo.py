"""The demo: a small language model goes from exploitable to almost exactly Nash at Kuhn poker.

Four agents, side by side: the embedded base model, the same after imitating scripted players, after SEPO against
scripted pools, and after SEPO against the exact best response. Every trained arm runs under several seeds. Each
(arm, seed) is a result of its own, computed once; an interrupted demo continues where it stopped.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from equipoise.core import Estimate
from equipoise.lab.audit import AuditSettings, audit_result
from equipoise.lab.model_audit import Way, audited_model, curves_of
from equipoise.lab.results import AgentAudit, AuditResult, Made, Settings, now
from equipoise.lab.store import ResultCodec, Store
from equipoise.lab.study_run import chosen
from equipoise.metrics import over_seeds
from equipoise.training.recipe import Recipe, find_recipe, load_recipe
from equipoise.training.run import train, versions

ARMS = {"base": "Base", "sft": "SFT", "sepo_pool": "SEPO, pool", "sepo_best_response": "SEPO, best response"}
RECIPES = {
    "sft": "kuhn_poker/sft",
    "sepo_pool": "kuhn_poker/pool",
    "sepo_best_response": "kuhn_poker/best_response",
}
KEPT = 120
"""Conversations kept of every agent."""


@dataclass(frozen=True)
class DemoSettings:
    """How large the demo is.

    Attributes:
        seeds: Training seeds of every trained arm.
        deals: Common deals of every audit.
        overrides: Recipe overrides for every arm.
    """

    seeds: tuple[int, ...] = (0, 1, 2)
    deals: int = 500
    overrides: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        AuditSettings(deals=self.deals)


def demo(out: Path, settings: DemoSettings, say: Callable[[str], None]) -> AuditResult:
    """Runs or continues the demo in `out` and returns its result."""
    folder = out / "cells"
    recipes = {f"{arm}-{seed}": _recipe(folder, arm, seed, settings) for arm in RECIPES for seed in settings.seeds}
    recipes = {"base-0": _base(next(iter(recipes.values()))), **recipes}

    def made_by(key: str) -> Settings:
        return {"deals": settings.deals, "recipe": chosen(recipes[key])}

    def compute(key: str) -> AuditResult:
        cell = _cell(key, folder / key, recipes[key], settings.deals)
        value = cell.agents[0].estimates["nash_conv"].value
        say(f"{_label(key)}: exact NashConv {value:.4f} ({cell.made.seconds:.0f} s)")
        return cell

    store = Store(folder, "cell", ResultCodec(AuditResult), made_by=made_by)
    store.open()
    cells = {key: store.result(key, compute) for key in recipes}
    return _summed([(key.rpartition("-")[0], cell) for key, cell in cells.items()], settings)


def _recipe(folder: Path, arm: str, seed: int, settings: DemoSettings) -> Recipe:
    start = "tiny" if arm == "sft" else str(folder / f"sft-{seed}" / "model")
    fixed = [f"model={json.dumps(start)}", f"seed={seed}", *(["rl.steps=0"] if arm == "sft" else [])]
    return load_recipe(find_recipe(RECIPES[arm]), (*settings.overrides, *fixed))


def _base(recipe: Recipe) -> Recipe:
    """How the base model is audited: untrained, in the same game and run in the same way as an arm of this recipe."""
    return Recipe(
        game=recipe.game,
        game_parameters=recipe.game_parameters,
        sampling=recipe.sampling,
        hardware=recipe.hardware,
    )


def _label(key: str) -> str:
    arm, _, seed = key.rpartition("-")
    return f"{ARMS[arm]}, seed {seed}"


def _cell(key: str, folder: Path, recipe: Recipe, deals: int) -> AuditResult:
    """One cell: the agent trained, then audited."""
    arm, _, seed = key.rpartition("-")
    started, source = time.perf_counter(), "tiny"
    if arm != "base":
        source = str(train(recipe, folder, resume=(folder / "recipe.toml").exists(), label=_label(key)))
    trained = time.perf_counter() - started
    settings, game = AuditSettings(deals=deals, conversations=KEPT), recipe.tasks[0].game
    way = Way(recipe.sampling, recipe.hardware)
    found = audited_model(source, game, way, settings, "agent", ARMS[arm])
    agent = found.agent.model_copy(update={"name": arm, "train_seconds": float("nan") if arm == "base" else trained})
    curves = curves_of(folder / "metrics.jsonl", arm, int(seed))
    seconds = time.perf_counter() - started
    return audit_result(_label(key), game, [agent], settings, seconds, curves=curves, seeds=[int(seed)])


def _summed(cells: Sequence[tuple[str, AuditResult]], settings: DemoSettings) -> AuditResult:
    """The demo's result from its cells: every arm over its seeds."""
    first = cells[0][1]
    by_arm = {arm: [cell.agents[0] for name, cell in cells if name == arm] for arm in ARMS}
    made = Made(
        created=now(),
        command="make demo",
        seconds=sum(cell.made.seconds for _, cell in cells),
        versions=versions(),
    )
    return first.model_copy(
        update={
            "title": "A language model learns unexploitable Kuhn poker",
            "made": made,
            "agents": tuple(_over_seeds(agents) for agents in by_arm.values()),
            "curves": tuple(curve for _, cell in cells for curve in cell.curves),
            "seeds": settings.seeds,
            "notes": (
                "NashConv is exact: both best responses by walking the tree with the model's own probabilities, "
                "renormalised over legal words. The fault-aware value plays every fault as a forfeit of two chips.",
                "Payoff is against the train pool, pool exploitability against the exploiter pool; both seats, common "
                "deals.",
                f"Trained rows show the median over seeds and the range from the smallest to the largest; "
                f"{settings.deals} deals per audit. Policies and episodes are those of the seed with the median "
                "NashConv.",
            ),
        }
    )


def _over_seeds(agents: Sequence[AgentAudit]) -> AgentAudit:
    """One arm: its figures over seeds, the policy and the episodes of its median seed."""
    median = sorted(agents, key=lambda agent: agent.estimates["nash_conv"].value)[len(agents) // 2]
    names = [name for name in median.estimates if all(name in agent.estimates for agent in agents)]
    opponents = tuple(
        record.model_copy(
            update={
                field: over([getattr(agent.opponents[i], field) for agent in agents])
                for field in ("payoff", "gap", "regret")
                if getattr(record, field) is not None
            }
        )
        for i, record in enumerate(median.opponents)
    )
    return median.model_copy(
        update={
            "seeds": len(agents),
            "estimates": {name: over([agent.estimates[name] for agent in agents]) for name in names},
            "deals": {},
            "opponents": opponents,
            "train_seconds": sum(agent.train_seconds for agent in agents) / len(agents),
        }
    )


def over(estimates: Sequence[Estimate]) -> Estimate:
    """One estimate as it is; several, one for each seed, as their median and range."""
    return estimates[0] if len(estimates) == 1 else over_seeds([estimate.value for estimate in estimates])
