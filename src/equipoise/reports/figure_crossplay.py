"""The heat map of a tournament: every agent's pay against every opponent, the darker the more, with its interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from equipoise.errors import UserError
from equipoise.reports.agents import INK, MUTED, SERIES
from equipoise.reports.formats import bounds, number
from equipoise.reports.layout import LETTER, NARROW, identifier, wrapped
from equipoise.reports.old_sheet import Sheet, sheet

_SHADE = SERIES[2]
_PALE, _DARK = 0.06, 0.5
"""Opacity of the lowest and of the highest pay: text stays readable on both, on a light and on a dark ground."""
_HEAD = 62.0


@dataclass(frozen=True)
class _Grid:
    """Where the cells are, in pixels, and how long an interval may be to be written into one."""

    left: float
    top: float
    wide: float
    high: float

    @property
    def roomy(self) -> bool:
        """Whether an interval fits into a cell."""
        return self.wide >= 88

    @property
    def numbered(self) -> bool:
        """Whether columns are headed by numbers, since names would not fit."""
        return self.wide < 88


def _shaded(page: Sheet, x: float, y: float, size: tuple[float, float], share: float) -> None:
    """Fills a rectangle with a shade between the palest (0) and the darkest (1)."""
    from matplotlib.patches import Rectangle

    alpha = _PALE + (_DARK - _PALE) * share
    page.axes.add_patch(
        Rectangle((x, y), *size, facecolor=_SHADE.light, alpha=round(alpha, 3), edgecolor="none", clip_on=False)
    )


def _cell(
    page: Sheet, grid: _Grid, place: tuple[int, int], estimate: Mapping[str, Any], share: float, digits: int
) -> None:
    """Draws one cell: its shade, its value and, where there is room, its interval."""
    row, column = place
    x, y = grid.left + grid.wide * column, grid.top + grid.high * row
    _shaded(page, x + 1, y + 1, (grid.wide - 2, grid.high - 2), share)
    below = bounds(estimate, digits) if grid.roomy and estimate.get("low") != estimate.get("high") else ""
    middle = x + grid.wide / 2
    own = "bold" if row == column else "normal"
    value = number(estimate.get("value"), digits)
    size = min(13.0, 1.65 * (grid.wide - 4) / max(len(value), 1))
    page.text(middle, y + grid.high / 2 + (-2 if below else 5), value, size=size, ha="center", weight=own)
    if below:
        page.text(middle, y + grid.high / 2 + 14, below, ink=MUTED, size=10, ha="center")


def _heads(page: Sheet, grid: _Grid, names: Sequence[str]) -> None:
    """Names the columns, by number where names do not fit, and the rows."""
    for column, name in enumerate(names):
        x = grid.left + grid.wide * (column + 0.5)
        lines = [str(column + 1)] if grid.numbered else wrapped(name.replace("_", " "), int(grid.wide / LETTER), 2)
        for line, text in enumerate(lines):
            page.text(x, grid.top - 8 - 15 * (len(lines) - 1 - line), text, ha="center")
    for row, name in enumerate(names):
        y = grid.top + grid.high * (row + 0.5) + 4
        if page.width < NARROW:
            page.text(0, y, str(row + 1))
            continue
        label = f"{row + 1} {name}" if grid.numbered else name
        lines = wrapped(label.replace("_", " "), int((grid.left - 8) / LETTER), 2)
        for line, text in enumerate(lines):
            page.text(0, y + 15 * (line - (len(lines) - 1) / 2), text)


def crossplay_svg(table: Mapping[str, Any], width: int = 720, agents: Mapping[str, str] | None = None) -> str:
    """The matrix of pay as SVG, row's agent against column's opponent; `agents` maps names to other labels.

    On a phone the columns are numbered and the names are listed below; intervals are then in the table alone.

    Raises:
        ValueError: when the table has no agents.
    """
    names = [agent["name"] for agent in table["agents"]]
    if not names:
        raise UserError("got a tournament without agents; a heat map needs at least one")
    labels = [(agents or {}).get(name, name) for name in names]
    cells = {(cell["agent"], cell["opponent"]): cell["pay"] for cell in table["cells"]}
    values = [estimate["value"] for estimate in cells.values() if estimate.get("value") is not None]
    low, high = min(values, default=0.0), max(values, default=0.0)
    largest = max(abs(low), abs(high))
    narrow = width < NARROW
    digits = 3 if largest < 10 else 2 if largest < 100 else 1
    digits -= 1 if narrow or len(names) > 8 else 0
    left = 26.0 if narrow else min(width * 0.24, 190.0)
    wide = (width - left) / len(names)
    grid = _Grid(left, _HEAD, wide, 48.0 if wide >= 88 else max(28.0, min(wide, 40.0)))
    listed = 22.0 * len(names) + 10 if narrow else 0.0
    bottom = grid.top + grid.high * len(names)
    title = f"Pay of each agent against each opponent, {table['unit']}: {', '.join(labels)}"
    with sheet(f"crossplay-{identifier(table['game'])}-{width}", title, width, bottom + listed + 6) as page:
        page.text(0, 14, "Pay of the row's agent against the column's opponent", ink=MUTED, size=11 if narrow else 12)
        _heads(page, grid, labels)
        for row, agent in enumerate(names):
            for column, opponent in enumerate(names):
                estimate = cells[agent, opponent]
                share = (estimate["value"] - low) / (high - low) if high > low and estimate["value"] is not None else 0
                _cell(page, grid, (row, column), estimate, share, digits)
        for row, label in enumerate(labels if narrow else ()):
            page.text(0, bottom + 24 + 22 * row, wrapped(f"{row + 1} {label}", int(width / LETTER), 1)[0], ink=INK)
        return page.svg()
