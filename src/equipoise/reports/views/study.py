"""A study as a page: targets, hypotheses, a table and figures for each game, and everything that was compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from equipoise.core import Estimate
from equipoise.lab.results import CreditAudit, StudyColumn, StudyGame, StudyResult, StudyRow
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
)
from equipoise.reports.formats import MISSING, duration, interval, known, number
from equipoise.reports.plots import Cloud, Interval, Intervals, Panel, Scatter, Strips
from equipoise.reports.views.made import made_section
from equipoise.reports.views.study_verdict import (
    game_title,
    labels_of,
    observations,
    progress,
    side,
    signed,
    verdict,
)

VERDICTS = {"above": "above zero", "below": "below zero", "tie": "tie: contains zero", "undecided": "no interval"}
KEY_COLUMNS = 6
"""Columns of a game's table that a terminal shows."""

TERMS = (
    Term(
        "Difference",
        "Arm minus arm on common deals, within each seed that both have. It is above or below zero only where its "
        "interval excludes zero. Where it contains zero the arms tie: too close to call, which is no proof that they "
        "are equal.",
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
        Section("Targets", _targets(result, slots)),
        Section("Hypotheses", _hypotheses(result)),
        *(_game(result, game, slots) for game in result.games),
        Section("Other weights", _weightings(result, slots)),
        Section("What each credit rule's gradient is worth", _credits(result.credits)),
        Section("What else the figures say", [Bullets(observations(result))] if observations(result) else []),
        Section("What the columns mean", [Terms([*_columns(result), *TERMS])], True),
        Section("Notes", [Bullets(result.notes)] if result.notes else [], True),
        made_section(result.made, _origin(result)),
    ]
    shown = [section for section in sections if section.parts or section.sections]
    done, wanted = result.cells
    facts = [f"{done} of {wanted} cells"]
    facts += [f"computing time {duration(result.made.seconds)}"] if known(result.made.seconds) else []
    return Document(result.title, [*verdict(result), *progress(result)], facts, shown)


def _game(result: StudyResult, game: StudyGame, slots: dict[str, int]) -> Section:
    """One game: what is counted, the table, the figures; differences and hazards folded."""
    rows = ordered(game, slots)
    parts: list[Part] = [Prose(_lead(game)), _table(game, rows, slots), *_figures(game, rows, slots)]
    under = [
        Section("Differences", _differences(result, game), True),
        Section("Hazards, and what the reference players get", _hazards(game), True),
    ]
    return Section(game_title(game), parts, sections=[section for section in under if section.parts])


def ordered(game: StudyGame, slots: dict[str, int]) -> list[StudyRow]:
    """The arms in the study's order, then the reference players."""
    arms = [row for row in game.rows if row.kind != "reference"]
    return [*sorted(arms, key=lambda row: slots[row.arm]), *(row for row in game.rows if row.kind == "reference")]


def _lead(game: StudyGame) -> str:
    unit = game.game.unit
    per = unit if " per " in f" {unit} " else f"{unit} per round"
    rounds = f", {game.game.rounds} round{'' if game.game.rounds == 1 else 's'}"
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
        return f"{row.seeds} seed{'' if row.seeds == 1 else 's'}"
    return "untrained" if row.kind == "start" else "script"


def _table(game: StudyGame, rows: Sequence[StudyRow], slots: dict[str, int]) -> Table:
    columns = [c for c in game.columns if any(c.key in row.estimates for row in rows)]
    heads = [Column(f"{c.title}, {c.unit}" if c.unit else c.title, "", c.definition) for c in columns]
    lines = [Row(row.label, [_cell(row, column) for column in columns], _runs(row), slots.get(row.arm)) for row in rows]
    return Table(f"{game_title(game)}: results by arm", "Arm", heads, lines, KEY_COLUMNS)


def _cell(row: StudyRow, column: StudyColumn) -> Cell:
    estimate = row.estimates.get(column.key)
    if estimate is None or not known(estimate.value):
        return Cell(MISSING)
    shown = replace(estimate, **{end: getattr(estimate, end) * column.scale for end in ("value", "low", "high")})
    below = interval(shown, column.digits) or ("exact" if estimate.method == "exact" else "no interval")
    if row.kind == "trained" and estimate.n not in (0, row.seeds) and "seed" in estimate.method:
        below += f", {estimate.n} seed{'' if estimate.n == 1 else 's'}"
    return Cell(number(shown.value, column.digits), below)


def _figures(game: StudyGame, rows: Sequence[StudyRow], slots: dict[str, int]) -> list[Part]:
    found: list[Part] = []
    heads = {column.key: column for column in game.columns}
    if game.drawn.intervals in heads:
        column = heads[game.drawn.intervals]
        lines = [line for row in rows if (line := _interval(row, column, slots))]
        if len(lines) > 1:
            caption = f"{column.title} of every arm with its interval, every seed a small mark. {column.definition}"
            plot = Intervals(_axis(column, game), lines)
            found.append(Figure(f"{column.key}-{game.game.name}", f"{column.title} by arm", caption, plot))
    if len(game.drawn.scatter) == 2 and all(key in heads for key in game.drawn.scatter):
        across, upward = (heads[key] for key in game.drawn.scatter)
        clouds = [Cloud(row.label, slots.get(row.arm), _points(row, across.key, upward.key)) for row in rows]
        clouds = [cloud for cloud in clouds if cloud.points]
        if clouds:
            caption = f"Every mark is one seed; hollow marks are scripted players. {game.drawn.note}".strip()
            plot_ = Scatter(_axis(across, game), _axis(upward, game), clouds, game.drawn.note)
            title = f"{upward.title} against {across.title}"
            found.append(Figure(f"scatter-{game.game.name}", title, caption, plot_))
    panels = []
    for key in game.drawn.strips:
        if key in heads:
            lines = [line for row in rows if (line := _interval(row, heads[key], slots))]
            panels += [Panel(heads[key].title, lines, heads[key].digits)] if lines else []
    if panels:
        caption = "Every seed of every arm, the median as a line: how much arms differ, and how much seeds do."
        found.append(Figure(f"seeds-{game.game.name}", "Every seed of every measure", caption, Strips(panels)))
    return found


def _axis(column: StudyColumn, game: StudyGame) -> str:
    return f"{column.title}, {column.unit or game.game.unit}"


def _interval(row: StudyRow, column: StudyColumn, slots: dict[str, int]) -> Interval | None:
    estimate = row.estimates.get(column.key)
    if estimate is None or not known(estimate.value):
        return None
    low, high = ((end if known(end) else None) for end in (estimate.low, estimate.high))
    parts = [value for value in row.values.get(column.key, ()) if known(value)]
    return Interval(row.label, slots.get(row.arm), estimate.value, low, high, parts)


def _points(row: StudyRow, across: str, upward: str) -> list[tuple[float, float]]:
    """Both figures of every seed; of an agent without seeds its two estimates."""
    pairs = list(zip(row.values.get(across, ()), row.values.get(upward, ()), strict=False))
    if not pairs and across in row.estimates and upward in row.estimates:
        pairs = [(row.estimates[across].value, row.estimates[upward].value)]
    return [(x, y) for x, y in pairs if known(x) and known(y)]


def _targets(result: StudyResult, slots: dict[str, int]) -> list[Part]:
    labels, rows = labels_of(result), []
    for game in result.games:
        columns = {column.key: column for column in game.columns}
        for target in game.targets:
            column = columns.get(target.metric)
            digits, title = (2, target.metric) if column is None else (column.digits, column.title)
            met = MISSING if target.met is None else "met" if target.met else "missed"
            seeds = f"{target.seeds_met} of {target.seeds}" if target.seeds else MISSING
            text = f"{title} {target.relation} {number(target.bound, digits)}"
            cells = [Cell(text, prose=True), Cell(number(target.value, digits)), Cell(met), Cell(seeds)]
            label = f"{game_title(game)}: {labels.get(target.arm, target.arm)}"
            rows.append(Row(label, cells, slot=slots.get(target.arm)))
    heads = [Column("target"), Column("median"), Column("verdict"), Column("seeds that meet it")]
    return (
        [Table("Bounds that were set beforehand for the median of the seeds", "Game and arm", heads, rows)]
        if rows
        else []
    )


def _hypotheses(result: StudyResult) -> list[Part]:
    """Every hypothesis in every game: difference, p corrected for their number, verdict."""
    rows = []
    for hypothesis in result.hypotheses:
        for game in result.games:
            found = next((d for d in game.differences if d.hypothesis == hypothesis.name), None)
            if found is not None:
                cells = [
                    Cell(
                        signed(found.estimate, _digits(game, found.metric)),
                        interval(found.estimate, _digits(game, found.metric)),
                    ),
                    Cell(number(found.adjusted, 3)),
                    Cell(VERDICTS[side(found)]),
                ]
                rows.append(Row(hypothesis.name, cells, game_title(game)))
    heads = [Column("difference"), Column("p, corrected"), Column("verdict")]
    table: list[Part] = [Table("Hypotheses by game", "Hypothesis", heads, rows)] if rows else []
    return [*([Prose(result.correction)] if result.correction and table else []), *table]


def _digits(game: StudyGame, metric: str) -> int:
    return next((column.digits for column in game.columns if column.key == metric), 3)


def _title(game: StudyGame, metric: str) -> str:
    return next((column.title for column in game.columns if column.key == metric), metric.replace("_", " "))


def _differences(result: StudyResult, game: StudyGame) -> list[Part]:
    labels, rows = labels_of(result), []
    for found in game.differences:
        digits = _digits(game, found.metric)
        cells = [
            Cell(_title(game, found.metric), prose=True),
            Cell(signed(found.estimate, digits), interval(found.estimate, digits)),
            Cell(str(found.estimate.n)),
            Cell(VERDICTS[side(found)]),
            Cell(found.hypothesis or "exploratory", prose=True),
        ]
        rows.append(Row(f"{labels.get(found.arm, found.arm)} − {labels.get(found.minus, found.minus)}", cells))
    heads = [Column("figure"), Column("difference"), Column("n"), Column("verdict"), Column("hypothesis")]
    return [Table("Arm minus arm on common deals", "Difference", heads, rows)] if rows else []


def _hazards(game: StudyGame) -> list[Part]:
    players = list(dict.fromkeys(who for hazard in game.hazards.values() for who in hazard.references))
    rows = []
    for name, hazard in game.hazards.items():
        cells = [
            Cell(hazard.definition, prose=True),
            Cell(f"{number(hazard.low, 2)} to {number(hazard.high, 2)}", hazard.unit),
        ]
        cells += [_plain(hazard.references.get(who)) for who in players]
        rows.append(Row(name.replace("_", " "), cells))
    heads = [Column("definition"), Column("range"), *(Column(who) for who in players)]
    return [Table("Hazards and figures of the game", "Hazard", heads, rows)] if rows else []


def _plain(estimate: Estimate | None) -> Cell:
    return Cell(MISSING) if estimate is None else Cell(number(estimate.value, 3), interval(estimate, 3))


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
            front = "on the Pareto front" if arm in game.front else ""
            cells.append(Cell(MISSING if share is None else f"{number(100 * share, 0)} %", front))
        rows.append(Row(label, cells, slot=slots[arm]))
    text = (
        "The SEPO index at fixed weights is a ranking convention. Here: in what share of all weightings each arm has "
        "the highest mean index, and whether any other arm beats it in payoff, exploitability, collusion and "
        "externality at once (if not, it is on the Pareto front). Means have no intervals here."
    )
    heads = [Column(game_title(game)) for game in games]
    return [Prose(text), Table("Share of weightings won", "Arm", heads, rows)]


def _credits(credits: CreditAudit | None) -> list[Part]:
    if credits is None:
        return []
    rows = [Row(r.rule.replace("_", " "), [_short(r.cosine), _short(r.ratio)]) for r in credits.rules]
    lead = (
        f"Measured on the model itself at one fixed checkpoint in {credits.game.replace('_', ' ')}, "
        f"{credits.batches:,} batches or {credits.episodes:,} episodes for each rule. A rule that follows the "
        "objective has cosine 1 and length 1; one that adds noise alone has length 0."
    )
    heads = [Column("cosine with the true gradient"), Column("length along it")]
    return [Prose(lead), Table("Credit rules against the true gradient", "Rule", heads, rows)]


def _short(estimate: Estimate) -> Cell:
    return Cell(number(estimate.value, 2), interval(estimate, 2))


def _columns(result: StudyResult) -> list[Term]:
    """Every column with its definition, once; with its games where they define it differently."""
    games: dict[tuple[str, str], list[StudyGame]] = {}
    for game in result.games:
        for column in game.columns:
            if any(column.key in row.estimates for row in game.rows):
                games.setdefault((column.title, column.definition), []).append(game)
    titles = [title for title, _ in games]
    return [
        Term(title, text, "" if titles.count(title) == 1 else ", ".join(map(game_title, where)))
        for (title, text), where in games.items()
    ]


def _origin(result: StudyResult) -> list[Term]:
    done, wanted = result.cells
    settings = ", ".join(f"{key} {value}" for key, value in result.settings.items() if value not in ([], "", None))
    return [Term("Cells", f"{done} of {wanted}"), *([Term("Settings", settings)] if settings else [])]
