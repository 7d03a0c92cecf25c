"""The SEPO index of every arm of one game, each with its interval, above the reference players."""

from collections.abc import Mapping
from typing import Any

from equipoise.errors import UserError
from equipoise.reports.agents import INK, MUTED, RULE, SERIES
from equipoise.reports.formats import bounds, number
from equipoise.reports.layout import NARROW, identifier, padded, ticks_between, wrapped
from equipoise.reports.old_sheet import Sheet, sheet
from equipoise.reports.study_arms import Game, arm_slots, arms, game_title, measured, references

_TOP, _READING = 34.0, 148.0


def _reading(estimate: Mapping[str, Any]) -> str:
    return f"{number(estimate['value'], 2)} {bounds(estimate, 2)}".rstrip()


def _row(page: Sheet, label: str, estimate: Mapping[str, Any], slot: int | None, place: tuple[float, Any]) -> None:
    """Draws one row with its label, its interval, its mark and its reading."""
    y, x = place
    narrow = page.width < NARROW
    ink = MUTED if slot is None else INK
    if narrow:
        page.text(0, y - 13, wrapped(label, 28, 1)[0], ink=ink)
        page.text(page.width, y - 13, _reading(estimate), ink=MUTED, size=11, ha="right")
    else:
        page.text(0, y + 4, wrapped(label, 27, 1)[0], ink=ink)
        page.text(page.width, y + 4, _reading(estimate), ink=MUTED, ha="right")
    if estimate.get("low") is not None and estimate.get("high") is not None:
        ends = [(x(estimate["low"]), y), (x(estimate["high"]), y)]
        page.line(ends, MUTED if slot is None else SERIES[slot], 2.2, solid_capstyle="round")
    if slot is None:
        page.ring(x(estimate["value"]), y, 8)
    else:
        page.mark(x(estimate["value"]), y, slot, 9)


def index_svg(game: Game, width: int = 720, agents: Mapping[str, str] | None = None) -> str:
    """The SEPO index by arm as SVG: a mark and an interval each, with the zero line; `agents` maps arms to labels.

    Raises:
        ValueError: when no row holds the index.
    """
    slots = arm_slots(row["arm"] for row in arms(game))
    rows = [
        ((agents or {}).get(row["arm"], row["label"]), measured(row, "sepo_index"), slots.get(row["arm"]))
        for row in arms(game)
    ]
    rows += [(row["label"], measured(row, "sepo_index"), None) for row in references(game)]
    rows = [row for row in rows if row[1]]
    if not rows:
        raise UserError(f"got no row of {game['game']} with 'sepo_index'; the figure needs at least one")
    narrow = width < NARROW
    left, right = (8.0, width - 8.0) if narrow else (width * 0.27, width - _READING)
    values = [float(e[key]) for _, e, _ in rows for key in ("value", "low", "high") if e.get(key) is not None]
    low, high = padded([*values, 0.0])
    step = 40.0 if narrow else 28.0
    bottom = _TOP + step * len(rows)

    def x(value: float) -> float:
        return left + (right - left) * (value - low) / (high - low)

    title = f"{game_title(game)}: SEPO index of {', '.join(label for label, _, _ in rows)}"
    with sheet(f"index-{identifier(game['game'])}-{width}", title, width, bottom + 28) as page:
        page.text(0, 14, "SEPO index S, higher is better", ink=MUTED)
        for value in ticks_between(low, high, 4 if narrow else 6):
            zero = abs(value) < 1e-12
            page.line([(x(value), _TOP - 8), (x(value), bottom)], MUTED if zero else RULE)
            page.text(x(value), bottom + 18, f"{value:g}".replace("-", "\N{MINUS SIGN}"), ink=MUTED, ha="center")
        for index, (label, estimate, slot) in enumerate(rows):
            _row(page, label, estimate, slot, (_TOP + step * (index + (0.72 if narrow else 0.5)), x))
        return page.svg()
