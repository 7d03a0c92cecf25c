"""What a figure shows, before it is drawn: values with names, in kinds that any result may use.

`slot` is the place of an agent or arm among colours and markers, the same in every table and figure of a document;
None is a reference, drawn hollow and grey. Values that are missing are None and are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """One agent's curves.

    Attributes:
        label: The agent.
        slot: Its colour.
        runs: One curve for each seed, points by rising x; their median is drawn bold.
    """

    label: str
    slot: int | None
    runs: Sequence[Sequence[Point]]


@dataclass(frozen=True)
class Curves:
    """Values over steps.

    Attributes:
        across: What the horizontal axis counts.
        upward: What the vertical axis counts, with its unit.
        lines: The agents.
        log: Whether the vertical axis is logarithmic; values of zero then lie on the bottom line, which is marked 0.
    """

    across: str
    upward: str
    lines: Sequence[Line]
    log: bool = False


@dataclass(frozen=True)
class Interval:
    """A value with its interval.

    Attributes:
        label: What it is of.
        slot: Its colour.
        value: The point.
        low: Lower end, None without an interval.
        high: Upper end.
        parts: Values of its single seeds, drawn small.
    """

    label: str
    slot: int | None
    value: float
    low: float | None = None
    high: float | None = None
    parts: Sequence[float] = ()


@dataclass(frozen=True)
class Intervals:
    """Values beside each other on one axis, a line each. One far off value must not squeeze the others: the axis is
    clipped there, and an arrow with the value says so.

    Attributes:
        across: What the axis counts, with its unit.
        rows: From the top.
        zero: Whether a line at zero belongs to the reading.
    """

    across: str
    rows: Sequence[Interval]
    zero: bool = True


@dataclass(frozen=True)
class Cloud:
    """The points of one agent: one for each seed.

    Attributes:
        label: The agent.
        slot: Its colour and marker.
        points: (across, upward).
    """

    label: str
    slot: int | None
    points: Sequence[Point]


@dataclass(frozen=True)
class Scatter:
    """Two figures of every agent against each other.

    Attributes:
        across: What the horizontal axis counts.
        upward: What the vertical axis counts.
        clouds: The agents.
        note: Which corner is the good one, in a few words.
    """

    across: str
    upward: str
    clouds: Sequence[Cloud]
    note: str = ""


@dataclass(frozen=True)
class Panel:
    """One measure of several agents: every seed a mark, the median a line.

    Attributes:
        title: The measure.
        rows: The agents; `parts` are the seeds.
        digits: After the point.
    """

    title: str
    rows: Sequence[Interval]
    digits: int = 2


@dataclass(frozen=True)
class Strips:
    """Several measures beside each other, each on its own axis."""

    panels: Sequence[Panel]


@dataclass(frozen=True)
class Heatmap:
    """One figure of every agent (rows) against every opponent (columns).

    Attributes:
        names: Of rows and columns alike.
        values: [A][A], None where there is none.
        unit: Of the values.
        digits: After the point.
    """

    names: Sequence[str]
    values: Sequence[Sequence[float | None]]
    unit: str
    digits: int = 2


@dataclass(frozen=True)
class StatePoint:
    """What the agents do at one information state.

    Attributes:
        label: The state and the action whose probability is drawn.
        group: The heading over neighbouring states (the seat).
        band: The range that the probability has over all equilibria, where it is known.
        chances: Probability of the action given a legal reply, one for each agent.
        faults: Probability of a reply that is no legal action, one for each agent.
    """

    label: str
    group: str
    band: Point | None
    chances: Sequence[float | None]
    faults: Sequence[float | None]


@dataclass(frozen=True)
class Policies:
    """The policies of several agents, state by state.

    Attributes:
        agents: (label, slot) of each.
        states: From the top.
    """

    agents: Sequence[tuple[str, int | None]]
    states: Sequence[StatePoint]


@dataclass(frozen=True)
class Ranked:
    """One agent in two rankings.

    Attributes:
        label: The agent.
        slot: Its colour.
        left: Its value in the left ranking, with `left_text` as it is shown.
        right: Its value in the right one.
    """

    label: str
    slot: int | None
    left: float
    right: float
    left_text: str
    right_text: str


@dataclass(frozen=True)
class Ranking:
    """The same agents ranked twice, the lowest value at the top; lines that cross are pairs in another order.

    Attributes:
        left: Heading of the left ranking.
        right: Heading of the right one.
        rows: The agents.
    """

    left: str
    right: str
    rows: Sequence[Ranked]


Plot = Curves | Intervals | Scatter | Strips | Heatmap | Policies | Ranking
