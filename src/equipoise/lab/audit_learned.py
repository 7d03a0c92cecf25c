"""A lower bound of the worst case where the exact one cannot be computed: what a learned or known adversary takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from equipoise.core import Episode, Estimate, FaultRule, Game, Opponent
from equipoise.lab.audit_play import played
from equipoise.metrics import gap_bounds, pool_exploitability_unclipped
from equipoise.metrics.learned import explorer, learned_response, mixing
from equipoise.policies.policy import Policy
from equipoise.seeds import Seed, Use

EXPLORATION = 0.3
"""How often the second half's opponent leaves the response learned from the first."""


_EXPLORING, _REFINING, _FRESH = ((Use.LEARNED, number) for number in range(3))


@dataclass(frozen=True)
class Play:
    """How an audit plays.

    Attributes:
        seed: Keys the deals and all play.
        fault_rule: What a fault plays.
    """

    seed: Seed
    fault_rule: FaultRule


def worst_case_lower_bound(
    policy: Policy, game: Game, rivals: Mapping[Opponent, float], play: Play, episodes: int, deals: int
) -> Estimate:
    """What the strongest adversary that is known takes on fresh deals: E[theirs - own] per round.

    One adversary is learned: half of the episodes are against a uniformly random player, half against the response
    learned from them, mixed with random moves, and the response learned from all of them is the candidate. It meets the
    agent on the deals of the audit, and whichever leads most there, it or one of the rivals, plays the fresh deals.

    Estimand: that adversary's expected lead, both seats alike: at most the worst-case advantage. Unbiased for the
    adversary, because it was chosen on other deals; so a lower bound of the worst case up to its interval, and how far
    below is unknown. A t interval over the fresh deals, which does not count that other episodes would have taught
    another adversary.

    Args:
        policy: The agent.
        game: A two-player game.
        rivals: Scripted opponents with their mean gap on the audit's deals.
        play: Keys and fault rule of the audit.
        episodes: How many to learn from, both seats together.
        deals: Fresh deals.
    """

    def met(opponent: Opponent, count: int, *path: int) -> list[Episode]:
        return played(policy, game, [opponent], count, seed=play.seed.at(*path), fault_rule=play.fault_rule)

    half = max(1, episodes // 4)  # two seats, two halves
    first = met(explorer(game), half, *_EXPLORING)
    response = learned_response(game, first, policy.name)
    second = met(mixing(response, EXPLORATION), half, *_REFINING)
    learned = learned_response(game, [*first, *second], policy.name)
    on_audit_deals = pool_exploitability_unclipped(met(learned, deals), policy.name).value
    candidates = {**rivals, learned: on_audit_deals}
    strongest = max(candidates, key=lambda opponent: candidates[opponent])
    return pool_exploitability_unclipped(met(strongest, deals, *_FRESH), policy.name, gap_bounds(game))
