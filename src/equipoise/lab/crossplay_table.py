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
from typing import Any, Literal

import numpy as np

from equipoise.core import Estimate
from equipoise.errors import UserError
from equipoise.lab.crossplay_meeting import Meeting
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
class Cell:
    """One agent against one opponent, both seats together.

    Attributes:
        pay: The agent's mean pay per round, in the game's unit.
        seat_pay: The same in the first and in the second seat alone.
        fault_rate: Share of the agent's decisions whose first reply was a fault; None where it took none.
        cooperation_rate: Share of the rounds that asked the agent in which it cooperated; None where none asked, or in
            a game without cooperation.
        conditional: The same by what was before the round (see `metrics.cooperation`); what never came up is left out.
        talk: How true the agent's messages are and how it keeps its promises, by figure (see `metrics.talk`); a share
            of nothing is left out, and all of them are in a game without talk.
    """

    pay: Estimate
    seat_pay: tuple[Estimate, Estimate]
    fault_rate: Estimate | None
    cooperation_rate: Estimate | None
    conditional: Mapping[str, Estimate]
    talk: Mapping[str, Estimate]

    def to_json(self) -> dict[str, Any]:
        """The figures as plain JSON."""
        return {
            "pay": self.pay.to_json(),
            "seat_pay": [estimate.to_json() for estimate in self.seat_pay],
            "fault_rate": _maybe(self.fault_rate),
            "cooperation_rate": _maybe(self.cooperation_rate),
            "conditional": {before: estimate.to_json() for before, estimate in self.conditional.items()},
            "talk": {figure: estimate.to_json() for figure, estimate in self.talk.items()},
        }


@dataclass(frozen=True)
class Together:
    """What two agents, or one in self-play, reach together.

    Attributes:
        welfare: Sum of both players' pay per round.
        efficiency: Joint pay over the best joint pay; None in games that do not say what the best is.
    """

    welfare: Estimate
    efficiency: Estimate | None

    def to_json(self) -> dict[str, Any]:
        """The figures as plain JSON."""
        return {"welfare": self.welfare.to_json(), "efficiency": _maybe(self.efficiency)}


@dataclass(frozen=True)
class Difference:
    """Two agents compared on common deals.

    Attributes:
        agent: Whose figure is taken.
        minus: Whose figure is taken from it.
        opponent: Whom both met, where pay is compared; None where each one's self-play welfare is compared.
        estimate: The paired difference per round, with an interval at the corrected level.
        verdict: "above" or "below" zero, or "tie": the interval contains zero.
    """

    agent: str
    minus: str
    opponent: str | None
    estimate: Estimate
    verdict: Verdict


@dataclass(frozen=True)
class Crossplay:
    """The figures of a tournament.

    Attributes:
        agents: Their names, in the order of the tables.
        cells: By (agent, opponent).
        together: By (agent, agent) in the order of `agents`, each pair once, self-play included.
        differences: Every comparison that was made.
    """

    agents: tuple[str, ...]
    cells: Mapping[tuple[str, str], Cell]
    together: Mapping[tuple[str, str], Together]
    differences: tuple[Difference, ...]

    def to_json(self) -> dict[str, Any]:
        """The figures as plain JSON."""
        return {
            "cells": [{"agent": a, "opponent": b, **cell.to_json()} for (a, b), cell in self.cells.items()],
            "together": [{"agents": list(pair), **found.to_json()} for pair, found in self.together.items()],
            "differences": [
                {
                    "agent": d.agent,
                    "minus": d.minus,
                    "opponent": d.opponent,
                    "estimate": d.estimate.to_json(),
                    "verdict": d.verdict,
                }
                for d in self.differences
            ],
            "comparisons": {"method": CORRECTION, "count": len(self.differences), "level": LEVEL},
        }


def crossplay_table(
    agents: Sequence[str], meetings: Meetings, *, zero_sum: bool = False, bounds: Bounds | None = None
) -> Crossplay:
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
    cells = {(a, b): cell_of(meetings, a, b) for a, b in pairs}
    together = {pair: together_of(meetings, *pair) for pair in itertools.combinations_with_replacement(agents, 2)}
    return Crossplay(tuple(agents), cells, together, tuple(_differences(agents, meetings, zero_sum, bounds)))


def _check(pairs: Sequence[tuple[str, str]], meetings: Meetings) -> None:
    missing = [pair for pair in pairs if pair not in meetings]
    if missing:
        raise UserError(f"{missing[0][0]} has not met {missing[0][1]}; a table needs every ordered pair and self-play")
    if len({meetings[pair].deals for pair in pairs}) > 1:
        raise UserError("got meetings on different deals; agents are compared on common deals alone")


def _sides(meetings: Meetings, agent: str, opponent: str) -> tuple[tuple[Meeting, int], tuple[Meeting, int]]:
    """Where the agent met the opponent: in the first seat, and in the second."""
    return (meetings[agent, opponent], 0), (meetings[opponent, agent], 1)


def cell_of(meetings: Meetings, agent: str, opponent: str) -> Cell:
    """One agent's figures against one opponent, from their meetings in both orders."""
    sides = _sides(meetings, agent, opponent)
    deals = [deal for meeting, _ in sides for deal in meeting.deals]
    pay = [meeting.pay[:, seat] for meeting, seat in sides]
    first, second = (clustered_mean(p, m.deals, method="t over deals") for p, (m, _) in zip(pay, sides, strict=True))
    counts = _counts(sides, lambda meeting: meeting.cooperation, BEFORE)
    total = sum(counts.values(), np.zeros((len(deals), 2)))
    return Cell(
        clustered_mean(np.concatenate(pay), deals, method="t over deals"),
        (first, second),
        _fault_rate(sides, deals),
        share_of(total[:, 0], total[:, 1], deals),
        _shares(counts, deals),
        _shares(_counts(sides, lambda meeting: meeting.talk, FIGURES), deals),
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


def _fault_rate(sides: Sequence[tuple[Meeting, int]], deals: Sequence[Hashable]) -> Estimate | None:
    faults = np.concatenate([meeting.faults[:, seat] for meeting, seat in sides])
    decisions = np.concatenate([meeting.decisions[:, seat] for meeting, seat in sides])
    if not decisions.any():
        return None
    return clustered_ratio(faults, decisions, deals, method="t over deals", bounds=(0.0, 1.0))


def together_of(meetings: Meetings, first: str, second: str) -> Together:
    """What two agents, or one in self-play, reach together, from their meetings in both orders."""
    orders = [meetings[pair] for pair in dict.fromkeys([(first, second), (second, first)])]
    deals = [deal for meeting in orders for deal in meeting.deals]
    welfare = np.concatenate([meeting.pay.sum(axis=1) for meeting in orders])
    joint = [meeting.joint for meeting in orders if meeting.joint is not None]
    efficiency = None
    if len(joint) == len(orders):
        paid, best = np.concatenate(joint).T
        efficiency = efficiency_of(paid, best, deals)
    return Together(clustered_mean(welfare, deals, method="t over deals"), efficiency)


def _differences(agents: Sequence[str], meetings: Meetings, zero_sum: bool, bounds: Bounds | None) -> list[Difference]:
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
        found.append(Difference(agent, minus, opponent, estimate, _verdict(estimate)))
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


def _maybe(estimate: Estimate | None) -> dict[str, Any] | None:
    return None if estimate is None else estimate.to_json()
