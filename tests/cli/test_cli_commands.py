"""Every command on the embedded model, small: what it prints, and what it leaves on the disk."""

import json
import shutil
import tomllib

import pytest

from equipoise.arena.records import read_episodes
from equipoise.games import domain
from equipoise.lab.results import AuditResult, load_result, parse_result
from equipoise.reports.views import document_of
from equipoise.reports.write import render

FIGURES = ("nash_conv", "pool_exploitability", "payoff", "fault_rate")


def widest(ran):
    return max((len(line) for line in ran.out.splitlines()), default=0)


def printed(ran):
    """The result that a command printed as JSON, and nothing else."""
    assert ran.code == 0, ran.err
    return parse_result(ran.out, "what was printed", AuditResult)


def stored(folder):
    return load_result(folder, AuditResult)


def assert_is_an_audit(result, agents):
    """The game, the time it took, and each agent's figures with intervals."""
    assert result.game.name == "kuhn_poker"
    assert result.made.seconds > 0
    assert [agent.name for agent in result.agents] == agents
    for agent in result.agents:
        assert agent.estimates.keys() >= set(FIGURES)
        for figure in ("nash_conv", "pool_exploitability"):
            assert agent.estimates[figure].value >= 0
        assert agent.estimates["nash_conv"].method == "exact"


def files(folder):
    return {path.relative_to(folder): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_an_audit_writes_result_page_and_every_episode(small_audit):
    assert sorted(path.name for path in small_audit.iterdir()) == ["episodes.jsonl.gz", "report.html", "result.json"]
    result = stored(small_audit)
    assert_is_an_audit(result, ["agent"])
    assert (small_audit / "report.html").read_text(encoding="utf-8") == render(document_of(result), "html")
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


def test_an_audit_as_json_is_the_result_it_stores(run, tmp_path):
    ran = run("audit", "tiny", "--game", "kuhn_poker", "--deals", 2, "--out", "a", "--json")
    assert_is_an_audit(printed(ran), ["agent"])
    assert ran.out == (tmp_path / "a" / "result.json").read_text(encoding="utf-8")
    assert printed(ran).made.command == "equipoise audit tiny --game kuhn_poker --deals 2 --out a"


def test_the_seed_decides_an_audit(run):
    def estimates(seed):
        ran = run("audit", "tiny", "--game", "kuhn_poker", "--exact-rounds", 0, "--deals", 4, "--seed", seed, "--json")
        return printed(ran).agents[0].estimates

    assert estimates(3) == estimates(3)
    assert estimates(3) != estimates(4)


def test_audit_settings_reach_the_audit(run):
    ran = run(
        *("audit", "tiny", "--game", "kuhn_poker", "--set", "hands=2", "--deals", 2, "--json"),
        *("--fault-rule", "constrained", "--temperature", 0.5, "--max-new-tokens", 4),
    )
    result = printed(ran)
    assert result.game.parameters == {"hands": 2}
    assert any("constrained" in note for note in result.notes)
    assert result.agents[0].sampling == "temperature 0.5, at most 4 tokens a reply"
    assert result.agents[0].spread


def test_a_greedy_audit_says_that_it_is_deterministic(run):
    (agent,) = printed(run("audit", "tiny", "--game", "split", "--temperature", 0, "--deals", 1, "--json")).agents
    assert "deterministic" in agent.sampling
    assert all(max(*state.probabilities, state.outside) == 1 for state in agent.states)


def test_training_leaves_a_run_folder_and_an_audit_of_both_ends(small_run):
    names = {path.name for path in small_run.iterdir()}
    assert {"recipe.toml", "versions.json", "metrics.jsonl", "model", "result.json", "report.html"} <= names
    result = stored(small_run)
    assert_is_an_audit(result, ["base", "trained"])
    (curve,) = result.curves
    assert [step for step, _ in curve.points] == [0, 2]
    for (_, value), agent in zip(curve.points, result.agents, strict=True):
        assert value == pytest.approx(agent.estimates["nash_conv"].value, abs=1e-5)
    recipe = tomllib.loads((small_run / "recipe.toml").read_text(encoding="utf-8"))
    assert (recipe["rl"]["steps"], recipe["play"]["rollouts"]) == (2, 4)


def test_training_with_demonstrations_audits_three_agents(run, small, tmp_path):
    ran = run(
        *("train", "kuhn_poker/sft", "--model", "tiny", "--seed", 4, "--out", "r", *small),
        *("--set", "sft.steps=2", "--set", "demonstrations.episodes=20"),
    )
    assert ran.code == 0
    assert widest(ran) <= 80
    result = stored(tmp_path / "r")
    assert_is_an_audit(result, ["base", "sft", "trained"])
    assert result.seeds == (4,)


def test_training_goes_to_runs_by_default_and_prints_json_alone(run, small, tmp_path):
    ran = run("train", "kuhn_poker/pool", *small, "--json")
    assert_is_an_audit(printed(ran), ["base", "trained"])
    assert (tmp_path / "runs" / "kuhn_poker-pool" / "model" / "model.safetensors").is_file()


def test_a_trained_model_can_be_audited_by_its_run_folder(run, small_run):
    ran = run("audit", small_run, "--game", "kuhn_poker", "--deals", 2, "--json")
    trained = stored(small_run).agents[1].estimates["nash_conv"].value
    assert printed(ran).agents[0].estimates["nash_conv"].value == pytest.approx(trained, abs=1e-9)


def test_a_run_is_audited_with_its_own_sampling_and_parameters_and_a_deviation_is_said(run, tmp_path):
    own = ["--set", "sampling.temperature=0.3", "--set", "game_parameters.hands=2", "--set", "rl.steps=0"]
    assert run("train", "kuhn_poker", *own, "--out", "r", "--no-audit").code == 0
    audit = ["audit", "r", "--game", "kuhn_poker", "--deals", 1, "--json"]
    result = printed(run(*audit))
    assert result.game.parameters == {"hands": 2}
    assert result.agents[0].sampling.startswith("temperature 0.3,")
    assert not any("its run" in note for note in result.notes)
    other = printed(run(*audit, "--temperature", 1, "--dtype", "bfloat16", "--device", "cpu"))
    assert any("temperature 1.0 (its run: 0.3)" in note for note in other.notes)
    assert other.made.command.endswith("--temperature 1.0 --device cpu --dtype bfloat16")


def test_a_finished_run_resumes_to_the_same_audit_without_training(run, small, small_run):
    before, weights = stored(small_run), files(small_run / "model")
    ran = run("train", "kuhn_poker", *small, "--out", small_run, "--resume")
    assert ran.code == 0
    assert widest(ran) <= max(80, len(str(small_run / "report.html")))
    assert files(small_run / "model") == weights
    assert [agent.estimates for agent in stored(small_run).agents] == [agent.estimates for agent in before.agents]


def test_a_page_is_rendered_again_from_its_result(run, small_run, tmp_path):
    shutil.copy(small_run / "result.json", tmp_path)
    ran = run("report", ".")
    assert ran.code == 0
    assert widest(ran) <= 80
    assert "Trained" in ran.out
    assert (tmp_path / "report.html").read_text() == (small_run / "report.html").read_text()
    assert (tmp_path / "result.json").read_text() == (small_run / "result.json").read_text()


def test_a_page_can_be_markdown_or_another_view(run, small_run, tmp_path):
    (tmp_path / "mine.py").write_text(
        "from equipoise.reports.document import Document\n"
        "def shortest(result):\n    return Document(result.title, ['All there is to say.'], [], [])\n"
    )
    ran = run("report", small_run, "--out", "o", "--markdown", "page.md", "--view", "mine.py:shortest")
    assert ran.code == 0, ran.err
    assert "All there is to say." in (tmp_path / "page.md").read_text()
    assert "All there is to say." in (tmp_path / "o" / "report.html").read_text()


def test_a_page_can_go_elsewhere_and_prints_the_stored_json(run, small_run, tmp_path):
    before = files(small_run)
    ran = run("report", small_run / "result.json", "--out", "elsewhere", "--json")
    assert ran.out == (small_run / "result.json").read_text()
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


def test_force_starts_over_and_no_audit_leaves_the_audit_out(run, small, tmp_path):
    command = ["train", "kuhn_poker", *small, "--out", "r", "--no-audit"]
    assert run(*command).code == 0
    assert run(*command).code == 2
    ran = run(*command, "--seed", 3, "--force", "--json")
    assert (ran.code, json.loads(ran.out)) == (0, {"model": "r/model"})
    assert "seed = 3" in (tmp_path / "r" / "recipe.toml").read_text()
    assert not (tmp_path / "r" / "result.json").exists()


def test_force_leaves_other_folders_alone(run, small, tmp_path):
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "thesis.txt").write_text("mine")
    assert run("train", "kuhn_poker", *small, "--out", "r", "--force").code == 2
    assert [path.name for path in (tmp_path / "r").iterdir()] == ["thesis.txt"]
