"""The report as a table for a terminal of 80 columns."""

import textwrap
from collections.abc import Mapping
from typing import Any

from equipoise.reports.findings import headline
from equipoise.reports.formats import visible
from equipoise.reports.schema import clean_report, validate_report
from equipoise.reports.tables import metric_columns

WIDTH = 80
_COLUMNS = {
    "nash_conv": "exact NashConv",
    "pool_exploitability": "pool exploit.",
    "payoff": "payoff",
    "fault_rate": "fault %",
}
_LABEL, _WIDE, _LAST = 15, 19, 8


def _line(label: str, cells: list[str]) -> str:
    widths = [_WIDE] * (len(cells) - 1) + [_LAST]
    return (label.ljust(_LABEL) + "".join(cell.rjust(w) for cell, w in zip(cells, widths, strict=True))).rstrip()


def report_text(report: Mapping[str, Any]) -> str:
    """The findings and the main table as text: one agent a block, its values above their intervals.

    Raises:
        ValueError: when the report lacks a required key or holds a value of the wrong kind.
    """
    plain = clean_report(report)
    validate_report(plain)
    columns = {column.metric.key: column for column in metric_columns(plain["rows"])}
    lines = [*textwrap.wrap(visible(plain.get("title", plain["game"])), WIDTH), ""]
    for sentence in headline(plain):
        lines += textwrap.wrap(visible(sentence), WIDTH)
    lines += ["", _line("", list(_COLUMNS.values()))]
    for index, row in enumerate(plain["rows"]):
        name = textwrap.wrap(visible(row.get("label", row["agent"])), _LABEL - 1, max_lines=2, placeholder="…")
        cells = [columns[key].cells[index] if key in columns else None for key in _COLUMNS]
        values = ["" if cell is None else cell.value for cell in cells]
        intervals = ["" if cell is None else cell.below.split(" n =")[0] for cell in cells[:-1]]
        lines.append(_line(name[0] if name else "", values))
        if any(intervals) or len(name) > 1:
            lines.append(_line(name[1] if len(name) > 1 else "", [*intervals, ""]))
    unit = plain.get("unit")
    return "\n".join([*lines, *([f"Unit: {visible(unit)}. [low, high]: interval."] if unit else [])]) + "\n"
