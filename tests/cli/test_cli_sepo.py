"""`equipoise reproduce`: any study by name, cells computed once, refused under other settings, shared and continued."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from equipoise.lab.results import StudyResult, load_result
from equipoise.lab.study_run import StudyRun

MINE = '''
import os, time
from dataclasses import dataclass
from pathlib import Path
from equipoise.core import Estimate
from equipoise.games import make_game
from equipoise.lab.results import GameRecord, StudyColumn, StudyGame
from equipoise.lab.study import Arm, Measured, Study

@dataclass(frozen=True)
class Told:
    """Counts the letters of a key, and tells the file `calls` which keys it was asked for."""
    factor: float = 1.0
    def decided_by(self, study, game):
        return {"factor": self.factor}
    def told(self, key):
        with open("calls", "a") as file:
            file.write(key + "\\n")
        while os.path.exists("wait") and "late" in key:
            time.sleep(0.05)
        return Measured({"letters": Estimate(self.factor * len(key), 0.0, 99.0, 2)})
    def measured(self, study, recipe, source, key):
        assert source == "tiny"
        return self.told(key)
    def references(self, study, game):
        return ("random",)
    def reference(self, study, game, player):
        return self.told(f"{game}/{player}")
    def game(self, study, game, cells, references):
        column = StudyColumn(key="letters", title="letters", definition="Letters of the key.", digits=0)
        return StudyGame(game=GameRecord.of(make_game(game)), columns=(column,), rows=())
    def summary(self, cell):
        return f"{cell.figures['letters'].value:.0f} letters"

MINE = Study(
    name="mine",
    title="Letters of keys",
    games=("kuhn_poker", "split"),
    recipes={"kuhn_poker": "sepo/kuhn_poker", "split": "sepo/split"},
    arms={"early": Arm("Early", kind="start"), "late": Arm("Late", kind="start")},
    measure=Told(),
    quick_measure=Told(2.0),
)
OTHER = Study(**{**vars(MINE), "measure": Told(3.0)})
NUMBER = 3
'''
KEYS = ["kuhn_poker/early-0", "kuhn_poker/late-0", "split/early-0", "split/late-0"]
SCRIPTS = ["kuhn_poker/reference-random", "split/reference-random"]


@pytest.fixture(autouse=True)
def mine(tmp_path):
    """A file with a study of a user's own, whose agents are as they are."""
    (tmp_path / "mine.py").write_text(MINE)
    return tmp_path


def stamps(folder):
    return {path.relative_to(folder): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def finished_cells(out):
    return sorted(str(path.relative_to(out / "cells").with_suffix("")) for path in (out / "cells").rglob("*.json"))


def calls(folder):
    path = folder / "calls"
    return sorted(path.read_text().split()) if path.exists() else []


def start(folder, *arguments):
    """The command in a process group of its own, as a terminal would start it."""
    command = [sys.executable, "-m", "equipoise.cli.main", "reproduce", *arguments]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=folder, start_new_session=True, **streams)


def wait_for(condition, *children):
    deadline = time.monotonic() + 120
    while not condition():
        assert all(child.poll() is None for child in children), [child.communicate() for child in children]
        assert time.monotonic() < deadline
        time.sleep(0.02)


# mistakes


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ("sepo --arms best", "unknown arm 'best' of study 'sepo'; known: base, sft, payoff, own_pool"),
        ("sepo --games chess", "unknown game 'chess' of study 'sepo'; known: kuhn_poker"),
        ("alignment --games kuhn_poker", "unknown game 'kuhn_poker' of study 'alignment'; known: prisoners_dilemma"),
        ("alignment --seeds 0", "got 0 seeds; at least 1 is needed"),
        ("sepo --games split --jobs 0", "got jobs=0; at least 1 worker is needed"),
        ("sepo --games split --minutes 0", "no cell is finished in o/cells; give it more --minutes"),
        ("sepos", "unknown study 'sepos'; known: sepo, alignment"),
        ("mine.py", "say what in it is the study: mine.py:Name"),
        ("mine.py:NUMBER", "'mine.py:NUMBER' is a value of type int; needed: an equipoise.lab.study.Study"),
        ("mine.py:Study", "is the class Study; needed: an equipoise.lab.study.Study"),
        ("none.py:MINE", "no file 'none.py' to take a study from"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(mistake, tmp_path, extra, says):
    assert says in mistake("reproduce", *extra.split(), "--out", "o", "--work", "w")
    assert [path.name for path in tmp_path.iterdir() if path.name != "__pycache__"] == ["mine.py"]


# a study of a user's own


@pytest.mark.slow
def test_a_study_from_a_file_is_computed_by_worker_processes_and_shown(run, mine):
    ran = run("reproduce", "mine.py:MINE", "--jobs", "1", "--out", "o")
    assert ran.code == 0, ran.err
    assert finished_cells(mine / "o") == sorted([*KEYS, *SCRIPTS])
    assert not list(mine.rglob("*.claim"))
    lines = [line for line in ran.err.splitlines() if " left, about " in line]
    assert [line.partition(":")[0] for line in lines] == [*SCRIPTS, *KEYS]
    assert [line.partition("; ")[2].partition(",")[0] for line in lines[-2:]] == ["1 cell left", "0 cells left"]
    assert "13 letters" in lines[-2]
    result = load_result(mine / "o", StudyResult)
    assert (result.cells, result.made.command) == ((4, 4), "equipoise reproduce mine.py:MINE")
    assert [row.arm for row in result.games[1].rows] == ["early", "late", "random"]
    assert result.games[1].rows[0].estimates["letters"].value == len("split/early-0")
    assert result.title in ran.out
    assert (mine / "o" / "report.html").is_file()


@pytest.mark.slow
def test_a_second_call_computes_nothing_and_options_may_stand_before_the_study(run, mine, monkeypatch):
    assert run("reproduce", "mine.py:MINE", "--games", "split", "--out", "o").code == 0
    before, asked = stamps(mine / "o" / "cells"), calls(mine)
    assert asked == ["split/early-0", "split/late-0", "split/random"]
    monkeypatch.setattr(StudyRun, "__call__", lambda self, name: pytest.fail(f"{name} was computed again"))
    ran = run("reproduce", "--arms", "late", "--games", "split", "--json", "--out", "o", "mine.py:MINE")
    assert ran.code == 0, ran.err
    table = json.loads(ran.out)
    assert table["cells"] == [1, 1]
    assert [row["arm"] for row in table["games"][0]["rows"]] == ["late", "random"]
    assert stamps(mine / "o" / "cells") == before
    assert calls(mine) == asked


@pytest.mark.slow
def test_a_cell_of_other_settings_is_refused_in_one_line_and_kept(run, mistake, mine):
    assert run("reproduce", "mine.py:MINE", "--games", "split", "--out", "o").code == 0
    before, asked = stamps(mine / "o"), calls(mine)
    line = mistake("reproduce", "mine.py:OTHER", "--games", "split", "--out", "o")
    assert "split/reference-random in o/cells is of other settings (factor: 1.0, now 3.0); choose another --out" in line
    assert stamps(mine / "o") == before
    assert calls(mine) == asked


@pytest.mark.slow
def test_a_document_is_markdown_with_figures_beside_it(run, mine):
    ran = run("reproduce", "mine.py:MINE", "--games", "split", "--out", "o", "--document", "d/results.md")
    assert ran.code == 0, ran.err
    text = (mine / "d" / "results.md").read_text()
    assert text.startswith("# Letters of keys\n")
    assert "| Early (untrained) | 13 " in text
    assert "d/results.md" in ran.out.splitlines()


@pytest.mark.slow
def test_a_quick_study_goes_to_a_folder_of_its_own_and_measures_what_is_quick(run, mine):
    ran = run("reproduce", "mine.py:MINE", "--quick", "--games", "split", "--arms", "late")
    assert ran.code == 0, ran.err
    result = load_result(mine / "runs" / "mine-quick", StudyResult)
    assert result.games[0].rows[0].estimates["letters"].value == 2 * len("split/late-0")
    assert result.made.command == "equipoise reproduce mine.py:MINE --quick"
    assert not (mine / "results").exists()


@pytest.mark.slow
def test_ctrl_c_says_how_to_continue_and_the_same_command_continues(mine):
    (mine / "wait").touch()
    command = ("mine.py:MINE", "--games", "split", "--jobs", "1", "--out", "o")
    child = start(mine, *command)
    wait_for(lambda: "split/late-0" in calls(mine), child)
    os.killpg(child.pid, signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130, err
    assert "Traceback" not in err
    assert "equipoise: stopped; finished cells are in o/cells; the same command continues" in err
    kept = stamps(mine / "o" / "cells")
    assert finished_cells(mine / "o") == ["split/early-0", "split/reference-random"]

    (mine / "wait").unlink()
    child = start(mine, *command)
    _, err = child.communicate(timeout=120)
    assert child.returncode == 0, err
    assert finished_cells(mine / "o") == ["split/early-0", "split/late-0", "split/reference-random"]
    assert kept.items() <= stamps(mine / "o" / "cells").items()
    assert calls(mine).count("split/early-0") == 1


@pytest.mark.slow
def test_two_processes_divide_one_study(mine):
    """Each cell is computed by one of them, and both show all of it."""
    (mine / "wait").touch()
    children = [start(mine, "mine.py:MINE", "--jobs", "1", "--out", "o", "--json") for _ in range(2)]
    wait_for(lambda: sum("late" in key for key in calls(mine)) == 2, *children)  # both hold a cell
    (mine / "wait").unlink()
    for child in children:
        out, err = child.communicate(timeout=120)
        assert child.returncode == 0, err
        assert json.loads(out)["cells"] == [4, 4]
    assert calls(mine) == sorted([*KEYS, "kuhn_poker/random", "split/random"])
    assert not list(mine.rglob("*.claim"))


# ours


@pytest.mark.slow
def test_the_sepo_study_trains_and_audits_every_arm_when_quick(run, tmp_path):
    ran = run("reproduce", "sepo", "--quick", "--games", "split", "--arms", "own_pool", "base", "--jobs", "1")
    assert ran.code == 0, ran.err
    assert "Traceback" not in ran.err
    result = load_result(tmp_path / "runs" / "sepo-quick", StudyResult)
    (game,) = result.games
    assert result.cells == (3, 3)
    assert result.settings["overrides"][0] == "rl.steps=10"
    assert result.settings["deals"] == 24
    assert [row.arm for row in game.rows if row.kind != "reference"] == ["base", "sft", "own_pool"]
    assert {row.arm for row in game.rows if row.kind == "reference"} >= {"fair", "random"}
    held = {"sepo_index", "payoff", "pool_exploitability", "worst_case_advantage", "worst_case_lower_bound"}
    assert all(held <= set(row.estimates) for row in game.rows if row.kind != "reference")
    index = {(d.arm, d.minus): d.estimate for d in game.differences if d.metric == "sepo_index"}
    assert "seeds and deals" in index["own_pool", "base"].method or "deals alone" in index["own_pool", "base"].method
    trained = game.rows[2]
    assert trained.estimates["sepo_index"].value == pytest.approx(trained.values["sepo_index"][0])
    assert game.hazards["collusion"].references
