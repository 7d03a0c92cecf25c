"""What every command does with a result: the file, the page, the lines in the terminal."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from equipoise.lab.results import Result

PAGE = "report.html"


def finish(options: argparse.Namespace, result: Result, out: Path | None) -> list[Path]:
    """Writes result.json and report.html where there is a folder, and prints JSON or the findings.

    Args:
        options: With `json`.
        result: What was found.
        out: Its folder; None writes nothing.
    """
    from equipoise.lab.results import result_json, save_result
    from equipoise.reports.terminal import show
    from equipoise.reports.views import document_of
    from equipoise.reports.write import write_page

    document = document_of(result)
    paths = [] if out is None else [save_result(result, out), write_page(document, out / PAGE)]
    if options.json:
        print(result_json(result), end="")
        return paths
    show(document, sys.stdout)
    for path in paths:
        print(path)
    return paths
