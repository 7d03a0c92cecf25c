"""Writing and reading a run folder's report. A kill at any moment leaves the old file or the new one, never half."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equipoise.files import read_validated, write_atomically
from equipoise.reports.page import render_html
from equipoise.reports.schema import clean_report, validate_report

JSON_NAME = "report.json"
HTML_NAME = "report.html"


def write_report(report: Mapping[str, Any], out_dir: Path) -> Path:
    """The path of report.html, written in `out_dir` beside the report.json that it is made from.

    Raises:
        ValueError: when the report lacks a required key or holds a value of the wrong kind; nothing is written then.
    """
    plain = clean_report(report)
    validate_report(plain)
    folder = Path(out_dir)
    # Escaped to ASCII: a model's reply may hold half a surrogate pair, which UTF-8 cannot store.
    text = json.dumps(plain, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=True)
    write_atomically(folder / JSON_NAME, text + "\n")
    html = folder / HTML_NAME
    write_atomically(html, render_html(load_report(folder)))
    return html


def load_report(path: Path) -> dict[str, Any]:
    """The report stored at `path`, a run folder or a report.json file.

    Raises:
        ValueError: when there is no such file, it is not JSON, or it is not a report of the known shape.
    """
    return read_validated(
        path,
        JSON_NAME,
        validate_report,
        missing=f"no report at {{file}} ({{error}}); give a run folder that holds {JSON_NAME}, or that file",
        broken="{file} is not a readable report ({error}); write it again with an audit",
    )
