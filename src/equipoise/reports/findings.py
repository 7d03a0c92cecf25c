"""What a report may say in words: the order of the agents, where the scripted pool disagrees with it, and no more.

Two estimates are told apart only when their intervals do not overlap. An exact value without an interval belongs to one
fixed policy: it is a point that may be held against an interval, but two such points are not ranked, because nothing
says how far another seed would have landed.
"""

from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Any

from equipoise.reports.formats import bounds, decimals, listing, number

Row = Mapping[str, Any]
_FAULT_WORTH_SAYING = 0.05


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


def _name(row: Row) -> str:
    name: str = row.get("label", row["agent"])
    return name


def _with_bounds(row: Row, metric: str, digits: int) -> str:
    return f"{number(row[metric]['value'], digits)} {bounds(row[metric], digits)}".rstrip()


def _exact_sentence(rows: Sequence[Row], unit: str) -> str:
    known = ordered(rows, "nash_conv")
    if not known:
        return "No exact NashConv was measured in this run."
    digits = decimals(row["nash_conv"]["value"] for row in known)
    best, others = known[0], known[1:]
    value = f"{_with_bounds(best, 'nash_conv', digits)} {unit}".rstrip()
    if not others:
        return f"{_name(best)} has an exact NashConv of {value}."
    tied = [row for row in others if not separated(best["nash_conv"], row["nash_conv"])]
    if not tied:
        rival = number(others[0]["nash_conv"]["value"], digits)
        return (
            f"{_name(best)} is the least exploitable: exact NashConv {value}, against {rival} for {_name(others[0])}."
        )
    if any(_range(row["nash_conv"]) is None for row in (best, *tied)):
        rest = listing(f"{number(row['nash_conv']['value'], digits)} for {_name(row)}" for row in tied)
        return (
            f"{_name(best)} has the lowest exact NashConv here, {value}, against {rest}; without intervals over "
            "several seeds this orders these checkpoints, not the ways they were trained."
        )
    group = listing(f"{_name(row)} ({number(row['nash_conv']['value'], digits)})" for row in (best, *tied))
    return f"{group} have the lowest exact NashConv and cannot be told apart: their intervals overlap."


def misranked(rows: Sequence[Row]) -> tuple[Row, Row, str] | None:
    """The pair (safer, weaker) on which the scripted pool misleads most, and how; None where every pair is in order.

    Only pairs whose exact NashConv differs beyond its intervals count. `"reversed"`: the pool ranks them the other way
    beyond its own intervals; `"leaning"`: the other way, within them; `"blind"`: the right way, within them.
    """
    known = ordered(ordered(rows, "nash_conv"), "pool_exploitability")
    found: list[tuple[int, float, Row, Row]] = []
    kinds = ("blind", "leaning", "reversed")
    for safer, weaker in permutations(known, 2):
        harm = weaker["nash_conv"]["value"] - safer["nash_conv"]["value"]
        if harm <= 0 or not separated(safer["nash_conv"], weaker["nash_conv"]):
            continue
        pool = [safer["pool_exploitability"], weaker["pool_exploitability"]]
        wrong, clear = pool[0]["value"] > pool[1]["value"], separated(*pool)
        if wrong or not clear:
            found.append((2 if wrong and clear else int(wrong), harm, safer, weaker))
    if not found:
        return None
    kind, _, safer, weaker = max(found, key=lambda item: item[:2])
    return safer, weaker, kinds[kind]


def _pool_sentence(rows: Sequence[Row]) -> str:
    exact = ordered(ordered(rows, "pool_exploitability"), "nash_conv")
    pair = misranked(rows)
    if pair is None:
        told = [separated(a["nash_conv"], b["nash_conv"]) for a, b in permutations(exact, 2)]
        return "The scripted pool puts the agents in the same order." if told and all(told) else ""
    safer, weaker, kind = pair
    digits = decimals(row["nash_conv"]["value"] for row in exact)
    pool_digits = decimals(row["pool_exploitability"]["value"] for row in exact)
    pool = [number(row["pool_exploitability"]["value"], pool_digits) for row in (safer, weaker)]
    truth = f"{number(weaker['nash_conv']['value'], digits)} against {number(safer['nash_conv']['value'], digits)}"
    if kind == "reversed":
        return (
            f"The scripted pool ranks the agents in another order: it scores {_name(weaker)} ({pool[1]}) as less "
            f"exploitable than {_name(safer)} ({pool[0]}), although the exact values are {truth}."
        )
    if kind == "leaning":
        return (
            f"The scripted pool leans the other way: it scores {_name(weaker)} {pool[1]} and {_name(safer)} {pool[0]}, "
            f"within its intervals, although the exact values are {truth}."
        )
    return (
        f"The scripted pool cannot tell {_name(safer)} ({pool[0]}) from {_name(weaker)} ({pool[1]}): its intervals "
        f"overlap, although the exact values are {truth}."
    )


def _fault_sentence(rows: Sequence[Row]) -> str:
    known = ordered(rows, "nash_conv")
    if not known:
        return ""
    worst = known[0].get("max_state_fault", {}).get("value")
    if worst is None or worst < _FAULT_WORTH_SAYING:
        return ""
    return (
        f"At one information state {_name(known[0])} gives no legal action with probability {number(worst, 2)}, "
        "which exact NashConv does not count: read the fault-aware value beside it."
    )


def headline(report: Mapping[str, Any]) -> list[str]:
    """The report's findings as sentences, most important first: exact order, the pool's disagreement, hidden faults."""
    rows = report["rows"]
    sentences = [_exact_sentence(rows, report.get("unit", "")), _pool_sentence(rows), _fault_sentence(rows)]
    return [sentence for sentence in sentences if sentence]
