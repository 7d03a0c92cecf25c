"""`equipoise train --games` and audits of every kind: one result per game, and no figure that does not exist."""

import pytest

from equipoise.cli.main import main
from equipoise.lab.audit import AuditSettings
from equipoise.lab.model_audit import audit_run
from equipoise.lab.results import AuditResult, load_result, parse_result
from equipoise.training.recipe import load_recipe

GAMES = ("split", "commons")
TINY = [
    *("--set", "rl.steps=2", "--set", "rl.exact_every=1", "--set", "selection.every=0", "--set", "sft.steps=1"),
    *("--set", "demonstrations.episodes=10", "--set", "play.rollouts=2", "--set", "play.deals=1", "--deals", "2"),
]


def printed(ran):
    """The audit that a command printed as JSON."""
    assert ran.code == 0, ran.err
    return parse_result(ran.out, "what was printed", AuditResult)


@pytest.fixture(scope="module")
def joint(tmp_path_factory):
    """A finished joint run of two games."""
    folder = tmp_path_factory.mktemp("joint") / "run"
    assert main(["train", "--games", *GAMES, *TINY, "--out", str(folder)]) == 0
    return folder


@pytest.mark.slow
def test_a_joint_run_writes_one_result_per_game(joint):
    assert (joint / "model" / "model.safetensors").is_file()
    for name in GAMES:
        result = load_result(joint / name, AuditResult)
        assert result.game.name == name
        assert [agent.name for agent in result.agents] == ["base", "sft", "trained"]
        assert (joint / name / "report.html").is_file()
        assert (joint / name / "episodes.jsonl.gz").is_file()
    assert not (joint / "result.json").exists()


@pytest.mark.slow
def test_the_result_of_each_game_is_of_that_game(joint):
    recipe = load_recipe(joint / "recipe.toml")
    assert recipe.names == GAMES
    again = audit_run(recipe, joint, AuditSettings(deals=2), "commons")
    stored = load_result(joint / "commons", AuditResult)
    for one, other in zip(again.agents, stored.agents, strict=True):
        assert one.estimates["payoff"] == other.estimates["payoff"]
    with pytest.raises(ValueError, match="did not train on 'auction'; its games: split, commons"):
        audit_run(recipe, joint, AuditSettings(deals=2), "auction")


def test_an_audit_under_the_published_profile_solves_one_round_and_learns_an_adversary(run):
    ran = run(
        *("audit", "tiny", "--game", "prisoners_dilemma", "--profile", "published", "--exact-rounds", 1),
        *("--learned-episodes", 50, "--deals", 4, "--json"),
    )
    result = printed(ran)
    (agent,) = result.agents
    assert (result.exact, result.profile) == ("the first round of 8", "published")
    assert agent.estimates["exact_rounds"].value == 1
    assert {"worst_case_lower_bound", "worst_case_advantage", "sepo_index"} <= agent.estimates.keys()


def test_exact_rounds_of_zero_leave_the_exact_figures_out(run):
    result = printed(run("audit", "tiny", "--game", "split", "--exact-rounds", 0, "--deals", 2, "--json"))
    assert result.exact == ""
    assert not {"worst_case_advantage", "exact_rounds", "regret"} & result.agents[0].estimates.keys()


def test_an_audit_of_replies_with_reasons_has_no_exact_figures_and_says_so(run):
    arguments = ("audit", "tiny", "--game", "split", "--reasoning", "brief", "--max-new-tokens", 12, "--deals", 2)
    result = printed(run(*arguments, "--json"))
    (agent,) = result.agents
    assert not {"worst_case_advantage", "exact_rounds", "max_state_fault"} & agent.estimates.keys()
    assert result.exact == ""
    assert any(note.startswith("No exact figures") for note in agent.notes)
    assert "reasoning brief" in agent.sampling
    text = run(*arguments).out
    assert max(map(len, text.splitlines())) <= 80
