"""`equipoise report`: the page of any stored result, again or as Markdown."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from equipoise.cli.finish import PAGE
from equipoise.cli.shared import add_json


def add_to(verbs: Any) -> None:
    """Adds the command to the parser."""
    verb = verbs.add_parser("report", help="render a stored result: an audit, a tournament, a probe, a talk, a study")
    verb.add_argument("path", type=Path, help="a folder with result.json, or such a file")
    verb.add_argument("--out", type=Path, help=f"folder for {PAGE} (default: where the result is)")
    verb.add_argument("--markdown", type=Path, metavar="FILE", help="also write it as this Markdown file")
    verb.add_argument("--view", metavar="NAME", help="another view of it: package.module:Name or path/file.py:Name")
    add_json(verb)
    verb.set_defaults(run=report)


def report(options: argparse.Namespace) -> None:
    """Renders a stored result."""
    from equipoise.lab.results import load_result, result_json
    from equipoise.reports.markdown import write_markdown
    from equipoise.reports.terminal import show
    from equipoise.reports.views import document_of
    from equipoise.reports.write import write_page

    result = load_result(options.path)
    document = document_of(result, options.view)
    folder = options.out or (options.path if options.path.is_dir() else options.path.parent)
    paths = [write_page(document, folder / PAGE)]
    if options.markdown is not None:
        paths += write_markdown(document, options.markdown)
    if options.json:
        print(result_json(result), end="")
        return
    show(document, sys.stdout)
    for path in paths:
        print(path)
