"""`equipoise talk`: known answers for scripts, measured once, continued after Ctrl-C, refused without messages."""

import functools
import json
import re
import shutil

import pytest

from equipoise.cli.main import main
from equipoise.lab import talk_run
from equipoise.lab.crossplay import CrossplaySettings
from equipoise.lab.message_effect import CLAIMS
from equipoise.models.tiny import FOLDER
from equipoise.training import progress

COMMAND = ["talk", "honest_cooperative", "--matches", "8", "--set", "rounds=4"]


def stamps(folder):
    return {path.relative_to(folder): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def stored(folder):
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))


def values(figures):
    return {name: figure["value"] for name, figure in figures.items()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished small measurement, shared: tests must not change it."""
    folder = tmp_path_factory.mktemp("talk") / "o"
    assert main([*COMMAND, "--out", str(folder)]) == 0
    return folder


def test_honest_players_tell_the_truth_believe_it_and_need_it(finished):
    """All coins to the upper hand with messages (100 of 100), half each without (55 of 100)."""
    record = stored(finished)
    assert [agent["name"] for agent in record["agents"]] == ["honest_cooperative"]
    assert (record["matches"], record["game"]["parameters"]["rounds"]) == (8, 4)
    (said,) = record["said"]
    assert values(said["figures"]) == {"honesty": 1.0, "statement_rate": 1.0, "promise_rate": 0.0}
    assert values(record["efficiency"]) == pytest.approx({"with_talk": 1.0, "without_talk": 0.55, "difference": 0.45})
    assert values(record["faults"]) == {"with_talk": 0.0, "without_talk": 0.0}
    (heard,) = record["effects"]
    assert (heard["listener"], heard["speaker"], heard["why"]) == ("honest_cooperative", "honest_cooperative", None)
    effect = heard["effect"]
    assert effect["claims"] == 64  # both seats of 8 matches of 4 rounds
    assert values(effect["by_side"]["upper"]) == {"silence": -0.5, "upper": -1.0, "lower": 0.0}
    assert values(effect["by_side"]["lower"]) == {"silence": 0.5, "upper": 0.0, "lower": 1.0}


def test_every_figure_has_its_interval(finished):
    record = stored(finished)
    (said,), (heard,) = record["said"], record["effects"]
    figures = [
        *said["figures"].values(),
        said["fault_rate"],
        *record["efficiency"].values(),
        *record["faults"].values(),
    ]
    figures += [heard["effect"]["claimed"], *heard["effect"]["changes"].values()]
    assert len(figures) == 13
    assert all(figure["low"] <= figure["value"] <= figure["high"] and figure["n"] == 8 for figure in figures)


def test_a_finished_measurement_is_read_and_said_in_80_columns(finished, run, monkeypatch):
    kept = contents(finished)
    monkeypatch.setattr(talk_run, "met", lambda *_: pytest.fail("it was played again"))
    ran = run(*COMMAND, "--out", finished)
    assert ran.code == 0, ran.err
    assert contents(finished) == kept
    lines = ran.out.splitlines()
    assert max(len(line) for line in lines[:-2]) <= 80
    assert lines[-2:] == [str(finished / name) for name in ("result.json", "report.html")]
    told = " ".join(lines)
    assert "1.00 of the best joint pay with messages and 0.55 without" in told
    assert "honest_cooperative tells the truth in 100 % of its statements and promises nothing." in told


def test_json_is_the_stored_result(finished, run):
    text = run(*COMMAND, "--out", finished, "--json").out
    assert text == (finished / "result.json").read_text(encoding="utf-8")


def test_two_agents_are_told_apart_and_the_listener_of_the_agent_comes_first(run, tmp_path):
    ran = run("talk", "promise_breaker", "--with", "liar", "--matches", "8", "--set", "rounds=4")
    assert ran.code == 0, ran.err
    record = stored(tmp_path / "runs" / "talk" / "promise_breaker+liar")
    said = {entry["agent"]: values(entry["figures"]) for entry in record["said"]}
    assert said["promise_breaker"] == {"statement_rate": 0.0, "promise_keeping": 0.0, "promise_rate": 1.0}
    assert said["liar"] == {"honesty": 0.0, "statement_rate": 1.0, "promise_rate": 0.0}
    assert [(entry["listener"], entry["speaker"]) for entry in record["effects"]] == [
        ("liar", "promise_breaker"),
        ("promise_breaker", "liar"),
    ]
    assert record["efficiency"]["difference"]["value"] == 0.0
    assert "with messages and 0.55 without, a tie." in " ".join(ran.out.split())
    assert "What liar claims stays the same, as far as intervals tell" in " ".join(ran.out.split())


def test_one_script_under_two_names_is_two_agents(finished, run, tmp_path):
    assert run(*COMMAND, "--with", "other=honest_cooperative").code == 0
    record = stored(tmp_path / "runs" / "talk" / "honest_cooperative+other")
    assert [entry["to"] for entry in record["said"]] == ["other", "honest_cooperative"]
    assert [entry["effect"]["claims"] for entry in record["effects"]] == [64, 64]
    assert values(record["efficiency"]) == pytest.approx(values(stored(finished)["efficiency"]))


def test_an_agent_named_twice_plays_itself(finished, run, tmp_path):
    assert run(*COMMAND, "--with", "honest_cooperative").code == 0
    assert stored(tmp_path / "runs" / "talk" / "honest_cooperative")["said"] == stored(finished)["said"]


def test_what_was_finished_before_ctrl_c_is_not_played_again(finished, run, tmp_path, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(talk_run, "efficiency_with_and_without_talk", stop)
        ran = run(*COMMAND, "--out", "o")
    assert (ran.code, ran.out) == (130, "")
    assert ran.err == "equipoise: stopped; what is finished is kept in o; the same command continues\n"
    monkeypatch.setattr(talk_run, "met", lambda *_: pytest.fail("it was played again"))
    assert run(*COMMAND, "--out", "o").code == 0
    again = stored(tmp_path / "o")
    assert all(again[key] == stored(finished)[key] for key in ("said", "effects", "efficiency", "faults"))


def test_a_pipe_gets_one_plain_line_and_a_terminal_a_bar_until_all_is_played_and_asked(run, monkeypatch):
    ran = run(*COMMAND, "--with", "liar", "--out", "piped")
    assert re.fullmatch(r"talk (\d+)/\1, \d+:\d\d\n", ran.err)
    shown = functools.partialmethod(progress.Progress.__init__, width=80)
    monkeypatch.setattr(progress.Progress, "__init__", shown)
    ran = run(*COMMAND, "--with", "liar", "--out", "shown")
    assert ran.err.startswith("\rtalk 0/")
    assert ran.err.endswith("\n")
    assert max(len(line) for line in ran.err.split("\r")) <= 80
    assert run(*COMMAND, "--with", "liar", "--out", "shown").err == ""


@pytest.mark.parametrize("kept", [("parts/messages.json",), ("parts/efficiency.json",), ()])
def test_progress_counts_the_parts_that_are_left(kept, finished, tmp_path):
    out, told = tmp_path / "o", []
    shutil.copytree(finished, out)
    for name in {"result.json", "parts/messages.json", "parts/efficiency.json"} - {*kept}:
        (out / name).unlink()
    game = talk_run.talking_game("honest_cooperative", None, {"rounds": 4})
    agents = talk_run.talkers(["honest_cooperative"], game)
    talked = talk_run.TalkRun(game, agents, CrossplaySettings(8), out)
    talked(progress=lambda more, total: told.append((more, total)))
    messages, efficiency = (f"parts/{part}.json" not in kept for part in ("messages", "efficiency"))
    work = messages * (8 + CLAIMS) + efficiency * 2 * 8
    assert told[0] == (0, work)
    assert {total for _, total in told} == {work}
    assert sum(more for more, _ in told) == work


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (["--matches", "9"], "(matches: 8, now 9)"),
        (["--seed", "1"], "(seed: 0, now 1)"),
        (["--set", "rounds=5"], "(parameters.rounds: 4, now 5)"),
        (["--fault-rule", "resample"], '(fault_rule: "forfeit", now "resample")'),
        (["--with", "liar"], '(agents.liar.kind: null, now "script")'),
    ],
)
def test_a_folder_of_other_settings_is_refused_and_kept(finished, mistake, change, says):
    before = stamps(finished)
    line = mistake(*COMMAND, *change, "--out", finished)
    assert line == f"{finished} holds a talk of other settings {says}; choose another --out"
    assert stamps(finished) == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("liar --game prisoners_dilemma", "prisoners_dilemma has no messages; games with messages: trust_and_split"),
        ("liar --game trust", "unknown game 'trust'; known: kuhn_poker"),
        ("r", "r was trained on kuhn_poker, which has no messages; games with messages: trust_and_split"),
        (
            "r --game trust_and_split",
            "r was trained on kuhn_poker (see r/recipe.toml), not on trust_and_split; give an",
        ),
        ("liar --with r", "r was trained on kuhn_poker (see "),
        ("silent", "trust_and_split has no messages with talk=false; judge it with --set talk=true"),
        ("liar --set talk=false", "trust_and_split has no messages with talk=false; judge it with --set talk=true"),
        ("liar --set rounds=0", "got rounds=0; allowed: a whole number from 1 to 100"),
        ("liar --set rounds", "setting 'rounds' has no '='"),
        ("liar --matches 1", "got 1 matches of every ordered pair; allowed: 2"),
        ("liar --seed -1", "got seed -1; seeds are 0 or more"),
        ("lier", "unknown agent 'lier'; scripts of trust_and_split: honest_tit_for_tat, "),
        ("liar --with lire", "unknown agent 'lire'; scripts of trust_and_split"),
        ("liar --with LIAR=liar", "both agents are named 'liar'; leave --with out for self-play, or name one: --with"),
        ("a/b/c", "no model folder 'a/b/c'"),
        ("empty", "empty is no model folder: it holds nothing"),
        ("liar --out file/o", "--out file/o: file is a file; choose another folder"),
        ("liar --out r", "r holds files, but no settings.json of a talk; choose another --out"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(mistake, tmp_path, arguments, says):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("mine")
    for run, recipe in (("r", 'game = "kuhn_poker"\n'), ("silent", 'game = "trust_and_split"\n')):
        shutil.copytree(FOLDER, tmp_path / run / "model")
        (tmp_path / run / "recipe.toml").write_text(recipe)
    (tmp_path / "silent" / "recipe.toml").write_text('game = "trust_and_split"\ngame_parameters = { talk = false }\n')
    before = stamps(tmp_path)
    assert says in mistake("talk", "--out", "o", *arguments.split())
    assert stamps(tmp_path) == before
    assert not (tmp_path / "o").exists()


def test_broken_weights_are_one_line_and_leave_nothing(mistake, tmp_path):
    shutil.copytree(FOLDER, tmp_path / "m")
    (tmp_path / "m" / "model.safetensors").write_bytes(b"1")
    assert mistake("talk", "m", "--out", "o").startswith("cannot load a model from 'm'")
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(("file", "text"), [("result.json", "{"), ("result.json", "{}"), ("parts/messages.json", "{")])
def test_a_broken_result_says_what_to_do(finished, mistake, tmp_path, file, text):
    shutil.copytree(finished, tmp_path / "o")
    (tmp_path / "o" / "result.json").unlink()
    (tmp_path / "o" / file).write_text(text)
    line = mistake(*COMMAND, "--out", "o")
    assert f"o/{file}" in line
    assert "delete it to compute " in line


def test_a_model_s_run_brings_its_game_and_its_replies(run, tmp_path):
    shutil.copytree(FOLDER.parent / "embedded_talk", tmp_path / "r" / "model")
    settings = "game_parameters = { rounds = 2 }\nsampling = { max_new_tokens = 24 }\n"
    (tmp_path / "r" / "recipe.toml").write_text('game = "trust_and_split"\n' + settings)
    ran = run("talk", "r", "--with", "honest_greedy", "--matches", "4")
    assert ran.code == 0, ran.err
    record = stored(tmp_path / "runs" / "talk" / "r+honest_greedy")
    assert record["game"]["parameters"]["rounds"] == 2
    assert record["made"]["by"]["agents"]["r"]["sampling"]["max_new_tokens"] == 24
    assert [entry["effect"]["claims"] for entry in record["effects"]] == [16, 16]
    assert 0 < record["effects"][1]["effect"]["outside"] < 0.1
    assert "reads unknown rules without them" in " ".join(ran.out.split())


def test_a_model_whose_turns_others_can_imitate_is_warned_of_in_one_line(run, tmp_path):
    shutil.copytree(FOLDER.parent / "embedded_talk", tmp_path / "m")
    template = tmp_path / "m" / "chat_template.jinja"
    template.write_text(
        "{% for m in messages %}{{ ' ' if m.role == 'system' else ' SAY:' if m.role == 'assistant' else ' SEE:' }}"
        "{{ m.content }}{{ '<|end|>' if m.role == 'assistant' }}{% endfor %}{{ ' SAY:' if add_generation_prompt }}"
    )
    ran = run("talk", "m", "--matches", "2", "--set", "rounds=1")
    assert ran.code == 0, ran.err
    warning, shown = ran.err.splitlines()
    assert warning.startswith("equipoise: warning: the chat template of m marks turns with plain words (' SEE:')")
    assert shown.startswith("talk ")


def test_a_model_that_reasons_has_no_message_effect_and_says_why(run, tmp_path):
    shutil.copytree(FOLDER.parent / "embedded_talk", tmp_path / "r" / "model")
    settings = 'game_parameters = { rounds = 1 }\nsampling = { max_new_tokens = 24, reasoning = "brief" }\n'
    (tmp_path / "r" / "recipe.toml").write_text('game = "trust_and_split"\n' + settings)
    ran = run("talk", "r", "--matches", "2")
    assert ran.code == 0, ran.err
    (heard,) = stored(tmp_path / "runs" / "talk" / "r")["effects"]
    assert heard["effect"] is None
    assert heard["why"] in " ".join(ran.out.split())
