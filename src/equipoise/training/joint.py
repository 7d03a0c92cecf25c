"""One step over several games, or several objectives of one game, each played and credited by itself.

Over games J is the mean of the games' objectives; over the objectives of one game it is their sum.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.seeds import Seed
from equipoise.training.play import Experience, Play


class _Together(Play):
    """Several plays in every step, and one experience of them all. One play alone is played by itself."""

    def __init__(self, plays: Mapping[str, Play]) -> None:
        """Args: plays: What is played, by a name for it, in a fixed order."""
        self.plays = dict(plays)

    @abstractmethod
    def combined(self, parts: Mapping[str, Experience]) -> Experience:
        """One experience from each play's own."""

    def collect(self, policy: LanguageModelPolicy, seed: Seed, step: int) -> Experience:
        """One step's credited rows of all plays; randomness is keyed by `seed` alone."""
        parts = {
            name: play.collect(policy, seed.at(number), step) for number, (name, play) in enumerate(self.plays.items())
        }
        return next(iter(parts.values())) if len(parts) == 1 else self.combined(parts)

    def state(self) -> dict[str, Any]:
        """What each play must take up, as JSON."""
        return {name: play.state() for name, play in self.plays.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes up a `state`."""
        for name, play in self.plays.items():
            play.restore(state[name])


class JointPlay(_Together):
    """Every game of a run in every step; J is the mean of the games' objectives."""

    def combined(self, parts: Mapping[str, Experience]) -> Experience:
        return mean_of_games(parts)


class SummedPlay(_Together):
    """One game for several objectives in every step; J is their sum."""

    def combined(self, parts: Mapping[str, Experience]) -> Experience:
        return weighted(parts, 1.0)


def mean_of_games(parts: Mapping[str, Experience]) -> Experience:
    """The experience whose policy gradient is the mean of the games' own, whatever their numbers of episodes.

    Payoffs of different games have different units; the fault rate alone is also given as the mean over games.

    Args:
        parts: Each game's experience.
    """
    return weighted(parts, 1.0 / len(parts))


def weighted(parts: Mapping[str, Experience], share: float) -> Experience:
    """The experience whose policy gradient is `share` times the sum of the parts' own.

    A trainer divides by all B episodes. A part that played b of them has its weights (and the counts that the KL
    penalty uses) multiplied by share * B / b. Metrics get the part's name in front, and the fault rate is also given as
    the mean.

    Args:
        parts: Each part's experience, by its name.
        share: What each counts.
    """
    episodes = sum(part.episodes for part in parts.values())
    rows, weights, counts = [], [], []
    metrics: dict[str, float] = {}
    for name, part in parts.items():
        factor = share * episodes / part.episodes
        rows += part.rows
        weights += [factor * weight for weight in part.weights]
        counts.append(factor * part.counts)
        metrics |= {f"{name}/{key}": value for key, value in part.metrics.items()}
    metrics["fault_rate"] = float(np.mean([part.metrics["fault_rate"] for part in parts.values()]))
    return Experience(rows, weights, np.concatenate(counts), episodes, metrics)
