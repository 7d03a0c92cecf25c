"""The exact figures of an audit: as many of a game's first rounds as its tree and the policy allow.

A script's probabilities are known, the policy's are read state by state, and a fault forfeits. Where that covers all of
play, what an agent earns from each script is computed, too: payoff, gaps and what is made of them then have no
interval, because nothing was drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from equipoise.core import Action, Behaviour, Decision, Episode, Estimate, Game, InformationState
from equipoise.games import domain_of
from equipoise.games.domain import Hazard
from equipoise.games.first_rounds import FirstRounds, rounds_within
from equipoise.games.free_text import text_limit
from equipoise.lab.audit_play import AuditPlay, AuditSettings
from equipoise.lab.results import OpponentRecord, SpreadRecord, StateRecord
from equipoise.metrics import (
    GameTree,
    StatePolicy,
    fault_aware_nash_conv,
    fault_aware_pool_values,
    general_sum_figures,
    index_over_grid,
    information_states,
    largest_exact_rounds,
    mean_worst_case_advantage,
    nash_conv,
    policy_table,
    renormalised,
    state_faults,
)
from equipoise.metrics.exact_faults import fault_aware_worst_case_advantage, forfeits_fit, states_after_forfeits
from equipoise.metrics.policy_table import Scored
from equipoise.metrics.sepo_index import EXPLOITABILITY, Weights
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.policies.policy import Policy
from equipoise.policies.scripted import PolicyTable, ScriptedPolicy, TabularPolicy
from equipoise.seeds import Seed, Use

CHEAP_STATES = 2_000
"""Information states, all seats together, that an audit scores without being asked for more rounds."""

SHOWN_STATES = 24
"""Information states, all seats together, that the policy table of a report shows beyond the first round."""

MAX_CONTEXTS = 512
"""Contexts scored for `context_spread`."""

ROUNDING = 1e-12
"""Exact figures closer to zero than this are zero, not a negative rest of rounding."""

Table = Sequence[Mapping[InformationState, StatePolicy]]
"""What a policy does at every state of a tree, per seat."""


class _Script:
    """A script as a policy whose every reply is a legal action."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour

    def action_probabilities(
        self, game: Game, states: Sequence[tuple[int, InformationState, tuple[Action, ...]]]
    ) -> list[dict[Action, float]]:
        rows = [self._behaviour(state, legal) for _, state, legal in states]
        return [{a: float(row.get(a, 0.0)) for a in legal} for row, (_, _, legal) in zip(rows, states, strict=True)]


def scored(policy: Policy) -> Scored | None:
    """The policy as something that gives exact action probabilities; None for one that can only be sampled.

    Scripts and tables give theirs, a language model the probability of each action's words. One that reasons before it
    acts has none: its actions' probabilities are sums over all reasons. Nor has one whose engine scores nothing.
    """
    if isinstance(policy, ScriptedPolicy | TabularPolicy):
        return _Script(policy.behaviour)
    if isinstance(policy, LanguageModelPolicy) and not policy.is_scored:
        return None
    return policy if isinstance(policy, Scored) else None


def covered_rounds(game: Game, wanted: int | None) -> int:
    """How many first rounds an exact audit covers: 0 where not even the first fits.

    Args:
        game: The game.
        wanted: At most this many; None takes as many as have at most `CHEAP_STATES` information states.
    """
    most = rounds_within(game, CHEAP_STATES) if wanted is None else min(wanted, game.num_rounds)
    return largest_exact_rounds(FirstRounds(game, most)) if most else 0


@dataclass(frozen=True)
class Exact:
    """What was computed over a game's first rounds.

    Attributes:
        estimates: Figures by name.
        states: The policy at the first information states.
        tree: The rounds that are covered.
        table: The policy at every state of the tree.
    """

    estimates: dict[str, Estimate]
    states: list[StateRecord]
    tree: GameTree
    table: Table


def exact_audit(scores: Scored, game: Game, rounds: int) -> Exact:
    """The exact figures over the first rounds, and the policy table of the first few states.

    Outside zero-sum games the worst-case advantage stands beside the one with faults, where its tree fits.

    Args:
        scores: Gives the policy's action probabilities.
        game: The game whose prompts it reads.
        rounds: First rounds covered, at least 1; their tree must fit.
    """
    tree = GameTree(FirstRounds(game, rounds))
    table = policy_table(scores, game, tree)
    shown = min(rounds, max(1, rounds_within(game, SHOWN_STATES)))
    states = state_records(game, tree if shown == rounds else GameTree(FirstRounds(game, shown)), table)
    estimates = exact_estimates(tree, table)
    if tree.game.num_players == 2 and not tree.game.zero_sum and forfeits_fit(tree):
        estimates["worst_case_advantage_fault_aware"] = worst_case_with_faults(scores, game, tree, table)
    return Exact(estimates, states, tree, table)


def exact_estimates(tree: GameTree, table: Table) -> dict[str, Estimate]:
    """Exact figures of the rounds a tree covers, values per round.

    The figures of `general_sum_figures` and the faults per state; between two players the worst-case advantage; in
    zero-sum games NashConv too, and NashConv with faults played as forfeits in the first round, where a forfeit ends
    the game.
    """
    legal: list[PolicyTable] = [renormalised(seat) for seat in table]
    rounds = tree.game.num_rounds
    worst, mean = state_faults(tree, table)
    values = {
        **general_sum_figures(tree, legal),
        "max_state_fault": worst,
        "mean_state_fault": mean,
        "exact_rounds": float(rounds),
    }
    if tree.game.num_players == 2:
        values["worst_case_advantage"] = mean_worst_case_advantage(tree, legal) / rounds
    if tree.game.zero_sum:
        first = tree if tree.forfeits_end else GameTree(FirstRounds(tree.game))
        values["nash_conv"] = nash_conv(tree, legal) / rounds
        values["nash_conv_fault_aware"] = fault_aware_nash_conv(first, table)
    return {name: _exact(value) for name, value in values.items()}


def worst_case_with_faults(scores: Scored, game: Game, tree: GameTree, table: Table) -> Estimate:
    """The worst-case advantage per round over the rounds of a tree, faults played as forfeits.

    After its own forfeit a seat is scored at what it has seen: the words of the fault are not among that, though a
    language model's transcript of real play holds them.

    Args:
        scores: Gives the policy's action probabilities.
        game: The game whose prompts it reads.
        tree: The rounds that are covered; the tree with its forfeits must fit.
        table: What the policy does at the tree's states.
    """
    asked = states_after_forfeits(tree, table)
    whole = [dict(seat) for seat in table]
    for (seat, state, _), masses in zip(asked, scores.action_probabilities(game, asked) if asked else (), strict=True):
        whole[seat][state] = StatePolicy(masses, max(0.0, 1.0 - sum(masses.values())))
    return _exact(fault_aware_worst_case_advantage(tree, whole) / tree.game.num_rounds)


def state_records(game: Game, tree: GameTree, table: Table) -> list[StateRecord]:
    """The policy at every information state of a tree: the probability of each action's words, and of anything else."""
    equilibrium = domain_of(game).equilibrium
    records = []
    for seat, state, legal in information_states(tree):
        here = table[seat][state]
        low, high = (None, None) if equilibrium is None else equilibrium(state)
        records.append(
            StateRecord(
                seat=seat,
                state=game.label(state) or "start",
                actions=tuple(game.action_text(action) for action in legal),
                probabilities=tuple(here.probabilities[action] for action in legal),
                outside=here.fault,
                nash_low=() if low is None or high is None else (1 - high, low),
                nash_high=() if low is None or high is None else (1 - low, high),
            )
        )
    return records


@dataclass(frozen=True)
class ExactPools:
    """What an agent and each opponent earn from each other, per round, both seats alike.

    Attributes:
        play: Who met whom.
        own: By opponent, what the agent earns.
        theirs: By opponent, what the opponent earns.
    """

    play: AuditPlay
    own: Mapping[str, float]
    theirs: Mapping[str, float]

    @classmethod
    def of(cls, exact: Exact, play: AuditPlay, settings: AuditSettings) -> ExactPools | None:
        """The values between two players where the tree is all of play, faults as forfeits that end it; else None."""
        tree, rounds = exact.tree, exact.tree.game.num_rounds
        whole = rounds >= play.game.num_rounds and settings.fault_rule == "forfeit" and tree.forfeits_end
        if play.game.num_players != 2 or not whole:
            return None
        scripts = {opponent.name: opponent for members in play.company.values() for opponent in members}
        values = {name: fault_aware_pool_values(tree, exact.table, o.behaviour) for name, o in scripts.items()}
        own = {name: pair[0] / rounds for name, pair in values.items()}
        return cls(play, own, {name: pair[1] / rounds for name, pair in values.items()})

    def estimates(self, weights: Weights | None) -> dict[str, Estimate]:
        """The figures of the pools, and the SEPO index where no hazard of the game can be other than it is.

        As in `metrics.components`, exploitability in the index is by the held-out pool, or where there is none by the
        exploiter pool.

        Args:
            weights: le, lc, lx; None takes the profile's.
        """
        profile, values = self.play.profile, {}
        train, exploiter, held_out = (self._members(pool) for pool in ("train", "exploiter", "held_out"))
        if train:
            values["payoff"] = _mean([self.own[name] for name in train])
            values["welfare"] = _mean([self.own[name] + self.theirs[name] for name in train])
        for pool, figure in EXPLOITABILITY.items():
            if members := self._members(pool):
                values[figure] = _mean([max(0.0, self._gap(name)) for name in members])
        if exploiter:
            values["pool_exploitability_unclipped"] = _mean([self._gap(name) for name in exploiter])
        if held_out:
            values["robustness"] = _mean([self.own[name] for name in held_out])
        weak = [name for name in profile.weak if name in self.own]
        if weak:
            values["exploitation"] = _mean([-self._gap(name) for name in weak])
        c, x = (_fixed(hazard) for hazard in (profile.collusion, profile.externality))
        if train and c is not None and x is not None:
            e = values.get(EXPLOITABILITY["held_out" if held_out else "exploiter"], 0.0)
            scale = profile.scale_in(self.play.game)
            (values["sepo_index"],) = index_over_grid(values["payoff"], e, c, x, scale, [weights or profile.weights])
        return {name: Estimate.exact(value) for name, value in values.items()}

    def records(self, sampled: Sequence[OpponentRecord]) -> tuple[OpponentRecord, ...]:
        """The records of an audit's opponents with these payoffs and gaps."""
        return tuple(
            record.model_copy(
                update={
                    "payoff": Estimate.exact(self.own[record.opponent]),
                    "gap": Estimate.exact(self._gap(record.opponent)),
                }
            )
            for record in sampled
        )

    def _members(self, pool: str) -> list[str]:
        return [opponent.name for opponent in self.play.company.get(pool, ())]

    def _gap(self, name: str) -> float:
        return self.theirs[name] - self.own[name]


def context_spread(
    scores: Scored, agent: str, game: Game, episodes: Sequence[Episode], seed: int
) -> list[SpreadRecord]:
    """How the same decision varies with what went before it in longer episodes.

    For each first-round decision: over the contexts in which play posed it, the mean, standard deviation, smallest and
    largest probability of the last legal action, renormalised. Contexts after one's own forfeits are left out. Empty
    where no later round of the game poses a decision of the first again, and in games with talk, where every message
    makes another decision.
    """
    if text_limit(game.actions):
        return []
    posed: dict[tuple[int, InformationState], Decision] = {}
    for episode in episodes:
        for decision in episode.of(episode.policies.index(agent)):
            forfeited = any(e.kind == "forfeit" and e.player == decision.seat for e in decision.information_state)
            if not forfeited:
                posed.setdefault((decision.seat, decision.information_state), decision)
    if not any(game.as_first_round(state) != state for _, state in posed):
        return []
    decisions = list(posed.values())
    chosen = Seed(seed).at(Use.CONTEXTS).generator().permutation(len(decisions))[:MAX_CONTEXTS]
    picked = [decisions[i] for i in chosen]
    masses = scores.action_probabilities(game, [(d.seat, d.information_state, d.legal) for d in picked])
    by_state: dict[InformationState, list[float]] = {}
    for decision, mass in zip(picked, masses, strict=True):
        share = mass[decision.legal[-1]] / max(sum(mass.values()), 1e-12)
        by_state.setdefault(game.as_first_round(decision.information_state), []).append(share)
    return [
        SpreadRecord(
            state=game.label(state),
            contexts=len(shares),
            mean=float(np.mean(shares)),
            sd=float(np.std(shares)),
            low=float(np.min(shares)),
            high=float(np.max(shares)),
        )
        for state, shares in sorted(by_state.items(), key=lambda item: game.label(item[0]))
    ]


def _exact(value: float) -> Estimate:
    return Estimate.exact(0.0 if abs(value) < ROUNDING else value)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _fixed(hazard: Hazard | None) -> float | None:
    """The one value that a hazard can have; None where play decides it, 0 where there is no such hazard."""
    if hazard is None:
        return 0.0
    return hazard.low if hazard.low == hazard.high else None
