"""The report's tables as plain cells: what stands in each place and what may be set in bold. No markup."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from equipoise.reports.agents import agent_labels
from equipoise.reports.figure_policy import last_action_probability
from equipoise.reports.findings import Row, best_agent
from equipoise.reports.formats import MISSING, bounds, decimals, number
from equipoise.reports.glossary import GENERAL_SUM, ZERO_SUM, Metric, game_metrics


@dataclass(frozen=True)
class Cell:
    """A value as text, what stands small beneath it, and whether it is the best of its column beyond every interval."""

    value: str
    below: str = ""
    best: bool = False


@dataclass(frozen=True)
class Column:
    """A metric's column: its cells in the rows' order, and the n that all of them share (or None)."""

    metric: Metric
    n: int | None
    cells: Sequence[Cell]


@dataclass(frozen=True)
class Matrix:
    """A table of agents' cells: a caption, the heads of the leading columns, and rows of (leading texts, cells)."""

    caption: str
    heads: Sequence[str]
    rows: Sequence[tuple[Sequence[str], Sequence[Cell]]]


def _scaled(estimate: Mapping[str, Any], scale: float) -> dict[str, Any]:
    parts = {key: estimate.get(key) for key in ("value", "low", "high")}
    return {**estimate, **{key: None if part is None else part * scale for key, part in parts.items()}}


def _cells(estimates: Iterable[Mapping[str, Any]], digits: int) -> list[Cell]:
    return [Cell(number(e.get("value"), digits), bounds(e, digits)) for e in estimates]


def estimate_of(row: Row, key: str) -> Mapping[str, Any]:
    """The row's estimate of a metric or of a figure of its game; empty where there is none or nothing was counted."""
    found: Mapping[str, Any] = row.get(key) or row.get("figures", {}).get(key) or {}
    return {} if found.get("n") == 0 else found


def _digits(rows: Sequence[Row], group: Sequence[Metric]) -> int:
    """The decimals that all columns of a group share, so that their values can be read against each other."""
    keys = [metric.key for metric in group if metric.scale == 1]
    return decimals(estimate_of(row, key).get("value") for row in rows for key in keys) if keys else 2


def _column(rows: Sequence[Row], metric: Metric, digits: int) -> Column:
    estimates = [_scaled(estimate_of(row, metric.key), metric.scale) for row in rows]
    counts = {
        estimate["n"] for estimate in estimates if estimate.get("n") is not None and estimate["value"] is not None
    }
    shared = counts.pop() if len(counts) == 1 else None
    best = best_agent(rows, metric.key, metric.direction)
    cells = []
    for row, estimate, cell in zip(rows, estimates, _cells(estimates, digits), strict=True):
        count = f"n = {estimate['n']}" if shared is None and estimate.get("n") is not None else ""
        if estimate.get("method") == "exact" and not cell.below:
            count = "exact"
        cells.append(Cell(cell.value, " ".join(filter(None, (cell.below, count))), row["agent"] == best))
    return Column(metric, shared, cells)


def _columns(rows: Sequence[Row], metrics: Sequence[Metric]) -> list[Column]:
    """The metrics that at least one row has a value of, those of one group side by side, in the order given."""
    present = [m for m in metrics if any(estimate_of(row, m.key).get("value") is not None for row in rows)]
    groups = {m.group: [other for other in present if other.group == m.group] for m in present}
    return [_column(rows, m, _digits(rows, group)) for group in groups.values() for m in group]


def has_nash_conv(rows: Sequence[Row]) -> bool:
    """Whether the rows are of a game that has a NashConv: a zero-sum one."""
    return any("nash_conv" in row for row in rows)


def metric_columns(report: Mapping[str, Any]) -> list[Column]:
    """The columns of the main table: NashConv first where there is one, else the SEPO index and what it is made of."""
    metrics = game_metrics(report)
    order = ZERO_SUM if has_nash_conv(report["rows"]) else GENERAL_SUM
    return _columns(report["rows"], [metrics[key] for key in order])


def further_columns(report: Mapping[str, Any]) -> list[Column]:
    """The columns of everything else that was measured; welfare is left out where it is 0 by definition."""
    zero_sum = has_nash_conv(report["rows"])
    shown = {*(ZERO_SUM if zero_sum else GENERAL_SUM), *(("welfare",) if zero_sum else ())}
    metrics = game_metrics(report)
    return _columns(report["rows"], [metric for key, metric in metrics.items() if key not in shown])


def opponent_matrices(rows: Sequence[Row]) -> list[Matrix]:
    """The gap and the payoff against every opponent, each as a matrix of opponents by agents; those measured only."""
    names: dict[str, str] = {}
    for row in rows:
        for entry in row.get("opponents", ()):
            names.setdefault(entry["opponent"], entry.get("pool", MISSING).replace("_", "-"))
    found = [{entry["opponent"]: entry for entry in row.get("opponents", ())} for row in rows]
    captions = {"gap": "Gap: what the opponent earns beyond the agent", "payoff": "Payoff of the agent"}
    matrices = []
    for key, caption in captions.items():
        estimates = {name: [table.get(name, {}).get(key, {}) for table in found] for name in names}
        values = [estimate.get("value") for line in estimates.values() for estimate in line]
        if any(value is not None for value in values):
            digits = decimals(values)
            lines = [((name, pool), _cells(estimates[name], digits)) for name, pool in names.items()]
            matrices.append(Matrix(caption, ("Opponent", "Pool"), lines))
    return matrices


def fault_matrix(rows: Sequence[Row]) -> Matrix | None:
    """The share of replies lost to each kind of fault, in percent, by agent; None where no row tells."""
    kinds = list(dict.fromkeys(kind for row in rows for kind in row.get("faults", {})))
    if not kinds:
        return None
    lines = []
    for kind in kinds:
        shares = [row.get("faults", {}).get(kind) for row in rows]
        lines.append(((kind,), [Cell(number(None if s is None else 100 * s, 2)) for s in shares]))
    return Matrix("Share of replies, in percent", ("Fault",), lines)


def policy_matrix(report: Mapping[str, Any]) -> Matrix:
    """The policy figure in numbers: the last action's probability given a legal reply, other replies' share beneath."""
    lines = []
    known = any("nash_low" in state for state in report["policy_table"]["states"])
    for state in report["policy_table"]["states"]:
        low, high = (state.get(key, [None])[-1] for key in ("nash_low", "nash_high"))
        nash = number(low, 3) if low == high else f"{number(low, 3)} to {number(high, 3)}"
        cells = []
        for agent in agent_labels(report):
            here = state["agents"].get(agent, {})
            outside = here.get("outside")
            cells.append(
                Cell(
                    number(last_action_probability(here.get("probabilities", [])), 3),
                    "" if outside is None else f"{number(100 * outside, 2)} %",
                )
            )
        text = f"{state.get('text', state['state'])}: {state['actions'][-1]}"
        lines.append(((text, str(state.get("seat", MISSING)), *((nash,) if known else ())), cells))
    heads = ("State", "Seat", "Nash") if known else ("State", "Seat")
    return Matrix("Probability of the action; share of replies that are not legal beneath", heads, lines)
