"""The exact part of an audit: as many of a game's first rounds as its tree and the policy allow."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from equipoise.core import CHANCE, Action, Behaviour, Estimate, Game, InformationState, State
from equipoise.games import domain_of
from equipoise.games.first_rounds import FirstRounds
from equipoise.games.free_text import text_limit
from equipoise.lab.results import StateRecord
from equipoise.metrics import (
    GameTree,
    StatePolicy,
    fault_aware_nash_conv,
    general_sum_figures,
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
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.policies.policy import Policy
from equipoise.policies.scripted import PolicyTable, ScriptedPolicy, TabularPolicy

CHEAP_STATES = 2_000
"""Information states, all seats together, that an audit scores without being asked for more rounds."""

SHOWN_STATES = 24
"""Information states, all seats together, that the policy table of a report shows beyond the first round."""

MOST_HISTORIES = 50_000
"""Histories that are walked to count information states; a game with more of them at once is too large to be cheap."""

ROUNDING = 1e-12
"""Exact figures closer to zero than this are zero, not a negative rest of rounding."""


@runtime_checkable
class Speaks(Scored, Protocol):
    """A policy that says how likely it is to speak each legal action's words."""


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
    acts has none: its actions' probabilities are sums over all reasons.
    """
    if isinstance(policy, ScriptedPolicy | TabularPolicy):
        return _Script(policy.behaviour)
    if isinstance(policy, LanguageModelPolicy) and policy.sampling.reasoning != "none":
        return None
    return policy if isinstance(policy, Speaks) else None


def rounds_within(game: Game, states: int) -> int:
    """The most first rounds that have at most `states` information states, all seats together; 0 if the first has more.

    Walks the histories round by round and stops as soon as there are too many states, or more than `MOST_HISTORIES`.
    A game with talk has 0: its texts cannot be listed.
    """
    if text_limit(game.actions):
        return 0
    known: set[tuple[int, InformationState]] = set()
    frontier = [game.initial_state()]
    for rounds in range(1, game.num_rounds + 1):
        after: list[State] = []
        while frontier:
            after += [state for state in frontier if not state.is_terminal and state.round >= rounds]
            going = [state for state in frontier if not state.is_terminal and state.round < rounds]
            frontier = []
            for state in going:  # counted before any of them is expanded
                known.update((seat, state.information_state(seat)) for seat in state.players_to_move if seat != CHANCE)
                if len(known) > states:
                    return rounds - 1
            for state in going:
                options = _options(state)
                if len(frontier) + math.prod(map(len, options)) + len(after) > MOST_HISTORIES:
                    return rounds - 1
                frontier += [state.child(dict(moves)) for moves in itertools.product(*options)]
        frontier = after
    return game.num_rounds


def covered_rounds(game: Game, wanted: int | None) -> int:
    """How many first rounds an exact audit covers: 0 where not even the first fits.

    Args:
        game: The game.
        wanted: At most this many; None takes as many as have at most `CHEAP_STATES` information states.
    """
    most = rounds_within(game, CHEAP_STATES) if wanted is None else min(wanted, game.num_rounds)
    return largest_exact_rounds(FirstRounds(game, most)) if most else 0


def exact_estimates(tree: GameTree, table: Sequence[Mapping[InformationState, StatePolicy]]) -> dict[str, Estimate]:
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


def worst_case_with_faults(
    scores: Scored, game: Game, tree: GameTree, table: Sequence[Mapping[InformationState, StatePolicy]]
) -> Estimate | None:
    """The worst-case advantage per round over the rounds of a tree, faults played as forfeits.

    After its own forfeit a seat is scored at what it has seen: the words of the fault are not among that, though a
    language model's transcript of real play holds them. None where the tree with its forfeits does not fit.

    Args:
        scores: Gives the policy's action probabilities.
        game: The game whose prompts it reads.
        tree: The rounds that are covered.
        table: What the policy does at the tree's states, per seat.
    """
    if not forfeits_fit(tree):
        return None
    asked = states_after_forfeits(tree, table)
    whole = [dict(seat) for seat in table]
    for (seat, state, _), masses in zip(asked, scores.action_probabilities(game, asked) if asked else (), strict=True):
        whole[seat][state] = StatePolicy(masses, max(0.0, 1.0 - sum(masses.values())))
    return _exact(fault_aware_worst_case_advantage(tree, whole) / tree.game.num_rounds)


@dataclass(frozen=True)
class Exact:
    """What was computed over a game's first rounds.

    Attributes:
        estimates: Figures by name.
        states: The policy at the first information states.
        tree: The rounds that are covered.
        table: The policy at every state of the tree, per seat.
    """

    estimates: dict[str, Estimate]
    states: list[StateRecord]
    tree: GameTree
    table: Sequence[Mapping[InformationState, StatePolicy]]


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
    rows = state_records(game, tree if shown == rounds else GameTree(FirstRounds(game, shown)), table)
    figures = exact_estimates(tree, table)
    two = tree.game.num_players == 2
    aware = None if tree.game.zero_sum or not two else worst_case_with_faults(scores, game, tree, table)
    figures |= {} if aware is None else {"worst_case_advantage_fault_aware": aware}
    return Exact(figures, rows, tree, table)


def state_records(
    game: Game, tree: GameTree, table: Sequence[Mapping[InformationState, StatePolicy]]
) -> list[StateRecord]:
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


def _exact(value: float) -> Estimate:
    return Estimate.exact(0.0 if abs(value) < ROUNDING else value)


def _options(state: State) -> list[list[tuple[int, Action]]]:
    """What everyone who moves here may do, chance included, as (seat, action)."""
    if state.is_chance:
        return [[(CHANCE, outcome) for outcome, _ in state.chance_outcomes()]]
    return [[(seat, action) for action in state.legal_actions(seat)] for seat in state.players_to_move]
