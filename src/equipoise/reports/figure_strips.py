"""Every seed of every arm on one line per measure, with the median: how much arms differ, and how much seeds do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from equipoise.errors import UserError
from equipoise.reports.agents import INK, MUTED, RULE
from equipoise.reports.alignment_arms import ARMS, head_of, per_round, seed_values
from equipoise.reports.alignment_tables import rows_of
from equipoise.reports.layout import LETTER, NARROW, identifier, padded, ticks_between, wrapped
from equipoise.reports.old_sheet import Sheet, sheet
from equipoise.reports.scatter import tick
from equipoise.reports.study_arms import Game, Row, arm_slots, arms, game_title, measured

MEASURES = ("self_play", "against_greedy", "against_cooperative", "against_naive", "probe_gain")
"""The panels in order; those without a value are left out."""

_STEP, _HEAD, _FOOT = 34.0, 42.0, 26.0
"""Pixels of one line, of the space above the lines, and of the tick labels below them."""


@dataclass(frozen=True)
class _Panel:
    """One measure: its place in pixels, the values at its edges, and the rows that have a line in it."""

    metric: str
    left: float
    right: float
    top: float
    ends: tuple[float, float]
    rows: Sequence[Row]

    def x(self, value: float) -> float:
        """The pixel of a value."""
        low, high = self.ends
        return self.left + (self.right - self.left) * (value - low) / (high - low)

    def y(self, line: int) -> float:
        """The pixel of the middle of a line."""
        return self.top + _HEAD + _STEP * (line + 0.5)

    @property
    def bottom(self) -> float:
        """The pixel below the last line."""
        return self.top + _HEAD + _STEP * len(self.rows)


def measures_of(game: Game) -> list[str]:
    """The measures that at least one model of the game has a value of."""
    return [metric for metric in MEASURES if any(_values(row, metric) for row in arms(game, ARMS))]


def _values(row: Row, metric: str) -> list[float]:
    return [value for value in seed_values(row, metric) if value is not None]


def _panels(game: Game, width: int) -> list[_Panel]:
    """Side by side with common lines on a wide screen; under each other, each with its own lines, on a narrow one."""
    metrics = measures_of(game)
    rows = [row for row in rows_of(game) if any(_values(row, metric) for metric in metrics)]
    narrow, gap = width < NARROW, 20.0
    left = 122.0 if narrow else 206.0
    wide = (width - left - gap * (len(metrics) - 1)) / max(len(metrics), 1)
    panels, top = [], 0.0
    for index, metric in enumerate(metrics):
        ends = padded([value for row in rows for value in _values(row, metric)])
        if narrow:
            here = [row for row in rows if _values(row, metric)]
            panels.append(_Panel(metric, left, width - 8, top, ends, here))
            top = panels[-1].bottom + _FOOT + 8
        else:
            start = left + (wide + gap) * index
            panels.append(_Panel(metric, start, start + wide, 0.0, ends, rows))
    return panels


def _scale(page: Sheet, panel: _Panel, head: str) -> None:
    """Names the panel, and draws its ticks and lines; zero is marked."""
    narrow = page.width < NARROW
    lines = [head] if narrow else wrapped(head, int((panel.right - panel.left) / LETTER), 2)
    start = 0.0 if narrow else panel.left
    for line, text in enumerate(lines):
        page.text(start, panel.top + 32 - 15 * (len(lines) - 1 - line), text, weight="bold")
    top = panel.top + _HEAD
    for value in ticks_between(*panel.ends, 4 if narrow else 3):
        zero = abs(value) < 1e-12
        page.line([(panel.x(value), top), (panel.x(value), panel.bottom)], MUTED if zero else RULE)
        page.text(panel.x(value), panel.bottom + 16, tick(value), ink=MUTED, size=11, ha="center")


def _label(page: Sheet, text: str, y: float, room: float, scripted: bool) -> None:
    size = 11 if page.width < NARROW else 12
    lines = wrapped(text, int(room / (LETTER * size / 12)), 2)
    for line, part in enumerate(lines):
        page.text(0, y + 4 + 13 * (line - (len(lines) - 1) / 2), part, size=size, ink=MUTED if scripted else INK)


def _seeds(page: Sheet, panel: _Panel, row: Row, y: float, slot: int | None) -> None:
    """Draws a row's median as a bar and its seeds as marks, the first seed on top."""
    values = seed_values(row, panel.metric)
    known = _values(row, panel.metric)
    if row["kind"] == "trained" and len(known) > 1 and measured(row, panel.metric):
        middle = panel.x(float(measured(row, panel.metric)["value"]))
        page.line([(middle, y - 14), (middle, y + 14)], INK, 2)
    for seed, value in enumerate(values):
        if value is None:
            continue
        if slot is None:
            page.ring(panel.x(value), y, 7)
        else:
            page.mark(panel.x(value), y + 20 * ((seed + 0.5) / len(values) - 0.5), slot, 6)


def strips_svg(game: Game, width: int = 720, agents: Mapping[str, str] | None = None) -> str:
    """One panel per measure as SVG: a line per arm, a mark per seed, a bar for the median, hollow circles for scripts.

    `agents` maps arms to labels.

    Raises:
        ValueError: when no model has any of the measures.
    """
    panels = _panels(game, width)
    if not panels:
        raise UserError(
            f"got no row of {game['game']} with one of {', '.join(MEASURES)}; the figure needs at least one"
        )
    slots = arm_slots((row["arm"] for row in arms(game, ARMS)), ARMS)
    labels = {row["arm"]: (agents or {}).get(row["arm"], row["label"]) for row in rows_of(game)}
    heads = ", ".join(head_of(game, panel.metric) for panel in panels)
    title = f"{game_title(game)}: {heads} of {', '.join(labels.values())}"
    bottom = max(panel.bottom for panel in panels) + _FOOT
    with sheet(f"strips-{identifier(game['game'])}-{width}", title, width, bottom) as page:
        for index, panel in enumerate(panels):
            _scale(page, panel, head_of(game, panel.metric))
            for line, row in enumerate(panel.rows):
                scripted = row["kind"] == "reference"
                page.line([(panel.left, panel.y(line)), (panel.right, panel.y(line))])
                if index == 0 or width < NARROW:
                    _label(page, labels[row["arm"]], panel.y(line), panels[0].left - 8, scripted)
                _seeds(page, panel, row, panel.y(line), None if scripted else slots[row["arm"]])
        return page.svg()


def strips_caption(game: Game) -> str:
    """What the figure of a game shows."""
    bound = (
        " A probe's gain right of the zero line is a lower bound of what can be gained beyond the agent's self-play; "
        "left of it the probe found nothing."
        if "probe_gain" in measures_of(game)
        else ""
    )
    return (
        f"The agent's pay, {per_round(game)}. Every mark is one training seed, the first on top; the bar is their "
        f"median, hollow circles are scripted players. Every panel has a scale of its own.{bound}"
    )
