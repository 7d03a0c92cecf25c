"""A probe's gain is what it earns from the agent less what the agent earns from itself."""

import pytest

from equipoise.games import domain, make_game
from equipoise.lab.crossplay import CrossplaySettings
from equipoise.lab.probe import measure_probe, probe_recipe, train_probe
from equipoise.policies.scripted import ScriptedPolicy
from equipoise.training.recipe import find_recipe, load_recipe

SMALL = ("rl.steps=2", "rl.exact_rounds=0", "self_play.deals=2", "self_play.rollouts=2", "rl.report_to=[]")


def script(name):
    return ScriptedPolicy(domain("prisoners_dilemma").corrected.find(name))


@pytest.mark.parametrize(
    ("agent", "probe", "pay", "gain"),
    [
        ("always_cooperate", "always_defect", 5.0, 2.0),  # 5 a round, where mutual cooperation pays 3
        ("tit_for_tat", "always_defect", 1.4, -1.6),  # 5, then nine rounds of 1, where mutual cooperation pays 3
        ("always_defect", "always_defect", 1.0, 0.0),
    ],
)
def test_the_gain_over_self_play_is_the_one_worked_by_hand(agent, probe, pay, gain):
    game = make_game("prisoners_dilemma", rounds=10)
    found = measure_probe(game, script(agent), script(probe), CrossplaySettings(matches=4))
    assert found.pay.value == pytest.approx(pay)
    assert found.gain.value == pytest.approx(gain)
    assert found.gain.value == pytest.approx(found.pay.value - found.self_play.value)


def test_a_probe_is_naive_and_always_meets_the_agent(tmp_path):
    recipe = load_recipe(find_recipe("alignment/prisoners_dilemma"), ('past.scripts=["always_defect"]',))
    probe = probe_recipe(recipe, tmp_path / "agent", 7)
    assert probe.objective.rule == "naive"
    assert (probe.past.probability, probe.past.frozen, probe.past.scripts) == (1.0, str(tmp_path / "agent"), ())
    assert (probe.rl.steps, probe.self_play.trained) == (7, "one")
    assert (probe.game, probe.model, probe.seed) == (recipe.game, recipe.model, recipe.seed)
    assert probe.objective.entropy == recipe.objective.entropy


def test_a_probe_trains_against_the_frozen_agent_alone(tmp_path):
    recipe = load_recipe(find_recipe("alignment/prisoners_dilemma"), SMALL)
    train_probe(recipe, "tiny-talk", 2, tmp_path / "probe")
    lines = (tmp_path / "probe" / "metrics.jsonl").read_text().splitlines()
    assert '"payoff_frozen"' in lines[0]
    assert '"payoff_self"' not in "".join(lines)
    assert not (tmp_path / "probe" / "population").exists()
