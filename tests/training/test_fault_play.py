"""Fault rules on probabilities: what they play sums to one, agrees with the arena's own steps, and has these slopes."""

import numpy as np
import pytest
from spoken_table import played, words_of

from equipoise.core import FAULT_RULES
from equipoise.training.fault_play import FAULT_PLAYS, Words

ROWS = [[0.3, 0.2], [0.01, 0.02, 0.005], [0.5, 0.499]]


def flat(rule, rows):
    return FAULT_PLAYS[rule].played(words_of(rows))


@pytest.mark.parametrize("rule", FAULT_RULES)
def test_what_is_played_is_what_the_arena_plays_one_attempt_at_a_time(rule):
    expected = np.concatenate([played(np.append(row, 1 - sum(row)), rule) for row in ROWS])
    assert np.allclose(flat(rule, ROWS), expected, atol=1e-12)
    sums = np.add.reduceat(flat(rule, ROWS), words_of(ROWS).firsts)
    assert np.allclose(sums, 1.0)
    assert FAULT_PLAYS[rule].forfeits == bool(flat(rule, ROWS)[2] > 0)


@pytest.mark.parametrize("rule", FAULT_RULES)
def test_a_pull_is_a_probability_times_the_slope_by_it(rule):
    slope = np.random.default_rng(0).normal(size=len(words_of(ROWS).owner))
    pulls = FAULT_PLAYS[rule].pulls(words_of(ROWS), slope)
    assert not pulls[~words_of(ROWS).legal].any()
    step = 1e-6
    for state, row in enumerate(ROWS):
        for action, p in enumerate(row):
            sides = []
            for sign in (1, -1):
                moved = [list(each) for each in ROWS]
                moved[state][action] += sign * step
                sides.append(slope @ flat(rule, moved))
            place = words_of(ROWS).firsts[state] + action
            assert pulls[place] == pytest.approx(p * (sides[0] - sides[1]) / (2 * step), rel=1e-6, abs=1e-9)


def test_words_too_unlikely_for_a_probability_are_told_apart_still():
    words = Words.of([[-800.0, -801.0], [-np.inf, -np.inf]])
    assert words.divided[:2] == pytest.approx([1 / (1 + np.exp(-1)), 1 / (1 + np.exp(1))])
    assert words.divided[3:].tolist() == [0.5, 0.5, 0.0]
    assert words.faults.tolist() == [1.0] * 6
