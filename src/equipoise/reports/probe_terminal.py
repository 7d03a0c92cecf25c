"""What a best-response probe found, for a terminal of 80 columns, and the shape of its probe.json."""

import textwrap
from collections.abc import Mapping
from typing import Any

from equipoise.reports.checks import anything, estimate, mapping_of, object_of, one_of, text, whole
from equipoise.reports.formats import bounds, decimals, number, visible
from equipoise.reports.schema import clean_report

PROBE = "probe"
SCHEMA = 1
"""The version of the shape below; a probe of another version is refused."""

WIDTH = 80
_LABEL, _VALUE = 46, 10

_FIGURES = ("gain", "pay", "agent_pay", "self_play", "fault_rate", "agent_fault_rate")
_PROBE = object_of(
    {
        "schema": one_of(SCHEMA),
        "game": text,
        "unit": text,
        "agent": object_of({"name": text, "source": text}, {}),
        "learner": object_of({"start": text, "steps": whole, "seed": whole}, {}),
        "matches": whole,
        "lower_bound": one_of("gain"),
        "figures": object_of(dict.fromkeys(_FIGURES, estimate), {}),
    },
    {"game_parameters": mapping_of(anything), "seed": whole, "fault_rule": text, "versions": mapping_of(text)},
)


def validate_probe(record: Mapping[str, Any]) -> None:
    """Nothing for a record of the known shape.

    Raises:
        ValueError: naming the first place that is wrong, what was got there and what is allowed.
    """
    _PROBE(record, PROBE)


def probe_text(record: Mapping[str, Any]) -> str:
    """What the learner gains, as a sentence and with every figure and its interval.

    Raises:
        ValueError: when the record lacks a required key or holds a value of the wrong kind.
    """
    plain = clean_report(record)
    validate_probe(plain)
    figures, agent = plain["figures"], visible(plain["agent"]["name"])
    digits = decimals(figures[key]["value"] for key in _FIGURES[:4])
    title = f"{plain['game']}: a naive learner against {agent}, which stays as it is"
    lines = [*textwrap.wrap(title, WIDTH), "", *textwrap.wrap(_claim(figures["gain"], agent, plain["unit"]), WIDTH), ""]
    lines.append(f"{plain['unit']}, 95 % intervals".ljust(_LABEL) + "value".rjust(_VALUE))
    named = {
        "gain": "gain of the learner: a lower bound",
        "pay": f"the learner earns from {agent}",
        "self_play": f"{agent} earns from itself",
        "agent_pay": f"{agent} earns from the learner",
    }
    lines += [_row(label, figures[key], digits) for key, label in named.items()]
    faults = {"fault_rate": "faults of the learner, share", "agent_fault_rate": f"faults of {agent}, share"}
    lines += [_row(label, figures[key], 3) for key, label in faults.items()]
    learner = plain["learner"]
    how = (
        f"The learner: {learner['steps']} steps from {visible(learner['start'])}, seed {learner['seed']}, its own pay "
        f"alone as its aim. {plain['matches']} matches in each seat on deals that no training saw."
    )
    return "\n".join([*lines, "", *textwrap.wrap(how, WIDTH)]) + "\n"


def _claim(gain: Mapping[str, Any], agent: str, unit: str) -> str:
    """What the gain's interval lets one say."""
    size = f"{number(abs(gain['value']), decimals([gain['value']]))} {unit}"
    if gain["low"] is not None and gain["low"] > 0:
        return (
            f"The learner earns {size} more from {agent} than {agent} earns from itself: a lower bound on how "
            f"exploitable {agent} is. A stronger learner, or a longer training, may gain more."
        )
    if gain["high"] is not None and gain["high"] < 0:
        compared = f"The learner earns {size} less from {agent} than {agent} earns from itself"
    else:
        compared = (
            f"What the learner earns from {agent} and what {agent} earns from itself differ by {size}, which the "
            "interval does not tell from zero"
        )
    return (
        f"{compared}: no gain is shown. That is no proof that there is none to be had: a stronger learner, or a longer "
        "training, may find one."
    )


def _row(label: str, figure: Mapping[str, Any], digits: int) -> str:
    room = _LABEL - 1
    shown = label if len(label) <= room else f"{label[: room - 1]}…"
    return f"{shown.ljust(_LABEL)}{number(figure['value'], digits).rjust(_VALUE)}  {bounds(figure, digits)}".rstrip()
