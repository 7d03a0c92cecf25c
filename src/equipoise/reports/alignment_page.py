"""The alignment study as one HTML page that needs nothing but itself, in the look of the other studies."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from equipoise.reports.agents import INKS
from equipoise.reports.alignment_arms import ARMS, coverage_text, per_round, runs_text
from equipoise.reports.alignment_claims import claims, progress, target_claims
from equipoise.reports.alignment_schema import validate_alignment_study
from equipoise.reports.alignment_tables import (
    definitions,
    difference_table,
    labels_of,
    results_table,
    rows_of,
    target_table,
)
from equipoise.reports.figure_corner import corner_caption, corner_svg, has_corner
from equipoise.reports.figure_strips import measures_of, strips_caption, strips_svg
from equipoise.reports.layout import identifier
from equipoise.reports.rendering import drawn, environment
from equipoise.reports.schema import clean_report
from equipoise.reports.study_arms import Game, arm_slots, arms, game_title
from equipoise.reports.study_page import origins
from equipoise.reports.study_tables import Table

TERMS = (
    (
        "Median, range",
        "The value of a trained arm is the median of its seeds; the brackets hold the lowest and the highest seed. The "
        "start model and the scripts are one player each: their brackets are intervals over deals.",
    ),
    (
        "Paired difference",
        "Arm minus arm within each seed that both have: the mean with its t interval over seeds. It is above or below "
        "zero only where the interval excludes zero. Where it contains zero the arms tie: too close to call, which is "
        "no proof that they are equal. The intervals are not corrected for their number.",
    ),
    (
        "Target",
        "What was set before the study, for the median of the seeds. A median may meet a target that some seeds miss, "
        "so the number of seeds that meet it stands beside it.",
    ),
    (
        "Probe",
        "A fresh learner that is trained for its own pay against the frozen agent. What it gains beyond the agent's "
        "self-play is a lower bound of the agent's exploitability: a longer training might gain more.",
    ),
)
"""How to read the figures of every game."""


def game_lead(game: Game) -> str:
    """What the game's pay is counted in, who its scripts are, and what the brackets of its table hold."""
    players = [f"{role} is the script {name.replace('_', ' ')}" for role, name in game["players"].items()]
    rounds = f", {game['rounds']} round{'' if game['rounds'] == 1 else 's'}" if game.get("rounds") else ""
    parts = [f"Pay in {per_round(game)}{rounds}", "; ".join(players), coverage_text(game)]
    if any(row["kind"] == "trained" for row in game["rows"]):
        parts.insert(2, "Trained arms: median of the seeds, in brackets the lowest and the highest")
    if any(row["kind"] != "trained" for row in game["rows"]):
        parts.append("Start model and scripts: one player each, in brackets intervals over deals")
    return " ".join(f"{part[:1].upper()}{part[1:]}." for part in parts if part)


def _game(game: Game, labels: Mapping[str, str]) -> dict[str, Any]:
    slots = arm_slots((row["arm"] for row in arms(game, ARMS)), ARMS)
    none: dict[str, Markup] = {}
    return {
        "id": identifier(game["game"]),
        "title": game_title(game),
        "lead": game_lead(game),
        "table": results_table(game),
        "dots": [None if row["kind"] == "reference" else (slots[row["arm"]], runs_text(row)) for row in rows_of(game)],
        "corner": drawn(corner_svg, game, labels) if has_corner(game) else none,
        "corner_caption": corner_caption(game),
        "strips": drawn(strips_svg, game, labels) if measures_of(game) else none,
        "strips_caption": strips_caption(game),
        "differences": difference_table(game, labels),
    }


def _targets(table: Mapping[str, Any]) -> dict[str, Any]:
    """The table of targets, each under its arm's colour and above its game, so that a phone shows whole rows."""
    slots = arm_slots((), ARMS)
    listed = target_table(table)
    arms_named = [target["arm"] for game in table["games"] for target in game.get("targets", ())]
    rows = [(cells[0].value, cells[1:]) for _, cells in listed.rows]
    return {
        "table": Table(["Target", *listed.heads[2:]], listed.hints[1:], rows),
        "dots": [(slots.get(arm, 0), game) for arm, (game, _) in zip(arms_named, listed.rows, strict=True)],
    }


def render_alignment_study(table: Mapping[str, Any]) -> str:
    """The whole page for the alignment study's table, as text that can be stored in one file.

    Raises:
        ValueError: when the table lacks a required key or holds a value of the wrong kind.
    """
    plain = clean_report(table)
    validate_alignment_study(plain)
    labels, found = labels_of(plain), origins(plain)
    return (
        environment()
        .get_template("alignment.html.jinja")
        .render(
            title=plain["title"],
            headlines=target_claims(plain),
            targets=_targets(plain),
            claims=claims(plain),
            progress=progress(plain),
            facts=[f"{name.lower()} {text}" for name, text in found if name in ("Cells", "Computing time")],
            games=[_game(game, labels) for game in plain["games"]],
            columns=definitions(plain),
            terms=TERMS,
            notes=plain.get("notes", []),
            origins=found,
            inks=INKS,
        )
    )
