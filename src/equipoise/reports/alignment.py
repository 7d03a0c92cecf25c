"""Writing the alignment study: table.json first, then every view of it, made from that table and from nothing else."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equipoise.files import read_validated, write_atomically
from equipoise.reports.alignment_markdown import alignment_study_markdown, figure_name
from equipoise.reports.alignment_page import render_alignment_study
from equipoise.reports.alignment_schema import validate_alignment_study
from equipoise.reports.alignment_tables import labels_of
from equipoise.reports.figure_corner import corner_svg, has_corner
from equipoise.reports.figure_strips import measures_of, strips_svg
from equipoise.reports.rendering import WIDE
from equipoise.reports.schema import clean_report
from equipoise.reports.study import FIGURES, HTML_NAME, JSON_NAME, MARKDOWN_NAME
from equipoise.reports.svg import write_figure


def write_alignment_study(table: Mapping[str, Any], out: Path) -> list[Path]:
    """The files written in `out`: table.json, table.md, study.html and two figures a game, each an SVG of its own.

    Raises:
        ValueError: when the table lacks a required key or holds a value of the wrong kind; nothing is written then.
    """
    plain = clean_report(table)
    validate_alignment_study(plain)
    folder = Path(out)
    texts = {
        JSON_NAME: json.dumps(plain, indent=1, allow_nan=False, ensure_ascii=True) + "\n",
        MARKDOWN_NAME: alignment_study_markdown(plain, FIGURES),
        HTML_NAME: render_alignment_study(plain),
    }
    drawings = _drawings(plain)
    for name, text in texts.items():
        write_atomically(folder / name, text)
    return [
        *(folder / name for name in texts),
        *(write_figure(drawing, folder / FIGURES / name) for name, drawing in drawings.items()),
    ]


def _drawings(table: Mapping[str, Any]) -> dict[str, str]:
    """The figures of every game by file name."""
    labels, drawn = labels_of(table), {}
    for game in table["games"]:
        if has_corner(game):
            drawn[figure_name("corner", game)] = corner_svg(game, WIDE, labels)
        if measures_of(game):
            drawn[figure_name("strips", game)] = strips_svg(game, WIDE, labels)
    return drawn


def load_alignment_study(path: Path) -> dict[str, Any]:
    """The table stored at `path`, the study's folder or its table.json.

    Raises:
        ValueError: when there is no such file, it is not JSON, or it is not a table of the known shape.
    """
    return read_validated(
        path,
        JSON_NAME,
        validate_alignment_study,
        missing=f"no study at {{file}} ({{error}}); give a folder that holds {JSON_NAME}, or that file",
        broken="{file} is not a readable table ({error}); run the study again",
    )
