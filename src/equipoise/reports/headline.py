"""What a report says in words: the order of the agents, where the scripted pool disagrees with it, and no more.

Every sentence is computed from the rows. What the intervals do not tell apart is called a tie, and a metric that was
not measured is not mentioned.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

from equipoise.reports.findings import Row, exact_metric, misranked, ordered, separated
from equipoise.reports.formats import bounds, decimals, listing, number
from equipoise.reports.glossary import partial_exactness

_FAULT_WORTH_SAYING = 0.05
_SMALL_PENALTY = 0.25
_UNSEEN = 0.0005
"""A pool exploitability below this reads 0.000."""
_VISIBLE = 0.005
"""An exact value from here on is worth setting against it."""
_NAMED = 3


@dataclass(frozen=True)
class _Ranking:
    """How a metric's order is put into words: which end is safe, and how a winner and a leader are called."""

    metric: str
    name: str
    superlative: str
    winner: str
    exact: bool = True

    @property
    def called(self) -> str:
        return f"exact {self.name}" if self.exact else self.name


NASH_CONV = _Ranking("nash_conv", "NashConv", "lowest", "is the least exploitable: exact NashConv")
WORST_CASE = _Ranking(
    "worst_case_advantage",
    "worst-case advantage",
    "lowest",
    "is the least exploitable: exact worst-case advantage",
)
INDEX = _Ranking("sepo_index", "SEPO index", "highest", "has the highest SEPO index:", exact=False)


def _name(row: Row) -> str:
    name: str = row.get("label", row["agent"])
    return name


def _has_interval(estimate: Mapping[str, Any]) -> bool:
    return estimate.get("low") is not None and estimate.get("high") is not None


def _best_sentence(rows: Sequence[Row], ranking: _Ranking, unit: str) -> str:
    """Who is best on the metric, or that nobody can be called so; empty where nobody has a value."""
    metric = ranking.metric
    known = ordered(rows, metric)
    if not known:
        return ""
    if ranking.superlative == "highest":
        known.reverse()
    digits = decimals(row[metric]["value"] for row in known)
    best, others = known[0], known[1:]
    value = f"{number(best[metric]['value'], digits)} {bounds(best[metric], digits)}".rstrip()
    value = f"{value} {unit}".rstrip()
    if not others:
        return f"{_name(best)} has {'an' if ranking.exact else 'a'} {ranking.called} of {value}."
    tied = [row for row in others if not separated(best[metric], row[metric])]
    if not tied:
        rival = number(others[0][metric]["value"], digits)
        return f"{_name(best)} {ranking.winner} {value}, against {rival} for {_name(others[0])}."
    if not all(_has_interval(row[metric]) for row in (best, *tied)):
        rest = listing(f"{number(row[metric]['value'], digits)} for {_name(row)}" for row in tied)
        return (
            f"{_name(best)} has the {ranking.superlative} {ranking.called} here, {value}, against {rest}; without "
            "intervals over several seeds this orders these checkpoints, not the ways they were trained."
        )
    group = listing(f"{_name(row)} ({number(row[metric]['value'], digits)})" for row in (best, *tied))
    return f"{group} have the {ranking.superlative} {ranking.called} and cannot be told apart: their intervals overlap."


def _exact_sentence(rows: Sequence[Row], unit: str, reach: str) -> str:
    metric = exact_metric(rows)
    sentence = _best_sentence(rows, NASH_CONV if metric == "nash_conv" else WORST_CASE, unit)
    if not sentence:
        if metric == "nash_conv":
            return "No exact NashConv was measured in this run."
        return "No exact figure was measured in this run: a weakness that no script found is not ruled out."
    return f"{sentence[:-1]} (exact over {reach})." if reach else sentence


def _pool_sentence(rows: Sequence[Row]) -> str:
    metric = exact_metric(rows)
    exact = ordered(ordered(rows, "pool_exploitability"), metric)
    pair = misranked(rows)
    if pair is None:
        told = [separated(a[metric], b[metric]) for a, b in permutations(exact, 2)]
        return "The scripted pool puts the agents in the same order." if told and all(told) else ""
    safer, weaker, kind = pair
    digits = decimals(row[metric]["value"] for row in exact)
    pool_digits = decimals(row["pool_exploitability"]["value"] for row in exact)
    pool = [number(row["pool_exploitability"]["value"], pool_digits) for row in (safer, weaker)]
    truth = f"{number(weaker[metric]['value'], digits)} against {number(safer[metric]['value'], digits)}"
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


def _blind_sentence(rows: Sequence[Row]) -> str:
    """Agents against which the scripts found nothing at all although an opponent exists that earns more than they."""
    metric = exact_metric(rows)
    blind = [
        row
        for row in ordered(ordered(rows, "pool_exploitability"), metric)
        if row["pool_exploitability"]["value"] < _UNSEEN and row[metric]["value"] >= _VISIBLE
    ]
    if not blind:
        return ""
    name = (NASH_CONV if metric == "nash_conv" else WORST_CASE).called
    worst = sorted(blind, key=lambda row: -float(row[metric]["value"]))[:_NAMED]
    named = listing(f"{_name(row)} ({number(row[metric]['value'], 3)})" for row in worst)
    more = f" and {len(blind) - _NAMED} more" if len(blind) > _NAMED else ""
    return f"Pool exploitability reads 0.000 for {named}{more}: the {name} in brackets does not."


def _penalty_sentence(rows: Sequence[Row], sepo: Mapping[str, Any] | None) -> str:
    """What the penalties of the SEPO index do to the order of the agents, or that payoff decides the index alone."""
    known = ordered(ordered(rows, "payoff"), "sepo_index")
    for better, worse in permutations(known, 2):
        apart = all(separated(better[m], worse[m]) for m in ("payoff", "sepo_index"))
        safer = better["sepo_index"]["value"] > worse["sepo_index"]["value"]
        if apart and safer and better["payoff"]["value"] < worse["payoff"]["value"]:
            return (
                f"The penalties decide an order: {_name(worse)} earns more than {_name(better)} "
                f"({number(worse['payoff']['value'], 3)} against {number(better['payoff']['value'], 3)}) and has the "
                "lower SEPO index."
            )
    if sepo is not None and known:
        terms = [(sepo["scale"] * row["payoff"]["value"], row["sepo_index"]["value"]) for row in known]
        if all(payoff > 0 and payoff - index <= _SMALL_PENALTY * payoff for payoff, index in terms):
            share = max((payoff - index) / payoff for payoff, index in terms)
            return (
                f"Payoff dominates the SEPO index: the penalties take at most {number(100 * share, 0)} % of the "
                "scaled payoff in any row."
            )
    if len(known) > 1 and [r["agent"] for r in known] == [r["agent"] for r in ordered(known, "payoff")]:
        return "The order by SEPO index is the order by payoff: the penalties change no rank."
    return ""


def _fault_sentence(rows: Sequence[Row]) -> str:
    metric = exact_metric(rows)
    known = ordered(rows, metric)
    worst = known[0].get("max_state_fault", {}).get("value") if known else None
    if worst is not None and worst >= _FAULT_WORTH_SAYING:
        read = ": read the fault-aware value beside it" if metric == "nash_conv" else ""
        name = "exact NashConv" if metric == "nash_conv" else "the exact worst case"
        return (
            f"At one information state {_name(known[0])} gives no legal action with probability {number(worst, 2)}, "
            f"which {name} does not count{read}."
        )
    often = [row for row in ordered(rows, "fault_rate") if row["fault_rate"]["value"] >= _FAULT_WORTH_SAYING]
    if known or not often:
        return ""
    shares = listing(f"{_name(row)} ({number(100 * row['fault_rate']['value'], 0)} %)" for row in often)
    return f"Replies that name no legal action are frequent: {shares}."


def headline(report: Mapping[str, Any]) -> list[str]:
    """The report's findings as sentences, most important first.

    With NashConv: the exact order, the pool's disagreement, hidden faults. Without: the order by SEPO index and what
    its penalties do to it come first.
    """
    rows, unit = report["rows"], report.get("unit", "")
    index: list[str] = []
    if exact_metric(rows) != "nash_conv":
        index = [_best_sentence(rows, INDEX, ""), _penalty_sentence(rows, report.get("sepo"))]
    sentences = [
        *index,
        _exact_sentence(rows, unit, partial_exactness(report)),
        _pool_sentence(rows),
        _blind_sentence(rows),
        _fault_sentence(rows),
    ]
    return [sentence for sentence in sentences if sentence]
