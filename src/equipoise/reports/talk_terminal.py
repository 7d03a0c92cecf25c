"""What an agent's talk is worth, for a terminal of 80 columns, and the shape of its talk.json."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from equipoise.metrics.talk import HONESTY, PROMISE_KEEPING, PROMISE_RATE, STATEMENT_RATE
from equipoise.reports.checks import (
    a_number,
    anything,
    estimate,
    list_of,
    mapping_of,
    maybe,
    object_of,
    one_of,
    text,
    whole,
)
from equipoise.reports.formats import bounds, listing, number, visible
from equipoise.reports.schema import clean_report

TALK = "talk"
SCHEMA = 1
"""The version of the shape below; a record of another version is refused."""

WIDTH = 80
_LABEL, _CELL, _STATED = 48, 16, {"upper": "a stated upper hand", "lower": "a stated lower hand"}
_SHARES = {
    HONESTY: "honesty: true ones of its statements",
    STATEMENT_RATE: "statements, of all messages",
    PROMISE_KEEPING: "kept ones of its promises",
    PROMISE_RATE: "promises, of messages before claims",
}

_EFFECT = object_of(
    {
        "claims": whole,
        "claimed": estimate,
        "changes": mapping_of(estimate),
        "by_side": mapping_of(mapping_of(estimate)),
        "outside": a_number,
    },
    {},
)
_TALK = object_of(
    {
        "schema": one_of(SCHEMA),
        "game": text,
        "agents": list_of(object_of({"name": text, "kind": one_of("script", "model")}, {})),
        "matches": whole,
        "said": list_of(
            object_of({"agent": text, "to": text, "figures": mapping_of(estimate), "fault_rate": estimate}, {})
        ),
        "effects": list_of(
            object_of({"listener": text, "speaker": text, "effect": maybe(_EFFECT), "why": maybe(text)}, {})
        ),
        "efficiency": object_of(dict.fromkeys(("with_talk", "without_talk", "difference"), estimate), {}),
        "faults": object_of(dict.fromkeys(("with_talk", "without_talk"), estimate), {}),
    },
    {"game_parameters": mapping_of(anything), "seed": whole, "fault_rule": text, "versions": mapping_of(text)},
)


def validate_talk(record: Mapping[str, Any]) -> None:
    """Nothing for a record of the known shape.

    Raises:
        ValueError: naming the first place that is wrong, what was got there and what is allowed.
    """
    _TALK(record, TALK)


def talk_text(record: Mapping[str, Any]) -> str:
    """What the messages of two players are worth, as sentences and with every figure and its interval.

    Raises:
        ValueError: when the record lacks a required key or holds a value of the wrong kind.
    """
    plain = clean_report(record)
    validate_talk(plain)
    names = [visible(agent["name"]) for agent in plain["agents"]]
    who = f"{names[0]} in self-play" if len(names) == 1 else f"{names[0]} with {names[1]}"
    lines = [*textwrap.wrap(f"{plain['game']}: what talk is worth, {who}", WIDTH), ""]
    for sentence in _claims(plain, names):
        lines += textwrap.wrap(sentence, WIDTH)
    for said in plain["said"]:
        agent = visible(said["agent"])
        lines += ["", *textwrap.wrap(f"What {agent} says, as shares", WIDTH)]
        lines += [_row(label, said["figures"].get(key)) for key, label in _SHARES.items()]
        lines.append(_row("faults, of all its replies", said["fault_rate"]))
    for effect in plain["effects"]:
        lines += _effect(effect)
    lines += ["", "Efficiency: joint pay over the best joint pay, on the same hands"]
    labels = {"with_talk": "with messages", "without_talk": "without messages", "difference": "difference"}
    lines += [_row(label, plain["efficiency"][key]) for key, label in labels.items()]
    lines += [_row(f"faults {labels[key]}, of all replies", share) for key, share in plain["faults"].items()]
    return "\n".join([*lines, "", *textwrap.wrap(_how(plain), WIDTH)]) + "\n"


def _claims(record: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """The findings, each decided by its interval."""
    found = [_efficiency(record, names)]
    found += [f"{visible(said['agent'])} {_honest(said['figures'])}." for said in record["said"]]
    found += [_listens(effect) for effect in record["effects"] if effect["effect"] is not None]
    return found


def _efficiency(record: Mapping[str, Any], names: Sequence[str]) -> str:
    """What both reach with messages and without, and what else differs there."""
    reached, faults = record["efficiency"], record["faults"]
    with_talk, without = (number(reached[key]["value"], 2) for key in ("with_talk", "without_talk"))
    size = number(abs(reached["difference"]["value"]), 2)
    verdict = {"above": f": messages add {size}", "below": f": messages cost {size}", "tie": ", a tie"}
    both = f"{names[0]} reaches in self-play" if len(names) == 1 else f"{names[0]} and {names[1]} reach together"
    found = f"{both} {with_talk} of the best joint pay with messages and {without} without"
    found += f"{verdict[_sign(reached['difference'])]}."
    low, high = faults["without_talk"]["low"], faults["with_talk"]["high"]
    if low is not None and high is not None and low > high:
        shares = [_percent(faults[key]) for key in ("without_talk", "with_talk")]
        found += f" But without, {shares[0]} of the replies are faults, with messages {shares[1]}."
    return found


def _listens(found: Mapping[str, Any]) -> str:
    """What other messages change in a listener's claims."""
    listener, changes = visible(found["listener"]), found["effect"]["changes"]
    moved = [name for name, change in changes.items() if _sign(change) != "tie"]
    tied = (
        listing(_STATED.get(name, name) for name in changes if name not in moved) if len(moved) < len(changes) else ""
    )
    if not moved:
        return (
            f"What {listener} claims stays the same, as far as intervals tell, after {tied} in place of what it heard."
        )
    told = [_change(changes[name], _STATED.get(name, name)) for name in moved]
    rest = f"; after {tied} as much, as far as the interval tells" if tied else ""
    return f"In place of what it heard, {listener} would claim {listing(told)}{rest}."


def _honest(figures: Mapping[str, Any]) -> str:
    true, kept = figures.get(HONESTY), figures.get(PROMISE_KEEPING)
    states = "states nothing" if true is None else f"tells the truth in {_percent(true)} of its statements"
    return f"{states} and {'promises nothing' if kept is None else f'keeps {_percent(kept)} of its promises'}"


def _change(change: Mapping[str, Any], after: str) -> str:
    return f"{number(abs(change['value']), 2)} {'more' if change['value'] > 0 else 'less'} after {after}"


def _effect(found: Mapping[str, Any]) -> list[str]:
    """What messages change in a listener's claims: each replacement with its interval below, all claims and by side."""
    listener, effect = visible(found["listener"]), found["effect"]
    lines = [
        "",
        *textwrap.wrap(
            f"What {listener} claims after messages of {visible(found['speaker'])}, as shares of all it could", WIDTH
        ),
    ]
    if effect is None:
        return [*lines, *textwrap.wrap(f"not measured: {found['why']}", WIDTH)]
    lines.append(_row("after what it heard", effect["claimed"]))
    sides = effect["by_side"]
    heads = ["all claims", *(f"own hand {side}" for side in sides)]
    lines.append(f"{'change of the claim after':<32}" + "".join(head.rjust(_CELL) for head in heads))
    for name, change in effect["changes"].items():
        row = [change, *(side[name] for side in sides.values())]
        lines.append(f"{_STATED.get(name, name):<32}" + "".join(number(c["value"], 2).rjust(_CELL) for c in row))
        lines.append((" " * 32 + "".join(bounds(c, 2).rjust(_CELL) for c in row)).rstrip())
    outside = number(100 * effect["outside"], 1)
    return [*lines, f"{effect['claims']} claims asked again; {outside} % of the replies there would be no claim"]


def _how(record: Mapping[str, Any]) -> str:
    seats = "of self-play" if len(record["agents"]) == 1 else "in each seat"
    text = f"{record['matches']} matches {seats}; [low, high] is a 95 % interval over deals."
    if any(agent["kind"] == "model" for agent in record["agents"]):
        text += (
            " A model that learned the game with messages alone reads unknown rules without them: the difference holds "
            "what it makes of those, beside what talk is worth."
        )
    return text


def _sign(figure: Mapping[str, Any]) -> str:
    """Whether the interval is above zero, below it, or holds it; a figure without an interval decides nothing."""
    low, high = figure["low"], figure["high"]
    return "tie" if low is None or low <= 0 <= high else "above" if low > 0 else "below"


def _percent(share: Mapping[str, Any]) -> str:
    return f"{number(100 * share['value'], 0)} %"


def _row(label: str, figure: Mapping[str, Any] | None) -> str:
    value = None if figure is None else figure["value"]
    return f"{label.ljust(_LABEL)}{number(value, 3).rjust(8)}  {bounds(figure or {}, 3)}".rstrip()
