"""Drawings of agents against agents: a heat map of pairs, and two rankings with lines between them."""

import math
from typing import TYPE_CHECKING

from equipoise.reports.colours import INK, SERIES
from equipoise.reports.figures_style import NARROW, ink_of, mark_of, paper, wrapped
from equipoise.reports.formats import number, text_width
from equipoise.reports.plots import Heatmap, Ranked, Ranking

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SHADE, _BELOW = SERIES[2].light, SERIES[5].light
_PALE, _DARK = 0.06, 0.5
"""Opacity of the lowest and of the highest value: text stays readable on both, on a light and on a dark ground."""


def draw_heatmap(plot: Heatmap, width: float) -> "Figure":
    """The value of every row against every column, the darker the more; of two colours where values have both signs."""
    narrow = width < NARROW
    count = max(len(plot.names), 1)
    left = 104.0 if narrow else 190.0
    cell = (width - left - 16) / count
    numbered = cell < 62
    room = cell - 6
    heads = [str(i + 1) if numbered else wrapped(name, room, 3, 11) for i, name in enumerate(plot.names)]
    rows = [wrapped(f"{i + 1}  {name}" if numbered else name, left - 10, 2, 11) for i, name in enumerate(plot.names)]
    high = min(max(cell, 30.0), 44.0)
    figure = paper(width, high * count + 36 + 14 * max((h.count("\n") + 1 for h in heads), default=1))
    axes = figure.add_subplot()
    axes.set(xlim=(-0.5, count - 0.5), ylim=(count - 0.5, -0.5))
    axes.set_xticks(range(len(heads)), heads, fontsize=11)
    axes.set_yticks(range(len(rows)), rows, fontsize=11)
    axes.xaxis.tick_top()
    axes.tick_params(length=0, pad=6, labelcolor=INK.light)
    for spine in axes.spines.values():
        spine.set_visible(False)
    signed = _fill(axes, plot, cell)
    note = f"{plot.unit}; blue above zero, red below" if signed else f"{plot.unit}; darker is more"
    axes.set_xlabel(wrapped(note, width - left, 2), loc="right")
    return figure


def _fill(axes: "Axes", plot: Heatmap, cell: float) -> bool:
    """Draws the cells, with their values where those can be read; whether two colours tell signs apart."""
    from matplotlib.patches import Rectangle

    known = [v for line in plot.values for v in line if v is not None and math.isfinite(v)]
    low, high = min(known, default=0.0), max(known, default=0.0)
    signed = low < 0 < high
    largest = max(abs(low), abs(high))
    gap = min(1.0 / max(cell, 1), 0.08)
    for row, line in enumerate(plot.values):
        for column, value in enumerate(line):
            finite = value is not None and math.isfinite(value)
            if value is not None and finite:
                share = abs(value) / largest if signed else (value - low) / (high - low) if high > low else 0.0
                shade = _BELOW if signed and value < 0 else _SHADE
                place = (column - 0.5 + gap, row - 0.5 + gap)
                alpha = round(_PALE + (_DARK - _PALE) * share, 3)
                axes.add_patch(Rectangle(place, 1 - 2 * gap, 1 - 2 * gap, facecolor=shade, alpha=alpha, linewidth=0))
            text = number(value if finite else None, plot.digits)
            size = min(12.0, (cell - 6) / text_width(text, 1))
            if size >= 6.5:
                weight = "bold" if row == column else "normal"
                axes.text(column, row, text, ha="center", va="center_baseline", fontsize=size, fontweight=weight)
    return signed


def draw_ranking(plot: Ranking, width: float) -> "Figure":
    """The agents in two orders, lowest at the top, and a line for each agent between its two places."""
    narrow = width < NARROW
    room = 118.0 if narrow else 270.0
    figure = paper(width, 50 + (74 if narrow else 46) * max(len(plot.rows), 1))
    axes = figure.add_subplot()
    # The other value breaks ties, so that two equal values never draw a crossing of their own.
    left = sorted(plot.rows, key=lambda row: (row.left, row.right))
    right = sorted(plot.rows, key=lambda row: (row.right, row.left))
    for row in plot.rows:
        ends = [left.index(row), right.index(row)]
        axes.plot([0, 1], ends, color=ink_of(row.slot), linewidth=2.4, clip_on=False, **mark_of(row.slot, 9))
    axes.set(xlim=(-0.02, 1.02), ylim=(max(len(plot.rows), 1) - 0.5, -0.5))
    size = 11 if narrow else 12
    other = axes.twinx()
    other.set_ylim(axes.get_ylim())
    for side, rows, texts in (
        (axes, left, [_entry(row, row.left_text, room, narrow) for row in left]),
        (other, right, [_entry(row, row.right_text, room, narrow) for row in right]),
    ):
        side.set_yticks(range(len(rows)), texts, fontsize=size)
        side.tick_params(axis="y", length=0, pad=10, labelcolor=INK.light)
        for spine in side.spines.values():
            spine.set_visible(False)
    heads = [wrapped(head, width / 2 - 8, 2, size) for head in (plot.left, plot.right)]
    axes.set_xticks([0, 1], heads, fontsize=size, fontweight="bold")
    axes.xaxis.tick_top()
    axes.tick_params(axis="x", length=0, labelcolor=INK.light)
    if not narrow:  # beside each other the heads stand above the names
        left_head, right_head = axes.get_xticklabels()
        left_head.set_horizontalalignment("right")
        right_head.set_horizontalalignment("left")
    return figure


def _entry(row: Ranked, value: str, room: float, narrow: bool) -> str:
    """The agent's name with its value: below it on a phone, else on the next line of the same label."""
    size = 11 if narrow else 12
    return f"{wrapped(row.label, room, 2 if narrow else 1, size)}\n{wrapped(value, room, 2 if narrow else 1, size)}"
