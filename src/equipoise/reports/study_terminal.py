"""A study's findings and its main figures for a terminal of 80 columns."""

import textwrap
from collections.abc import Mapping
from typing import Any

from equipoise.reports.formats import number, visible
from equipoise.reports.schema import clean_report
from equipoise.reports.study_arms import Game, arms, danger_metric, game_title, measured, references
from equipoise.reports.study_claims import claims, progress
from equipoise.reports.study_schema import validate_study

WIDTH = 80
_LABEL, _CELL = 26, 9
_HEADS = {
    "sepo_index": "S",
    "payoff": "u",
    "welfare": "welfare",
    "pool_exploitability": "e pool",
    "nash_conv": "NashConv",
    "worst_case_advantage": "worst",
    "worst_case_lower_bound": "worst >=",
    "held_out_exploitability": "e held",
    "fault_rate": "faults %",
}


def _block(game: Game) -> list[str]:
    danger = danger_metric(game)
    keys = ["sepo_index", "payoff", *(() if game["zero_sum"] else ("welfare",)), "pool_exploitability"]
    keys += [danger] if danger is not None and danger not in keys else []
    keys.append("fault_rate")
    rows = [*arms(game), *references(game)]
    keys = [key for key in keys if any(measured(row, key) for row in rows)]
    lines = ["", game_title(game).ljust(_LABEL) + "".join(_HEADS[key].rjust(_CELL) for key in keys)]
    for row in rows:
        label = textwrap.shorten(visible(row["label"]), _LABEL - 1, placeholder="…")
        values = []
        for key in keys:
            value = measured(row, key).get("value")
            values.append(number(value if value is None or key != "fault_rate" else 100 * value, 2).rjust(_CELL))
        lines.append(label.ljust(_LABEL) + "".join(values))
    return lines


def study_text(table: Mapping[str, Any]) -> str:
    """The study's findings, then one block a game with the mean of every arm; intervals are on the page.

    Raises:
        ValueError: when the table lacks a required key or holds a value of the wrong kind.
    """
    plain = clean_report(table)
    validate_study(plain)
    lines = [*textwrap.wrap(visible(plain["title"]), WIDTH), ""]
    for sentence in (*claims(plain), *progress(plain)):
        lines += textwrap.wrap(visible(sentence), WIDTH)
    for game in plain["games"]:
        lines += _block(game)
    return "\n".join(lines) + "\n"
