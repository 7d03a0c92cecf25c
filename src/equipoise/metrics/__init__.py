"""Metrics: figures read from episodes, each with its interval, and exact values where a game's tree can be walked."""

from equipoise.metrics.estimate import (
    clustered_mean,
    clustered_ratio,
    over_seeds,
    paired_difference,
    t_quantile,
    wilson,
)
from equipoise.metrics.exact import (
    BestResponse,
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
from equipoise.metrics.exact_faults import (
    FaultyTable,
    StatePolicy,
    fault_aware_nash_conv,
    fault_aware_returns,
    renormalised,
    state_faults,
)
from equipoise.metrics.faults import fault_kinds, fault_rate, fault_rate_scores
from equipoise.metrics.payoff import payoff, payoff_scores, welfare, welfare_scores
from equipoise.metrics.policy_table import policy_table
from equipoise.metrics.pool import (
    pool_exploitability,
    pool_exploitability_scores,
    pool_exploitability_unclipped,
    pool_exploitability_unclipped_scores,
    pool_gap,
    pool_gap_scores,
)
from equipoise.metrics.tree import GameTree

__all__ = [
    "BestResponse",
    "FaultyTable",
    "GameTree",
    "StatePolicy",
    "behaviour_table",
    "best_response",
    "clustered_mean",
    "clustered_ratio",
    "expected_returns",
    "exploitability",
    "fault_aware_nash_conv",
    "fault_aware_returns",
    "fault_kinds",
    "fault_rate",
    "fault_rate_scores",
    "information_states",
    "mean_worst_case_advantage",
    "nash_conv",
    "over_seeds",
    "paired_difference",
    "payoff",
    "payoff_scores",
    "policy_table",
    "pool_exploitability",
    "pool_exploitability_scores",
    "pool_exploitability_unclipped",
    "pool_exploitability_unclipped_scores",
    "pool_gap",
    "pool_gap_scores",
    "pool_values",
    "regret",
    "renormalised",
    "state_faults",
    "t_quantile",
    "welfare",
    "welfare_scores",
    "wilson",
    "worst_case_advantage",
]
