"""A study's page: verdicts decided by corrected tests, ties called ties, gaps named, every game in its place."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from browser import size

from equipoise.core import Estimate
from equipoise.lab.results import (
    CreditAudit,
    CreditRecord,
    Drawn,
    GameRecord,
    HazardRecord,
    Made,
    StudyColumn,
    StudyDifference,
    StudyGame,
    StudyResult,
    StudyRow,
    StudyTarget,
    Weighting,
)
from equipoise.lab.study import hypothesis
from equipoise.reports.document import Document, Figure, Section, Table, Term, Terms
from equipoise.reports.formats import MINUS, MISSING
from equipoise.reports.plots import Intervals, Scatter, Strips
from equipoise.reports.views import document_of
from equipoise.reports.views.study_verdict import observations, progress, side, verdict
from equipoise.reports.write import render

ARMS = {"base": ("Base", 1), "sft": ("Supervised", 3), "ours": ("Ours", 3)}
NAMES = ("kuhn_poker", "prisoners_dilemma", "auction")
UNKNOWN = math.nan

INDEX = StudyColumn(key="index", title="index", definition="The index.", direction="higher", digits=2)
COLUMNS = (
    INDEX,
    StudyColumn(key="pool_exploitability", title="exploitability", definition="By scripts.", direction="lower"),
    StudyColumn(key="nash_conv", title="NashConv", definition="Exact.", direction="lower"),
    StudyColumn(key="fault_rate", title="fault rate", definition="Faults.", unit="%", scale=100.0, digits=1),
    StudyColumn(key="unused", title="unused", definition="Nobody has it."),
)
HYPOTHESES = (
    hypothesis("ours above supervised", "ours", "sft", "index", "{arm} scores {more} than {minus}", "above"),
    hypothesis("less is taken", "ours", "base", "index", "a probe takes {more} from {arm} than from {minus}", "below"),
)


def estimate(value: float, half: float = 0.1, n: int = 3, method: str = "t over seeds") -> Estimate:
    return Estimate(value, value - half, value + half, n, method=method)


ABOVE, BELOW, TIE = estimate(0.3, 0.2), estimate(-0.3, 0.2), estimate(0.3, 0.4)
ONE_SEED = Estimate(3.0, UNKNOWN, UNKNOWN, 1)


def difference(found: Estimate, hypothesis: int = 0, adjusted: float | None = None) -> StudyDifference:
    """The difference of a hypothesis; its corrected p follows its interval where nothing else is said."""
    named = HYPOTHESES[hypothesis]
    p = 0.01 if found.low > 0 or found.high < 0 else 0.4
    p = UNKNOWN if math.isnan(found.low) else p if adjusted is None else adjusted
    return StudyDifference(
        arm=named.arm, minus=named.minus, metric="index", estimate=found, hypothesis=named.name, p=p, adjusted=p
    )


EXPLORATORY = StudyDifference(arm="sft", minus="base", metric="nash_conv", estimate=BELOW)


def row(arm: str, level: float, seeds: int | None = None, **values: Sequence[float]) -> StudyRow:
    """An arm: its index at a level, and further figures by seed."""
    label, planned = ARMS[arm]
    count = planned if seeds is None else seeds
    figures = {"index": [level + k / 10 for k in range(count)], **values}
    means = {name: sum(v for v in found if not math.isnan(v)) / len(found) for name, found in figures.items()}
    return StudyRow(
        arm=arm,
        label=label,
        kind="start" if arm == "base" else "trained",
        seeds=count,
        estimates={name: estimate(mean, n=count) for name, mean in means.items()},
        values={name: tuple(found) for name, found in figures.items()},
    )


def game(name: str, **changes: Any) -> StudyGame:
    """One game: three arms and a script."""
    script = StudyRow(
        arm="ours", label="coin", kind="reference", seeds=0, estimates={"index": estimate(0.5, 0.0, 1, "exact")}
    )
    rows = (row("ours", 1.0, nash_conv=[0.2] * 3), row("sft", 0.5), row("base", 0.0), script)
    changes.setdefault("rows", rows)
    return StudyGame(
        game=GameRecord(name=name, unit="points per round", rounds=4),
        columns=COLUMNS,
        drawn=Drawn(scatter=("index", "nash_conv"), note="Bottom right is good.", intervals="index", strips=("index",)),
        **changes,
    )


def study(*games: StudyGame, **changes: Any) -> StudyResult:
    """A finished study of those games."""
    fields: dict[str, Any] = {
        "study": "small",
        "title": "A small study",
        "made": Made(created="2026-01-31T12:00:00+00:00", command="equipoise reproduce small", seconds=90.0),
        "cells": (21, 21),
        "planned": {arm: seeds for arm, (_, seeds) in ARMS.items()},
        "settings": {"seeds": 3, "overrides": [], "matches": 4},
        "games": games,
        "hypotheses": HYPOTHESES,
        "correction": "Corrected by Holm.",
    }
    return StudyResult(**{**fields, **changes})


def of(estimates: Mapping[str, Estimate | None], hypothesis: int = 0) -> StudyResult:
    """A study with this difference of one hypothesis in each game."""
    return study(
        *(
            game(name, differences=() if found is None else (difference(found, hypothesis),))
            for name, found in estimates.items()
        )
    )


def in_games(*estimates: Estimate | None) -> dict[str, Estimate | None]:
    return dict(zip(NAMES, estimates, strict=True))


def section(document: Document, title: str) -> Section:
    """The section of a title, at any depth."""
    waiting = list(document.sections)
    while waiting:
        found = waiting.pop()
        if found.title == title:
            return found
        waiting += found.sections
    raise AssertionError(f"no section {title!r}")


def titles(document: Document) -> list[str]:
    return [found.title for found in document.sections]


def table(found: Section) -> Table:
    """The one table of a section."""
    (only,) = (part for part in found.parts if isinstance(part, Table))
    return only


def cells(found: Table, label: str) -> list[tuple[str, str]]:
    """The values and what is beneath them, of the row of a label."""
    (only,) = (line for line in found.rows if line.label == label)
    return [(cell.value, cell.below) for cell in only.cells]


def arms_table(*rows: StudyRow) -> Table:
    """The table of a game with these rows."""
    return table(section(document_of(study(game("auction", rows=rows))), "Auction"))


def glossary(result: StudyResult) -> list[Term]:
    """What the columns mean."""
    found = section(document_of(result), "What the columns mean")
    return [term for part in found.parts if isinstance(part, Terms) for term in part.items]


# which side of zero


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (Estimate(0.3, 0.1, 0.5, 5), "above"),
        (Estimate(-0.3, -0.5, -0.1, 5), "below"),
        (Estimate(0.3, -0.1, 0.7, 5), "tie"),
        (Estimate(0.3, 0.0, 0.6, 5), "tie"),
        (Estimate(0.3, UNKNOWN, UNKNOWN, 5), "undecided"),
        (Estimate(UNKNOWN, 0.1, 0.2, 5), "undecided"),
    ],
)
def test_only_an_interval_that_excludes_zero_decides(found: Estimate, expected: str) -> None:
    exploratory = EXPLORATORY.model_copy(update={"estimate": found})
    assert side(exploratory) == expected


@pytest.mark.parametrize(("adjusted", "expected"), [(0.049, "above"), (0.05, "tie"), (0.3, "tie"), (UNKNOWN, "above")])
def test_a_hypothesis_is_decided_by_its_corrected_p(adjusted: float, expected: str) -> None:
    assert side(difference(ABOVE, adjusted=adjusted)) == expected


def test_an_interval_beside_zero_is_no_verdict_of_a_hypothesis_whose_p_is_too_large() -> None:
    result = study(game("auction", differences=(difference(ABOVE, adjusted=0.2),)))
    assert verdict(result) == ["Too close to call whether Ours scores more or less than Supervised: auction."]
    document = document_of(result)
    assert cells(table(section(document, "Hypotheses")), "Ours above supervised") == [("+0.30", "tie, p 0.200")]
    assert [cell.value for cell in table(section(document, "Differences")).rows[0].cells][3] == "tie, p 0.200"
    assert "contain" not in str(table(section(document, "Differences")))


# sentences


def test_every_side_of_zero_is_told_with_its_games() -> None:
    assert verdict(of(in_games(ABOVE, BELOW, TIE))) == [
        f"Ours scores more than Supervised in 1 of 3 games: Kuhn poker (+0.30); less in prisoner's dilemma "
        f"({MINUS}0.30); a tie in auction."
    ]


def test_what_was_expected_is_told_first_and_only_where_it_is_so() -> None:
    (found,) = verdict(of(in_games(ABOVE, BELOW, None), hypothesis=1))
    assert found.startswith("A probe takes less from Ours than from Base in 1 of 2 games: prisoner's dilemma")
    assert "; more in Kuhn poker" in found
    (turned,) = verdict(of(in_games(ABOVE, ABOVE, ABOVE), hypothesis=1))
    assert turned.startswith("A probe takes more from Ours than from Base in 3 of 3 games")


def test_far_apart_decides_nothing_while_the_interval_contains_zero() -> None:
    assert verdict(of(in_games(TIE, TIE, estimate(30.0, 30.1)))) == [
        "Too close to call whether Ours scores more or less than Supervised: Kuhn poker, prisoner's dilemma and "
        "auction."
    ]


def test_one_seed_decides_nothing() -> None:
    assert verdict(of(in_games(ONE_SEED, None, ONE_SEED))) == []
    (found,) = verdict(of(in_games(ABOVE, None, ONE_SEED)))
    assert found.endswith("in Kuhn poker (+0.30); no interval yet in auction.")


def test_digits_are_those_of_the_column() -> None:
    finer = tuple(c.model_copy(update={"digits": 4}) if c.key == "index" else c for c in COLUMNS)
    shown = game("auction", differences=(difference(ABOVE),)).model_copy(update={"columns": finer})
    assert "(+0.3000)" in verdict(study(shown))[0]


def test_a_study_without_hypotheses_or_games_claims_nothing() -> None:
    assert verdict(study(game("auction"), hypotheses=())) == []
    empty = study(hypotheses=(), cells=(0, 21))
    assert verdict(empty) == []
    assert not re.search(r"\bNone\b|\bnan\b", render(document_of(empty), "text"))


def target(value: float = UNKNOWN, bound: float = 0.5, met: bool | None = None, seeds: int = 0) -> StudyTarget:
    return StudyTarget(
        arm="ours",
        metric="index",
        relation="at least",
        bound=bound,
        value=value,
        met=met,
        seeds_met=seeds if met else 0,
        seeds=seeds,
    )


def test_targets_are_counted_and_those_missed_are_told_with_their_seeds() -> None:
    games = (game("auction", targets=(target(0.6, met=True, seeds=3), target(0.4, met=False, seeds=3))),)
    assert verdict(study(*games)) == [
        "Targets met by the median of the seeds: 1 of 2.",
        "Missed: auction, Ours: index at least 0.50 (median 0.40, 0 of 3 seeds meet it).",
    ]
    shown = table(section(document_of(study(*games)), "Targets"))
    assert [[cell.value for cell in line.cells] for line in shown.rows] == [
        ["Index at least 0.50", "0.60", "met", "3 of 3"],
        ["Index at least 0.50", "0.40", "missed", "0 of 3"],
    ]


def test_targets_of_an_unfinished_study_are_met_so_far_or_not_measured() -> None:
    some = study(game("auction", targets=(target(0.6, met=True, seeds=2), target())))
    assert verdict(some) == ["Targets met so far by the median of the seeds: 1 of 1; not measured yet: 1."]
    assert verdict(study(game("auction", targets=(target(),)))) == ["None of 1 targets is measured yet."]
    (line,) = table(section(document_of(study(game("auction", targets=(target(),)))), "Targets")).rows
    assert [cell.value for cell in line.cells][1:] == [MISSING, MISSING, MISSING]


def test_missing_arms_and_seeds_are_listed_by_game() -> None:
    assert progress(study(game("auction"))) == []
    less = game("auction", rows=(row("sft", 0.5, seeds=2), row("base", 0.0)))
    lines = progress(study(game("kuhn_poker"), less, cells=(18, 21)))
    assert lines == [
        "This study is not finished: 18 of 21 cells are done.",
        "Not run yet: Auction: Supervised (2 of 3 seeds), Ours (0 of 3 seeds).",
    ]
    document = document_of(study(game("kuhn_poker"), less, cells=(18, 21)))
    assert list(document.verdict)[-2:] == lines
    assert document.facts[0] == "18 of 21 cells"


def test_a_pool_that_reads_zero_is_set_against_the_exact_value() -> None:
    rows = (
        row("ours", 1.0, pool_exploitability=[0.0] * 3, nash_conv=[0.25] * 3),
        row("sft", 1.0, pool_exploitability=[0.2] * 3, nash_conv=[0.25] * 3),
        row("base", 0.0, pool_exploitability=[0.0], nash_conv=[0.001]),
    )
    assert observations(study(game("kuhn_poker", rows=rows))) == [
        "In Kuhn poker pool exploitability reads 0.000 for Ours (0.250), in brackets their exact NashConv."
    ]


_LEFT = {"ours": 1.2, "sft": 1.3, "base": 0.4}


@pytest.mark.parametrize(
    ("left", "said"),
    [
        ([1.2, 1.3, 1.4], "more than it earns"),
        ([0.2, 0.3, 0.4], "less than it earns"),
        ([1.2, 0.3, 1.4], ""),
        ([2.0], ""),
    ],
)
def test_a_probe_that_does_no_harm_is_told_from_one_that_does_where_seeds_agree(left: list[float], said: str) -> None:
    rows = (row("ours", 1.0, seeds=len(left), self_play=[1.0] * len(left), under_probe=left),)
    text = " ".join(observations(study(game("auction", rows=rows))))
    assert text == (f"In every seed a probe leaves an agent {said} from itself: in auction Ours." if said else "")


def test_what_a_probe_leaves_is_said_game_by_game_once_for_more_and_once_for_less() -> None:
    rows = [row(name, 1.0, seeds=2, self_play=[1.0] * 2, under_probe=[left] * 2) for name, left in _LEFT.items()]
    found = observations(study(game("auction", rows=tuple(rows)), game("split", rows=tuple(rows))))
    assert [sentence.count("in auction") for sentence in found] == [1, 1]
    assert [sentence.count("in split") for sentence in found] == [1, 1]


def test_an_arm_that_often_replies_with_no_legal_action_is_told() -> None:
    assert observations(study(game("auction", rows=(row("ours", 1.0, fault_rate=[0.02, 0.0, 0.01]),)))) == []
    rows = (row("ours", 1.0, fault_rate=[0.25, UNKNOWN, 0.17]), row("base", 0.0, fault_rate=[0.03]))
    (found,) = observations(study(game("auction", rows=rows)))
    assert "Ours in auction (up to 25 % of the decisions, 2 of 2 seeds)" in found
    assert found.endswith("Base in auction (up to 3 % of the decisions).")


# the document


def full(*names: str) -> StudyResult:
    """A finished study with everything that a page can hold."""
    worth = CreditRecord(rule="own_pool", cosine=estimate(1.0), ratio=estimate(0.5))
    hazard = HazardRecord(definition="share of low bids", low=0.0, high=1.0, references={"fair": estimate(0.25)})
    points = (Weighting(weights=(0.0, 0.0, 0.0), index={"base": 0.0, "ours": 1.0}, best="ours"),)
    games = [
        game(
            name,
            differences=(difference(ABOVE), difference(TIE, 1), EXPLORATORY),
            hazards={"collusion": hazard},
            weights=(1.0, 2.0, 0.5),
            scale=0.6,
            players={"greedy": "always_defect"},
            targets=(target(0.6, met=True, seeds=3),),
            weightings=points,
            front=("ours",),
            shares={"base": 0.0, "sft": 0.25, "ours": 0.75},
        )
        for name in names
    ]
    audit = CreditAudit(game="auction", batches=24, episodes=960, rules=(worth,))
    return study(*games, credits=audit, notes=("A note.",))


def test_a_finished_study_has_every_section_in_order() -> None:
    assert titles(document_of(full(*NAMES))) == [
        "Targets",
        "Hypotheses",
        "Every game at a glance",
        "Kuhn poker",
        "Prisoner's dilemma",
        "Auction",
        "Other weights",
        "What each credit rule's gradient is worth",
        "What the columns mean",
        "Notes",
        "How it was made",
    ]


def test_what_was_not_measured_has_no_section() -> None:
    assert titles(document_of(study(game("auction"), hypotheses=()))) == [
        "Auction",
        "What the columns mean",
        "How it was made",
    ]


def test_games_are_folded_where_there_are_several_and_open_where_there_is_one() -> None:
    assert [section(document_of(full(*NAMES)), title).folded for title in ("Kuhn poker", "Auction")] == [True, True]
    alone = document_of(full("auction"))
    assert not section(alone, "Auction").folded
    assert "Every game at a glance" not in titles(alone)
    assert section(alone, "Differences").folded


def test_a_game_s_table_has_the_arms_in_the_study_s_order_then_the_scripts() -> None:
    shown = table(section(document_of(full("auction")), "Auction"))
    assert [line.label for line in shown.rows] == ["Base", "Supervised", "Ours", "coin"]
    assert [line.note for line in shown.rows] == ["untrained", "3 seeds", "3 seeds", "script"]
    assert [column.head for column in shown.columns] == ["Index", "NashConv"]  # what no agent has is no column
    assert cells(shown, "coin") == [("0.50", "exact"), (MISSING, "")]
    assert cells(shown, "Ours")[1] == ("0.200", "[0.100, 0.300]")
    assert [line.slot for line in shown.rows] == [0, 1, 2, None]  # although the script has an arm's name


def test_a_figure_of_fewer_seeds_than_the_row_says_so() -> None:
    short = row("ours", 1.0, nash_conv=[0.2] * 3)
    lacking = {**short.estimates, "nash_conv": estimate(0.2, n=2)}
    shown = table(
        section(document_of(study(game("auction", rows=(short.model_copy(update={"estimates": lacking}),)))), "Auction")
    )
    assert cells(shown, "Ours")[1] == ("0.200", "[0.100, 0.300], 2 seeds")


def test_rates_are_shown_in_per_cent() -> None:
    shown = table(
        section(document_of(study(game("auction", rows=(row("ours", 1.0, fault_rate=[0.2] * 3),)))), "Auction")
    )
    assert (shown.columns[1].head, shown.columns[1].note) == ("Fault rate", "%")
    assert cells(shown, "Ours")[1] == ("20.0", "[10.0, 30.0]")


def test_the_glance_shows_the_first_column_of_every_game() -> None:
    less = game("auction", rows=(row("sft", 0.5),))
    shown = table(section(document_of(study(game("kuhn_poker"), less)), "Every game at a glance"))
    assert [column.head for column in shown.columns] == ["Kuhn poker", "Auction"]
    assert [value for value, _ in cells(shown, "Ours")] == ["1.10", MISSING]
    assert [value for value, _ in cells(shown, "Supervised")] == ["0.60", "0.60"]


def test_hypotheses_stand_game_by_game_with_what_was_expected() -> None:
    shown = table(section(document_of(of(in_games(ABOVE, TIE, ONE_SEED))), "Hypotheses"))
    assert [(line.label, line.note) for line in shown.rows] == [("Ours above supervised", "expected above zero")]
    assert cells(shown, "Ours above supervised") == [
        ("+0.30", "above, p 0.010"),
        ("+0.30", "tie, p 0.400"),
        ("+3.00", "no interval"),
    ]


def test_a_comparison_that_was_not_named_beforehand_is_marked_exploratory() -> None:
    shown = table(section(document_of(full("auction")), "Differences"))
    assert [line.label for line in shown.rows] == [
        f"Ours {MINUS} Supervised",
        f"Ours {MINUS} Base",
        f"Supervised {MINUS} Base",
    ]
    assert [line.cells[-1].value for line in shown.rows] == ["Ours above supervised", "Less is taken", "exploratory"]
    assert [line.cells[3].value for line in shown.rows] == ["above, p 0.010", "tie, p 0.400", "below"]
    assert shown.rows[2].cells[1].below == f"[{MINUS}0.500, {MINUS}0.100]"


def test_shares_of_weightings_and_the_front_stand_by_game() -> None:
    shown = table(section(document_of(full("auction")), "Other weights"))
    assert cells(shown, "Ours") == [("75 %", "Pareto front")]
    assert cells(shown, "Base") == [("0 %", "")]


def test_hazards_show_what_reference_players_get() -> None:
    shown = table(section(document_of(full("auction")), "Hazards, and what the reference players get"))
    assert [column.head for column in shown.columns] == ["Definition", "Range", "Fair"]
    assert cells(shown, "collusion")[2] == ("0.250", "[0.150, 0.350]")


def test_every_column_has_its_meaning_and_its_better_side_once() -> None:
    terms = glossary(full(*NAMES))
    named = [term.name for term in terms]
    assert named[:2] == ["Index", "NashConv"]
    assert len(set(named)) == len(named)
    assert terms[0].note == "higher is better"


def test_a_column_that_games_define_differently_is_explained_for_each() -> None:
    other = game("auction")
    changed = (INDEX.model_copy(update={"definition": "Another index."}), *other.columns[1:])
    result = study(game("kuhn_poker"), other.model_copy(update={"columns": changed}))
    assert [(t.text, t.note) for t in glossary(result) if t.name == "Index"] == [
        ("The index.", "Kuhn poker; higher is better"),
        ("Another index.", "Auction; higher is better"),
    ]


def test_figures_draw_every_agent_and_have_a_reading() -> None:
    drawn = [part for part in section(document_of(full("auction")), "Auction").parts if isinstance(part, Figure)]
    assert [type(figure.plot) for figure in drawn] == [Intervals, Scatter, Strips]
    assert all(figure.caption.endswith(".") for figure in drawn)
    intervals, scatter, _ = (figure.plot for figure in drawn)
    assert isinstance(intervals, Intervals)
    assert [line.label for line in intervals.rows] == ["Base", "Supervised", "Ours", "coin"]
    assert isinstance(scatter, Scatter)
    assert [cloud.label for cloud in scatter.clouds] == ["Ours"]  # the only one with both figures
    assert len(scatter.clouds[0].points) == 3


def test_how_it_was_made_names_the_command_and_the_settings() -> None:
    (terms,) = section(document_of(full("auction")), "How it was made").parts
    assert isinstance(terms, Terms)
    found = {term.name: term.text for term in terms.items}
    assert found["Command"] == "equipoise reproduce small"
    assert found["Cells"] == "21 of 21"
    assert found["Settings"] == "seeds 3, matches 4"


@pytest.mark.parametrize(
    "make", [lambda: full(*NAMES), lambda: full("auction"), lambda: of(in_games(TIE, None, ONE_SEED))]
)
def test_every_renderer_takes_it(make: Callable[[], StudyResult]) -> None:
    document = document_of(make())
    for kind in ("html", "markdown", "text"):
        shown = re.sub(r"<(style|script|svg)\b.*?</\1>", "", render(document, kind), flags=re.DOTALL)
        assert document.title in shown
        assert not re.search(r"\bNone\b|\bnan\b", shown)


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_of_six_games_is_short_when_folded_and_nothing_is_cut_off(width: int, tmp_path: Path) -> None:
    page = render(document_of(full(*NAMES, "split", "commons", "bargaining")), "html")
    folded, unfolded = (size(page, tmp_path, width, unfolded=opened) for opened in (False, True))
    assert folded.height < 6000
    assert (folded.cut, unfolded.cut) == (0, 0)
    assert (folded.width, unfolded.width) == (width, width)
