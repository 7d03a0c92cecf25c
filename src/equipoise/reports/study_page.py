"""A study as one HTML page that needs nothing but itself, in the look of the single report."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from equipoise.reports.agents import INKS
from equipoise.reports.figure_index import index_svg
from equipoise.reports.figure_tradeoff import tradeoff_metrics, tradeoff_svg
from equipoise.reports.formats import duration
from equipoise.reports.glossary import OTHER_TERMS
from equipoise.reports.layout import identifier
from equipoise.reports.rendering import drawn, environment
from equipoise.reports.schema import clean_report
from equipoise.reports.study_arms import (
    SHORT,
    Game,
    arm_labels,
    arm_slots,
    arms,
    game_name,
    game_title,
    measured,
    references,
)
from equipoise.reports.study_claims import claims, progress
from equipoise.reports.study_schema import validate_study
from equipoise.reports.study_tables import (
    definitions,
    difference_table,
    game_table,
    gradient_table,
    grid_summary,
    grid_table,
    hazard_table,
    seeds_text,
)


def has_tradeoff(game: Game) -> bool:
    """Whether at least one model of the game has both values of the trade-off figure."""
    metrics = tradeoff_metrics(game)
    return metrics is not None and any(all(measured(row, m) for m in metrics) for row in arms(game))


def has_index(game: Game) -> bool:
    """Whether at least one model of the game has a SEPO index."""
    return any(measured(row, "sepo_index") for row in arms(game))


def tradeoff_caption(game: Game) -> str:
    """What the trade-off figure of a game shows, and how far its exploitability can be trusted."""
    good, danger = tradeoff_metrics(game) or ("welfare", "pool_exploitability")
    axis = "payoff against the train pool (welfare is always 0 in a zero-sum game)" if good == "payoff" else "welfare"
    if danger in ("nash_conv", "worst_case_advantage"):
        known = f"{SHORT[danger]}, computed over {game.get('exact') or 'the whole game'}, not sampled"
    else:
        known = (
            f"{SHORT[danger]} of the worst case: of the bounds that every model has, the one that is strongest on "
            "average"
        )
    reading = "Lines are intervals, cut at the frame; the best place is bottom right."
    return f"To the right: {axis}. Upward: exploitability, {known}. {reading}"


def game_lead(game: Game) -> str:
    """One sentence on the game's units, weights and how much of it is exact."""
    parts = [f"Values in {game['unit']}, intervals in brackets"]
    if game.get("rounds"):
        parts.append(f"{game['rounds']} round{'' if game['rounds'] == 1 else 's'}")
    if len(game.get("weights", ())) == 3 and "scale" in game:
        le, lc, lx = (f"{weight:g}" for weight in game["weights"])
        parts.append(f"index with s = {game['scale']:.3g}, le = {le}, lc = {lc}, lx = {lx}")
    exact = game.get("exact")
    parts.append(f"exact figures over {exact}" if exact else "no exact figures")
    return f"{'; '.join(parts)}."


def origins(table: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How the study came to be, as pairs of a name and a text; what is not known is left out."""
    cells = table.get("cells")
    pairs = (
        ("Command", table.get("command", "")),
        ("Cells", f"{cells['done']} of {cells['all']}" if cells else ""),
        ("Settings", ", ".join(f"{name} {_plain(value)}" for name, value in table.get("settings", {}).items())),
        ("Computing time", duration(table["seconds"]) if "seconds" in table else ""),
        ("Created", table.get("created", "")),
        ("Versions", ", ".join(f"{name} {version}" for name, version in table.get("versions", {}).items())),
    )
    return [(name, text) for name, text in pairs if text]


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"({', '.join(f'{key} {item}' for key, item in value.items())})"
    return (" ".join(str(item) for item in value) or "none") if isinstance(value, list) else str(value)


def gradient_lead(gradients: Mapping[str, Any]) -> str:
    """What the table of gradients was measured on."""
    where = f" in {game_name(gradients)}" if "game" in gradients else ""
    parts = [f"{gradients[unit]:,} {unit}" for unit in ("batches", "episodes") if unit in gradients]
    count = f", {' or '.join(parts)} for each rule" if parts else ""
    return (
        f"Measured on the model itself at one fixed checkpoint{where}{count}. A rule that follows the objective has "
        "cosine 1 and length 1; one that adds noise alone has length 0."
    )


def _game(game: Game, labels: Mapping[str, str]) -> dict[str, Any]:
    slots = arm_slots(labels)
    dots = [(slots[row["arm"]], seeds_text(row)) for row in arms(game)]
    none: dict[str, Markup] = {}
    return {
        "id": identifier(game["game"]),
        "title": game_title(game),
        "lead": game_lead(game),
        "table": game_table(game),
        "dots": [*dots, *(None for _ in references(game))],
        "tradeoff": drawn(tradeoff_svg, game, labels) if has_tradeoff(game) else none,
        "caption": tradeoff_caption(game),
        "index": drawn(index_svg, game, labels) if has_index(game) else none,
        "differences": difference_table(game, labels),
        "hazards": hazard_table(game),
        "grid": grid_table(game, labels),
    }


def render_study(table: Mapping[str, Any]) -> str:
    """The whole page for a study's table, as text that can be stored in one file.

    Raises:
        ValueError: when the table lacks a required key or holds a value of the wrong kind.
    """
    plain = clean_report(table)
    validate_study(plain)
    labels = arm_labels(plain)
    gradients = plain.get("gradients")
    found = origins(plain)
    return (
        environment()
        .get_template("study.html.jinja")
        .render(
            title=plain["title"],
            claims=claims(plain),
            progress=progress(plain),
            facts=[f"{name.lower()} {text}" for name, text in found if name in ("Cells", "Computing time")],
            games=[_game(game, labels) for game in plain["games"]],
            summary=grid_summary(plain["games"], labels),
            summary_dots=[(slot, "") for slot in (arm_slots(labels)[arm] for arm in labels)],
            gradients=gradients and {"table": gradient_table(gradients), "lead": gradient_lead(gradients)},
            terms=[*definitions(plain), *(term for term in OTHER_TERMS if term[0] == "Interval, n")],
            notes=plain.get("notes", []),
            origins=found,
            inks=INKS,
        )
    )
