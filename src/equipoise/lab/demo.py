"""The demo: a small language model goes from exploitable to almost exactly Nash at Kuhn poker.

Four agents, side by side: the embedded base model, the same after imitating scripted players, after SEPO against
scripted pools, and after SEPO against the exact best response. Every trained arm runs under several seeds. Each
(arm, seed) is a cell that writes its own file when it ends; an interrupted demo continues where it stopped.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from equipoise.core import Estimate
from equipoise.lab.arms import chosen
from equipoise.lab.audit import Audit, AuditSettings, audit
from equipoise.lab.store import JsonRecord, Record, Store
from equipoise.metrics import over_seeds
from equipoise.models.load import load
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.training.recipe import Recipe, find_recipe, load_recipe
from equipoise.training.run import train, versions

ARMS = {"base": "Base", "sft": "SFT", "sepo_pool": "SEPO, pool", "sepo_best_response": "SEPO, best response"}
RECIPES = {
    "sft": "kuhn_poker/sft",
    "sepo_pool": "kuhn_poker/pool",
    "sepo_best_response": "kuhn_poker/best_response",
}
ESTIMATES = (
    "nash_conv",
    "nash_conv_fault_aware",
    "worst_case_advantage",
    "pool_exploitability",
    "pool_exploitability_unclipped",
    "payoff",
    "robustness",
    "fault_rate",
    "max_state_fault",
)


@dataclasses.dataclass(frozen=True)
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


def demo(out: Path, settings: DemoSettings, say: Callable[[str], None]) -> dict[str, Any]:
    """Runs or continues the demo in `out` and returns its report."""
    folder = out / "cells"
    recipes = {"base-0": Recipe()} | {
        f"{arm}-{seed}": _recipe(folder, arm, seed, settings) for arm in RECIPES for seed in settings.seeds
    }

    def made_by(key: str) -> Record:
        return {"deals": settings.deals, "recipe": chosen(recipes[key])}

    def compute(key: str) -> Record:
        cell = _cell(key, folder / key, recipes[key], settings.deals)
        value = cell["estimates"]["nash_conv"]["value"]
        say(f"{_label(key)}: exact NashConv {value:.4f} ({cell['seconds']:.0f} s)")
        return cell

    store = Store(folder, "cell", JsonRecord(), made_by=made_by)
    store.open()
    return report([store.result(key, compute) for key in recipes], out, settings)


def _recipe(folder: Path, arm: str, seed: int, settings: DemoSettings) -> Recipe:
    start = "tiny" if arm == "sft" else str(folder / f"sft-{seed}" / "model")
    fixed = [f"model={json.dumps(start)}", f"seed={seed}", *(["rl.steps=0"] if arm == "sft" else [])]
    return load_recipe(find_recipe(RECIPES[arm]), (*settings.overrides, *fixed))


def _label(key: str) -> str:
    arm, _, seed = key.rpartition("-")
    return f"{ARMS[arm]}, seed {seed}"


def _cell(key: str, folder: Path, recipe: Recipe, deals: int) -> Record:
    """One cell: the agent trained, then audited."""
    arm, _, seed = key.rpartition("-")
    started, source = time.perf_counter(), "tiny"
    if arm != "base":
        source = str(train(recipe, folder, resume=(folder / "recipe.toml").exists(), label=_label(key)))
    model, tokenizer = load(source)
    trained = time.perf_counter()
    policy = LanguageModelPolicy("agent", model, tokenizer)
    found = audit(policy, recipe.tasks[0].game, AuditSettings(deals=deals))
    return {
        "arm": arm,
        "seed": int(seed),
        "train_seconds": trained - started,
        "seconds": time.perf_counter() - started,
        "curve": read_curve(folder / "metrics.jsonl"),
        **_audit_json(found),
    }


def _audit_json(found: Audit) -> dict[str, Any]:
    names = ("opponents", "faults", "table", "transcripts")
    estimates = {name: estimate.to_json() for name, estimate in found.estimates.items()}
    return {"estimates": estimates, **{name: getattr(found, name) for name in names}}


def read_curve(path: Path, game: str = "") -> list[dict[str, float]]:
    """The exact values along a run; a value belongs to the policy before its step's update.

    Args:
        path: The run's metrics.jsonl; where there is none the curve is empty.
        game: In a run of several games, whose metrics; they are named GAME/METRIC there.
    """
    if not path.is_file():
        return []
    prefix = f"{game}/" if game else ""
    points = []
    for text in path.read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        own = {name.removeprefix(prefix): value for name, value in line.items() if name.startswith(prefix)}
        if "nash_conv" in own:
            points.append({**own, "step": line["step"] - 1})
    return points


def report(cells: Sequence[dict[str, Any]], out: Path, settings: DemoSettings) -> dict[str, Any]:
    """The demo's report from its finished cells."""
    by_arm = {arm: [cell for cell in cells if cell["arm"] == arm] for arm in ARMS}
    return {
        "schema": 1,
        "title": "A language model learns unexploitable Kuhn poker",
        "game": "kuhn_poker",
        "game_parameters": {"hands": 1},
        "unit": "chips per hand",
        "command": "make demo",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": sum(cell["seconds"] for cell in cells),
        "seeds": list(settings.seeds),
        "versions": versions(),
        "rows": [_row(arm, members) for arm, members in by_arm.items()],
        "curves": [
            {"agent": cell["arm"], "label": ARMS[cell["arm"]], "seed": cell["seed"], "points": cell["curve"]}
            for cell in cells
            if cell["curve"]
        ],
        "policy_table": _policy_table(by_arm),
        "transcripts": [{**t, "agent": arm} for arm, members in by_arm.items() for t in members[0]["transcripts"][:2]],
        "notes": [
            "NashConv is exact: both best responses by walking the tree with the model's own probabilities, "
            "renormalised over legal words. The fault-aware value plays every fault as a forfeit of two chips.",
            "Payoff is against the train pool, pool exploitability against the exploiter pool; both seats, common "
            "deals.",
            f"Trained rows show the median over seeds and the range from the smallest to the largest; "
            f"{settings.deals} deals per audit.",
        ],
    }


def _row(arm: str, cells: Sequence[dict[str, Any]]) -> dict[str, Any]:
    row: dict[str, Any] = {"agent": arm, "label": ARMS[arm], "seeds": len(cells)}
    for name in ESTIMATES:
        row[name] = summary([cell["estimates"][name] for cell in cells])
    row["train_seconds"] = sum(cell["train_seconds"] for cell in cells) / len(cells) if arm != "base" else None
    row["faults"] = cells[0]["faults"]
    row["opponents"] = [
        {
            **opponent,
            "payoff": summary([cell["opponents"][i]["payoff"] for cell in cells]),
            "gap": summary([cell["opponents"][i]["gap"] for cell in cells]),
        }
        for i, opponent in enumerate(cells[0]["opponents"])
    ]
    return row


def summary(estimates: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One estimate as it is; several (one per seed) as their median and range."""
    if len(estimates) == 1:
        return estimates[0]
    summed: Estimate = over_seeds([estimate["value"] for estimate in estimates])
    return summed.to_json()


def _policy_table(by_arm: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """The probability of each action in every information state, for each arm's median seed."""
    medians = {arm: sorted(cells, key=_nash_conv)[len(cells) // 2] for arm, cells in by_arm.items()}
    first = next(iter(medians.values()))["table"]
    shared = ("seat", "state", "text", "actions", "nash_low", "nash_high")
    states = []
    for i, row in enumerate(first):
        agents = {
            arm: {"probabilities": cell["table"][i]["probabilities"], "outside": cell["table"][i]["outside"]}
            for arm, cell in medians.items()
        }
        states.append({**{key: row[key] for key in shared if key in row}, "agents": agents})
    return {"states": states}


def _nash_conv(cell: dict[str, Any]) -> float:
    value: float = cell["estimates"]["nash_conv"]["value"]
    return value
