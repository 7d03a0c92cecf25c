"""The figures: well-formed, the same every time, honest about gaps and zeros."""

import copy
import math
import re
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from equipoise.reports.agents import KNOWN, agent_labels, agent_slots
from equipoise.reports.figure_policy import last_action_probability
from equipoise.reports.layout import log_ticks, round_ticks, spread, wrapped
from equipoise.reports.old_figures import learning_curves_svg, policy_svg, ranking_svg, write_figure

SVG = "{http://www.w3.org/2000/svg}"
Report = dict[str, Any]


def all_figures(report: Report, width: int) -> list[str]:
    labels = agent_labels(report)
    return [
        learning_curves_svg(report["curves"], width, labels),
        ranking_svg(report["rows"], width, labels),
        policy_svg(report["policy_table"], width, labels),
    ]


def texts(svg: str) -> list[str]:
    return ["".join(element.itertext()) for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize("width", [350, 720])
def test_figures_are_the_same_text_every_time_and_carry_no_date(report: Report, width: int) -> None:
    first = all_figures(report, width)
    assert first == all_figures(copy.deepcopy(report), width)
    assert not re.search(r"20\d\d-\d\d|Matplotlib|metadata", "".join(first))


@pytest.mark.parametrize("width", [350, 720])
def test_figures_keep_text_as_text_and_colours_as_variables(report: Report, width: int) -> None:
    for svg in all_figures(report, width):
        root = ElementTree.fromstring(svg)
        assert root.get("viewBox", "").startswith(f"0 0 {width} ")
        assert len(texts(svg)) >= 8
        assert "var(--series-3, #00805c)" in svg
        assert "font-family" in root.get("style", "")
        assert svg.count("font-family") == 1
        assert not list(root.iter(f"{SVG}style"))


def test_figures_that_share_a_page_share_no_ids(report: Report) -> None:
    ids = [i for width in (350, 720) for svg in all_figures(report, width) for i in re.findall(r'\bid="([^"]+)"', svg)]
    assert len(ids) == len(set(ids))
    references = {
        i for width in (350, 720) for svg in all_figures(report, width) for i in re.findall(r'href="#([^"]+)"', svg)
    }
    assert references <= set(ids)


def test_a_label_is_data_and_not_markup_or_mathematics(report: Report) -> None:
    for row in report["rows"]:
        row["label"] = "<script>x</script> $\\frac{1 \u202e 勝"
    for svg in all_figures(report, 720):
        ElementTree.fromstring(svg)
        assert "<script" not in svg
        assert "\u202e" not in svg
        assert "&lt;script&gt;" in svg


def test_learning_curves_draw_one_line_a_seed_and_one_median_an_agent(report: Report) -> None:
    svg = learning_curves_svg(report["curves"])
    assert svg.count("stroke-width: 1.2") == 6
    assert svg.count("stroke-width: 2.6") == 2


def test_learning_curves_leave_out_what_is_missing_and_mark_zero(report: Report) -> None:
    curves = report["curves"]
    curves[0]["points"] = [{"step": 0, "nash_conv": None}, {"step": 5, "nash_conv": math.nan}, {"step": 9}]
    assert learning_curves_svg(curves).count("stroke-width: 1.2") == 5
    assert texts(learning_curves_svg(curves)).count("0") == 1
    curves[1]["points"][-1]["nash_conv"] = 0.0
    assert texts(learning_curves_svg(curves)).count("0") == 2


def test_learning_curves_without_a_value_are_refused() -> None:
    with pytest.raises(ValueError, match="no positive 'nash_conv'"):
        learning_curves_svg([{"agent": "base", "points": [{"step": 0, "payoff": 1.0}]}])


def test_a_curve_of_one_point_is_drawn() -> None:
    svg = learning_curves_svg([{"agent": "base", "points": [{"step": 0, "nash_conv": 0.5}]}])
    assert "base" in texts(svg)


def test_the_ranking_orders_each_side_by_its_own_metric(report: Report) -> None:
    order = [text for text in texts(ranking_svg(report["rows"])) if text in agent_labels(report).values()]
    assert order[:4] == ["SEPO, scripted pool", "SEPO, exact best response", "SFT", "Base"]
    assert order[4:] == ["SEPO, exact best response", "SFT", "SEPO, scripted pool", "Base"]


def test_the_ranking_leaves_out_rows_without_both_values(report: Report) -> None:
    report["rows"][0]["nash_conv"]["value"] = None
    assert "Base" not in texts(ranking_svg(report["rows"]))
    with pytest.raises(ValueError, match="no row with both"):
        ranking_svg(report["rows"][:1])


def test_the_policy_figure_names_every_state_and_draws_every_band(report: Report) -> None:
    svg = policy_svg(report["policy_table"], 720, agent_labels(report))
    assert {"Seat 0", "Seat 1", "Queen, facing a bet: call"} <= set(texts(svg))
    assert svg.count("var(--band") == 12 + 1  # one per state and one in the legend
    with pytest.raises(ValueError, match="without states or agents"):
        policy_svg({"states": []})


def test_the_policy_figure_drops_the_fault_panel_when_faults_were_not_measured(report: Report) -> None:
    for state in report["policy_table"]["states"]:
        for agent in state["agents"].values():
            del agent["outside"]
    assert "reply not legal" not in texts(policy_svg(report["policy_table"]))


def test_the_last_action_is_read_given_a_legal_reply() -> None:
    assert last_action_probability([0.3, 0.1]) == pytest.approx(0.25)
    assert last_action_probability([0.0, 0.0]) is None
    assert last_action_probability([0.5, None]) is None


def test_a_written_figure_brings_its_ground_and_both_colour_schemes(report: Report, tmp_path: Path) -> None:
    path = write_figure(learning_curves_svg(report["curves"]), tmp_path / "docs" / "curves.svg")
    root = ElementTree.parse(path).getroot()
    assert "prefers-color-scheme: dark" in (root.findtext(f"{SVG}style") or "")
    ground = root.find(f"{SVG}rect")
    assert ground is not None
    assert "var(--ground" in ground.get("style", "")


def test_colours_stay_with_the_known_agents_and_no_two_agents_of_eight_share_one() -> None:
    assert agent_slots(reversed(KNOWN)) == {agent: slot for slot, agent in enumerate(KNOWN)}
    slots = agent_slots(["other", *KNOWN, "b", "c", "d"])
    assert len(set(slots.values())) == 8
    assert slots["sft"] == 1


def test_ticks_are_round_and_inside() -> None:
    assert log_ticks(0.008, 0.6) == pytest.approx([0.01, 0.02, 0.05, 0.1, 0.2, 0.5])
    assert log_ticks(1e-5, 1.0) == pytest.approx([1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0])
    assert round_ticks(200, 6) == [0, 50, 100, 150, 200]
    assert round_ticks(0.05, 2) == pytest.approx([0, 0.05])


def test_labels_are_spread_in_order_and_inside() -> None:
    placed = spread([50, 52, 51, 195], [20, 20, 20, 20], 10, 200)
    assert sorted(range(4), key=placed.__getitem__) == [0, 2, 1, 3]
    ordered = sorted(placed)
    assert all(b - a >= 20 - 1e-9 for a, b in pairwise(ordered))
    assert min(placed) >= 10
    assert max(placed) <= 200
    assert spread([20, 100], [10, 10], 0, 200) == [20, 100]


def test_long_text_is_cut_with_an_ellipsis() -> None:
    assert wrapped("one two three four", 9) == ["one two", "three…"]
    assert wrapped("", 9) == [""]
