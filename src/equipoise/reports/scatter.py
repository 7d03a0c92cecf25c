"""A scatter in pixels: where values are, the axes around them, and names beside points that cover nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from equipoise.reports.agents import MUTED
from equipoise.reports.formats import MINUS
from equipoise.reports.layout import LETTER, NARROW, ticks_between, wrapped
from equipoise.reports.old_sheet import Sheet

LEFT, TOP = 52.0, 44.0
"""Where the data's box begins: room for tick labels to its left, for two lines of text above it."""

Box = tuple[float, float, float, float]
"""Left, top, right and bottom in pixels."""


@dataclass(frozen=True)
class Frame:
    """The data's box in pixels and the values at its edges."""

    right: float
    bottom: float
    xs: tuple[float, float]
    ys: tuple[float, float]

    def x(self, value: float) -> float:
        """The pixel of a value on the horizontal scale; beyond the scale, its edge."""
        share = (value - self.xs[0]) / (self.xs[1] - self.xs[0])
        return LEFT + (self.right - LEFT) * min(max(share, 0.0), 1.0)

    def y(self, value: float) -> float:
        """The pixel of a value on the vertical scale; beyond the scale, its edge."""
        share = (value - self.ys[0]) / (self.ys[1] - self.ys[0])
        return self.bottom - (self.bottom - TOP) * min(max(share, 0.0), 1.0)


def draw_axes(page: Sheet, frame: Frame, upward: str, note: str, rightward: str) -> None:
    """Draws ticks and grid, what upward means with a note beneath it, and what rightward means."""
    page.text(0, 14, wrapped(upward, int(page.width / LETTER), 1)[0], ink=MUTED)
    page.text(0, 30, note, ink=MUTED, size=11)
    for value in ticks_between(*frame.ys, 6):
        page.line([(LEFT, frame.y(value)), (frame.right, frame.y(value))])
        page.text(LEFT - 8, frame.y(value) + 4, tick(value), ink=MUTED, ha="right")
    for value in ticks_between(*frame.xs, 5 if page.width < NARROW else 7):
        page.line([(frame.x(value), frame.bottom), (frame.x(value), frame.bottom + 4)])
        page.text(frame.x(value), frame.bottom + 19, tick(value), ink=MUTED, ha="center")
    page.text(frame.right, frame.bottom + 38, wrapped(rightward, int(page.width / LETTER), 1)[0], ink=MUTED, ha="right")


def tick(value: float) -> str:
    """A tick's label: as short as it can be, with a real minus sign."""
    return f"{value:g}".replace("-", MINUS)


def draw_names(page: Sheet, frame: Frame, names: Sequence[tuple[str, float, float]], marks: Sequence[Box]) -> None:
    """Writes each name (text, x, y) beside its point, where it covers no mark and no other name if possible."""
    taken = list(marks)
    for label, x, y in names:
        text = wrapped(label, 24, 1)[0]
        size = 0.9 * LETTER * len(text)
        spots = [
            (x + 9 if right else x - 9 - size, y + drop) for drop in (4, 17, -9, 30, -22) for right in (True, False)
        ]
        centred = min(max(x - size / 2, 0.0), page.width - size)
        spots += [(centred, y + drop) for drop in (19, -11, 32, -24, 45, -37)]
        inside = [(a, b) for a, b in spots if a >= 0 and a + size <= page.width and b > TOP - 6 and b < frame.bottom]
        free = [spot for spot in inside if _clear((spot[0], spot[1] - 10, spot[0] + size, spot[1] + 3), taken)]
        left, base = (free or inside or spots)[0]
        taken.append((left, base - 10, left + size, base + 3))
        page.text(left, base, text, ink=MUTED, size=11)


def _clear(box: Box, taken: Sequence[Box]) -> bool:
    return all(box[2] <= b[0] or b[2] <= box[0] or box[3] <= b[1] or b[3] <= box[1] for b in taken)
