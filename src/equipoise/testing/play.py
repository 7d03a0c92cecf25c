"""Random play for the checks: episodes of random moves, and the decisions met in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from equipoise.core import CHANCE, Action, Game, InformationState, State

PLAYS = 60
"""Random episodes behind each check."""

Met = list[tuple[InformationState, tuple[Action, ...]]]
"""Decisions: what a seat had seen, and its legal actions."""


@dataclass(frozen=True)
class Step:
    """One transition of an episode and the moves that made it."""

    before: State
    moves: Mapping[int, Action]
    after: State


def play(game: Game, rng: np.random.Generator) -> Iterator[Step]:
    """An episode of uniformly random moves, chance included; one decision in ten forfeits (a step without moves)."""
    state = game.initial_state()
    while not state.is_terminal:
        if not state.is_chance and rng.random() < 0.1:
            step = Step(state, {}, state.forfeit(int(rng.choice(state.players_to_move))))
        else:
            moves = random_moves(state, rng)
            step = Step(state, moves, state.child(moves))
        yield step
        state = step.after


def random_moves(state: State, rng: np.random.Generator) -> dict[int, Action]:
    """A uniformly random move of everyone who moves now, chance included."""
    if state.is_chance:
        return {CHANCE: _pick(tuple(outcome for outcome, _ in state.chance_outcomes()), rng)}
    return {seat: _pick(state.legal_actions(seat), rng) for seat in state.players_to_move}


def _pick(actions: tuple[Action, ...], rng: np.random.Generator) -> Action:
    return actions[int(rng.integers(len(actions)))]


def decisions(game: Game, seed: int) -> Met:
    """Every (information state, legal actions) met in random episodes, in the order met."""
    rng = np.random.default_rng(seed)
    met: dict[InformationState, tuple[Action, ...]] = {}
    for _ in range(4 * PLAYS):
        for step in play(game, rng):
            for seat in step.before.players_to_move:
                if seat != CHANCE:
                    met[step.before.information_state(seat)] = step.before.legal_actions(seat)
    return list(met.items())
