"""`equipoise probe`: trained and measured once, continued after Ctrl-C, refused under other settings."""

import functools
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from equipoise.cli.main import main
from equipoise.lab import probe_run
from equipoise.lab.results import ProbeResult, load_result
from equipoise.models.tiny import FOLDER
from equipoise.reports.formats import interval, number
from equipoise.training import progress
from equipoise.training.self_play import SelfPlay

LITTLE = [
    *("--set", "game_parameters.rounds=3", "--set", "self_play.deals=2", "--set", "self_play.rollouts=2"),
    *("--set", "rl.exact_rounds=0", "--set", "rl.report_to=[]"),
]
RECIPE = ["--recipe", "alignment/prisoners_dilemma"]
COMMAND = ["probe", "tiny-talk", *RECIPE, *LITTLE, "--steps", "3", "--matches", "8"]
FIGURES = {"gain", "pay", "agent_pay", "self_play", "fault_rate", "agent_fault_rate"}


def stamps(folder):
    return {path.relative_to(folder): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def stored(folder):
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished small probe, shared: tests must not change it."""
    folder = tmp_path_factory.mktemp("probe") / "o"
    assert main([*COMMAND, "--out", str(folder)]) == 0
    return folder


def test_a_probe_writes_its_learner_and_its_figures_with_intervals(finished):
    assert {path.name for path in finished.iterdir()} == {"settings.json", "learner", "result.json", "report.html"}
    record = stored(finished)
    assert (record["game"]["name"], record["game"]["parameters"]["rounds"], record["matches"]) == (
        "prisoners_dilemma",
        3,
        8,
    )
    assert record["learner"] == {"start": "tiny-talk", "steps": 3, "seed": 0}
    figures = record["figures"]
    assert set(figures) == FIGURES
    assert {figure["n"] for figure in figures.values()} == {8}
    assert all(figure["low"] <= figure["value"] <= figure["high"] for figure in figures.values())
    assert figures["gain"]["value"] == pytest.approx(figures["pay"]["value"] - figures["self_play"]["value"])
    assert 1 <= figures["self_play"]["value"] <= 3


def test_the_learner_is_naive_and_meets_nobody_but_the_agent(finished):
    recipe = (finished / "learner" / "recipe.toml").read_text()
    assert 'rule = "naive"' in recipe
    assert 'frozen = "tiny-talk"' in recipe
    lines = (finished / "learner" / "metrics.jsonl").read_text()
    assert '"payoff_frozen"' in lines
    assert '"payoff_self"' not in lines
    assert '"payoff_past"' not in lines


def test_a_finished_probe_is_read_and_said_in_80_columns(finished, run, monkeypatch):
    kept = contents(finished)
    monkeypatch.setattr(probe_run, "train_probe", lambda *_: pytest.fail("it was trained again"))
    ran = run(*COMMAND, "--out", finished)
    assert ran.code == 0, ran.err
    assert ran.err == ""
    assert contents(finished) == kept
    lines = ran.out.splitlines()
    assert lines[-2:] == [str(finished / name) for name in ("result.json", "report.html")]
    assert max(len(line) for line in lines[:-2]) <= 80
    figures = load_result(finished, ProbeResult).figures
    words = " ".join(ran.out.split())
    for estimate in (figures.gain, figures.pay, figures.self_play, figures.agent_pay):
        assert number(estimate.value, 3) in words
        assert interval(estimate, 3) in words


def test_device_and_precision_are_the_recipe_s_unless_said(finished, run, mistake):
    line = mistake(*COMMAND, "--dtype", "bfloat16", "--out", finished)
    assert 'other settings (recipe.hardware.dtype: null, now "bfloat16")' in line
    assert "hardware" not in stored(finished)["made"]["by"]["recipe"]
    assert run(*COMMAND, "--dtype", "float32", "--device", "auto", "--out", finished).code == 0


def test_json_is_the_stored_result(finished, run):
    ran = run(*COMMAND, "--out", finished, "--json")
    assert ran.out == (finished / "result.json").read_text(encoding="utf-8")


def test_an_interrupted_learner_goes_on_and_ends_as_an_unbroken_one(finished, run, tmp_path, monkeypatch):
    collect = SelfPlay.collect

    def interrupted(self, policy, seed, step):
        if step == 1:
            signal.raise_signal(signal.SIGINT)
        return collect(self, policy, seed, step)

    with monkeypatch.context() as patched:
        patched.setattr(SelfPlay, "collect", interrupted)
        ran = run(*COMMAND, "--out", "o")
    assert ran.code == 130
    assert ran.out == ""
    last = ran.err.splitlines()[-1]
    assert last == "equipoise: stopped; the learner's steps so far are kept in o; the same command continues"
    assert not (tmp_path / "o" / "result.json").exists()
    done = (tmp_path / "o" / "learner" / "metrics.jsonl").read_text().splitlines()
    assert len(done) == 2

    ran = run(*COMMAND, "--out", "o")
    assert ran.code == 0, ran.err
    assert (tmp_path / "o" / "learner" / "metrics.jsonl").read_text().splitlines()[:2] == done
    assert stored(tmp_path / "o")["figures"] == stored(finished)["figures"]


@pytest.mark.parametrize("width", [None, 80])
def test_a_measurement_shows_its_matches_after_the_steps_that_are_left(width, finished, run, tmp_path, monkeypatch):
    shutil.copytree(finished, tmp_path / "o")
    (tmp_path / "o" / "result.json").unlink()
    shown = functools.partialmethod(progress.Progress.__init__, width=width)
    monkeypatch.setattr(progress.Progress, "__init__", shown)
    err = run(*COMMAND, "--out", "o").err
    if width is None:
        assert re.fullmatch(r"probe: matches 24/24, \d+:\d\d\n", err)
    else:
        assert err.startswith("\rprobe: matches 0/24 ")
        assert err.endswith("\n")
        assert max(len(line) for line in err.split("\r")) <= width


def test_an_interrupted_measurement_trains_nothing_again(finished, run, tmp_path, monkeypatch):
    shutil.copytree(finished, tmp_path / "o")
    (tmp_path / "o" / "result.json").unlink()
    learned = stamps(tmp_path / "o" / "learner" / "model")

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(probe_run, "measure_probe", stop)
        ran = run(*COMMAND, "--out", "o")
    assert (ran.code, ran.out) == (130, "")
    assert ran.err.endswith("kept in o; the same command continues\n")
    assert run(*COMMAND, "--out", "o").code == 0
    assert stamps(tmp_path / "o" / "learner" / "model") == learned
    assert stored(tmp_path / "o")["figures"] == stored(finished)["figures"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (["--matches", "9"], "(matches: 8, now 9)"),
        (["--steps", "4"], "(steps: 3, now 4)"),
        (["--seed", "1"], "(seed: 0, now 1)"),
        (["--set", "self_play.deals=3"], "(recipe.self_play.deals: 2, now 3)"),
        (["--recipe", "alignment/split_items"], '(game: "prisoners_dilemma", now "split_items")'),
    ],
)
def test_a_folder_of_other_settings_is_refused_and_kept(finished, mistake, change, says):
    before = stamps(finished)
    line = mistake(*COMMAND, *change, "--out", finished)
    assert line == f"{finished} holds a probe of other settings {says}; choose another --out"
    assert stamps(finished) == before


def test_another_agent_or_start_under_the_same_name_is_refused(finished, mistake, tmp_path):
    command = ["probe", *COMMAND[2:], "--out", finished]
    assert "of other settings (agent.content: " in mistake(*command, "tiny")
    assert 'other settings (start.model: "tiny-talk", now "tiny")' in mistake(
        *COMMAND, "--from", "tiny", "--out", finished
    )
    shutil.copytree(finished, tmp_path / "o")
    settings = json.loads((finished / "settings.json").read_text())
    (tmp_path / "o" / "settings.json").write_text(
        json.dumps(settings | {"start": {"model": "tiny-talk", "content": "older"}})
    )
    assert 'o holds a probe of other settings (start.content: "older", now "' in mistake(*COMMAND, "--out", "o")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            "tiny-talk",
            "'tiny-talk' is no run folder, so nothing says what it plays; give a run folder, or name a recipe",
        ),
        ("runs/nowhere", "no folder 'runs/nowhere'; give a run folder"),
        (
            "r --recipe alignment/prisoners_dilemma",
            "r was trained on kuhn_poker (see r/recipe.toml), not on prisoners_dilemma; give",
        ),
        ("unfinished", "unfinished has no model yet: its training did not end; continue it with equipoise train unfin"),
        ("empty --recipe alignment/prisoners_dilemma", "empty is no model folder: it holds nothing; needed: config"),
        ("tiny --recipe alignment/prisoner", "unknown recipe 'alignment/prisoner'; known: alignment/prisoners_dilemma"),
        ("tiny --recipe nowhere.toml", "no recipe file 'nowhere.toml'"),
        ("tiny --recipe sepo/joint", "a probe plays one game, and the recipe has 6: kuhn_poker, prisoners_dilemma"),
        ("tiny --recipe kuhn_poker/sft", "the recipe takes no steps of reinforcement learning; say how many: --steps"),
        ("tiny --recipe kuhn_poker --steps 0", "got --steps 0; a learner needs at least 1"),
        ("tiny --recipe kuhn_poker --matches 1", "got 1 matches of every ordered pair; allowed: 2"),
        ("tiny --recipe kuhn_poker --seed -1", "got seed -1; allowed: 0 to 2147483647"),
        ("tiny --recipe kuhn_poker --set rl.stps=1", "unknown recipe key in [rl] 'stps'"),
        ("grim --recipe alignment/prisoners_dilemma", "'grim' is a script, and a probe takes a model: beside a script"),
        ("tny --recipe kuhn_poker", "unknown agent 'tny'; scripts of kuhn_poker: nash, "),
        ("a/b/c --recipe kuhn_poker", "no model folder 'a/b/c'"),
        ("tiny --recipe kuhn_poker --from nowhere", "no model folder 'nowhere'; give one of tiny, tiny-talk"),
        ("tiny --recipe kuhn_poker --out file/o", "--out file/o: file is a file; choose another folder"),
        ("tiny --recipe kuhn_poker --out r", "r holds files, but no settings.json of a probe; choose another --out"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(mistake, tmp_path, arguments, says):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("mine")
    shutil.copytree(FOLDER, tmp_path / "r" / "model")
    for run in ("r", "unfinished"):
        (tmp_path / run).mkdir(exist_ok=True)
        (tmp_path / run / "recipe.toml").write_text('game = "kuhn_poker"\n')
    before = stamps(tmp_path)
    assert says in mistake("probe", "--out", "o", *arguments.split())
    assert stamps(tmp_path) == before
    assert not (tmp_path / "o").exists()


def test_a_broken_agent_is_told_before_the_first_step_and_leaves_nothing(run, tmp_path):
    shutil.copytree(FOLDER, tmp_path / "m")
    (tmp_path / "m" / "model.safetensors").write_bytes(b"1")
    ran = run("probe", "m", *RECIPE, *LITTLE, "--steps", "1", "--out", "o")
    assert ran.code == 2
    assert ran.err.splitlines()[-1].startswith("equipoise: error: cannot load a model from 'm'")
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is no stored probe ("),
        ("[]", "is no stored probe ("),
        ('{"kind": "probe", "version": 1}', "a result of version 1"),
        (None, "is of other settings (game: null"),
    ],
)
def test_a_broken_result_says_what_to_do(finished, mistake, tmp_path, text, says):
    shutil.copytree(finished, tmp_path / "o")
    if text is None:
        record = stored(finished)
        text = json.dumps({**record, "made": {**record["made"], "by": {}}})
    (tmp_path / "o" / "result.json").write_text(text)
    line = mistake(*COMMAND, "--out", "o")
    assert "o/result.json" in line or "result in o" in line
    assert says in line


@pytest.mark.slow
def test_a_run_folder_is_probed_by_its_own_recipe_and_an_adapter_like_any_model(run, tmp_path):
    train = ["train", "alignment/prisoners_dilemma", *LITTLE, "--set", "rl.steps=1", "--deals", "2"]
    assert run(*train, "--set", "lora.rank=2", "--out", "lent").code == 0
    assert (tmp_path / "lent" / "model" / "adapter_config.json").is_file()
    ran = run("probe", "lent", "--steps", "1", "--matches", "4", "--seed", "5")
    assert ran.code == 0, ran.err
    record = stored(tmp_path / "runs" / "probe" / "lent")
    assert record["learner"] == {"start": "tiny-talk", "steps": 1, "seed": 5}
    assert (record["agent"]["name"], record["agent"]["source"]) == ("lent", "lent")
    assert record["game"]["parameters"]["rounds"] == 3
    assert record["figures"]["self_play"]["low"] is not None
    ran = run("probe", "mine=lent/model", "--steps", "1", "--matches", "4", "--from", "tiny")
    assert ran.code == 0, ran.err
    assert stored(tmp_path / "runs" / "probe" / "mine")["learner"]["start"] == "tiny"


@pytest.mark.slow
def test_ctrl_c_in_a_real_process_says_how_to_go_on_and_the_same_command_goes_on(tmp_path):
    command = [sys.executable, "-m", "equipoise.cli.main", "probe", "tiny-talk", *RECIPE, *LITTLE]
    command += ["--steps", "12", "--matches", "4", "--out", "o"]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    child = subprocess.Popen(command, cwd=tmp_path, **streams)
    metrics, deadline = Path(tmp_path / "o" / "learner" / "metrics.jsonl"), time.monotonic() + 120
    while not (metrics.is_file() and metrics.read_text().count("\n") >= 2):
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert (child.returncode, out) == (130, ""), err
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("equipoise: stopped; the learner's steps so far are kept in o;")
    done = metrics.read_text().splitlines()
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert metrics.read_text().splitlines()[: len(done)] == done
    assert stored(tmp_path / "o")["learner"]["steps"] == 12
