"""A bonus for entropy that falls over the run, in play against pools, in self-play and by exact gradients."""

import numpy as np
import pytest

from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.seeds import Seed
from equipoise.training.play import AGENT
from equipoise.training.plays import plays_of
from equipoise.training.recipe import load_recipe
from equipoise.training.settings import Fading

STEPS = 4
WAYS = {
    "pools": ("objective.rule=sepo",),
    "self-play": ("objective.rule=naive", "self_play.deals=2", "past.probability=0"),
    "exact": ('rl.gradient="exact"',),
}


@pytest.fixture
def policy(embedded):
    return LanguageModelPolicy(AGENT, *embedded)


def bonus(policy, folder, way, step, power):
    """What the bonus adds to the weights of a step that is played with the draws of the first."""
    weights = []
    for name, entropy in (("with", 0.5), ("without", 0.0)):
        settings = [*WAYS[way], f"objective.entropy={entropy}", f"objective.entropy_power={power}", f"rl.steps={STEPS}"]
        play = plays_of(load_recipe("kuhn_poker/pool", settings), folder / f"{name}-{step}-{power}")
        weights.append(play.collect(policy, Seed(0).at(1), step).weights)
    return np.concatenate([a - b for a, b in zip(*weights, strict=True)])


@pytest.mark.parametrize("way", ["pools", "self-play", "exact"])
def test_it_falls_as_the_power_of_what_is_left(policy, tmp_path, way):
    first = bonus(policy, tmp_path, way, 0, 2)
    assert np.abs(first).max() > 0.01
    for step in (1, 3):
        assert np.allclose(bonus(policy, tmp_path, way, step, 2), first * (1 - step / STEPS) ** 2, atol=1e-12)
        assert np.allclose(bonus(policy, tmp_path, way, step, 0), first, atol=1e-12)


def test_it_is_nothing_after_the_last_step_and_stays_so():
    assert [Fading(3.0, 2.0, 4).at(step) for step in (0, 2, 4, 5)] == [3.0, 0.75, 0.0, 0.0]
    assert [Fading(3.0).at(step) for step in (0, 1, 5)] == [3.0, 3.0, 3.0]
