"""`equipoise reproduce alignment`: cells are computed once, and agents of a seed meet their naive twin."""

import dataclasses
import json

import pytest

from equipoise.lab import alignment as study

TINY = ("rl.steps=1", "self_play.deals=2", "self_play.rollouts=2", "rl.exact_every=1000", "rl.exact_rounds=0")
SMALL = dataclasses.replace(study.QUICK, matches=2, probe_steps=dict.fromkeys(study.PLAYERS, 1), overrides=TINY)
GAME = "prisoners_dilemma"
COMMAND = ["reproduce", "alignment", "--quick", "--games", GAME, "--arms", "naive", "alignment", "--jobs", "1"]


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ("--arms best", "unknown arm 'best' of this study; known: start, naive"),
        ("--games kuhn_poker", "unknown game 'kuhn_poker' of this study; known: prisoners_dilemma, split_items"),
        ("--seeds 0", "got 0 seeds; at least 1 is needed"),
        ("--jobs 0", "got jobs=0; at least 1 worker is needed"),
        ("--minutes 0", "no cell is finished in o/cells; give it more --minutes"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(mistake, tmp_path, extra, says):
    assert says in mistake(*COMMAND, "--out", "o", "--work", "w", *extra.split())
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def cells(tmp_path):
    """Two finished cells, computed as a worker would."""
    compute = study.AlignmentStudy(
        dataclasses.replace(SMALL, games=(GAME,), arms=("naive", "alignment")), tmp_path / "w"
    )
    for arm in ("naive", "alignment"):
        path = tmp_path / "o" / "cells" / GAME / f"{arm}-0.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(compute(f"{GAME}/{arm}-0")))
    return tmp_path


@pytest.mark.slow
def test_finished_cells_are_read_not_computed_and_become_a_table_a_page_and_a_document(cells, run, monkeypatch):
    monkeypatch.setattr(study, "QUICK", SMALL)
    monkeypatch.setattr(study.AlignmentStudy, "__call__", lambda self, name: pytest.fail(f"{name} was computed again"))
    where = ["--out", cells / "o", "--work", cells / "w", "--document", cells / "d" / "results.md"]
    ran = run(*COMMAND, *where, "--json")
    assert ran.code == 0, ran.err
    table = json.loads(ran.out)
    assert table["cells"] == {"done": 2, "all": 2}
    rows = {row["arm"]: row for row in table["games"][0]["rows"]}
    assert {"naive", "alignment", "always_defect"} <= set(rows)
    assert "against_naive" in rows["alignment"]["estimates"]
    assert "against_naive" not in rows["naive"]["estimates"]
    assert rows["alignment"]["estimates"]["probe_gain"]["n"] == 1
    assert (cells / "o" / "study.html").is_file()
    assert "alignment" in (cells / "d" / "results.md").read_text()


@pytest.mark.slow
def test_cells_of_other_settings_are_refused_and_kept(cells, mistake, monkeypatch):
    monkeypatch.setattr(study, "QUICK", dataclasses.replace(SMALL, matches=3))
    line = mistake(*COMMAND, "--out", cells / "o", "--work", cells / "w")
    assert f"cell {GAME}/naive-0" in line
    assert "was made under other settings; repeat them, or choose another --out" in line


@pytest.mark.slow
def test_a_naive_agent_that_is_gone_is_trained_again(cells):
    """On a new machine its cell is finished and its model is not there."""
    compute = study.AlignmentStudy(
        dataclasses.replace(SMALL, games=(GAME,), arms=("naive", "alignment")), cells / "new"
    )
    again = compute(f"{GAME}/alignment-0")
    before = json.loads((cells / "o" / "cells" / GAME / "alignment-0.json").read_text())
    assert again["met"] == before["met"]
    assert again["probe"] == before["probe"]
