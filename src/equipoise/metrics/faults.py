"""How often an agent's reply names no legal action.

A decision is faulty when its first reply is: under the fault rule `resample` the earlier replies count, so the rate
is the same quantity under every rule. Nothing is dropped.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from equipoise.core import FAULT_KINDS, Decision, Episode, Estimate, Fault, FaultKind
from equipoise.errors import UserError
from equipoise.metrics.estimate import clustered_ratio
from equipoise.metrics.payoff import deals, seats_of


def fault_rate_scores(episodes: Sequence[Episode], agent: str) -> np.ndarray:
    """The agent's faulty decisions in each episode over the mean number of its decisions, [B]; their mean is the rate.

    Raises:
        ValueError: For an episode without the agent, or when it took no decision at all.
    """
    faulty, taken = _counts(episodes, agent)
    scores: np.ndarray = faulty / taken.mean()
    return scores


def fault_rate(episodes: Sequence[Episode], agent: str) -> Estimate:
    """Share of the agent's decisions whose first reply was a fault, with an interval clustered by deal, within [0, 1].

    Estimand: faulty decisions per decision, over the pairings in `episodes`. A ratio of totals: bias of order one over
    the number of deals. Its interval is that of a score in [0, 1] over deals: faults that are rare are covered too.

    Raises:
        ValueError: As `fault_rate_scores`.
    """
    faulty, taken = _counts(episodes, agent)
    return clustered_ratio(faulty, taken, deals(episodes), method="t over deals", bounds=(0.0, 1.0))


def fault_kinds(episodes: Sequence[Episode], agent: str) -> dict[FaultKind, float]:
    """Share of the agent's decisions by the kind of their first fault, zeros included; they sum to the fault rate.

    Raises:
        ValueError: As `fault_rate_scores`.
    """
    _, taken = _counts(episodes, agent)
    shares: dict[FaultKind, float] = dict.fromkeys(FAULT_KINDS, 0.0)
    for episode in episodes:
        for decision in _decisions(episode, agent):
            fault = first_fault(decision)
            if fault is not None:
                shares[fault.kind] += 1
    return {kind: count / float(taken.sum()) for kind, count in shares.items()}


def first_fault(decision: Decision) -> Fault | None:
    """The fault of a decision's first reply, or None when that reply named a legal action."""
    return decision.attempts[0][1] if decision.attempts else decision.fault


def _decisions(episode: Episode, agent: str) -> list[Decision]:
    seats = seats_of(episode, agent)
    return [decision for decision in episode.decisions if decision.seat in seats]


def _counts(episodes: Sequence[Episode], agent: str) -> tuple[np.ndarray, np.ndarray]:
    """Faulty decisions and all decisions of the agent by episode, [B] each."""
    decisions = [_decisions(episode, agent) for episode in episodes]
    faulty = np.array([sum(first_fault(d) is not None for d in own) for own in decisions], dtype=float)
    taken = np.array([len(own) for own in decisions], dtype=float)
    if taken.sum() == 0:
        raise UserError(f"{agent!r} took no decision in {len(episodes)} episodes; a fault rate needs at least one")
    return faulty, taken
