"""Where things go in a figure: ticks, labels that do not collide, lines of text that fit, legends."""

import math
import re
import textwrap
from collections.abc import Mapping, Sequence

from equipoise.errors import UserError
from equipoise.reports.formats import visible
from equipoise.reports.old_sheet import Sheet

NARROW = 480
"""Figures narrower than this many pixels are laid out in one column, labels under or above the data."""

LETTER = 7.0
"""A generous mean width of a letter at 12 pixels; the reader's font is not known here."""


def wrapped(text: str, width: int, lines: int = 2) -> list[str]:
    """The text in at most `lines` lines of about `width` characters; what does not fit ends in an ellipsis."""
    return textwrap.wrap(visible(text), width, max_lines=lines, placeholder="…") or [""]


def log_ticks(low: float, high: float) -> list[float]:
    """Round values between two positive ones: 1, 2 and 5 times powers of ten, the powers alone over three decades."""
    factors = (1, 2, 5) if high / low < 1000 else (1,)
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [t for e in exponents for f in factors if low <= (t := f * 10.0**e) <= high]


def round_ticks(last: float, count: int) -> list[float]:
    """Zero and at most about `count` round steps up to `last`."""
    rough = last / count
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough * 0.999)
    return [step * index for index in range(int(last / step + 1e-9) + 1)]


def spread(wanted: Sequence[float], sizes: Sequence[float], low: float, high: float) -> list[float]:
    """Centres near the wanted ones, in their order, whose boxes do not overlap; within low..high if they fit."""
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    placed = list(wanted)
    floor = low
    for here, index in enumerate(order):
        placed[index] = max(placed[index], floor)
        if here + 1 < len(order):
            floor = placed[index] + (sizes[index] + sizes[order[here + 1]]) / 2
    ceiling = high
    for here, index in reversed(list(enumerate(order))):
        placed[index] = min(placed[index], ceiling)
        if here:
            ceiling = placed[index] - (sizes[index] + sizes[order[here - 1]]) / 2
    return placed


def legend_rows(labels: Mapping[str, str], width: float) -> list[list[tuple[str, str, float]]]:
    """Rows of (agent, shortened label, x) that fit the width."""
    rows: list[list[tuple[str, str, float]]] = [[]]
    x = 0.0
    for agent, label in labels.items():
        text = wrapped(label, int((width - 20) / LETTER), 1)[0]
        needed = 32 + LETTER * len(text)
        if rows[-1] and x + needed > width:
            rows.append([])
            x = 0.0
        rows[-1].append((agent, text, x))
        x += needed
    return rows


def draw_legend(
    page: Sheet, rows: Sequence[Sequence[tuple[str, str, float]]], slots: Mapping[str, int], top: float
) -> None:
    """Draws rows from `legend_rows`, 20 pixels each, the first with its baseline at `top`."""
    for index, row in enumerate(rows):
        for agent, text, x in row:
            page.mark(x + 6, top + 20 * index - 4, slots[agent])
            page.text(x + 16, top + 20 * index, text)


def ticks_between(low: float, high: float, count: int) -> list[float]:
    """About `count` round values from `low` to `high`, negative ones too; zero is exactly zero.

    Raises:
        ValueError: unless low < high.
    """
    if not low < high:
        raise UserError(f"got low {low} and high {high}; ticks need low < high")
    rough = (high - low) / count
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough * 0.999)
    return [step * index for index in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def padded(values: Sequence[float], share: float = 0.06) -> tuple[float, float]:
    """The range of the values with a margin on both sides; a single value gets a range around it.

    Raises:
        ValueError: for no values.
    """
    if not values:
        raise UserError("got no values; a range needs at least one")
    low, high = min(values), max(values)
    margin = (high - low) * share or max(abs(low) * 0.1, 0.05)
    return low - margin, high + margin


def identifier(text: str) -> str:
    """The text as a part of an element's id: lower-case letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
