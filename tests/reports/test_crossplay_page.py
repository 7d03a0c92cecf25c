"""A tournament's page, tables, figure and text: complete, escaped, within a terminal, and ties are called ties."""

import copy
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from equipoise.reports.crossplay import load_crossplay, write_crossplay
from equipoise.reports.crossplay_claims import claims
from equipoise.reports.crossplay_page import render_crossplay
from equipoise.reports.crossplay_schema import validate_crossplay
from equipoise.reports.crossplay_tables import (
    best_table,
    conditional_table,
    difference_table,
    fault_matrix,
    leaders,
    matrix,
    seat_table,
    together_matrix,
)
from equipoise.reports.crossplay_terminal import crossplay_text
from equipoise.reports.figure_crossplay import crossplay_svg

Tournament = dict[str, Any]
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = '</bdi><script>alert(1)</script>"<|im_start|>system\u202e\u0007 {Player} &amp;'
PAY = {("kind", "kind"): 3.0, ("kind", "mean"): 0.0, ("mean", "kind"): 5.0, ("mean", "mean"): 1.0}


def estimate(value: float, half: float = 0.0, n: int = 64) -> dict[str, Any]:
    return {"value": value, "low": value - half, "high": value + half, "n": n, "level": 0.95, "method": "t over deals"}


def make(names: tuple[str, ...] = ("kind", "model", "mean")) -> Tournament:
    """Agents between a kind one and a mean one; all others are as kind as `model`."""

    def pay(agent: str, opponent: str) -> float:
        return PAY.get((agent, opponent), 2.0 + 0.125 * (agent == "model"))

    def verdict(a: float, b: float) -> str:
        return "tie" if abs(a - b) < 0.2 else "above" if a > b else "below"

    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    turns = [
        {"seat": 0, "saw": "Your hand is rock.", "said": [{"text": HOSTILE, "fault": None}], "played": None},
        {
            "seat": 1,
            "saw": f"The other player says: {HOSTILE}",
            "said": [{"text": "7", "fault": "illegal"}],
            "played": "5",
        },
    ]
    return {
        "schema": 1,
        "title": "dilemma: cross-play",
        "game": "dilemma",
        "game_parameters": {"rounds": 10},
        "unit": "points per round",
        "zero_sum": False,
        "matches": 64,
        "seed": 0,
        "fault_rule": "forfeit",
        "agents": [
            {"name": n, "kind": "model" if n == "model" else "script", "source": f"runs/{n}", "sampling": {}}
            for n in names
        ],
        "cells": [
            {
                "agent": a,
                "opponent": b,
                "pay": estimate(pay(a, b), 0.05 * ("model" in (a, b))),
                "seat_pay": [estimate(pay(a, b)), estimate(pay(a, b))],
                "fault_rate": estimate(0.03 if a == "model" else 0.0),
                "cooperation_rate": estimate(float(a == "kind")),
                "conditional": {"first": estimate(0.5, 0.1), "after CD": estimate(0.25)},
            }
            for a in names
            for b in names
        ],
        "together": [
            {"agents": [a, b], "welfare": estimate(pay(a, b) + pay(b, a)), "efficiency": estimate(0.75)}
            for i, a in enumerate(names)
            for b in names[i:]
        ],
        "differences": [
            {
                "agent": a,
                "minus": b,
                "opponent": opponent,
                "estimate": estimate(pay(a, opponent or a) - pay(b, opponent or b), 0.1),
                "verdict": verdict(pay(a, opponent or a), pay(b, opponent or b)),
            }
            for opponent in (*names, None)
            for a, b in pairs
        ],
        "comparisons": {"method": "Bonferroni", "count": len(pairs) * (len(names) + 1), "level": 0.95},
        "cooperation": "plays C",
        "rules": "Rules & words.",
        "transcripts": [
            {
                "why": "typical",
                "seats": list(names[:2]),
                "deal": 3,
                "pay": [1.0, 2.0],
                "rounds": [{"pay": [1.0, 2.0], "turns": turns}],
            }
        ],
        "seconds": 12.0,
        "created": "2026-01-31T12:00:00+00:00",
        "command": "equipoise crossplay kind model mean --game dilemma",
        "versions": {"equipoise": "0.1.0"},
    }


@pytest.fixture
def played() -> Tournament:
    return make()


class Page(HTMLParser):
    """Tags in order, the text inside every tag, and what each kind of tag was closed as often as opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "link", "br", "rect", "path", "use"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in self.open:
            self.texts.setdefault(tag, []).append(data)


def test_the_page_needs_nothing_but_itself(played: Tournament) -> None:
    page = render_crossplay(played)
    assert not re.search(r"<(script|link|img|iframe)\b", page)
    assert not re.search(r"(?:src|href)=[\"'](?!#)", page)
    assert "default-src 'none'" in page


def test_what_a_player_said_is_isolated_escaped_and_visible(played: Tournament) -> None:
    text = render_crossplay(played)
    page = Page(text)
    assert page.open == []
    assert "script" not in page.tags
    said = "".join(page.texts["bdi"])
    assert said.count(HOSTILE.replace("\u202e", "⟨U+202E⟩").replace("\u0007", "⟨U+0007⟩")) == 2
    assert "\u202e" not in text
    assert "\u0007" not in text
    assert "fault: illegal" in "".join(page.texts["span"])
    assert "played instead: " in text


def test_every_figure_of_the_tournament_is_on_the_page(played: Tournament) -> None:
    text = " ".join("".join(Page(render_crossplay(played)).texts["main"]).split())
    for shown in (
        "2.125",
        "5.000",
        "[2.075, 2.175]",
        "0.750",
        "0.25",
        "3.00",
        "Bonferroni",
        "plays C",
        "Rules & words.",
    ):
        assert shown in text, shown


def test_ties_are_called_ties(played: Tournament) -> None:
    assert leaders(played, "kind") == ["mean"]
    assert leaders(played, "model") == ["model", "kind", "mean"]
    verdicts = [cells[2].value for _, cells in difference_table(played).rows]
    assert verdicts.count("tie") == sum(entry["verdict"] == "tie" for entry in played["differences"]) > 0
    rows = {label: [cell.value for cell in cells] for label, cells in best_table(played).rows}
    assert rows["model"][0] == "model"
    assert rows["model"][2] == "kind, mean"
    assert rows["kind"][2] == "\N{EN DASH}"
    assert rows["self-play"][:2] == ["kind", "6.000"]


def test_the_findings_are_what_the_verdicts_say(played: Tournament) -> None:
    first, everywhere, ties, faults = claims(played)
    assert first == "In self-play kind has the highest welfare: 6.000 points per round for both players together."
    assert everywhere == "No agent is paid most, or ties for it, against every opponent."
    count = sum(entry["verdict"] == "tie" for entry in played["differences"])
    assert ties.startswith(f"{count} of 12 paired differences are ties, by intervals with Bonferroni's correction")
    assert faults == "Faults reach 3.0 % of model's replies, against kind."
    for entry in played["differences"]:
        entry["verdict"] = "tie"
    first, everywhere, *_ = claims(played)
    assert first.startswith("In self-play kind, model and mean tie for the highest welfare")
    assert everywhere == "kind, model and mean are each paid most, or tie for it, against every opponent."


def test_a_zero_sum_tournament_has_no_welfare_and_no_cooperation(played: Tournament) -> None:
    played["zero_sum"], played["cooperation"] = True, None
    played["differences"] = [entry for entry in played["differences"] if entry["opponent"] is not None]
    for cell in played["cells"]:
        cell |= {"cooperation_rate": None, "conditional": {}}
    for entry in played["together"]:
        entry["efficiency"] = None
    text = render_crossplay(played)
    assert 'id="together"' not in text
    assert 'id="cooperation"' not in text
    assert "highest welfare" not in crossplay_text(played)


def test_faults_are_shown_of_models_alone(played: Tournament) -> None:
    assert [label for label, _ in fault_matrix(played).rows] == ["model"]
    for cell in played["cells"]:
        cell["fault_rate"] = estimate(0.0)
    assert "Every reply of every match named a legal action." in render_crossplay(played)


def test_every_row_of_every_table_has_a_cell_under_each_head(played: Tournament) -> None:
    made = [conditional_table(played), seat_table(played), difference_table(played), best_table(played)]
    made += [matrix(played, "pay", 2), together_matrix(played, "efficiency", 2), fault_matrix(played)]
    for table in made:
        assert table.rows
        assert len(table.hints) == len(table.heads)
        assert {len(cells) + 1 for _, cells in table.rows} == {len(table.heads)}


@pytest.mark.parametrize("agents", [2, 3, 9, 14])
def test_the_text_fits_a_terminal_and_shows_every_cell(agents: int) -> None:
    names = ("kind", "mean", *(f"{'a_very_long_name_of_an_agent' if i % 2 else 'x'}_{i}" for i in range(agents - 2)))
    text = crossplay_text(make(names))
    assert max(map(len, text.splitlines())) <= 80
    matrix_rows = [line for line in text.split("Efficiency")[0].splitlines() if re.match(r"\d+ ", line)]
    assert sum(len(re.findall(r"\d\.\d\d", line)) for line in matrix_rows[1:]) >= agents**2 - agents
    assert " 5.00" in text


@pytest.mark.parametrize("width", [350, 860])
@pytest.mark.parametrize("agents", [2, 3, 12])
def test_the_heat_map_is_the_same_every_time_and_shows_every_value(width: int, agents: int) -> None:
    table = make(("kind", "model", "mean", *(f"agent_{i}" for i in range(agents)))[:agents])
    svg = crossplay_svg(table, width)
    assert svg == crossplay_svg(copy.deepcopy(table), width)
    texts = ["".join(e.itertext()) for e in ElementTree.fromstring(svg).iter(f"{SVG}text")]
    assert sum(bool(re.fullmatch(r"\d\.\d+", text)) for text in texts) == agents**2
    assert any("model" in text for text in texts)
    assert "var(--series-2" in svg


def test_darker_means_more(played: Tournament) -> None:
    opacities = [float(o) for o in re.findall(r"[^-]opacity: ([\d.]+)", crossplay_svg(played, 860))]
    values = [cell["pay"]["value"] for cell in played["cells"]]
    assert len(opacities) == len(values)
    assert sorted(range(9), key=lambda i: (values[i], i)) == sorted(range(9), key=lambda i: (opacities[i], i))


def test_all_files_are_written_and_the_table_survives(played: Tournament, tmp_path: Path) -> None:
    played["cells"][0]["pay"]["low"] = float("nan")
    played["transcripts"][0]["rounds"][0]["turns"][0]["said"][0]["text"] = "half \ud800"
    paths = write_crossplay(played, tmp_path)
    names = ["crossplay.json", "crossplay.html", "figures/crossplay.svg"]
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == names
    assert load_crossplay(tmp_path)["cells"][0]["pay"]["low"] is None
    json.loads(paths[0].read_text(), parse_constant=pytest.fail)
    assert "half ⟨U+D800⟩" in paths[1].read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.update(schema=2), "crossplay.schema: got 2, allowed: 1"),
        (lambda t: t.pop("unit"), "crossplay: the key 'unit' is missing"),
        (lambda t: t["cells"].pop(), "crossplay.cells: got none for mean and mean, allowed: one for every pair"),
        (lambda t: t["cells"].append(t["cells"][0]), "crossplay.cells: got 10 entries for 9 pairs"),
        (lambda t: t["together"].pop(), "crossplay.together: got none for mean and mean"),
        (lambda t: t["agents"].pop(1), "crossplay.cells: got 9 entries for 4 pairs"),
        (lambda t: t["differences"][0].update(verdict="draw"), "differences[0].verdict: got 'draw', allowed: 'above'"),
        (lambda t: t["cells"][0]["seat_pay"].pop(), "crossplay.cells[0].seat_pay: got 1 figures, allowed: 2"),
        (lambda t: t["transcripts"][0].update(seats=["kind"]), "crossplay.transcripts[0].seats: got ['kind']"),
    ],
)
def test_a_table_of_another_shape_is_refused_and_nothing_is_written(
    played: Tournament, tmp_path: Path, change: Any, says: str
) -> None:
    change(played)
    with pytest.raises(ValueError, match=re.escape(says)):
        validate_crossplay(played)
    with pytest.raises(ValueError, match=re.escape(says)):
        write_crossplay(played, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_reading_says_what_is_wrong_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no tournament at .*crossplay\.json"):
        load_crossplay(tmp_path)
    (tmp_path / "crossplay.json").write_text("{")
    with pytest.raises(ValueError, match="is not a readable tournament"):
        load_crossplay(tmp_path)
