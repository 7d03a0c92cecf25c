"""Maximin values: known ones, OpenSpiel's judgement of the policies, and the matrix of all deterministic plans."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from open_spiel.python import policy as openspiel_policy
from open_spiel.python.algorithms import exploitability as openspiel_exploitability
from scipy.optimize import linprog
from small_games import OpenSpielGame, RandomGame, pure_plans, random_table

from equipoise.games import make_game
from equipoise.metrics import GameTree, maximin, maximin_value, security_gap, security_level


@pytest.mark.parametrize(
    ("name", "parameters", "value"),
    [
        ("kuhn_poker", {}, (-1 / 18, 1 / 18)),  # Kuhn 1950
        ("kuhn_poker", {"hands": 2}, (0, 0)),  # seats alternate
        ("prisoners_dilemma", {"rounds": 4}, (4, 4)),  # defection secures 1 a round
        ("split", {"rounds": 2}, (2, 2)),  # whoever demands most leaves 1 of 10
    ],
)
def test_known_values(name, parameters, value):
    tree = GameTree(make_game(name, **parameters))
    assert [maximin_value(tree, seat) for seat in (0, 1)] == pytest.approx(value, abs=1e-8)


@pytest.mark.parametrize(("name", "value"), [("kuhn_poker", -1 / 18), ("leduc_poker", -0.085606424)])
def test_in_openspiels_games_both_maximin_policies_are_an_equilibrium_by_its_own_count(name, value):
    # The values are Kuhn's, and the one OpenSpiel's sequence_form_lp_test holds its own program to.
    tree = GameTree(OpenSpielGame(name))
    found = [maximin(tree, seat) for seat in (0, 1)]
    assert [found[0].value, found[1].value] == pytest.approx([value, -value], abs=1e-7)
    theirs = openspiel_policy.TabularPolicy(tree.game.game)
    for seat in (0, 1):
        for state, row in found[seat].table.items():
            theirs.policy_for_key(state[0].value)[:] = [row.get(action, 0.0) for action in tree.game.actions]
    assert openspiel_exploitability.nash_conv(tree.game.game, theirs) == pytest.approx(0, abs=1e-6)


def matrix_value(tree, seat):
    """The maximin value of the matrix of all deterministic plans of both seats."""
    own, other = pure_plans(tree, seat), pure_plans(tree, 1 - seat)
    gains = tree.chance * tree.returns[:, seat]
    matrix = (own[:, tree.last[seat]] * gains) @ other[:, tree.last[1 - seat]].T  # [P, Q]
    rows, columns = matrix.shape
    found = linprog(
        c=[*np.zeros(rows), -1.0],
        A_ub=np.hstack([-matrix.T, np.ones((columns, 1))]),
        b_ub=np.zeros(columns),
        A_eq=[[*np.ones(rows), 0.0]],
        b_eq=[1.0],
        bounds=[(0, None)] * rows + [(None, None)],
    )
    return -found.fun


@given(seed=st.integers(0, 10**6), seat=st.integers(0, 1), zero_sum=st.booleans())
@settings(max_examples=40, deadline=None)
def test_the_value_is_that_of_the_matrix_of_all_deterministic_plans(seed, seat, zero_sum):
    tree = GameTree(RandomGame(seed, zero_sum=zero_sum))
    assert maximin_value(tree, seat) == pytest.approx(matrix_value(tree, seat), abs=1e-7)
    if zero_sum:
        assert maximin_value(tree, 0) == pytest.approx(-maximin_value(tree, 1), abs=1e-7)


@given(seed=st.integers(0, 10**6), seat=st.integers(0, 1))
@settings(max_examples=40, deadline=None)
def test_the_maximin_policy_secures_its_value_and_no_other_policy_more(seed, seat):
    tree = GameTree(RandomGame(seed))
    found = maximin(tree, seat)
    tables = [found.table] * 2
    assert security_level(tree, tables, seat) == pytest.approx(found.value, abs=1e-7)
    assert security_gap(tree, tables, seat) == pytest.approx(0, abs=1e-7)
    rng = np.random.default_rng(seed)
    assert security_level(tree, [random_table(tree, seat, rng)] * 2, seat) <= found.value + 1e-7
