"""`equipoise reproduce sepo`: cells are computed once, refused under other settings, and survive Ctrl-C."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from equipoise.lab import sepo as study
from equipoise.lab.sepo import QUICK

TINY = (
    *("rl.steps=1", "selection.every=0", "rl.exact_every=1", "sft.steps=1"),
    *("demonstrations.episodes=10", "play.rollouts=2", "play.deals=1"),
)
SMALL = dataclasses.replace(QUICK, deals=2, learned_episodes=0, overrides=TINY)
COMMAND = ["reproduce", "sepo", "--quick", "--games", "split", "--arms", "own_pool", "--jobs", "1"]
CELLS = ["split/base-0", "split/own_pool-0", "split/sft-0"]


def stamps(folder):
    return {path.relative_to(folder): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def finished_cells(folder):
    return sorted(str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.json"))


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """The quick study, smaller still."""
    monkeypatch.setattr(study, "QUICK", SMALL)


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ("--arms best", "unknown arm 'best'; known: base, sft, payoff, own_pool"),
        ("--games chess", "unknown game 'chess'; known: kuhn_poker"),
        ("--seeds 0", "got 0 seeds; at least 1 is needed"),
        ("--jobs 0", "got jobs=0; at least 1 worker is needed"),
        ("--minutes 0", "no cell is finished in o/cells; give it more --minutes"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(mistake, tmp_path, extra, says):
    assert says in mistake(*COMMAND, "--out", "o", "--work", "w", *extra.split())
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished small study: where its results and its run folders are, and what it printed."""
    folder = tmp_path_factory.mktemp("sepo")
    child = start(folder)
    out, err = child.communicate(timeout=300)
    assert child.returncode == 0, err
    return folder, out, err


def start(folder, *extra):
    """The command in a process group of its own, as a terminal would start it, on the small study."""
    code = (
        "import dataclasses, sys\n"
        "from equipoise.lab import sepo\n"
        f"sepo.QUICK = dataclasses.replace(sepo.QUICK, deals=2, learned_episodes=0, overrides={TINY!r})\n"
        "from equipoise.cli.main import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    command = [sys.executable, "-c", code, *COMMAND, "--out", "o", "--work", "w", *extra]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=folder, start_new_session=True, **streams)


@pytest.mark.slow
def test_the_study_writes_a_cell_per_arm_and_its_table(finished):
    folder, out, err = finished
    assert finished_cells(folder / "o" / "cells") == CELLS
    assert not list((folder / "o").rglob("*.claim"))
    told = [line for line in err.splitlines() if " left, about " in line]
    assert [line.partition(":")[0] for line in told] == ["split/base-0", "split/sft-0", "split/own_pool-0"]
    left = [line.partition("; ")[2].partition(",")[0] for line in told]
    assert left == ["2 cells left", "1 cell left", "0 cells left"]
    result = json.loads((folder / "o" / "cells" / "split" / "own_pool-0.json").read_text())
    assert (result["game"], result["arm"], result["seed"]) == ("split", "own_pool", 0)
    assert {"sepo_index", "payoff", "pool_exploitability", "worst_case_advantage"} <= set(result["estimates"])
    assert "own pool" in out
    assert "Traceback" not in err


@pytest.mark.slow
def test_a_second_call_computes_nothing(finished, run, monkeypatch):
    folder, _, _ = finished
    before = stamps(folder / "o" / "cells")
    monkeypatch.setattr(study.SepoStudy, "__call__", lambda self, name: pytest.fail(f"{name} was computed again"))
    ran = run(*COMMAND, "--out", folder / "o", "--work", folder / "w", "--json")
    assert ran.code == 0, ran.err
    table = json.loads(ran.out)
    assert table["cells"] == {"done": 3, "all": 3}
    assert [row["arm"] for row in table["games"][0]["rows"] if row["kind"] != "reference"] == [
        "base",
        "sft",
        "own_pool",
    ]
    assert stamps(folder / "o" / "cells") == before


@pytest.mark.slow
def test_cells_of_other_settings_are_refused_and_kept(finished, mistake, monkeypatch):
    folder, _, _ = finished
    before = stamps(folder / "o")
    monkeypatch.setattr(study, "QUICK", dataclasses.replace(SMALL, deals=3))
    line = mistake(*COMMAND, "--out", folder / "o", "--work", folder / "w")
    assert "split/base-0" in line
    assert "is of other settings (deals: 2, now 3); choose another --out" in line
    assert stamps(folder / "o") == before


@pytest.mark.slow
def test_run_folders_of_other_settings_are_one_line_too(finished, run, monkeypatch):
    """The mistake is met in a worker process."""
    folder, _, _ = finished
    other = dataclasses.replace(SMALL, overrides=(*TINY, "sft.learning_rate=0.5"))
    monkeypatch.setattr(study, "QUICK", other)
    ran = run(*COMMAND, "--out", "elsewhere", "--work", folder / "w")
    assert ran.code == 2
    last = ran.err.splitlines()[-1]
    assert last.startswith("equipoise: error: split/sft-0: ")
    assert "was started with another recipe" in last
    assert "Traceback" not in ran.err


@pytest.mark.slow
def test_ctrl_c_says_how_to_continue_and_the_same_command_continues(finished, tmp_path):
    child = start(tmp_path)
    deadline = time.monotonic() + 240
    while finished_cells(tmp_path / "o" / "cells") != ["split/base-0"]:
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(child.pid, signal.SIGINT)
    _, err = child.communicate(timeout=120)
    assert child.returncode == 130, err
    assert "Traceback" not in err
    assert "equipoise: stopped; finished cells are in o/cells; the same command continues" in err
    kept = stamps(tmp_path / "o" / "cells")
    assert len(finished_cells(tmp_path / "o" / "cells")) < len(CELLS)

    child = start(tmp_path)
    _, err = child.communicate(timeout=300)
    assert child.returncode == 0, err
    assert finished_cells(tmp_path / "o" / "cells") == CELLS
    assert kept.items() <= stamps(tmp_path / "o" / "cells").items()
    cells = [folder / "o" / "cells" / "split" / "own_pool-0.json" for folder in (finished[0], tmp_path)]
    unbroken, continued = (json.loads(path.read_text())["estimates"] for path in cells)
    assert continued == unbroken
