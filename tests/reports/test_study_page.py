"""A study's page, tables, figures and files: complete, well-formed, and whole for an unfinished study too."""

import copy
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from equipoise.reports import load_study, render_study, study_markdown, study_text, validate_study, write_study
from equipoise.reports.figure_index import index_svg
from equipoise.reports.figure_tradeoff import tradeoff_svg
from equipoise.reports.layout import padded, ticks_between
from equipoise.reports.study_tables import (
    Table,
    difference_table,
    game_table,
    gradient_table,
    grid_summary,
    grid_table,
    hazard_table,
)

Study = dict[str, Any]
SVG = "{http://www.w3.org/2000/svg}"
Draw = Callable[..., str]


def texts(svg: str) -> list[str]:
    return ["".join(element.itertext()) for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def every_table(table: Study) -> list[Table]:
    labels = {row["arm"]: row["label"] for row in table["games"][0]["rows"]}
    made = [grid_summary(table["games"], labels), gradient_table(table["gradients"])]
    for game in table["games"]:
        made += [game_table(game), difference_table(game, labels), grid_table(game, labels), hazard_table(game)]
    return made


def test_every_row_of_every_table_has_a_cell_under_each_head(table: Study) -> None:
    for made in every_table(table):
        assert len(made.hints) == len(made.heads)
        assert made.rows
        assert {len(cells) + 1 for _, cells in made.rows} == {len(made.heads)}


def test_a_value_stands_under_its_own_head(table: Study) -> None:
    made = game_table(table["games"][1])
    values = dict(zip(made.heads[1:], made.rows[1][1], strict=True))
    estimates = table["games"][1]["rows"][1]["estimates"]
    names = {"u": "payoff", "S": "sepo_index", "c": "collusion", "e, held-out": "held_out_exploitability"}
    names |= {"worst case, at least": "worst_case_lower_bound", "Low bid rate": "low_bid_rate"}
    for head, metric in names.items():
        assert values[head].value == f"{estimates[metric]['value']:.3f}".replace("-", "\N{MINUS SIGN}")
    assert values["faults, %"].value == f"{100 * estimates['fault_rate']['value']:.2f}"


def test_exact_columns_say_how_far_they_reach(table: Study) -> None:
    game = table["games"][0]
    assert "NashConv" in game_table(game).heads
    game["exact"] = "the first 2 of 6 rounds"
    assert "NashConv (the first 2 of 6 rounds)" in game_table(game).heads


def test_one_seed_is_said_to_have_no_interval(table: Study) -> None:
    row = table["games"][1]["rows"][3]
    row["seeds"] = 1
    row["estimates"]["payoff"] |= {"low": None, "high": None, "n": 1}
    shown = game_table(table["games"][1])
    assert shown.rows[2][1][shown.heads.index("u") - 1].below == "no interval (1 seed)"
    assert "no interval (1 seed)" in render_study(table)


@pytest.mark.parametrize("width", [350, 860])
@pytest.mark.parametrize("draw", [tradeoff_svg, index_svg])
def test_figures_are_the_same_every_time_and_name_every_arm(table: Study, draw: Draw, width: int) -> None:
    for game in table["games"]:
        svg = draw(game, width)
        assert svg == draw(copy.deepcopy(game), width)
        assert {row["label"] for row in game["rows"]} <= set(texts(svg))
        assert "var(--series-2" in svg


def test_the_trade_off_draws_two_intervals_a_row_and_none_without_bounds(table: Study) -> None:
    game = table["games"][1]
    drawn = tradeoff_svg(game).count("stroke-width: 1.4")
    assert drawn == 2 * (len(game["rows"]) - 1)  # the base model has one seed and no interval
    game["rows"][1]["estimates"]["welfare"] |= {"low": None, "high": None}
    assert tradeoff_svg(game).count("stroke-width: 1.4") == drawn - 1


def test_a_zero_sum_game_is_drawn_over_payoff(table: Study) -> None:
    assert "payoff, points per round" in texts(tradeoff_svg(table["games"][0]))
    assert "welfare, points per round" in texts(tradeoff_svg(table["games"][1]))


@pytest.mark.parametrize("draw", [tradeoff_svg, index_svg])
def test_a_figure_of_one_arm_is_drawn_and_one_of_none_refused(table: Study, draw: Draw) -> None:
    game = table["games"][1]
    game["rows"] = game["rows"][:1]
    assert "Base" in texts(draw(game, 350))
    game["rows"] = []
    with pytest.raises(ValueError, match="needs at least one"):
        draw(game)


def test_ticks_and_ranges_hold_for_negative_and_single_values() -> None:
    assert ticks_between(-2.1, 1.6, 4) == [-2, -1, 0, 1]
    assert padded([0.5]) == pytest.approx((0.45, 0.55))
    with pytest.raises(ValueError, match="low < high"):
        ticks_between(1, 1, 4)


def test_all_files_are_written_and_the_table_survives(table: Study, tmp_path: Path) -> None:
    table["games"][0]["rows"][0]["estimates"]["nra"]["value"] = math.nan
    paths = write_study(table, tmp_path)
    names = [path.relative_to(tmp_path).as_posix() for path in paths]
    assert names[:3] == ["table.json", "table.md", "study.html"]
    figures = [f"figures/{kind}-{game}.svg" for game in ("kuhn_poker", "auction") for kind in ("tradeoff", "index")]
    assert names[3:] == figures
    assert all(path.stat().st_size > 500 for path in paths)
    assert load_study(tmp_path)["games"][0]["rows"][0]["estimates"]["nra"]["value"] is None
    json.loads(paths[0].read_text(), parse_constant=pytest.fail)


def test_the_markdown_shows_every_arm_and_the_figures_it_is_given(table: Study, tmp_path: Path) -> None:
    text = study_markdown(table, "../results/sepo/figures")
    assert "](../results/sepo/figures/tradeoff-auction.svg)" in text
    assert "| SEPO, own pool + adversary, 5 seeds |" in text
    assert "tradeoff-" not in study_markdown(table)
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        columns = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(columns) == 1


@pytest.mark.parametrize("keep", [0, 1, 3])
def test_an_unfinished_study_renders_whole(table: Study, keep: int, tmp_path: Path) -> None:
    for game in table["games"]:
        game["rows"] = game["rows"][:keep]
        game["differences"], game["lambda_grid"], game["sft_effect"] = [], [], {}
        for row in game["rows"]:
            row["seeds"] = 1
            for estimate in row["estimates"].values():
                estimate |= {"low": None, "high": None, "n": 1}
    table["cells"]["done"], table["gradients"] = 3, None
    paths = write_study(table, tmp_path)
    page = paths[2].read_text(encoding="utf-8")
    assert page.count("<figure") == (4 if keep else 0)
    assert "Not run yet: Kuhn poker:" in page
    for view in (page, study_markdown(table), study_text(table)):
        assert not re.search(r"\bNone\b|\bnan\b", view)


def test_what_a_table_says_is_data_in_every_view(table: Study) -> None:
    hostile = "</td><script>alert(1)</script> \x1b[2J \u202eevil {{ 7*7 }} | a [b](javascript:c)"
    table["title"] = table["notes"][0] = hostile
    table["games"][0]["rows"][2]["label"] = table["games"][0]["unit"] = hostile
    table["games"][1]["hazards"]["collusion"]["definition"] = hostile
    page, markdown, terminal = render_study(table), study_markdown(table), study_text(table)
    assert "<script" not in page
    assert "\\<script\\>" in markdown
    assert "](javascript" not in markdown
    for view in (page, markdown, terminal):
        assert not re.search("[\x1b\u202e]", view)


def test_the_terminal_summary_fits_80_columns_and_names_every_game(table: Study) -> None:
    table["games"][0]["rows"][0]["label"] = "A label far longer than any column of a terminal could ever be"
    text = study_text(table)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert re.search(r"^Kuhn poker +S +u +e pool +NashConv +faults %$", text, re.MULTILINE)
    assert re.search(r"^Auction +S +u +welfare +e pool +worst >= +faults %$", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("schema",), 2, "table.schema: got 2, allowed: 1"),
        (("games", 0, "zero_sum"), "yes", "table.games[0].zero_sum: got 'yes', allowed: True, False"),
        (("games", 1, "rows", 0, "kind"), "best", "rows[0].kind: got 'best', allowed: 'base', 'sft'"),
        (("games", 1, "rows", 1, "arm"), "base", "table.games[1].rows: got 'base' more than once"),
        (("games", 1, "game"), "kuhn_poker", "table.games: got 'kuhn_poker' more than once"),
        (("games", 0, "rows", 0, "estimates", "payoff"), 1.0, "estimates.payoff: got 1.0, allowed: an object"),
    ],
)
def test_a_wrong_table_is_refused_with_place_and_remedy_and_nothing_is_written(
    table: Study, tmp_path: Path, place: tuple[Any, ...], value: Any, message: str
) -> None:
    target: Any = table
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = value
    with pytest.raises(ValueError, match=re.escape(message)):
        validate_study(table)
    with pytest.raises(ValueError, match=re.escape(message)):
        write_study(table, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("content", "message"), [(None, "no study at"), ("{", "is not a readable"), ("{}", "missing")])
def test_loading_a_broken_table_says_so_in_one_line(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "table.json").write_text(content)
    with pytest.raises(ValueError, match=message) as caught:
        load_study(tmp_path)
    assert "\n" not in str(caught.value)


def test_the_credit_audit_says_how_much_it_played(table: Study) -> None:
    for view in (render_study(table), study_markdown(table)):
        assert "at one fixed checkpoint in prisoner" in view
        assert "8 batches or 1,040 episodes for each rule" in view
