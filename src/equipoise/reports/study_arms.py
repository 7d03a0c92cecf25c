"""The arms of a study: their fixed colours, what is still missing of them, and which figure says how safe they are."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from equipoise.reports.agents import SERIES
from equipoise.reports.formats import listing
from equipoise.reports.glossary import partial_exactness

Game = Mapping[str, Any]
Row = Mapping[str, Any]

ARMS = {
    "base": "Base",
    "sft": "SFT",
    "own_pool": "SEPO, own pool",
    "own_pool_best_response": "SEPO, own pool + adversary",
    "payoff": "Payoff alone",
    "welfare": "Welfare",
    "shared_penalty": "Shared penalty",
    "independent_penalty": "Independent penalty",
}
"""The study's arms in the order of their colours; a table may name them otherwise, and hold others."""

WHOLE_GAME_BOUNDS = ("worst_case_lower_bound", "pool_exploitability", "held_out_exploitability")
"""Measured exploitabilities that are lower bounds of the worst case of a whole game."""

SHORT = {
    "nash_conv": "exact NashConv",
    "worst_case_advantage": "exact worst-case advantage",
    "worst_case_lower_bound": "learned adversary, a lower bound",
    "pool_exploitability": "scripted exploiters, a lower bound",
    "held_out_exploitability": "held-out scripts, a lower bound",
}


_PROPER = {"kuhn_poker": "Kuhn poker", "prisoners_dilemma": "prisoner's dilemma"}


def measured(row: Row, metric: str) -> Mapping[str, Any]:
    """The row's estimate of a metric; empty where it has none, or no value, or nothing was counted."""
    found: Mapping[str, Any] = row["estimates"].get(metric) or {}
    return {} if found.get("value") is None or found.get("n") == 0 else found


def arms(game: Game, known: Iterable[str] = ARMS) -> list[Row]:
    """The rows of models, in the study's order of `known` arms; reference players are left out."""
    order = {arm: place for place, arm in enumerate(known)}
    models = [row for row in game["rows"] if row["kind"] != "reference"]
    return sorted(models, key=lambda row: order.get(row["arm"], len(order)))


def references(game: Game) -> list[Row]:
    """The rows of reference players."""
    return [row for row in game["rows"] if row["kind"] == "reference"]


def arm_labels(table: Mapping[str, Any], known: Collection[str] = ARMS) -> dict[str, str]:
    """The label of every arm that the table's games hold, in the study's order of `known` arms."""
    found = {row["arm"]: row["label"] for game in table["games"] for row in arms(game, known)}
    return {arm: found[arm] for arm in [*(a for a in known if a in found), *(a for a in found if a not in known)]}


def arm_slots(labels: Iterable[str], known: Collection[str] = ARMS) -> dict[str, int]:
    """The place of each arm among colours and markers: fixed for the study's `known` arms."""
    names = [*known, *(arm for arm in labels if arm not in known)]
    return {arm: place % len(SERIES) for place, arm in enumerate(names)}


def danger_metric(game: Game) -> str | None:
    """The metric that says best how exploitable this game's models are; None where none was measured.

    Exact over the whole game where there is such a value; in a zero-sum game, whose rounds are hands of the same game,
    over those that are exact. Otherwise the strongest of the lower bounds of the whole game that every model has: the
    one whose mean over models is highest. One metric serves all models of a game, so that they can be compared.
    """
    models = arms(game)
    if game["zero_sum"] and any(measured(row, "nash_conv") for row in models):
        return "nash_conv"
    whole = not partial_exactness(game)
    if whole and any(measured(row, "worst_case_advantage") for row in models):
        return "worst_case_advantage"
    bounds = [m for m in WHOLE_GAME_BOUNDS if models and all(measured(row, m) for row in models)]
    if not bounds:
        return None
    return max(bounds, key=lambda m: sum(float(measured(row, m)["value"]) for row in models))


def danger_name(game: Game, metric: str) -> str:
    """What a metric of exploitability is called, with what of the game it covers where that is not all of it."""
    reach = partial_exactness(game) if metric in ("nash_conv", "worst_case_advantage") else ""
    return f"{SHORT[metric]}, {reach}" if reach else SHORT[metric]


def missing(table: Mapping[str, Any], known: Mapping[str, str] = ARMS) -> list[str]:
    """What the study has not run yet, one text per game, such as `auction: Welfare; SFT (2 of 5 seeds)`.

    What was planned is read from the table's `planned` (arm to seeds); without it, every arm of `known` (arm to label)
    with as many seeds as the game that is furthest ahead.
    """
    planned = table.get("planned") or {
        arm: max([row["seeds"] for game in table["games"] for row in arms(game) if row["arm"] == arm], default=1)
        for arm in known
    }
    labels = {**known, **arm_labels(table, known)}
    texts = []
    for game in table["games"]:
        seeds = {row["arm"]: row["seeds"] for row in arms(game)}
        short = [
            labels.get(arm, arm) if arm not in seeds else f"{labels.get(arm, arm)} ({seeds[arm]} of {wanted} seeds)"
            for arm, wanted in planned.items()
            if seeds.get(arm, 0) < wanted
        ]
        if short:
            texts.append(f"{game_title(game)}: {'; '.join(short)}")
    return texts


def game_name(game: Game) -> str:
    """The game's name in words, as it stands inside a sentence."""
    name = str(game["game"])
    return _PROPER.get(name, name.replace("_", " "))


def game_title(game: Game) -> str:
    """The game's name in words, as it stands in a heading."""
    words = game_name(game)
    return words[:1].upper() + words[1:]


def games_named(games: Sequence[Game]) -> str:
    """The games as an English list of their names in words."""
    return listing(game_name(game) for game in games)
