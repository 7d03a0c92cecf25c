"""What a study compared, as tables: targets, hypotheses game by game, and every difference of a game."""

from __future__ import annotations

from equipoise.lab.results import StudyDifference, StudyGame, StudyResult
from equipoise.reports.document import Cell, Column, Part, Prose, Row, Table
from equipoise.reports.formats import MISSING, capital, interval, known, number
from equipoise.reports.views.study_verdict import game_title, labels_of, side, signed

VERDICTS = {"above": "above", "below": "below", "tie": "tie", "undecided": "no interval"}
"""On which side of zero a difference is."""


def targets(result: StudyResult, slots: dict[str, int]) -> list[Part]:
    """Every bound with what was measured, and how many seeds meet it."""
    labels, rows = labels_of(result), []
    for game in result.games:
        columns = {column.key: column for column in game.columns}
        for target in game.targets:
            column = columns.get(target.metric)
            digits, title = (2, target.metric) if column is None else (column.digits, column.title)
            verdict = MISSING if target.met is None else "met" if target.met else "missed"
            seeds = f"{target.seeds_met} of {target.seeds}" if target.seeds else MISSING
            text = f"{capital(title)} {target.relation} {number(target.bound, digits)}"
            cells = [Cell(text, prose=True), Cell(number(target.value, digits)), Cell(verdict), Cell(seeds)]
            label = f"{game_title(game)}: {labels.get(target.arm, target.arm)}"
            rows.append(Row(label, cells, slot=slots.get(target.arm)))
    heads = [Column(head) for head in ("Target", "Median", "Verdict", "Seeds that meet it")]
    return (
        [Table("Bounds that were set beforehand for the median of the seeds", "Game and arm", heads, rows)]
        if rows
        else []
    )


def hypotheses(result: StudyResult) -> list[Part]:
    """Every hypothesis in every game: the difference, where it lies, and its p, corrected for the number of them."""
    games = [game for game in result.games if any(found.hypothesis for found in game.differences)]
    if not games:
        return []
    rows = []
    for hypothesis in result.hypotheses:
        found = [next((d for d in game.differences if d.hypothesis == hypothesis.name), None) for game in games]
        if any(found):
            cells = [_tested(game, difference) for game, difference in zip(games, found, strict=True)]
            rows.append(Row(capital(hypothesis.name), cells, f"expected {hypothesis.expected} zero"))
    caption = "Difference, on which side of zero it is, and corrected p, by game"
    table = Table(caption, "Hypothesis", [Column(game_title(game)) for game in games], rows)
    return [*([Prose(result.correction)] if result.correction else []), table]


def _tested(game: StudyGame, found: StudyDifference | None) -> Cell:
    return (
        Cell(MISSING) if found is None else Cell(signed(found.estimate, _digits(game, found.metric)), _verdict(found))
    )


def _verdict(found: StudyDifference) -> str:
    """On which side of zero a difference is, with the corrected p of a hypothesis."""
    tested = known(found.adjusted) and side(found) != "undecided"
    return VERDICTS[side(found)] + (f", p {number(found.adjusted, 3)}" if tested else "")


def differences(result: StudyResult, game: StudyGame) -> list[Part]:
    """Every comparison of a game, those of hypotheses first, each with its interval."""
    labels, rows = labels_of(result), []
    for found in game.differences:
        digits = _digits(game, found.metric)
        cells = [
            Cell(capital(_title(game, found.metric)), prose=True),
            Cell(signed(found.estimate, digits), interval(found.estimate, digits)),
            Cell(str(found.estimate.n)),
            Cell(_verdict(found)),
            Cell(capital(found.hypothesis) or "exploratory", prose=True),
        ]
        rows.append(Row(f"{labels.get(found.arm, found.arm)} − {labels.get(found.minus, found.minus)}", cells))
    heads = [Column(head) for head in ("Figure", "Difference", "Seeds", "Verdict", "Hypothesis")]
    return [Table("Arm minus arm on common deals", "Difference", heads, rows)] if rows else []


def _digits(game: StudyGame, metric: str) -> int:
    return next((column.digits for column in game.columns if column.key == metric), 3)


def _title(game: StudyGame, metric: str) -> str:
    return next((column.title for column in game.columns if column.key == metric), metric.replace("_", " "))
