"""Drawings with two scales: values over steps, and two figures of every agent against each other."""

import math
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

from equipoise.reports.figures_style import (
    NARROW,
    ink_of,
    legend,
    legend_height,
    mark_of,
    padded,
    paper,
    plain_ticks,
    tick,
    wrapped,
)
from equipoise.reports.plots import Curves, Point, Scatter

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_curves(plot: Curves, width: float) -> "Figure":
    """Values over steps: a thin line for each seed, their median in bold with the agent's marker at its end."""
    from matplotlib.lines import Line2D

    narrow = width < NARROW
    labels = [line.label for line in plot.lines]
    figure = paper(width, 290 + legend_height(labels, width) if narrow else 360)
    axes = figure.add_subplot()
    runs = [[_finite(run) for run in line.runs] for line in plot.lines]
    values = [value for line in runs for run in line for _, value in run]
    floor = _logarithmic(axes, values) if plot.log and any(value > 0 for value in values) else None
    if floor is None:
        plain_ticks(axes.yaxis, 5)
    handles = []
    for line, found in zip(plot.lines, runs, strict=True):
        ink = ink_of(line.slot)
        drawn = [[(step, max(value, floor or value)) for step, value in run] for run in found if run]
        for run in drawn:
            axes.plot(*zip(*run, strict=True), color=ink, linewidth=1.2, alpha=0.45)
        middle = _median(drawn)
        style: dict[str, Any] = {"color": ink, "linewidth": 2.6, "linestyle": "--" if line.slot is None else "-"}
        if middle:
            last = len(middle) - 1
            marks = mark_of(line.slot, 8) | {"markevery": [last], "clip_on": False}
            axes.plot(*zip(*middle, strict=True), solid_capstyle="round", zorder=3, **style, **marks)
        handles.append(Line2D([], [], **style, **mark_of(line.slot, 8)))
    plain_ticks(axes.xaxis, 4 if narrow else 7)
    axes.margins(x=0.02)
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_title(wrapped(plot.upward + (", log scale" if floor else ""), width - 40))
    axes.set_xlabel(wrapped(plot.across, width - 60, 1), loc="right")
    legend(figure, handles, labels, side=not narrow)
    return figure


def _finite(run: Sequence[Point]) -> list[Point]:
    return sorted((step, value) for step, value in run if math.isfinite(step) and math.isfinite(value))


def _median(runs: Sequence[Sequence[Point]]) -> list[Point]:
    """The median at every step that all seeds measured; elsewhere it would jump as seeds come and go."""
    if not runs:
        return []
    tables = [dict(run) for run in runs]
    shared = sorted(set.intersection(*(set(table) for table in tables)))
    return [(step, median(table[step] for table in tables)) for step in shared] or list(runs[0])


def _logarithmic(axes: "Axes", values: Sequence[float]) -> float:
    """The lowest value drawn; zeros, which a log scale has no place for, lie there on a line marked 0."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

    positive = [value for value in values if value > 0]
    zero = len(positive) < len(values)
    low, high = min(positive) / (2.5 if zero else 1.12), max(positive) * 1.12
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    subs = (1.0, 2.0, 5.0) if high / low < 1000 else (1.0,)
    marked = [t for t in LogLocator(subs=subs).tick_values(low, high) if low * (1.6 if zero else 1) <= t <= high]
    axes.yaxis.set_major_locator(FixedLocator([*([low] if zero else []), *marked]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: "0" if zero and value < low * 1.01 else tick(value)))
    return low


def draw_scatter(plot: Scatter, width: float) -> "Figure":
    """Two figures of every agent against each other: a mark for each seed, a larger one at the medians of several."""
    from matplotlib.lines import Line2D

    narrow = width < NARROW
    labels = [cloud.label for cloud in plot.clouds]
    figure = paper(width, 320 + legend_height(labels, width) if narrow else 420)
    axes = figure.add_subplot()
    handles, places = [], []
    for cloud in plot.clouds:
        points = [(x, y) for x, y in cloud.points if math.isfinite(x) and math.isfinite(y)]
        places += points
        several = len(points) > 1
        if points:
            small = mark_of(cloud.slot, 6 if several else 9) | {"alpha": 0.55 if several else 1.0}
            axes.plot(*zip(*points, strict=True), linestyle="none", clip_on=False, **small)
        if several:
            centre = [median(x for x, _ in points)], [median(y for _, y in points)]
            axes.plot(*centre, linestyle="none", zorder=3, clip_on=False, **mark_of(cloud.slot, 10))
        handles.append(Line2D([], [], linestyle="none", **mark_of(cloud.slot, 9)))
    axes.set(xlim=padded(x for x, _ in places), ylim=padded(y for _, y in places))
    plain_ticks(axes.xaxis, 4 if narrow else 7)
    plain_ticks(axes.yaxis, 6)
    axes.grid()
    axes.tick_params(length=0)
    axes.set_title("\n".join(wrapped(text, width - 40, 3) for text in (plot.upward, plot.note) if text))
    axes.set_xlabel(wrapped(plot.across, width - 60), loc="right")
    legend(figure, handles, labels, side=not narrow)
    return figure
