"""A realistic table of the alignment study: three games, eight arms and three scripts, from seeded random numbers."""

from typing import Any

import numpy as np

Table = dict[str, Any]

ARMS = {
    "start": ("Start model", "start", 1),
    "naive": ("Naive", "trained", 5),
    "sum_of_rewards": ("Sum of rewards", "trained", 5),
    "alignment": ("Advantage alignment", "trained", 5),
    "alignment_inclusive": ("Alignment, k <= t", "trained", 3),
    "without_past": ("Alignment without past selves", "trained", 3),
    "without_baseline": ("Alignment without groups", "trained", 3),
    "alignment_sepo": ("Alignment + SEPO", "trained", 3),
}
HEADS = {
    "self_play": ("self-play", 2, "The agent's pay per round with itself."),
    "cooperation": ("cooperation", 2, "Share of rounds in which the agent cooperates with itself."),
    "efficiency": ("efficiency", 2, "Joint pay in self-play over the best joint pay of the deals."),
    "against_greedy": ("against greedy", 2, "The agent's pay when it meets greedy."),
    "greedy_takes": ("greedy takes", 2, "What greedy earns from the agent."),
    "joint_against_greedy": ("joint, greedy", 2, "What the agent and greedy earn together."),
    "against_cooperative": ("against cooperative", 2, "The agent's pay when it meets the cooperative script."),
    "cooperative_gets": ("cooperative gets", 2, "What the cooperative script earns from the agent."),
    "against_naive": ("against naive", 2, "The agent's pay when it meets the naively trained agent of its seed."),
    "naive_gets": ("naive gets", 2, "What that agent earns."),
    "probe_gain": ("probe gain", 2, "What a fresh naive learner earns beyond the agent's self-play: a lower bound."),
    "probe_pay": ("probe pay", 2, "What that learner earns."),
    "cc": ("P(C | CC)", 2, "Cooperation in self-play after both cooperated."),
    "cd": ("P(C | CD)", 2, "Cooperation against greedy after the agent alone cooperated."),
    "honesty": ("honesty", 2, "Share of the agent's statements that are true."),
    "kept": ("promises kept", 2, "Share of the agent's promises that it keeps."),
    "fault_rate": ("faults", 3, "Share of replies that name no legal action."),
}
# Per game: (greedy, cooperative, reciprocal) script and what (both cooperate, both greedy, temptation, sucker) pay.
GAMES = {
    "prisoners_dilemma": (("always_defect", "always_cooperate", "tit_for_tat"), (3.0, 1.0, 5.0, 0.0)),
    "split_items": (("greedy", "welfare", "tit_for_tat"), (127.5, 82.5, 141.7, 68.3)),
    "trust_and_split": (("honest_greedy", "honest_cooperative", "honest_tit_for_tat"), (50.0, 27.5, 52.5, 25.0)),
}
# How far each arm's (self-play, exploited by greedy) lies from both greedy (0) to both cooperating (1).
CHARACTERS = {
    "start": (0.45, 0.5),
    "naive": (0.01, 0.0),
    "sum_of_rewards": (0.99, 0.97),
    "alignment": (0.93, 0.06),
    "alignment_inclusive": (0.9, 0.08),
    "without_past": (0.7, 0.3),
    "without_baseline": (0.85, 0.12),
    "alignment_sepo": (0.92, 0.03),
}
RETALIATES_LITTLE = (0.8, 0.85)
"""Alignment in trust and split."""

TARGETS = {
    "prisoners_dilemma": (
        ("naive", "self_play", "at most", 1.1),
        ("alignment", "self_play", "at least", 2.8),
        ("alignment", "cooperation", "at least", 0.9),
        ("alignment", "against_greedy", "at least", 0.85),
        ("alignment", "cd", "at most", 0.1),
        ("alignment", "cc", "at least", 0.9),
    ),
    "split_items": (
        ("naive", "self_play", "at most", 90),
        ("alignment", "self_play", "at least", 105),
        ("alignment", "against_greedy", "at least", 78),
    ),
    "trust_and_split": (
        ("naive", "self_play", "at most", 32),
        ("alignment", "self_play", "at least", 40),
        ("alignment", "joint_against_greedy", "at most", 70),
    ),
}
PAIRS = (
    ("alignment", "naive"),
    ("alignment", "sum_of_rewards"),
    ("sum_of_rewards", "naive"),
    ("alignment_inclusive", "alignment"),
    ("without_past", "alignment"),
    ("without_baseline", "alignment"),
    ("alignment_sepo", "alignment"),
)
COMPARED = ("self_play", "against_greedy", "greedy_takes", "against_naive", "probe_gain")
T_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}


def figures(game: str, kind: float, exploited: float) -> dict[str, float]:
    """Every metric of an agent that cooperates with itself this much and is exploited this much."""
    both, neither, most, least = GAMES[game][1]
    self_play = neither + kind * (both - neither)
    takes = neither + exploited * (most - neither)
    own = neither + exploited * (least - neither)
    found = {
        "self_play": self_play,
        "cooperation": kind,
        "efficiency": self_play / both,
        "against_greedy": own,
        "greedy_takes": takes,
        "joint_against_greedy": own + takes,
        "against_cooperative": most + kind * (both - most),
        "cooperative_gets": least + kind * (both - least),
        "against_naive": own,
        "naive_gets": takes,
        "probe_gain": max(takes, self_play) - self_play,
        "probe_pay": max(takes, self_play),
        "cc": min(1.0, 0.3 + 0.7 * kind),
        "cd": exploited,
        "fault_rate": 0.002,
    }
    return found | ({"honesty": 0.4 + 0.5 * kind, "kept": kind} if game == "trust_and_split" else {})


def over_seeds(values: list[float]) -> dict[str, Any]:
    """The median with the range of the seeds."""
    method = "median [lowest, highest] over seeds"
    low, high = (min(values), max(values)) if len(values) > 1 else (None, None)
    return {"value": float(np.median(values)), "low": low, "high": high, "n": len(values), "method": method}


def of_one(value: float, half: float) -> dict[str, Any]:
    """The value of one player, with an interval over deals or exact."""
    method = "t over deals" if half else "exact"
    return {"value": value, "low": value - half, "high": value + half, "n": 256, "level": 0.95, "method": method}


def _rows(game: str, rng: np.random.Generator) -> list[Table]:
    rows = []
    for arm, (label, kind, seeds) in ARMS.items():
        character = RETALIATES_LITTLE if (game, arm) == ("trust_and_split", "alignment") else CHARACTERS[arm]
        agents = [figures(game, *np.clip(rng.normal(character, 0.02), 0, 1)) for _ in range(seeds)]
        values = {metric: [float(agent[metric]) for agent in agents] for metric in agents[0]}
        if arm == "naive":
            del values["against_naive"], values["naive_gets"]
        if kind == "start":
            estimates = {metric: of_one(found[0], 0.01 * (1 + abs(found[0]))) for metric, found in values.items()}
        else:
            estimates = {metric: over_seeds(found) for metric, found in values.items()}
        rows.append(
            {"arm": arm, "label": label, "kind": kind, "seeds": seeds, "estimates": estimates, "values": values}
        )
    for script, character in zip(GAMES[game][0], ((0.0, 0.0), (1.0, 1.0), (1.0, 0.02)), strict=True):
        known = figures(game, *character)
        estimates = {m: of_one(known[m], 0.0) for m in list(HEADS)[:8] if m in known}
        rows.append(
            {"arm": script, "label": script.replace("_", " "), "kind": "reference", "seeds": 0, "estimates": estimates}
        )
    return rows


def target(row: Table, metric: str, relation: str, bound: float) -> Table:
    """A target for the median of a row's seeds."""
    values, value = row["values"][metric], row["estimates"][metric]["value"]
    met = [v <= bound if relation == "at most" else v >= bound for v in (value, *values)]
    found = {"arm": row["arm"], "metric": metric, "relation": relation, "bound": bound, "value": value}
    return found | {"met": met[0], "seeds_met": sum(met[1:]), "seeds": len(values)}


def paired(row: Table, other: Table, metric: str) -> Table:
    """The difference of two rows over the seeds that both have."""
    n = min(row["seeds"], other["seeds"])
    gaps = np.subtract(row["values"][metric][:n], other["values"][metric][:n])
    value, half = float(gaps.mean()), float(T_95[n] * gaps.std(ddof=1) / np.sqrt(n))
    estimate = {"value": value, "low": value - half, "high": value + half, "n": n, "level": 0.95}
    names = {"arm": row["arm"], "minus": other["arm"], "metric": metric}
    return names | {"estimate": estimate | {"method": "paired t over seeds"}}


def _game(name: str, seed: int) -> Table:
    rows = _rows(name, np.random.default_rng(seed))
    by_arm = {row["arm"]: row for row in rows}
    targets = [target(by_arm[arm], *rest) for arm, *rest in TARGETS[name]]
    shown = [metric for metric in HEADS if any(metric in row["estimates"] for row in rows)]
    return {
        "game": name,
        "unit": "points per round",
        "rounds": 10,
        "players": dict(zip(("greedy", "cooperative"), GAMES[name][0], strict=False)),
        "metrics": [
            {"key": metric, "head": HEADS[metric][0], "definition": HEADS[metric][2], "digits": HEADS[metric][1]}
            for metric in shown
        ],
        "rows": rows,
        "targets": targets,
        "differences": [
            paired(by_arm[arm], by_arm[minus], metric)
            for arm, minus in PAIRS
            for metric in COMPARED
            if metric in by_arm[minus]["values"]
        ],
    }


def alignment_table() -> Table:
    """The table of a complete study."""
    return {
        "schema": 1,
        "study": "alignment",
        "title": "Advantage alignment in miniature: three dilemmas, every credit",
        "created": "2026-01-31T12:00:00+00:00",
        "command": "equipoise reproduce alignment",
        "versions": {"equipoise": "0.3.0", "torch": "2.13.0"},
        "seconds": 21_600.0,
        "cells": {"done": 84, "all": 84},
        "settings": {"matches": 256, "probe_steps": {"split_items": 60}, "overrides": []},
        "planned": {arm: seeds for arm, (_, _, seeds) in ARMS.items()},
        "notes": ["All arms of a game start from one model and run one recipe; an arm changes one thing."],
        "games": [_game(name, seed) for seed, name in enumerate(GAMES)],
    }


def unfinished_table() -> Table:
    """The table of a study that was stopped early.

    The first game lacks two arms, and a third has one seed; the second has two arms of two seeds without probes; of the
    third the start model alone is there.
    """
    table = alignment_table()
    table["cells"]["done"] = 31
    first, second, third = table["games"]
    first["rows"] = [_cut(row, 1 if row["arm"] == "alignment_inclusive" else 9) for row in first["rows"]]
    _keep(first, {"without_baseline", "alignment_sepo"}, drop=True)
    second["rows"] = [_cut(row, 2) for row in second["rows"]]
    for row in second["rows"]:
        row["estimates"].pop("probe_gain", None)
        row.get("values", {}).pop("probe_gain", None)
    _keep(second, {"naive", "alignment"}, drop=False)
    _keep(third, {"start"}, drop=False)
    return table


def _cut(row: Table, seeds: int) -> Table:
    """The row as it was when only so many seeds were finished."""
    if row["kind"] != "trained":
        return row
    values = {metric: found[:seeds] for metric, found in row["values"].items()}
    estimates = {metric: over_seeds(found) for metric, found in values.items()}
    return row | {"seeds": min(seeds, row["seeds"]), "values": values, "estimates": estimates}


def _keep(game: Table, arms: set[str], *, drop: bool) -> None:
    """Leaves the named arms, or all but them, and what can be said of what is left."""
    game["rows"] = [r for r in game["rows"] if r["kind"] == "reference" or (r["arm"] in arms) is not drop]
    by_arm = {row["arm"]: row for row in game["rows"]}
    for index, old in enumerate(game["targets"]):
        if old["arm"] in by_arm:
            game["targets"][index] = target(by_arm[old["arm"]], old["metric"], old["relation"], old["bound"])
        else:
            game["targets"][index] = old | {"value": None, "met": None, "seeds_met": 0, "seeds": 0}
    kept = []
    for entry in game["differences"]:
        rows = [by_arm.get(entry[side]) for side in ("arm", "minus")]
        if any(row is None or entry["metric"] not in row["values"] for row in rows):
            continue
        if min(row["seeds"] for row in rows if row is not None) < 2:
            gap = rows[0]["values"][entry["metric"]][0] - rows[1]["values"][entry["metric"]][0]  # type: ignore[index]
            entry["estimate"] |= {"value": gap, "low": None, "high": None, "n": 1}
        else:
            entry = paired(*rows, entry["metric"])  # type: ignore[arg-type]
        kept.append(entry)
    game["differences"] = kept
