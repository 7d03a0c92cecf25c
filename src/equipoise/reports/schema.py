"""The shape of report.json, checked before anything is written or drawn.

A check is a function of (value, where) that raises `ValueError` naming the place, what was got and what is allowed.
Keys that are not named here are kept and ignored, so a run may store more beside what the page shows.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

SCHEMA = 1
"""The version of the shape below; a report of another version is refused."""

POOLS = ("train", "exploiter", "collusive", "held_out")
ROLES = ("system", "user", "assistant")

Check = Callable[[Any, str], None]


def _fail(where: str, value: Any, allowed: str) -> ValueError:
    got = repr(value)
    return ValueError(f"{where}: got {got if len(got) <= 60 else got[:57] + '...'}, allowed: {allowed}")


def _text(value: Any, where: str) -> None:
    if not isinstance(value, str):
        raise _fail(where, value, "text")


def _whole(value: Any, where: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _fail(where, value, "a whole number of at least 0")


def _number(value: Any, where: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isinf(value):
        raise _fail(where, value, "a finite number")


def _maybe_number(value: Any, where: str) -> None:
    if value is not None:
        _number(value, where)


def _probability(value: Any, where: str) -> None:
    _maybe_number(value, where)
    if value is not None and not math.isnan(value) and not -1e-9 <= value <= 1 + 1e-9:
        raise _fail(where, value, "a probability between 0 and 1, or null")


def _any(value: Any, where: str) -> None:
    """Accepts everything."""


def _one_of(*allowed: Any) -> Check:
    def check(value: Any, where: str) -> None:
        if value not in allowed:
            raise _fail(where, value, ", ".join(repr(a) for a in allowed))

    return check


def _maybe(inner: Check) -> Check:
    def check(value: Any, where: str) -> None:
        if value is not None:
            inner(value, where)

    return check


def _list(inner: Check) -> Check:
    def check(value: Any, where: str) -> None:
        if not isinstance(value, list | tuple):
            raise _fail(where, value, "a list")
        for index, item in enumerate(value):
            inner(item, f"{where}[{index}]")

    return check


def _mapping(inner: Check) -> Check:
    def check(value: Any, where: str) -> None:
        if not isinstance(value, Mapping):
            raise _fail(where, value, "an object")
        for key, item in value.items():
            _text(key, f"{where} key")
            inner(item, f"{where}.{key}")

    return check


def _object(required: Mapping[str, Check], optional: Mapping[str, Check]) -> Check:
    def check(value: Any, where: str) -> None:
        if not isinstance(value, Mapping):
            raise _fail(where, value, "an object")
        for key in required:
            if key not in value:
                raise ValueError(f"{where}: the key '{key}' is missing; required: {', '.join(required)}")
        for key, inner in {**required, **optional}.items():
            if key in value:
                inner(value[key], f"{where}.{key}")

    return check


_ESTIMATE_SHAPE = _object(
    {"value": _maybe_number},
    {"low": _maybe_number, "high": _maybe_number, "n": _whole, "level": _probability, "method": _text},
)


def _estimate(value: Any, where: str) -> None:
    _ESTIMATE_SHAPE(value, where)
    low, high = value.get("low"), value.get("high")
    if low is not None and high is not None and low > high:
        raise ValueError(f"{where}: got low {low} above high {high}, allowed: low <= high, or null for both")


_OPPONENT = _object({"opponent": _text}, {"pool": _one_of(*POOLS), "payoff": _estimate, "gap": _estimate})
_ROW = _object(
    {
        "agent": _text,
        "nash_conv": _estimate,
        "pool_exploitability": _estimate,
        "payoff": _estimate,
        "fault_rate": _estimate,
    },
    {
        "label": _text,
        "seeds": _whole,
        "nash_conv_fault_aware": _estimate,
        "worst_case_advantage": _estimate,
        "pool_exploitability_unclipped": _estimate,
        "max_state_fault": _estimate,
        "train_seconds": _maybe_number,
        "opponents": _list(_OPPONENT),
        "faults": _mapping(_maybe_number),
    },
)
_POINT = _object(
    {"step": _whole},
    dict.fromkeys(("nash_conv", "pool_exploitability", "payoff", "fault_rate", "kl"), _maybe_number),
)
_CURVE = _object({"agent": _text, "points": _list(_POINT)}, {"label": _text, "seed": _whole})
_AGENT_AT_STATE = _object({"probabilities": _list(_probability)}, {"outside": _probability})
_STATE_SHAPE = _object(
    {"state": _text, "actions": _list(_text), "agents": _mapping(_AGENT_AT_STATE)},
    {"seat": _whole, "text": _text, "nash_low": _list(_probability), "nash_high": _list(_probability)},
)


def _state(value: Any, where: str) -> None:
    _STATE_SHAPE(value, where)
    actions = len(value["actions"])
    if actions == 0:
        raise _fail(f"{where}.actions", value["actions"], "at least one action")
    vectors = {f"agents.{name}.probabilities": agent["probabilities"] for name, agent in value["agents"].items()}
    vectors |= {key: value[key] for key in ("nash_low", "nash_high") if key in value}
    for key, vector in vectors.items():
        if len(vector) != actions:
            raise _fail(f"{where}.{key}", vector, f"{actions} numbers, one per action {list(value['actions'])}")


_MESSAGE = _object({"role": _one_of(*ROLES), "text": _text}, {"fault": _maybe(_text)})
_TRANSCRIPT = _object(
    {"messages": _list(_MESSAGE)}, {"agent": _text, "opponent": _text, "seat": _whole, "payoff": _list(_maybe_number)}
)
_REPORT = _object(
    {"schema": _one_of(SCHEMA), "game": _text, "seconds": _number, "rows": _list(_ROW)},
    {
        "title": _text,
        "game_parameters": _mapping(_any),
        "created": _text,
        "versions": _mapping(_text),
        "seeds": _list(_whole),
        "unit": _text,
        "command": _text,
        "curves": _list(_CURVE),
        "policy_table": _object({"states": _list(_state)}, {}),
        "transcripts": _list(_TRANSCRIPT),
        "notes": _list(_text),
    },
)


def validate_report(report: Mapping[str, Any]) -> None:
    """Nothing for a report of the known shape.

    Raises:
        ValueError: naming the first place that is wrong, what was got there and what is allowed.
    """
    _REPORT(report, "report")
    agents = [row["agent"] for row in report["rows"]]
    if not agents:
        raise ValueError("report.rows: got no rows, allowed: one row per audited agent, at least one")
    twice = sorted({agent for agent in agents if agents.count(agent) > 1})
    if twice:
        raise ValueError(f"report.rows: got {twice[0]!r} more than once, allowed: one row per agent")


def clean_report(value: Any) -> Any:
    """The same value in plain JSON types: NaN and infinity become null, NumPy values become numbers and lists."""
    if isinstance(value, np.generic | np.ndarray):
        return clean_report(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): clean_report(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean_report(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
