"""Importance ratios: of two policies known by hand, cut at a cap, without a token lost."""

import numpy as np
import pytest
from peft import LoraConfig, get_peft_model

from equipoise.engines.exactness import token_log_probs
from equipoise.engines.local import wearing
from equipoise.errors import UserError
from equipoise.training.adapters import SECOND, add_second, weights_of
from equipoise.training.importance import by_trainer, corrected, truncated_ratios
from equipoise.training.play import Experience
from equipoise.training.rows import NOT_OURS, Row


def test_factors_are_the_ratios_of_probabilities_cut_at_the_cap():
    sampler, trainer = np.array([0.5, 0.2, 0.1, 0.4]), np.array([0.25, 0.3, 0.6, 0.4])
    factors, ratios = truncated_ratios(np.log(trainer), np.log(sampler), 2.0)
    np.testing.assert_allclose(factors, [0.5, 1.5, 2.0, 1.0])
    assert (ratios.mean, ratios.largest, ratios.cut) == pytest.approx(((0.5 + 1.5 + 6.0 + 1.0) / 4, 6.0, 0.25))


def test_a_token_that_stands_for_several_samples_counts_as_often():
    _, ratios = truncated_ratios(np.log([0.2, 0.8]), np.log([0.1, 0.8]), 1.5, np.array([3, 1]))
    assert (ratios.mean, ratios.cut) == pytest.approx(((3 * 2.0 + 1.0) / 4, 0.75))


def test_uncut_ratios_make_a_sample_of_one_policy_a_sample_of_the_other():
    sampler, trainer, values = np.array([0.7, 0.2, 0.1]), np.array([0.3, 0.3, 0.4]), np.array([1.0, -2.0, 5.0])
    factors, ratios = truncated_ratios(np.log(trainer), np.log(sampler), 10.0)
    assert (sampler * factors * values).sum() == pytest.approx((trainer * values).sum())
    assert ((sampler * factors).sum(), ratios.cut) == (pytest.approx(1.0), 0.0)
    cut, _ = truncated_ratios(np.log(trainer), np.log(sampler), 2.0)
    assert (sampler * cut * values).sum() == pytest.approx((np.array([0.3, 0.3, 0.2]) * values).sum())


def test_a_token_that_the_trainer_would_never_draw_weighs_nothing():
    factors, ratios = truncated_ratios(np.array([-np.inf, 0.0]), np.log([0.5, 1.0]), 2.0)
    np.testing.assert_array_equal(factors, [0.0, 1.0])
    assert (ratios.mean, ratios.largest) == (0.5, 1.0)


def test_of_no_tokens_there_is_nothing_to_tell():
    factors, ratios = truncated_ratios(np.zeros(0), np.zeros(0), 2.0)
    assert (len(factors), ratios.mean, ratios.largest, ratios.cut) == (0, 1.0, 1.0, 0.0)


def test_what_is_no_ratio_is_refused():
    with pytest.raises(UserError, match=r"cap of 0\.5"):
        truncated_ratios(np.zeros(1), np.zeros(1), 0.5)
    with pytest.raises(UserError, match="cap of nan"):
        truncated_ratios(np.zeros(1), np.zeros(1), np.nan)
    with pytest.raises(ValueError, match="shapes"):
        truncated_ratios(np.zeros(2), np.zeros(1), 2.0)
    for trainer, sampled in ((np.nan, 0.0), (0.0, np.nan), (0.0, -np.inf)):
        with pytest.raises(ValueError, match="log-probability"):
            truncated_ratios(np.array([trainer]), np.array([sampled]), 2.0)


ROWS = [
    Row((1, 2), (5, 9, 6), (0, NOT_OURS, 1), (-1.0, 0.0, -2.0)),
    Row((1,), (7,), (0,), (-0.5,)),
]


def test_weights_of_sampled_tokens_are_multiplied_and_no_row_is_dropped():
    experience = Experience(ROWS, [np.array([2.0, 0.0, -4.0]), np.array([6.0])], np.array([1, 3]), 4, {"payoff": 1.0})
    scores = [np.array([-1.0, -77.0, -2.0 + np.log(0.25)]), np.array([-0.5 + np.log(3.0)])]
    found = corrected(experience, lambda rows: scores, 2.0)
    assert found.rows == ROWS
    np.testing.assert_allclose(np.concatenate(found.weights), [2.0, 0.0, -1.0, 12.0])
    np.testing.assert_array_equal(np.concatenate(experience.weights), [2.0, 0.0, -4.0, 6.0])
    ratios = {name: value for name, value in found.metrics.items() if name != "payoff"}
    assert ratios == pytest.approx({"ratio_mean": (1 + 0.25 + 3 * 3.0) / 5, "ratio_max": 3.0, "ratio_cut": 3 / 5})
    assert found.metrics["payoff"] == 1.0


def test_rows_that_nobody_sampled_have_no_ratio():
    demonstrated = Experience([Row((1,), (7,), (0,))], [np.ones(1)], np.ones(1), 1)
    with pytest.raises(UserError, match="has no log-probabilities"):
        corrected(demonstrated, lambda rows: [np.zeros(1)], 2.0)


def test_each_row_is_scored_under_the_agent_that_is_trained_on_it(new_model):
    config = LoraConfig(r=4, target_modules=["q_proj"], task_type="CAUSAL_LM", init_lora_weights=False)
    model = get_peft_model(new_model(), config).eval()
    add_second(model)
    rows = [Row((9, 8), (5, 6), (0, 0), adapter=agent) for agent in (SECOND, "", SECOND)]
    second, first, again = by_trainer(model, 0.7)(rows)
    np.testing.assert_allclose(first, token_log_probs(model, [((9, 8), (5, 6))], 0.7)[0], atol=1e-6)
    with wearing(model, weights_of({name: p.data for name, p in model.named_parameters()}, SECOND)):
        np.testing.assert_allclose(second, token_log_probs(model, [((9, 8), (5, 6))], 0.7)[0], atol=1e-6)
    np.testing.assert_array_equal(second, again)
    assert np.abs(first - second).max() > 1e-3
