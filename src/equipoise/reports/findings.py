"""Which estimates may be told apart, and which pairs of agents the scripted pool misranks: the grounds of a finding.

Two estimates are told apart only when their intervals do not overlap. An exact value without an interval belongs to one
fixed policy: it is a point that may be held against an interval, but two such points are not ranked, because nothing
says how far another seed would have landed.
"""

from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Any

Row = Mapping[str, Any]


def _range(estimate: Mapping[str, Any]) -> tuple[float, float] | None:
    low, high = estimate.get("low"), estimate.get("high")
    return None if low is None or high is None else (low, high)


def separated(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether two estimates may be called different: their intervals do not overlap."""
    ranges = [_range(first), _range(second)]
    if ranges == [None, None]:
        return False
    for index, estimate in enumerate((first, second)):
        if ranges[index] is None and estimate.get("method") == "exact" and estimate["value"] is not None:
            ranges[index] = (estimate["value"], estimate["value"])
    left, right = ranges
    return left is not None and right is not None and (left[1] < right[0] or right[1] < left[0])


def ordered(rows: Sequence[Row], metric: str) -> list[Row]:
    """The rows that have a value of `metric`, lowest first; rows without one are left out."""
    return sorted((r for r in rows if r.get(metric, {}).get("value") is not None), key=lambda r: r[metric]["value"])


def best_agent(rows: Sequence[Row], metric: str, direction: str) -> str | None:
    """The agent that is best on `metric` beyond every other's interval, or None for a tie or a single agent."""
    known = ordered(rows, metric)
    if direction == "higher":
        known.reverse()
    if len(known) < 2 or not direction or not all(separated(known[0][metric], row[metric]) for row in known[1:]):
        return None
    agent: str = known[0]["agent"]
    return agent


def exact_metric(rows: Sequence[Row]) -> str:
    """The metric that says how exploitable the agents exactly are: NashConv where there is one, else the worst case."""
    return "nash_conv" if any("nash_conv" in row for row in rows) else "worst_case_advantage"


def misranked(rows: Sequence[Row]) -> tuple[Row, Row, str] | None:
    """The pair (safer, weaker) on which the scripted pool misleads most, and how; None where every pair is in order.

    Only pairs whose exact value (`exact_metric`) differs beyond its intervals count. `"reversed"`: the pool ranks them
    the other way beyond its own intervals; `"leaning"`: the other way, within them; `"blind"`: the right way, within
    them.
    """
    exact = exact_metric(rows)
    known = ordered(ordered(rows, exact), "pool_exploitability")
    found: list[tuple[int, float, Row, Row]] = []
    kinds = ("blind", "leaning", "reversed")
    for safer, weaker in permutations(known, 2):
        harm = weaker[exact]["value"] - safer[exact]["value"]
        if harm <= 0 or not separated(safer[exact], weaker[exact]):
            continue
        pool = [safer["pool_exploitability"], weaker["pool_exploitability"]]
        wrong, clear = pool[0]["value"] > pool[1]["value"], separated(*pool)
        if wrong or not clear:
            found.append((2 if wrong and clear else int(wrong), harm, safer, weaker))
    if not found:
        return None
    kind, _, safer, weaker = max(found, key=lambda item: item[:2])
    return safer, weaker, kinds[kind]
