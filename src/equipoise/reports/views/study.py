"""A study as a page: targets, hypotheses, every game at a glance, then each game with all that was compared in it."""

from __future__ import annotations

from collections.abc import Sequence

from equipoise.lab.results import StudyColumn, StudyGame, StudyResult, StudyRow
from equipoise.reports.document import (
    Bullets,
    Cell,
    Column,
    Document,
    Figure,
    Part,
    Prose,
    Row,
    Section,
    Table,
    Term,
    Terms,
    filled,
)
from equipoise.reports.formats import MISSING, capital, counted, duration, interval, known, number
from equipoise.reports.plots import Cloud, Interval, Intervals, Panel, Scatter, Strips
from equipoise.reports.views.cells import estimate_cell, scaled
from equipoise.reports.views.made import made_section
from equipoise.reports.views.study_comparisons import differences, hypotheses, targets
from equipoise.reports.views.study_verdict import (
    game_name,
    game_title,
    labels_of,
    observations,
    progress,
    verdict,
)

DIRECTIONS = {"higher": "higher is better", "lower": "lower is better", "": ""}
KEY_COLUMNS = 6
"""Columns of a game's table that a terminal shows."""

TERMS = (
    Term(
        "Difference",
        "Arm minus arm on common deals, within each seed that both have. It is above or below zero only where its "
        "interval excludes zero, and for a hypothesis only where its corrected p is below 0.05 as well. Else the arms "
        "tie: too close to call, which is no proof that they are equal.",
    ),
    Term(
        "Hypothesis, exploratory",
        "A hypothesis was named before the study ran; the p-values of all of them are corrected together by Holm's "
        "method. Every other comparison is exploratory: its interval is not corrected, and it decides nothing.",
    ),
    Term(
        "Interval, n",
        "The numbers in brackets hold the value with the stated confidence; the result's file says over what: seeds, "
        "deals, or both. With n below 2 there is no interval.",
    ),
)


def study_document(result: StudyResult) -> Document:
    """The page of a study, finished or not."""
    slots = {arm: i for i, arm in enumerate(labels_of(result))}
    sections = [
        Section("Targets", targets(result, slots)),
        Section("Hypotheses", hypotheses(result)),
        Section("Every game at a glance", _glance(result, slots)),
        *(_game(result, game, slots) for game in result.games),
        Section("Other weights", _weightings(result, slots), True),
        Section("What each credit rule's gradient is worth", _credits(result)),
        Section("What else the figures say", [Bullets(observations(result))] if observations(result) else []),
        Section("What the columns mean", [Terms([*_columns(result), *TERMS])], True),
        Section("Notes", [Bullets(result.notes)] if result.notes else [], True),
        made_section(result.made, _origin(result)),
    ]
    done, wanted = result.cells
    facts = [f"{done} of {wanted} cells"]
    facts += [f"computing time {duration(result.made.seconds)}"] if known(result.made.seconds) else []
    return Document(result.title, [*verdict(result), *progress(result)], facts, filled(sections))


def _game(result: StudyResult, game: StudyGame, slots: dict[str, int]) -> Section:
    """One game: what is counted, the table, the figures, differences, hazards; folded where it is one of several."""
    rows = ordered(game, slots)
    parts: list[Part] = [Prose(_lead(game)), _table(game, rows, slots), *_figures(game, rows, slots)]
    under = [
        Section("Differences", differences(result, game), True),
        Section("Hazards, and what the reference players get", _hazards(game), True),
    ]
    folded = len(result.games) > 1
    return Section(game_title(game), parts, folded, filled(under))


def ordered(game: StudyGame, slots: dict[str, int]) -> list[StudyRow]:
    """The arms in the study's order, then the reference players."""
    arms = [row for row in game.rows if row.kind != "reference"]
    return [*sorted(arms, key=lambda row: slots[row.arm]), *(row for row in game.rows if row.kind == "reference")]


def _slot(row: StudyRow, slots: dict[str, int]) -> int | None:
    """The colour of an arm; scripts have none, also where one is called like an arm."""
    return None if row.kind == "reference" else slots[row.arm]


def _lead(game: StudyGame) -> str:
    unit = game.game.unit
    per = unit if " per " in f" {unit} " else f"{unit} per round"
    rounds = f", {counted(game.game.rounds, 'round')}"
    parts = [f"In {per}{rounds}."]
    parts += [
        f"{role[:1].upper()}{role[1:]} is the script {name.replace('_', ' ')}." for role, name in game.players.items()
    ]
    parts += [f"Exact figures: {game.exact}."] if game.exact else []
    if game.weights:
        le, lc, lx = game.weights
        weights = f"exploitability {le:g}, collusion {lc:g}, externality {lx:g}"
        parts.append(f"Weights of the SEPO index: {weights}; s = {number(game.scale, 3)}.")
    return " ".join(parts)


def _runs(row: StudyRow) -> str:
    """What stands behind a row: training seeds, or that it is one untrained model or a script."""
    if row.kind == "trained":
        return counted(row.seeds, "seed")
    return "untrained" if row.kind == "start" else "script"


def _table(game: StudyGame, rows: Sequence[StudyRow], slots: dict[str, int]) -> Table:
    columns = _shown(game)
    heads = [_head(column) for column in columns]
    lines = [Row(row.label, [_cell(row, column) for column in columns], _runs(row), _slot(row, slots)) for row in rows]
    return Table(f"{game_title(game)}: results by arm", "Arm", heads, lines, KEY_COLUMNS)


def _shown(game: StudyGame) -> list[StudyColumn]:
    """The columns that some agent has a figure for."""
    agents = [row for row in game.rows if row.kind != "reference"]
    return [column for column in game.columns if any(column.key in row.estimates for row in agents)]


def _head(column: StudyColumn) -> Column:
    return Column(capital(column.title), column.unit, column.definition)


def _glance(result: StudyResult, slots: dict[str, int]) -> list[Part]:
    """The first column of every game's table side by side, for the arms."""
    if len(result.games) < 2 or any(not game.columns for game in result.games):
        return []
    first = result.games[0].columns[0]
    rows = []
    for arm, label in labels_of(result).items():
        held = [
            next((row for row in game.rows if row.arm == arm and row.kind != "reference"), None)
            for game in result.games
        ]
        cells = [
            Cell(MISSING) if row is None else _cell(row, game.columns[0])
            for row, game in zip(held, result.games, strict=True)
        ]
        rows.append(Row(label, cells, slot=slots[arm]))
    heads = [Column(game_title(game), "" if first.unit else game.game.unit) for game in result.games]
    better = f"; {DIRECTIONS[first.direction]}" if first.direction else ""
    return [
        Prose(f"{capital(first.title)}: {first.definition}"),
        Table(f"{capital(first.title)} by arm and game{better}", "Arm", heads, rows),
    ]


def _cell(row: StudyRow, column: StudyColumn) -> Cell:
    estimate = row.estimates.get(column.key)
    if estimate is None or not known(estimate.value):
        return Cell(MISSING)
    shown = scaled(estimate, column.scale)
    below = interval(shown, column.digits) or ("exact" if estimate.method == "exact" else "no interval")
    if row.kind == "trained" and estimate.n not in (0, row.seeds) and "seed" in estimate.method:
        below += f", {counted(estimate.n, 'seed')}"
    return Cell(number(shown.value, column.digits), below)


def _figures(game: StudyGame, rows: Sequence[StudyRow], slots: dict[str, int]) -> list[Part]:
    found: list[Part] = []
    heads = {column.key: column for column in game.columns}
    if game.drawn.intervals in heads:
        column = heads[game.drawn.intervals]
        lines = [line for row in rows if (line := _interval(row, column, slots))]
        if len(lines) > 1:
            better = f" ({DIRECTIONS[column.direction]})" if column.direction else ""
            named = f"{capital(column.title)} of every arm{better}"
            caption = f"{named}: the large mark with its interval, every seed a small mark. {column.definition}"
            plot = Intervals(_axis(column, game), lines)
            title = f"{capital(column.title)} by arm"
            found.append(Figure(f"{column.key}-{game.game.name}", title, caption, plot))
    if len(game.drawn.scatter) == 2 and all(key in heads for key in game.drawn.scatter):
        across, upward = (heads[key] for key in game.drawn.scatter)
        clouds = [Cloud(row.label, _slot(row, slots), _points(row, across.key, upward.key)) for row in rows]
        clouds = [cloud for cloud in clouds if cloud.points]
        if clouds:
            marks = "Small marks are seeds, a large one is the median of an arm's; hollow marks are scripted players."
            caption = f"{marks} {game.drawn.note}".strip()
            plot_ = Scatter(_axis(across, game), _axis(upward, game), clouds, game.drawn.note)
            title = f"{capital(upward.title)} against {across.title}"
            found.append(Figure(f"scatter-{game.game.name}", title, caption, plot_))
    panels = []
    for key in game.drawn.strips:
        if key in heads:
            lines = [line for row in rows if (line := _interval(row, heads[key], slots))]
            panels += [Panel(capital(heads[key].title), lines, heads[key].digits)] if lines else []
    if panels:
        caption = "Every seed of every arm, the median as a line: how much arms differ, and how much seeds do."
        found.append(Figure(f"seeds-{game.game.name}", "Every seed of every measure", caption, Strips(panels)))
    return found


def _axis(column: StudyColumn, game: StudyGame) -> str:
    return f"{capital(column.title)}, {column.unit or game.game.unit}"


def _interval(row: StudyRow, column: StudyColumn, slots: dict[str, int]) -> Interval | None:
    estimate = row.estimates.get(column.key)
    if estimate is None or not known(estimate.value):
        return None
    low, high = ((end if known(end) else None) for end in (estimate.low, estimate.high))
    parts = [value for value in row.values.get(column.key, ()) if known(value)]
    return Interval(row.label, _slot(row, slots), estimate.value, low, high, parts)


def _points(row: StudyRow, across: str, upward: str) -> list[tuple[float, float]]:
    """Both figures of every seed; of an agent without seeds its two estimates."""
    pairs = list(zip(row.values.get(across, ()), row.values.get(upward, ()), strict=False))
    if not pairs and across in row.estimates and upward in row.estimates:
        pairs = [(row.estimates[across].value, row.estimates[upward].value)]
    return [(x, y) for x, y in pairs if known(x) and known(y)]


def _hazards(game: StudyGame) -> list[Part]:
    players = list(dict.fromkeys(who for hazard in game.hazards.values() for who in hazard.references))
    rows = []
    for name, hazard in game.hazards.items():
        cells = [
            Cell(hazard.definition, prose=True),
            Cell(f"{number(hazard.low, 2)} to {number(hazard.high, 2)}", hazard.unit),
        ]
        cells += [estimate_cell(hazard.references.get(who), 3) for who in players]
        rows.append(Row(name.replace("_", " "), cells))
    heads = [Column("Definition"), Column("Range"), *(Column(capital(who)) for who in players)]
    return [Table("Hazards and figures of the game", "Hazard", heads, rows)] if rows else []


def _weightings(result: StudyResult, slots: dict[str, int]) -> list[Part]:
    """The Pareto front, and the share of weightings that each arm wins, game by game."""
    games = [game for game in result.games if game.shares or game.weightings]
    if not games:
        return []
    rows = []
    for arm, label in labels_of(result).items():
        cells = []
        for game in games:
            share = game.shares.get(arm)
            if share is None and game.weightings:
                held = any(arm in point.index for point in game.weightings)
                share = sum(p.best == arm for p in game.weightings) / len(game.weightings) if held else None
            front = "Pareto front" if arm in game.front else ""
            cells.append(Cell(MISSING if share is None else f"{number(100 * share, 0)} %", front))
        rows.append(Row(label, cells, slot=slots[arm]))
    text = (
        "The SEPO index at fixed weights is a ranking convention. Here: in what share of all weightings each arm has "
        "the highest mean index, and whether any other arm beats it in payoff, exploitability, collusion and "
        "externality at once (if not, it is on the Pareto front). Means have no intervals here."
    )
    heads = [Column(game_title(game)) for game in games]
    return [Prose(text), Table("Share of weightings won", "Arm", heads, rows)]


def _credits(result: StudyResult) -> list[Part]:
    credits = result.credits
    if credits is None:
        return []
    names = {game.game.name: game_name(game) for game in result.games}
    rows = [
        Row(capital(r.rule.replace("_", " ")), [estimate_cell(r.cosine, 2), estimate_cell(r.ratio, 2)])
        for r in credits.rules
    ]
    lead = (
        f"Measured on the model itself at one fixed checkpoint in {names.get(credits.game, credits.game)}, "
        f"{credits.batches:,} batches or {credits.episodes:,} episodes for each rule. A rule that follows the "
        "objective has cosine 1 and length 1; one that adds noise alone has length 0. Both are corrected for noise, so "
        "an estimate can lie slightly above 1."
    )
    heads = [Column("Cosine with the true gradient"), Column("Length along it")]
    return [Prose(lead), Table("Credit rules against the true gradient", "Rule", heads, rows)]


def _columns(result: StudyResult) -> list[Term]:
    """Every column with its definition, once; with its games where they define it differently."""
    games: dict[tuple[str, str, str], list[StudyGame]] = {}
    for game in result.games:
        for column in _shown(game):
            note = ", ".join(filter(None, (column.unit, DIRECTIONS[column.direction])))
            games.setdefault((capital(column.title), column.definition, note), []).append(game)
    titles = [title for title, _, _ in games]
    return [
        Term(
            title,
            text,
            note if titles.count(title) == 1 else f"{', '.join(map(game_title, where))}; {note}".strip("; "),
        )
        for (title, text, note), where in games.items()
    ]


def _origin(result: StudyResult) -> list[Term]:
    done, wanted = result.cells
    shown = {key.replace("_", " "): value for key, value in result.settings.items() if value not in ([], "", None)}
    settings = ", ".join(f"{key} {value}" for key, value in shown.items())
    return [Term("Cells", f"{done} of {wanted}"), *([Term("Settings", settings)] if settings else [])]
