"""The opponent that hurts most, and how much of a game can be solved exactly."""

import pytest

from equipoise.games.first_rounds import FirstRounds
from equipoise.games.kuhn_poker import KuhnPoker
from equipoise.games.kuhn_poker.opponents import POOLS
from equipoise.games.prisoners_dilemma import DOMAIN as DILEMMA
from equipoise.games.split import DOMAIN as SPLIT
from equipoise.metrics import (
    GameTree,
    behaviour_table,
    best_response,
    expected_returns,
    largest_exact_rounds,
    worst_case_advantage,
    worst_case_response,
)
from equipoise.metrics import tree as tree_module

HAND = GameTree(KuhnPoker())
ROUND = GameTree(FirstRounds(SPLIT.make(), 1))


def demands(number):
    return behaviour_table(ROUND, lambda seen, legal: {number: 1.0})


@pytest.mark.parametrize("name", [o.name for _, o in POOLS.all()])
@pytest.mark.parametrize("seat", [0, 1])
def test_in_a_zero_sum_game_the_worst_case_response_is_the_best_response(name, seat):
    tables = behaviour_table(HAND, POOLS.find(name).behaviour)
    best, worst = best_response(HAND, tables, seat), worst_case_response(HAND, tables, seat)
    assert worst.table == best.table
    assert worst.value == pytest.approx(2 * best.value)


def test_against_a_greedy_demand_the_best_response_gives_in_and_the_worst_case_response_breaks_the_deal():
    # Against 7 of 10, demanding 3 earns 3 and trails by 4; any demand above 3 destroys the pie for both.
    tables = demands(7)
    assert best_response(ROUND, tables, 1).value == pytest.approx(3)
    worst = worst_case_response(ROUND, tables, 1)
    assert worst.value == pytest.approx(0)
    own, other = reversed(expected_returns(ROUND, (tables[0], worst.table)))
    assert (own, other) == pytest.approx((0, 0))


@pytest.mark.parametrize(("demand", "lead"), [(1, 8), (3, 4), (5, 0), (8, 0)])
@pytest.mark.parametrize("seat", [0, 1])
def test_the_worst_case_response_earns_the_worst_case_advantage(demand, lead, seat):
    tables = demands(demand)
    worst = worst_case_response(ROUND, tables, 1 - seat)
    assert worst.value == pytest.approx(lead)
    assert worst_case_advantage(ROUND, tables, seat) == pytest.approx(lead)
    returns = expected_returns(ROUND, [worst.table if s == 1 - seat else tables[s] for s in (0, 1)])
    assert returns[1 - seat] - returns[seat] == pytest.approx(lead)


def test_a_worst_case_response_needs_a_seat_that_exists():
    with pytest.raises(ValueError, match="got seat 2"):
        worst_case_response(ROUND, demands(5), 2)


def compiles(game, rounds):
    try:
        GameTree(FirstRounds(game, rounds))
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("game", [KuhnPoker(hands=2), SPLIT.make(rounds=2), DILEMMA.make(rounds=4)])
def test_counted_rounds_are_the_rounds_that_compile_whatever_the_bound(game, monkeypatch):
    sizes = set()
    for rounds in range(1, game.num_rounds + 1):
        tree = GameTree(FirstRounds(game, rounds))
        sizes |= {len(tree.chance) // 2, len(tree.information_sets)}
    for bound in {1, 10, 54, 55, 56, 100, *sizes, *(2 * size for size in sizes)}:
        monkeypatch.setattr(tree_module, "MAX_NODES", bound)
        expected = [compiles(game, rounds) for rounds in range(1, game.num_rounds + 1)]
        assert largest_exact_rounds(game) == sum(expected), bound


def test_one_hand_of_kuhn_poker_is_fifty_five_nodes(monkeypatch):
    monkeypatch.setattr(tree_module, "MAX_NODES", 55)  # the root and, for each of six deals, nine nodes
    assert largest_exact_rounds(KuhnPoker(hands=3)) == 1
    monkeypatch.setattr(tree_module, "MAX_NODES", 54)
    assert largest_exact_rounds(KuhnPoker(hands=3)) == 0


def test_the_whole_dilemma_of_eight_rounds_fits():
    # 4^0 + ... + 4^8 joint states and two nodes between the moves of each decision: 131,071.
    assert largest_exact_rounds(DILEMMA.make()) == 8
    assert largest_exact_rounds(DILEMMA.make(rounds=12)) == 8
