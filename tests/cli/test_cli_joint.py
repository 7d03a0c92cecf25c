"""`equipoise train --games` and audits of every kind: one report per game, and no figure that does not exist."""

import json

import pytest
from equipoise.lab.single_run import report_of_run

from equipoise.cli.main import main
from equipoise.reports import load_report, validate_report
from equipoise.training.recipe import load_recipe

GAMES = ("split", "commons")
TINY = [
    *("--set", "rl.steps=2", "--set", "rl.exact_every=1", "--set", "selection.every=0", "--set", "sft.steps=1"),
    *("--set", "demonstrations.episodes=10", "--set", "play.rollouts=2", "--set", "play.deals=1", "--deals", "2"),
]


def flat(text):
    """The text without its line breaks and indents."""
    return " ".join(text.split())


@pytest.fixture(scope="module")
def joint(tmp_path_factory):
    """A finished joint run of two games."""
    folder = tmp_path_factory.mktemp("joint") / "run"
    assert main(["train", "--games", *GAMES, *TINY, "--out", str(folder)]) == 0
    return folder


@pytest.mark.slow
def test_a_joint_run_writes_one_report_per_game(joint):
    assert (joint / "model" / "model.safetensors").is_file()
    for name in GAMES:
        report = load_report(joint / name)
        validate_report(report)
        assert report["game"] == name
        assert [row["agent"] for row in report["rows"]] == ["base", "sft", "trained"]
        assert (joint / name / "report.html").is_file()
        assert (joint / f"episodes-{name}.jsonl.gz").is_file()
    assert not (joint / "report.json").exists()


@pytest.mark.slow
def test_the_report_of_each_game_is_of_that_game(joint):
    recipe = load_recipe(joint / "recipe.toml")
    assert recipe.names == GAMES
    again = report_of_run(recipe, joint, 2, "commons")
    stored = load_report(joint / "commons")
    for one, other in zip(again["rows"], stored["rows"], strict=True):
        assert one["payoff"] == other["payoff"]
    with pytest.raises(ValueError, match="did not train on 'auction'; its games: split, commons"):
        report_of_run(recipe, joint, 2, "auction")


def test_an_audit_under_the_published_profile_solves_one_round_and_learns_an_adversary(run):
    ran = run(
        *("audit", "tiny", "--game", "prisoners_dilemma", "--profile", "published", "--exact-rounds", 1),
        *("--learned-episodes", 50, "--deals", 4, "--json"),
    )
    assert ran.code == 0, ran.err
    record = json.loads(ran.out)
    (row,) = record["rows"]
    assert record["exact"] == "the first round of 8"
    assert row["exact_rounds"]["value"] == 1
    assert {"worst_case_lower_bound", "worst_case_advantage", "sepo_index"} <= row.keys()
    assert any("Profile: published." in note for note in record["notes"])


def test_exact_rounds_of_zero_leave_the_exact_figures_out(run):
    record = json.loads(run("audit", "tiny", "--game", "split", "--exact-rounds", 0, "--deals", 2, "--json").out)
    assert record["exact"] is None
    assert not {"worst_case_advantage", "exact_rounds", "regret"} & record["rows"][0].keys()


def test_an_audit_of_replies_with_reasons_has_no_exact_figures_and_says_so(run):
    arguments = ("audit", "tiny", "--game", "split", "--reasoning", "brief", "--max-new-tokens", 12, "--deals", 2)
    ran = run(*arguments, "--json")
    record = json.loads(ran.out)
    assert not {"worst_case_advantage", "exact_rounds", "max_state_fault"} & record["rows"][0].keys()
    assert record["exact"] is None
    assert any(note.startswith("No exact figures: this policy's replies can be sampled") for note in record["notes"])
    text = run(*arguments).out
    assert "No exact figure was measured in this run" in flat(text)
    assert max(map(len, text.splitlines())) <= 80
