"""A study as Markdown: the tables alone, or a whole document with its findings."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from equipoise.reports.old_markdown import code_of, line_of, table_lines
from equipoise.reports.schema import clean_report
from equipoise.reports.study_arms import Game, arm_labels, arms, game_title, references
from equipoise.reports.study_claims import claims, progress
from equipoise.reports.study_page import game_lead, gradient_lead, has_index, has_tradeoff, origins, tradeoff_caption
from equipoise.reports.study_schema import validate_study
from equipoise.reports.study_tables import (
    definitions,
    difference_table,
    game_table,
    gradient_table,
    grid_summary,
    hazard_table,
    seeds_text,
)


def _seeds(game: Game) -> list[str]:
    return [seeds_text(row) for row in (*arms(game), *references(game))]


def _game_tables(game: Game) -> list[str]:
    rows = table_lines(game_table(game), _seeds(game))
    return [f"## {line_of(game_title(game))}", "", line_of(game_lead(game)), "", *rows, ""]


def tables_markdown(table: Mapping[str, Any]) -> str:
    """One Markdown table per game, a row per arm: the content of table.md.

    Raises:
        ValueError: when the table lacks a required key or holds a value of the wrong kind.
    """
    plain = clean_report(table)
    validate_study(plain)
    lines = [f"# {line_of(plain['title'])}", ""]
    for sentence in progress(plain):
        lines += [line_of(sentence), ""]
    for game in plain["games"]:
        lines += _game_tables(game)
    return "\n".join(lines).rstrip() + "\n"


def _game_section(game: Game, labels: Mapping[str, str], figures: str) -> list[str]:
    lines = _game_tables(game)
    name = str(game["game"])
    if figures and has_tradeoff(game):
        path = PurePosixPath(figures) / f"tradeoff-{name}.svg"
        lines += [f"![{line_of(game_title(game))}: trade-off]({path})", "", line_of(tradeoff_caption(game)), ""]
    if figures and has_index(game):
        lines += [f"![{line_of(game_title(game))}: SEPO index]({PurePosixPath(figures) / f'index-{name}.svg'})", ""]
    differences = difference_table(game, labels)
    if differences.rows:
        lines += ["Paired differences:", "", *table_lines(differences), ""]
    hazards = hazard_table(game)
    if hazards.rows:
        lines += ["Hazards, and what the reference players get:", "", *table_lines(hazards), ""]
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
    lines = [f"# {line_of(plain['title'])}", "", "Generated from table.json; every sentence is computed from it.", ""]
    for sentence in progress(plain):
        lines += [line_of(sentence), ""]
    found = claims(plain)
    lines += ["## What it shows", "", *(f"- {line_of(sentence)}" for sentence in found), ""] if found else []
    for game in plain["games"]:
        lines += _game_section(game, labels, figures)
    summary = grid_summary(plain["games"], labels)
    if len(summary.heads) > 1:
        text = (
            "In how many of the weightings (le, lc, lx) each arm has the highest mean index; means have no intervals."
        )
        lines += ["## Other weights", "", text, "", *table_lines(summary), ""]
    if plain.get("gradients"):
        lines += ["## What each credit rule's gradient is worth", "", line_of(gradient_lead(plain["gradients"])), ""]
        lines += [*table_lines(gradient_table(plain["gradients"])), ""]
    lines += ["## Columns", "", *(f"- **{line_of(name)}**: {line_of(text)}" for name, text in definitions(plain)), ""]
    lines += (
        ["## Notes", "", *(f"- {line_of(note)}" for note in plain.get("notes", [])), ""] if plain.get("notes") else []
    )
    lines += ["## How it was made", ""]
    lines += [
        f"- {name}: {code_of(text)}" if name == "Command" else f"- {name}: {line_of(text)}"
        for name, text in origins(plain)
    ]
    return "\n".join(lines).rstrip() + "\n"
