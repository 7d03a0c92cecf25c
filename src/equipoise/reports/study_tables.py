"""The study's tables as plain cells: one per game, the index at other weights, hazards, differences, gradients."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from equipoise.reports.formats import MISSING, bounds, decimals, number
from equipoise.reports.glossary import METRIC, Metric, game_metrics, partial_exactness
from equipoise.reports.study_arms import Game, Row, arms, game_title, measured, references
from equipoise.reports.study_claims import signed, verdict
from equipoise.reports.tables import Cell

COLUMNS = (
    "sepo_index",
    "payoff",
    "welfare",
    "robustness",
    "pool_exploitability",
    "held_out_exploitability",
    "nash_conv",
    "worst_case_advantage",
    "worst_case_lower_bound",
    "regret",
    "exploitation",
    "collusion",
    "externality",
    "nra",
    "fault_rate",
)
"""The columns of a game's table in order, before the figures of the game's own."""

TITLES = {
    "payoff": "u",
    "welfare": "welfare",
    "robustness": "robustness",
    "pool_exploitability": "e, pool",
    "held_out_exploitability": "e, held-out",
    "nash_conv": "NashConv",
    "worst_case_advantage": "worst case, exact",
    "worst_case_lower_bound": "worst case, at least",
    "regret": "regret",
    "exploitation": "exploitation",
    "collusion": "c",
    "externality": "x",
    "sepo_index": "S",
    "nra": "NRA",
    "fault_rate": "faults, %",
}
VERDICTS = {
    "above": "above zero",
    "below": "below zero",
    "tie": "tie: contains zero",
    "undecided": "no interval",
}


@dataclass(frozen=True)
class Table:
    """A table of plain cells: the heads of its columns, what each head means, and rows of (label, cells)."""

    heads: Sequence[str]
    hints: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]


def seeds_text(row: Row) -> str:
    """How many training seeds stand behind a row, in words; empty for a reference player."""
    seeds = int(row["seeds"])
    return "" if row["kind"] == "reference" else f"{seeds} seed{'' if seeds == 1 else 's'}"


def _below(estimate: Mapping[str, Any], row: Row, digits: int) -> str:
    """The interval, or why there is none."""
    shown = bounds(estimate, digits)
    if shown or not estimate:
        return shown
    if estimate.get("method") == "exact":
        return "exact"
    n = estimate.get("n")
    if row["kind"] == "reference" or n is None or row["seeds"] != 1:
        return "no interval"
    return "no interval (1 seed)"


def game_table(game: Game) -> Table:
    """The game's table: a row per arm, then the reference players; the columns that at least one row has a value of."""
    rows = [*arms(game), *references(game)]
    metrics = game_metrics({**game, "rows": [dict(row["estimates"]) for row in rows]})
    figures = [key for key in metrics if key not in METRIC]
    keys = [k for k in (*COLUMNS, *figures) if any(measured(row, k) for row in rows)]
    if game["zero_sum"]:
        keys = [key for key in keys if key != "welfare"]
    columns = [_column(rows, metrics[key]) for key in keys]
    heads = [_head(game, key, metrics[key]) for key in keys]
    labels = [row["label"] for row in rows]
    lines = [(label, [column[index] for column in columns]) for index, label in enumerate(labels)]
    return Table(["Arm", *heads], ["", *(metrics[key].definition for key in keys)], lines)


def _head(game: Game, key: str, metric: Metric) -> str:
    title = TITLES.get(key, metric.title)
    reach = partial_exactness(game)
    return f"{title} ({reach})" if reach and metric.group.startswith("Exact") else title


def _column(rows: Sequence[Row], metric: Metric) -> list[Cell]:
    found = []
    for row in rows:
        estimate = dict(measured(row, metric.key))
        for key in ("value", "low", "high"):
            if estimate.get(key) is not None:
                estimate[key] *= metric.scale
        found.append(estimate)
    digits = 2 if metric.scale != 1 else decimals(e.get("value") for e in found)
    return [Cell(number(e.get("value"), digits), _below(e, row, digits)) for e, row in zip(found, rows, strict=True)]


def difference_table(game: Game, labels: Mapping[str, str]) -> Table:
    """The game's paired differences: arm minus arm, metric, value with its interval, verdict."""
    rows = []
    for entry in game.get("differences", ()):
        estimate, metric = entry["estimate"], entry["metric"]
        pair = f"{labels.get(entry['arm'], entry['arm'])} \N{MINUS SIGN} {labels.get(entry['minus'], entry['minus'])}"
        cells = [
            Cell(METRIC[metric].title if metric in METRIC else metric),
            Cell(signed(estimate, 3)),
            Cell(VERDICTS[verdict(estimate)]),
        ]
        rows.append((pair, cells))
    return Table(("Difference", "metric", "value", "verdict"), ("", "", "", ""), rows)


def grid_table(game: Game, labels: Mapping[str, str]) -> Table:
    """The index of every arm at every weighting, the highest in bold: no interval stands behind an order here."""
    points = game.get("lambda_grid", ())
    present = [arm for arm in labels if any(arm in point["index"] for point in points)]
    rows = []
    for point in points:
        cells = []
        for arm in present:
            value = point["index"].get(arm)
            cells.append(Cell(number(value, 2), best=arm == point["best"]))
        rows.append((" / ".join(f"{weight:g}" for weight in point["weights"]), cells))
    return Table(("le / lc / lx", *(labels[arm] for arm in present)), [""] * (len(present) + 1), rows)


def grid_summary(games: Sequence[Game], labels: Mapping[str, str]) -> Table:
    """In how many of the weightings each arm has the highest mean index, by game."""
    listed = [game for game in games if game.get("lambda_grid")]
    rows = []
    for arm, label in labels.items():
        cells = []
        for game in listed:
            points = game["lambda_grid"]
            known = any(arm in point["index"] for point in points)
            best = sum(point["best"] == arm for point in points)
            cells.append(Cell(f"{best} of {len(points)}" if known else MISSING))
        rows.append((label, cells))
    heads = ("Arm", *(game_title(game) for game in listed))
    return Table(heads, [""] * len(heads), rows)


def hazard_table(game: Game) -> Table:
    """What the game's hazards mean, their range, and what the reference players get."""
    players = list(dict.fromkeys(who for h in game.get("hazards", {}).values() for who in h.get("null", {})))
    rows = []
    for name, hazard in game.get("hazards", {}).items():
        low, high = (number(hazard.get(key), 2) for key in ("low", "high"))
        nulls = [hazard.get("null", {}).get(who, {}) for who in players]
        cells = [Cell(hazard["definition"]), Cell(hazard.get("unit", "")), Cell(f"{low} to {high}")]
        rows.append((name.replace("_", " "), [*cells, *(Cell(number(e.get("value"), 3), bounds(e, 3)) for e in nulls)]))
    heads = ("Hazard", "definition", "unit", "range", *players)
    return Table(heads, [""] * len(heads), rows)


def gradient_table(gradients: Mapping[str, Any]) -> Table:
    """Each credit rule's gradient against the true one: the cosine, and the length along it."""
    rows = []
    for rule in gradients["rules"]:
        cells = [Cell(number(rule[k]["value"], 2), bounds(rule[k], 2)) for k in ("cosine", "ratio")]
        rows.append((rule["rule"].replace("_", " "), cells))
    return Table(("Rule", "cosine with the true gradient", "length along it"), ("", "", ""), rows)


def definitions(table: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every column of the games' tables with its definition, once."""
    shown = {key for game in table["games"] for row in game["rows"] for key in COLUMNS if measured(row, key)}
    return [(f"{TITLES[key]}: {METRIC[key].title}", METRIC[key].definition) for key in COLUMNS if key in shown]
