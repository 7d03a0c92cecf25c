"""Reports of one model, or of one training run: where it started, what it imitated, where it ended."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from equipoise.arena.records import write_episodes
from equipoise.core import Game
from equipoise.errors import UserError
from equipoise.games import domain
from equipoise.lab.audit import Audit, AuditSettings, audit, exact_coverage
from equipoise.lab.demo import read_curve
from equipoise.models.load import load
from equipoise.policies.language_model import LanguageModelPolicy, Sampling
from equipoise.training.recipe import Recipe
from equipoise.training.run import versions


def report_of_run(recipe: Recipe, out: Path, deals: int, name: str | None = None) -> dict[str, Any]:
    """Audits the models of a finished run in one game on common deals and returns the report.

    Args:
        recipe: What was run.
        out: Its folder.
        deals: Deals of each audit.
        name: Which of the run's games; None takes the first.

    Raises:
        ValueError: For a game that the run did not train on.
    """
    started = time.perf_counter()
    chosen = recipe.names[0] if name is None else name
    if chosen not in recipe.names:
        raise UserError(f"the run did not train on {chosen!r}; its games: {', '.join(recipe.names)}")
    game = recipe.tasks[recipe.names.index(chosen)].game
    stages = {"base": ("Base", recipe.model)}
    if recipe.imitates and recipe.rl.steps:
        stages["sft"] = ("SFT", str(out / "sft"))
    stages["trained"] = ("Trained", str(out / "model"))
    settings = AuditSettings(deals=deals, profile=recipe.profile)
    audits = {agent: _audited(source, game, recipe.sampling, settings) for agent, (_, source) in stages.items()}
    several = len(recipe.names) > 1
    file = f"episodes-{chosen}.jsonl.gz" if several else "episodes.jsonl.gz"
    write_episodes(out / file, audits["trained"].episodes)
    labels = {agent: label for agent, (label, _) in stages.items()}
    report = _report(game, audits, labels, settings, time.perf_counter() - started)
    curve = read_curve(out / "metrics.jsonl", chosen if several else "")
    if curve:
        report["curves"] = [{"agent": "trained", "label": "Trained", "seed": recipe.seed, "points": curve}]
    report["seeds"] = [recipe.seed]
    report["title"] = f"{chosen}: one training run"
    return report


def report_of_model(
    source: str, game: Game, sampling: Sampling, settings: AuditSettings, episodes_to: Path | None = None
) -> dict[str, Any]:
    """Audits one model and returns the report.

    Args:
        source: A folder, a hub name, or "tiny".
        game: The game it plays.
        sampling: How it replies.
        settings: How much is played and computed.
        episodes_to: A folder for the episodes, compressed; None keeps none.
    """
    started = time.perf_counter()
    found = _audited(source, game, sampling, settings)
    if episodes_to is not None:
        episodes_to.mkdir(parents=True, exist_ok=True)
        write_episodes(episodes_to / "episodes.jsonl.gz", found.episodes)
    report = _report(game, {"agent": found}, {"agent": source}, settings, time.perf_counter() - started)
    report["title"] = f"{game.name}: audit of {source}"
    greedy = " (greedy: the same prompt gets the same reply)" if sampling.deterministic else ""
    report["notes"].append(
        f"Fault rule: {settings.fault_rule}. Temperature {sampling.temperature:g}{greedy}. {settings.deals} deals, "
        f"seed {settings.seed}. Profile: {settings.profile}."
    )
    return report


def _audited(source: str, game: Game, sampling: Sampling, settings: AuditSettings) -> Audit:
    model, tokenizer = load(source)
    return audit(LanguageModelPolicy("agent", model, tokenizer, sampling), game, settings)


def _report(
    game: Game, audits: dict[str, Audit], labels: dict[str, str], settings: AuditSettings, seconds: float
) -> dict[str, Any]:
    profile = domain(game.name).profile(settings.profile)
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
        "exact": _exact(game, audits),
        "hazards": {
            name: {"definition": h.definition, "unit": h.unit, "low": h.low, "high": h.high}
            for name, h in profile.measures.items()
        },
        "sepo": {
            "weights": list(settings.weights or profile.weights),
            "scale": game.scale if profile.scale is None else profile.scale,
        },
        "transcripts": [{**t, "agent": agent} for agent, found in audits.items() for t in found.transcripts],
        "context_spread": {agent: found.spread for agent, found in audits.items() if found.spread},
        "notes": _notes(audits),
    }


def row_of(agent: str, label: str, found: Audit) -> dict[str, Any]:
    """One row of a report from one audit: its estimates by name, the game's own figures under `figures`."""
    estimates = {name: estimate.to_json() for name, estimate in found.estimates.items()}
    row = {"agent": agent, "label": label, **{k: v for k, v in estimates.items() if k not in found.figures}}
    figures = {name: estimates[name] for name in found.figures if name in estimates}
    return {**row, "figures": figures, "opponents": found.opponents, "faults": found.faults}


def _exact(game: Game, audits: dict[str, Audit]) -> str | None:
    """Which rounds the exact figures of every agent speak for; None where there are none."""
    rounds = [int(a.estimates["exact_rounds"].value) for a in audits.values() if "exact_rounds" in a.estimates]
    return exact_coverage(game, min(rounds)) if rounds else None


def _notes(audits: dict[str, Audit]) -> list[str]:
    notes = [
        "Payoff and welfare are against the train pool, pool exploitability against the exploiter pool, collusion "
        "against the collusive pool, externality against train and exploiter pools, robustness against the held-out "
        "pool; both seats, common deals."
    ]
    notes += dict.fromkeys(note for found in audits.values() for note in found.notes)
    for agent, found in audits.items():
        widest = max(found.spread, key=lambda row: row["sd"], default=None)
        if widest is not None:
            notes.append(
                f"{agent}: over the contexts met in play the same decision varies most at {widest['state']}: "
                f"mean {widest['mean']:.2f}, sd {widest['sd']:.2f}, range {widest['low']:.2f} to "
                f"{widest['high']:.2f} over {widest['contexts']} contexts."
            )
    return notes
