"""`equipoise reproduce alignment`: agents of a seed meet their naive twin, and a naive twin that is gone comes back."""

from dataclasses import replace

import pytest

from equipoise.lab.alignment import ALIGNMENT, PLAYERS, MeetingMeasure
from equipoise.lab.results import StudyCell, StudyResult, load_result
from equipoise.lab.study_run import StudyRun

GAME = "prisoners_dilemma"
TINY = ("rl.steps=1", "self_play.deals=2", "self_play.rollouts=2", "rl.exact_every=1000", "rl.exact_rounds=0")
MEASURE = MeetingMeasure(matches=2, probe_steps=dict.fromkeys(PLAYERS, 1), probe_rollouts=4)
SMALL = replace(ALIGNMENT, quick=TINY, quick_measure=MEASURE)
COMMAND = ["reproduce", "alignment", "--quick", "--games", GAME, "--arms", "naive", "alignment", "--jobs", "1"]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """The quick study, smaller still."""
    monkeypatch.setattr("equipoise.lab.alignment.ALIGNMENT", SMALL)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Two finished cells, computed as a worker would, and the scripts beside them."""
    folder = tmp_path_factory.mktemp("alignment")
    run = in_folder(folder)
    for cell in [*run.references(), *run.cells()]:
        run.store.result(cell.key, run)
    return folder


def in_folder(folder):
    study = SMALL.small()
    return StudyRun(study, study.size([GAME], ["naive", "alignment"], 1, TINY), folder / "o", folder / "w")


@pytest.mark.slow
def test_finished_cells_are_read_not_computed_and_become_a_result_a_page_and_a_document(finished, run, monkeypatch):
    monkeypatch.setattr(StudyRun, "__call__", lambda self, name: pytest.fail(f"{name} was computed again"))
    ran = run(*COMMAND, "--out", finished / "o", "--work", finished / "w", "--document", finished / "d" / "results.md")
    assert ran.code == 0, ran.err
    result = load_result(finished / "o", StudyResult)
    assert result.cells == (2, 2)
    rows = {row.arm: row for row in result.games[0].rows}
    assert list(rows) == ["naive", "alignment", "always_cooperate", "always_defect", "tit_for_tat"]
    assert "against_naive" in rows["alignment"].estimates
    assert "against_naive" not in rows["naive"].estimates
    assert rows["alignment"].estimates["probe_gain"].n == 1
    assert len(result.games[0].targets) == 6
    assert (finished / "o" / "report.html").is_file()
    text = (finished / "d" / "results.md").read_text()
    assert "Advantage alignment" in text
    assert len(list((finished / "d" / "results").glob("*.svg"))) == text.count("](results/")


@pytest.mark.slow
def test_cells_of_other_settings_are_refused_and_kept(finished, mistake, monkeypatch):
    other = replace(SMALL, quick_measure=replace(MEASURE, matches=3))
    monkeypatch.setattr("equipoise.lab.alignment.ALIGNMENT", other)
    line = mistake(*COMMAND, "--out", finished / "o", "--work", finished / "w")
    assert f"{GAME}/reference-always_cooperate" in line
    assert "is of other settings (matches: 2, now 3); choose another --out" in line


@pytest.mark.slow
def test_a_naive_agent_that_is_gone_is_trained_again(finished):
    """On a new machine its cell is finished and its model is not there."""
    elsewhere = replace(in_folder(finished), work=finished / "new")
    again = elsewhere(f"{GAME}/alignment-0")
    before = load_result(finished / "o" / "cells" / GAME / "alignment-0.json", StudyCell)
    assert again.meetings == before.meetings
    assert again.probe == before.probe
    assert (finished / "new" / GAME / "naive-0" / "model").is_dir()
