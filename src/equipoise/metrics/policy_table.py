"""A policy that speaks, as a table: the probability of every legal action's words at every information state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from equipoise.core import Action, Game, InformationState
from equipoise.metrics.exact import information_states
from equipoise.metrics.exact_faults import StatePolicy
from equipoise.metrics.tree import GameTree


@runtime_checkable
class Scored(Protocol):
    """A policy that can say how likely it is to speak each legal action's words."""

    def action_probabilities(
        self, game: Game, states: Sequence[tuple[int, InformationState, tuple[Action, ...]]]
    ) -> list[dict[Action, float]]:
        """Probability of each legal action's words at each (seat, state, legal)."""
        ...


def policy_table(policy: Scored, game: Game, tree: GameTree) -> list[dict[InformationState, StatePolicy]]:
    """Per seat, the probability of each legal action's words at every information state of a tree.

    The mass outside the legal words counts as fault; other spellings that the parser would accept are in it, so the
    fault probabilities are upper bounds.

    Args:
        policy: Whose words are scored.
        game: The game whose prompts it reads.
        tree: The states, of the game itself or of its first round.
    """
    states = information_states(tree)
    tables: list[dict[InformationState, StatePolicy]] = [{} for _ in range(game.num_players)]
    for (seat, state, _), masses in zip(states, policy.action_probabilities(game, states), strict=True):
        tables[seat][state] = StatePolicy(masses, max(0.0, 1.0 - sum(masses.values())))
    return tables
