"""Fault-aware exact values, by hand."""

import pytest

from equipoise.games.kuhn_poker import KuhnPoker
from equipoise.games.kuhn_poker.opponents import UNIFORM, nash
from equipoise.games.kuhn_poker.rules import hand_view
from equipoise.metrics import (
    GameTree,
    StatePolicy,
    behaviour_table,
    expected_returns,
    fault_aware_nash_conv,
    fault_aware_returns,
    nash_conv,
    renormalised,
    state_faults,
)

TREE = GameTree(KuhnPoker())


def faulty(table, fault):
    return {
        state: StatePolicy({action: p * (1 - fault) for action, p in row.items()}, fault)
        for state, row in table.items()
    }


def joint(behaviour, first, second):
    tables = behaviour_table(TREE, behaviour)
    return [faulty(tables[0], first), faulty(tables[1], second)]


def test_without_faults_the_values_are_the_ordinary_ones():
    for behaviour in (nash(0.1), UNIFORM):
        tables, clean = behaviour_table(TREE, behaviour), joint(behaviour, 0.0, 0.0)
        assert fault_aware_nash_conv(TREE, clean) == pytest.approx(nash_conv(TREE, tables), abs=1e-12)
        assert fault_aware_returns(TREE, clean) == pytest.approx(expected_returns(TREE, tables))


@pytest.mark.parametrize("fault", [0.1, 0.5, 1.0])
def test_a_second_player_that_faults_loses_two_chips_each_time(fault):
    # The second player decides once a hand. First player: 2f - (1 - f)/18; the second's best response to Nash: 1/18.
    tables = joint(nash(0.2), 0.0, fault)
    first = 2 * fault - (1 - fault) / 18
    assert fault_aware_returns(TREE, tables) == pytest.approx([first, -first])
    assert fault_aware_nash_conv(TREE, tables) == pytest.approx(first + 1 / 18)
    assert nash_conv(TREE, [renormalised(t) for t in joint(nash(0.2), 0.0, 0.1)]) == pytest.approx(0, abs=1e-12)


def test_two_policies_that_only_fault_leave_two_chips_to_each_best_responder():
    tables = joint(UNIFORM, 1.0, 1.0)
    assert fault_aware_returns(TREE, tables) == pytest.approx([-2, 2])
    assert fault_aware_nash_conv(TREE, tables) == pytest.approx(4)


def test_a_rarely_reached_fault_shows_in_the_maximum_and_not_in_the_mean():
    tables = [dict(t) for t in joint(nash(1 / 3), 0.0, 0.0)]
    for state, policy in tables[0].items():
        if hand_view(state) == ("K", ("check", "bet")):  # at alpha 1/3 the king always bets and is never here
            tables[0][state] = StatePolicy(dict.fromkeys(policy.probabilities, 0.0), 1.0)
    assert state_faults(TREE, tables) == pytest.approx((1.0, 0.0))
    assert fault_aware_nash_conv(TREE, tables) == pytest.approx(0, abs=1e-12)


def test_the_mean_of_state_faults_is_faults_per_decision_against_a_uniform_player():
    # Nash alpha 0.2 checks with J .8, Q 1, K .4; a uniform player then bets half the time: 1 + 2.2/6 decisions as first
    # player and one as second, of which a tenth fault.
    maximum, mean = state_faults(TREE, joint(nash(0.2), 0.0, 0.1))
    assert maximum == pytest.approx(0.1)
    assert mean == pytest.approx(0.1 / (2 + 2.2 / 6))


def test_renormalising_divides_faults_out_and_spreads_a_row_of_faults():
    table = {
        (): StatePolicy({"a": 0.2, "b": 0.6}, 0.2),
        ((),): StatePolicy({"a": 0.0, "b": 0.0}, 1.0),
    }
    assert list(renormalised(table).values()) == [pytest.approx({"a": 0.25, "b": 0.75}), {"a": 0.5, "b": 0.5}]


@pytest.mark.parametrize(
    ("probabilities", "fault"), [({"a": 0.5}, 0.4), ({"a": 0.5, "b": 0.6}, -0.1), ({"a": -1.0}, 2.0)]
)
def test_mass_that_does_not_sum_to_one_is_refused(probabilities, fault):
    with pytest.raises(ValueError, match="sum to 1 - fault"):
        StatePolicy(probabilities, fault)


def test_a_game_that_goes_on_after_a_forfeit_is_refused():
    tree = GameTree(KuhnPoker(hands=2))
    with pytest.raises(ValueError, match="goes on after a forfeit"):
        fault_aware_nash_conv(tree, [{}, {}])
