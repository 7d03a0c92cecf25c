"""The report as a table for a terminal of 80 columns."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from equipoise.reports.formats import visible
from equipoise.reports.glossary import partial_exactness
from equipoise.reports.headline import headline
from equipoise.reports.schema import clean_report, validate_report
from equipoise.reports.tables import Column, further_columns, has_nash_conv, metric_columns

WIDTH = 80
_TITLES = {
    "nash_conv": "exact NashConv",
    "pool_exploitability": "pool exploit.",
    "payoff": "payoff",
    "fault_rate": "fault %",
    "sepo_index": "SEPO index",
    "welfare": "welfare",
    "worst_case_advantage": "exact worst case",
    "worst_case_lower_bound": "worst case >=",
    "collusion": "collusion",
    "externality": "externality",
    "exploitation": "exploitation",
}
_ZERO_SUM_BLOCK = ("nash_conv", "pool_exploitability", "payoff", "fault_rate")
_GENERAL_BLOCKS = (
    ("sepo_index", "pool_exploitability", "payoff", "fault_rate"),
    ("worst_case_advantage", "worst_case_lower_bound", "welfare"),
    ("collusion", "externality", "exploitation"),
)
_LABEL, _WIDE, _LAST = 15, 19, 8


def _line(label: str, cells: Sequence[tuple[str, int]]) -> str:
    return (label.ljust(_LABEL) + "".join(cell.rjust(width) for cell, width in cells)).rstrip()


def _block(rows: Sequence[Mapping[str, Any]], keys: Sequence[str], columns: Mapping[str, Column]) -> list[str]:
    """One table: a row a block of two lines, values above intervals; empty where nothing of it was measured."""
    widths = {key: _LAST if key == "fault_rate" else _WIDE for key in keys}
    lines = ["", _line("", [(_TITLES[key], widths[key]) for key in keys])]
    for index, row in enumerate(rows):
        name = textwrap.wrap(visible(row.get("label", row["agent"])), _LABEL - 1, max_lines=2, placeholder="…")
        cells = {key: columns[key].cells[index] if key in columns else None for key in keys}
        values = [("" if cell is None else cell.value, widths[key]) for key, cell in cells.items()]
        intervals = [
            ("" if cell is None or key == "fault_rate" else cell.below.split(" n =")[0], widths[key])
            for key, cell in cells.items()
        ]
        lines.append(_line(name[0] if name else "", values))
        if any(interval for interval, _ in intervals) or len(name) > 1:
            lines.append(_line(name[1] if len(name) > 1 else "", intervals))
    return lines


def report_text(report: Mapping[str, Any]) -> str:
    """The findings and the main table as text: one agent a block, its values above their intervals.

    Raises:
        ValueError: when the report lacks a required key or holds a value of the wrong kind.
    """
    plain = clean_report(report)
    validate_report(plain)
    rows = plain["rows"]
    columns = {column.metric.key: column for column in (*metric_columns(plain), *further_columns(plain))}
    lines = [*textwrap.wrap(visible(plain.get("title", plain["game"])), WIDTH), ""]
    for sentence in headline(plain):
        lines += textwrap.wrap(visible(sentence), WIDTH)
    if has_nash_conv(rows):
        lines += _block(rows, _ZERO_SUM_BLOCK, columns)
    else:
        for keys in _GENERAL_BLOCKS:
            present = [key for key in keys if key in columns]
            lines += _block(rows, present, columns) if present else []
    unit, exact = plain.get("unit"), partial_exactness(plain)
    footer = f"Unit: {visible(unit)}. [low, high]: interval." if unit else ""
    footer += f" Exact figures: {visible(exact)}." if exact else ""
    return "\n".join([*lines, *textwrap.wrap(footer.strip(), WIDTH)]) + "\n"
