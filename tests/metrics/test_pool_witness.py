"""A scripted pool is a poor witness: counted over all deterministic Kuhn policies."""

from itertools import product

import numpy as np
import pytest

from equipoise.games.kuhn_poker import KuhnPoker
from equipoise.games.kuhn_poker.opponents import MANIAC, NIT, UNIFORM, Style
from equipoise.metrics import GameTree, behaviour_table, best_response, expected_returns

TREE = GameTree(KuhnPoker())
VALUE_BETTOR = Style((0, 1, 1), (0, 1, 1), (0, 0, 1), (0, 0, 1))
"""Bets Q and K, calls with K alone."""


def deterministic(seat):
    points = TREE.by_seat[seat]
    for choice in product((0, 1), repeat=len(points)):
        yield {p.information_state: {p.legal[c]: 1.0} for p, c in zip(points, choice, strict=True)}


FIRST, SECOND = list(deterministic(0)), list(deterministic(1))
UNREAD = behaviour_table(TREE, UNIFORM)


def exact():
    """Exploitability of each of the 64 x 64 joint deterministic policies, by its two best responders."""
    against_first = np.array([best_response(TREE, (table, UNREAD[1]), 1).value for table in FIRST])
    against_second = np.array([best_response(TREE, (UNREAD[0], table), 0).value for table in SECOND])
    return (against_first[:, None] + against_second[None, :]) / 2


def gap(style):
    """E[theirs - own] per hand against one script, seats averaged."""
    script = behaviour_table(TREE, style)
    as_first = np.array([-2 * expected_returns(TREE, (table, script[1]))[0] for table in FIRST])
    as_second = np.array([-2 * expected_returns(TREE, (script[0], table))[1] for table in SECOND])
    return (as_first[:, None] + as_second[None, :]) / 2


def test_688_of_4096_policies_score_zero_against_a_fixed_exploiter_and_are_exploitable():
    safe_looking = np.maximum(0, gap(VALUE_BETTOR)) < 1e-9
    assert safe_looking.shape == (64, 64)
    assert safe_looking.sum() == 688
    assert exact()[safe_looking].min() == pytest.approx(1 / 6)
    assert exact()[safe_looking].max() == pytest.approx(1)


def test_540_policies_score_zero_against_our_own_exploiter_pool_and_are_exploitable():
    safe_looking = (gap(MANIAC) < 1e-9) & (gap(NIT) < 1e-9)
    assert safe_looking.sum() == 540
    assert exact()[safe_looking].min() == pytest.approx(1 / 6)
    assert exact()[safe_looking].max() == pytest.approx(7 / 12)


def test_no_deterministic_policy_is_unexploitable():
    assert exact().min() == pytest.approx(1 / 6)
