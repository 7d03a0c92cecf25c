"""The shape of a tournament's crossplay.json, checked before anything is written or drawn.

Keys that are not named here are kept and ignored.
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
    probability,
    text,
    whole,
)

SCHEMA = 1
"""The version of the shape below; a table of another version is refused."""

KINDS = ("script", "model")
VERDICTS = ("above", "below", "tie")

_AGENT = object_of({"name": text, "kind": one_of(*KINDS), "source": text}, {"sampling": mapping_of(anything)})
_CELL = object_of(
    {
        "agent": text,
        "opponent": text,
        "pay": estimate,
        "seat_pay": list_of(estimate),
        "fault_rate": maybe(estimate),
        "cooperation_rate": maybe(estimate),
        "conditional": mapping_of(estimate),
    },
    {"talk": mapping_of(estimate)},
)
_TOGETHER = object_of({"agents": list_of(text), "welfare": estimate, "efficiency": maybe(estimate)}, {})
_DIFFERENCE = object_of(
    {"agent": text, "minus": text, "opponent": maybe(text), "estimate": estimate, "verdict": one_of(*VERDICTS)}, {}
)
_REPLY = object_of({"text": text, "fault": maybe(text)}, {})
_TURN = object_of({"seat": one_of(0, 1), "saw": text, "said": list_of(_REPLY), "played": maybe(text)}, {})
_ROUND = object_of({"pay": list_of(maybe_number), "turns": list_of(_TURN)}, {})
_TRANSCRIPT = object_of(
    {"why": text, "seats": list_of(text), "deal": whole, "pay": list_of(maybe_number), "rounds": list_of(_ROUND)}, {}
)


def _flag(value: Any, where: str) -> None:
    one_of(True, False)(value, where)


_TABLE = object_of(
    {
        "schema": one_of(SCHEMA),
        "title": text,
        "game": text,
        "unit": text,
        "zero_sum": _flag,
        "matches": whole,
        "seed": whole,
        "agents": list_of(_AGENT),
        "cells": list_of(_CELL),
        "together": list_of(_TOGETHER),
        "differences": list_of(_DIFFERENCE),
        "comparisons": object_of({"method": text, "count": whole, "level": probability}, {}),
    },
    {
        "game_parameters": mapping_of(anything),
        "fault_rule": text,
        "cooperation": maybe(text),
        "rules": text,
        "transcripts": list_of(_TRANSCRIPT),
        "seconds": a_number,
        "created": text,
        "command": text,
        "versions": mapping_of(text),
        "notes": list_of(text),
    },
)


def validate_crossplay(table: Mapping[str, Any]) -> None:
    """Nothing for a table of the known shape, with a cell for every ordered pair of its agents.

    Raises:
        ValueError: naming the first place that is wrong, what was got there and what is allowed.
    """
    _TABLE(table, "crossplay")
    names = [agent["name"] for agent in table["agents"]]
    if len(set(names)) < max(len(names), 2):
        raise UserError(f"crossplay.agents: got {names}, allowed: at least two, each once")
    _same(
        [(cell["agent"], cell["opponent"]) for cell in table["cells"]],
        [(a, b) for a in names for b in names],
        "crossplay.cells",
    )
    _same(
        [tuple(entry["agents"]) for entry in table["together"]],
        [(a, b) for place, a in enumerate(names) for b in names[place:]],
        "crossplay.together",
    )
    for index, cell in enumerate(table["cells"]):
        if len(cell["seat_pay"]) != 2:
            raise UserError(f"crossplay.cells[{index}].seat_pay: got {len(cell['seat_pay'])} figures, allowed: 2")
    for index, match in enumerate(table.get("transcripts", ())):
        if len(match["seats"]) != 2 or not set(match["seats"]) <= set(names):
            raise UserError(f"crossplay.transcripts[{index}].seats: got {match['seats']}, allowed: two of the agents")


def _same(got: list[tuple[str, ...]], wanted: list[tuple[str, ...]], where: str) -> None:
    if sorted(got) != sorted(wanted):
        missing = sorted(set(wanted) - set(got))
        what = f"none for {' and '.join(missing[0])}" if missing else f"{len(got)} entries for {len(wanted)} pairs"
        raise UserError(f"{where}: got {what}, allowed: one for every pair of agents")
