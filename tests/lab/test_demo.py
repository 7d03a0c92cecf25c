"""The demo's arithmetic over seeds, and its cells: computed once, each from the right start."""

import math

import pytest

from equipoise import files
from equipoise.core import Estimate
from equipoise.errors import UserError
from equipoise.games.kuhn_poker import KuhnPoker
from equipoise.lab import demo as study
from equipoise.lab.audit import Audited
from equipoise.lab.demo import ARMS, RECIPES, DemoSettings, demo, over
from equipoise.lab.results import AgentAudit, AuditResult, OpponentRecord, StateRecord, load_result, result_json
from equipoise.training.recipe import find_recipe, load_recipe

PLANTED = {"base-0": 0.56} | {f"{arm}-{seed}": v for arm in RECIPES for seed, v in enumerate((0.3, 0.1, 0.8))}
"""NashConv of every cell."""
FIGURES = ("nash_conv", "payoff", "pool_exploitability", "fault_rate")


def an_audit(value):
    """An audit whose every figure is planted."""
    figure = Estimate(value, value - 0.05, value + 0.05, 40)
    return AgentAudit(
        name="agent",
        label="Agent",
        estimates=dict.fromkeys(FIGURES, figure),
        opponents=(OpponentRecord(opponent="nit", pool="exploiter", payoff=figure, gap=figure),),
        states=(
            StateRecord(
                seat=0, state="J to open", actions=("check", "bet"), probabilities=(1 - value, value), outside=0.0
            ),
        ),
    )


@pytest.fixture
def planted(monkeypatch):
    """Stands in for training and auditing; holds what was trained, by cell, and what was audited."""
    trained, audits = {}, []

    def train(recipe, folder, **settings):
        trained[folder.name] = recipe
        folder.mkdir(parents=True, exist_ok=True)
        if recipe.rl.steps:
            (folder / "metrics.jsonl").write_text('{"step": 1, "nash_conv": 0.5}\n')
        return folder / "model"

    def audited_model(source, game, way, settings, name, label):
        key = "base-0" if source == "tiny" else source.split("/")[-2]
        audits.append((key, game.parameters, way.sampling.temperature))
        return Audited(an_audit(PLANTED[key]).model_copy(update={"label": label}), ())

    monkeypatch.setattr(study, "train", train)
    monkeypatch.setattr(study, "audited_model", audited_model)
    return trained, audits


def quiet(line):
    """Says nothing."""


def test_three_seeds_become_their_median_and_range():
    summed = over([Estimate(value, value - 1, value + 1, 500) for value in (0.3, 0.1, 0.8)])
    assert (summed.value, summed.low, summed.high, summed.n) == (0.3, 0.1, 0.8, 3)
    assert summed.method == "median and range over seeds"
    assert summed.level == pytest.approx(0.75)


def test_one_seed_keeps_its_own_interval():
    estimate = Estimate(0.3, 0.2, 0.4, 500, method="t over deals")
    assert over([estimate]) == estimate


def test_the_result_compares_the_arms_over_their_seeds(planted, tmp_path):
    made = demo(tmp_path, DemoSettings(seeds=(0, 1, 2), deals=40), quiet)
    agents = {agent.name: agent for agent in made.agents}
    assert [(a.name, a.label) for a in made.agents] == list(ARMS.items())
    assert agents["base"].estimates["nash_conv"] == Estimate(0.56, 0.51, pytest.approx(0.61), 40)
    for arm in RECIPES:
        assert agents[arm].seeds == 3
        assert {name: e.value for name, e in agents[arm].estimates.items()} == dict.fromkeys(FIGURES, 0.3)
        (met,) = agents[arm].opponents
        assert (met.gap.value, met.gap.low, met.gap.high) == (0.3, 0.1, 0.8)
        assert met.regret is None
        assert math.isfinite(agents[arm].train_seconds)
    assert math.isnan(agents["base"].train_seconds)
    assert [(c.agent, c.seed, c.metric, c.points) for c in made.curves] == [
        (arm, seed, "nash_conv", ((0, 0.5),)) for arm in ("sepo_pool", "sepo_best_response") for seed in range(3)
    ]
    cells = [load_result(tmp_path / "cells" / f"{key}.json", AuditResult) for key in PLANTED]
    assert made.made.seconds == pytest.approx(sum(cell.made.seconds for cell in cells))
    assert made.seeds == (0, 1, 2)


def test_the_policy_is_that_of_each_arm_s_median_seed(planted, tmp_path):
    made = demo(tmp_path, DemoSettings(), quiet)
    shown = {agent.name: agent.states[0].probabilities[1] for agent in made.agents}
    assert shown == {"base": 0.56, **dict.fromkeys(RECIPES, 0.3)}


def test_a_crash_while_a_cell_is_written_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "cell.json"
    files.write_atomically(path, "kept")
    with pytest.raises(UnicodeEncodeError):
        files.write_atomically(path, "\ud800")
    assert path.read_text() == "kept"

    def crash(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        files.write_atomically(path, "other")
    assert path.read_text() == "kept"


def test_finished_cells_are_neither_trained_nor_audited_again(planted, tmp_path):
    trained, audits = planted
    said = []
    first = demo(tmp_path, DemoSettings(seeds=(0, 1), deals=3), said.append)
    assert list(trained) == [f"{arm}-{seed}" for arm in RECIPES for seed in (0, 1)]
    assert len(audits) == len(said) == 7
    trained.clear()
    second = demo(tmp_path, DemoSettings(seeds=(0, 1), deals=3), said.append)
    assert not trained
    assert len(audits) == len(said) == 7

    def timeless(result):
        return result_json(result.model_copy(update={"made": first.made}))

    assert timeless(first) == timeless(second)
    third = demo(tmp_path, DemoSettings(seeds=(0, 1, 2), deals=3), quiet)
    assert list(trained) == [f"{arm}-2" for arm in RECIPES]
    assert third.seeds == (0, 1, 2)


@pytest.mark.parametrize("other", [{"deals": 4}, {"overrides": ("rl.steps=9",)}])
def test_cells_of_other_settings_are_refused(planted, tmp_path, other):
    demo(tmp_path, DemoSettings(seeds=(0,), deals=3), quiet)
    with pytest.raises(UserError, match="of other settings"):
        demo(tmp_path, DemoSettings(**{"seeds": (0,), "deals": 3, **other}), quiet)


def test_the_reinforced_arms_start_from_what_imitated_under_the_same_seed(planted, tmp_path, monkeypatch):
    monkeypatch.setattr(study, "audited_model", lambda *arguments: Audited(an_audit(0.4), ()))
    demo(tmp_path, DemoSettings(seeds=(7,), deals=3, overrides=("rl.steps=9",)), quiet)
    starts = {key: (recipe.model, recipe.seed, recipe.rl.steps) for key, recipe in planted[0].items()}
    sft = str(tmp_path / "cells" / "sft-7" / "model")
    assert starts["sft-7"] == ("tiny", 7, 0)
    assert starts["sepo_pool-7"] == (sft, 7, 9)
    assert starts["sepo_best_response-7"] == (sft, 7, 9)


def test_every_arm_is_audited_in_its_own_game_and_at_its_own_temperature_the_base_too(planted, tmp_path):
    overrides = ("sampling.temperature=0.5", "game_parameters.hands=2")
    demo(tmp_path, DemoSettings(seeds=(0,), deals=3, overrides=overrides), quiet)
    expected = [(key, KuhnPoker(hands=2).parameters, 0.5) for key in ("base-0", *(f"{arm}-0" for arm in RECIPES))]
    assert planted[1] == expected


def test_the_demo_s_arms_differ_in_their_adversary_and_play_the_same_game():
    recipes = {arm: load_recipe(find_recipe(name)) for arm, name in RECIPES.items()}
    assert len({(r.game, str(r.game_parameters), r.objective) for a, r in recipes.items() if a != "sft"}) == 1
    assert recipes["sft"].rl.steps == 0
    assert recipes["sepo_pool"].play.adversaries == ("pool",)
    assert recipes["sepo_best_response"].play.adversaries == ("best_response",)
    assert recipes["sepo_pool"].rl == recipes["sepo_best_response"].rl
