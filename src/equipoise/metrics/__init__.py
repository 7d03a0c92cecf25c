"""Metrics: figures read from episodes, each with its interval, and exact values where a game's tree can be walked."""

from equipoise.metrics.cooperation import conditional_cooperation, cooperation_rate, efficiency
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
    worst_case_response,
)
from equipoise.metrics.exact_faults import (
    FaultyTable,
    StatePolicy,
    fault_aware_nash_conv,
    fault_aware_returns,
    fault_aware_worst_case_advantage,
    forfeits_fit,
    renormalised,
    state_faults,
    states_after_forfeits,
)
from equipoise.metrics.faults import fault_kinds, fault_rate, fault_rate_scores
from equipoise.metrics.hazard import hazard_rate, hazard_rate_scores
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
from equipoise.metrics.relative import exploitation, exploitation_scores, nra, nra_scores
from equipoise.metrics.response import ScriptResponse, script_response
from equipoise.metrics.script_regret import (
    ReplyValues,
    script_regret,
    script_regret_by_opponent,
    script_regret_scores,
)
from equipoise.metrics.sepo_index import Components, components, index_over_grid, sepo_index
from equipoise.metrics.tree import GameTree, largest_exact_rounds

__all__ = [
    "BestResponse",
    "Components",
    "FaultyTable",
    "GameTree",
    "ReplyValues",
    "ScriptResponse",
    "StatePolicy",
    "behaviour_table",
    "best_response",
    "clustered_mean",
    "clustered_ratio",
    "components",
    "conditional_cooperation",
    "cooperation_rate",
    "efficiency",
    "expected_returns",
    "exploitability",
    "exploitation",
    "exploitation_scores",
    "fault_aware_nash_conv",
    "fault_aware_returns",
    "fault_aware_worst_case_advantage",
    "fault_kinds",
    "fault_rate",
    "fault_rate_scores",
    "forfeits_fit",
    "hazard_rate",
    "hazard_rate_scores",
    "index_over_grid",
    "information_states",
    "largest_exact_rounds",
    "mean_worst_case_advantage",
    "nash_conv",
    "nra",
    "nra_scores",
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
    "script_regret",
    "script_regret_by_opponent",
    "script_regret_scores",
    "script_response",
    "sepo_index",
    "state_faults",
    "states_after_forfeits",
    "t_quantile",
    "welfare",
    "welfare_scores",
    "wilson",
    "worst_case_advantage",
    "worst_case_response",
]
