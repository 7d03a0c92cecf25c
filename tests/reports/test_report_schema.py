"""report.json: what is refused and in which words, and what survives being written and read."""

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equipoise.files import write_atomically
from equipoise.reports import clean_report, load_report, report_text, validate_report, write_report
from equipoise.reports.glossary import METRICS, Metric

Report = dict[str, Any]


def minimal() -> Report:
    """A report with the required keys alone."""
    blank = {"value": 0.5, "low": None, "high": None, "n": 1, "level": 0.95, "method": "exact"}
    row = {"agent": "base", "nash_conv": blank, "pool_exploitability": blank, "payoff": blank, "fault_rate": blank}
    return {"schema": 1, "game": "kuhn_poker", "seconds": 1.0, "rows": [row]}


def test_a_complete_and_a_minimal_report_are_valid(report: Report) -> None:
    validate_report(report)
    validate_report(minimal())


def test_a_game_without_nash_conv_or_exploiters_has_a_valid_report() -> None:
    report = minimal()
    del report["rows"][0]["nash_conv"], report["rows"][0]["pool_exploitability"]
    validate_report(report)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.key)
def test_every_metric_of_a_row_must_be_an_estimate(metric: Metric) -> None:
    report = minimal()
    report["rows"][0][metric.key] = 0.5
    with pytest.raises(ValueError, match=re.escape(f"report.rows[0].{metric.key}: got 0.5, allowed: an object")):
        validate_report(report)


@pytest.mark.parametrize("key", ["schema", "game", "seconds", "rows"])
def test_a_missing_key_is_named(key: str) -> None:
    report = minimal()
    del report[key]
    with pytest.raises(ValueError, match=f"report: the key '{key}' is missing"):
        validate_report(report)


@pytest.mark.parametrize("key", ["agent", "payoff", "fault_rate"])
def test_a_missing_key_of_a_row_is_named_with_its_place(key: str) -> None:
    report = minimal()
    del report["rows"][0][key]
    with pytest.raises(ValueError, match=re.escape(f"report.rows[0]: the key '{key}' is missing")):
        validate_report(report)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("schema",), 2, "report.schema: got 2, allowed: 1"),
        (("seconds",), "long", "report.seconds: got 'long', allowed: a finite number"),
        (("seconds",), True, "report.seconds: got True, allowed: a finite number"),
        (("rows",), [], "report.rows: got no rows"),
        (("rows", 1, "agent"), "base", "report.rows: got 'base' more than once"),
        (("rows", 2, "payoff", "value"), "0.1", "report.rows[2].payoff.value: got '0.1', allowed: a finite number"),
        (("rows", 0, "nash_conv", "low"), 9.0, "report.rows[0].nash_conv: got low 9.0 above high"),
        (("rows", 0, "nash_conv", "n"), 2.5, "report.rows[0].nash_conv.n: got 2.5, allowed: a whole number"),
        (("rows", 0, "opponents", 3, "pool"), "mean", "report.rows[0].opponents[3].pool: got 'mean', allowed: 'train'"),
        (("curves", 0, "points", 1, "nash_conv"), [], "report.curves[0].points[1].nash_conv: got []"),
        (("policy_table", "states", 0, "nash_low"), [0.0], "states[0].nash_low: got [0.0], allowed: 2 numbers"),
        (
            ("policy_table", "states", 0, "agents", "sft", "outside"),
            1.5,
            "agents.sft.outside: got 1.5, allowed: a prob",
        ),
        (("transcripts", 0, "messages", 0, "role"), "tool", "messages[0].role: got 'tool', allowed: 'system', 'user'"),
        (("exact",), 2, "report.exact: got 2, allowed: text"),
        (("hazards",), {"collusion": {}}, "report.hazards.collusion: the key 'definition' is missing"),
        (("rows", 0, "figures"), {"low_bids": 1}, "report.rows[0].figures.low_bids: got 1, allowed: an object"),
        (("notes",), "one", "report.notes: got 'one', allowed: a list"),
    ],
)
def test_a_wrong_value_is_told_with_place_and_remedy(
    report: Report, place: tuple[Any, ...], value: Any, message: str
) -> None:
    target: Any = report
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = value
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        validate_report(report)
    assert "\n" not in str(caught.value)


def test_a_report_survives_a_round_trip(report: Report, tmp_path: Path) -> None:
    html = write_report(report, tmp_path / "run")
    assert html == tmp_path / "run" / "report.html"
    assert load_report(tmp_path / "run") == report
    assert load_report(tmp_path / "run" / "report.json") == report


def test_the_same_report_gives_the_same_bytes(report: Report, tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    write_report(report, first)
    write_report(dict(reversed(report.items())), second)
    assert (first / "report.json").read_bytes() == (second / "report.json").read_bytes()
    assert (first / "report.html").read_bytes() == (second / "report.html").read_bytes()


def test_nan_infinity_and_numpy_values_become_plain_json(report: Report, tmp_path: Path) -> None:
    report["rows"][0]["nash_conv"] |= {"value": np.float64(0.5), "low": math.nan, "high": np.float32("nan")}
    report["rows"][1]["train_seconds"] = math.inf
    report["seeds"] = np.arange(3)
    write_report(report, tmp_path)
    stored = json.loads((tmp_path / "report.json").read_text(), parse_constant=pytest.fail)
    assert stored["rows"][0]["nash_conv"] == {
        "value": 0.5, "low": None, "high": None, "n": 3, "level": 0.95, "method": "exact"
    }  # fmt: skip
    assert stored["rows"][1]["train_seconds"] is None
    assert stored["seeds"] == [0, 1, 2]


def test_clean_report_leaves_its_argument_alone() -> None:
    value = {"a": [math.nan, (1, np.int64(2))]}
    assert clean_report(value) == {"a": [None, [1, 2]]}
    assert math.isnan(value["a"][0])  # type: ignore[arg-type]


def test_a_wrong_report_leaves_the_old_files_alone(report: Report, tmp_path: Path) -> None:
    write_report(report, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    del report["rows"][0]["payoff"]
    with pytest.raises(ValueError, match="'payoff' is missing"):
        write_report(report, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_failed_write_leaves_no_temporary_file(tmp_path: Path) -> None:
    target = tmp_path / "taken"
    target.mkdir()
    with pytest.raises(OSError, match="taken"):
        write_atomically(target, "text")
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no report at"),
        ("{", "is not a readable report"),
        ("[]", "report: got [], allowed: an object"),
        ('{"schema": 1, "game": "kuhn_poker", "seconds": 1}', "the key 'rows' is missing"),
    ],
)
def test_loading_a_missing_or_broken_report_says_so_in_one_line(
    tmp_path: Path, content: str | None, message: str
) -> None:
    if content is not None:
        (tmp_path / "report.json").write_text(content)
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        load_report(tmp_path)
    assert "report.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_terminal_table_fits_80_columns_and_names_every_agent(report: Report) -> None:
    report["rows"][0]["label"] = "A label that is far longer than any column of the table could be"
    text = report_text(report)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "exact NashConv" in text
    for part in ("A label that", "SFT", "0.0098", "[0.0053, 0.0143]", "chips per hand"):
        assert part in text


def test_the_terminal_table_spells_out_control_characters(report: Report) -> None:
    report["rows"][0]["label"] = "\x1b[2Jgone"
    text = report_text(report)
    assert "\x1b" not in text
    assert "⟨U+001B⟩" in text


def test_the_terminal_table_of_a_general_sum_game_starts_with_the_index(general_report: Report) -> None:
    text = report_text(general_report)
    assert max(len(line) for line in text.splitlines()) <= 80
    head = next(line for line in text.splitlines() if "SEPO index" in line and "fault %" in line)
    assert head.split() == ["SEPO", "index", "pool", "exploit.", "payoff", "fault", "%"]
    assert "exact worst case" in text
    assert "collusion" in text
    assert "Exact figures: the first 2 of 8 rounds." in " ".join(text.split())
    assert "NashConv" not in text
