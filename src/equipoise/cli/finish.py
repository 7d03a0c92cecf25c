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
    from equipoise.reports.terminal import terminal_text
    from equipoise.reports.views import document_of
    from equipoise.reports.write import write_page

    document = document_of(result)
    paths = [] if out is None else [save_result(result, out), write_page(document, out / PAGE)]
    if options.json:
        print(result_json(result), end="")
        return paths
    print(readable(terminal_text(document)), end="")
    for path in paths:
        print(path)
    return paths


def readable(text: str) -> str:
    """The text as this terminal can show it: what its encoding lacks is written with other signs."""
    encoding = sys.stdout.encoding or "ascii"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        plain = str.maketrans({"−": "-", "–": "-", "…": "...", "⟨": "<", "⟩": ">", "·": "*", "×": "x"})
        return text.translate(plain).encode(encoding, "backslashreplace").decode(encoding)
    return text
