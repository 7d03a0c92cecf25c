"""A tournament as one HTML page that needs nothing but itself, in the look of the single report."""

from collections.abc import Mapping, Sequence
from typing import Any

from equipoise.metrics.talk import HONESTY, PROMISE_KEEPING
from equipoise.reports.agents import INKS
from equipoise.reports.crossplay_claims import claims, terms
from equipoise.reports.crossplay_schema import validate_crossplay
from equipoise.reports.crossplay_tables import (
    Crossplay,
    best_table,
    conditional_table,
    difference_table,
    fault_matrix,
    has_cooperation,
    has_efficiency,
    has_faults,
    has_talk,
    matrix,
    pay_digits,
    seat_table,
    talk_matrix,
    talk_table,
    together_matrix,
)
from equipoise.reports.figure_crossplay import crossplay_svg
from equipoise.reports.formats import duration, number
from equipoise.reports.rendering import drawn, environment
from equipoise.reports.schema import clean_report


def origins(table: Crossplay) -> list[tuple[str, str]]:
    """How the tournament came to be, as pairs of a name and a text; what is not known is left out."""
    parameters = [f"{name}={value}" for name, value in table.get("game_parameters", {}).items()]
    pairs = (
        ("Command", table.get("command", "")),
        ("Game", " ".join([table["game"], *parameters])),
        ("Agents", "; ".join(_agent(agent) for agent in table["agents"])),
        ("Matches", f"{table['matches']} of every ordered pair, one per deal; seed {table['seed']}"),
        ("Fault rule", table.get("fault_rule", "")),
        ("Computing time", duration(table["seconds"]) if "seconds" in table else ""),
        ("Created", table.get("created", "")),
        ("Versions", ", ".join(f"{name} {version}" for name, version in table.get("versions", {}).items())),
    )
    return [(name, text) for name, text in pairs if text]


def _agent(agent: Mapping[str, Any]) -> str:
    if agent["kind"] == "script":
        return f"{agent['name']}: script" + (f" {agent['source']}" if agent["source"] != agent["name"] else "")
    sampling = ", ".join(f"{key} {value}" for key, value in agent.get("sampling", {}).items())
    return f"{agent['name']}: {agent['source']}" + (f" ({sampling})" if sampling else "")


def _matches(table: Crossplay) -> list[dict[str, Any]]:
    """The transcripts, those of one pair side by side, with pay per round as text."""
    found = []
    for match in table.get("transcripts", ()):
        rounds = [{**r, "pay": _pay(r["pay"], table)} for r in match["rounds"]]
        faulty = any(reply["fault"] for r in match["rounds"] for turn in r["turns"] for reply in turn["said"])
        found.append({**match, "rounds": rounds, "pay": _pay(match["pay"], table), "faulty": faulty})
    return found


def _pay(values: Sequence[float | None], table: Crossplay) -> str:
    return " / ".join(number(value, min(pay_digits(table), 2)) for value in values)


def render_crossplay(table: Crossplay) -> str:
    """The whole page for a tournament, as text that can be stored in one file.

    Raises:
        ValueError: when the table lacks a required key or holds a value of the wrong kind.
    """
    plain = clean_report(table)
    validate_crossplay(plain)
    digits = pay_digits(plain)
    found = origins(plain)
    return (
        environment()
        .get_template("crossplay.html.jinja")
        .render(
            title=plain["title"],
            unit=plain["unit"],
            claims=claims(plain),
            facts=[f"{name.lower()} {text}" for name, text in found if name in ("Game", "Matches")],
            heat=drawn(crossplay_svg, plain, None),
            pay=matrix(plain, "pay", digits),
            seats=seat_table(plain),
            welfare=None if plain["zero_sum"] else together_matrix(plain, "welfare", digits),
            efficiency=together_matrix(plain, "efficiency", 3) if has_efficiency(plain) else None,
            cooperation=matrix(plain, "cooperation_rate", 2) if has_cooperation(plain) else None,
            conditional=conditional_table(plain) if has_cooperation(plain) else None,
            honesty=talk_matrix(plain, HONESTY) if has_talk(plain, HONESTY) else None,
            promises=talk_matrix(plain, PROMISE_KEEPING) if has_talk(plain, PROMISE_KEEPING) else None,
            talk=talk_table(plain) if has_talk(plain) else None,
            best=best_table(plain),
            differences=difference_table(plain),
            faults=fault_matrix(plain) if has_faults(plain) else None,
            rules=plain.get("rules", ""),
            matches=_matches(plain),
            terms=terms(plain),
            notes=plain.get("notes", []),
            origins=found,
            inks=INKS,
        )
    )
