"""Text and tables as Markdown: what was measured or written by a model is data there too, never markup."""

from collections.abc import Sequence

from equipoise.reports.formats import visible
from equipoise.reports.study_tables import Table
from equipoise.reports.tables import Cell


def line_of(text: str) -> str:
    """The text as one cell or one line: invisible characters spelled out, no line breaks, nothing that is markup."""
    escaped = " ".join(visible(text).split())
    for sign in "\\|<>*`":
        escaped = escaped.replace(sign, f"\\{sign}")
    return escaped.replace("](", "]\\(")


def code_of(text: str) -> str:
    """The text as code on one line: invisible characters spelled out, nothing that would end the code."""
    return f"`{' '.join(visible(text).split()).replace('`', chr(39))}`"


def table_lines(table: Table, marks: Sequence[str] = ()) -> list[str]:
    """The lines of a Markdown table; `marks` follow the rows' labels."""
    lines = [
        "| " + " | ".join(line_of(head) for head in table.heads) + " |",
        "| " + " | ".join(["---"] * len(table.heads)) + " |",
    ]
    for index, (label, cells) in enumerate(table.rows):
        mark = f", {marks[index]}" if index < len(marks) and marks[index] else ""
        lines.append("| " + " | ".join([line_of(label) + mark, *map(_cell, cells)]) + " |")
    return lines


def _cell(cell: Cell) -> str:
    value = line_of(cell.value) + (f" {line_of(cell.below)}" if cell.below else "")
    return f"**{value}**" if cell.best else value
