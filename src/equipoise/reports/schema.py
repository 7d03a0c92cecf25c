"""The shape of report.json, checked before anything is written or drawn.

Keys that are not named here are kept and ignored, so a run may store more beside what the page shows.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from equipoise.errors import UserError
from equipoise.reports.checks import (
    Check,
    a_number,
    anything,
    estimate,
    failure,
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
from equipoise.reports.glossary import METRICS

SCHEMA = 1
"""The version of the shape below; a report of another version is refused."""

POOLS = ("train", "exploiter", "collusive", "held_out", "reference", "given")
ROLES = ("system", "user", "assistant")

_OPPONENT = object_of({"opponent": text}, {"pool": one_of(*POOLS), "payoff": estimate, "gap": estimate})
_MEASURED: dict[str, Check] = dict.fromkeys((metric.key for metric in METRICS), estimate)
_ROW = object_of(
    {"agent": text, "payoff": estimate, "fault_rate": estimate},
    {
        "label": text,
        "seeds": whole,
        **_MEASURED,
        "figures": mapping_of(estimate),
        "train_seconds": maybe_number,
        "opponents": list_of(_OPPONENT),
        "faults": mapping_of(maybe_number),
    },
)
HAZARD = object_of(
    {"definition": text},
    {"unit": text, "low": maybe_number, "high": maybe_number, "null": mapping_of(estimate)},
)
"""What a game means by a hazard or by a figure of its own."""

_POINT = object_of(
    {"step": whole},
    dict.fromkeys(("nash_conv", "pool_exploitability", "payoff", "fault_rate", "kl"), maybe_number),
)
_CURVE = object_of({"agent": text, "points": list_of(_POINT)}, {"label": text, "seed": whole})
_AGENT_AT_STATE = object_of({"probabilities": list_of(probability)}, {"outside": probability})
_STATE_SHAPE = object_of(
    {"state": text, "actions": list_of(text), "agents": mapping_of(_AGENT_AT_STATE)},
    {"seat": whole, "text": text, "nash_low": list_of(probability), "nash_high": list_of(probability)},
)


def _state(value: Any, where: str) -> None:
    _STATE_SHAPE(value, where)
    actions = len(value["actions"])
    if actions == 0:
        raise failure(f"{where}.actions", value["actions"], "at least one action")
    vectors = {f"agents.{name}.probabilities": agent["probabilities"] for name, agent in value["agents"].items()}
    vectors |= {key: value[key] for key in ("nash_low", "nash_high") if key in value}
    for key, vector in vectors.items():
        if len(vector) != actions:
            raise failure(f"{where}.{key}", vector, f"{actions} numbers, one per action {list(value['actions'])}")


_MESSAGE = object_of({"role": one_of(*ROLES), "text": text}, {"fault": maybe(text)})
_TRANSCRIPT = object_of(
    {"messages": list_of(_MESSAGE)}, {"agent": text, "opponent": text, "seat": whole, "payoff": list_of(maybe_number)}
)
_REPORT = object_of(
    {"schema": one_of(SCHEMA), "game": text, "seconds": a_number, "rows": list_of(_ROW)},
    {
        "title": text,
        "game_parameters": mapping_of(anything),
        "created": text,
        "versions": mapping_of(text),
        "seeds": list_of(whole),
        "unit": text,
        "exact": maybe(text),
        "hazards": mapping_of(HAZARD),
        "sepo": object_of({"weights": list_of(a_number), "scale": a_number}, {}),
        "command": text,
        "curves": list_of(_CURVE),
        "policy_table": object_of({"states": list_of(_state)}, {}),
        "transcripts": list_of(_TRANSCRIPT),
        "notes": list_of(text),
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
        raise UserError("report.rows: got no rows, allowed: one row per audited agent, at least one")
    twice = sorted({agent for agent in agents if agents.count(agent) > 1})
    if twice:
        raise UserError(f"report.rows: got {twice[0]!r} more than once, allowed: one row per agent")


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
