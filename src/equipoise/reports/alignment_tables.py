"""The alignment study's tables as plain cells: targets, one table of results per game, paired differences."""

from collections.abc import Mapping
from typing import Any

from equipoise.reports.alignment_arms import ARMS, digits_of, head_of, metrics_of, spread_text
from equipoise.reports.formats import MISSING, number
from equipoise.reports.study_arms import Game, Row, arm_labels, arms, game_title, games_named, measured, references
from equipoise.reports.study_claims import signed, verdict
from equipoise.reports.study_tables import VERDICTS, Table
from equipoise.reports.tables import Cell

_MET = {True: "met", False: "missed", None: "not measured"}


def rows_of(game: Game) -> list[Row]:
    """The game's rows in the order of the tables: arms, then scripts."""
    return [*arms(game, ARMS), *references(game)]


def labels_of(table: Mapping[str, Any]) -> dict[str, str]:
    """The label of every arm, also of those that no game has a row of yet."""
    return {**ARMS, **arm_labels(table, ARMS)}


def results_table(game: Game) -> Table:
    """The game's table: a row per arm, then the scripts; the columns that at least one row has a value of."""
    rows = rows_of(game)
    shown = [metric for key, metric in metrics_of(game).items() if any(measured(row, key) for row in rows)]
    lines = [(row["label"], [_cell(row, metric["key"], metric["digits"]) for metric in shown]) for row in rows]
    heads, hints = ([metric[part] for metric in shown] for part in ("head", "definition"))
    return Table(["Arm", *heads], ["", *hints], lines)


def _cell(row: Row, metric: str, digits: int) -> Cell:
    return Cell(number(measured(row, metric).get("value"), digits), spread_text(row, metric, digits))


def target_text(table: Mapping[str, Any], game: Game, target: Mapping[str, Any]) -> str:
    """A target in words, as in `Naive: self-play at most 1.1`."""
    label = labels_of(table).get(target["arm"], target["arm"])
    bound = f"{target['bound']:g}".replace("-", "\N{MINUS SIGN}")
    return f"{label}: {head_of(game, target['metric'])} {target['relation']} {bound}"


def unfinished(table: Mapping[str, Any], target: Mapping[str, Any]) -> bool:
    """Whether fewer seeds stand behind a target than were planned for its arm."""
    return bool(target["seeds"] < table.get("planned", {}).get(target["arm"], 0))


def target_table(table: Mapping[str, Any]) -> Table:
    """Every target of every game: whether it is met, the median that was measured, and how many seeds meet it."""
    rows = []
    for game in table["games"]:
        by_arm = {row["arm"]: row for row in game["rows"]}
        for target in game.get("targets", ()):
            row, digits = by_arm.get(target["arm"]), digits_of(game, target["metric"])
            so_far = " so far" if target["met"] is not None and unfinished(table, target) else ""
            cells = [
                Cell(target_text(table, game, target)),
                Cell(_MET[target["met"]] + so_far),
                Cell(number(target["value"], digits), spread_text(row, target["metric"], digits) if row else ""),
                Cell(f"{target['seeds_met']} of {target['seeds']}" if target["seeds"] else MISSING),
            ]
            rows.append((game_title(game), cells))
    return Table(("Game", "target", "verdict", "median", "seeds that meet it"), [""] * 5, rows)


def difference_table(game: Game, labels: Mapping[str, str]) -> Table:
    """The game's paired differences: arm minus arm, metric, value with its interval, seeds, verdict."""
    rows = []
    for entry in game.get("differences", ()):
        estimate, metric = entry["estimate"], entry["metric"]
        pair = f"{labels.get(entry['arm'], entry['arm'])} \N{MINUS SIGN} {labels.get(entry['minus'], entry['minus'])}"
        cells = [
            Cell(head_of(game, metric)),
            Cell(signed(estimate, digits_of(game, metric))),
            Cell(str(estimate.get("n", MISSING))),
            Cell(VERDICTS[verdict(estimate)]),
        ]
        rows.append((pair, cells))
    return Table(("Difference", "metric", "value", "seeds", "verdict"), [""] * 5, rows)


def definitions(table: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every column that is shown with its definition, once; with its games where they define it differently."""
    games: dict[tuple[str, str], list[Game]] = {}
    for game in table["games"]:
        made = results_table(game)
        for head, text in zip(made.heads[1:], made.hints[1:], strict=True):
            sentence = f"{text[:1].upper()}{text[1:]}".rstrip(". ")
            games.setdefault((head, f"{sentence}."), []).append(game)
    heads = [head for head, _ in games]
    return [
        (head if heads.count(head) == 1 else f"{head} ({games_named(where)})", text)
        for (head, text), where in games.items()
    ]
