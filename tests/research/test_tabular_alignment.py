import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from research.memory_one import mixed_groups, shared_groups
from research.memory_one_training import TabularSettings, objective_arms, raw_returns, train_memory_one
from research.tabular_alignment import TabularAlignmentStudy, conditions, tabular_alignment_study
from research.tabular_alignment_report import alignment_text, rule_label, write_alignment, write_figure

STORED = Path(__file__).parents[2] / "results" / "alignment" / "tabular"
RULES = ["naive", "sum of rewards", *(f"alignment {beta}" for beta in ("0", "0.5", "1", "2"))]
RULES += [f"inclusive {beta}" for beta in ("0.5", "1", "2")]


@pytest.fixture(scope="module")
def table() -> dict[str, Any]:
    short = conditions(TabularSettings(steps=10))
    return tabular_alignment_study(TabularAlignmentStudy(seeds=2, draws=20), compared=short[:3])


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((STORED / "table.json").read_text(encoding="utf-8"))
    return found


def test_a_condition_changes_one_setting_of_self_play_or_of_playing_past_selves() -> None:
    base = TabularSettings()
    half = ("past_probability", 0.5)
    changes = {
        condition.name: {key: value for key, value in vars(condition.base).items() if value != getattr(base, key)}
        for condition in conditions()
    }
    starts = [changes.pop(name) for name in list(changes) if name.startswith("start")]
    assert changes == {
        "self-play": {},
        "past selves": dict([half]),
        "past, shared groups": dict([half, ("pairing", shared_groups)]),
        "past, mixed groups": dict([half, ("pairing", mixed_groups)]),
        "no baseline": {"baseline": raw_returns},
        "divisor 1": {"reward_divisor": 1.0},
        "one seat": {"seats": 1},
        "no entropy": {"entropy": 0.0},
    }
    assert [set(start) for start in starts] == [{"start"}] * 4
    assert [start["start"][0] for start in starts] == [-4.0, -2.0, 2.0, 4.0]


def test_the_name_of_a_start_is_its_probability() -> None:
    # 1 / (1 + e^4) = 0.018 and 1 / (1 + e^2) = 0.119
    names = [condition.name for condition in conditions() if condition.name.startswith("start")]
    assert names == ["start at 2 %", "start at 12 %", "start at 88 %", "start at 98 %"]


def test_every_rule_is_trained_under_the_same_settings(table: dict[str, Any]) -> None:
    for condition in table["conditions"]:
        assert [rule_label(row) for row in condition["rows"]] == RULES
        settings = [{**row["settings"], "beta": None} for row in condition["rows"]]
        assert all(each == settings[0] for each in settings)
        assert len({(row["baseline"], row["pairing"]) for row in condition["rows"]}) == 1


def test_the_text_shows_every_row_in_80_columns(table: dict[str, Any]) -> None:
    lines = alignment_text(table).splitlines()
    assert max(map(len, lines)) <= 80
    rows = [line for line in lines if re.match(r"\| (naive|sum|alignment|inclusive) ?", line)]
    assert len(rows) == 3 * 9 + 3 * 4 * 2  # three conditions, and three scenes of four rules drawn two ways
    assert f"`{table['command']}`" in lines


def test_a_row_reads_as_percentages_and_seeds(table: dict[str, Any]) -> None:
    changed = copy.deepcopy(table)
    row = changed["conditions"][1]["rows"][4]
    for place, value in enumerate((1.0, 0.98, 0.014, 0.03, 0.0)):
        row["probabilities"][place] = {"median": value, "low": value, "high": value}
    row["cooperation"] = {"median": 0.83, "low": 0.816, "high": 0.934}
    row["against_defector"]["median"], row["reciprocal"], row["conditional"] = 0.9, 0.5, 1.0
    lines = alignment_text(changed).splitlines()
    assert "| alignment 1    | 100 |  98 |   1 |   3 |   0 |    83 [82, 93] | 0.90 |" in lines
    aim, conditional = (line for line in lines if line.startswith("| past selves "))
    assert aim == "| past selves         |   0 |   0 |   0 |   0 |   1 |   0 |   0 |   0 |   0 |"
    assert conditional == aim.replace("1", "2")
    assert "| condition           |   n |   s |  a0 | a.5 |  a1 |  a2 | i.5 |  i1 |  i2 |" in lines


def test_a_variance_reads_with_its_interval(table: dict[str, Any]) -> None:
    changed = copy.deepcopy(table)
    row = changed["variance"]["rows"][7]
    row["ratio"] |= {"value": 1.5, "low": 1.25, "high": 2.0}
    row["cosine"] |= {"value": 0.5, "low": -0.1, "high": 0.75}
    row["length"] |= {"value": 0.9}
    wanted = "| alignment 1    | evenly |    1.50 [1.25, 2.00] | 0.50 [-0.10, 0.75] |   0.90 |"
    assert wanted in alignment_text(changed).splitlines()


def test_files_hold_the_table_its_text_and_its_figure(table: dict[str, Any], tmp_path: Path) -> None:
    paths = write_alignment(table, tmp_path / "new")
    assert [path.name for path in paths] == ["table.json", "table.md", "probabilities.svg"]
    assert json.loads(paths[0].read_text(encoding="utf-8")) == json.loads(json.dumps(table))
    assert paths[1].read_text(encoding="utf-8") == alignment_text(table)
    assert paths[2].read_text(encoding="utf-8").count("<svg") == 1


def test_the_figure_has_a_panel_per_state_and_a_row_per_rule_and_condition(
    table: dict[str, Any], tmp_path: Path
) -> None:
    write_figure(table, tmp_path / "first.svg")
    write_figure(table, tmp_path / "again.svg")
    drawn = (tmp_path / "first.svg").read_text(encoding="utf-8")
    assert drawn == (tmp_path / "again.svg").read_text(encoding="utf-8")
    rules = [row["arm"].replace("_", " ") for row in table["conditions"][0]["rows"]]
    for name in [*rules, "past selves: beta 1", "past, shared groups: beta 1", *table["states"]]:
        assert f">{name}<" in drawn


@pytest.mark.parametrize(
    ("amount", "message"),
    [({"seeds": 1}, "got seeds 1; at least 2"), ({"draws": 19}, "got draws 19; at least 20")],
)
def test_too_little_to_compare_is_refused(amount: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TabularAlignmentStudy(**amount)


def test_the_stored_text_is_that_of_the_stored_table(stored: dict[str, Any]) -> None:
    assert (STORED / "table.md").read_text(encoding="utf-8") == alignment_text(stored)
    assert [part["name"] for part in stored["conditions"]] == [condition.name for condition in conditions()]


@pytest.mark.parametrize("name", ["self-play", "past, shared groups", "no baseline", "start at 98 %"])
def test_the_stored_table_is_what_is_learned_now(stored: dict[str, Any], name: str) -> None:
    (condition,) = (condition for condition in conditions() if condition.name == name)
    (part,) = (part for part in stored["conditions"] if part["name"] == name)
    arm = "advantage_alignment, beta 1"
    (row,) = (row for row in part["rows"] if row["arm"] == arm)
    learned = train_memory_one(objective_arms(condition.base)[arm], 0)
    for spread, value in zip(row["probabilities"], learned.probabilities, strict=True):
        assert spread["low"] - 0.02 <= value <= spread["high"] + 0.02  # another machine's rounding may turn a draw
    assert row["cooperation"]["median"] == pytest.approx(learned.cooperation, abs=0.05)
