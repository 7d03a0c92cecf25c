"""Pages of cross-play, probes and talk: complete, ties called ties, claims decided by intervals, data never markup."""

import math

import pytest
from meetings import HOSTILE, effect, figure, pay_of, probe, talk, tournament

from equipoise.lab.results import load_result, result_json, save_result
from equipoise.reports.document import Conversations, Table, Terms
from equipoise.reports.formats import MISSING
from equipoise.reports.plots import Heatmap
from equipoise.reports.terminal import terminal_text
from equipoise.reports.views import crossplay_document, document_of, probe_document, talk_document
from equipoise.reports.write import render

LONG = "a" * 40


def tables(document):
    return {part.caption: part for part in document.parts() if isinstance(part, Table)}


def values(table):
    return {row.label: [cell.value for cell in row.cells] for row in table.rows}


def section(document, title):
    return next((found for found in document.sections if found.title == title), None)


def claims(document):
    return " ".join(document.verdict)


# Cross-play


@pytest.mark.parametrize("agents", [2, 3, 9])
def test_the_page_holds_every_agent_against_every_opponent(agents):
    names = ("kind", "model", "mean", *(f"agent_{i}" for i in range(9)))[:agents]
    document = crossplay_document(tournament(names))
    pay = tables(document)["Pay of every agent against every opponent"]
    assert [column.head for column in pay.columns] == list(names)
    assert values(pay) == {a: [f"{pay_of(a, b):.3f}" for b in names] for a in names}
    assert all(len(row.cells) == agents for row in pay.rows)
    (drawn,) = document.figures()
    assert isinstance(drawn.plot, Heatmap)
    assert drawn.plot.values == [[pay_of(a, b) for b in names] for a in names]
    assert len(tables(document)["Pay by seat"].rows) == agents**2
    assert len(tables(document)["Paired differences"].rows) == agents * (agents - 1) // 2 * (agents + 1)


def test_a_figure_has_its_interval_beneath_it_and_nothing_where_it_has_none():
    pay = tables(crossplay_document(tournament()))["Pay of every agent against every opponent"]
    below = {row.label: [cell.below for cell in row.cells] for row in pay.rows}
    assert below["model"] == ["[2.075, 2.175]"] * 3
    assert below["kind"] == ["", "[1.950, 2.050]", ""]


def test_ties_are_called_ties():
    result = tournament()
    shown = tables(crossplay_document(result))
    verdicts = [cells[2] for cells in values(shown["Paired differences"]).values()]
    assert set(verdicts) <= {"above zero", "below zero", "tie"}
    rows = [row.cells[2].value for row in shown["Paired differences"].rows]
    assert rows.count("tie") == sum(found.verdict == "tie" for found in result.differences) > 0
    best = values(shown["Who is paid most against whom"])
    assert best["model"] == ["model", "2.125", "kind, mean"]
    assert best["kind"] == ["mean", "5.000", MISSING]
    assert best["self-play"] == ["kind", "6.000", MISSING]


def test_the_findings_are_what_the_verdicts_say():
    result = tournament()
    first, everywhere, ties, faults = crossplay_document(result).verdict
    assert "kind" in first
    assert "6.000" in first
    assert not any(name in everywhere for name in ("kind", "model", "mean"))  # nobody is paid most everywhere
    count = sum(found.verdict == "tie" for found in result.differences)
    assert f"{count} of {len(result.differences)} " in ties
    assert "Bonferroni" in ties
    assert "3.0 %" in faults
    assert "model" in faults
    alike = tuple(found.model_copy(update={"verdict": "tie"}) for found in result.differences)
    first, everywhere, *_ = crossplay_document(result.model_copy(update={"differences": alike})).verdict
    assert all(name in sentence for name in ("kind", "model", "mean") for sentence in (first, everywhere))
    assert first.index("kind") < first.index("6.000") < first.index("model")  # the highest mean alone has the value


def test_a_zero_sum_tournament_has_no_welfare_and_no_cooperation():
    document = crossplay_document(tournament(zero_sum=True))
    titles = [found.title for found in document.sections]
    assert not [title for title in titles if "together" in title or "cooperates" in title]
    assert "self-play" not in values(tables(document)["Who is paid most against whom"])
    assert len(document.verdict) == 3
    terms = {term.name for part in document.parts() if isinstance(part, Terms) for term in part.items}
    assert not terms & {"Efficiency", "Cooperation", "Honesty"}


def test_faults_are_shown_of_models_alone_and_none_is_said_where_there_is_none():
    (table,) = section(crossplay_document(tournament()), "Faults").parts
    assert values(table) == {"model": ["3.00"] * 3}
    assert not isinstance(section(crossplay_document(tournament(faults=0.0)), "Faults").parts[0], Table)


def test_a_match_is_read_word_for_word_with_what_was_played_instead():
    (part,) = [found for found in crossplay_document(tournament()).parts() if isinstance(found, Conversations)]
    (match,) = part.items
    assert (part.played, part.opening[0].text) == (64 * 9, "Rules & words.")
    assert (match.agent, match.opponent, match.deal) == ("kind", "model", 3)
    assert [message.text for message in match.messages if message.side == "said"] == [HOSTILE, "7"]
    assert match.faults == ("illegal",)
    assert any(message.text.endswith("Played instead: 5") for message in match.messages)


@pytest.mark.parametrize("result", [tournament(), probe(figure(0.3), HOSTILE), talk(names=(HOSTILE, "b"))])
def test_what_a_player_said_is_data_in_every_form(result):
    document = document_of(result)
    page, text = render(document, "html"), render(document, "text")
    assert "<script>alert" not in page
    for form in (page, text):
        assert "\u202e" not in form
        assert "\u0007" not in form


@pytest.mark.parametrize(
    "result",
    [
        tournament(),
        tournament(("kind", "mean", *(f"{'a_very_long_name_of_an_agent' if i % 2 else 'x'}_{i}" for i in range(12)))),
        probe(figure(-123.456), LONG),
        talk(names=(LONG, "b" * 40), found=effect(figure(-0.9))),
    ],
)
def test_the_text_fits_80_columns_and_glues_nothing_together(result):
    text = terminal_text(document_of(result))
    assert max(map(len, text.splitlines())) <= 80
    assert not [word for word in text.split() if word.rstrip(".").count(".") > 1 and word[:1].isdigit()]


@pytest.mark.parametrize("result", [tournament(), probe(figure(0.3)), talk(found=effect(figure(math.nan)))])
def test_a_result_comes_back_from_its_file_and_its_page_is_the_same(result, tmp_path):
    save_result(result, tmp_path)
    again = load_result(tmp_path)
    assert result_json(again) == result_json(result)
    assert render(document_of(again), "html") == render(document_of(result), "html")


@pytest.mark.parametrize("result", [tournament(), probe(figure(0.3)), talk(found=effect(figure(0.3)))])
def test_every_page_explains_its_words_and_how_it_was_made(result):
    document = document_of(result)
    words, made = document.sections[-2:]
    assert words.folded
    assert made.folded
    assert len(words.parts[0].items) >= 4
    assert result.made.command in [term.text for term in made.parts[0].items]


# Probes


@pytest.mark.parametrize(
    ("gain", "is_gain"),
    [(figure(0.3), True), (figure(0.05), False), (figure(-0.3), False), (figure(0.3, math.nan), False)],
)
def test_a_gain_is_called_one_where_its_interval_is_above_zero(gain, is_gain):
    (claim,) = probe_document(probe(gain)).verdict
    assert f"{abs(gain.value):.3f} points per round" in claim
    assert ("a lower bound" in claim) == is_gain
    assert ("no gain is shown" in claim) != is_gain


def test_a_probe_shows_all_its_figures():
    (table,) = tables(probe_document(probe(figure(0.3)))).values()
    assert len(table.rows) == 6
    assert [row.cells[0].value for row in table.rows] == ["0.300", *["0.500"] * 5]


# Talk


@pytest.mark.parametrize(("difference", "says"), [(0.2, "add 0.20"), (-0.2, "cost 0.20"), (0.05, "a tie")])
def test_talk_adds_or_costs_where_the_interval_says_so(difference, says):
    assert says in talk_document(talk(difference)).verdict[0]


def test_faults_of_the_game_without_messages_are_told_beside_the_difference():
    assert "40 %" in talk_document(talk(faults=0.4)).verdict[0]
    assert "%" not in talk_document(talk(faults=0.1)).verdict[0]


def test_a_change_is_named_where_its_interval_says_so():
    tied, moved = (claims(talk_document(talk(found=effect(figure(change))))) for change in (0.05, 0.2))
    for change in ("0.40 less after a stated upper hand", "0.40 more after a stated lower hand"):
        assert change in tied
        assert change in moved
    assert "0.05" not in tied
    assert "0.20 more after silence" in moved


def test_every_listener_has_its_table_or_the_reason_why_there_is_none():
    measured = talk_document(talk(names=("mine", "other"), found=effect(figure(0.2))))
    shown = [table for caption, table in tables(measured).items() if caption.startswith("Claims")]
    assert [len(row.cells) for table in shown for row in table.rows] == [3] * 4
    sections = [found for found in measured.sections if "claims after" in found.title]
    assert len(sections) == 2
    (why,) = section(talk_document(talk()), "What mine claims after messages of mine").parts
    assert "no reason" in why.text
