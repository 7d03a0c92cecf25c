"""Recipes: what is written is what runs, and every mistake is one line with a hint."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.errors import UserError
from equipoise.games import SEPO_GAMES, domain
from equipoise.objectives import sepo
from equipoise.objectives.rules import POOL_RULES
from equipoise.training.demonstrations import Demonstrations
from equipoise.training.recipe import Recipe, find_recipe, label_of, load_recipe, parse_recipe
from equipoise.training.settings import Lora, Objective, Optimisation

FULL = {
    "game": "kuhn_poker",
    "game_parameters": {"hands": 6},
    "seed": 3,
    "by_game": {"kuhn_poker": {"parameters": {"hands": 3}, "objective": {"rule": "welfare"}}},
    "demonstrations": {"experts": {"nash": 1, "tight": 0.5}, "episodes": 10, "validation": 0.5},
    "sft": {"steps": 5, "learning_rate": 1e-05},
    "play": {"rollouts": 4, "deals": 8, "adversaries": ["pool", "best_response"], "train_pool": ["tight"]},
    "objective": {"rule": "payoff", "kl": 0.1, "lambdas": [1.5, 2, 0]},
    "selection": {"every": 5},
    "hardware": {"device": "cpu"},
    "rl": {"steps": 7, "report_to": ["tensorboard"]},
    "lora": {"rank": 4, "targets": ["q_proj"]},
    "sampling": {"temperature": 0.7},
}


def refused(table, match, overrides=()):
    with pytest.raises(ValueError, match=match) as caught:
        parse_recipe(table, overrides)
    assert "\n" not in str(caught.value)


def test_an_empty_recipe_is_the_defaults():
    assert parse_recipe({}) == Recipe()


def test_values_reach_their_section():
    recipe = parse_recipe(FULL)
    assert (recipe.game_parameters, recipe.seed) == ({"hands": 6}, 3)
    assert recipe.play.adversaries == ("pool", "best_response")
    assert (recipe.rl.steps, recipe.rl.report_to) == (7, ("tensorboard",))
    assert (recipe.objective.rule, recipe.lora.targets) == ("payoff", ("q_proj",))


@pytest.mark.parametrize("table", [{}, FULL], ids=["defaults", "every section"])
def test_a_written_recipe_reads_back_as_itself(table, tmp_path):
    recipe = parse_recipe(table)
    (tmp_path / "recipe.toml").write_text(recipe.to_toml(), encoding="utf-8")
    again = load_recipe(tmp_path / "recipe.toml")
    assert again == recipe
    assert again.to_toml() == recipe.to_toml()


@settings(max_examples=40)
@given(st.text(max_size=20), st.floats(1e-9, 1e9), st.integers(0, 9_000), st.lists(st.text(max_size=5), max_size=3))
def test_any_value_survives_being_written(tmp_path_factory, model, rate, seed, targets):
    recipe = Recipe(model=model, seed=seed, rl=Optimisation(learning_rate=rate), lora=Lora(targets=tuple(targets)))
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text(recipe.to_toml(), encoding="utf-8")
    assert load_recipe(path) == recipe


@pytest.mark.parametrize(
    ("table", "match"),
    [
        ({"sede": 1}, "unknown recipe key 'sede'; known: .*Did you mean 'seed'"),
        ({"rl": {"step": 1}}, r"unknown recipe key in \[rl\] 'step'; known: .*Did you mean 'steps'"),
        ({"zzz": 1}, "unknown recipe key 'zzz'; known: game"),
        ({"seed": "one"}, "'seed' takes a whole number; got 'one'"),
        ({"seed": True}, "'seed' takes a whole number; got True"),
        ({"rl": {"steps": 1.5}}, r"'rl\.steps' takes a whole number; got 1\.5"),
        ({"rl": {"learning_rate": "fast"}}, r"'rl\.learning_rate' takes a number; got 'fast'"),
        ({"play": {"train_pool": "tight"}}, r"'play\.train_pool' takes a list; got 'tight'"),
        ({"rl": 3}, "'rl' is a section; got 3"),
        ({"game": "kuhn"}, "unknown game 'kuhn'; known: .*Did you mean 'kuhn_poker'"),
        ({"demonstrations": {"experts": {"nobody": 1.0}}}, "unknown opponent 'nobody'; known: "),
        ({"demonstrations": {"experts": {"nash": 0}}}, "expert 'nash' has weight 0; weights must be above 0"),
        ({"play": {"train_pool": ["nobody"]}}, "unknown opponent 'nobody'; known: "),
        ({"play": {"adversaries": ["poll"]}}, "got adversaries .*poll.*; allowed: 'pool', 'best_response'"),
        ({"play": {"adversaries": []}}, "got adversaries"),
        ({"play": {"seats": [0, 0]}}, r"got seats \[0, 0\]; allowed: \[0, 1\], \[0\] or \[1\]"),
        ({"play": {"rounds": -1}}, "got rounds=-1"),
        ({"play": {"rollouts": 1}}, "got rollouts=1; a leave-one-out baseline needs at least 2"),
        ({"play": {"fault_rule": "forfiet"}}, "fault rule 'forfiet'.*forfeit"),
        ({"objective": {"rule": "own_pol"}}, "unknown credit rule 'own_pol'; known: .*Did you mean 'own_pool'"),
        ({"objective": {"kl": -1.0}}, "got kl=-1.0; it must be 0 or more"),
        ({"objective": {"discount": 2.0}}, "discount"),
        ({"objective": {"lambdas": [2.4, -1.0, 1.8]}}, r"got lambdas=\[2.4, -1.0, 1.8\]; allowed: \[le, lc, lx\]"),
        ({"objective": {"lambdas": [2.4, float("nan"), 1.8]}}, r"got lambdas=\[2.4, nan, 1.8\]; allowed"),
        ({"objective": {"lambdas": [2.4]}}, r"got lambdas=\[2.4\]; allowed"),
        ({"objective": {"lambdas": ["2.4", 1, 1]}}, r"got lambdas=.*; allowed"),
        ({"objective": {"scale": -1.0}}, r"got scale=-1.0; allowed"),
        ({"objective": {"kl": float("nan")}}, "got kl=nan; it must be 0 or more"),
        ({"demonstrations": {"experts": "papper"}}, "unknown mixture of experts 'papper'; known:"),
        ({"demonstrations": {"experts": 3}}, r"'demonstrations\.experts' takes a table or a string; got 3"),
        ({"demonstrations": {"experts": {"nash": float("nan")}}}, "expert 'nash' has weight nan"),
        (
            {"demonstrations": {"opponents": "pool"}},
            "unknown opponents 'pool' of demonstrations; known: experts, pools",
        ),
        ({"demonstrations": {"validation": 1.5}}, "validation=1.5; allowed"),
        ({"sft": {"pass_tokens": 0}}, "got pass_tokens=0; it must be above 0"),
        ({"selection": {"every": -1}}, "got every=-1"),
        ({"hardware": {"device": "tpu"}}, "unknown device 'tpu'; known: auto, cpu, cuda"),
        ({"hardware": {"dtype": "int8"}}, "unknown dtype 'int8'; known: float32, bfloat16"),
        ({"hardware": {"optimizer": "sgd"}}, "unknown optimizer 'sgd'; known: adamw, adamw_8bit, paged_adamw"),
        ({"profile": "publisht"}, "unknown profile 'publisht'; known: corrected, published"),
        ({"game": "kuhn_poker", "games": ["kuhn_poker"]}, "give one of them: a game, or a list of games"),
        ({"game": ""}, "give one of them: a game, or a list of games"),
        ({"games": ["kuhn_poker", "kuhn_poker"]}, "each game may be named once"),
        ({"games": ["kuhn"]}, "unknown game 'kuhn'; known: .*Did you mean 'kuhn_poker'"),
        ({"games": ["kuhn_poker"], "game_parameters": {"hands": 2}}, r"write \[by_game\.NAME\] parameters"),
        ({"by_game": {"auction": {}}}, r"unknown game of this recipe in \[by_game\] 'auction'; known: kuhn_poker"),
        ({"by_game": {"kuhn_poker": {"plai": {}}}}, r"in \[by_game\.kuhn_poker\] 'plai'.*Did you mean 'play'"),
        ({"by_game": {"kuhn_poker": {"play": {"deal": 1}}}}, r"in \[by_game\.kuhn_poker\.play\] 'deal'.*'deals'"),
        ({"by_game": {"kuhn_poker": {"objective": {"kl": 1}}}}, "the KL penalty is one for the whole run"),
        ({"by_game": {"kuhn_poker": 3}}, r"'by_game\.kuhn_poker' is a section; got 3"),
        ({"rl": {"learning_rate": 0.0}}, r"got learning_rate=0\.0; it must be above 0"),
        ({"rl": {"steps": -1}}, "got steps=-1"),
        ({"rl": {"warmup_steps": -1}}, r"got warmup_steps=-1; allowed: 0 \(off\) or more"),
        ({"sft": {"batch_size": 0}}, "got batch_size=0"),
        ({"lora": {"rank": -1}}, "got lora rank -1"),
        ({"lora": {"rank": 2**31 - 1}}, "got lora rank 2147483647; allowed: 0 .off. to "),
        ({"rl": {"report_to": [1]}}, r"'rl\.report_to' takes a list of strings; got 1"),
        ({"play": {"train_pool": [["nash"]]}}, r"'play\.train_pool' takes a list of strings; got \['nash'\]"),
        ({"objective": {"rule": [1]}}, r"'objective\.rule' takes a list of strings; got 1"),
        ({"games": [[]]}, r"'games' takes a list of strings; got \[\]"),
        ({"by_game": {"kuhn_poker": {"objective": 3}}}, r"'by_game\.kuhn_poker\.objective' is a section; got 3"),
        ({"by_game": {"kuhn_poker": {"parameters": 3}}}, r"'by_game\.kuhn_poker\.parameters' is a section; got 3"),
        ({"sampling": {"temperature": 0.0}}, r"sampling\.temperature = 0.*needs more than 0"),
        ({"game_parameters": {"hands": 0}}, "got hands=0; allowed: a whole number from 1 to 100"),
        ({"game_parameters": {"rounds": 2}}, "kuhn_poker has no parameter 'rounds'; known: hands"),
    ],
)
def test_a_mistake_in_a_recipe_is_one_line(table, match):
    refused(table, match)


def test_held_out_opponents_are_never_trained_on():
    refused({"play": {"train_pool": ["bluffer"]}}, "bluffer.*held")
    refused({"demonstrations": {"experts": {"bluffer": 1.0}}}, "bluffer.*held")


def test_the_weights_are_the_profile_s_unless_the_recipe_names_others():
    (task,) = parse_recipe({}).tasks
    profile = domain("kuhn_poker").corrected
    assert (task.weights.exploitability, task.weights.collusion, task.weights.externality) == profile.weights
    assert task.weights.scale == 1.5
    (task,) = parse_recipe({"objective": {"lambdas": [1, 0, 0.5], "scale": 2}}).tasks
    assert (task.weights.exploitability, task.weights.collusion, task.weights.externality) == (1.0, 0.0, 0.5)
    assert task.weights.scale == 2.0


def test_sepo_is_the_own_pool_rule():
    assert Objective(rule="sepo").pools is Objective(rule="own_pool").pools is sepo.own_pool


def test_a_game_s_own_section_changes_that_game_alone():
    (task,) = parse_recipe(FULL).tasks
    assert (task.game.parameters, task.objective.rule) == ({"hands": 3}, "welfare")
    assert (task.objective.lambdas, task.play.deals) == ((1.5, 2.0, 0.0), 8)


def test_all_games_are_the_games_there_are_and_an_override_replaces_the_game():
    recipe = parse_recipe({"game": "kuhn_poker"}, ['games=["all"]'])
    assert (recipe.game, recipe.games) == ("", SEPO_GAMES)
    assert [task.game.name for task in recipe.tasks] == list(SEPO_GAMES)
    assert parse_recipe({"games": ["all"]}, ["game=kuhn_poker"]).names == ("kuhn_poker",)


def test_overrides_replace_add_and_keep_their_type():
    recipe = parse_recipe(FULL, ["rl.steps=9", "seed = 4", "model=some/where", "game_parameters.hands=2"])
    assert (recipe.rl.steps, recipe.seed, recipe.model, recipe.game_parameters) == (9, 4, "some/where", {"hands": 2})
    lists = parse_recipe({}, ['play.adversaries=["best_response"]', "objective.rule=payoff", "rl.learning_rate=1"])
    assert (lists.play.adversaries, lists.objective.rule, lists.rl.learning_rate) == (("best_response",), "payoff", 1.0)


@pytest.mark.parametrize(
    ("override", "match"),
    [
        ("rl.steps", "override 'rl.steps' has no '='"),
        ("rl.stepz=3", "unknown recipe key in .rl. 'stepz'.*Did you mean 'steps'"),
        ("nowhere.steps=3", "unknown recipe key 'nowhere'"),
        ("seed.x=3", "'seed' is not a section"),
        ("rl.steps=many", "takes a whole number; got 'many'"),
        ("rl=3", "'rl' is a section"),
    ],
)
def test_a_mistake_in_an_override_is_one_line(override, match):
    refused({"seed": 1}, match, [override])


@pytest.mark.parametrize(
    ("override", "where"),
    [
        ("rl.learning_rate=inf", "rl.learning_rate"),
        ("rl.learning_rate=1e300", "rl.learning_rate"),
        ("sft.learning_rate=inf", "sft.learning_rate"),
        ("lora.alpha=nan", "lora.alpha"),
        ("rl.steps=1000000000000000000000", "rl.steps"),
        ("demonstrations.episodes=99999999999", "demonstrations.episodes"),
        ("objective.entropy=1e12", "objective.entropy"),
        ("self_play.reward_divisor=inf", "self_play.reward_divisor"),
        ("objective.lambdas=[1e30, 1.0, 1.0]", "objective.lambdas"),
        ("demonstrations.experts={ nash = 1e30 }", "demonstrations.experts.nash"),
        ("by_game={ kuhn_poker = { rl = 1, play = { rollouts = 10000000000 } } }", "by_game.kuhn_poker.play.rollouts"),
    ],
)
def test_numbers_are_finite_and_moderate(override, where):
    refused({}, rf"got {where}=.*; allowed: a finite number", [override])


@pytest.mark.parametrize("value", ["inf", "1e-300"])
def test_a_temperature_is_finite_and_no_logit_divided_by_it_is_not(value):
    refused({}, f"got temperature {value}; allowed: .*finite number", [f"sampling.temperature={value}"])


@pytest.mark.parametrize("text", ["rl.steps=3\nrl.save_every=2", "rl.steps=3\n[sft]", "seed=1\nlora = { rank = 2 }"])
def test_a_second_line_in_an_override_is_refused_and_not_dropped(text):
    refused({}, "sets more than one key", [text])
    assert parse_recipe({}, ["rl.report_to=[\n]"]).rl.report_to == ()


def test_overrides_leave_the_given_table_alone():
    table = {"demonstrations": {"experts": {"nash": 1.0}}, "game_parameters": {"hands": 1}}
    parse_recipe(table, ["demonstrations.experts.tight=2.0", "game_parameters.hands=6"])
    assert table == {"demonstrations": {"experts": {"nash": 1.0}}, "game_parameters": {"hands": 1}}


def test_files_that_cannot_be_read_are_one_line(tmp_path):
    with pytest.raises(ValueError, match=r"no recipe file .*nowhere\.toml"):
        load_recipe(tmp_path / "nowhere.toml")
    (tmp_path / "broken.toml").write_text("seed = = 3")
    with pytest.raises(ValueError, match=r"broken\.toml is not valid TOML") as caught:
        load_recipe(tmp_path / "broken.toml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_a_file_of_another_encoding_is_one_line(encoding, tmp_path):
    (tmp_path / "other.toml").write_text('model = "für"', encoding=encoding)
    with pytest.raises(UserError, match=r"other\.toml is not UTF-8 text"):
        load_recipe(tmp_path / "other.toml")


def test_a_byte_order_mark_is_no_mistake(tmp_path):
    (tmp_path / "marked.toml").write_text("seed = 3", encoding="utf-8-sig")
    assert load_recipe(tmp_path / "marked.toml").seed == 3


def test_a_recipe_is_loaded_by_its_name_or_its_path():
    path = find_recipe("kuhn_poker/best_response")
    named = load_recipe("kuhn_poker/best_response", ["seed=3"])
    assert named == load_recipe(path, ["seed=3"]) == load_recipe(str(path), ["seed=3"])
    assert (named.seed, named.play.adversaries) == (3, ("best_response",))
    assert label_of("kuhn_poker") == label_of(str(path)) == "best_response"
    with pytest.raises(UserError, match=r"unknown recipe 'kuhn_poker/best'; known: .*Did you mean"):
        load_recipe("kuhn_poker/best")


def test_every_credit_rule_can_be_named():
    for name in POOL_RULES:
        assert Objective(rule=name).rule == name


def test_recipes_cannot_be_changed_after_checking():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Recipe().seed = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        Demonstrations().episodes = 0


def test_other_games_than_a_recipe_s_leave_out_what_it_says_of_its_own():
    recipe = load_recipe(find_recipe("sepo/joint"), ['games=["split", "kuhn_poker"]'])
    assert recipe.names == ("split", "kuhn_poker")
    assert list(recipe.by_game) == ["kuhn_poker"]
    assert list(load_recipe(find_recipe("sepo/joint"), ["game=commons"]).by_game) == []
    assert set(load_recipe(find_recipe("sepo/joint"), ['games=["all"]']).by_game) == {
        "kuhn_poker",
        "auction",
        "bargaining",
    }


def test_a_setting_of_a_game_that_was_left_out_is_a_mistake_and_not_dropped():
    with pytest.raises(ValueError, match=r"unknown game of this recipe in \[by_game\] 'auction'"):
        load_recipe(find_recipe("sepo/joint"), ["by_game.auction.play.deals=2", 'games=["split"]'])
    with pytest.raises(ValueError, match=r"unknown game of this recipe in \[by_game\] 'commons'"):
        load_recipe(find_recipe("sepo/joint"), ["by_game.commons.play.deals=2", 'games=["split"]'])
