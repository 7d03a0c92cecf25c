"""Exact values of Kuhn poker: known answers, OpenSpiel's, and relations between the values."""

import numpy as np
import pyspiel
import pytest
from open_spiel.python import policy as openspiel_policy
from open_spiel.python.algorithms import best_response as openspiel_best_response
from open_spiel.python.algorithms import exploitability as openspiel_exploitability

from equipoise.core import CHANCE
from equipoise.games.kuhn_poker import KuhnPoker
from equipoise.games.kuhn_poker.opponents import POOLS, UNIFORM, Style, nash
from equipoise.games.kuhn_poker.rules import hand_view
from equipoise.metrics import (
    GameTree,
    behaviour_table,
    best_response,
    expected_returns,
    exploitability,
    information_states,
    mean_worst_case_advantage,
    nash_conv,
    pool_values,
    regret,
    worst_case_advantage,
)

TREE = GameTree(KuhnPoker())
PASSIVE = {"check", "fold"}


def random_tables(rng):
    tables = []
    for points in TREE.by_seat:
        rows = rng.dirichlet(np.ones(2), size=len(points))
        tables.append(
            {p.information_state: dict(zip(p.legal, row, strict=True)) for p, row in zip(points, rows, strict=True)}
        )
    return tables


def first_actions():
    return [{p.information_state: {p.legal[0]: 1.0} for p in points} for points in TREE.by_seat]


def openspiel_key(information_state):
    card, history = hand_view(information_state)
    return str("JQK".index(card)) + "".join("p" if action in PASSIVE else "b" for action in history)


@pytest.mark.parametrize("alpha", [0.0, 0.1, 1 / 6, 0.25, 1 / 3])
def test_every_member_of_kuhns_family_is_an_equilibrium_of_value_minus_one_eighteenth(alpha):
    tables = behaviour_table(TREE, nash(alpha))  # Kuhn 1950
    assert expected_returns(TREE, tables) == pytest.approx([-1 / 18, 1 / 18], abs=1e-12)
    assert nash_conv(TREE, tables) == pytest.approx(0, abs=1e-12)


def test_nash_conv_of_uniform_play_is_eleven_twelfths():
    # OpenSpiel, exploitability_test.py: 0.916666 for the uniform policy of kuhn_poker.
    assert nash_conv(TREE, behaviour_table(TREE, UNIFORM)) == pytest.approx(11 / 12)


def test_nash_conv_of_always_passing_is_two():
    # OpenSpiel, exploitability_test.py: the first-action policy of kuhn_poker. A bet takes the pot from either seat.
    assert nash_conv(TREE, first_actions()) == pytest.approx(2)
    assert regret(TREE, first_actions()) == pytest.approx([1, 1])


def test_sepos_fixed_nash_script_loses_a_ninth_of_a_chip_as_first_player():
    # At alpha 1/3 the first player must call with Q 2/3 of the time; the script calls 1/3 in both seats.
    script = Style((1 / 3, 0, 1), (1 / 3, 0, 1), (0, 1 / 3, 1), (0, 1 / 3, 1))
    tables = behaviour_table(TREE, script)
    assert best_response(TREE, tables, 1).value == pytest.approx(1 / 18 + 1 / 9)
    assert best_response(TREE, tables, 0).value == pytest.approx(-1 / 18)
    assert nash_conv(TREE, tables) == pytest.approx(1 / 9)


def test_information_states_are_the_twelve_of_kuhn_breadth_first():
    states = information_states(KuhnPoker())
    assert [openspiel_key(i) for _, i, _ in states] == [
        *("0", "1", "2"),
        *("1p", "1b", "2p", "2b", "0p", "0b"),
        *("0pb", "1pb", "2pb"),
    ]
    assert [seat for seat, _, _ in states] == [0] * 3 + [1] * 6 + [0] * 3
    assert states == information_states(TREE)


def test_states_and_returns_are_openspiels():
    theirs = pyspiel.load_game("kuhn_poker")
    visited = 0

    def walk(ours, other):
        nonlocal visited
        visited += 1
        assert ours.is_terminal == other.is_terminal()
        assert tuple(ours.returns) == (tuple(other.returns()) if ours.is_terminal else (0.0, 0.0))
        if ours.is_terminal:
            return
        if ours.is_chance:
            for deal, probability in ours.chance_outcomes():
                first, second = ("JQK".index(card) for card in deal)
                dealt = other.child(first)
                path = dict(other.chance_outcomes())[first] * dict(dealt.chance_outcomes())[second]
                assert probability == pytest.approx(path)
                walk(ours.child({CHANCE: deal}), dealt.child(second))
            return
        (seat,) = ours.players_to_move
        assert seat == other.current_player()
        assert openspiel_key(ours.information_state(seat)) == other.information_state_string(seat)
        assert len(ours.legal_actions(seat)) == len(other.legal_actions())
        for index, action in enumerate(ours.legal_actions(seat)):
            walk(ours.child({seat: action}), other.child(index))

    walk(KuhnPoker().initial_state(), theirs.new_initial_state())
    assert visited == 1 + 6 * 9


def test_exact_values_of_random_policies_are_openspiels():
    game = pyspiel.load_game("kuhn_poker")
    theirs = openspiel_policy.TabularPolicy(game)
    rng = np.random.default_rng(0)
    for _ in range(100):
        tables = random_tables(rng)
        for table in tables:
            for information_state, row in table.items():
                theirs.policy_for_key(openspiel_key(information_state))[:] = list(row.values())
        root = game.new_initial_state()
        values = openspiel_exploitability.nash_conv(game, theirs, return_only_nash_conv=False)
        assert nash_conv(TREE, tables) == pytest.approx(values.nash_conv, abs=1e-12)
        assert regret(TREE, tables) == pytest.approx(list(values.player_improvements), abs=1e-12)
        for seat in (0, 1):
            reply = openspiel_best_response.BestResponsePolicy(game, seat, theirs)
            assert best_response(TREE, tables, seat).value == pytest.approx(reply.value(root), abs=1e-12)


def test_a_best_response_earns_its_value():
    rng = np.random.default_rng(1)
    for _ in range(20):
        tables = random_tables(rng)
        for seat in (0, 1):
            reply = best_response(TREE, tables, seat)
            joint = [reply.table if s == seat else tables[s] for s in (0, 1)]
            assert expected_returns(TREE, joint)[seat] == pytest.approx(reply.value)


def test_ties_go_to_the_first_action():
    reply = best_response(TREE, behaviour_table(TREE, nash(1 / 6)), 0)
    opening = {openspiel_key(i): row for i, row in reply.table.items()}
    assert opening["0"] == {"check": 1.0, "bet": 0.0}  # at equilibrium J is indifferent between check and bet
    assert opening["2"] == {"check": 1.0, "bet": 0.0}  # and so is K


def test_in_a_zero_sum_game_the_worst_case_advantage_is_twice_the_opponents_best_response():
    tables = random_tables(np.random.default_rng(2))
    assert worst_case_advantage(TREE, tables, 0) == pytest.approx(2 * best_response(TREE, tables, 1).value)
    assert worst_case_advantage(TREE, tables, 1) == pytest.approx(2 * best_response(TREE, tables, 0).value)
    assert mean_worst_case_advantage(TREE, tables) == pytest.approx(2 * exploitability(TREE, tables))


def test_no_script_of_the_pools_takes_more_than_the_worst_case():
    rng = np.random.default_rng(3)
    for _ in range(20):
        tables = random_tables(rng)
        worst = mean_worst_case_advantage(TREE, tables)
        for _, opponent in POOLS.all():
            own, theirs = pool_values(TREE, tables, opponent.behaviour)
            assert theirs - own <= worst + 1e-12


def test_pool_values_average_both_seats():
    tables = behaviour_table(TREE, nash(0.2))
    assert pool_values(TREE, tables, nash(0.2)) == pytest.approx((0, 0), abs=1e-12)
    # Against a player who bets and folds everything, betting always takes the ante.
    folder = Style((0,) * 3, (0,) * 3, (0,) * 3, (0,) * 3)
    maniac = behaviour_table(TREE, Style((1,) * 3, (1,) * 3, (1,) * 3, (1,) * 3))
    assert pool_values(TREE, maniac, folder) == pytest.approx((1, -1))


def test_a_table_with_a_hole_names_the_state():
    tables = [dict(table) for table in behaviour_table(TREE, UNIFORM)]
    del tables[1][TREE.by_seat[1][0].information_state]
    with pytest.raises(ValueError, match="seat 1 has no row"):
        nash_conv(TREE, tables)


@pytest.mark.parametrize("row", [{"check": 0.5, "bet": 0.4}, {"check": 1.5, "bet": -0.5}, {"check": 0.5, "call": 0.5}])
def test_a_row_that_is_no_distribution_over_legal_actions_is_refused(row):
    tables = [dict(table) for table in behaviour_table(TREE, UNIFORM)]
    tables[0][TREE.by_seat[0][0].information_state] = row
    with pytest.raises(ValueError, match="allowed: probabilities of check, bet"):
        expected_returns(TREE, tables)


def test_a_game_too_large_to_walk_is_refused(monkeypatch):
    monkeypatch.setattr("equipoise.metrics.tree.MAX_NODES", 1000)
    with pytest.raises(ValueError, match="smaller game, for example one round"):
        GameTree(KuhnPoker(hands=6))


def test_two_hands_are_worth_the_sum_of_one_in_each_seat():
    tree = GameTree(KuhnPoker(hands=2))
    tables = behaviour_table(tree, nash(1 / 6))
    assert expected_returns(tree, tables) == pytest.approx([0, 0], abs=1e-12)
    assert nash_conv(tree, tables) == pytest.approx(0, abs=1e-9)
    assert nash_conv(tree, behaviour_table(tree, UNIFORM)) == pytest.approx(2 * 11 / 12)
