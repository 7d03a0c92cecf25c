"""The shape of a study's table.json, checked before anything is written or drawn.

Keys that are not named here are kept and ignored. A study may be unfinished: any arm may be missing from any game, and
an estimate of one seed has no interval.
"""

from collections.abc import Mapping
from typing import Any

from equipoise.errors import UserError
from equipoise.reports.checks import (
    a_number,
    anything,
    estimate,
    list_of,
    mapping_of,
    maybe,
    maybe_number,
    object_of,
    one_of,
    text,
    whole,
)
from equipoise.reports.schema import HAZARD

SCHEMA = 1
"""The version of the shape below; a table of another version is refused."""

KINDS = ("base", "sft", "trained", "reference")

_ROW = object_of(
    {"arm": text, "label": text, "seeds": whole, "kind": one_of(*KINDS), "estimates": mapping_of(estimate)}, {}
)
_DIFFERENCE = object_of({"arm": text, "minus": text, "metric": text, "estimate": estimate}, {})
_POINT = object_of({"weights": list_of(a_number), "index": mapping_of(maybe_number), "best": text}, {})


def _flag(value: Any, where: str) -> None:
    one_of(True, False)(value, where)


_GAME = object_of(
    {"game": text, "unit": text, "zero_sum": _flag, "rows": list_of(_ROW)},
    {
        "rounds": whole,
        "scale": a_number,
        "weights": list_of(a_number),
        "exact": maybe(text),
        "hazards": mapping_of(HAZARD),
        "differences": list_of(_DIFFERENCE),
        "lambda_grid": list_of(_POINT),
        "sft_effect": mapping_of(estimate),
    },
)
_RULE = object_of({"rule": text, "cosine": estimate, "ratio": estimate}, {})
_TABLE = object_of(
    {"schema": one_of(SCHEMA), "study": text, "title": text, "games": list_of(_GAME)},
    {
        "created": text,
        "command": text,
        "versions": mapping_of(text),
        "seconds": a_number,
        "cells": object_of({"done": whole, "all": whole}, {}),
        "planned": mapping_of(whole),
        "settings": mapping_of(anything),
        "notes": list_of(text),
        "gradients": maybe(object_of({"rules": list_of(_RULE)}, {"game": text, "batches": whole, "episodes": whole})),
    },
)


def validate_study(table: Mapping[str, Any]) -> None:
    """Nothing for a table of the known shape.

    Raises:
        ValueError: naming the first place that is wrong, what was got there and what is allowed.
    """
    _TABLE(table, "table")
    _distinct([game["game"] for game in table["games"]], "table.games", "entry per game")
    for index, game in enumerate(table["games"]):
        _distinct([row["arm"] for row in game["rows"]], f"table.games[{index}].rows", "row per arm")


def _distinct(names: list[str], where: str, allowed: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f"{where}: got {twice[0]!r} more than once, allowed: one {allowed}")
