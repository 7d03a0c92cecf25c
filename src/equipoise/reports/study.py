"""Writing a study: table.json first, then every view of it, made from that file and from nothing else."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equipoise.files import read_validated, write_atomically
from equipoise.reports.figure_index import index_svg
from equipoise.reports.figure_tradeoff import tradeoff_svg
from equipoise.reports.layout import identifier
from equipoise.reports.rendering import WIDE
from equipoise.reports.schema import clean_report
from equipoise.reports.study_arms import arm_labels
from equipoise.reports.study_markdown import tables_markdown
from equipoise.reports.study_page import has_index, has_tradeoff, render_study
from equipoise.reports.study_schema import validate_study
from equipoise.reports.svg import write_figure

JSON_NAME, MARKDOWN_NAME, HTML_NAME, FIGURES = "table.json", "table.md", "study.html", "figures"


def write_study(table: Mapping[str, Any], out: Path) -> list[Path]:
    """The files written in `out`: table.json, table.md, study.html and the figures, each an SVG of its own.

    Raises:
        ValueError: when the table lacks a required key or holds a value of the wrong kind; nothing is written then.
    """
    plain = clean_report(table)
    validate_study(plain)
    folder = Path(out)
    texts = {
        JSON_NAME: json.dumps(plain, indent=1, allow_nan=False, ensure_ascii=True) + "\n",
        MARKDOWN_NAME: tables_markdown(plain),
        HTML_NAME: render_study(plain),
    }
    for name, text in texts.items():
        write_atomically(folder / name, text)
    paths = [folder / name for name in texts]
    labels = arm_labels(plain)
    for game in plain["games"]:
        name = identifier(game["game"]).replace("-", "_")
        if has_tradeoff(game):
            drawing = tradeoff_svg(game, WIDE, labels)
            paths.append(write_figure(drawing, folder / FIGURES / f"tradeoff-{name}.svg"))
        if has_index(game):
            paths.append(write_figure(index_svg(game, WIDE, labels), folder / FIGURES / f"index-{name}.svg"))
    return paths


def load_study(path: Path) -> dict[str, Any]:
    """The table stored at `path`, a study's folder or its table.json.

    Raises:
        ValueError: when there is no such file, it is not JSON, or it is not a table of the known shape.
    """
    return read_validated(
        path,
        JSON_NAME,
        validate_study,
        missing=f"no study at {{file}} ({{error}}); give a folder that holds {JSON_NAME}, or that file",
        broken="{file} is not a readable table ({error}); run the study again",
    )
