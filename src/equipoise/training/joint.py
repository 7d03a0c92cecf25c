"""One step over several games: each is played and credited by itself, and J is the mean of the games' objectives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.training.experience import Experience, SepoPlay


class JointPlay:
    """Plays every game of a run in every step. One game alone is played as `SepoPlay` would play it."""

    def __init__(self, plays: Mapping[str, SepoPlay]) -> None:
        """Args: plays: How each game is played, by its name, in a fixed order."""
        self.plays = dict(plays)

    def collect(self, policy: LanguageModelPolicy, seed: Sequence[int], step: int) -> Experience:
        """One step's credited rows of all games; randomness is keyed by (seed, game, step) alone."""
        if len(self.plays) == 1:
            (play,) = self.plays.values()
            return play.collect(policy, seed, step)
        parts = [play.collect(policy, [*seed, number], step) for number, play in enumerate(self.plays.values())]
        return mean_of_games(dict(zip(self.plays, parts, strict=True)))

    def state(self) -> dict[str, Any]:
        """The adversaries of every game, as JSON."""
        return {name: play.state() for name, play in self.plays.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes up the adversaries of a `state`."""
        for name, play in self.plays.items():
            play.restore(state[name])


def mean_of_games(parts: Mapping[str, Experience]) -> Experience:
    """The experience whose policy gradient is the mean of the games' own, whatever their numbers of episodes.

    A trainer divides by all B episodes. A game that played b of them, one of G games, has its weights (and the counts
    that the KL penalty uses) multiplied by B / (G * b). Metrics get the game's name in front. Payoffs of different
    games have different units; the fault rate alone is also given as the mean over games.

    Args:
        parts: Each game's experience.
    """
    episodes = sum(part.episodes for part in parts.values())
    rows, weights, counts = [], [], []
    metrics: dict[str, float] = {}
    for name, part in parts.items():
        factor = episodes / (len(parts) * part.episodes)
        rows += part.rows
        weights += [factor * weight for weight in part.weights]
        counts.append(factor * part.counts)
        metrics |= {f"{name}/{key}": value for key, value in part.metrics.items()}
    metrics["fault_rate"] = float(np.mean([part.metrics["fault_rate"] for part in parts.values()]))
    return Experience(rows, weights, np.concatenate(counts), episodes, metrics)
