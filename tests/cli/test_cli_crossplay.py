"""`equipoise crossplay`: pairs are played once, continued, refused under other settings, and survive Ctrl-C."""

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from equipoise.arena.records import read_episodes
from equipoise.cli.main import main
from equipoise.lab.crossplay_run import Tournament
from equipoise.lab.results import CrossplayResult, load_result, result_json
from equipoise.models.tiny import FOLDER
from equipoise.training import progress

AGENTS = ["tit_for_tat", "always_defect"]
GAME = ["--game", "prisoners_dilemma", "--set", "rounds=10"]
COMMAND = ["crossplay", *AGENTS, *GAME, "--matches", "8"]
PAIRS = [f"{a}+{b}" for a in sorted(AGENTS) for b in sorted(AGENTS)]


def stamps(folder):
    return {path.relative_to(folder): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def tournament(folder):
    return load_result(folder, CrossplayResult)


def figures(folder):
    """What must not depend on when and how pairs were played, as JSON."""
    record = json.loads(result_json(tournament(folder)))
    return {key: record[key] for key in ("cells", "together", "differences", "shown")}


def finished_pairs(folder):
    return sorted(path.stem for path in (folder / "pairs").glob("*.json"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished small tournament, shared: tests must not change it."""
    folder = tmp_path_factory.mktemp("crossplay") / "o"
    assert main([*COMMAND, "--out", str(folder)]) == 0
    return folder


def test_a_tournament_writes_a_file_per_pair_its_matrix_and_its_page(finished):
    assert finished_pairs(finished) == PAIRS
    assert sorted(path.name for path in (finished / "episodes").iterdir()) == [f"{key}.jsonl.gz" for key in PAIRS]
    files = {"settings.json", "pairs", "episodes", "result.json", "report.html"}
    assert {path.name for path in finished.iterdir()} == files
    result = tournament(finished)
    assert result.cell("tit_for_tat", "always_defect").pay.value == pytest.approx(0.9)
    assert result.cell("always_defect", "tit_for_tat").pay.value == pytest.approx(1.4)
    assert (result.matches, result.game.parameters["rounds"]) == (8, 10)
    page = (finished / "report.html").read_text(encoding="utf-8")
    assert all(page.count(f"To {name}") >= 4 for name in AGENTS)  # every match to read has both sides
    episodes = list(read_episodes(finished / "episodes" / "tit_for_tat+always_defect.jsonl.gz"))
    assert [episode.deal for episode in episodes] == list(range(8))
    assert episodes[0].returns == (9.0, 14.0)
    assert not list(finished.rglob("*.claim"))


def test_a_second_call_plays_nothing_and_says_the_same(finished, run, monkeypatch):
    kept = stamps(finished / "pairs") | stamps(finished / "episodes")
    monkeypatch.setattr(Tournament, "__call__", lambda self, key: pytest.fail(f"{key} was played again"))
    ran = run(*COMMAND, "--out", finished)
    assert ran.code == 0, ran.err
    assert ran.err == ""
    assert all(name in ran.out for name in AGENTS)
    assert max(len(line) for line in ran.out.splitlines() if not line.startswith(str(finished))) <= 80
    assert stamps(finished / "pairs") | stamps(finished / "episodes") == kept


def test_json_is_the_stored_result(finished, run):
    ran = run(*COMMAND, "--out", finished, "--json")
    assert ran.out == (finished / "result.json").read_text(encoding="utf-8")
    assert json.loads(ran.out)["kind"] == "crossplay"


def test_an_interrupted_tournament_goes_on_with_what_is_left_and_ends_as_an_unbroken_one(finished, run, tmp_path):
    shutil.copytree(finished, tmp_path / "o")
    for part in (tmp_path / "o" / "pairs" / f"{PAIRS[1]}.json", tmp_path / "o" / "result.json"):
        part.unlink()
    (tmp_path / "o" / "pairs" / f"{PAIRS[1]}.claim").write_text("")
    os.utime(tmp_path / "o" / "pairs" / f"{PAIRS[1]}.claim", (0, 0))
    kept = stamps(tmp_path / "o" / "pairs")
    ran = run(*COMMAND, "--out", "o", "--jobs", "2")
    assert ran.code == 0, ran.err
    assert ran.err.startswith("pairs 4/4, ")  # one plain line where the output is no terminal
    assert ran.err.count("\n") == 1
    assert set(stamps(tmp_path / "o" / "pairs")) == {*kept} - {Path(f"{PAIRS[1]}.claim")} | {Path(f"{PAIRS[1]}.json")}
    assert {
        path: stamp for path, stamp in stamps(tmp_path / "o" / "pairs").items() if path in kept
    }.items() <= kept.items()
    assert figures(tmp_path / "o") == figures(finished)


def test_further_agents_play_their_pairs_alone(finished, run, tmp_path):
    shutil.copytree(finished, tmp_path / "o")
    kept = stamps(tmp_path / "o" / "pairs")
    ran = run("crossplay", *AGENTS, "coin", *GAME, "--matches", "8", "--out", "o")
    assert ran.code == 0, ran.err
    assert kept.items() <= stamps(tmp_path / "o" / "pairs").items()
    new = {"coin+coin", *(f"{name}+coin" for name in AGENTS), *(f"coin+{name}" for name in AGENTS)}
    assert set(finished_pairs(tmp_path / "o")) == {*PAIRS, *new}
    assert len(tournament(tmp_path / "o").cells) == 9


def test_a_terminal_shows_a_bar_while_pairs_are_played(run, tmp_path, monkeypatch):
    monkeypatch.setattr(progress.Progress, "__init__", functools.partialmethod(progress.Progress.__init__, width=80))
    ran = run("crossplay", *AGENTS, *GAME, "--matches", "2", "--out", "o")
    assert ran.code == 0, ran.err
    assert ran.err.startswith("\rpairs 0/4 ")
    assert max(len(line) for line in ran.err.split("\r")) <= 80


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (["--matches", "9"], "(matches: 8, now 9); choose another --out"),
        (["--seed", "1"], "(seed: 0, now 1); choose another --out"),
        (["--set", "rounds=9"], "(parameters.rounds: 10, now 9); choose another --out"),
        (["--fault-rule", "resample"], '(fault_rule: "forfeit", now "resample"); choose another --out'),
    ],
)
def test_a_folder_of_other_settings_is_refused_and_kept(finished, mistake, change, says):
    before = stamps(finished)
    line = mistake(*COMMAND, *change, "--out", finished)
    assert f"{finished} holds a tournament of other settings {says}" in line
    assert stamps(finished) == before


def test_a_folder_of_another_game_is_refused_and_kept(finished, mistake):
    before = stamps(finished)
    line = mistake("crossplay", "fair", "balanced", "--game", "split", "--matches", "8", "--out", finished)
    assert 'holds a tournament of other settings (game: "prisoners_dilemma", now "split")' in line
    assert stamps(finished) == before


def test_another_agent_under_the_same_name_is_refused_and_kept(finished, mistake):
    before = stamps(finished)
    line = mistake("crossplay", "tit_for_tat=grim", "always_defect", *GAME, "--matches", "8", "--out", finished)
    assert 'is of other settings (tit_for_tat.source: "tit_for_tat", now "grim"); choose another --out' in line
    assert stamps(finished) == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("tit_for_tat", "got 1 agent; cross-play needs at least 2"),
        ("grim grim", "agent 'grim' is named twice; give each agent once, or a name of its own: NAME=AGENT"),
        ("a=grim a=coin", "agent 'a' is named twice"),
        ("grim Grim=coin", "two agents' names differ in upper and lower case alone"),
        ("tit_for_tt grim", "unknown agent 'tit_for_tt'; scripts of prisoners_dilemma: tit_for_tat, "),
        ("tit_for_tt grim", "Did you mean 'tit_for_tat'?"),
        ("grim runs/nowhere/model", "no model folder 'runs/nowhere/model'; give a folder with weights, a script"),
        ("grim ./nowhere", "no model folder './nowhere'"),
        ("grim mine=", "got an agent without a source: 'mine='; write NAME=AGENT"),
        ("grim coin --matches 1", "got 1 matches of every ordered pair; allowed: 2"),
        ("grim coin --seed -1", "got seed -1; seeds are 0 or more"),
        ("grim coin --jobs 0", "got --jobs 0; at least 1 is needed"),
        ("grim coin --set rounds=0", "got rounds=0; allowed: a whole number from 1 to 100"),
        (
            "grim coin --set round=2",
            "prisoners_dilemma has no parameter 'round'; known: rounds, horizon, labels. Did you mean 'rounds'?",
        ),
        ("grim coin --game chess", "unknown game 'chess'; known: kuhn_poker"),
        ("nash grim --game kuhn_poker", "unknown agent 'grim'; scripts of kuhn_poker: nash, "),
        ("grim tiny --temperature -1", "got temperature -1.0; allowed: 0 "),
        ("grim tiny --max-new-tokens 0", "got max_new_tokens 0; allowed: 1 or more"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(mistake, tmp_path, arguments, says):
    assert says in mistake("crossplay", "--game", "prisoners_dilemma", "--out", "o", *arguments.split())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_a_model_or_of_another_game_is_one_line_and_plays_nothing(mistake, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("mine")
    shutil.copytree(FOLDER, tmp_path / "r" / "model")
    (tmp_path / "r" / "recipe.toml").write_text('game = "kuhn_poker"\n')
    command = ["crossplay", "--game", "prisoners_dilemma", "--out", "o", "grim"]
    assert "empty is no model folder: it holds nothing; needed: config.json" in mistake(*command, "empty")
    assert "file is a file; give the folder that holds the model" in mistake(*command, "file")
    for source in ("r", "r/model"):
        line = mistake(*command, source)
        assert line.startswith(f"{source} was trained on kuhn_poker (see ")
        assert line.endswith("recipe.toml), not on prisoners_dilemma; give an agent that was trained on it")
    assert "--out file/o: file is a file" in mistake("crossplay", "grim", "coin", *GAME, "--out", "file/o")
    assert not (tmp_path / "o").exists()
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("text", ["{", "[]", '{"seats": []}'])
def test_a_broken_pair_says_what_to_do(finished, mistake, tmp_path, text):
    shutil.copytree(finished, tmp_path / "o")
    record = json.loads((tmp_path / "o" / "pairs" / f"{PAIRS[0]}.json").read_text())
    if text.startswith('{"'):
        text = json.dumps({"made_by": record["made_by"], **json.loads(text)})
    (tmp_path / "o" / "pairs" / f"{PAIRS[0]}.json").write_text(text)
    line = mistake(*COMMAND, "--out", "o")
    assert f"{PAIRS[0]}.json" in line
    assert "delete it to " in line


@pytest.mark.slow
def test_models_scripts_and_run_folders_meet_and_jobs_change_nothing(run, tmp_path):
    run("train", "kuhn_poker", "--set", "rl.steps=0", "--deals", 1, "--out", "r")
    command = ["crossplay", "tiny", "again=tiny", "r", "nash", "--game", "kuhn_poker", "--matches", "16"]
    for jobs, out in (("1", "one"), ("2", "two")):
        ran = run(*command, "--jobs", jobs, "--out", out)
        assert ran.code == 0, ran.err
    assert figures(tmp_path / "one") == figures(tmp_path / "two")
    one = tournament(tmp_path / "one")
    assert [agent.kind for agent in one.agents] == ["model"] * 3 + ["script"]
    pay = one.cell("tiny", "nash").pay
    assert pay.low < pay.value < pay.high
    assert all(one.cell(name, name).pay.value == 0 for name in ("tiny", "again", "r", "nash"))


@pytest.mark.slow
def test_broken_weights_are_one_line_and_keep_what_was_played(run, tmp_path):
    shutil.copytree(FOLDER, tmp_path / "m")
    weights = next((tmp_path / "m").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:1000])
    ran = run("crossplay", "grim", "m", *GAME, "--matches", "2", "--out", "o")
    assert ran.code == 2
    last = ran.err.splitlines()[-1]
    assert last.startswith("equipoise: error: pairs/grim+m: cannot load a model from 'm'")
    assert "Traceback" not in ran.err
    assert finished_pairs(tmp_path / "o") == ["grim+grim"]


@pytest.mark.slow
def test_ctrl_c_says_how_to_continue_and_the_same_command_continues(tmp_path):
    command = [sys.executable, "-m", "equipoise.cli.main", "crossplay", "coin", "grim", "pavlov", *GAME]
    command += ["--matches", "600", "--out", "o"]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    child = subprocess.Popen(command, cwd=tmp_path, start_new_session=True, **streams)
    deadline = time.monotonic() + 120
    while not finished_pairs(tmp_path / "o"):
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(child.pid, signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130, err
    assert "Traceback" not in err
    assert "equipoise: stopped; finished pairs are in o; the same command continues" in err
    kept = stamps(tmp_path / "o" / "pairs")
    assert 0 < len(finished_pairs(tmp_path / "o")) < 9

    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert len(finished_pairs(tmp_path / "o")) == 9
    assert kept.items() <= stamps(tmp_path / "o" / "pairs").items()
