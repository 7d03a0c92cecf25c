"""The shape of the alignment study's table.json, checked before anything is written or drawn.

Keys that are not named here are kept and ignored. A study may be unfinished: any arm may be missing from any game, have
fewer seeds than planned, or lack any figure.
"""

from collections.abc import Mapping
from typing import Any

from equipoise.errors import UserError
from equipoise.reports.checks import (
    a_number,
    anything,
    estimate,
    failure,
    list_of,
    mapping_of,
    maybe_number,
    object_of,
    one_of,
    text,
    whole,
)

SCHEMA, STUDY = 1, "alignment"
"""The version of the shape below, and the name of the study; a table of another one is refused."""

KINDS = ("start", "trained", "reference")
RELATIONS = ("at most", "at least")
_ROUNDING = 1e-9
"""Whether a value this close to a target's bound meets it is left to the study."""

_METRIC = object_of({"key": text, "head": text, "definition": text, "digits": whole}, {})
_ROW = object_of(
    {"arm": text, "label": text, "kind": one_of(*KINDS), "seeds": whole, "estimates": mapping_of(estimate)},
    {"values": mapping_of(list_of(maybe_number))},
)
_TARGET = object_of(
    {
        "arm": text,
        "metric": text,
        "relation": one_of(*RELATIONS),
        "bound": a_number,
        "value": maybe_number,
        "met": one_of(True, False, None),
        "seeds_met": whole,
        "seeds": whole,
    },
    {},
)
_DIFFERENCE = object_of({"arm": text, "minus": text, "metric": text, "estimate": estimate}, {})
_GAME = object_of(
    {
        "game": text,
        "unit": text,
        "players": mapping_of(text),
        "metrics": list_of(_METRIC),
        "rows": list_of(_ROW),
    },
    {"rounds": whole, "targets": list_of(_TARGET), "differences": list_of(_DIFFERENCE)},
)
_TABLE = object_of(
    {"schema": one_of(SCHEMA), "study": one_of(STUDY), "title": text, "games": list_of(_GAME)},
    {
        "created": text,
        "command": text,
        "versions": mapping_of(text),
        "seconds": a_number,
        "cells": object_of({"done": whole, "all": whole}, {}),
        "settings": mapping_of(anything),
        "planned": mapping_of(whole),
        "notes": list_of(text),
    },
)


def validate_alignment_study(table: Mapping[str, Any]) -> None:
    """Nothing for a table of the known shape.

    Raises:
        ValueError: naming the first place that is wrong, what was got there and what is allowed.
    """
    _TABLE(table, "table")
    _distinct([game["game"] for game in table["games"]], "table.games", "entry per game")
    for index, game in enumerate(table["games"]):
        where = f"table.games[{index}]"
        _distinct([metric["key"] for metric in game["metrics"]], f"{where}.metrics", "entry per metric")
        _distinct([row["arm"] for row in game["rows"]], f"{where}.rows", "row per arm")
        for number, row in enumerate(game["rows"]):
            _one_value_a_seed(row, f"{where}.rows[{number}]")
        for number, target in enumerate(game.get("targets", ())):
            _target_adds_up(target, f"{where}.targets[{number}]")


def _distinct(names: list[str], where: str, allowed: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f"{where}: got {twice[0]!r} more than once, allowed: one {allowed}")


def _one_value_a_seed(row: Mapping[str, Any], where: str) -> None:
    """Passes a row whose lists of values can be read seed by seed."""
    if row["kind"] != "trained":
        return
    for metric, values in row.get("values", {}).items():
        if len(values) != row["seeds"]:
            allowed = f"{row['seeds']} values, one per seed, null where a seed has none"
            raise UserError(f"{where}.values.{metric}: got {len(values)} values, allowed: {allowed}")


def _target_adds_up(target: Mapping[str, Any], where: str) -> None:
    """Passes a target whose verdict is what its value and its bound say."""
    value, bound = target["value"], target["bound"]
    if value is None or abs(value - bound) > _ROUNDING:
        met = None if value is None else value < bound if target["relation"] == "at most" else value > bound
        if target["met"] != met:
            raise failure(f"{where}.met", target["met"], f"{met}, since {value} is to be {target['relation']} {bound}")
    if target["seeds_met"] > target["seeds"]:
        raise failure(f"{where}.seeds_met", target["seeds_met"], f"at most the {target['seeds']} seeds")
