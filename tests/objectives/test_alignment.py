import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from equipoise.objectives import (
    AlignmentRule,
    AlignmentWeights,
    advantage_alignment,
    advantage_alignment_inclusive,
    naive,
    sum_of_rewards,
)

RULES = [naive, sum_of_rewards, advantage_alignment, advantage_alignment_inclusive]
ALIGNED = [advantage_alignment, advantage_alignment_inclusive]
OWN, OTHER = [[1.0, 2.0, -1.0]], [[3.0, -2.0, 4.0]]
BY_HAND = AlignmentWeights(beta=2.0, discount=0.5)
WEIGHTS = st.builds(AlignmentWeights, beta=st.floats(0.0, 4.0), discount=st.floats(0.0, 1.0))


@st.composite
def advantages(draw: st.DrawFn, count: int = 2) -> list[np.ndarray]:
    """`count` arrays of one shape [B, T]."""
    shape = draw(st.tuples(st.integers(1, 4), st.integers(1, 7)))
    return [draw(arrays(np.float64, shape, elements=st.floats(-3.0, 3.0))) for _ in range(count)]


def double_sum(own: np.ndarray, other: np.ndarray, weights: AlignmentWeights, inclusive: bool) -> np.ndarray:
    """The equations of the module docstring, term by term."""
    credits = own.copy()
    for b, t in np.ndindex(own.shape):
        past = sum(weights.discount ** (t - k) * own[b, k] for k in range(t + inclusive))
        credits[b, t] += weights.beta * (1.0 if inclusive else weights.discount) * past * other[b, t]
    return credits


def test_naive_and_sum_of_rewards_by_hand() -> None:
    np.testing.assert_array_equal(naive(OWN, OTHER, BY_HAND), [[1.0, 2.0, -1.0]])
    np.testing.assert_array_equal(sum_of_rewards(OWN, OTHER, BY_HAND), [[4.0, 0.0, 3.0]])


def test_advantage_alignment_by_hand() -> None:
    # Sums over the past: 0; 0.5 * 1 = 0.5; 0.25 * 1 + 0.5 * 2 = 1.25. The factor before them is 2 * 0.5 = 1.
    expected = [[1.0 + 1 * 0.0 * 3, 2.0 + 1 * 0.5 * -2, -1.0 + 1 * 1.25 * 4]]
    assert expected == [[1.0, 1.0, 4.0]]
    np.testing.assert_array_equal(advantage_alignment(OWN, OTHER, BY_HAND), expected)


def test_advantage_alignment_inclusive_by_hand() -> None:
    # Sums so far: 1; 0.5 * 1 + 2 = 2.5; 0.25 * 1 + 0.5 * 2 - 1 = 0.25. The factor before them is 2.
    expected = [[1.0 + 2 * 1.0 * 3, 2.0 + 2 * 2.5 * -2, -1.0 + 2 * 0.25 * 4]]
    assert expected == [[7.0, -8.0, 1.0]]
    np.testing.assert_array_equal(advantage_alignment_inclusive(OWN, OTHER, BY_HAND), expected)


def test_the_nearest_past_counts_the_discount_squared_as_published() -> None:
    # arXiv 2511.19405: beta 0.5 and gamma 0.9 give 1 + 0.5 * 0.9 * 0.9 * 1 * 1; without the leading gamma, 1.45.
    weights = AlignmentWeights(beta=0.5, discount=0.9)
    ones = np.ones((1, 2))
    assert advantage_alignment(ones, ones, weights)[0, 1] == pytest.approx(1.405)
    # With k <= t the sum is 1 + 0.9 and nothing stands before it: 1 + 0.5 * 1.9.
    assert advantage_alignment_inclusive(ones, ones, weights)[0, 1] == pytest.approx(1.95)


@pytest.mark.parametrize("rule", ALIGNED)
@given(both=advantages(), discount=st.floats(0.0, 1.0))
def test_beta_zero_is_naive(rule: AlignmentRule, both: list[np.ndarray], discount: float) -> None:
    weights = AlignmentWeights(beta=0.0, discount=discount)
    np.testing.assert_array_equal(rule(*both, weights), naive(*both, weights))


@given(both=advantages(), weights=WEIGHTS)
def test_the_published_rule_adds_nothing_at_the_first_step(both: list[np.ndarray], weights: AlignmentWeights) -> None:
    np.testing.assert_array_equal(advantage_alignment(*both, weights)[:, 0], both[0][:, 0])


@given(both=advantages(), weights=WEIGHTS)
def test_the_recurrence_equals_the_double_sum(both: list[np.ndarray], weights: AlignmentWeights) -> None:
    for rule in ALIGNED:
        expected = double_sum(*both, weights, inclusive=rule is advantage_alignment_inclusive)
        np.testing.assert_allclose(rule(*both, weights), expected, atol=1e-9)


@pytest.mark.parametrize("rule", ALIGNED)
@given(both=advantages(), weights=WEIGHTS, factor=st.floats(0.1, 5.0))
def test_advantages_times_c_scale_the_own_part_by_c_and_the_added_part_by_c_squared(
    rule: AlignmentRule, both: list[np.ndarray], weights: AlignmentWeights, factor: float
) -> None:
    own, other = both
    added = rule(own, other, weights) - own
    scaled = rule(factor * own, factor * other, weights)
    np.testing.assert_allclose(scaled, factor * own + factor**2 * added, atol=1e-8)


@pytest.mark.parametrize("rule", RULES)
@given(both=advantages(), weights=WEIGHTS, more=st.integers(1, 4))
def test_trailing_padding_changes_nothing_before_it_and_earns_nothing(
    rule: AlignmentRule, both: list[np.ndarray], weights: AlignmentWeights, more: int
) -> None:
    steps = both[0].shape[1]
    padded = rule(*(np.pad(array, ((0, 0), (0, more))) for array in both), weights)
    np.testing.assert_array_equal(padded[:, :steps], rule(*both, weights))
    assert not padded[:, steps:].any()


@pytest.mark.parametrize("rule", RULES)
@given(three=advantages(3), weights=WEIGHTS, scale=st.floats(-3.0, 3.0))
def test_what_is_added_to_the_own_advantage_is_linear_in_the_other(
    rule: AlignmentRule, three: list[np.ndarray], weights: AlignmentWeights, scale: float
) -> None:
    own, one, two = three
    added = rule(own, one + scale * two, weights) - own
    expected = (rule(own, one, weights) - own) + scale * (rule(own, two, weights) - own)
    np.testing.assert_allclose(added, expected, atol=1e-8)


@pytest.mark.parametrize("rule", RULES)
@given(both=advantages(), weights=WEIGHTS)
def test_episodes_are_credited_each_by_itself(
    rule: AlignmentRule, both: list[np.ndarray], weights: AlignmentWeights
) -> None:
    together = rule(*both, weights)
    for b in range(len(together)):
        np.testing.assert_array_equal(together[b : b + 1], rule(*(array[b : b + 1] for array in both), weights))


def test_ten_thousand_steps_are_exact() -> None:
    # The sum over k < t of 0.5^(t-k) is 1 - 0.5^t: 1 in double precision from t = 54 on. Taking 0.5^t out of the sum
    # would leave powers 0.5^-k, which overflow from k = 1024 on.
    ones, weights = np.ones((1, 10_000)), AlignmentWeights(beta=1.0, discount=0.5)
    published = advantage_alignment(ones, ones, weights)[0]
    np.testing.assert_array_equal(published[:4], [1.0, 1.25, 1.375, 1.4375])
    np.testing.assert_array_equal(published[54:], 1.5)
    np.testing.assert_array_equal(advantage_alignment_inclusive(ones, ones, weights)[0, 54:], 3.0)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("discount", [0.0, 0.5, 1.0])
def test_long_horizons_stay_finite(rule: AlignmentRule, discount: float) -> None:
    own, other = np.random.default_rng(0).normal(size=(2, 3, 10_000))
    assert np.isfinite(rule(own, other, AlignmentWeights(2.0, discount))).all()


@pytest.mark.parametrize("rule", RULES)
def test_inputs_are_left_alone(rule: AlignmentRule) -> None:
    own, other = np.array(OWN), np.array(OTHER)
    rule(own, other, BY_HAND)[:] = 9.0
    np.testing.assert_array_equal(own, OWN)
    np.testing.assert_array_equal(other, OTHER)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    ("own", "other", "message"),
    [
        ([[1.0, 2.0]], [[1.0]], r"other has shape \(1, 1\); it must be \(1, 2\), like own"),
        ([[1.0], [2.0]], [[1.0, 2.0]], r"other has shape \(1, 2\); it must be \(2, 1\), like own"),
        ([1.0, 2.0], [[1.0, 2.0]], r"own has shape \(2,\); it must be \[B, T\]"),
        ([[1.0, 2.0]], [[0.0, np.nan]], r"other\[0, 1\] is nan; every entry must be finite"),
        ([[np.inf]], [[0.0]], r"own\[0, 0\] is inf; every entry must be finite"),
    ],
)
def test_mistakes_in_the_advantages_are_named(rule: AlignmentRule, own: object, other: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rule(own, other, AlignmentWeights())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"beta": -0.5}, "beta is -0.5; it must be finite and at least 0"),
        ({"beta": float("nan")}, "beta is nan"),
        ({"beta": float("inf")}, "beta is inf"),
        ({"discount": 1.1}, r"discount is 1.1; it must lie in \[0, 1\]"),
        ({"discount": -0.1}, r"discount is -0.1; it must lie in \[0, 1\]"),
        ({"discount": float("nan")}, "discount is nan"),
    ],
)
def test_mistakes_in_the_weights_are_named(changes: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AlignmentWeights(**changes)
