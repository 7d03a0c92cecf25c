"""What a probe takes from a run: its one game, said for the whole run, and what its learner starts from."""

import pytest

from equipoise.lab.probe import of_one_game, probe_recipe
from equipoise.lab.probe_run import learner_recipe
from equipoise.training.recipe import Recipe

JOINT = Recipe(
    game="",
    games=("prisoners_dilemma",),
    by_game={
        "prisoners_dilemma": {"objective": {"rule": "welfare"}, "parameters": {"rounds": 4}, "play": {"deals": 3}}
    },
)


def test_what_a_joint_recipe_says_of_its_one_game_is_said_for_the_run():
    alone, task = of_one_game(JOINT), JOINT.tasks[0]
    assert (alone.game, alone.games, alone.by_game) == ("prisoners_dilemma", (), {})
    assert alone.tasks[0].game.parameters == task.game.parameters
    assert (alone.tasks[0].play, alone.tasks[0].objective) == (task.play, task.objective)


def test_a_probe_is_naive_whatever_a_recipe_says_of_its_game_and_keeps_its_last_policy():
    probe = probe_recipe(of_one_game(JOINT), "tiny", 5)
    assert probe.tasks[0].objective.rule == "naive"
    assert probe_recipe(Recipe(selection=Recipe().selection.__class__(every=2)), "tiny", 5).selection.every == 0


def test_a_recipe_of_several_games_is_refused_in_one_line():
    with pytest.raises(ValueError, match="a probe plays one game, and the recipe has 2: split, auction; choose one"):
        of_one_game(Recipe(game="", games=("split", "auction")))


def test_a_learner_that_starts_from_a_model_of_its_own_sees_no_demonstrations():
    taught = learner_recipe("tiny", "kuhn_poker/sft", ["rl.steps=1"], None)
    assert taught.imitates
    fresh = learner_recipe("tiny", "kuhn_poker/sft", ["rl.steps=1"], "tiny")
    assert (fresh.model, fresh.imitates) == ("tiny", False)
