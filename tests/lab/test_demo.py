"""The demo's arithmetic over seeds, its curves, and its cells."""

import json

import pytest

from equipoise.core import Estimate
from equipoise.lab import demo as study
from equipoise.lab.demo import ARMS, ESTIMATES, RECIPES, DemoSettings, demo, read_curve, report, summary
from equipoise.reports import clean_report, files, validate_report
from equipoise.training.recipe import find_recipe, load_recipe


def cell(arm, seed, nash_conv):
    """A finished cell with planted figures."""
    figure = Estimate(nash_conv, nash_conv - 0.05, nash_conv + 0.05, 40).to_json()
    return {
        "arm": arm,
        "seed": seed,
        "train_seconds": 10.0 * (seed + 1),
        "seconds": 20.0,
        "curve": [{"step": 0, "nash_conv": 0.5}] if arm.startswith("sepo") else [],
        "estimates": {name: figure for name in ESTIMATES},
        "opponents": [{"opponent": "nit", "pool": "exploiter", "payoff": figure, "gap": figure}],
        "faults": {},
        "table": [
            {
                "seat": 0,
                "state": "J to open",
                "text": "J to open",
                "actions": ["check", "bet"],
                "probabilities": [1 - nash_conv, nash_conv],
                "outside": 0.0,
            }
        ],
        "transcripts": [],
    }


CELLS = [cell("base", 0, 0.56)] + [
    cell(arm, seed, value) for arm in RECIPES for seed, value in enumerate((0.3, 0.1, 0.8))
]


def test_three_seeds_become_their_median_and_range():
    estimates = [Estimate(value, value - 1, value + 1, 500).to_json() for value in (0.3, 0.1, 0.8)]
    summed = summary(estimates)
    assert (summed["value"], summed["low"], summed["high"], summed["n"]) == (0.3, 0.1, 0.8, 3)
    assert summed["method"] == "median and range over seeds"
    assert summed["level"] == pytest.approx(0.75)


def test_one_seed_keeps_its_own_interval():
    estimate = Estimate(0.3, 0.2, 0.4, 500, method="t over deals").to_json()
    assert summary([estimate]) == estimate


def test_the_report_compares_the_arms_over_their_seeds(tmp_path):
    made = clean_report(report(CELLS, tmp_path, DemoSettings(seeds=(0, 1, 2), deals=40)))
    validate_report(made)
    rows = {row["agent"]: row for row in made["rows"]}
    assert list(rows) == list(ARMS)
    assert rows["base"]["seeds"] == 1
    assert (rows["base"]["nash_conv"]["value"], rows["base"]["nash_conv"]["n"]) == (0.56, 40)
    for arm in RECIPES:
        assert rows[arm]["seeds"] == 3
        assert rows[arm]["nash_conv"]["value"] == 0.3
        assert rows[arm]["opponents"][0]["gap"]["high"] == 0.8
        assert rows[arm]["train_seconds"] == pytest.approx(20)
    assert made["seconds"] == 20.0 * len(CELLS)
    assert [(c["agent"], c["seed"]) for c in made["curves"]] == [
        (arm, seed) for arm in ("sepo_pool", "sepo_best_response") for seed in range(3)
    ]


def test_the_policy_table_shows_each_arm_s_median_seed(tmp_path):
    (state,) = report(CELLS, tmp_path, DemoSettings())["policy_table"]["states"]
    assert state["agents"]["base"]["probabilities"][1] == 0.56
    for arm in RECIPES:
        assert state["agents"][arm]["probabilities"][1] == 0.3


def test_a_curve_s_value_belongs_to_the_policy_before_the_update(tmp_path):
    lines = [{"step": 1, "nash_conv": 0.5}, {"step": 2, "payoff": 1.0}, {"step": 3, "nash_conv": 0.25}]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert [(p["step"], p["nash_conv"]) for p in read_curve(tmp_path / "metrics.jsonl")] == [(0, 0.5), (2, 0.25)]
    assert read_curve(tmp_path / "nowhere.jsonl") == []


def test_a_curve_of_a_run_of_several_games_is_read_one_game_at_a_time(tmp_path):
    lines = [{"step": 1, "fault_rate": 0.5, "kuhn_poker/nash_conv": 0.5, "kuhn_poker/payoff": 1.0, "split/payoff": 4.0}]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert read_curve(tmp_path / "metrics.jsonl", "kuhn_poker") == [{"step": 0, "nash_conv": 0.5, "payoff": 1.0}]
    assert read_curve(tmp_path / "metrics.jsonl", "split") == []
    assert read_curve(tmp_path / "metrics.jsonl") == []


def test_a_crash_while_a_cell_is_written_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "cell.json"
    files.write_atomically(path, json.dumps({"kept": 1}))
    with pytest.raises(UnicodeEncodeError):
        files.write_atomically(path, "\ud800")
    assert json.loads(path.read_text()) == {"kept": 1}

    def crash(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        files.write_atomically(path, json.dumps({"kept": 2}))
    assert json.loads(path.read_text()) == {"kept": 1}


def test_finished_cells_are_neither_trained_nor_audited_again(tmp_path, monkeypatch):
    for one in CELLS:
        name = "base" if one["arm"] == "base" else f"{one['arm']}-{one['seed']}"
        folder = tmp_path / "cells" / name
        folder.mkdir(parents=True)
    trained = []

    def planted(recipe, folder, **settings):
        trained.append(folder.name)
        return folder

    monkeypatch.setattr(study, "train", planted)
    monkeypatch.setattr(study, "load", lambda source: (None, None))
    monkeypatch.setattr(study, "LanguageModelPolicy", lambda *arguments: None)
    monkeypatch.setattr(study, "audit", lambda *arguments: _found(0.4))
    said = []
    first = demo(tmp_path, DemoSettings(seeds=(0, 1), deals=3), said.append)
    assert trained == [f"{arm}-{seed}" for arm in RECIPES for seed in (0, 1)]
    assert len(said) == 7
    second = demo(tmp_path, DemoSettings(seeds=(0, 1), deals=3), said.append)
    assert len(trained) == 6
    assert len(said) == 7
    assert {**first, "created": ""} == {**second, "created": ""}
    third = demo(tmp_path, DemoSettings(seeds=(0, 1, 2), deals=3), said.append)
    assert trained[6:] == [f"{arm}-2" for arm in RECIPES]
    assert third["seeds"] == [0, 1, 2]


def _found(value):
    planted = cell("base", 0, value)
    return study.Audit(
        estimates={name: Estimate(value, value, value, 3) for name in ESTIMATES},
        spread=[],
        episodes=[],
        **{name: planted[name] for name in ("opponents", "faults", "table", "transcripts")},
    )


def test_the_reinforced_arms_start_from_what_imitated_under_the_same_seed(tmp_path, monkeypatch):
    starts = {}

    def planted(recipe, folder, **settings):
        starts[folder.name] = (recipe.model, recipe.seed, recipe.rl.steps)
        return folder

    monkeypatch.setattr(study, "train", planted)
    monkeypatch.setattr(study, "load", lambda source: (None, None))
    monkeypatch.setattr(study, "LanguageModelPolicy", lambda *arguments: None)
    monkeypatch.setattr(study, "audit", lambda *arguments: _found(0.4))
    demo(tmp_path, DemoSettings(seeds=(7,), deals=3, overrides=("rl.steps=9",)), lambda line: None)
    sft = str(tmp_path / "cells" / "sft-7" / "model")
    assert starts["sft-7"] == ("tiny", 7, 0)
    assert starts["sepo_pool-7"] == (sft, 7, 9)
    assert starts["sepo_best_response-7"] == (sft, 7, 9)


def test_the_demo_s_arms_differ_in_their_adversary_and_play_the_same_game():
    recipes = {arm: load_recipe(find_recipe(name)) for arm, name in RECIPES.items()}
    assert len({(r.game, str(r.game_parameters), r.objective) for a, r in recipes.items() if a != "sft"}) == 1
    assert recipes["sft"].rl.steps == 0
    assert recipes["sepo_pool"].play.adversaries == ("pool",)
    assert recipes["sepo_best_response"].play.adversaries == ("best_response",)
    assert recipes["sepo_pool"].rl == recipes["sepo_best_response"].rl
