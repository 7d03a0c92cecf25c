"""Audits one agent: what it earns, what scripts take from it, how exploitable it exactly is, how often it faults.

Sampled figures come from common deals: every agent meets every opponent in both seats on the same cards, under a seed
that no training uses. Exact figures walk the tree of the game's first round with the model's own probabilities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from equipoise.arena import against, rollout
from equipoise.core import AUDIT_KEY, Decision, Episode, Estimate, Fault, FaultRule, Game, InformationState
from equipoise.games import domain
from equipoise.games.first_rounds import FirstRounds
from equipoise.games.text import render_observation, render_rules
from equipoise.metrics import (
    GameTree,
    StatePolicy,
    fault_aware_nash_conv,
    fault_kinds,
    fault_rate,
    information_states,
    mean_worst_case_advantage,
    nash_conv,
    payoff,
    policy_table,
    pool_exploitability,
    pool_exploitability_unclipped,
    pool_gap,
    renormalised,
    state_faults,
)
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.policies.scripted import PolicyTable, ScriptedPolicy

MAX_CONTEXTS = 512


@dataclass(frozen=True)
class AuditSettings:
    """How much an audit plays.

    Attributes:
        deals: Common deals; every opponent is met in both seats on each.
        seed: Keys the deals and all play.
        fault_rule: What a fault plays.
        transcripts: Sample episodes kept for the report.
    """

    deals: int = 500
    seed: int = 0
    fault_rule: FaultRule = "forfeit"
    transcripts: int = 3

    def __post_init__(self) -> None:
        if self.deals < 1:
            raise ValueError(f"got {self.deals} episodes per opponent and seat; an audit needs at least 1")
        if self.seed < 0:
            raise ValueError(f"got seed {self.seed}; seeds are 0 or more")


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes:
        estimates: Figures by metric name.
        opponents: Per opponent its pool, the agent's payoff and the gap (theirs - own), per round.
        faults: Share of decisions by kind of fault.
        table: Probability of each legal action's words and the mass outside, per first-round information state.
        spread: In games of several rounds: how far the same decision differs between the contexts met in play.
        transcripts: Sample conversations.
        episodes: Every episode played.
    """

    estimates: dict[str, Estimate]
    opponents: list[dict[str, Any]]
    faults: dict[str, float]
    table: list[dict[str, Any]]
    spread: list[dict[str, Any]]
    transcripts: list[dict[str, Any]]
    episodes: list[Episode]


def audit(policy: LanguageModelPolicy, game: Game, settings: AuditSettings) -> Audit:
    """The audit of one language-model policy in one two-player game."""
    pools = domain(game.name).pools
    scripts = {opponent.name: ScriptedPolicy(opponent) for _, opponent in pools.all()}
    matches = against(policy.name, list(scripts), [None] * settings.deals)
    episodes = rollout(
        game,
        {**scripts, policy.name: policy},
        matches,
        seed=[AUDIT_KEY, settings.seed],
        fault_rule=settings.fault_rule,
    )
    by_pool = {
        pool: [e for e in episodes if _opponent(e, policy.name) in {o.name for o in pools.of(pool)}]
        for pool in pools.names
    }
    estimates = {
        "payoff": payoff(by_pool["train"], policy.name),
        "robustness": payoff(by_pool["held_out"], policy.name),
        "pool_exploitability": pool_exploitability(by_pool["exploiter"], policy.name),
        "pool_exploitability_unclipped": pool_exploitability_unclipped(by_pool["exploiter"], policy.name),
        "fault_rate": fault_rate(episodes, policy.name),
    }
    tree = GameTree(FirstRounds(game))
    table = policy_table(policy, game, tree)
    estimates |= exact_estimates(tree, table)
    return Audit(
        estimates=estimates,
        opponents=_per_opponent(by_pool, policy.name),
        faults={str(kind): share for kind, share in fault_kinds(episodes, policy.name).items() if share > 0},
        table=_table_rows(game, tree, table),
        spread=context_spread(policy, game, episodes, settings.seed) if game.num_rounds > 1 else [],
        transcripts=_samples(game, episodes, policy.name, settings.transcripts),
        episodes=episodes,
    )


def exact_estimates(tree: GameTree, table: Sequence[Mapping[InformationState, StatePolicy]]) -> dict[str, Estimate]:
    """Exact figures of the first round: NashConv (also fault-aware), worst-case advantage, faults per state."""
    legal: list[PolicyTable] = [renormalised(seat) for seat in table]
    worst, mean = state_faults(tree, table)
    values = {
        "nash_conv": nash_conv(tree, legal),
        "nash_conv_fault_aware": fault_aware_nash_conv(tree, table),
        "worst_case_advantage": mean_worst_case_advantage(tree, legal),
        "max_state_fault": worst,
        "mean_state_fault": mean,
    }
    return {name: Estimate.exact(value) for name, value in values.items()}


def context_spread(
    policy: LanguageModelPolicy, game: Game, episodes: Sequence[Episode], seed: int
) -> list[dict[str, Any]]:
    """How the same decision varies with what went before it in longer episodes.

    For each first-round decision: over the contexts in which play posed it, the mean, standard deviation, smallest and
    largest probability of the last legal action, renormalised. Contexts after one's own forfeits are left out.
    """
    met: dict[tuple[int, InformationState], Decision] = {}
    for episode in episodes:
        for decision in episode.of(episode.policies.index(policy.name)):
            forfeited = any(e.kind == "forfeit" and e.player == decision.seat for e in decision.information_state)
            if not forfeited:
                met.setdefault((decision.seat, decision.information_state), decision)
    decisions = list(met.values())
    chosen = np.random.default_rng([AUDIT_KEY, seed]).permutation(len(decisions))[:MAX_CONTEXTS]
    picked = [decisions[i] for i in chosen]
    masses = policy.action_probabilities(game, [(d.seat, d.information_state, d.legal) for d in picked])
    by_state: dict[InformationState, list[float]] = {}
    for decision, mass in zip(picked, masses, strict=True):
        share = mass[decision.legal[-1]] / max(sum(mass.values()), 1e-12)
        by_state.setdefault(game.as_first_round(decision.information_state), []).append(share)
    return [
        {
            "state": game.label(state),
            "contexts": len(shares),
            "mean": float(np.mean(shares)),
            "sd": float(np.std(shares)),
            "low": float(np.min(shares)),
            "high": float(np.max(shares)),
        }
        for state, shares in sorted(by_state.items(), key=lambda item: game.label(item[0]))
    ]


def _per_opponent(by_pool: Mapping[str, Sequence[Episode]], agent: str) -> list[dict[str, Any]]:
    rows = []
    for pool, episodes in by_pool.items():
        for opponent, gap in pool_gap(episodes, agent).items() if episodes else ():
            played = [e for e in episodes if _opponent(e, agent) == opponent]
            own = payoff(played, agent)
            rows.append({"opponent": opponent, "pool": pool, "payoff": own.to_json(), "gap": gap.to_json()})
    return rows


def _table_rows(
    game: Game, tree: GameTree, table: Sequence[Mapping[InformationState, StatePolicy]]
) -> list[dict[str, Any]]:
    equilibrium = domain(game.name).equilibrium
    rows = []
    for seat, state, legal in information_states(tree):
        row: dict[str, Any] = {
            "seat": seat,
            "state": game.label(state),
            "text": game.label(state),
            "actions": [game.action_text(a) for a in legal],
            "probabilities": [table[seat][state].probabilities[a] for a in legal],
            "outside": table[seat][state].fault,
        }
        if equilibrium is not None:
            low, high = equilibrium(state)
            row |= {"nash_low": [1 - high, low], "nash_high": [1 - low, high]}
        rows.append(row)
    return rows


def _opponent(episode: Episode, agent: str) -> str:
    return episode.policies[1 - episode.policies.index(agent)]


def _samples(game: Game, episodes: Sequence[Episode], agent: str, count: int) -> list[dict[str, Any]]:
    """The first episode with a fault, if any, and the longest of the others."""
    faulty = [e for e in episodes if any(d.fault for d in e.decisions)][:1]
    rest = sorted((e for e in episodes[:2_000] if e not in faulty), key=lambda e: -len(e.decisions))
    return [conversation(game, episode, agent) for episode in [*faulty, *rest][:count]]


def conversation(game: Game, episode: Episode, agent: str) -> dict[str, Any]:
    """One seat's transcript as messages, with faults marked."""
    seat = episode.policies.index(agent)
    messages: list[dict[str, Any]] = [{"role": "system", "text": render_rules(game), "fault": None}]
    read = 0
    for decision in episode.of(seat):
        state = decision.information_state
        seen = render_observation(game, state[read:], seat, decision.legal)
        read = len(state) + (1 if decision.fault is None else 0)
        messages.append({"role": "user", "text": seen, "fault": None})
        messages.append({"role": "assistant", "text": decision.reply.text, "fault": _kind(decision.fault)})
    return {
        "agent": agent,
        "opponent": _opponent(episode, agent),
        "seat": seat,
        "payoff": list(episode.returns),
        "messages": messages,
    }


def _kind(fault: Fault | None) -> str | None:
    return None if fault is None else fault.kind


__all__ = [
    "AUDIT_KEY",
    "Audit",
    "AuditSettings",
    "audit",
    "context_spread",
    "conversation",
    "exact_estimates",
    "policy_table",
]
