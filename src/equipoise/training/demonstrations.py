"""Demonstrations: scripted players' games, spoken in the words a language model uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from equipoise.arena import Match, rollout
from equipoise.core import Episode, Game, Opponent
from equipoise.policies.chat import ChatFormat
from equipoise.policies.scripted import ScriptedPolicy
from equipoise.training.rows import Row, demonstrated_row


def mixture_matches(weights: Mapping[str, float], episodes: int, rng: np.random.Generator) -> list[Match]:
    """Matches whose seats are drawn independently from a mixture of players, each on its own deal."""
    names = list(weights)
    shares = np.array([weights[name] for name in names], dtype=float)
    drawn = rng.choice(len(names), size=(episodes, 2), p=shares / shares.sum())
    return [Match((names[a], names[b]), deal) for deal, (a, b) in enumerate(drawn)]


def demonstrate(
    game: Game, experts: Sequence[tuple[Opponent, float]], episodes: int, seed: Sequence[int]
) -> list[Episode]:
    """Episodes of experts against experts, seats drawn by weight.

    Args:
        game: What is played.
        experts: Players with their weights.
        episodes: How many.
        seed: Keys the draw of seats and all play.
    """
    if episodes < 1:
        raise ValueError(f"got {episodes} demonstration episodes; at least 1 is needed")
    policies = {opponent.name: ScriptedPolicy(opponent) for opponent, _ in experts}
    weights = {opponent.name: weight for opponent, weight in experts}
    matches = mixture_matches(weights, episodes, np.random.default_rng([*seed, 1]))
    return rollout(game, policies, matches, seed=[*seed, 0])


def demonstration_rows(game: Game, episodes: Sequence[Episode], chat: ChatFormat) -> list[Row]:
    """Both seats of every episode as rows; a seat that never decided gives none."""
    return [
        demonstrated_row(game, episode, seat, chat)
        for episode in episodes
        for seat in range(game.num_players)
        if episode.of(seat)
    ]
