"""A tournament's tables as plain cells, and what its intervals allow to be said about who is paid most."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from equipoise.metrics.cooperation import BEFORE
from equipoise.metrics.talk import FIGURES
from equipoise.reports.formats import MISSING, bounds, number
from equipoise.reports.study_tables import Table
from equipoise.reports.tables import Cell

Crossplay = Mapping[str, Any]

SELF_PLAY = "self-play"
TALK_HEADS = ("true statements", "messages that state", "kept promises", "messages that promise")
"""Heads of the figures of talk, in the order of `metrics.talk.FIGURES`."""
VERDICTS = {"above": "above zero", "below": "below zero", "tie": "tie"}


def names_of(table: Crossplay) -> list[str]:
    """The agents in the order of the tables."""
    return [agent["name"] for agent in table["agents"]]


def cell_of(table: Crossplay, agent: str, opponent: str) -> Mapping[str, Any]:
    """The figures of one agent against one opponent."""
    return next(cell for cell in table["cells"] if (cell["agent"], cell["opponent"]) == (agent, opponent))


def together_of(table: Crossplay, first: str, second: str) -> Mapping[str, Any]:
    """What two agents, or one in self-play, reach together, whichever is named first."""
    return next(entry for entry in table["together"] if sorted(entry["agents"]) == sorted((first, second)))


def digits_of(values: Iterable[float | None]) -> int:
    """Digits after the point that suit pay of this size: 3 below 10, 2 below 100, else 1."""
    largest = max((abs(value) for value in values if value is not None), default=0.0)
    return 3 if largest < 10 else 2 if largest < 100 else 1


def pay_digits(table: Crossplay) -> int:
    """Digits after the point for every pay of the tournament."""
    return digits_of(cell["pay"]["value"] for cell in table["cells"])


def has_cooperation(table: Crossplay) -> bool:
    """Whether the game says what cooperating is, and at least one round asked."""
    return any(cell["cooperation_rate"] for cell in table["cells"])


def has_efficiency(table: Crossplay) -> bool:
    """Whether the game says what the best joint pay is."""
    return any(entry["efficiency"] for entry in table["together"])


def has_talk(table: Crossplay, *figures: str) -> bool:
    """Whether at least one agent has one of these figures of talk, or, where none is named, any."""
    return any(figure in cell.get("talk", {}) for cell in table["cells"] for figure in figures or FIGURES)


def has_faults(table: Crossplay) -> bool:
    """Whether at least one reply was a fault."""
    return any((cell["fault_rate"] or {}).get("value") for cell in table["cells"])


def matrix(table: Crossplay, figure: str, digits: int, scale: float = 1.0) -> Table:
    """One figure of every agent (rows) against every opponent (columns), each with its interval."""
    names = names_of(table)
    return _square(names, lambda a, b: cell_of(table, a, b)[figure], digits, scale, "Agent")


def talk_of(table: Crossplay, agent: str, opponent: str, figure: str) -> Mapping[str, Any] | None:
    """One figure of an agent's talk with an opponent; None where there was nothing to judge."""
    found: Mapping[str, Any] | None = cell_of(table, agent, opponent).get("talk", {}).get(figure)
    return found


def talk_matrix(table: Crossplay, figure: str) -> Table:
    """One figure of talk of every agent (rows) with every opponent (columns), each with its interval."""
    return _square(names_of(table), lambda a, b: talk_of(table, a, b, figure), 2, 1.0, "Agent")


def talk_table(table: Crossplay) -> Table:
    """Every figure of every agent's talk with every opponent, the shares beside how often they apply."""
    rows = []
    for cell in table["cells"]:
        found = [cell.get("talk", {}).get(figure) for figure in FIGURES]
        rows.append((_against(cell), [_estimate(estimate, 2) for estimate in found]))
    return Table(("Agent and opponent", *TALK_HEADS), [""] * 5, rows)


def fault_matrix(table: Crossplay) -> Table:
    """Faults in percent of every model's decisions; scripts act without words and have none."""
    found = matrix(table, "fault_rate", 2, 100.0)
    models = {agent["name"] for agent in table["agents"] if agent["kind"] == "model"}
    return Table(found.heads, found.hints, [row for row in found.rows if row[0] in models])


def together_matrix(table: Crossplay, figure: str, digits: int) -> Table:
    """One figure of every two agents together; the diagonal is self-play."""
    return _square(names_of(table), lambda a, b: together_of(table, a, b)[figure], digits, 1.0, "Agents")


def _square(names: Sequence[str], find: Any, digits: int, scale: float, corner: str) -> Table:
    rows = [(a, [_estimate(find(a, b), digits, scale) for b in names]) for a in names]
    return Table((corner, *names), [""] * (len(names) + 1), rows)


def _estimate(estimate: Mapping[str, Any] | None, digits: int, scale: float = 1.0) -> Cell:
    found = dict(estimate or {})
    for key in ("value", "low", "high"):
        if found.get(key) is not None:
            found[key] *= scale
    return Cell(number(found.get("value"), digits), bounds(found, digits))


def conditional_table(table: Crossplay) -> Table:
    """How often every agent cooperates with every opponent, in all rounds and by what was before."""
    rows = []
    for cell in table["cells"]:
        found = [cell["cooperation_rate"], *(cell["conditional"].get(before) for before in BEFORE)]
        rows.append((_against(cell), [_estimate(estimate, 2) for estimate in found]))
    return Table(("Agent and opponent", "all rounds", *BEFORE), [""] * 7, rows)


def seat_table(table: Crossplay) -> Table:
    """Every agent's pay against every opponent in the first and in the second seat alone."""
    digits = pay_digits(table)
    rows = [(_against(cell), [_estimate(e, digits) for e in cell["seat_pay"]]) for cell in table["cells"]]
    return Table(("Agent and opponent", "in the first seat", "in the second seat"), ["", "", ""], rows)


def difference_table(table: Crossplay) -> Table:
    """Every comparison: agent minus agent, whom both met, value with its corrected interval, verdict."""
    digits, rows = pay_digits(table), []
    for entry in table["differences"]:
        where = "self-play, both together" if entry["opponent"] is None else f"against {entry['opponent']}"
        cells = [Cell(where), _estimate(entry["estimate"], digits), Cell(VERDICTS[entry["verdict"]])]
        rows.append((f"{entry['agent']} \N{MINUS SIGN} {entry['minus']}", cells))
    return Table(("Difference", "where", "value", "verdict"), ["", "", "", ""], rows)


def best_table(table: Crossplay) -> Table:
    """Who is paid most against whom, and who ties with that agent."""
    digits, rows = pay_digits(table), []
    for opponent in compared(table):
        best, *ties = leaders(table, opponent)
        found = figure(table, best, opponent)
        cells = [Cell(best), _estimate(found, digits), Cell(", ".join(ties) or MISSING)]
        rows.append((SELF_PLAY if opponent is None else opponent, cells))
    return Table(("Against", "paid most", "value", "tied with it"), ["", "", "", ""], rows)


def compared(table: Crossplay) -> list[str | None]:
    """Where agents were compared: against each opponent, and (None) in self-play welfare."""
    return list(dict.fromkeys(entry["opponent"] for entry in table["differences"]))


def figure(table: Crossplay, agent: str, opponent: str | None) -> Mapping[str, Any]:
    """The figure that is compared: pay against an opponent, or (None) the welfare of self-play."""
    found: Mapping[str, Any] = (
        together_of(table, agent, agent)["welfare"] if opponent is None else cell_of(table, agent, opponent)["pay"]
    )
    return found


def leaders(table: Crossplay, opponent: str | None) -> list[str]:
    """The agent with the highest mean where agents were compared, then those that tie with it."""
    names = names_of(table)
    best = max(names, key=lambda name: figure(table, name, opponent)["value"] or 0.0)
    ties = [
        next(name for name in (entry["agent"], entry["minus"]) if name != best)
        for entry in table["differences"]
        if entry["opponent"] == opponent and best in (entry["agent"], entry["minus"]) and entry["verdict"] == "tie"
    ]
    return [best, *ties]


def _against(cell: Mapping[str, Any]) -> str:
    if cell["agent"] == cell["opponent"]:
        return f"{cell['agent']} in self-play"
    return f"{cell['agent']} against {cell['opponent']}"
