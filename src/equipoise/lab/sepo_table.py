"""The SEPO study's table from its finished cells: arms, paired differences, and the index at other weights.

The unit of a trained arm's interval is the training seed: the mean over seeds with a t interval. The base model is one
model, so its figures keep the interval of their audit. Differences are paired by seed, because arms of one seed share
the supervised model they start from and the deals they are audited on.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from equipoise.core import Estimate, Game
from equipoise.lab.arms import table_head
from equipoise.lab.audit import exact_coverage
from equipoise.lab.hazard_nulls import hazard_nulls
from equipoise.lab.sepo import ARMS, SepoStudy, audit_json
from equipoise.lab.store import Record
from equipoise.lab.workers import Cell
from equipoise.metrics import clustered_mean, index_over_grid

DIFFERENCES: tuple[tuple[str, str], ...] = (
    ("own_pool", "base"),
    ("own_pool", "sft"),
    ("own_pool", "payoff"),
    ("own_pool", "welfare"),
    ("own_pool", "shared_penalty"),
    ("own_pool", "independent_penalty"),
    ("own_pool_best_response", "own_pool"),
    ("own_pool_best_response", "payoff"),
    ("payoff", "sft"),
    ("sft", "base"),
)
"""Pairs of arms whose difference is reported: (arm, minus)."""

DIFFERENCE_METRICS = ("sepo_index", "pool_exploitability", "worst_case_advantage", "worst_case_lower_bound", "welfare")
MULTIPLES = (0.5, 1.0, 2.0)
"""What each weight of the index is multiplied by, in all combinations; and all weights zero."""


def sepo_table(study: SepoStudy, listed: Sequence[Cell], results: Sequence[Record], command: str) -> dict[str, Any]:
    """The table of a study, finished or not, as `reports.write_study` takes it."""
    settings = study.settings
    return {
        **table_head("sepo", "SEPO in miniature: every game, every objective", command, listed, results),
        "settings": {
            "deals": settings.deals,
            "learned_episodes": settings.learned_episodes,
            "seeds": settings.max_seeds,
            "overrides": list(settings.overrides),
        },
        "notes": [
            "Trained rows: mean over training seeds with a 95 % t interval; the unit is the seed. The base model is "
            "one: its intervals are those of its audit, over deals. Reference rows are scripted players.",
            "All agents are audited on the same deals, in both seats, against the same opponents; the held-out pool "
            "is never trained on; checkpoints are chosen on other deals.",
        ],
        "games": [
            _game(study, name, [r for r in results if r["game"] == name])
            for name in settings.games
            if any(r["game"] == name for r in results)
        ],
        "gradients": None,
    }


def _game(study: SepoStudy, name: str, results: Sequence[Record]) -> dict[str, Any]:
    task = study.recipe(name, "base", 0).tasks[0]
    game, profile, scale = task.game, task.profile, task.weights.scale
    by_arm = {arm: sorted((r for r in results if r["arm"] == arm), key=lambda r: int(r["seed"])) for arm in ARMS}
    by_arm = {arm: cells for arm, cells in by_arm.items() if cells}
    nulls = hazard_nulls(game, profile, study.settings.deals, 0)
    return {
        "game": name,
        "unit": game.unit,
        "zero_sum": game.zero_sum,
        "rounds": game.num_rounds,
        "scale": scale,
        "weights": list(profile.weights),
        "exact": _exact(game, results),
        "hazards": {
            hazard: {
                "definition": meaning.definition,
                "unit": meaning.unit,
                "low": meaning.low,
                "high": meaning.high,
                "null": {who: estimate.to_json() for who, estimate in nulls.get(hazard, {}).items()},
            }
            for hazard, meaning in profile.measures.items()
        },
        "rows": [*(_row(arm, cells) for arm, cells in by_arm.items()), *_references(study, name)],
        "differences": differences(by_arm),
        "lambda_grid": lambda_grid(by_arm, profile.weights, scale),
        "sft_effect": _sft_effect(by_arm),
        "planned": {arm: min(study.settings.max_seeds, ARMS[arm].seeds) for arm in study.settings.arms},
    }


def _row(arm: str, cells: Sequence[Record]) -> dict[str, Any]:
    names = [n for n in cells[0]["estimates"] if all(n in cell["estimates"] for cell in cells)]
    estimates = {name: _over_seeds(arm, [cell["estimates"][name] for cell in cells]) for name in names}
    label = ARMS[arm].label
    return {"arm": arm, "label": label, "seeds": len(cells), "kind": ARMS[arm].kind, "estimates": estimates}


def _over_seeds(arm: str, estimates: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The mean over training seeds with its interval; the base model's one audit as it is."""
    if ARMS[arm].kind == "base":
        return dict(estimates[0])
    values = [estimate["value"] for estimate in estimates]
    if any(value is None for value in values):
        return Estimate(float("nan"), float("nan"), float("nan"), len(values), method="not measured").to_json()
    return clustered_mean(values, range(len(values)), method="t over seeds").to_json()


def _references(study: SepoStudy, name: str) -> list[dict[str, Any]]:
    profile = study.recipe(name, "base", 0).tasks[0].profile
    players = dict.fromkeys([*(player.name for player in profile.pools.train[:1]), *profile.references.values()])
    return [
        {
            "arm": player,
            "label": player.replace("_", " "),
            "seeds": 0,
            "kind": "reference",
            "estimates": audit_json(study.reference(name, player))["estimates"],
        }
        for player in players
    ]


def differences(by_arm: Mapping[str, Sequence[Record]]) -> list[dict[str, Any]]:
    """Paired differences between arms, each a mean over the seeds both have with a t interval over seeds."""
    found = []
    for arm, minus in DIFFERENCES:
        if arm not in by_arm or minus not in by_arm:
            continue
        for metric in DIFFERENCE_METRICS:
            pairs = _pairs(by_arm[arm], by_arm[minus], metric, shared=minus == "base")
            if pairs:
                gaps = [a - b for a, b in pairs]
                estimate = clustered_mean(gaps, range(len(gaps)), method="paired t over seeds")
                found.append({"arm": arm, "minus": minus, "metric": metric, "estimate": estimate.to_json()})
    return found


def _pairs(
    cells: Sequence[Record], others: Sequence[Record], metric: str, *, shared: bool
) -> list[tuple[float, float]]:
    """The metric of both arms, seed by seed; the one base model stands beside every seed."""
    theirs = {int(cell["seed"]): _value(cell, metric) for cell in others}
    pairs = []
    for cell in cells:
        own, other = _value(cell, metric), theirs.get(0 if shared else int(cell["seed"]))
        if own is not None and other is not None:
            pairs.append((own, other))
    return pairs


def _value(cell: Record, metric: str) -> float | None:
    estimate = cell["estimates"].get(metric)
    return None if estimate is None else estimate["value"]


def lambda_grid(
    by_arm: Mapping[str, Sequence[Record]], weights: tuple[float, float, float], scale: float
) -> list[dict[str, Any]]:
    """The SEPO index of every arm at other weights, from the stored components, and which arm is best there."""
    grid = [tuple(w * m for w, m in zip(weights, ms, strict=True)) for ms in itertools.product(MULTIPLES, repeat=3)]
    grid = list(dict.fromkeys([(0.0, 0.0, 0.0), *grid]))
    indices: dict[str, list[float]] = {}
    for arm, cells in by_arm.items():
        per_cell = [index_over_grid(*_components(cell), scale, grid) for cell in cells]
        indices[arm] = [sum(column) / len(cells) for column in zip(*per_cell, strict=True)]
    return [
        {
            "weights": list(point),
            "index": {arm: values[i] for arm, values in indices.items()},
            "best": max(indices, key=lambda arm: indices[arm][i]),
        }
        for i, point in enumerate(grid)
    ]


def _components(cell: Record) -> tuple[float, float, float, float]:
    """u, e, c and x of a cell; a component whose pool is empty counts as 0."""
    u, e, c, x = (_value(cell, n) or 0.0 for n in ("payoff", "pool_exploitability", "collusion", "externality"))
    return u, e, c, x


def _sft_effect(by_arm: Mapping[str, Sequence[Record]]) -> dict[str, Any]:
    """What imitation did to exploitability: SFT minus base."""
    names = {"pool_exploitability": "pool_exploitability", "worst_case": "worst_case_advantage"}
    found = {}
    for label, metric in names.items():
        pairs = _pairs(by_arm.get("sft", ()), by_arm.get("base", ()), metric, shared=True)
        if pairs:
            gaps = [a - b for a, b in pairs]
            found[label] = clustered_mean(gaps, range(len(gaps)), method="paired t over seeds").to_json()
    return found


def _exact(game: Game, results: Sequence[Record]) -> str | None:
    covered = {result["estimates"].get("exact_rounds", {}).get("value") for result in results} - {None}
    return exact_coverage(game, int(min(covered))) if covered else None
