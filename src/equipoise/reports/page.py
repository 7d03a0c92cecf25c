"""The report as one HTML page that needs nothing but itself: no script, no network, no font; light, dark and on paper.

What the page says is gathered here; how it looks is in `templates/`. Every text is escaped by the template engine and
has its invisible characters spelled out: what a model wrote is data, and nothing else.
"""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from equipoise.reports.agents import INKS, agent_labels, agent_slots
from equipoise.reports.figures import learning_curves_svg, policy_svg, ranking_svg
from equipoise.reports.findings import headline, ordered
from equipoise.reports.formats import duration, number, visible
from equipoise.reports.glossary import OTHER_TERMS
from equipoise.reports.schema import clean_report, validate_report
from equipoise.reports.tables import fault_matrix, metric_columns, opponent_matrices, policy_matrix

WIDE, PHONE = 860, 350
"""The two widths in pixels that every figure is drawn in; the page's style sheet shows one of them."""


def _plain(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_plain,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _drawn(draw: Callable[..., str], data: Any, agents: Mapping[str, str]) -> dict[str, Markup]:
    """A figure in both widths. Its text was escaped when it was drawn, so it may enter the page as it is."""
    return {name: Markup(draw(data, width, agents)) for name, width in (("wide", WIDE), ("phone", PHONE))}


def _figures(report: Mapping[str, Any], agents: Mapping[str, str]) -> dict[str, dict[str, Markup]]:
    """The figures that this report has the data for."""
    rows, curves = report["rows"], report.get("curves", ())
    figures = {}
    if any((point.get("nash_conv") or 0) > 0 for curve in curves for point in curve["points"]):
        figures["curves"] = _drawn(learning_curves_svg, curves, agents)
    if len(ordered(ordered(rows, "nash_conv"), "pool_exploitability")) > 1:
        figures["ranking"] = _drawn(ranking_svg, rows, agents)
    if any(state["agents"] for state in report.get("policy_table", {"states": ()})["states"]):
        figures["policy"] = _drawn(policy_svg, report["policy_table"], agents)
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
    columns = metric_columns(rows)
    figures = _figures(plain, agents)
    return (
        _environment()
        .get_template("page.html.jinja")
        .render(
            title=plain.get("title", plain["game"]),
            unit=plain.get("unit", ""),
            sentences=headline(plain),
            facts=[f"{name.lower()} {text}" for name, text in _origins(plain) if name in ("Game", "Seeds", "Time")],
            rows=[(row["agent"], agents[row["agent"]], row.get("seeds")) for row in rows],
            slots=agent_slots(agents),
            labels=[agents[row["agent"]] for row in rows],
            policy_labels=list(agents.values()),
            columns=columns,
            figures=figures,
            policy=policy_matrix(plain) if "policy" in figures else None,
            opponents=opponent_matrices(rows),
            faults=fault_matrix(rows),
            transcripts=_transcripts(plain, agents),
            terms=OTHER_TERMS,
            origins=_origins(plain),
            notes=plain.get("notes", []),
            inks=INKS,
        )
    )
