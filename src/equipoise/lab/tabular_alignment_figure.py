"""The figure of the study of alignment: what every rule learned to do, state by state, beside what was aimed at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from equipoise.reports.agents import INK, MUTED, RULE, SERIES
from equipoise.reports.old_sheet import Sheet, sheet

_SLOTS = {"naive": 0, "sum_of_rewards": 1, "advantage_alignment": 2, "advantage_alignment_inclusive": 3}
_SHOWN_ELSEWHERE = "advantage_alignment, beta 1"
_WIDTH, _LEFT, _ROW, _GAP, _HEAD = 720.0, 210.0, 20.0, 14.0, 66.0


def probabilities_svg(table: Mapping[str, Any]) -> str:
    """Probability of cooperation by state as SVG: every rule in the first condition, alignment with beta 1 in the rest.

    A mark is the median over seeds, a bar the range over seeds, a dashed line the aim.
    """
    first, *others = table["conditions"]
    shown = [(row["arm"].replace("_", " "), row) for row in first["rows"]]
    beside = [(part["name"], row) for part in others for row in part["rows"] if row["arm"] == _SHOWN_ELSEWHERE]
    blocks = [(f"Every rule, {first['name']}", shown), ("Alignment, beta 1, elsewhere", beside)]
    blocks = [block for block in blocks if block[1]]
    height = _HEAD + sum(_ROW * (len(rows) + 1) + _GAP for _, rows in blocks) + 16
    title = "Learned probability of cooperation by state, rule and condition"
    with sheet("tabular-alignment", title, _WIDTH, height) as page:
        note = f"Median and range over {len(table['seeds'])} seeds; dashed: the aim"
        page.text(0, 14, f"{title}. {note}", ink=MUTED)
        _columns(page, table, height)
        top = _HEAD
        for heading, rows in blocks:
            page.text(0, top + 14, heading, weight="bold")
            for line, (label, row) in enumerate(rows, 1):
                _line(page, top + _ROW * line + 14, label, row)
            top += _ROW * (len(rows) + 1) + _GAP
        return page.svg()


def _x(state: int, probability: float) -> float:
    """Where a probability of a state is, in pixels."""
    wide = (_WIDTH - _LEFT) / 5
    return _LEFT + wide * state + 12 + (wide - 24) * probability


def _columns(page: Sheet, table: Mapping[str, Any], height: float) -> None:
    """The heads, ends and aims of the five columns."""
    for state, name in enumerate(table["states"]):
        page.text(_x(state, 0.5), 40, name, ha="center")
        for end in (0.0, 1.0):
            page.line([(_x(state, end), _HEAD), (_x(state, end), height - 16)])
            page.text(_x(state, end), 58, f"{end:.0f}", ink=MUTED, size=10, ha="center")
        aim = _x(state, table["target"]["probabilities"][state])
        page.line([(aim, _HEAD), (aim, height - 16)], ink=MUTED, linestyle="--")


def _line(page: Sheet, y: float, label: str, row: Mapping[str, Any]) -> None:
    """One arm: its label, and in each column its range and its median."""
    slot = _SLOTS[row["rule"]]
    page.text(8, y, label, ink=INK)
    spreads: Sequence[Mapping[str, float]] = row["probabilities"]
    for state, spread in enumerate(spreads):
        page.line([(_x(state, 0.0), y - 4), (_x(state, 1.0), y - 4)], ink=RULE)
        page.line([(_x(state, spread["low"]), y - 4), (_x(state, spread["high"]), y - 4)], SERIES[slot], width=3)
        page.mark(_x(state, spread["median"]), y - 4, slot)
