"""`equipoise demo`: finished cells are kept, and figures of other settings are not passed off as those of these."""

import pytest

from equipoise.cli.main import main
from equipoise.lab import demo as study
from equipoise.lab.results import AuditResult, load_result, parse_result, result_json
from equipoise.training.signals import Interrupted

ARGUMENTS = ["demo", "--seeds", "1", "--deals", "5", "--set", "rl.steps=2", "--set", "sft.steps=2"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished small demo, shared; tests must leave its cells as they are."""
    out = tmp_path_factory.mktemp("demo") / "demo"
    assert main([*ARGUMENTS, "--out", str(out)]) == 0
    return out


def stamps(out):
    return {path.relative_to(out): path.stat().st_mtime_ns for path in (out / "cells").rglob("*") if path.is_file()}


def nash_convs(out):
    return [agent.estimates["nash_conv"].value for agent in load_result(out, AuditResult).agents]


def test_the_demo_compares_four_agents(finished):
    result = load_result(finished, AuditResult)
    assert [agent.name for agent in result.agents] == ["base", "sft", "sepo_pool", "sepo_best_response"]
    assert result.seeds == (0,)
    assert nash_convs(finished)[0] == pytest.approx(0.4990, abs=1e-3)
    assert len(set(nash_convs(finished))) == 4
    assert all(agent.conversations for agent in result.agents)
    assert (finished / "report.html").is_file()


def test_overrides_do_not_turn_the_imitating_agent_into_a_reinforced_one(finished):
    assert not (finished / "cells" / "sft-0" / "checkpoints").exists()
    curves = load_result(finished, AuditResult).curves
    assert {curve.agent for curve in curves} == {"sepo_pool", "sepo_best_response"}


def test_a_second_run_reuses_every_finished_cell(finished, run):
    before, result = stamps(finished), load_result(finished, AuditResult)
    ran = run(*ARGUMENTS, "--out", finished, "--json")
    assert ran.code == 0
    assert stamps(finished) == before
    again = parse_result(ran.out, "what was printed", AuditResult)
    assert result_json(again.model_copy(update={"made": result.made})) == result_json(result)
    assert again.made.seconds == result.made.seconds


def test_the_demo_s_summary_fits_a_terminal(finished, run, monkeypatch):
    monkeypatch.chdir(finished.parent)
    for line in run("report", finished).out.splitlines()[:-1]:
        assert len(line) <= 80, line


@pytest.mark.parametrize("changed", [["--deals", "6"], ["--set", "sft.steps=3"]])
def test_cells_of_other_settings_are_refused_and_kept(finished, mistake, changed):
    before = stamps(finished)
    line = mistake(*ARGUMENTS, *changed, "--out", finished)
    assert str(finished) in line
    assert stamps(finished) == before


@pytest.mark.slow
def test_a_stopped_demo_says_so_and_the_same_command_continues(finished, run, tmp_path, monkeypatch):
    train = study.train

    def stopped(recipe, folder, **settings):
        if "sepo_pool" in folder.name:
            raise Interrupted("stopped after step 1")
        return train(recipe, folder, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(study, "train", stopped)
        ran = run(*ARGUMENTS, "--out", "d")
    assert ran.code == 130
    assert ran.err.splitlines()[-1].startswith("equipoise: stopped; everything finished is kept.")
    assert sorted(path.name for path in (tmp_path / "d" / "cells").glob("*.json")) == ["base-0.json", "sft-0.json"]
    before = stamps(tmp_path / "d")
    assert run(*ARGUMENTS, "--out", "d").code == 0
    assert before.items() <= stamps(tmp_path / "d").items()
    assert nash_convs(finished) == nash_convs(tmp_path / "d")
