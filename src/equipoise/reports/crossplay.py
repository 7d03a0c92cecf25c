"""Writing a tournament: crossplay.json first, then its page and its heat map, made from that file and nothing else."""

import json
from pathlib import Path
from typing import Any

from equipoise.files import read_validated, write_atomically
from equipoise.reports.crossplay_page import render_crossplay
from equipoise.reports.crossplay_schema import validate_crossplay
from equipoise.reports.crossplay_tables import Crossplay
from equipoise.reports.figure_crossplay import crossplay_svg
from equipoise.reports.rendering import WIDE
from equipoise.reports.schema import clean_report
from equipoise.reports.svg import write_figure

JSON_NAME, HTML_NAME, FIGURES = "crossplay.json", "crossplay.html", "figures"


def write_crossplay(table: Crossplay, out: Path) -> list[Path]:
    """The files written in `out`: crossplay.json, crossplay.html and figures/crossplay.svg.

    Raises:
        ValueError: when the table lacks a required key or holds a value of the wrong kind; nothing is written then.
    """
    plain = clean_report(table)
    validate_crossplay(plain)
    folder = Path(out)
    # Escaped to ASCII: a message may hold half a surrogate pair, which UTF-8 cannot store.
    text = json.dumps(plain, indent=1, allow_nan=False, ensure_ascii=True) + "\n"
    page = render_crossplay(plain)
    write_atomically(folder / JSON_NAME, text)
    write_atomically(folder / HTML_NAME, page)
    figure = write_figure(crossplay_svg(plain, WIDE), folder / FIGURES / "crossplay.svg")
    return [folder / JSON_NAME, folder / HTML_NAME, figure]


def load_crossplay(path: Path) -> dict[str, Any]:
    """The table stored at `path`, a tournament's folder or its crossplay.json.

    Raises:
        ValueError: when there is no such file, it is not JSON, or it is not a table of the known shape.
    """
    return read_validated(
        path,
        JSON_NAME,
        validate_crossplay,
        missing=f"no tournament at {{file}} ({{error}}); give a folder that holds {JSON_NAME}, or that file",
        broken="{file} is not a readable tournament ({error}); run the same command again",
    )
