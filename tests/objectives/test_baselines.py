import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from equipoise.objectives import leave_one_out, standardise_by_group


@st.composite
def grouped(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values [B, T], groups [B] and mask [B, T]."""
    shape = draw(st.tuples(st.integers(1, 7), st.integers(1, 4)))
    values = draw(arrays(np.float64, shape, elements=st.floats(-5.0, 5.0)))
    groups = draw(arrays(np.int64, shape[0], elements=st.integers(-2, 3)))
    return values, groups, draw(arrays(np.bool_, shape))


def test_leave_one_out_by_hand() -> None:
    values = [[1.0, 4.0], [3.0, 0.0], [8.0, 2.0], [7.0, 7.0]]
    groups = [5, 5, 5, 9]
    expected = [[1 - 5.5, 4 - 1], [3 - 4.5, 0 - 3], [8 - 2, 2 - 2], [7, 7]]
    np.testing.assert_allclose(leave_one_out(values, groups), expected)


def test_only_members_alive_at_that_step_enter_the_baseline() -> None:
    values = [[1.0, 4.0], [3.0, 100.0], [8.0, 2.0]]
    mask = np.array([[True, True], [True, False], [True, True]])
    expected = [[1 - 5.5, 4 - 2], [3 - 4.5, 0], [8 - 2, 2 - 4]]
    np.testing.assert_allclose(leave_one_out(values, [0, 0, 0], mask), expected)


def test_a_member_alone_at_a_step_keeps_its_raw_value() -> None:
    mask = np.array([[True, True], [True, False]])
    np.testing.assert_allclose(leave_one_out([[2.0, 5.0], [4.0, 9.0]], [0, 0], mask), [[-2.0, 5.0], [2.0, 0.0]])


@given(data=grouped())
def test_leave_one_out_equals_the_loop_over_episodes(data: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    values, groups, mask = data
    expected = np.zeros_like(values)
    for b, t in np.argwhere(mask):
        others = [values[k, t] for k in range(len(values)) if k != b and groups[k] == groups[b] and mask[k, t]]
        expected[b, t] = values[b, t] - (np.mean(others) if others else 0.0)
    np.testing.assert_allclose(leave_one_out(values, groups, mask), expected, atol=1e-12)


@given(data=grouped(), constant=st.floats(-5.0, 5.0))
def test_credits_ignore_a_constant_added_to_a_whole_group(
    data: tuple[np.ndarray, np.ndarray, np.ndarray], constant: float
) -> None:
    values, groups, mask = data
    company = np.array([[(mask[groups == g, t]).sum() > 1 for t in range(values.shape[1])] for g in groups])
    shifted = values + np.where(groups == groups[0], constant, 0.0)[:, None]
    for rule in (leave_one_out, standardise_by_group):
        before, after = rule(values.round(2), groups, mask), rule((shifted - values) + values.round(2), groups, mask)
        np.testing.assert_allclose(before[company], after[company], atol=1e-6)


@given(data=grouped(), seed=st.integers(0, 100))
def test_credits_move_with_their_episodes(data: tuple[np.ndarray, np.ndarray, np.ndarray], seed: int) -> None:
    values, groups, mask = data
    order = np.random.default_rng(seed).permutation(len(values))
    for rule in (leave_one_out, standardise_by_group):
        moved = rule(values[order], groups[order], mask[order])
        np.testing.assert_allclose(moved, rule(values, groups, mask)[order], atol=1e-6)


@given(data=grouped())
def test_masked_entries_are_zero_and_change_nothing(data: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    values, groups, mask = data
    for rule in (leave_one_out, standardise_by_group):
        credits = rule(values, groups, mask)
        assert not credits[~mask].any()
        np.testing.assert_array_equal(credits, rule(np.where(mask, values, 77.0), groups, mask))


def test_standardising_divides_by_the_population_deviation() -> None:
    np.testing.assert_allclose(standardise_by_group([[1.0], [3.0]], [0, 0]), [[-1.0], [1.0]])
    np.testing.assert_allclose(
        standardise_by_group([[0.0], [3.0], [6.0]], [0, 0, 0]), [[-np.sqrt(1.5)], [0.0], [np.sqrt(1.5)]]
    )


def test_standardising_leaves_a_group_without_spread_at_zero() -> None:
    np.testing.assert_array_equal(standardise_by_group([[2.0], [2.0 + 1e-9], [5.0]], [0, 0, 1]), np.zeros((3, 1)))


@pytest.mark.parametrize(
    ("groups", "mask", "error", "message"),
    [
        ([0], None, ValueError, r"groups has shape \(1,\)"),
        ([0.0, 1.0], None, TypeError, "must hold integers"),
        ([0, 0], np.ones((2, 2)), TypeError, "must be boolean"),
        ([0, 0], np.ones((2, 1), dtype=bool), ValueError, r"mask has shape \(2, 1\)"),
    ],
)
def test_mistakes_are_named(groups: list[float], mask: np.ndarray | None, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        leave_one_out(np.zeros((2, 2)), groups, mask)
