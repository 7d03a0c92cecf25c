import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from equipoise.objectives import discounted_returns, immediate_rewards

REWARDS = arrays(np.float64, array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.floats(-5.0, 5.0))


def test_reward_to_go_by_hand() -> None:
    np.testing.assert_allclose(discounted_returns([[1.0, 2.0, 4.0]], 0.5), [[3.0, 4.0, 4.0]])
    np.testing.assert_allclose(discounted_returns([[1.0, 2.0, 4.0], [0.0, 0.0, -1.0]]), [[7, 6, 4], [-1, -1, -1]])


def test_discount_zero_is_the_immediate_reward() -> None:
    rewards = np.array([[1.0, -2.0, 3.0]])
    np.testing.assert_array_equal(discounted_returns(rewards, 0.0), immediate_rewards(rewards))


def test_inputs_are_left_alone() -> None:
    rewards = np.ones((2, 3))
    discounted_returns(rewards, 1.0)[:] = 9.0
    immediate_rewards(rewards)[:] = 9.0
    np.testing.assert_array_equal(rewards, np.ones((2, 3)))


@given(rewards=REWARDS, discount=st.floats(0.0, 1.0))
def test_returns_equal_the_written_out_sum(rewards: np.ndarray, discount: float) -> None:
    steps = np.arange(rewards.shape[1])
    lag = steps[None, :] - steps[:, None]
    kernel = np.where(lag >= 0, discount ** np.maximum(lag, 0), 0.0)
    np.testing.assert_allclose(discounted_returns(rewards, discount), rewards @ kernel.T, atol=1e-12)


@pytest.mark.parametrize("bad", [np.ones(3), np.ones((2, 2, 2))])
def test_shapes_other_than_episodes_by_steps_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"must be \[B, T\]"):
        discounted_returns(bad, 1.0)


def test_nan_is_refused_with_its_place() -> None:
    with pytest.raises(ValueError, match=r"rewards\[1, 0\] is nan"):
        immediate_rewards([[0.0, 0.0], [np.nan, 0.0]])


@pytest.mark.parametrize("discount", [-0.1, 1.1, float("nan")])
def test_discounts_outside_the_unit_interval_are_refused(discount: float) -> None:
    with pytest.raises(ValueError, match=r"discount is .* \[0, 1\]"):
        discounted_returns([[1.0]], discount)
