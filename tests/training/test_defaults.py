"""Derived recipes: a game with rules and words alone can be trained, by what it has."""

import dataclasses
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from equipoise.core import Pools
from equipoise.games import domain, make_game
from equipoise.games.domain import Domain, Hazard, Profile
from equipoise.training import defaults
from equipoise.training.recipe import default_recipe, label_of, load_recipe
from equipoise.training.run import train

NOTHING = Hazard(lambda episode, seat: [0.0] * len(episode.rewards), "nothing", low=0.0, high=0.0)
BARE = Profile(Pools(), NOTHING, NOTHING)


@pytest.fixture
def foreign(monkeypatch):
    """Registers somebody else's game: one of ours under another name, without opponents unless they are given."""

    def register(game, profile=BARE, **parameters):
        module = ModuleType("foreign_games")
        module.DOMAIN = Domain(lambda: make_game(game, **parameters), profile)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        return "foreign_games:DOMAIN"

    return register


SMALL = ["rl.steps=2", "play.deals=2", "play.rollouts=2", "self_play.deals=2", "self_play.rollouts=2"]


@pytest.mark.parametrize(
    ("game", "parameters", "rounds"), [("kuhn_poker", {}, 0), ("kuhn_poker", {"hands": 6}, 1)], ids=["one", "six"]
)
def test_a_small_zero_sum_game_is_trained_against_its_exact_best_response(game, parameters, rounds, foreign):
    recipe = default_recipe(foreign(game, **parameters))
    assert (recipe.play.adversaries, recipe.play.rounds) == (("best_response",), rounds)
    assert recipe.objective.rule == "own_pool"


def test_a_game_with_pools_is_trained_against_them(foreign):
    recipe = default_recipe(foreign("prisoners_dilemma", domain("prisoners_dilemma").corrected))
    assert (recipe.objective.rule, recipe.play.adversaries) == ("own_pool", ("pool",))


@pytest.mark.parametrize(
    ("game", "rule", "divisor"),
    [("prisoners_dilemma", "advantage_alignment", 5.0), ("split", "advantage_alignment", 9.0)],
)
def test_a_game_without_opponents_is_trained_by_self_play(game, rule, divisor, foreign):
    recipe = default_recipe(foreign(game))
    assert (recipe.objective.rule, recipe.self_play.trained) == (rule, "both")
    assert recipe.self_play.reward_divisor == pytest.approx(divisor)


def test_a_large_zero_sum_game_without_opponents_is_trained_by_plain_self_play(foreign, monkeypatch):
    monkeypatch.setattr(defaults, "SMALL", 5)
    assert default_recipe(foreign("kuhn_poker")).objective.rule == "naive"


def test_a_game_with_talk_leaves_room_for_a_message(foreign):
    assert default_recipe(foreign("trust_and_split")).sampling.max_new_tokens > 8
    assert default_recipe(foreign("kuhn_poker")).sampling.max_new_tokens == 8


def test_a_game_for_more_than_two_learns_by_plain_self_play():
    recipe = default_recipe(f"{Path(__file__).parents[1] / 'games' / 'odd_one_out.py'}:OddOneOut")
    assert (recipe.objective.rule, recipe.self_play.trained) == ("naive", "one")
    assert recipe.tasks[0].game.num_players == 3


def test_a_game_s_name_loads_the_derived_recipe_where_none_ships(foreign):
    name = foreign("prisoners_dilemma", rounds=2)
    assert load_recipe(name, ["seed=4"]) == dataclasses.replace(default_recipe(name), seed=4)
    assert label_of(name) == "default"
    assert load_recipe("split").demonstrations.experts == "default"  # a recipe ships


@pytest.mark.parametrize("game", ["kuhn_poker", "prisoners_dilemma"])
def test_a_game_with_rules_and_words_alone_trains(game, foreign, tmp_path):
    name = foreign(game)
    train(load_recipe(name, SMALL), tmp_path / "run")
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3]
    assert (tmp_path / "run" / "model" / "model.safetensors").is_file()
