"""From the meetings of a tournament to its figures: a matrix with intervals, and which differences are ties.

Deals are the units of every interval: on one deal all agents meet under the same luck, in both seats. Agents are
compared by matches that share opponent, seat and deal. So many comparisons invite a chance finding; Bonferroni's
correction gives each of m intervals the level 1 - 0.05/m, so that with probability 95 % or more all of them hold at
once, however they depend on each other. A difference whose corrected interval contains zero is a tie, which is no proof
that two agents are equal.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from equipoise.core import Estimate
from equipoise.errors import UserError
from equipoise.lab.crossplay_meeting import Meeting
from equipoise.lab.results import MeetingFigures, PairDifference, TogetherFigures
from equipoise.metrics.bounded import Bounds
from equipoise.metrics.cooperation import BEFORE, efficiency_of, share_of
from equipoise.metrics.estimate import clustered_mean, clustered_ratio, paired_difference
from equipoise.metrics.talk import FIGURES

LEVEL = 0.95
CORRECTION = "Bonferroni"

Verdict = Literal["above", "below", "tie"]
Meetings = Mapping[tuple[str, str], Meeting]
"""By (agent in the first seat, agent in the second): every ordered pair and self-play."""

_NOTHING = 1e-9
"""Pay that differs by no more than this differs by rounding."""


@dataclass(frozen=True)
class Table:
    """The figures of a tournament.

    Attributes:
        cells: Every agent against every opponent, in the order of the agents.
        together: Every two agents, each pair once, self-play included.
        differences: Every comparison that was made.
    """

    cells: tuple[MeetingFigures, ...]
    together: tuple[TogetherFigures, ...]
    differences: tuple[PairDifference, ...]


def crossplay_table(
    agents: Sequence[str], meetings: Meetings, *, zero_sum: bool = False, bounds: Bounds | None = None
) -> Table:
    """The figures of a tournament from its meetings.

    Args:
        agents: Names in the order of the tables.
        meetings: Every ordered pair of them, self-play included, on the same deals.
        zero_sum: Whether the game is: joint pay is always 0 there, so self-play welfare is not compared.
        bounds: What a round can pay one seat; None where it is not known, and then deals that all agree decide nothing.

    Raises:
        ValueError: For a pair that was not played, or one played on other deals.
    """
    pairs = [(agent, opponent) for agent in agents for opponent in agents]
    _check(pairs, meetings)
    joint = None if bounds is None else (0.0, 0.0) if zero_sum else (2 * bounds[0], 2 * bounds[1])
    cells = tuple(cell_of(meetings, *pair, bounds) for pair in pairs)
    duos = itertools.combinations_with_replacement(agents, 2)
    together = tuple(together_of(meetings, *duo, joint) for duo in duos)
    return Table(cells, together, tuple(_differences(agents, meetings, zero_sum, bounds)))


def _check(pairs: Sequence[tuple[str, str]], meetings: Meetings) -> None:
    missing = [pair for pair in pairs if pair not in meetings]
    if missing:
        raise UserError(f"{missing[0][0]} has not met {missing[0][1]}; a table needs every ordered pair and self-play")
    if len({meetings[pair].deals for pair in pairs}) > 1:
        raise UserError("got meetings on different deals; agents are compared on common deals alone")


def _sides(meetings: Meetings, agent: str, opponent: str) -> tuple[tuple[Meeting, int], tuple[Meeting, int]]:
    """Where the agent met the opponent: in the first seat, and in the second."""
    return (meetings[agent, opponent], 0), (meetings[opponent, agent], 1)


def cell_of(meetings: Meetings, agent: str, opponent: str, bounds: Bounds | None = None) -> MeetingFigures:
    """One agent's figures against one opponent, from their meetings in both orders.

    Args:
        meetings: Those of the two.
        agent: Whose figures.
        opponent: Against whom.
        bounds: What a round can pay one seat; None for a t interval of pay.
    """
    sides = _sides(meetings, agent, opponent)
    deals = [deal for meeting, _ in sides for deal in meeting.deals]
    pay = [meeting.pay[:, seat] for meeting, seat in sides]
    first, second = (_mean(p, m.deals, bounds) for p, (m, _) in zip(pay, sides, strict=True))
    counts = _counts(sides, lambda meeting: meeting.cooperation, BEFORE)
    total = sum(counts.values(), np.zeros((len(deals), 2)))
    return MeetingFigures(
        agent=agent,
        opponent=opponent,
        pay=_mean(np.concatenate(pay), deals, bounds),
        seat_pay=(first, second),
        fault_rate=_fault_rate(sides, deals),
        cooperation_rate=share_of(total[:, 0], total[:, 1], deals),
        conditional=_shares(counts, deals),
        talk=_shares(_counts(sides, lambda meeting: meeting.talk, FIGURES), deals),
    )


def _counts(
    sides: Sequence[tuple[Meeting, int]], of: Callable[[Meeting], Mapping[str, np.ndarray]], names: Sequence[str]
) -> dict[str, np.ndarray]:
    """What is above and below the line of each share, both seats together, [B, 2] each; left out if a side lacks it."""
    return {
        name: np.concatenate([of(meeting)[name][:, seat] for meeting, seat in sides])
        for name in names
        if all(name in of(meeting) for meeting, _ in sides)
    }


def _shares(counts: Mapping[str, np.ndarray], deals: Sequence[Hashable]) -> dict[str, Estimate]:
    """Each share that is one of something."""
    found = {name: share_of(rows[:, 0], rows[:, 1], deals) for name, rows in counts.items()}
    return {name: share for name, share in found.items() if share is not None}


def _mean(scores: np.ndarray, deals: Sequence[Hashable], bounds: Bounds | None) -> Estimate:
    return clustered_mean(scores, deals, method="t over deals", bounds=bounds)


def _fault_rate(sides: Sequence[tuple[Meeting, int]], deals: Sequence[Hashable]) -> Estimate | None:
    faults = np.concatenate([meeting.faults[:, seat] for meeting, seat in sides])
    decisions = np.concatenate([meeting.decisions[:, seat] for meeting, seat in sides])
    if not decisions.any():
        return None
    return clustered_ratio(faults, decisions, deals, method="t over deals", bounds=(0.0, 1.0))


def together_of(meetings: Meetings, first: str, second: str, bounds: Bounds | None = None) -> TogetherFigures:
    """What two agents, or one in self-play, reach together, from their meetings in both orders.

    Args:
        meetings: Those of the two.
        first: One agent.
        second: The other, or the same.
        bounds: What a round can pay both seats together; None for a t interval of welfare.
    """
    orders = [meetings[pair] for pair in dict.fromkeys([(first, second), (second, first)])]
    deals = [deal for meeting in orders for deal in meeting.deals]
    welfare = np.concatenate([meeting.pay.sum(axis=1) for meeting in orders])
    joint = [meeting.joint for meeting in orders if meeting.joint is not None]
    efficiency = None
    if len(joint) == len(orders):
        paid, best = np.concatenate(joint).T
        efficiency = efficiency_of(paid, best, deals)
    return TogetherFigures(agents=(first, second), welfare=_mean(welfare, deals, bounds), efficiency=efficiency)


def _differences(
    agents: Sequence[str], meetings: Meetings, zero_sum: bool, bounds: Bounds | None
) -> list[PairDifference]:
    """Every two agents against every opponent, and in self-play welfare, at the corrected level."""
    duels = list(itertools.combinations(agents, 2))
    opponents: list[str | None] = [*agents]
    opponents += [] if zero_sum else [None]
    level = 1 - (1 - LEVEL) / max(len(duels) * len(opponents), 1)
    found = []
    for opponent, (agent, minus) in itertools.product(opponents, duels):
        own, other = (_scores(meetings, name, opponent) for name in (agent, minus))
        deals = meetings[agent, agent].deals * (len(own) // len(meetings[agent, agent].deals))
        both = None if bounds is None else (2 * bounds[0], 2 * bounds[1])
        estimate = paired_difference(own, other, deals, level, both if opponent is None else bounds)
        verdict = _verdict(estimate)
        found.append(PairDifference(agent=agent, minus=minus, opponent=opponent, estimate=estimate, verdict=verdict))
    return found


def _scores(meetings: Meetings, agent: str, opponent: str | None) -> np.ndarray:
    """Pay per round against an opponent, seat by seat; or self-play welfare per round; in the order of the deals."""
    if opponent is None:
        welfare: np.ndarray = meetings[agent, agent].pay.sum(axis=1)
        return welfare
    return np.concatenate([meeting.pay[:, seat] for meeting, seat in _sides(meetings, agent, opponent)])


def _verdict(estimate: Estimate) -> Verdict:
    if estimate.low > _NOTHING:
        return "above"
    return "below" if estimate.high < -_NOTHING else "tie"
