"""`equipoise reproduce tabular-alignment`: tables and figure of the alignment rules on a memory-one policy."""

import json

import pytest

from equipoise.lab import baseline_variance, tabular_alignment_study
from equipoise.lab.tabular_alignment import TabularSettings

QUICK = ("reproduce", "tabular-alignment", "--seeds", 2, "--draws", 20)


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    """Ten updates in two conditions and one scene: what is looked at here is what becomes of the figures."""
    monkeypatch.setattr(baseline_variance, "SCENES", {"early": baseline_variance.SCENES["early"]})
    first, second, *_ = tabular_alignment_study.conditions(TabularSettings(steps=10))
    monkeypatch.setattr(tabular_alignment_study, "conditions", lambda: (first, second))


def test_the_study_leaves_its_tables_and_figure_and_prints_them_in_80_columns(run, tmp_path):
    ran = run(*QUICK, "--out", "found")
    assert ran.code == 0
    folder = tmp_path / "found"
    assert sorted(path.name for path in folder.iterdir()) == ["probabilities.svg", "table.json", "table.md"]
    text, paths = (folder / "table.md").read_text(encoding="utf-8"), ["table.json", "table.md", "probabilities.svg"]
    assert ran.out == text + "\n" + "".join(f"found/{name}\n" for name in paths)
    assert max(map(len, ran.out.splitlines())) <= 80
    assert [line.split(":")[0] for line in ran.err.splitlines()] == ["self-play", "past selves", "baselines"]


def test_json_is_the_table_that_is_stored(run, tmp_path):
    ran = run(*QUICK, "--json")
    stored = tmp_path / "results" / "alignment" / "tabular" / "table.json"
    table = json.loads(ran.out)
    assert table == json.loads(stored.read_text(encoding="utf-8"))
    assert table["command"] == "equipoise reproduce tabular-alignment --seeds 2 --draws 20"
    assert (table["seeds"], table["variance"]["draws"]) == ([0, 1], 20)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("--seeds 1", "got seeds 1; at least 2"),
        ("--seeds -3", "got seeds -3; at least 2"),
        ("--draws 1", "got draws 1; at least 20"),
    ],
)
def test_too_little_to_compare_is_one_line_and_leaves_nothing(mistake, tmp_path, arguments, says):
    assert says in mistake("reproduce", "tabular-alignment", *arguments.split())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told_before_any_work(mistake, tmp_path, monkeypatch):
    monkeypatch.setattr(tabular_alignment_study, "conditions", lambda: pytest.fail("work was done first"))
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    assert "taken" in mistake(*QUICK, "--out", "taken")
    assert (tmp_path / "taken").read_text(encoding="utf-8") == "a file"
