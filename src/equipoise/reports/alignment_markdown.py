"""The alignment study as a Markdown document in which every sentence is computed from the table."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from equipoise.reports.alignment_arms import runs_text
from equipoise.reports.alignment_claims import claims, progress, target_claims
from equipoise.reports.alignment_page import TERMS, game_lead
from equipoise.reports.alignment_schema import validate_alignment_study
from equipoise.reports.alignment_tables import (
    definitions,
    difference_table,
    labels_of,
    results_table,
    rows_of,
    target_table,
)
from equipoise.reports.figure_corner import corner_caption, has_corner
from equipoise.reports.figure_strips import measures_of, strips_caption
from equipoise.reports.layout import identifier
from equipoise.reports.old_markdown import code_of, line_of, table_lines
from equipoise.reports.schema import clean_report
from equipoise.reports.study_arms import Game, game_title
from equipoise.reports.study_page import origins


def figure_name(kind: str, game: Game) -> str:
    """The file of a figure, `corner` or `strips`, of one game."""
    return f"{kind}-{identifier(game['game']).replace('-', '_')}.svg"


def _game_section(game: Game, labels: Mapping[str, str], figures: str) -> list[str]:
    title = line_of(game_title(game))
    lines = [f"## {title}", "", line_of(game_lead(game)), ""]
    results = results_table(game)
    if results.rows:
        lines += [*table_lines(results, [runs_text(row) for row in rows_of(game)]), ""]
    drawn = (
        ("corner", has_corner(game), "what greedy takes against self-play pay", corner_caption(game)),
        ("strips", bool(measures_of(game)), "every seed of every measure", strips_caption(game)),
    )
    for kind, there, alternative, caption in drawn:
        if there and figures:
            path = PurePosixPath(figures) / figure_name(kind, game)
            lines += [f"![{title}: {alternative}]({path})", "", line_of(caption), ""]
    differences = difference_table(game, labels)
    return lines + (["Paired differences:", "", *table_lines(differences), ""] if differences.rows else [])


def alignment_study_markdown(table: Mapping[str, Any], figures: str = "") -> str:
    """The alignment study as a Markdown document.

    Args:
        table: The study's table.
        figures: Where the figures lie, relative to the document; empty leaves them out.

    Raises:
        ValueError: when the table lacks a required key or holds a value of the wrong kind.
    """
    plain = clean_report(table)
    validate_alignment_study(plain)
    labels, targets, found = labels_of(plain), target_table(plain), claims(plain)
    lines = [f"# {line_of(plain['title'])}", "", "Generated from table.json; every sentence is computed from it.", ""]
    if plain.get("command"):
        lines += [f"Made by {code_of(plain['command'])}.", ""]
    for sentence in progress(plain):
        lines += [line_of(sentence), ""]
    if targets.rows:
        lines += ["## Targets", ""]
        for sentence in target_claims(plain):
            lines += [line_of(sentence), ""]
        lines += [*table_lines(targets), ""]
    if found:
        lines += ["## What the paired differences decide", "", *(f"- {line_of(sentence)}" for sentence in found), ""]
    for game in plain["games"]:
        lines += _game_section(game, labels, figures)
    for heading, pairs in (("Columns", definitions(plain)), ("How to read it", TERMS)):
        if pairs:
            lines += [f"## {heading}", "", *(f"- **{line_of(name)}**: {line_of(text)}" for name, text in pairs), ""]
    if plain.get("notes"):
        lines += ["## Notes", "", *(f"- {line_of(note)}" for note in plain["notes"]), ""]
    made = [f"- {name}: {line_of(text)}" for name, text in origins(plain) if name != "Command"]
    lines += ["## How it was made", "", *made] if made else []
    return "\n".join(lines).rstrip() + "\n"
