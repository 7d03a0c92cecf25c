"""Learning curves: exact NashConv over training, a thin line per seed and the median over seeds in bold."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from equipoise.errors import UserError
from equipoise.reports.agents import MUTED, SERIES, agent_slots
from equipoise.reports.layout import NARROW, draw_legend, legend_rows, log_ticks, round_ticks, spread, wrapped
from equipoise.reports.old_sheet import Sheet, sheet

Points = list[tuple[float, float]]
_LEFT, _TOP = 52.0, 34.0


@dataclass(frozen=True)
class _Frame:
    """The data's box in pixels and the values at its edges."""

    right: float
    bottom: float
    last: float
    low: float
    high: float

    def place(self, points: Points) -> Points:
        """The points in pixels; a value below the lowest one drawn lies on the bottom line."""
        scale = (self.bottom - _TOP) / math.log(self.high / self.low)
        return [
            (
                _LEFT + (self.right - _LEFT) * step / self.last,
                self.bottom - scale * math.log(max(value, self.low) / self.low),
            )
            for step, value in points
        ]


def _points(curve: Mapping[str, Any]) -> Points:
    pairs = ((point["step"], point.get("nash_conv")) for point in curve["points"])
    return sorted((step, value) for step, value in pairs if value is not None and not math.isnan(value))


def _middle(seeds: Sequence[Points]) -> Points:
    """The median over seeds at every step that all of them measured; elsewhere it would jump as seeds come and go."""
    tables = [dict(points) for points in seeds]
    shared = sorted(set.intersection(*(set(table) for table in tables)))
    return [(step, median(table[step] for table in tables)) for step in shared]


def _axes(page: Sheet, frame: _Frame, narrow: bool, zero: bool) -> None:
    page.text(0, 14, "Exact NashConv (log scale)", ink=MUTED)
    ticks = [(value, f"{value:g}") for value in log_ticks(frame.low * (1.6 if zero else 1), frame.high)]
    for value, name in ticks + ([(frame.low, "0")] if zero else []):
        y = frame.place([(0, value)])[0][1]
        page.line([(_LEFT, y), (frame.right, y)])
        page.text(_LEFT - 8, y + 4, name, ink=MUTED, ha="right")
    for step in round_ticks(frame.last, 4 if narrow else 6):
        page.text(frame.place([(step, 1)])[0][0], frame.bottom + 20, f"{step:g}", ink=MUTED, ha="center")
    page.text(frame.right, frame.bottom + 40, "training step", ink=MUTED, ha="right")


def _direct_labels(
    page: Sheet, labels: Mapping[str, str], ends: Sequence[tuple[float, float, int]], left: float
) -> None:
    """Writes each label beside the end of its line, moved apart where ends meet, with a hair line back to it."""
    lines = [wrapped(label, 20) for label in labels.values()]
    heights = spread([y for _, y, _ in ends], [16.0 * len(line) + 6 for line in lines], _TOP, page.height - 66)
    for (x, end, slot), y, line in zip(ends, heights, lines, strict=True):
        page.line([(x + 7, end), (left + 14, y), (left + 22, y)], SERIES[slot], 1)
        for index, text in enumerate(line):
            page.text(left + 28, y + 4 + 16 * (index - (len(line) - 1) / 2), text)


def learning_curves_svg(
    curves: Sequence[Mapping[str, Any]], width: int = 720, agents: Mapping[str, str] | None = None
) -> str:
    """The exact NashConv over training as SVG: log scale, a thin line per seed, the median over seeds in bold.

    Values of zero, which a log scale has no place for, are drawn on the bottom line, which is then marked `0`.

    Raises:
        ValueError: when no curve holds a positive value of `nash_conv`.
    """
    labels = dict(agents or {curve["agent"]: curve.get("label", curve["agent"]) for curve in curves})
    slots = agent_slots(labels)
    seeds = {a: [points for c in curves if c["agent"] == a and (points := _points(c))] for a in labels}
    seeds = {agent: lines for agent, lines in seeds.items() if lines}
    labels = {agent: labels[agent] for agent in seeds}
    every = [point for lines in seeds.values() for line in lines for point in line]
    positive = [value for _, value in every if value > 0]
    if not positive:
        raise UserError(
            "got no positive 'nash_conv' in any curve; a learning curve needs points with step and nash_conv"
        )
    narrow, zero = width < NARROW, len(positive) < len(every)
    frame = _Frame(
        right=width - (14 if narrow else 178),
        bottom=240 if narrow else 310,
        last=max(1, *(step for step, _ in every)),
        low=min(positive) / (2.5 if zero else 1.12),
        high=max(positive) * 1.12,
    )
    rows = legend_rows(labels, width) if narrow else []
    title = f"Exact NashConv over training steps for {', '.join(labels.values())}"
    with sheet(f"curves-{width}", title, width, frame.bottom + 52 + 20 * len(rows)) as page:
        _axes(page, frame, narrow, zero)
        ends = []
        for agent, lines in seeds.items():
            slot = slots[agent]
            for points in lines:
                page.line(frame.place(points), SERIES[slot], 1.2, alpha=0.5)
            middle = frame.place(_middle(lines) or lines[0])
            page.line(middle, SERIES[slot], 2.6, solid_capstyle="round")
            page.mark(*middle[-1], slot, 8)
            ends.append((*middle[-1], slot))
        if narrow:
            draw_legend(page, rows, slots, frame.bottom + 66)
        else:
            _direct_labels(page, labels, ends, frame.right)
        return page.svg()
