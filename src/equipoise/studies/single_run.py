"""Reports of one model, or of one training run: where it started, what it imitated, where it ended."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from equipoise.arena.records import write_episodes
from equipoise.core import FaultRule, Game
from equipoise.games import make_game
from equipoise.models.load import load
from equipoise.policies.language_model import LanguageModelPolicy, Sampling
from equipoise.studies.audit import Audit, AuditSettings, audit
from equipoise.studies.demo import read_curve
from equipoise.training.recipe import Recipe
from equipoise.training.run import versions


def report_of_run(recipe: Recipe, out: Path, deals: int) -> dict[str, Any]:
    """Audits the models of a finished run on common deals and returns the report.

    Args:
        recipe: What was run.
        out: Its folder.
        deals: Deals of each audit.
    """
    started = time.perf_counter()
    game = make_game(recipe.game, **recipe.game_parameters)
    stages = {"base": ("Base", recipe.model)}
    if recipe.demonstrations.experts and recipe.rl.steps:
        stages["sft"] = ("SFT", str(out / "sft"))
    stages["trained"] = ("Trained", str(out / "model"))
    audits = {
        agent: _audited(source, game, recipe.sampling, AuditSettings(deals=deals))
        for agent, (_, source) in stages.items()
    }
    write_episodes(out / "episodes.jsonl.gz", audits["trained"].episodes)
    labels = {agent: label for agent, (label, _) in stages.items()}
    report = _report(game, audits, labels, time.perf_counter() - started)
    curve = read_curve(out / "metrics.jsonl")
    if curve:
        report["curves"] = [{"agent": "trained", "label": "Trained", "seed": recipe.seed, "points": curve}]
    report["seeds"] = [recipe.seed]
    report["title"] = f"{recipe.game}: one training run"
    return report


def report_of_model(
    source: str,
    game: Game,
    *,
    deals: int,
    seed: int,
    fault_rule: FaultRule,
    temperature: float,
    max_new_tokens: int,
    episodes_to: Path | None,
) -> dict[str, Any]:
    """Audits one model and returns the report; the episodes go to `episodes_to`, compressed, where asked."""
    started = time.perf_counter()
    sampling = Sampling(temperature, max_new_tokens)
    settings = AuditSettings(deals=deals, seed=seed, fault_rule=fault_rule)
    found = _audited(source, game, sampling, settings)
    if episodes_to is not None:
        episodes_to.mkdir(parents=True, exist_ok=True)
        write_episodes(episodes_to / "episodes.jsonl.gz", found.episodes)
    report = _report(game, {"agent": found}, {"agent": source}, time.perf_counter() - started)
    report["title"] = f"{game.name}: audit of {source}"
    report["notes"].append(f"Fault rule: {fault_rule}. Temperature {temperature:g}. {deals} deals, seed {seed}.")
    return report


def _audited(source: str, game: Game, sampling: Sampling, settings: AuditSettings) -> Audit:
    model, tokenizer = load(source)
    return audit(LanguageModelPolicy("agent", model, tokenizer, sampling), game, settings)


def _report(game: Game, audits: dict[str, Audit], labels: dict[str, str], seconds: float) -> dict[str, Any]:
    first = next(iter(audits.values()))
    states = []
    for i, row in enumerate(first.table):
        agents = {
            agent: {"probabilities": found.table[i]["probabilities"], "outside": found.table[i]["outside"]}
            for agent, found in audits.items()
        }
        shared = {k: v for k, v in row.items() if k not in ("probabilities", "outside")}
        states.append({**shared, "agents": agents})
    return {
        "schema": 1,
        "game": game.name,
        "game_parameters": game.parameters,
        "unit": game.unit,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": seconds,
        "versions": versions(),
        "rows": [row_of(agent, labels[agent], found) for agent, found in audits.items()],
        "policy_table": {"states": states},
        "transcripts": [{**t, "agent": agent} for agent, found in audits.items() for t in found.transcripts],
        "context_spread": {agent: found.spread for agent, found in audits.items() if found.spread},
        "notes": _notes(game, audits),
    }


def row_of(agent: str, label: str, found: Audit) -> dict[str, Any]:
    """One row of a report from one audit."""
    estimates = {name: estimate.to_json() for name, estimate in found.estimates.items()}
    return {"agent": agent, "label": label, **estimates, "opponents": found.opponents, "faults": found.faults}


def _notes(game: Game, audits: dict[str, Audit]) -> list[str]:
    notes = [
        "Payoff is against the train pool, pool exploitability against the exploiter pool, both seats, common deals."
    ]
    if game.num_rounds > 1:
        notes.append("Exact figures are those of the first round; later rounds have earlier ones in their context.")
        for agent, found in audits.items():
            widest = max(found.spread, key=lambda row: row["sd"], default=None)
            if widest is not None:
                notes.append(
                    f"{agent}: over the contexts met in play the same decision varies most at {widest['state']}: "
                    f"mean {widest['mean']:.2f}, sd {widest['sd']:.2f}, range {widest['low']:.2f} to "
                    f"{widest['high']:.2f} over {widest['contexts']} contexts."
                )
    return notes
