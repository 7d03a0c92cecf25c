"""The figures of a document: well-formed, the same every time, honest about outliers, gaps and zeros."""

import math
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from documents import AGENTS, HOSTILE, figures, hostile_document, plots

from equipoise.reports.colours import INKS, MARKERS, SERIES
from equipoise.reports.document import Figure
from equipoise.reports.figures import PHONE, WIDE, draw, file_names, svg
from equipoise.reports.figures_style import clipped_range, mark_of, wrapped
from equipoise.reports.plots import (
    Curves,
    Heatmap,
    Interval,
    Intervals,
    Line,
    Panel,
    Plot,
    Policies,
    Ranked,
    Ranking,
    Scatter,
    StatePoint,
    Strips,
)
from equipoise.reports.svg import write_figure

SVG = "{http://www.w3.org/2000/svg}"
KINDS = sorted(plots())


def figure(plot: Plot, name: str = "drawing") -> Figure:
    """The plot as a figure of a document."""
    return Figure(name, "A drawing", "Its caption", plot)


def texts(drawing: str) -> list[str]:
    """Every line of text in a drawing."""
    return ["".join(node.itertext()).strip() for node in ElementTree.fromstring(drawing).iter(f"{SVG}text")]


@pytest.mark.parametrize("width", [WIDE, PHONE])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_drawn_as_one_well_formed_svg_of_its_width(kind: str, width: int) -> None:
    drawing = svg(figure(plots()[kind], kind), width)
    root = ElementTree.fromstring(drawing)
    assert root.tag == f"{SVG}svg"
    assert root.get("viewBox", "").startswith(f"0 0 {width} ")
    assert root.find(f"{SVG}title") is not None
    assert root.find(f"{SVG}style") is None
    assert drawing == svg(figure(plots()[kind], kind), width)


@pytest.mark.parametrize("kind", KINDS)
def test_every_colour_follows_the_page(kind: str) -> None:
    drawing = svg(figure(plots()[kind]))
    named = {ink.light for ink in INKS}
    fallbacks = set(re.findall(r"var\(--[\w-]+, (#[0-9a-f]{6})\)", drawing))
    assert fallbacks <= named
    assert set(re.findall(r"#[0-9a-f]{6}", drawing)) == fallbacks


@pytest.mark.parametrize("kind", KINDS)
def test_two_figures_of_one_page_share_no_id(kind: str) -> None:
    drawn = [svg(figure(plots()[kind], "same"), width) for width in (WIDE, PHONE)]
    ids = [re.findall(r'\bid="([^"]+)"', drawing) for drawing in drawn]
    assert not set(ids[0]) & set(ids[1])
    for drawing, own in zip(drawn, ids, strict=True):
        used = re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', drawing)
        assert {first or second for first, second in used} <= set(own)


@pytest.mark.parametrize("kind", ["curves", "scatter", "policies", "ranking", "strips", "intervals"])
def test_every_agent_is_named_and_has_its_own_colour(kind: str) -> None:
    drawing = svg(figure(plots()[kind]))
    for slot, agent in enumerate(AGENTS):
        assert any(agent.split()[0] in text for text in texts(drawing))
        if kind not in ("strips",):  # whose example has other places
            assert SERIES[slot].name in drawing


def test_an_outlier_leaves_the_axis_of_intervals_and_is_named_at_an_arrow() -> None:
    near = [Interval(f"agent {i}", i, i / 10, i / 10 - 0.1, i / 10 + 0.1) for i in range(6)]
    plot = Intervals("points", [*near, Interval("far", 6, -41.5, -42.0, -41.0)])
    low, high = draw(plot).axes[0].get_xlim()
    assert -1 < low < high < 2
    assert "−41.50" in texts(svg(figure(plot)))
    assert any("cut off" in text for text in texts(svg(figure(plot))))
    shown = draw(Intervals("points", near)).axes[0].get_xlim()
    assert shown[0] <= -0.1
    assert shown[1] >= 0.6
    assert not any("cut off" in text for text in texts(svg(figure(Intervals("points", near)))))


def test_an_end_of_an_interval_beyond_the_axis_is_named_too() -> None:
    rows = [Interval(f"agent {i}", i, i / 10, i / 10 - 0.1, i / 10 + 0.1) for i in range(6)]
    plot = Intervals("points", [*rows, Interval("wide", 6, 0.2, -30.0, 31.0)])
    found = texts(svg(figure(plot)))
    assert "31.00" in found
    assert "−30.00" in found


@pytest.mark.parametrize(
    ("values", "inside", "outside"),
    [
        ([0.0, 0.1, 0.2, 0.3, 50.0], [0.0, 0.3], [50.0]),
        ([0.0, 0.1, 0.2, 0.3, 0.6], [0.0, 0.6], []),
        ([0.0, 0.0, 0.0, 0.0, 5.0], [0.0, 5.0], []),  # all others are equal: nothing is squeezed
        ([1.0, 1.1, 1.2, 9.0, 9.1, 9.2], [1.0, 9.2], []),  # two groups, no outlier
        ([-7.0], [-7.0], []),
        ([math.nan, 1.0], [1.0], []),
    ],
)
def test_an_axis_is_clipped_only_for_what_is_far_off(
    values: list[float], inside: list[float], outside: list[float]
) -> None:
    low, high = clipped_range(values)
    assert all(low < value < high for value in inside)
    assert not any(low <= value <= high for value in outside)


def test_zeros_lie_on_a_line_marked_0_of_a_log_scale() -> None:
    line = Line("agent", 0, [[(0, 0.5), (1, 0.1), (2, 0.0)]])
    axes = draw(Curves("step", "value", [line], log=True)).axes[0]
    bottom = axes.get_ylim()[0]
    assert axes.get_yscale() == "log"
    assert bottom > 0
    assert min(axes.lines[0].get_ydata()) == pytest.approx(bottom)
    assert "0" in texts(svg(figure(Curves("step", "value", [line], log=True))))


def test_a_log_scale_without_positive_values_is_a_plain_one() -> None:
    assert draw(Curves("step", "value", [Line("a", 0, [[(0, 0.0)]])], log=True)).axes[0].get_yscale() == "linear"


def test_the_bold_line_is_the_median_over_seeds_where_all_measured() -> None:
    runs = [[(0, 1.0), (1, 2.0)], [(0, 3.0), (1, 8.0)], [(0, 2.0)]]
    axes = draw(Curves("step", "value", [Line("agent", 0, runs)])).axes[0]
    bold = max(axes.lines, key=lambda line: line.get_linewidth())
    assert list(bold.get_xdata()) == [0]
    assert list(bold.get_ydata()) == [2.0]


def test_a_heatmap_leaves_missing_values_out_and_tells_signs_apart() -> None:
    values = [[1.0, None], [-2.0, math.nan]]
    axes = draw(Heatmap(["a", "b"], values, "points")).axes[0]
    assert len(axes.patches) == 2
    assert axes.patches[0].get_facecolor()[:3] != axes.patches[1].get_facecolor()[:3]
    assert axes.patches[1].get_alpha() > axes.patches[0].get_alpha()


def test_equal_values_draw_no_crossing() -> None:
    rows = [Ranked(name, i, 0.0, value, "0", str(value)) for i, (name, value) in enumerate([("b", 0.2), ("a", 0.1)])]
    lines = draw(Ranking("left", "right", rows)).axes[0].lines
    assert [list(line.get_ydata()) for line in lines] == [[1, 1], [0, 0]]


@pytest.mark.parametrize("width", [WIDE, PHONE])
@pytest.mark.parametrize(
    "plot",
    [
        Curves("step", "value", []),
        Curves("step", "value", [Line("agent", 0, []), Line("other", None, [[], [(1, math.nan)]])], log=True),
        Intervals("points", []),
        Intervals("points", [Interval("agent", 0, math.nan, None, math.inf)]),
        Scatter("x", "y", []),
        Strips([]),
        Strips([Panel("measure", [])]),
        Strips([Panel(f"measure {i}", [Interval("agent", 0, float(i))]) for i in range(7)]),
        Heatmap([], [], "points"),
        Policies([], []),
        Policies([("agent", 0)], [StatePoint("state", "", None, [None], [None])]),
        Ranking("left", "right", []),
    ],
)
def test_a_plot_without_values_is_drawn_empty(plot: Plot, width: int) -> None:
    assert svg(figure(plot), width).startswith("<svg")


def test_hostile_names_are_text_and_never_markup() -> None:
    for shown in hostile_document().figures():
        for width in (WIDE, PHONE):
            root = ElementTree.fromstring(svg(shown, width))
            assert {node.tag for node in root.iter()} <= {
                f"{SVG}{name}"
                for name in ("svg", "title", "g", "defs", "path", "text", "tspan", "use", "clipPath", "rect")
            }


def test_names_of_files_are_safe_and_all_different() -> None:
    names = [*HOSTILE, "../../etc/passwd", "Same name", "same-name", ""]
    found = file_names([figure(Strips([]), name) for name in names])
    assert len(set(found)) == len(found)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) for name in found)


def test_a_figure_as_a_file_has_its_own_ground_and_colours(tmp_path: Path) -> None:
    path = write_figure(svg(figures(["curves"])[0]), tmp_path / "curves.svg")
    root = ElementTree.parse(path).getroot()
    style = root.find(f"{SVG}style")
    assert style is not None
    assert "prefers-color-scheme: dark" in str(style.text)
    assert root.find(f"{SVG}rect") is not None


@pytest.mark.parametrize(
    "text", ["short", "two words", "w" * 500, "", "_hidden", "a b c d e f g h i j k l m n o p q r s"]
)
def test_wrapped_text_keeps_to_its_lines_and_says_what_is_missing(text: str) -> None:
    lines = wrapped(text, 60, 2).split("\n")
    assert len(lines) <= 2
    whole = "".join(lines).replace("\u200a", "").replace(" ", "") == text.replace(" ", "")
    assert whole != lines[-1].endswith("…")


def test_agents_beyond_the_colours_differ_by_their_marker() -> None:
    def look(slot: int) -> tuple[Any, Any]:
        return mark_of(slot)["marker"], mark_of(slot)["markerfacecolor"]

    assert len({look(slot) for slot in range(2 * len(MARKERS))}) == 2 * len(MARKERS)
