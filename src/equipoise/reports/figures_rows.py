"""Drawings with a line for each agent or state: intervals, strips of seeds, policies."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from equipoise.reports.colours import BAND, INK, MUTED
from equipoise.reports.figures_style import (
    NARROW,
    clipped_range,
    ink_of,
    legend,
    legend_height,
    mark_of,
    name_lines,
    padded,
    paper,
    plain_ticks,
    wrapped,
    zero_line,
)
from equipoise.reports.formats import number
from equipoise.reports.plots import Interval, Intervals, Panel, Policies, StatePoint, Strips

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ACROSS = 5
"""The most panels of strips beside each other."""


def _numbers(row: Interval) -> list[float]:
    """Everything that a row draws, as far as it is finite."""
    return [v for v in (row.value, row.low, row.high, *row.parts) if v is not None and math.isfinite(v)]


def _bare(axes: "Axes", lines: int) -> None:
    """Makes axes whose vertical scale only lists lines, numbered from the top."""
    axes.set_ylim(max(lines, 1) - 0.5, -0.5)
    axes.grid()
    axes.tick_params(axis="x", length=0)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)


def draw_intervals(plot: Intervals, width: float) -> "Figure":
    """A value with its error bar on each line, its seeds as small dots beneath; arrows lead beyond a clipped axis."""
    narrow = width < NARROW
    every = [value for row in plot.rows for value in _numbers(row)]
    shown = clipped_range(every)
    if plot.zero:
        shown = padded((0.0, *shown), 0.0) if not shown[0] <= 0 <= shown[1] else shown
    beyond = any(not shown[0] <= value <= shown[1] for value in every)
    note = "; cut off at the arrows, which name what lies beyond" if beyond else ""
    room = 112 if narrow else 250
    across = wrapped(plot.across + note, width - room - 20, 6)
    figure = paper(width, 48 + 16 * across.count("\n") + 36 * max(len(plot.rows), 1))
    axes = figure.add_subplot()
    axes.set_xlim(shown)
    _bare(axes, len(plot.rows))
    plain_ticks(axes.xaxis, 4 if narrow else 7)
    if plot.zero:
        zero_line(axes)
    for line, row in enumerate(plot.rows):
        _interval(axes, line, row, shown)
    names = [wrapped(row.label, room, 2, 11 if narrow else 12) for row in plot.rows]
    name_lines(axes, range(len(names)), names, [row.slot is None for row in plot.rows])
    axes.tick_params(axis="y", labelsize=11 if narrow else 12)
    axes.set_xlabel(across, loc="right")
    return figure


def _interval(axes: "Axes", line: int, row: Interval, shown: tuple[float, float]) -> None:
    low, high = shown
    if not math.isfinite(row.value):
        return
    ends = [row.value if end is None or not math.isfinite(end) else end for end in (row.low, row.high)]
    inside = [min(max(end, low), high) for end in ends]
    if ends[0] < ends[1]:
        middle = min(max(row.value, inside[0]), inside[1])
        reach = [[middle - inside[0]], [inside[1] - middle]]
        caps = 3 if inside == ends else 0  # a cap would say that the interval ends where the axis does
        axes.errorbar(middle, line, xerr=reach, fmt="none", color=ink_of(row.slot), elinewidth=2, capsize=caps)
    parts = [part for part in row.parts if low <= part <= high]
    if parts:
        axes.plot(parts, [line + 0.28] * len(parts), "o", color=ink_of(row.slot), markersize=3, alpha=0.6)
    if low <= row.value <= high:
        axes.plot([row.value], [line], linestyle="none", zorder=3, clip_on=False, **mark_of(row.slot))
    _beyond(axes, line, row, shown)


def _beyond(axes: "Axes", line: int, row: Interval, shown: tuple[float, float]) -> None:
    """Draws an arrow at each edge that something of the row lies behind, with the value behind it."""
    for edge, marker, away, side, extreme in ((shown[0], "<", 1, "left", min), (shown[1], ">", -1, "right", max)):
        furthest = extreme(_numbers(row))
        if (furthest - edge) * away >= 0:
            continue
        # The value itself says more than the end of its interval.
        hidden = row.value if (row.value - edge) * away < 0 else furthest
        axes.plot([edge], [line], marker, color=ink_of(row.slot), markersize=8, clip_on=False, zorder=4)
        axes.annotate(
            number(hidden, 2),
            (edge, line),
            (10 * away, 7),
            textcoords="offset points",
            ha=side,
            fontsize=10.5,
            color=INK.light if hidden == row.value else MUTED.light,
        )


def draw_strips(plot: Strips, width: float) -> "Figure":
    """Measures beside each other with common lines, on a phone below each other: seeds as marks, the median a bar."""
    narrow = width < NARROW
    panels = list(plot.panels)
    across = 1 if narrow else max(1, min(len(panels), _ACROSS))
    down = max(1, math.ceil(len(panels) / across))
    common = list(dict.fromkeys(row.label for panel in panels for row in panel.rows))
    lines = [[row.label for row in panel.rows] if narrow else common for panel in panels] or [[]]
    high = [66 + 32 * max(len(names), 1) for names in lines[::across]]
    figure = paper(width, sum(high))
    # Each row of panels is as high as its lines need.
    grid = figure.subplots(down, across, squeeze=False, height_ratios=high, sharey=not narrow)
    room = 112 if narrow else 180
    for index, axes in enumerate(grid.flat):
        if index >= len(panels):
            axes.set_visible(False)
            continue
        panel, names = panels[index], lines[index]
        _strip(axes, panel, names, 4 if narrow else 3)
        size = 11 if narrow else 12
        title = wrapped(panel.title, (width - room) / across - 12, 3, 1.1 * size)
        axes.set_title(title, color=INK.light, fontweight="bold", fontsize=size)
        slots = {row.label: row.slot for row in panel.rows}
        if narrow or index % across == 0:
            texts = [wrapped(name, room, 2, size) for name in names]
            name_lines(axes, range(len(names)), texts, [slots.get(name, 0) is None for name in names])
            axes.tick_params(axis="y", labelsize=size)
        else:
            axes.tick_params(axis="y", length=0, labelleft=False)
    return figure


def _strip(axes: "Axes", panel: Panel, names: Sequence[str], count: int) -> None:
    axes.set_xlim(padded([value for row in panel.rows for value in (row.value, *row.parts)], 0.1))
    _bare(axes, len(names))
    plain_ticks(axes.xaxis, count)
    zero_line(axes)
    for row in panel.rows:
        line = names.index(row.label)
        parts = [part for part in row.parts if math.isfinite(part)] or [row.value]
        if len(parts) > 1:
            axes.plot([row.value] * 2, [line - 0.38, line + 0.38], color=INK.light, linewidth=2)
        places = [line + 0.6 * ((seed + 0.5) / len(parts) - 0.5) for seed in range(len(parts))]  # the first on top
        axes.plot(parts, places, linestyle="none", zorder=3, clip_on=False, **mark_of(row.slot, 6))


def draw_policies(plot: Policies, width: float) -> "Figure":
    """Every agent at every state: the probability of an action against its band, and that of a faulty reply."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch, Rectangle

    narrow = width < NARROW
    lane = 7.0
    row = max(46.0 if narrow else 30.0, lane * len(plot.agents) + 10)
    places, groups, bottom = _places(plot.states, row)
    labels = [label for label, _ in plot.agents]
    banded = any(state.band is not None for state in plot.states)
    legends = [*labels, *(["range over all equilibria"] if banded else [])]
    figure = paper(width, bottom + 70 + legend_height(legends, width))
    faults = [f for state in plot.states for f in state.faults if f is not None and math.isfinite(f)]
    panels = figure.subplots(1, 2 if faults else 1, sharey=True, squeeze=False, width_ratios=[7, 3] if faults else [1])
    chance, *fault = panels[0]
    highest = next((e for e in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if e >= max(faults, default=0)), 1.0)
    for axes, edge, heading in (
        (chance, 1.0, "probability of the action"),
        *((f, highest, "not legal") for f in fault),
    ):
        axes.set_xlim(-0.02 * edge, 1.02 * edge)
        axes.set_ylim(bottom, 0)
        axes.set_title(wrapped(heading, 150 if narrow else 300, 2, 11), fontsize=11)
        axes.tick_params(length=0)
        axes.grid(axis="x")
        for side in ("left", "bottom"):
            axes.spines[side].set_visible(False)
        plain_ticks(axes.xaxis, 2 if narrow or axes is not chance else 4)
    for state, middle in zip(plot.states, places, strict=True):
        if state.band is not None:
            low, high = state.band
            box = (low - 0.008, middle - row / 2 + 3), high - low + 0.016, row - 6
            chance.add_patch(Rectangle(*box, facecolor=BAND.light, edgecolor="none", zorder=0.95))
    for index, (_, slot) in enumerate(plot.agents):
        lanes = [middle + lane * (index - (len(plot.agents) - 1) / 2) for middle in places]
        for axes, rows in (
            (chance, [s.chances for s in plot.states]),
            *((f, [s.faults for s in plot.states]) for f in fault),
        ):
            values = [math.nan if values[index] is None else values[index] for values in rows]
            axes.plot(values, lanes, linestyle="none", zorder=3, clip_on=False, **mark_of(slot, 6.5))
    _name_states(chance, plot.states, places, groups, narrow)
    handles: list[Any] = [Line2D([], [], linestyle="none", **mark_of(slot, 8)) for _, slot in plot.agents]
    legend(figure, [*handles, *([Patch(color=BAND.light)] if banded else [])], legends)
    return figure


def _places(states: Sequence[StatePoint], row: float) -> tuple[list[float], dict[str, float], float]:
    """The middle of every state's line and of every group's heading, and the bottom, in pixels from the top."""
    places: list[float] = []
    groups: dict[str, float] = {}
    y = 4.0
    for state in states:
        if state.group and state.group not in groups:
            groups[state.group] = y + 14
            y += 28
        places.append(y + row / 2)
        y += row
    return places, groups, y


def _name_states(
    axes: "Axes", states: Sequence[StatePoint], places: Sequence[float], groups: dict[str, float], narrow: bool
) -> None:
    size, room, lines = (10.5, 112.0, 3) if narrow else (12.0, 230.0, 2)
    texts = [wrapped(group, room, 1, size) for group in groups]
    texts += [wrapped(state.label, room, lines, size) for state in states]
    name_lines(axes, [*groups.values(), *places], texts, [False] * len(texts))
    axes.tick_params(axis="y", labelsize=size)
    for text in axes.get_yticklabels()[: len(groups)]:
        text.set_fontweight("bold")
