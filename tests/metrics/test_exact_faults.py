"""Fault-aware exact values, by hand."""

import numpy as np
import pytest

from equipoise.arena import Match, rollout
from equipoise.core import Opponent, Reply
from equipoise.games import domain, make_game
from equipoise.games.first_rounds import FirstRounds
from equipoise.games.kuhn_poker import KuhnPoker
from equipoise.games.kuhn_poker.opponents import UNIFORM, nash
from equipoise.games.kuhn_poker.rules import hand_view
from equipoise.lab.audit_exact import exact_audit
from equipoise.metrics import (
    GameTree,
    StatePolicy,
    behaviour_table,
    expected_returns,
    fault_aware_nash_conv,
    fault_aware_returns,
    mean_worst_case_advantage,
    nash_conv,
    renormalised,
    state_faults,
)
from equipoise.metrics import tree as tree_module
from equipoise.metrics.exact_faults import fault_aware_worst_case_advantage, forfeits_fit, states_after_forfeits
from equipoise.policies import ScriptedPolicy
from equipoise.policies.policy import Policy, Session

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


# The worst case with faults


def rounds_of(name, rounds):
    return GameTree(FirstRounds(make_game(name), rounds))


def spoilt(tree, behaviour, fault):
    """A script's table in each seat, faults everywhere, with rows for the states after its own forfeits."""
    tables = [faulty(table, fault) for table in behaviour_table(tree, behaviour)]
    for seat, state, legal in states_after_forfeits(tree, tables):
        row = behaviour(state, legal)
        tables[seat][state] = StatePolicy({action: p * (1 - fault) for action, p in row.items()}, fault)
    return tables


def script(name, player):
    return domain(name).corrected.find(player).behaviour


def test_an_agent_that_always_faults_in_one_round_of_the_dilemma_is_led_by_the_payoff_of_a_forfeit():
    tree = rounds_of("prisoners_dilemma", 1)
    tables = spoilt(tree, script("prisoners_dilemma", "always_defect"), 1.0)
    assert mean_worst_case_advantage(tree, [renormalised(t) for t in tables]) == pytest.approx(2.5)  # a coin, it says
    forfeited = tree.game.initial_state().forfeit(0).returns
    assert forfeited == (0, 5)
    assert fault_aware_worst_case_advantage(tree, tables) == pytest.approx(5)
    assert state_faults(tree, tables) == (1, 1)


@pytest.mark.parametrize("fault", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("rounds", [1, 3])
def test_a_defector_of_the_dilemma_is_led_by_five_in_each_round_in_which_it_faults(fault, rounds):
    tree = rounds_of("prisoners_dilemma", rounds)
    tables = spoilt(tree, script("prisoners_dilemma", "always_defect"), fault)
    assert fault_aware_worst_case_advantage(tree, tables) == pytest.approx(5 * fault * rounds)


@pytest.mark.parametrize("fault", [0.0, 0.2, 1.0])
def test_a_forfeited_pie_cannot_be_robbed_so_that_faults_lower_the_worst_case(fault):
    # Against a demand of 3 of 10 the most is 7, a lead of 4; a forfeit pays neither.
    tree = rounds_of("split", 2)
    tables = spoilt(tree, lambda seen, legal: {3: 1.0}, fault)
    assert fault_aware_worst_case_advantage(tree, tables) == pytest.approx(2 * 4 * (1 - fault))


@pytest.mark.parametrize("name", ["prisoners_dilemma", "split", "commons", "auction"])
def test_without_faults_the_worst_case_with_faults_is_the_plain_one_and_needs_no_further_state(name):
    tree = rounds_of(name, 2)
    for player in domain(name).corrected.pools.train[:3]:
        tables = behaviour_table(tree, player.behaviour)
        clean = [faulty(table, 0.0) for table in tables]
        assert states_after_forfeits(tree, clean) == []
        assert fault_aware_worst_case_advantage(tree, clean) == pytest.approx(mean_worst_case_advantage(tree, tables))


@pytest.mark.parametrize("faults", [(0.0, 0.3), (0.5, 0.1), (1.0, 1.0)])
@pytest.mark.parametrize("behaviour", [nash(0.2), UNIFORM], ids=["nash", "uniform"])
def test_in_one_hand_of_poker_the_worst_case_with_faults_is_nash_conv_with_faults(behaviour, faults):
    tables = joint(behaviour, *faults)
    assert fault_aware_worst_case_advantage(TREE, tables) == pytest.approx(fault_aware_nash_conv(TREE, tables))


def test_hands_of_poker_are_lost_one_by_one_after_forfeits():
    tree = GameTree(KuhnPoker(hands=2))
    tables = spoilt(tree, UNIFORM, 1.0)
    assert fault_aware_worst_case_advantage(tree, tables) == pytest.approx(2 * 4)  # it loses two chips a hand


def test_what_an_agent_does_after_its_forfeit_counts():
    # It faults in the first round; then it defects, or cooperates and is robbed of five more.
    tree = rounds_of("prisoners_dilemma", 2)
    for action, lead in (("defect", 5), ("cooperate", 10)):
        start = tree.by_seat[0][0].legal
        row = dict.fromkeys(start, 0.0)
        tables = []
        for seat in (0, 1):
            states = {point.information_state: StatePolicy(row | {"defect": 1.0}) for point in tree.by_seat[seat]}
            states[tree.by_seat[seat][0].information_state] = StatePolicy(row, 1.0)
            tables.append(states)
        asked = states_after_forfeits(tree, tables)
        assert [seat for seat, _, _ in asked] == [0, 1]  # either seat's second round, which no other play reaches
        for seat, state, _ in asked:
            tables[seat][state] = StatePolicy(row | {action: 1.0})
        assert fault_aware_worst_case_advantage(tree, tables) == pytest.approx(lead)


class Babbler(Policy):
    """A coin that babbles three times in ten."""

    name = "agent"

    def session(self, game, seed):
        return Babbling(seed.generator())


class Babbling(Session):
    def __init__(self, rng):
        self.rng = rng

    def replies(self, requests):
        words = ["hmm", *map(str, requests[0].legal)]
        return [Reply(text=str(self.rng.choice(words, p=[0.3, 0.35, 0.35]))) for _ in requests]


def test_no_opponent_leads_a_faulting_agent_by_more_in_play_and_the_best_one_by_as_much():
    # The worst case of a coin that faults three times in ten, in three rounds: it is defected against throughout.
    game, tree = make_game("prisoners_dilemma", rounds=3), rounds_of("prisoners_dilemma", 3)
    exact = fault_aware_worst_case_advantage(
        tree, spoilt(tree, lambda seen, legal: dict.fromkeys(legal, 1 / len(legal)), 0.3)
    )
    assert exact == pytest.approx(3 * (0.3 * 5 + 0.35 * 5))
    leads = {}
    for player in ("always_defect", "always_cooperate", "tit_for_tat"):
        opponent = domain("prisoners_dilemma").corrected.find(player)
        policies = {"agent": Babbler(), "other": ScriptedPolicy(Opponent("other", opponent.behaviour, False, ""))}
        episodes = rollout(game, policies, [Match(("agent", "other"), deal) for deal in range(1_500)], seed=0)
        lead = [e.returns[1] - e.returns[0] for e in episodes]
        leads[player] = np.mean(lead), np.std(lead) / np.sqrt(len(lead))
    assert abs(leads["always_defect"][0] - exact) < 4 * leads["always_defect"][1]
    assert all(lead - 4 * error < exact for lead, error in leads.values())


def test_a_state_after_a_forfeit_that_a_table_misses_is_named():
    tree = rounds_of("prisoners_dilemma", 2)
    tables = [faulty(table, 0.5) for table in behaviour_table(tree, script("prisoners_dilemma", "always_defect"))]
    with pytest.raises(ValueError, match="has no row for"):
        fault_aware_worst_case_advantage(tree, tables)
    with pytest.raises(ValueError, match="one table each"):
        fault_aware_worst_case_advantage(tree, tables[:1])


def test_a_tree_that_its_forfeits_make_too_large_is_known_before_it_is_compiled(monkeypatch):
    tree = rounds_of("prisoners_dilemma", 2)
    tables = spoilt(tree, script("prisoners_dilemma", "always_defect"), 0.5)
    assert forfeits_fit(tree)
    monkeypatch.setattr(tree_module, "MAX_NODES", 40)
    assert GameTree(FirstRounds(make_game("prisoners_dilemma"), 2)).forfeits_end is False  # without them it fits
    assert not forfeits_fit(tree)
    with pytest.raises(ValueError, match="more than 40 nodes"):
        fault_aware_worst_case_advantage(tree, tables)


class Babbles:
    """Says a script's words with what its faults leave."""

    def __init__(self, behaviour, fault):
        self.behaviour, self.fault, self.asked = behaviour, fault, 0

    def action_probabilities(self, game, states):
        self.asked += len(states)
        rows = [self.behaviour(state, legal) for _, state, legal in states]
        return [{action: p * (1 - self.fault) for action, p in row.items()} for row in rows]


@pytest.mark.parametrize("rounds", [1, 3])
def test_an_audit_shows_the_faults_that_the_renormalised_worst_case_hides(rounds):
    game = make_game("prisoners_dilemma")
    agent = Babbles(script("prisoners_dilemma", "always_defect"), 0.4)
    figures = exact_audit(agent, game, rounds).estimates
    assert figures["worst_case_advantage"].value == pytest.approx(0)
    assert figures["worst_case_advantage_fault_aware"].value == pytest.approx(0.4 * 5)
    assert figures["max_state_fault"].value == pytest.approx(0.4)


def test_an_audit_leaves_the_worst_case_with_faults_out_where_there_is_none(monkeypatch):
    game = make_game("prisoners_dilemma")
    figures = exact_audit(Babbles(UNIFORM, 0.4), KuhnPoker(), 1).estimates
    assert "worst_case_advantage_fault_aware" not in figures  # NashConv with faults says it
    monkeypatch.setattr(tree_module, "MAX_NODES", 40)
    figures = exact_audit(Babbles(script("prisoners_dilemma", "always_defect"), 0.4), game, 2).estimates
    assert "worst_case_advantage_fault_aware" not in figures
    assert figures["mean_state_fault"].value == pytest.approx(0.4)


def test_an_agent_that_never_faults_is_asked_about_no_further_state():
    clean, faulting = (Babbles(script("prisoners_dilemma", "tit_for_tat"), fault) for fault in (0.0, 0.1))
    for agent in (clean, faulting):
        exact_audit(agent, make_game("prisoners_dilemma"), 2)
    assert (clean.asked, faulting.asked) == (10, 12)  # 1 + 4 states a seat, and the one after its own forfeit
