"""Security, commitment and harm: values by hand, every deterministic opponent tried, and two roads to each figure."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_games import RandomGame, outcomes, random_table

from equipoise.core import Opponent
from equipoise.games import domain, make_game
from equipoise.games.kuhn_poker import KuhnPoker
from equipoise.games.kuhn_poker.opponents import UNIFORM, nash
from equipoise.games.prisoners_dilemma.opponents import ALWAYS_DEFECT, GRIM, JOSS, PAVLOV, SUSPICIOUS, TIT_FOR_TAT
from equipoise.metrics import (
    GameTree,
    behaviour_table,
    best_joint_return,
    commitment_value,
    deviator_gain,
    expected_returns,
    exploitability,
    general_sum_figures,
    harm_curve,
    maximin_value,
    mean_worst_case_advantage,
    own_regret,
    regret,
    script_response,
    security_gap,
    security_level,
    worst_case_advantage,
)
from equipoise.metrics.exact import plan_of

MUS = (0.0, 0.1, 0.5, 1.0, 3.0, 1000.0, math.inf)
HAND = GameTree(KuhnPoker())
ROUNDS = 8
DILEMMA = make_game("prisoners_dilemma", rounds=ROUNDS)


@pytest.mark.parametrize(
    ("script", "security", "commitment", "worst"),
    [(TIT_FOR_TAT, 0.875, 2.625, 0.625), (ALWAYS_DEFECT, 1.0, 1.0, 0.0), (SUSPICIOUS, 1.0, 2.875, 0.0)],
)
@pytest.mark.parametrize("seat", [0, 1])
def test_known_players_of_the_eight_round_dilemma(script, security, commitment, worst, seat):
    # Tit for tat is robbed once and then earns 1 a round: 7/8. A selfish world cooperates until the last round:
    # 7 * 3 / 8. Suspicious tit for tat takes 5 first, is repaid with 3 six times and robbed last: (5 + 18) / 8.
    assert security_level(DILEMMA, script, seat) / ROUNDS == pytest.approx(security)
    assert commitment_value(DILEMMA, script, seat) == pytest.approx((commitment * ROUNDS,) * 2)
    assert harm_curve(DILEMMA, script, seat, [0.0]) / ROUNDS == pytest.approx([worst])


def test_an_indifferent_opponent_is_where_ties_for_and_against_the_agent_differ():
    # Two rounds of cooperation pay an opponent of Pavlov 3 + 3, two of defection 5 + 1. Both lead back to where they
    # began, with 6 or 1 for Pavlov. The best end of two rounds is to cooperate and then defect: 3 + 0 for Pavlov.
    assert commitment_value(DILEMMA, PAVLOV, 0) == pytest.approx((3 * 6 + 3, 3 * 1 + 3))
    assert script_response(DILEMMA, PAVLOV, 1).value == pytest.approx(3 * 6 + 3 + 5)


TREES = {rounds: GameTree(make_game("prisoners_dilemma", rounds=rounds)) for rounds in (2, 3, 5)}


def by_enumeration(tree, table, seat):
    """Every figure from its definition: (security, strong, weak, harm at MUS)."""
    own, theirs = outcomes(tree, plan_of(tree, table, seat), seat).T
    best = theirs.max()
    tied = own[theirs > best - 1e-9]
    harm = [(theirs - own - mu * (best - theirs)).max() for mu in MUS[:-1]]
    return own.min(), tied.max(), tied.min(), [*harm, best - tied.min()]


def assert_figures(game, agent, seat, expected):
    security, strong, weak, harm = expected
    assert security_level(game, agent, seat) == pytest.approx(security, abs=1e-9)
    assert commitment_value(game, agent, seat) == pytest.approx((strong, weak), abs=1e-9)
    assert harm_curve(game, agent, seat, MUS) == pytest.approx(harm, abs=1e-9)


@pytest.mark.parametrize("script", [TIT_FOR_TAT, SUSPICIOUS, PAVLOV, GRIM, JOSS, ALWAYS_DEFECT], ids=lambda s: s.name)
@pytest.mark.parametrize("rounds", [2, 3])
def test_no_deterministic_opponent_of_the_dilemma_does_better_than_the_figures_say(script, rounds):
    tree = TREES[rounds]
    tables = behaviour_table(tree, script.behaviour)
    for seat in (0, 1):
        expected = by_enumeration(tree, tables[seat], seat)
        assert_figures(tree, tables, seat, expected)
        assert_figures(tree.game, script, seat, expected)


@given(seed=st.integers(0, 10**6), seat=st.integers(0, 1))
@settings(max_examples=60, deadline=None)
def test_figures_are_those_of_all_deterministic_opponents_in_random_games(seed, seat):
    tree = GameTree(RandomGame(seed))
    tables = [random_table(tree, s, np.random.default_rng([seed, 9, s])) for s in (0, 1)]
    expected = by_enumeration(tree, tables[seat], seat)
    assert_figures(tree, tables, seat, expected)
    script = Opponent("table", lambda seen, legal: tables[seat][seen], True, "random")
    assert_figures(tree.game, script, seat, expected)


def test_random_games_have_ties_to_break():
    apart = 0
    for seed in range(40):
        tree = GameTree(RandomGame(seed))
        tables = [random_table(tree, seat, np.random.default_rng([seed, 9, seat])) for seat in (0, 1)]
        strong, weak = commitment_value(tree, tables, 0)
        apart += strong > weak + 0.01
    assert apart >= 3


@pytest.mark.parametrize("script", [TIT_FOR_TAT, PAVLOV, JOSS], ids=lambda s: s.name)
def test_the_tree_and_the_script_s_dynamic_program_agree_over_five_rounds(script):
    tree = TREES[5]
    tables = behaviour_table(tree, script.behaviour)
    for seat in (0, 1):
        assert security_level(tree, tables, seat) == pytest.approx(security_level(tree.game, script, seat))
        assert commitment_value(tree, tables, seat) == pytest.approx(commitment_value(tree.game, script, seat))
        assert harm_curve(tree, tables, seat, MUS) == pytest.approx(harm_curve(tree.game, script, seat, MUS))


class Promise(RandomGame):
    """Seat 1 pays seat 0 either 1, or 3 times a bit that only seat 0 has seen; its own pay is always 0."""

    def __init__(self):
        super().__init__(0, stages=1)
        self.movers, self.deals = ((1,),), (((0, 0), 0.5), ((1, 0), 0.5))

    def drawn(self, size, *key):
        if key[0] == 1 or key[1] == 1:
            return 0
        _, _, bit, _, _, action = key
        return 3 * bit if action else 1

    def payoff_state(self, state, seat):
        return state if seat == 0 else (state.bits is None, state.played, state.given_up)


def test_states_that_pay_the_opponent_alike_are_not_merged_where_they_pay_the_agent_apart():
    idle = Opponent("idle", lambda seen, legal: {}, False, "never moves", memory=lambda seen: None)
    assert security_level(Promise(), idle, 0) == security_level(GameTree(Promise()), [{}, {}], 0) == 1
    assert commitment_value(Promise(), idle, 0) == commitment_value(GameTree(Promise()), [{}, {}], 0) == (1.5, 1)


def test_the_roads_agree_where_types_are_hidden():
    game = make_game("auction", rounds=2)
    tree = GameTree(game)
    for opponent in domain("auction").pools.train:
        tables = behaviour_table(tree, opponent.behaviour)
        for seat in (0, 1):
            assert harm_curve(game, opponent, seat, MUS) == pytest.approx(harm_curve(tree, tables, seat, MUS))
            assert security_level(game, opponent, seat) == pytest.approx(security_level(tree, tables, seat))


@given(seed=st.integers(0, 10**6), mus=st.lists(st.floats(0, 100), min_size=3, max_size=3))
@settings(max_examples=60, deadline=None)
def test_the_harm_curve_is_convex_never_rises_and_starts_at_the_worst_case(seed, mus):
    tree = GameTree(RandomGame(seed))
    tables = [random_table(tree, seat, np.random.default_rng([seed, 9, seat])) for seat in (0, 1)]
    low, middle, high = sorted(mus)
    start, left, centre, right, theft = harm_curve(tree, tables, 0, [0, low, middle, high, math.inf])
    assert start == pytest.approx(worst_case_advantage(tree, tables, 0), abs=1e-9)
    assert start >= left - 1e-9 >= centre - 2e-9 >= right - 3e-9 >= theft - 4e-9
    if high > low:
        share = (high - middle) / (high - low)
        assert centre <= share * left + (1 - share) * right + 1e-9


def test_a_spiteful_lead_melts_at_a_price_and_a_theft_does_not():
    # In a split of 10 a demand of 7 can be broken at a cost of 3: a lead of 0 against one of -4. It is spite.
    tree = GameTree(make_game("split", rounds=1))
    tables = behaviour_table(tree, lambda seen, legal: {7: 1.0})
    assert harm_curve(tree, tables, 0, [0, 1, 4 / 3, 2, math.inf]) == pytest.approx([0, -3, -4, -4, -4])
    meek = behaviour_table(tree, lambda seen, legal: {1: 1.0})  # a best response takes 9 of 10
    assert harm_curve(tree, meek, 0, [0, 2, math.inf]) == pytest.approx([8, 8, 8])


@pytest.mark.parametrize("alpha", [0.0, 0.2, 1 / 3])
def test_an_equilibrium_of_kuhn_poker_is_safe_and_keeps_the_value_when_it_commits(alpha):
    tables = behaviour_table(HAND, nash(alpha))
    for seat, value in ((0, -1 / 18), (1, 1 / 18)):
        assert security_gap(HAND, tables, seat) == pytest.approx(0, abs=1e-9)
        assert commitment_value(HAND, tables, seat) == pytest.approx((value, value))


def test_in_a_zero_sum_game_the_mean_gap_is_exploitability_and_commitment_the_security_level():
    tables = behaviour_table(HAND, UNIFORM)
    figures = general_sum_figures(HAND, tables)
    assert figures["security_gap"] == pytest.approx(exploitability(HAND, tables))
    for name in ("commitment_value", "commitment_value_weak"):
        assert figures[name] == pytest.approx(figures["security_level"])
    for name in ("harm_1", "harm_2", "harm_4", "theft"):  # nothing is given up there by hurting
        assert figures[name] == pytest.approx(mean_worst_case_advantage(HAND, tables))


def test_own_regret_is_to_the_given_others_and_a_deviator_s_gain_the_largest_in_self_play():
    tree = TREES[2]
    kind, greedy = (behaviour_table(tree, s.behaviour) for s in (TIT_FOR_TAT, ALWAYS_DEFECT))
    # Tit for tat against defection earns 0 + 1 and could have earned 2; against itself 6, and 3 + 5 by defecting last.
    assert own_regret(tree, (kind[0], greedy[1]), 0) == pytest.approx(1)
    assert own_regret(tree, kind, 0) == pytest.approx(2)
    assert deviator_gain(tree, kind) == pytest.approx(2)
    assert deviator_gain(tree, (kind[0], greedy[1])) == pytest.approx(max(regret(tree, (kind[0], greedy[1]))))
    assert deviator_gain(tree, greedy) == pytest.approx(0, abs=1e-12)


def test_the_best_joint_return_is_mutual_cooperation_and_what_a_planner_who_sees_all_gets():
    assert best_joint_return(DILEMMA) == pytest.approx(6 * ROUNDS)
    tree = GameTree(RandomGame(5))
    rng = np.random.default_rng(0)
    for _ in range(20):
        tables = [random_table(tree, seat, rng) for seat in (0, 1)]
        assert expected_returns(tree, tables).sum() <= best_joint_return(tree.game) + 1e-9


def test_figures_are_per_round_and_the_mean_of_both_seats():
    tree = TREES[5]
    tables = behaviour_table(tree, TIT_FOR_TAT.behaviour)
    figures = general_sum_figures(tree, tables)
    assert figures["security_level"] == pytest.approx(4 / 5)
    assert figures["maximin_value"] == pytest.approx(1)
    assert figures["security_gap"] == pytest.approx(1 / 5)
    assert figures["commitment_value"] == figures["commitment_value_weak"] == pytest.approx(12 / 5)
    assert figures["theft"] == pytest.approx(1)
    assert figures["self_play_efficiency"] == pytest.approx(1)
    assert figures["deviator_gain"] == figures["self_play_regret"] == pytest.approx(2 / 5)


def test_a_price_below_zero_a_missing_table_and_a_wrong_seat_are_refused():
    tables = behaviour_table(HAND, UNIFORM)
    with pytest.raises(ValueError, match="0 or more"):
        harm_curve(HAND, tables, 0, [-1.0])
    with pytest.raises(ValueError, match="got 1 tables"):
        security_level(HAND, tables[:1], 0)
    for figure in (security_level, commitment_value, own_regret):
        with pytest.raises(ValueError, match="got seat 2"):
            figure(HAND, tables, 2)
    with pytest.raises(ValueError, match="got seat 2"):
        security_level(DILEMMA, replace(TIT_FOR_TAT, name="other"), 2)
    with pytest.raises(ValueError, match="got seat -1"):
        maximin_value(HAND, -1)
