"""Which agents are best at some weighting of the SEPO index, and at how many.

The index weighs exploitability, collusion and externality with chosen numbers, and another choice may rank otherwise.
Two answers need no choice: which agents no other beats in every term (the Pareto front), and in what share of the
weightings of a declared range each agent has the highest index.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from equipoise.errors import UserError
from equipoise.seeds import Seed, Use

Terms = tuple[float, float, float, float]
"""u, e, c, x of one agent: more of the first is better, less of the others."""

DRAWS = 10_000
LEAST, MOST = 0.3, 10.0
"""The declared range of each weight, on a logarithmic scale."""

_TIE = 1e-12


def weightings(draws: int = DRAWS, least: float = LEAST, most: float = MOST, seed: int = 0) -> np.ndarray:
    """Weightings (le, lc, lx), log-uniform in [least, most] each, [draws, 3]: a scrambled Halton sequence, by seed.

    Raises:
        ValueError: For no draws, or a range that is not positive and ordered.
    """
    from scipy.stats import qmc

    if draws < 1 or not 0 < least <= most < float("inf"):
        raise UserError(f"got {draws} draws in [{least}, {most}]; allowed: 1 or more in a positive range")
    points = qmc.Halton(3, rng=Seed(seed).at(Use.WEIGHTINGS).generator()).random(draws)
    drawn: np.ndarray = least * (most / least) ** points
    return drawn


def share_of_weightings_won(
    agents: Mapping[str, Sequence[float]], scale: float, weights: np.ndarray | None = None
) -> dict[str, float]:
    """In what share of the weightings each agent has the highest index; agents that tie share it, so all sum to one.

    A convention over a range, not a probability: the range and its scale are part of the figure.

    Args:
        agents: u, e, c, x by agent.
        scale: s of the index, which u and e are multiplied by.
        weights: Weightings [K, 3]; None takes `weightings()`.

    Raises:
        ValueError: For no agents, or terms that are not four finite numbers.
    """
    terms = _terms(agents)
    chosen = weightings() if weights is None else np.asarray(weights, dtype=float)
    gains, losses = scale * terms[:, 0], terms[:, 1:] * np.array([scale, 1.0, 1.0])
    indices = gains - chosen @ losses.T  # [K, agents]
    best = indices >= indices.max(axis=1, keepdims=True) - _TIE
    shares = (best / best.sum(axis=1, keepdims=True)).mean(axis=0)
    return dict(zip(agents, shares.tolist(), strict=True))


def pareto_front(agents: Mapping[str, Sequence[float]]) -> tuple[str, ...]:
    """The agents that no other beats: none is as good in all of u (more), e, c, x (less) and better in one.

    Only point values count: an agent may stand on the front by luck.

    Raises:
        ValueError: As `share_of_weightings_won`.
    """
    goodness = _terms(agents) * np.array([1.0, -1.0, -1.0, -1.0])
    as_good = (goodness[:, None, :] >= goodness[None, :, :]).all(axis=2)  # [i, j]: i is as good as j in all
    better = (goodness[:, None, :] > goodness[None, :, :]).any(axis=2)
    beaten = (as_good & better).any(axis=0)
    return tuple(name for name, lost in zip(agents, beaten, strict=True) if not lost)


def _terms(agents: Mapping[str, Sequence[float]]) -> np.ndarray:
    terms = np.array([list(values) for values in agents.values()], dtype=float)
    if not agents or terms.shape != (len(agents), 4) or not np.isfinite(terms).all():
        raise UserError(
            f"got terms of shape {terms.shape} for {len(agents)} agents; allowed: finite u, e, c, x of each"
        )
    return terms
