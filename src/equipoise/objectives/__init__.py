"""Objectives as pure array functions: from what an episode paid to the credit of each decision, [B, T]."""

from equipoise.objectives.alignment import (
    AlignmentRule,
    AlignmentWeights,
    advantage_alignment,
    advantage_alignment_inclusive,
    naive,
    sum_of_rewards,
)
from equipoise.objectives.baselines import leave_one_out, standardise_by_group
from equipoise.objectives.returns import discounted_returns, immediate_rewards
from equipoise.objectives.rules import Rule
from equipoise.objectives.sepo import (
    POOLS,
    CreditBatch,
    CreditRule,
    CreditWeights,
    Pool,
    independent_penalty,
    own_pool,
    own_pool_immediate,
    payoff,
    sepo_index,
    shared_penalty,
    welfare,
)

__all__ = [
    "POOLS",
    "AlignmentRule",
    "AlignmentWeights",
    "CreditBatch",
    "CreditRule",
    "CreditWeights",
    "Pool",
    "Rule",
    "advantage_alignment",
    "advantage_alignment_inclusive",
    "discounted_returns",
    "immediate_rewards",
    "independent_penalty",
    "leave_one_out",
    "naive",
    "own_pool",
    "own_pool_immediate",
    "payoff",
    "sepo_index",
    "shared_penalty",
    "standardise_by_group",
    "sum_of_rewards",
    "welfare",
]
