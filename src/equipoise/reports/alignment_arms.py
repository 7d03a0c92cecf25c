"""The arms and columns of the alignment study: their fixed order and colours, and how one row's figures are read."""

from collections.abc import Mapping, Sequence
from typing import Any

from equipoise.reports.formats import bounds, listing, number
from equipoise.reports.study_arms import Game, Row, measured

ARMS = {
    "start": "Start model",
    "naive": "Naive",
    "sum_of_rewards": "Sum of rewards",
    "alignment": "Advantage alignment",
    "alignment_inclusive": "Alignment, k <= t",
    "without_past": "Alignment without past selves",
    "without_baseline": "Alignment without groups",
    "alignment_sepo": "Alignment + SEPO",
}
"""The study's arms in the order of their colours; a table may name them otherwise, and hold others."""


def metrics_of(game: Game) -> dict[str, Mapping[str, Any]]:
    """The game's metrics by key, in the order of its columns."""
    return {metric["key"]: metric for metric in game["metrics"]}


def head_of(game: Game, metric: str) -> str:
    """What a metric is called at the head of its column."""
    found = metrics_of(game).get(metric)
    return metric.replace("_", " ") if found is None else str(found["head"])


def digits_of(game: Game, metric: str) -> int:
    """The digits after the point that a metric is shown with."""
    found = metrics_of(game).get(metric)
    return 2 if found is None else int(found["digits"])


def per_round(game: Game) -> str:
    """The unit of the game's pay, which is always pay per round."""
    unit = str(game["unit"])
    return unit if " per " in f" {unit} " else f"{unit} per round"


def seed_values(row: Row, metric: str) -> Sequence[float | None]:
    """A row's value of every seed, None where a seed has none; one value for a player that was not trained."""
    found: Sequence[float | None] = row.get("values", {}).get(metric) or ()
    return found or ((measured(row, metric)["value"],) if measured(row, metric) else ())


def seed_pairs(row: Row, first: str, second: str) -> list[tuple[float, float]]:
    """A row's values of two metrics side by side, for every seed that has both."""
    pairs = zip(seed_values(row, first), seed_values(row, second), strict=False)
    return [(a, b) for a, b in pairs if a is not None and b is not None]


def runs_text(row: Row) -> str:
    """What stands behind a row, in words: how many training seeds, or that the model is untrained."""
    if row["kind"] == "trained":
        return f"{row['seeds']} seed{'' if row['seeds'] == 1 else 's'}"
    return "untrained" if row["kind"] == "start" else "script"


def spread_text(row: Row, metric: str, digits: int) -> str:
    """What stands beneath a row's value: the range over its seeds, or the interval of one player's value.

    A single seed has no range. Where only some of the row's seeds have the figure, their number is added.
    """
    estimate = measured(row, metric)
    if not estimate:
        return ""
    if row["kind"] != "trained":
        return bounds(estimate, digits) or ("exact" if estimate.get("method") == "exact" else "")
    n = estimate.get("n", row["seeds"])
    shown = bounds({**estimate, "method": ""}, digits) if n > 1 else ""
    count = f"{n} seed{'' if n == 1 else 's'}" if n != row["seeds"] else ""
    return " ".join(filter(None, (shown, count)))


def coverage_text(game: Game) -> str:
    """How surely the range from the lowest to the highest seed holds the true median; empty without such a range.

    Each seed falls below the median with probability 1/2, so n seeds all fall on one side of it with probability
    2 * (1/2)^n.
    """
    rows = [row for row in game["rows"] if row["kind"] == "trained"]
    counts = {int(estimate.get("n", row["seeds"])) for row in rows for estimate in row["estimates"].values()}
    shares = {n: f"{number(100 * (1 - 2 * 0.5**n), 0)} %" for n in sorted(counts, reverse=True) if n > 1}
    texts = [f"{share} over {n} seeds" for n, share in shares.items()]
    return f"The range holds the true median with a probability of {listing(texts)}" if texts else ""
