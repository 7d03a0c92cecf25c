"""The policy itself: what every agent does at every information state, against the range of the Nash family."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from equipoise.errors import UserError
from equipoise.reports.agents import BAND, INK, MUTED, agent_slots
from equipoise.reports.layout import NARROW, draw_legend, legend_rows, round_ticks, wrapped
from equipoise.reports.old_sheet import Sheet, sheet

State = Mapping[str, Any]
_LANE = 7.0


@dataclass(frozen=True)
class _Panel:
    """A horizontal scale from 0 to `high` between two pixels."""

    left: float
    right: float
    high: float

    def x(self, value: float) -> float:
        """The pixel of a value; a value beyond the scale lies on its edge."""
        return self.left + (self.right - self.left) * min(max(value / self.high, 0.0), 1.0)

    def grid(self, page: Sheet, top: float, bottom: float, ticks: Sequence[float]) -> None:
        """Draws a line and a number at every tick."""
        for tick in ticks:
            page.line([(self.x(tick), top), (self.x(tick), bottom)])
            page.text(self.x(tick), bottom + 16, f"{tick:g}", ink=MUTED, size=11, ha="center")


@dataclass(frozen=True)
class _Plan:
    """Where everything stands: the agents' lanes, the rows of states and the two panels."""

    slots: Mapping[str, int]
    agents: Sequence[str]
    narrow: bool
    policy: _Panel
    faults: _Panel | None

    @property
    def row(self) -> float:
        """The height of one state, with its label above the data on a phone."""
        return max(26.0, _LANE * len(self.agents) + 8) + (20 if self.narrow else 0)


def last_action_probability(probabilities: Sequence[float | None]) -> float | None:
    """The probability of the last, most aggressive action given that the reply was legal; None where none ever is."""
    known = [p for p in probabilities if p is not None and not math.isnan(p)]
    total = sum(known)
    return None if len(known) < len(probabilities) or total <= 0 else known[-1] / total


def _finite(value: float | None) -> bool:
    return value is not None and not math.isnan(value)


def _state(page: Sheet, plan: _Plan, state: State, top: float) -> None:
    """Draws one row: its label, the Nash band, and every agent's markers in a lane of its own."""
    above = 20 if plan.narrow else 0
    middle = top + above + (plan.row - above) / 2
    label = f"{state.get('text', state['state'])}: {state['actions'][-1]}"
    limit = int((page.width if plan.narrow else plan.policy.left - 14) / 6.4)
    for line, text in enumerate(lines := wrapped(label, limit, 1 if plan.narrow else 2)):
        page.text(0, top + 15 if plan.narrow else middle + 4 + 14 * (line - (len(lines) - 1) / 2), text)
    low, high = (state.get(key, [None])[-1] for key in ("nash_low", "nash_high"))
    if _finite(low) and _finite(high):
        left, right = plan.policy.x(low) - 3, plan.policy.x(high) + 3
        page.box(left, top + above + 3, right - left, plan.row - above - 6, BAND)
    for lane, agent in enumerate(plan.agents):
        y = middle + _LANE * (lane - (len(plan.agents) - 1) / 2)
        here = state["agents"].get(agent)
        if here is None:
            continue
        chance, outside = last_action_probability(here["probabilities"]), here.get("outside")
        if chance is not None:
            page.mark(plan.policy.x(chance), y, plan.slots[agent], 7)
        if plan.faults is not None and _finite(outside):
            page.mark(plan.faults.x(outside), y, plan.slots[agent], 7)


def _panels(states: Sequence[State], width: float, narrow: bool) -> tuple[_Panel, _Panel | None]:
    outside = [agent.get("outside") for state in states for agent in state["agents"].values()]
    known = [value for value in outside if value is not None and not math.isnan(value)]
    left, right = (8.0 if narrow else width * 0.26), width - 18.0
    if not known:
        return _Panel(left, right, 1.0), None
    split = left + (right - left) * 0.7
    highest = next(edge for edge in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0) if edge >= min(max(known), 1.0))
    return _Panel(left, split, 1.0), _Panel(split + 32, right, highest)


def _headings(page: Sheet, plan: _Plan, y: float) -> None:
    page.text(plan.policy.left, y, "probability of the action", ink=MUTED, size=11)
    if plan.faults is not None:
        page.text(plan.faults.left, y, "not legal" if plan.narrow else "reply not legal", ink=MUTED, size=11)


def policy_svg(policy_table: Mapping[str, Any], width: int = 720, agents: Mapping[str, str] | None = None) -> str:
    """Every agent's policy as SVG: per information state the probability of the last (most aggressive) action.

    The probability is given a legal reply; the grey band is the range over the Nash family; the panel on the right
    is the probability of a reply that is no legal action.

    Raises:
        ValueError: when the table has no states or names no agents.
    """
    states: Sequence[State] = policy_table["states"]
    present = list(dict.fromkeys(agent for state in states for agent in state["agents"]))
    labels = {
        agent: label
        for agent, label in (agents or dict(zip(present, present, strict=True))).items()
        if agent in present
    }
    if not labels:
        raise UserError("got a policy table without states or agents; a policy figure needs at least one of each")
    narrow = width < NARROW
    plan = _Plan(agent_slots(agents or present), list(labels), narrow, *_panels(states, width, narrow))
    seats = sorted({state.get("seat", 0) for state in states})
    legend = legend_rows(labels, width)
    start = 20.0 * len(legend) + 46
    height = start + len(states) * plan.row + 34 * len(seats) + 22
    with sheet(f"policy-{width}", f"Policies at {len(states)} information states", width, height) as page:
        draw_legend(page, legend, plan.slots, 14)
        if any(_finite(state.get("nash_low", [None])[-1]) for state in states):
            page.box(0, start - 42, 12, 12, BAND)
            page.text(16, start - 32, "range over the Nash equilibria")
        _headings(page, plan, start - 8)
        y = start
        bottom = height - 22
        plan.policy.grid(page, start, bottom, (0, 0.25, 0.5, 0.75, 1))
        if plan.faults is not None:
            plan.faults.grid(page, start, bottom, round_ticks(plan.faults.high, 2))
        for seat in seats:
            page.text(0, y + 22, f"Seat {seat}", weight="bold", ink=INK)
            y += 34
            for state in (state for state in states if state.get("seat", 0) == seat):
                _state(page, plan, state, y)
                y += plan.row
        return page.svg()
