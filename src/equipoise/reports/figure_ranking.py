"""Two rankings of the same agents side by side: what the scripted pool says, and what is exactly so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from equipoise.errors import UserError
from equipoise.reports.agents import INK, MUTED, SERIES, agent_slots
from equipoise.reports.findings import Row, exact_metric, ordered
from equipoise.reports.formats import bounds, decimals, number
from equipoise.reports.layout import NARROW, wrapped
from equipoise.reports.old_sheet import Sheet, sheet

_HEAD = 48.0


@dataclass(frozen=True)
class _Column:
    """One ranking: its metric, what breaks ties, its heading, where its text starts and which way it runs."""

    metric: str
    tie: str
    heading: str
    x: float
    align: str


def _column(page: Sheet, rows: Sequence[Row], column: _Column, step: float, narrow: bool) -> dict[str, float]:
    """Draws one ranking, safest first; the height of every agent."""
    page.text(column.x, 14, column.heading, ha=column.align, weight="bold")
    page.text(
        column.x, 31, "safest first" if narrow else "least exploitable first", ink=MUTED, size=11, ha=column.align
    )
    digits = decimals(row[column.metric]["value"] for row in rows)
    # The other metric breaks ties, so that two equal values never draw a crossing of their own.
    ranked = sorted(rows, key=lambda row: (row[column.metric]["value"], row[column.tie]["value"]))
    heights = {}
    for index, row in enumerate(ranked):
        y = heights[row["agent"]] = _HEAD + step * (index + 0.5)
        name = wrapped(row.get("label", row["agent"]), 16 if narrow else 34, 2 if narrow else 1)
        reading = [number(row[column.metric]["value"], digits), bounds(row[column.metric], digits)]
        texts = [*name, *reading] if narrow else [*name, " ".join(reading).rstrip()]
        for line, text in enumerate(texts):
            ink = MUTED if line >= len(name) else INK
            page.text(column.x, y + 4 + 16 * (line - (len(texts) - 1) / 2), text, ink=ink, ha=column.align)
    return heights


def ranking_svg(rows: Sequence[Row], width: int = 720, agents: Mapping[str, str] | None = None) -> str:
    """Two rankings of the same agents as SVG, safest at the top: the scripted pool's on the left, the exact one right.

    Lines that cross are a pair of agents that the pool puts in the wrong order, intervals aside.

    Raises:
        ValueError: when no row holds both values.
    """
    exact = exact_metric(rows)
    name = "NashConv" if exact == "nash_conv" else "worst case"
    known: list[Any] = ordered(ordered(rows, "pool_exploitability"), exact)
    if not known:
        raise UserError(f"got no row with both 'pool_exploitability' and '{exact}'; a ranking needs at least one")
    slots = agent_slots(agents or [row["agent"] for row in rows])
    narrow = width < NARROW
    start, step = (width / 2 - 62, 78) if narrow else (width * 0.36, 54)
    left = _Column("pool_exploitability", exact, "Scripted pool", start, "right")
    right = _Column(exact, "pool_exploitability", f"Exact {name}", width - start, "left")
    title = f"Agents ranked by pool exploitability and by exact {name}"
    with sheet(f"ranking-{width}", title, width, _HEAD + step * len(known)) as page:
        heights = [_column(page, known, column, step, narrow) for column in (left, right)]
        for row in known:
            slot, ys = slots[row["agent"]], [height[row["agent"]] for height in heights]
            ends = [(start + 16, ys[0]), (width - start - 16, ys[1])]
            page.line(ends, SERIES[slot], 2.4)
            for x, y in ends:
                page.mark(x, y, slot, 9)
        return page.svg()
