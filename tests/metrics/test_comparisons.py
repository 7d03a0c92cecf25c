"""Families of comparisons: Holm's correction, and p-values that are those of the intervals."""

import math

import numpy as np
import pytest
from scipy.stats import binom, ttest_1samp

from equipoise.metrics import compared, holm, p_value, paired_difference, proportion, two_way


def shifted(by, seed=0):
    noise = np.random.default_rng(seed).normal(size=30)
    return lambda level: paired_difference(noise - noise.mean() + by, np.zeros(30), range(30), level)


def test_holm_s_steps_are_those_of_the_textbook():
    # 0.005 * 4, 0.01 * 3, 0.03 * 2, 0.04 * 1, never falling.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, math.nan, 0.9]) == [1.0, 1.0, 1.0]
    assert holm([]) == []


def test_a_p_value_is_that_of_the_t_test():
    for by in (0.05, 0.3, 1.0):
        noise = np.random.default_rng(0).normal(size=30)
        expected = ttest_1samp(noise - noise.mean() + by, 0.0).pvalue
        assert p_value(shifted(by)) == pytest.approx(expected, rel=1e-6, abs=1e-11)


def test_the_p_value_of_outcomes_is_the_exact_binomial_one():
    def lead(level):
        found = proportion(9, 10, level)
        return type(found)(found.value - 0.5, found.low - 0.5, found.high - 0.5, found.n, level)

    assert p_value(lead) == pytest.approx(2 * binom.sf(8, 10, 0.5), rel=1e-6)


def test_an_interval_excludes_zero_exactly_where_p_is_below_its_error():
    table = np.random.default_rng(5).normal(0.4, 1, size=(4, 60))
    p = p_value(lambda level: two_way(table, level=level))
    assert two_way(table, level=1 - 1.01 * p).low > 0 > two_way(table, level=1 - 0.99 * p).low


def test_only_hypotheses_named_beforehand_get_a_verdict():
    found = {c.name: c for c in compared({"a": shifted(1.0), "b": shifted(0.4), "c": shifted(2.0)}, ["b", "a"])}
    assert [found[name].named for name in "abc"] == [True, True, False]
    assert (found["c"].adjusted_p, found["c"].rejected) == (None, None)
    assert found["c"].p < 1e-6
    assert found["a"].rejected
    assert found["a"].adjusted_p == pytest.approx(2 * found["a"].p)
    assert found["b"].adjusted_p == found["b"].p


def test_a_family_corrects_what_alone_would_be_rejected():
    borderline = shifted(0.4)
    assert p_value(borderline) < 0.05
    assert compared({"x": borderline}, ["x"])[0].rejected
    family = {"x": borderline} | {str(i): shifted(0.01, i) for i in range(5)}
    assert not compared(family, list(family))[0].rejected


def test_a_difference_without_an_interval_has_no_p_value_and_is_not_rejected():
    constant = {"flat": lambda level: paired_difference(np.ones(9), np.zeros(9), range(9), level)}
    (found,) = compared(constant, ["flat"])
    assert math.isnan(found.p)
    assert (found.adjusted_p, found.rejected) == (1.0, False)


def test_no_difference_has_a_p_value_of_one():
    assert p_value(shifted(0.0)) == pytest.approx(1.0)


def test_few_true_hypotheses_of_a_family_are_ever_rejected():
    rng, families = np.random.default_rng(7), 400
    wrong = 0
    for _ in range(families):
        p = [ttest_1samp(row, 0.0).pvalue for row in rng.normal(size=(6, 20))]
        wrong += min(holm(p)) <= 0.05
    assert wrong / families < 0.05 + 3 * math.sqrt(0.05 * 0.95 / families)


@pytest.mark.parametrize("named", [["b"], ["a", "a"]])
def test_a_hypothesis_that_is_unknown_or_named_twice_is_refused(named):
    with pytest.raises(ValueError, match="allowed"):
        compared({"a": shifted(1.0)}, named)
