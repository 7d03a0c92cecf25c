"""Pool figures of a game that is walked whole are computed, agree with play, and leave the sampled ones alone."""

from dataclasses import replace

import numpy as np
import pytest

from equipoise.arena import against, rollout
from equipoise.games import domain, make_game
from equipoise.lab.audit import AuditSettings, audit
from equipoise.metrics import GameTree, StatePolicy, fault_aware_pool_values, pool_values
from equipoise.metrics.exact import behaviour_table
from equipoise.policies import ScriptedPolicy, TabularPolicy

KUHN = make_game("kuhn_poker")
COMPUTED = ("payoff", "pool_exploitability", "pool_exploitability_unclipped", "robustness", "sepo_index")
COMPUTED += ("held_out_exploitability",)


def tables(behaviour, fault=0.0):
    return [
        {state: StatePolicy({a: (1 - fault) * p for a, p in row.items()}, fault) for state, row in table.items()}
        for table in behaviour_table(KUHN, behaviour)
    ]


def test_without_faults_the_values_are_those_of_the_legal_tables():
    tree, nash = GameTree(KUHN), domain("kuhn_poker").pools.find("nash")
    for _, opponent in domain("kuhn_poker").pools.all():
        plain = pool_values(tree, behaviour_table(tree, nash.behaviour), opponent.behaviour)
        assert fault_aware_pool_values(tree, tables(nash.behaviour), opponent.behaviour) == pytest.approx(plain)


def test_a_player_that_always_faults_forfeits_every_hand_at_its_first_decision():
    tree, nash = GameTree(KUHN), domain("kuhn_poker").pools.find("nash")
    own, theirs = fault_aware_pool_values(tree, tables(nash.behaviour, fault=1.0), nash.behaviour)
    lost = KUHN.min_reward  # a forfeit is the worst a hand can end on
    assert (own, theirs) == (lost, -lost)


def test_the_exact_payoff_lies_where_many_hands_of_play_put_it():
    nash = domain("kuhn_poker").pools.find("nash")
    policy = TabularPolicy("agent", {s: p for table in behaviour_table(KUHN, nash.behaviour) for s, p in table.items()})
    found = audit(policy, KUHN, AuditSettings(deals=2)).agents[0]
    scripts = {o.name: ScriptedPolicy(o) for o in domain("kuhn_poker").pools.train}
    episodes = rollout(KUHN, {**scripts, "agent": policy}, against("agent", list(scripts), [None] * 3_000), seed=5)
    paid = np.array([e.returns[e.policies.index("agent")] for e in episodes])
    error = paid.std() / np.sqrt(len(paid))
    assert abs(found.estimates["payoff"].value - paid.mean()) < 4 * error


def test_computed_figures_do_not_depend_on_the_deals_and_have_no_interval():
    nash = domain("kuhn_poker").pools.find("nash")
    policy = TabularPolicy("agent", {s: p for table in behaviour_table(KUHN, nash.behaviour) for s, p in table.items()})
    found = [audit(policy, KUHN, AuditSettings(deals=2, seed=seed)).agents[0] for seed in (0, 1)]
    for name in COMPUTED:
        assert found[0].estimates[name] == found[1].estimates[name]
        assert found[0].estimates[name].method == "exact"
        assert name not in found[0].deals
    assert found[0].estimates["fault_rate"].method != "exact"
    assert {record.payoff.method for record in found[0].opponents} == {"exact"}


def test_the_exact_index_counts_the_held_out_players_and_not_the_exploiters():
    """Always passing: never bets, folds to every bet; by hand what others take from it."""
    passive = domain("kuhn_poker").pools.find("always_pass")
    # The bluffer wins a chip with J and K, in both seats, and draws even with Q: a gap of 2 * 2/3. The trapper bets as
    # the second player alone, K always and J every other time, and shows a J down otherwise: 2 * (1/2 - 1/6) / 2.
    # Those that never bet take nothing. Of the exploiters the maniac wins every hand, the nit draws even.
    found = audit(ScriptedPolicy(replace(passive, name="agent")), KUHN, AuditSettings(deals=2)).agents[0].estimates
    held_out = (0 + 0 + 4 / 3 + 1 / 3) / 4
    assert found["held_out_exploitability"].value == pytest.approx(held_out)
    assert found["pool_exploitability"].value == pytest.approx((2 + 0) / 2)
    assert found["sepo_index"].value == pytest.approx(1.5 * found["payoff"].value - 1.5 * 1.5 * held_out)


@pytest.mark.parametrize(
    ("game", "settings"),
    [
        (make_game("kuhn_poker", hands=2), AuditSettings(deals=2, exact_rounds=1)),
        (make_game("prisoners_dilemma"), AuditSettings(deals=2)),
        (KUHN, AuditSettings(deals=2, exact=False)),
        (KUHN, AuditSettings(deals=2, fault_rule="random_legal")),
    ],
)
def test_where_the_tree_is_not_the_whole_of_play_the_figures_stay_sampled(game, settings):
    script = next(o for _, o in domain(game.name).pools.all() if o.stochastic)
    policy = ScriptedPolicy(replace(script, name="agent"))
    assert audit(policy, game, settings).agents[0].estimates["payoff"].method != "exact"
