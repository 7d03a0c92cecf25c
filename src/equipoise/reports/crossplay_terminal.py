"""A tournament's matrix and findings for a terminal of 80 columns."""

import textwrap
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from equipoise.metrics.talk import HONESTY, PROMISE_KEEPING
from equipoise.reports.crossplay_claims import claims
from equipoise.reports.crossplay_schema import validate_crossplay
from equipoise.reports.crossplay_tables import (
    Crossplay,
    cell_of,
    has_cooperation,
    has_efficiency,
    has_talk,
    names_of,
    pay_digits,
    talk_of,
    together_of,
)
from equipoise.reports.formats import number, visible
from equipoise.reports.schema import clean_report

WIDTH = 80
_LABEL, _NARROWEST = 24, 9

_TALK = {
    HONESTY: "How often what the row's agent states is true",
    PROMISE_KEEPING: "How often the row's agent keeps its promises",
}

Find = Callable[[str, str], Mapping[str, Any] | None]


def _reading(estimate: Mapping[str, Any] | None, digits: int) -> str:
    """A value with how far its interval reaches to both sides, or to the one side that it has at the end of a range."""
    found = estimate or {}
    value, low, high = (found.get(key) for key in ("value", "low", "high"))
    if value is None or low is None or high is None or low == high:
        return number(value, digits)
    sign = "-" if high <= value else "+" if low >= value else "±"
    return f"{number(value, digits)}{sign}{number(max(high - value, value - low), digits)}"


def _block(title: str, names: list[str], find: Find, digits: int) -> list[str]:
    """One matrix, its columns named by the rows' numbers, as many at a time as fit."""
    lines = []
    full = [f"{i} {visible(name)}" for i, name in enumerate(names, 1)]
    labels = [label if len(label) < _LABEL else f"{label[: _LABEL - 2]}…" for label in full]
    readings = [[_reading(find(agent, other), digits) for other in names] for agent in names]
    width = max(_NARROWEST, *(len(reading) + 1 for row in readings for reading in row))
    step = (WIDTH - _LABEL) // width
    for start in range(0, len(names), step):
        shown = range(start, min(start + step, len(names)))
        heads = "".join(str(column + 1).rjust(width) for column in shown)
        lines += ["", *textwrap.wrap(title, WIDTH), "against".rjust(_LABEL) + heads]
        for label, row in zip(labels, readings, strict=True):
            lines.append(label.ljust(_LABEL) + "".join(row[column].rjust(width) for column in shown))
    return lines


def crossplay_text(table: Crossplay) -> str:
    """The findings, then pay, efficiency, cooperation and talk of every pair of agents, with ± half intervals.

    Raises:
        ValueError: when the table lacks a required key or holds a value of the wrong kind.
    """
    plain = clean_report(table)
    validate_crossplay(plain)
    names = names_of(plain)
    lines = [*textwrap.wrap(visible(plain["title"]), WIDTH), ""]
    for sentence in claims(plain):
        lines += textwrap.wrap(visible(sentence), WIDTH)
    title = f"Pay of the row's agent, {visible(plain['unit'])}, {plain['matches']} matches a seat, ± 95 %"
    lines += _block(title, names, lambda a, b: cell_of(plain, a, b)["pay"], max(1, pay_digits(plain) - 1))
    if has_efficiency(plain):
        lines += _block("Efficiency of the two", names, lambda a, b: together_of(plain, a, b)["efficiency"], 2)
    if has_cooperation(plain):
        title = "How often the row's agent cooperates"
        lines += _block(title, names, lambda a, b: cell_of(plain, a, b)["cooperation_rate"], 2)
    for figure, title in _TALK.items():
        if has_talk(plain, figure):
            lines += _block(title, names, partial(_talk, plain, figure), 2)
    return "\n".join(lines) + "\n"


def _talk(table: Crossplay, figure: str, agent: str, opponent: str) -> Mapping[str, Any] | None:
    return talk_of(table, agent, opponent, figure)
