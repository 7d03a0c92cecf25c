"""What an exact tabular problem is: a policy with one logit per information state, in a game small enough to enumerate.

The policy plays action 1 with probability 1 / (1 + exp(-logit)) and action 0 otherwise. A problem gives the exact value
and gradient of each term of the SEPO objective, and draws batches from which credit rules estimate the same gradient.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise.objectives import SepoBatch, SepoWeights

TERMS = ("u", "e", "c", "x")
"""Payoff, exploitability, collusion, externality."""

Values = dict[str, float]
"""Value of each term a problem has."""

Gradients = dict[str, NDArray[np.float64]]
"""Gradient of each term with respect to the logits, [P]."""


@dataclass(frozen=True, eq=False)
class Draw:
    """One sampled batch and what is needed to turn credits into a gradient.

    Attributes:
        batch: The episodes.
        information: Index of the information state the agent decided in, [B, T]; any index where the mask is False.
        score: Derivative of the log-probability of the action taken by that state's logit, [B, T].
        num_parameters: Number of logits, P.
    """

    batch: SepoBatch
    information: NDArray[np.int64]
    score: NDArray[np.float64]
    num_parameters: int

    def estimate(self, credits: NDArray[np.float64]) -> NDArray[np.float64]:
        """The policy gradient (1/B) * sum of credit * grad log pi, [P]."""
        weight = (credits * self.score).ravel()
        total = np.bincount(self.information.ravel(), weights=weight, minlength=self.num_parameters)
        mean: NDArray[np.float64] = total / self.batch.own.shape[0]
        return mean


class TabularProblem(ABC):
    """A game, fixed opponents and the policy at which gradients are compared.

    Attributes:
        name: The game.
        states: Name of each information state, [P].
        logits: The policy, [P].
        weights: The weights of the SEPO objective.
        rounds: Rounds per episode; values divided by it are per round.
    """

    name: str
    states: tuple[str, ...]
    logits: NDArray[np.float64]
    weights: SepoWeights
    rounds: int

    @abstractmethod
    def exact(self) -> tuple[Values, Gradients]:
        """Value and gradient of each term the game has, as totals of an episode."""

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> Draw:
        """One batch sampled from the policy."""

    def objective_gradient(self) -> NDArray[np.float64]:
        """Exact gradient of s*u - le*s*e - lc*c - lx*x, [P]."""
        _, gradients = self.exact()
        factor = term_factors(self.weights)
        total: NDArray[np.float64] = np.sum([factor[term] * gradient for term, gradient in gradients.items()], axis=0)
        return total


def term_factors(weights: SepoWeights) -> dict[str, float]:
    """The factor of each term in J, signs included."""
    return {
        "u": weights.scale,
        "e": -weights.exploitability * weights.scale,
        "c": -weights.collusion,
        "x": -weights.externality,
    }


def sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability of action 1 for each logit."""
    return 1.0 / (1.0 + np.exp(-logits))
