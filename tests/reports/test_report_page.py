"""The page: everything in it, nothing fetched, model text escaped, nothing left where data is missing."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from equipoise.reports import render_html
from equipoise.reports.glossary import METRIC, METRICS, ZERO_SUM

Report = dict[str, Any]
VOID = {"meta", "br", "hr", "img", "link", "input", "path", "rect", "use", "circle", "line"}


class Page(HTMLParser):
    """The tags, attributes and text of a page; `open` lists the elements that were left open or closed out of turn."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_page_is_well_formed_and_holds_every_part(report: Report) -> None:
    page = Page(render_html(report))
    assert page.open == []
    assert page.tags.count("figure") == 3
    assert page.tags.count("svg") == 6
    assert page.tags.count("details") == 3 + 2
    for part in (
        "Kuhn poker, one hand",
        "SEPO, exact best response is the least exploitable: exact NashConv 0.0098 [0.0053, 0.0143] chips per hand",
        "The scripted pool ranks the agents in another order",
        "value-aware best response to the base model",
        "fault: unparsable",
        "torch 2.13.0",
        "make demo",
        "it is weak by design",
    ):
        assert part in page.text


def test_every_metric_of_the_table_is_defined_with_unit_and_direction(report: Report) -> None:
    page = Page(render_html(report))
    for key in ZERO_SUM:
        metric = METRIC[key]
        assert metric.definition in page.text
        assert ("href", f"#{metric.key}") in page.attributes
        assert ("id", metric.key) in page.attributes
    assert "Exact, chips per hand, lower is better" in page.text
    assert "Scripted pool, chips per hand, higher is better" in page.text


def test_the_page_fetches_nothing_and_runs_nothing(report: Report) -> None:
    html = render_html(report)
    page = Page(html)
    assert not {"script", "link", "img", "iframe", "object", "embed"} & set(page.tags)
    links = [value or "" for name, value in page.attributes if name in ("src", "href", "srcset", "xlink:href")]
    assert links
    assert all(link.startswith("#") for link in links)
    assert not re.search(r"@import|@font-face|url\((?!#)", html)
    assert "default-src 'none'" in html


def test_text_from_a_model_is_data(report: Report) -> None:
    hostile = (
        "</div><script>alert(1)</script><img src=x onerror=alert(1)> \x00\x1b[2J \u202eevil\u2066 \ud800 {{ 7*7 }}"
    )
    report["transcripts"][1]["messages"][-1]["text"] = hostile
    report["transcripts"][1]["opponent"] = hostile
    report["rows"][0]["label"] = hostile
    report["rows"][0]["opponents"][0]["opponent"] = hostile
    report["policy_table"]["states"][0]["text"] = hostile
    report["policy_table"]["states"][0]["actions"][1] = hostile
    report["notes"] = [hostile]
    report["title"] = report["unit"] = report["command"] = hostile
    report["rows"][0]["faults"] = {hostile: 0.5}
    html = render_html(report)
    page = Page(html)
    assert page.open == []
    assert not {"script", "img"} & set(page.tags)
    assert not any(name.startswith("on") for name, _ in page.attributes)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", html)
    assert "<script>alert(1)</script>" in page.text
    assert "⟨U+0000⟩⟨U+001B⟩[2J ⟨U+202E⟩evil⟨U+2066⟩ ⟨U+D800⟩ {{ 7*7 }}" in page.text
    html.encode("utf-8")


def test_a_minimal_report_leaves_no_holes() -> None:
    nothing = {"value": None, "low": None, "high": None, "n": 0}
    row = {"agent": "base"} | dict.fromkeys(("nash_conv", "pool_exploitability", "payoff", "fault_rate"), nothing)
    page = Page(render_html({"schema": 1, "game": "kuhn_poker", "seconds": 3.0, "rows": [row]}))
    assert page.open == []
    assert not {"figure", "svg", "details"} & set(page.tags)
    assert "No exact NashConv was measured" in page.text
    for absent in ("None", "nan", "Transcripts", "Notes", "Seeds", "n ="):
        assert absent not in page.text


@pytest.mark.parametrize("part", ["curves", "policy_table", "transcripts", "notes", "versions", "seeds", "unit"])
def test_any_optional_part_may_be_missing(report: Report, part: str) -> None:
    del report[part]
    page = Page(render_html(report))
    assert page.open == []
    assert page.tags.count("figure") == (2 if part in ("curves", "policy_table") else 3)
    assert "None" not in page.text


def test_a_winner_is_bold_and_a_tie_is_not(report: Report) -> None:
    assert '<td class="best">0.0098<small>' in render_html(report)
    report["rows"][1]["nash_conv"] = dict(report["rows"][3]["nash_conv"])
    assert '<td class="best">0.0098<small>' not in render_html(report)


def test_nan_and_null_read_as_missing(report: Report) -> None:
    report["rows"][0]["payoff"] |= {"value": float("nan"), "low": float("nan"), "high": None}
    text = Page(render_html(report)).text
    assert "\N{EN DASH}" in text
    assert "nan" not in text


def test_differing_counts_stand_beside_their_values(report: Report) -> None:
    report["rows"][0]["payoff"]["n"] = 77
    text = Page(render_html(report)).text
    assert "n = 77" in text
    assert text.count("n = 12288") == 3


def test_a_general_sum_page_shows_every_metric_and_never_mentions_nash(general_report: Report) -> None:
    page = Page(render_html(general_report))
    assert page.open == []
    assert "Nash" not in page.text
    for metric in METRICS:
        measured = any(metric.key in row for row in general_report["rows"])
        assert (("id", metric.key) in page.attributes) == measured
    assert "Exact, the first 2 of 8 rounds" in page.text
    assert "Here: Defection against a cooperator." in page.text
    assert "Share of rounds in which the player cooperates." in page.text


def test_the_index_stands_first_in_a_general_sum_table_and_nash_conv_in_a_zero_sum_one(
    report: Report, general_report: Report
) -> None:
    for made, first in ((report, "#nash_conv"), (general_report, "#sepo_index")):
        links = [value for name, value in Page(render_html(made)).attributes if name == "href"]
        assert links[0] == first


def test_a_component_that_nobody_was_met_for_is_no_column(general_report: Report) -> None:
    for row in general_report["rows"]:
        row["collusion"] = {"value": 0.0, "low": None, "high": None, "n": 0}
    assert ("id", "collusion") not in Page(render_html(general_report)).attributes


def test_too_large_a_policy_is_named_and_not_drawn(report: Report) -> None:
    states = report["policy_table"]["states"]
    report["policy_table"]["states"] = [dict(states[0], state=f"s{i}", text=f"s{i}") for i in range(500)]
    page = Page(render_html(report))
    assert page.tags.count("figure") == 2
    assert "The policies at 500 information states are stored in report.json" in page.text
