"""The statistics behind the credit audit on a model: known vectors give their known cosine, with and without noise."""

import numpy as np
import pytest

from equipoise.training.recipe import parse_recipe
from research.model_gradients import _compared, model_gradients, to_json

SIZE = 400


def vectors(mean, count, noise, seed):
    """`count` noisy draws around a mean, [count, SIZE]."""
    return mean + noise * np.random.default_rng(seed).normal(size=(count, SIZE))


def planted(cosine, length):
    """A unit vector, and one of a given length at a given cosine to it."""
    true, own = np.zeros(SIZE), np.zeros(SIZE)
    true[0] = 1.0
    own[0], own[1] = length * cosine, length * np.sqrt(1 - cosine**2)
    return true, own


def compared(own, true, seed=0):
    return _compared("rule", own @ own.T, own @ true.T, true @ true.T, np.random.default_rng(seed))


@pytest.mark.parametrize(("cosine", "length"), [(1.0, 1.0), (0.5, 2.0), (0.0, 1.0), (-0.68, 0.5)])
def test_without_noise_cosine_and_ratio_are_the_planted_ones_and_certain(cosine, length):
    true, own = planted(cosine, length)
    found = compared(np.tile(own, (16, 1)), np.tile(true, (16, 1)))
    assert found.cosine.value == pytest.approx(cosine, abs=1e-9)
    assert found.ratio.value == pytest.approx(cosine * length, abs=1e-9)
    assert (found.cosine.low, found.cosine.high) == pytest.approx((cosine, cosine), abs=1e-9)
    assert found.cosine.n == 16


@pytest.mark.parametrize(("cosine", "length"), [(1.0, 1.0), (0.5, 2.0), (-0.68, 0.5)])
def test_noise_does_not_shrink_the_cosine(cosine, length):
    """Noise of the gradient's own size: the plain cosine of two means shrinks, the corrected one does not."""
    true, own = planted(cosine, length)
    draws = [
        (vectors(own, 16, 0.1, 2 * seed), vectors(true, 16, 0.1, 2 * seed + 1)) for seed in range(40)
    ]  # a batch's noise is 0.1 * sqrt(400) = 2 long, a mean's 0.5
    plain = [(a.mean(0) @ b.mean(0)) / np.linalg.norm(a.mean(0)) / np.linalg.norm(b.mean(0)) for a, b in draws]
    found = [compared(a, b) for a, b in draws]
    assert abs(np.mean(plain)) < 0.95 * abs(cosine)
    assert np.mean([f.cosine.value for f in found]) == pytest.approx(cosine, abs=0.05)
    assert np.mean([f.ratio.value for f in found]) == pytest.approx(cosine * length, abs=0.07)


def test_the_interval_holds_the_truth_and_narrows_with_batches():
    true, own = planted(0.5, 1.0)
    few, many = (compared(vectors(own, n, 0.02, 0), vectors(true, n, 0.02, 1)) for n in (8, 64))
    for found in (few, many):
        assert found.cosine.low < 0.5 < found.cosine.high
        assert found.ratio.low < 0.5 < found.ratio.high
    assert many.cosine.high - many.cosine.low < 0.7 * (few.cosine.high - few.cosine.low)


def test_a_rule_without_expected_gradient_has_ratio_zero():
    true, _ = planted(1.0, 1.0)
    found = compared(vectors(0.0, 64, 0.1, 3), vectors(true, 64, 0.01, 4))
    assert found.ratio.value == pytest.approx(0.0, abs=0.05)
    assert found.ratio.low < 0 < found.ratio.high


def test_a_true_gradient_lost_in_noise_gives_no_figure():
    opposite = np.tile([1.0, -1.0], 8)[:, None] * np.ones(SIZE)
    found = compared(opposite, opposite)
    assert np.isnan(found.cosine.value)
    assert np.isnan(found.ratio.value)
    shown = to_json("split", 16, [found])
    assert shown["rules"][0]["cosine"]["value"] is None


def test_too_few_batches_and_unknown_rules_are_one_line():
    recipe = parse_recipe({"game": "split"})
    with pytest.raises(ValueError, match="got 3 batches; at least 4 are needed"):
        model_gradients("tiny", recipe, ["own_pool"], 3, 0)
    with pytest.raises(ValueError, match="unknown credit rule 'best'; known: "):
        model_gradients("tiny", recipe, ["best"], 4, 0)


def test_the_fewest_batches_allowed_give_an_interval_without_a_warning():
    true, own = planted(0.5, 1.0)
    found = compared(np.tile(own, (4, 1)), np.tile(true, (4, 1)))
    assert (found.cosine.low, found.cosine.high) == pytest.approx((0.5, 0.5), abs=1e-9)


@pytest.mark.slow
def test_on_the_embedded_model_all_play_is_keyed_by_the_seed():
    recipe = parse_recipe({"game": "split", "play": {"rollouts": 2, "deals": 1, "seats": [0]}})
    first, again, other = (model_gradients("tiny", recipe, ["own_pool"], 8, seed)[0] for seed in (0, 0, 1))
    assert (first.rule, first.cosine.n) == ("own_pool", 8)
    assert first.ratio == again.ratio
    assert first.ratio.value != other.ratio.value
