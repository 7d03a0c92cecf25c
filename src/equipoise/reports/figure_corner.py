"""Cooperation against robustness: what an agent earns from itself, and what greedy takes from it, seed by seed."""

from collections.abc import Mapping
from typing import Any

from equipoise.errors import UserError
from equipoise.reports.alignment_arms import ARMS, per_round, seed_pairs
from equipoise.reports.layout import NARROW, draw_legend, identifier, legend_rows, padded
from equipoise.reports.old_sheet import sheet
from equipoise.reports.scatter import LEFT, Box, Frame, draw_axes, draw_names
from equipoise.reports.study_arms import Game, Row, arm_slots, arms, game_title, references

RIGHTWARD, UPWARD = "self_play", "greedy_takes"
"""The metrics of the two axes."""

_MARGIN = 0.15
"""Share of the range left free around the marks, so that names of scripts find room."""


def has_corner(game: Game) -> bool:
    """Whether at least one model of the game has both values of the figure."""
    return any(_points(row) for row in arms(game, ARMS))


def _points(row: Row) -> list[tuple[float, float]]:
    return seed_pairs(row, RIGHTWARD, UPWARD)


def corner_svg(game: Game, width: int = 720, agents: Mapping[str, str] | None = None) -> str:
    """Self-play pay to the right, what greedy takes upward, so that the best place is bottom right, as SVG.

    Every seed of every arm is a mark, every scripted player a hollow circle with its name. `agents` maps arms to labels
    for the legend.

    Raises:
        ValueError: when no model has both values.
    """
    if not has_corner(game):
        raise UserError(f"got no row of {game['game']} with both values; the figure needs at least one")
    drawn = {row["arm"]: _points(row) for row in arms(game, ARMS) if _points(row)}
    scripts = [(row["label"], *point) for row in references(game) for point in _points(row)]
    shown = {
        row["arm"]: (agents or {}).get(row["arm"], row["label"]) for row in arms(game, ARMS) if row["arm"] in drawn
    }
    slots = arm_slots(shown, ARMS)
    points = [*(point for found in drawn.values() for point in found), *((x, y) for _, x, y in scripts)]
    frame = Frame(
        right=width - 12,
        bottom=290 if width < NARROW else 380,
        xs=padded([x for x, _ in points], _MARGIN),
        ys=padded([y for _, y in points], _MARGIN),
    )
    legend = legend_rows(shown, width)
    labels = ", ".join([*shown.values(), *(label for label, *_ in scripts)])
    title = f"{game_title(game)}: what greedy takes against self-play pay for {labels}"
    name = f"corner-{identifier(game['game'])}-{width}"
    with sheet(name, title, width, frame.bottom + 58 + 20 * len(legend)) as page:
        upward = f"What greedy takes from it, {per_round(game)}"
        draw_axes(page, frame, upward, _note(width), f"What it earns in self-play, {per_round(game)}")
        for _, x, y in scripts:
            page.ring(frame.x(x), frame.y(y), 9)
        for arm, found in drawn.items():
            for x, y in found:
                page.mark(frame.x(x), frame.y(y), slots[arm], 7)
        places = [(frame.x(x), frame.y(y)) for x, y in points]
        taken: list[Box] = [(x - 6, y - 6, x + 6, y + 6) for x, y in places]
        taken.append((0.0, 0.0, LEFT, frame.bottom))  # the tick labels
        draw_names(page, frame, [(label, frame.x(x), frame.y(y)) for label, x, y in scripts], taken)
        draw_legend(page, legend, slots, frame.bottom + 66)
        return page.svg()


def _note(width: int) -> str:
    return (
        "bottom right: cooperates, is not exploited"
        if width < NARROW
        else "bottom right: cooperates with itself and is not exploited"
    )


def corner_caption(game: Mapping[str, Any]) -> str:
    """What the figure of a game shows."""
    return (
        "Every mark is one training seed. To the right: what the agent earns from itself. Upward: what the greedy "
        f"script ({_script(game)}) earns from it. Bottom right cooperates with itself and cannot be exploited by that "
        "script. Hollow circles are scripted players."
    )


def _script(game: Mapping[str, Any]) -> str:
    return str(game["players"].get("greedy", "greedy")).replace("_", " ")
