"""What cooperation costs in safety: welfare against exploitability, one mark per arm with both intervals."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from equipoise.errors import UserError
from equipoise.reports.agents import MUTED, SERIES
from equipoise.reports.layout import NARROW, draw_legend, identifier, legend_rows, padded
from equipoise.reports.old_sheet import Sheet, sheet
from equipoise.reports.scatter import Box, Frame, draw_axes, draw_names
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

_REACH = 1.5
"""An interval reaches at most this many times the range of the values beyond them; what is longer is cut."""


@dataclass(frozen=True)
class _Mark:
    """One row's place: its label, its slot (None for a reference player), and both estimates."""

    label: str
    slot: int | None
    x: Mapping[str, Any]
    y: Mapping[str, Any]


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


def _intervals(page: Sheet, frame: Frame, mark: _Mark) -> None:
    ink = MUTED if mark.slot is None else SERIES[mark.slot]
    x, y = frame.x(mark.x["value"]), frame.y(mark.y["value"])
    if mark.x.get("low") is not None and mark.x.get("high") is not None:
        page.line([(frame.x(mark.x["low"]), y), (frame.x(mark.x["high"]), y)], ink, 1.4, alpha=0.75)
    if mark.y.get("low") is not None and mark.y.get("high") is not None:
        page.line([(x, frame.y(mark.y["low"])), (x, frame.y(mark.y["high"]))], ink, 1.4, alpha=0.75)


def _name_references(page: Sheet, frame: Frame, marks: Sequence[_Mark]) -> None:
    """Writes each reference player's name beside its mark, clear of marks and intervals."""
    places = [(frame.x(mark.x["value"]), frame.y(mark.y["value"])) for mark in marks]
    taken: list[Box] = [(x - 6, y - 6, x + 6, y + 6) for x, y in places]
    for mark, (x, y) in zip(marks, places, strict=True):
        wide = [frame.x(mark.x[key]) for key in ("low", "high") if mark.x.get(key) is not None]
        tall = [frame.y(mark.y[key]) for key in ("high", "low") if mark.y.get(key) is not None]
        taken += [(wide[0], y - 1, wide[1], y + 1)] if len(wide) == 2 else []
        taken += [(x - 1, tall[0], x + 1, tall[1])] if len(tall) == 2 else []
    names = [(mark.label, x, y) for mark, (x, y) in zip(marks, places, strict=True) if mark.slot is None]
    draw_names(page, frame, names, taken)


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
        raise UserError(f"got no row of {game['game']} with both values; a trade-off figure needs at least one")
    shown = {row["arm"]: (agents or {}).get(row["arm"], row["label"]) for row in arms(game)}
    legend = legend_rows(shown, width)
    frame = Frame(
        right=width - 12,
        bottom=290 if width < NARROW else 380,
        xs=_scale([mark.x for mark in marks]),
        ys=_scale([mark.y for mark in marks]),
    )
    title = f"{game_title(game)}: {metrics[0]} against exploitability for {', '.join(mark.label for mark in marks)}"
    name = f"tradeoff-{identifier(game['game'])}-{width}"
    with sheet(name, title, width, frame.bottom + 58 + 20 * len(legend)) as page:
        upward = f"Exploitability: {danger_name(game, metrics[1])}"
        rightward = f"{metrics[0]}, {game['unit']}" if game["unit"] else metrics[0]
        draw_axes(page, frame, upward, "lower is safer", rightward)
        for mark in marks:
            _intervals(page, frame, mark)
        for mark in marks:
            if mark.slot is None:
                page.ring(frame.x(mark.x["value"]), frame.y(mark.y["value"]), 8)
            else:
                page.mark(frame.x(mark.x["value"]), frame.y(mark.y["value"]), mark.slot, 9)
        _name_references(page, frame, marks)
        draw_legend(page, legend, arm_slots(shown), frame.bottom + 66)
        return page.svg()
