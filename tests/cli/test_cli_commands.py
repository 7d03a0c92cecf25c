"""Every command on the embedded model, small: what it prints, and what it leaves on the disk."""

import json
import shutil
import tomllib

import pytest

from equipoise.arena.records import read_episodes
from equipoise.games import domain
from equipoise.reports import load_report, render_html, validate_report

FIGURES = ("nash_conv", "pool_exploitability", "payoff", "fault_rate")


def widest(ran):
    return max((len(line) for line in ran.out.splitlines()), default=0)


def assert_is_a_report(record, agents):
    """The promised shape: game, seconds, and one row of figures with intervals per agent."""
    validate_report(record)
    assert record["game"] == "kuhn_poker"
    assert record["seconds"] > 0
    assert [row["agent"] for row in record["rows"]] == agents
    for row in record["rows"]:
        for figure in FIGURES:
            assert {"value", "low", "high", "n"} <= row[figure].keys()
        for figure in ("nash_conv", "pool_exploitability"):
            assert row[figure]["value"] >= 0
        assert row["nash_conv"]["method"] == "exact"


def files(folder):
    return {path.relative_to(folder): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_an_audit_writes_report_page_and_every_episode(small_audit):
    assert sorted(path.name for path in small_audit.iterdir()) == ["episodes.jsonl.gz", "report.html", "report.json"]
    report = load_report(small_audit)
    assert_is_a_report(report, ["agent"])
    assert (small_audit / "report.html").read_text(encoding="utf-8") == render_html(report)
    opponents = [opponent.name for _, opponent in domain("kuhn_poker").pools.all()]
    episodes = list(read_episodes(small_audit / "episodes.jsonl.gz"))
    assert len(episodes) == len(opponents) * 2 * 5
    assert {name for e in episodes for name in e.policies} == {*opponents, "agent"}


def test_an_audit_prints_its_figures_and_leaves_no_file_without_out(run, tmp_path):
    ran = run("audit", "tiny", "--game", "kuhn_poker", "--deals", 2)
    assert ran.code == 0
    assert "0.499" in ran.out
    assert widest(ran) <= 80
    assert list(tmp_path.iterdir()) == []


def test_an_audit_as_json_is_the_report_it_stores(run, tmp_path):
    ran = run("audit", "tiny", "--game", "kuhn_poker", "--deals", 2, "--out", "a", "--json")
    printed = json.loads(ran.out)
    assert_is_a_report(printed, ["agent"])
    assert printed == json.loads((tmp_path / "a" / "report.json").read_text(encoding="utf-8"))


def test_the_seed_decides_an_audit(run):
    def rows(seed):
        return json.loads(run("audit", "tiny", "--game", "kuhn_poker", "--deals", 4, "--seed", seed, "--json").out)[
            "rows"
        ]

    assert rows(3) == rows(3)
    assert rows(3) != rows(4)


def test_audit_settings_reach_the_audit(run):
    ran = run(
        *("audit", "tiny", "--game", "kuhn_poker", "--set", "hands=2", "--deals", 2, "--json"),
        *("--fault-rule", "constrained", "--temperature", 0.5, "--max-new-tokens", 4),
    )
    record = json.loads(ran.out)
    assert record["game_parameters"] == {"hands": 2}
    assert any("constrained" in note and "0.5" in note for note in record["notes"])
    assert record["context_spread"]["agent"]


def test_training_leaves_a_run_folder_and_a_report_of_both_ends(small_run):
    names = {path.name for path in small_run.iterdir()}
    assert {"recipe.toml", "versions.json", "metrics.jsonl", "model", "report.json", "report.html"} <= names
    report = load_report(small_run)
    assert_is_a_report(report, ["base", "trained"])
    (curve,) = report["curves"]
    assert [point["step"] for point in curve["points"]] == [0, 2]
    assert curve["points"][0]["nash_conv"] == pytest.approx(report["rows"][0]["nash_conv"]["value"], abs=1e-5)
    assert curve["points"][1]["nash_conv"] == pytest.approx(report["rows"][1]["nash_conv"]["value"], abs=1e-5)
    recipe = tomllib.loads((small_run / "recipe.toml").read_text(encoding="utf-8"))
    assert (recipe["rl"]["steps"], recipe["play"]["rollouts"]) == (2, 4)


def test_training_with_demonstrations_reports_three_agents(run, small, tmp_path):
    ran = run(
        *("train", "kuhn_poker/sft", "--model", "tiny", "--seed", 4, "--out", "r", *small),
        *("--set", "sft.steps=2", "--set", "demonstrations.episodes=20"),
    )
    assert ran.code == 0
    assert widest(ran) <= 80
    report = load_report(tmp_path / "r")
    assert_is_a_report(report, ["base", "sft", "trained"])
    assert report["seeds"] == [4]


def test_training_goes_to_runs_by_default_and_prints_json_alone(run, small, tmp_path):
    ran = run("train", "kuhn_poker/pool", *small, "--json")
    assert_is_a_report(json.loads(ran.out), ["base", "trained"])
    assert (tmp_path / "runs" / "kuhn_poker-pool" / "model" / "model.safetensors").is_file()


def test_a_trained_model_can_be_audited_by_its_run_folder(run, small_run):
    ran = run("audit", small_run, "--game", "kuhn_poker", "--deals", 2, "--json")
    trained = load_report(small_run)["rows"][1]["nash_conv"]["value"]
    assert json.loads(ran.out)["rows"][0]["nash_conv"]["value"] == pytest.approx(trained, abs=1e-9)


def test_a_finished_run_resumes_to_the_same_report_without_training(run, small, small_run):
    before, weights = load_report(small_run), files(small_run / "model")
    ran = run("train", "kuhn_poker", *small, "--out", small_run, "--resume")
    assert ran.code == 0
    assert widest(ran) <= max(80, len(f"report: {small_run / 'report.html'}"))
    assert files(small_run / "model") == weights
    assert load_report(small_run)["rows"] == before["rows"]


def test_a_report_is_rendered_again_from_its_json(run, small_run, tmp_path):
    shutil.copy(small_run / "report.json", tmp_path)
    ran = run("report", ".")
    assert ran.code == 0
    assert widest(ran) <= 80
    assert "Trained" in ran.out
    assert (tmp_path / "report.html").read_text() == (small_run / "report.html").read_text()
    assert (tmp_path / "report.json").read_text() == (small_run / "report.json").read_text()


def test_a_report_can_go_elsewhere_and_prints_the_stored_json(run, small_run, tmp_path):
    before = files(small_run)
    ran = run("report", small_run / "report.json", "--out", "elsewhere", "--json")
    assert json.loads(ran.out) == load_report(small_run)
    assert (tmp_path / "elsewhere" / "report.html").read_text() == (small_run / "report.html").read_text()
    assert files(small_run) == before


def test_the_version_is_the_package_s(run, capsys):
    from equipoise import __version__

    with pytest.raises(SystemExit) as stop:
        run("--version")
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"equipoise {__version__}\n"


def test_a_run_is_resumed_by_the_recipe_it_holds(run, small_run):
    held = (small_run / "recipe.toml").read_bytes()
    ran = run("train", "--out", small_run, "--resume", "--no-audit")
    assert (ran.code, ran.out) == (0, f"model: {small_run / 'model'}\n")
    assert (small_run / "recipe.toml").read_bytes() == held


def test_force_starts_over_and_no_audit_leaves_the_report_out(run, small, tmp_path):
    command = ["train", "kuhn_poker", *small, "--out", "r", "--no-audit"]
    assert run(*command).code == 0
    assert run(*command).code == 2
    ran = run(*command, "--seed", 3, "--force", "--json")
    assert (ran.code, json.loads(ran.out)) == (0, {"model": "r/model"})
    assert "seed = 3" in (tmp_path / "r" / "recipe.toml").read_text()
    assert not (tmp_path / "r" / "report.json").exists()


def test_force_leaves_other_folders_alone(run, small, tmp_path):
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "thesis.txt").write_text("mine")
    assert run("train", "kuhn_poker", *small, "--out", "r", "--force").code == 2
    assert [path.name for path in (tmp_path / "r").iterdir()] == ["thesis.txt"]
