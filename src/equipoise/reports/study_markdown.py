"""A study as Markdown: the tables alone, or a whole document with its findings."""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from equipoise.reports.formats import visible
from equipoise.reports.schema import clean_report
from equipoise.reports.study_arms import Game, arm_labels, arms, game_title, references
from equipoise.reports.study_claims import claims, progress
from equipoise.reports.study_page import game_lead, gradient_lead, has_index, has_tradeoff, origins, tradeoff_caption
from equipoise.reports.study_schema import validate_study
from equipoise.reports.study_tables import (
    Table,
    definitions,
    difference_table,
    game_table,
    gradient_table,
    grid_summary,
    hazard_table,
    seeds_text,
)
from equipoise.reports.tables import Cell


def _text(text: str) -> str:
    """The text as one cell or one line: invisible characters spelled out, no line breaks, nothing that is markup."""
    escaped = " ".join(visible(text).split())
    for sign in "\\|<>*`":
        escaped = escaped.replace(sign, f"\\{sign}")
    return escaped.replace("](", "]\\(")


def _cell(cell: Cell) -> str:
    value = _text(cell.value) + (f" {_text(cell.below)}" if cell.below else "")
    return f"**{value}**" if cell.best else value


def _rows(table: Table, marks: Sequence[str] = ()) -> list[str]:
    """The lines of a Markdown table; `marks` follow the rows' labels."""
    lines = [
        "| " + " | ".join(_text(head) for head in table.heads) + " |",
        "| " + " | ".join(["---"] * len(table.heads)) + " |",
    ]
    for index, (label, cells) in enumerate(table.rows):
        mark = f", {marks[index]}" if index < len(marks) and marks[index] else ""
        lines.append("| " + " | ".join([_text(label) + mark, *map(_cell, cells)]) + " |")
    return lines


def _seeds(game: Game) -> list[str]:
    return [seeds_text(row) for row in (*arms(game), *references(game))]


def _game_tables(game: Game) -> list[str]:
    rows = _rows(game_table(game), _seeds(game))
    return [f"## {_text(game_title(game))}", "", _text(game_lead(game)), "", *rows, ""]


def tables_markdown(table: Mapping[str, Any]) -> str:
    """One Markdown table per game, a row per arm: the content of table.md.

    Raises:
        ValueError: when the table lacks a required key or holds a value of the wrong kind.
    """
    plain = clean_report(table)
    validate_study(plain)
    lines = [f"# {_text(plain['title'])}", ""]
    for sentence in progress(plain):
        lines += [_text(sentence), ""]
    for game in plain["games"]:
        lines += _game_tables(game)
    return "\n".join(lines).rstrip() + "\n"


def _game_section(game: Game, labels: Mapping[str, str], figures: str) -> list[str]:
    lines = _game_tables(game)
    name = str(game["game"])
    if figures and has_tradeoff(game):
        path = PurePosixPath(figures) / f"tradeoff-{name}.svg"
        lines += [f"![{_text(game_title(game))}: trade-off]({path})", "", _text(tradeoff_caption(game)), ""]
    if figures and has_index(game):
        lines += [f"![{_text(game_title(game))}: SEPO index]({PurePosixPath(figures) / f'index-{name}.svg'})", ""]
    differences = difference_table(game, labels)
    if differences.rows:
        lines += ["Paired differences:", "", *_rows(differences), ""]
    hazards = hazard_table(game)
    if hazards.rows:
        lines += ["Hazards, and what the reference players get:", "", *_rows(hazards), ""]
    return lines


def study_markdown(table: Mapping[str, Any], figures: str = "") -> str:
    """The study as a Markdown document in which every claim is computed from the table.

    Args:
        table: The study's table.
        figures: Where the figures lie, relative to the document; empty leaves them out.

    Raises:
        ValueError: when the table lacks a required key or holds a value of the wrong kind.
    """
    plain = clean_report(table)
    validate_study(plain)
    labels = arm_labels(plain)
    lines = [f"# {_text(plain['title'])}", "", "Generated from table.json; every sentence is computed from it.", ""]
    for sentence in progress(plain):
        lines += [_text(sentence), ""]
    found = claims(plain)
    lines += ["## What it shows", "", *(f"- {_text(sentence)}" for sentence in found), ""] if found else []
    for game in plain["games"]:
        lines += _game_section(game, labels, figures)
    summary = grid_summary(plain["games"], labels)
    if len(summary.heads) > 1:
        text = (
            "In how many of the weightings (le, lc, lx) each arm has the highest mean index; means have no intervals."
        )
        lines += ["## Other weights", "", text, "", *_rows(summary), ""]
    if plain.get("gradients"):
        lines += ["## What each credit rule's gradient is worth", "", _text(gradient_lead(plain["gradients"])), ""]
        lines += [*_rows(gradient_table(plain["gradients"])), ""]
    lines += ["## Columns", "", *(f"- **{_text(name)}**: {_text(text)}" for name, text in definitions(plain)), ""]
    lines += (
        ["## Notes", "", *(f"- {_text(note)}" for note in plain.get("notes", [])), ""] if plain.get("notes") else []
    )
    lines += ["## How it was made", ""]
    lines += [
        f"- {name}: `{text}`" if name == "Command" else f"- {name}: {_text(text)}" for name, text in origins(plain)
    ]
    return "\n".join(lines).rstrip() + "\n"
