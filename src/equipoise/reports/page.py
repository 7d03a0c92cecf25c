"""The report as one HTML page that needs nothing but itself: no script, no network, no font; light, dark and on paper.

What the page says is gathered here; how it looks is in `templates/`. Every text is escaped by the template engine and
has its invisible characters spelled out: what a model wrote is data, and nothing else.
"""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from equipoise.reports.agents import INKS, agent_labels, agent_slots
from equipoise.reports.findings import exact_metric, ordered
from equipoise.reports.formats import duration, number
from equipoise.reports.glossary import OTHER_TERMS, partial_exactness
from equipoise.reports.headline import headline
from equipoise.reports.old_figures import learning_curves_svg, policy_svg, ranking_svg
from equipoise.reports.rendering import drawn, environment
from equipoise.reports.schema import clean_report, validate_report
from equipoise.reports.tables import (
    fault_matrix,
    further_columns,
    has_nash_conv,
    metric_columns,
    opponent_matrices,
    policy_matrix,
)

MAX_DRAWN_STATES, MAX_LISTED_STATES = 60, 400
"""The most information states of a policy that the page draws, and that it lists in numbers."""


def _figures(report: Mapping[str, Any], agents: Mapping[str, str]) -> dict[str, dict[str, Markup]]:
    """The figures that this report has the data for."""
    rows, curves = report["rows"], report.get("curves", ())
    figures = {}
    if any((point.get("nash_conv") or 0) > 0 for curve in curves for point in curve["points"]):
        figures["curves"] = drawn(learning_curves_svg, curves, agents)
    if len(ordered(ordered(rows, exact_metric(rows)), "pool_exploitability")) > 1:
        figures["ranking"] = drawn(ranking_svg, rows, agents)
    states = report.get("policy_table", {"states": ()})["states"]
    if len(states) <= MAX_DRAWN_STATES and any(state["agents"] for state in states):
        figures["policy"] = drawn(policy_svg, report["policy_table"], agents)
    return figures


def _origins(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How the report came to be, as pairs of a name and a text; what is not known is left out."""
    versions = ", ".join(f"{name} {version}" for name, version in report.get("versions", {}).items())
    training = ", ".join(
        f"{row.get('label', row['agent'])} {duration(row['train_seconds'])}"
        for row in report["rows"]
        if row.get("train_seconds") is not None
    )
    pairs = (
        ("Command", report.get("command", "")),
        ("Game", " ".join([report["game"], *(f"{k}={v}" for k, v in report.get("game_parameters", {}).items())])),
        ("Seeds", ", ".join(str(seed) for seed in report.get("seeds", ()))),
        ("Time", duration(report["seconds"])),
        ("Training time", training),
        ("Created", report.get("created", "")),
        ("Versions", versions),
    )
    return [(name, text) for name, text in pairs if text]


def _transcripts(report: Mapping[str, Any], agents: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "agent": agents.get(talk.get("agent", ""), talk.get("agent", "Agent")),
            "opponent": talk.get("opponent", ""),
            "seat": talk.get("seat"),
            "payoff": " / ".join(number(payoff, 2) for payoff in talk.get("payoff", ())),
            "messages": [{"fault": None, **message} for message in talk["messages"]],
            "faulty": any(message.get("fault") for message in talk["messages"]),
        }
        for talk in report.get("transcripts", ())
    ]


def render_html(report: Mapping[str, Any]) -> str:
    """The whole page for a report, as text that can be stored in one file.

    Raises:
        ValueError: when the report lacks a required key or holds a value of the wrong kind.
    """
    plain = clean_report(report)
    validate_report(plain)
    agents = agent_labels(plain)
    rows = plain["rows"]
    figures = _figures(plain, agents)
    states = plain.get("policy_table", {"states": ()})["states"]
    return (
        environment()
        .get_template("old_page.html.jinja")
        .render(
            title=plain.get("title", plain["game"]),
            unit=plain.get("unit", ""),
            sentences=headline(plain),
            facts=[f"{name.lower()} {text}" for name, text in _origins(plain) if name in ("Game", "Seeds", "Time")],
            rows=[(row["agent"], agents[row["agent"]], row.get("seeds")) for row in rows],
            slots=agent_slots(agents),
            labels=[agents[row["agent"]] for row in rows],
            policy_labels=list(agents.values()),
            columns=metric_columns(plain),
            further=further_columns(plain),
            figures=figures,
            exact=partial_exactness(plain),
            exact_name="NashConv" if has_nash_conv(rows) else "worst-case advantage",
            nash=any("nash_low" in state for state in states),
            num_states=len(states),
            policy=policy_matrix(plain)
            if len(states) <= MAX_LISTED_STATES and any(s["agents"] for s in states)
            else None,
            opponents=opponent_matrices(rows),
            faults=fault_matrix(rows),
            transcripts=_transcripts(plain, agents),
            terms=[term for term in OTHER_TERMS if term[0] != "Nash range" or "policy" in figures],
            origins=_origins(plain),
            notes=plain.get("notes", []),
            inks=INKS,
        )
    )
