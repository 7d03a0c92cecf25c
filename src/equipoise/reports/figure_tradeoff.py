"""What cooperation costs in safety: welfare against exploitability, one mark per arm with both intervals."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from equipoise.reports.agents import MUTED, SERIES
from equipoise.reports.layout import (
    LETTER,
    NARROW,
    draw_legend,
    identifier,
    legend_rows,
    padded,
    ticks_between,
    wrapped,
)
from equipoise.reports.study_arms import (
    Game,
    arm_slots,
    arms,
    danger_metric,
    danger_name,
    game_title,
    measured,
    references,
)
from equipoise.reports.svg import Sheet, sheet

_LEFT, _TOP = 52.0, 44.0
_REACH = 1.5
"""An interval reaches at most this many times the range of the values beyond them; what is longer is cut."""

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class _Mark:
    """One row's place: its label, its slot (None for a reference player), and both estimates."""

    label: str
    slot: int | None
    x: Mapping[str, Any]
    y: Mapping[str, Any]


@dataclass(frozen=True)
class _Frame:
    """The data's box in pixels and the values at its edges."""

    right: float
    bottom: float
    xs: tuple[float, float]
    ys: tuple[float, float]

    def x(self, value: float) -> float:
        """The pixel of a value on the horizontal scale; beyond the scale, its edge."""
        share = (value - self.xs[0]) / (self.xs[1] - self.xs[0])
        return _LEFT + (self.right - _LEFT) * min(max(share, 0.0), 1.0)

    def y(self, value: float) -> float:
        """The pixel of a value on the vertical scale; beyond the scale, its edge."""
        share = (value - self.ys[0]) / (self.ys[1] - self.ys[0])
        return self.bottom - (self.bottom - _TOP) * min(max(share, 0.0), 1.0)


def tradeoff_metrics(game: Game) -> tuple[str, str] | None:
    """The metrics (good, danger) of the figure, or None where nothing says how exploitable the models are.

    Good is welfare; in a zero-sum game, where welfare is always 0, it is the payoff against the train pool.
    """
    danger = danger_metric(game)
    return None if danger is None else ("payoff" if game["zero_sum"] else "welfare", danger)


def _marks(game: Game, good: str, danger: str) -> list[_Mark]:
    slots = arm_slots(row["arm"] for row in arms(game))
    rows = [*((row, None) for row in references(game)), *((row, slots[row["arm"]]) for row in arms(game))]
    return [
        _Mark(row["label"], slot, measured(row, good), measured(row, danger))
        for row, slot in rows
        if measured(row, good) and measured(row, danger)
    ]


def _scale(estimates: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """A range that holds every value, and every interval as far as it does not dwarf the values."""
    values = [float(e["value"]) for e in estimates]
    reach = _REACH * (max(values) - min(values)) or math.inf
    ends = [float(e[k]) for e in estimates for k in ("low", "high") if e.get(k) is not None]
    return padded([*values, *(min(max(end, min(values) - reach), max(values) + reach) for end in ends)])


def _axes(page: Sheet, frame: _Frame, good: str, danger: str, unit: str) -> None:
    narrow = page.width < NARROW
    page.text(0, 14, wrapped(f"Exploitability: {danger}", int(page.width / LETTER), 1)[0], ink=MUTED)
    page.text(0, 30, "lower is safer", ink=MUTED, size=11)
    for value in ticks_between(*frame.ys, 6):
        page.line([(_LEFT, frame.y(value)), (frame.right, frame.y(value))])
        page.text(_LEFT - 8, frame.y(value) + 4, f"{value:g}".replace("-", "\N{MINUS SIGN}"), ink=MUTED, ha="right")
    for value in ticks_between(*frame.xs, 5 if narrow else 7):
        page.line([(frame.x(value), frame.bottom), (frame.x(value), frame.bottom + 4)])
        label = f"{value:g}".replace("-", "\N{MINUS SIGN}")
        page.text(frame.x(value), frame.bottom + 19, label, ink=MUTED, ha="center")
    title = f"{good}, {unit}" if unit else good
    page.text(frame.right, frame.bottom + 38, wrapped(title, int(page.width / LETTER), 1)[0], ink=MUTED, ha="right")


def _intervals(page: Sheet, frame: _Frame, mark: _Mark) -> None:
    ink = MUTED if mark.slot is None else SERIES[mark.slot]
    x, y = frame.x(mark.x["value"]), frame.y(mark.y["value"])
    if mark.x.get("low") is not None and mark.x.get("high") is not None:
        page.line([(frame.x(mark.x["low"]), y), (frame.x(mark.x["high"]), y)], ink, 1.4, alpha=0.75)
    if mark.y.get("low") is not None and mark.y.get("high") is not None:
        page.line([(x, frame.y(mark.y["low"])), (x, frame.y(mark.y["high"]))], ink, 1.4, alpha=0.75)


def _clear(box: Box, taken: Sequence[Box]) -> bool:
    return all(box[2] <= b[0] or b[2] <= box[0] or box[3] <= b[1] or b[3] <= box[1] for b in taken)


def _reference_labels(page: Sheet, frame: _Frame, marks: Sequence[_Mark]) -> None:
    """Writes each reference player's name beside its mark, where it covers no mark and no other name if possible."""
    places = [(frame.x(mark.x["value"]), frame.y(mark.y["value"])) for mark in marks]
    taken: list[Box] = [(x - 6, y - 6, x + 6, y + 6) for x, y in places]
    for mark, (x, y) in zip(marks, places, strict=True):
        wide = [frame.x(mark.x[key]) for key in ("low", "high") if mark.x.get(key) is not None]
        tall = [frame.y(mark.y[key]) for key in ("high", "low") if mark.y.get(key) is not None]
        taken += [(wide[0], y - 1, wide[1], y + 1)] if len(wide) == 2 else []
        taken += [(x - 1, tall[0], x + 1, tall[1])] if len(tall) == 2 else []
    for mark, (x, y) in zip(marks, places, strict=True):
        if mark.slot is not None:
            continue
        text = wrapped(mark.label, 24, 1)[0]
        size = 0.9 * LETTER * len(text)
        spots = [
            (x + 9 if right else x - 9 - size, y + drop) for drop in (4, 17, -9, 30, -22) for right in (True, False)
        ]
        inside = [(a, b) for a, b in spots if a >= 0 and a + size <= page.width and b > _TOP - 6 and b < frame.bottom]
        free = [spot for spot in inside if _clear((spot[0], spot[1] - 10, spot[0] + size, spot[1] + 3), taken)]
        left, base = (free or inside or spots)[0]
        taken.append((left, base - 10, left + size, base + 3))
        page.text(left, base, text, ink=MUTED, size=11)


def tradeoff_svg(game: Game, width: int = 720, agents: Mapping[str, str] | None = None) -> str:
    """The trade-off of one game as SVG: welfare to the right, exploitability upward, so the best place is bottom right.

    Arms are filled marks with both intervals; reference players are hollow circles with their names. `agents` maps arms
    to labels for the legend.

    Raises:
        ValueError: when no row holds both metrics.
    """
    metrics = tradeoff_metrics(game)
    marks = _marks(game, *metrics) if metrics is not None else []
    if metrics is None or not marks:
        raise ValueError(f"got no row of {game['game']} with both values; a trade-off figure needs at least one")
    shown = {row["arm"]: (agents or {}).get(row["arm"], row["label"]) for row in arms(game)}
    legend = legend_rows(shown, width)
    frame = _Frame(
        right=width - 12,
        bottom=290 if width < NARROW else 380,
        xs=_scale([mark.x for mark in marks]),
        ys=_scale([mark.y for mark in marks]),
    )
    title = f"{game_title(game)}: {metrics[0]} against exploitability for {', '.join(mark.label for mark in marks)}"
    name = f"tradeoff-{identifier(game['game'])}-{width}"
    with sheet(name, title, width, frame.bottom + 58 + 20 * len(legend)) as page:
        _axes(page, frame, metrics[0], danger_name(game, metrics[1]), game["unit"])
        for mark in marks:
            _intervals(page, frame, mark)
        for mark in marks:
            if mark.slot is None:
                page.ring(frame.x(mark.x["value"]), frame.y(mark.y["value"]), 8)
            else:
                page.mark(frame.x(mark.x["value"]), frame.y(mark.y["value"]), mark.slot, 9)
        _reference_labels(page, frame, marks)
        draw_legend(page, legend, arm_slots(shown), frame.bottom + 66)
        return page.svg()
