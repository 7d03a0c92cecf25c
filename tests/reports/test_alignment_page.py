"""The alignment study's tables, figures, page, texts and files: complete, escaped, whole for an unfinished study."""

import copy
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from alignment_example import alignment_table, unfinished_table

from equipoise.reports import (
    alignment_study_markdown,
    alignment_study_text,
    load_alignment_study,
    write_alignment_study,
)
from equipoise.reports.alignment_page import render_alignment_study
from equipoise.reports.alignment_schema import validate_alignment_study
from equipoise.reports.alignment_tables import definitions, difference_table, labels_of, results_table, target_table
from equipoise.reports.figure_corner import corner_svg
from equipoise.reports.figure_strips import measures_of, strips_svg
from equipoise.reports.scatter import LEFT
from equipoise.reports.study_tables import Table

Study = dict[str, Any]
Draw = Callable[..., str]
SVG = "{http://www.w3.org/2000/svg}"
GAMES = ("prisoners_dilemma", "split_items", "trust_and_split")


@pytest.fixture
def table() -> Study:
    return alignment_table()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a complete study in which one value is not a number."""
    table = alignment_table()
    table["games"][0]["rows"][0]["estimates"]["cc"]["value"] = math.nan
    out = tmp_path_factory.mktemp("study")
    write_alignment_study(table, out)
    return out


def texts(svg: str) -> list[str]:
    return ["".join(element.itertext()) for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def marks(svg: str) -> int:
    """Marks and rings of a drawing, those of its legend included."""
    return len(list(ElementTree.fromstring(svg).iter(f"{SVG}use")))


def cell(made: Table, row: str, head: str) -> tuple[str, str]:
    """The value and what stands beneath it."""
    cells = dict(made.rows)[row]
    found = cells[list(made.heads).index(head) - 1]
    return found.value, found.below


def test_every_row_of_every_table_has_a_cell_under_each_head(table: Study) -> None:
    made = [target_table(table)]
    for game in table["games"]:
        made += [results_table(game), difference_table(game, labels_of(table))]
    for each in made:
        assert each.rows
        assert len(each.hints) == len(each.heads)
        assert {len(cells) + 1 for _, cells in each.rows} == {len(each.heads)}


def test_a_value_stands_under_its_own_head_with_what_its_brackets_mean(table: Study) -> None:
    game = table["games"][0]
    made = results_table(game)
    rows = {row["label"]: row for row in game["rows"]}
    found = rows["Sum of rewards"]["estimates"]["greedy_takes"]
    assert cell(made, "Sum of rewards", "greedy takes") == (
        f"{found['value']:.2f}",
        f"[{found['low']:.2f}, {found['high']:.2f}]",
    )
    assert cell(made, "always cooperate", "greedy takes") == ("5.00", "exact")
    assert cell(made, "Start model", "P(C | CD)")[1].startswith("[")
    assert cell(made, "Naive", "against naive") == ("\N{EN DASH}", "")
    assert "honesty" not in made.heads
    assert "honesty" in results_table(table["games"][2]).heads


def test_arms_keep_their_order_whatever_the_order_of_the_table(table: Study) -> None:
    labels = [label for label, _ in results_table(table["games"][0]).rows]
    table["games"][0]["rows"].reverse()
    again = [label for label, _ in results_table(table["games"][0]).rows]
    assert again[:8] == labels[:8]
    assert labels[:2] == ["Start model", "Naive"]


def test_one_seed_has_no_range_and_missing_seeds_are_counted(table: Study) -> None:
    row = table["games"][0]["rows"][3]
    row["estimates"]["probe_gain"] |= {"n": 3}
    assert cell(results_table(table["games"][0]), "Advantage alignment", "probe gain")[1].endswith("] 3 seeds")
    row["estimates"]["probe_gain"] |= {"low": 0.0, "high": 0.0, "n": 1}
    assert cell(results_table(table["games"][0]), "Advantage alignment", "probe gain")[1] == "1 seed"


def test_a_target_shows_its_median_its_range_and_the_seeds_that_meet_it(table: Study) -> None:
    rows = [[found.value for found in cells] for _, cells in target_table(table).rows]
    assert rows[0][0] == "Naive: self-play at most 1.1"
    assert rows[0][1] == "met"
    assert rows[0][3] == "5 of 5"
    assert rows[-1] == ["Advantage alignment: joint, greedy at most 70", "missed", "74.18", "0 of 5"]
    open_rows = [[found.value for found in cells] for _, cells in target_table(unfinished_table()).rows]
    assert open_rows[-1][1:] == ["not measured", "\N{EN DASH}", "\N{EN DASH}"]
    assert open_rows[6][1:] == ["met so far", "83.51", "2 of 2"]


def test_a_target_at_its_bound_is_the_studys_to_judge(table: Study) -> None:
    target = table["games"][0]["targets"][0]
    for met in (True, False):
        target |= {"value": target["bound"] + 1e-12, "met": met}
        validate_alignment_study(table)


def test_a_head_that_games_define_differently_is_defined_for_each(table: Study) -> None:
    metric = next(m for m in table["games"][2]["metrics"] if m["key"] == "cooperation")
    metric["definition"] = "another meaning"
    found = dict(definitions(table))
    assert found["cooperation (trust and split)"] == "Another meaning."
    assert "cooperation (prisoner's dilemma and split items)" in found
    assert "self-play" in found


@pytest.mark.parametrize("width", [350, 860])
@pytest.mark.parametrize("draw", [corner_svg, strips_svg])
def test_figures_are_the_same_every_time_and_name_every_arm_and_script(table: Study, draw: Draw, width: int) -> None:
    game = table["games"][2]
    svg = draw(game, width)
    assert svg == draw(copy.deepcopy(game), width)
    written = " ".join(texts(svg))
    for row in game["rows"]:
        assert all(word in written for word in row["label"].split())
    assert all(f"var(--series-{slot}" in svg for slot in range(8))


@pytest.mark.parametrize("width", [350, 860])
def test_every_seed_is_a_mark(table: Study, width: int) -> None:
    game = table["games"][0]
    seeds, scripts, arms = 1 + 3 * 5 + 4 * 3, 3, 8
    assert marks(corner_svg(game, width)) == seeds + scripts + arms
    panels = [
        3 if metric in ("self_play", "against_greedy", "against_cooperative") else 0 for metric in measures_of(game)
    ]
    assert len(panels) == 5
    naive_meets_no_naive = 5
    assert marks(strips_svg(game, width)) == 5 * seeds - naive_meets_no_naive + sum(panels)
    game["rows"][2]["values"]["greedy_takes"][1] = None
    game["rows"][2]["values"]["self_play"][3] = None
    assert marks(corner_svg(game, width)) == seeds + scripts + arms - 2


def test_a_median_is_drawn_for_two_seeds_or_more(table: Study) -> None:
    game = table["games"][0]
    game["rows"] = [row for row in game["rows"] if row["arm"] in ("start", "naive")]
    drawn = strips_svg(game).count("stroke-width: 2;")
    assert drawn == 4  # the start model has one value, and the naive agent does not meet itself as an opponent
    for values in game["rows"][1]["values"].values():
        values[1:] = [None] * 4
    assert strips_svg(game).count("stroke-width: 2;") == 0


def test_only_what_exists_is_drawn(table: Study) -> None:
    del table["games"][1:]
    game = table["games"][0]
    for row in game["rows"]:
        for figures in (row["estimates"], row.get("values", {})):
            figures.pop("probe_gain", None)
            figures.pop("greedy_takes", None)
    assert measures_of(game) == ["self_play", "against_greedy", "against_cooperative", "against_naive"]
    assert "probe gain" not in texts(strips_svg(game))
    page = render_alignment_study(table)
    assert page.count("<figure") == 1
    with pytest.raises(ValueError, match="needs at least one"):
        corner_svg(game)
    game["rows"] = []
    with pytest.raises(ValueError, match="needs at least one"):
        strips_svg(game)


@pytest.mark.parametrize("width", [350, 860])
def test_no_name_of_a_script_covers_a_mark_or_a_tick(table: Study, width: int) -> None:
    for game in table["games"]:
        root = ElementTree.fromstring(corner_svg(game, width))
        placed = [(float(mark.attrib["x"]), float(mark.attrib["y"])) for mark in root.iter(f"{SVG}use")]
        scripts = {row["label"] for row in game["rows"] if row["kind"] == "reference"}
        names = [text for text in root.iter(f"{SVG}text") if "".join(text.itertext()) in scripts]
        assert len(names) == 3
        for name in names:
            x, y, wide = float(name.attrib["x"]), float(name.attrib["y"]), 5.8 * len("".join(name.itertext()))
            assert x >= LEFT
            assert not [mark for mark in placed if x - 3 < mark[0] < x + wide + 3 and y - 12 < mark[1] < y + 5]


def test_all_files_are_written_and_the_table_survives(folder: Path) -> None:
    figures = [f"figures/{kind}-{game}.svg" for game in GAMES for kind in ("corner", "strips")]
    paths = [path for path in folder.rglob("*") if path.is_file()]
    names = sorted(path.relative_to(folder).as_posix() for path in paths)
    assert names == sorted(["table.json", "table.md", "study.html", *figures])
    assert all(path.stat().st_size > 500 for path in paths)
    assert load_alignment_study(folder)["games"][0]["rows"][0]["estimates"]["cc"]["value"] is None
    json.loads((folder / "table.json").read_text(), parse_constant=pytest.fail)
    shown = re.findall(r"!\[[^\]]*\]\(([^)]*)\)", (folder / "table.md").read_text(encoding="utf-8"))
    assert shown == figures


def test_the_page_needs_nothing_but_itself_and_says_what_its_ranges_are(folder: Path) -> None:
    page = (folder / "study.html").read_text(encoding="utf-8")
    assert not re.search(r"<(script|link|img|iframe)\b", page)
    assert not re.search(r"(?:src|href)=[\"'](?!#)", page)
    assert page.count("<figure") == 6
    assert page.count("<svg") == 12
    assert page.count("94 % over 5 seeds and 75 % over 3 seeds") == 3
    assert "Greedy is the script honest greedy; cooperative is the script honest cooperative." in page
    settings = "matches 256, probe_steps (split_items 60), overrides none"
    for shown in ("equipoise reproduce alignment", "84 of 84", "6.0 h", "torch 2.13.0", "one recipe", settings):
        assert shown in page


def test_the_markdown_shows_targets_findings_every_arm_and_the_figures_it_is_given(table: Study) -> None:
    text = alignment_study_markdown(table, "../results/alignment/figures")
    assert "](../results/alignment/figures/strips-trust_and_split.svg)" in text
    assert "Made by `equipoise reproduce alignment`." in text
    assert "| Advantage alignment, 5 seeds |" in text
    assert "| Alignment, k \\<= t, 3 seeds |" in text
    assert "Naive: self-play at most 1.1" in text
    assert "- Advantage alignment earns more in self-play than Naive in 3 of 3 games" in text
    assert "![" not in alignment_study_markdown(table)
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1


@pytest.mark.parametrize("keep", [None, 1, 0])
def test_an_unfinished_study_renders_whole(keep: int | None, tmp_path: Path) -> None:
    table = unfinished_table()
    if keep is not None:
        del table["games"][1:]
        for game in table["games"]:
            game["rows"], game["targets"], game["differences"] = game["rows"][:keep], [], []
    paths = write_alignment_study(table, tmp_path)
    page = paths[2].read_text(encoding="utf-8")
    assert page.count("<figure") == {None: 6, 1: 2, 0: 0}[keep]
    assert len(paths) == 3 + page.count("<figure")
    assert "This study is not finished: 31 of 84 cells are done." in page
    for view in (page, alignment_study_markdown(table, "figures"), alignment_study_text(table)):
        assert not re.search(r"\bNone\b(?! of)|\bnan\b", view)


def test_a_study_without_games_says_so(table: Study) -> None:
    table["games"] = []
    assert "No cell of this study is finished." in render_alignment_study(table)
    assert not re.search(r"\bNone\b|\bnan\b", alignment_study_markdown(table) + alignment_study_text(table))


def test_what_a_table_says_is_data_in_every_view(table: Study, tmp_path: Path) -> None:
    del table["games"][1:]
    hostile = "</td><script>alert(1)</script> \x1b[2J \u202eevil {{ 7*7 }} | a [b](javascript:c) `"
    table["title"] = table["notes"][0] = table["command"] = hostile
    game = table["games"][0]
    game["unit"] = game["rows"][3]["label"] = game["players"]["greedy"] = hostile
    game["metrics"][0] |= {"head": hostile, "definition": hostile}
    page, *others = (path.read_text(encoding="utf-8") for path in write_alignment_study(table, tmp_path)[2:])
    assert "<script" not in page
    assert not any("<script" in figure for figure in others)
    markdown, terminal = alignment_study_markdown(table, "figures"), alignment_study_text(table)
    assert "\\<script\\>" in markdown
    code = next(line for line in markdown.splitlines() if line.startswith("Made by `"))
    assert code.count("`") == 2
    assert "](javascript" not in markdown.replace(code, "")
    for view in (page, markdown, terminal, *others):
        assert not re.search("[\x1b\u202e]", view)


@pytest.mark.parametrize("make", [alignment_table, unfinished_table])
def test_the_terminal_summary_fits_80_columns_and_shows_targets_and_medians(make: Callable[[], Study]) -> None:
    table = make()
    table["games"][0]["rows"][0]["label"] = "A label far longer than any column of a terminal could ever be"
    text = alignment_study_text(table)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert re.search(r"^  Naive: self-play at most 1\.1 +1\.00  5 of 5 +met$", text, re.MULTILINE)
    assert re.search(r"^Prisoner's dilemma +play +ation +greedy +takes +naive +gains$", text, re.MULTILINE)
    median = table["games"][0]["rows"][2]["estimates"]["greedy_takes"]["value"]
    assert re.search(rf"^Sum of rewards .*\b{median:.2f}\b", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("schema",), 2, "table.schema: got 2, allowed: 1"),
        (("study",), "sepo", "table.study: got 'sepo', allowed: 'alignment'"),
        (("games", 1, "rows", 0, "kind"), "base", "rows[0].kind: got 'base', allowed: 'start', 'trained', 'reference'"),
        (("games", 1, "rows", 1, "arm"), "start", "table.games[1].rows: got 'start' more than once"),
        (("games", 1, "game"), "prisoners_dilemma", "table.games: got 'prisoners_dilemma' more than once"),
        (("games", 0, "metrics", 1, "key"), "self_play", "table.games[0].metrics: got 'self_play' more than once"),
        (("games", 0, "rows", 1, "values", "cc"), [1.0], "rows[1].values.cc: got 1 values, allowed: 5 values, one per"),
        (("games", 0, "targets", 0, "relation"), "below", "relation: got 'below', allowed: 'at most', 'at least'"),
        (("games", 0, "targets", 0, "met"), False, "targets[0].met: got False, allowed: True, since 1."),
        (("games", 0, "targets", 0, "met"), None, "targets[0].met: got None, allowed: True, since 1."),
        (("games", 0, "targets", 0, "value"), None, "targets[0].met: got True, allowed: None, since None"),
        (("games", 0, "targets", 0, "seeds_met"), 6, "targets[0].seeds_met: got 6, allowed: at most the 5 seeds"),
        (("games", 0, "rows", 0, "estimates", "cc"), 1.0, "estimates.cc: got 1.0, allowed: an object"),
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
        validate_alignment_study(table)
    with pytest.raises(ValueError, match=re.escape(message)):
        write_alignment_study(table, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("content", "message"), [(None, "no study at"), ("{", "is not a readable"), ("{}", "missing")])
def test_loading_a_broken_table_says_so_in_one_line(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "table.json").write_text(content)
    with pytest.raises(ValueError, match=message) as caught:
        load_alignment_study(tmp_path)
    assert "\n" not in str(caught.value)
