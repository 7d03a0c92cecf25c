"""The components u, e, c, x of the SEPO index and the index itself, with an interval that is right for their sum.

Exploitability in the index is that of opponents which no training met, so that a policy cannot raise its index by
learning the exploiters that it trains against. All of the held-out pool counts, alike: who is meant to exploit is not
asked, since an opponent that gains nothing adds max(0, .) = 0, and nobody can be left out once results are known.

The terms are measured on the same deals, so their errors are not independent: the index takes all terms of a deal as
one unit. A game without opponents for a term, or without the term's hazard, has none of it: the component is 0 and
named in `Components.absent`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from equipoise.core import Episode, Estimate, Game
from equipoise.errors import UserError
from equipoise.games.domain import Profile
from equipoise.metrics.clipped import clipped_sum
from equipoise.metrics.deal_scores import DealScores
from equipoise.metrics.hazard import hazard_scores
from equipoise.metrics.opponents import DealTable, deal_table, mean_over_opponents, opponents
from equipoise.metrics.payoff import deals, payoff_bounds, payoff_scores
from equipoise.metrics.pool import gap_bounds, pool_exploitability, pool_gap, pool_gap_scores

TERMS = ("u", "e", "c", "x")
TERM_POOLS = {"u": ("train",), "c": ("collusive",), "x": ("train", "exploiter")}
"""The pools that each term but e averages over, every opponent of every pool counting equally."""

Exploiters = Literal["held_out", "exploiter"]
"""The pool that e is over: opponents that no training met, or those that training meets."""

EXPLOITABILITY: Mapping[Exploiters, str] = {
    "exploiter": "pool_exploitability",
    "held_out": "held_out_exploitability",
}
"""What exploitability by a pool is called among the figures of an audit."""

Weights = tuple[float, float, float]
"""le, lc, lx: the weights of exploitability, collusion and externality."""


@dataclass(frozen=True, eq=False)
class Components:
    """The terms of the SEPO index, per round.

    Attributes:
        u: Payoff against the train pool, in the game's unit.
        e: Mean over the opponents of one pool of max(0, mean gap), in the game's unit.
        c: Collusion against the collusive pool, in the hazard's unit.
        x: Externality against the train and exploiter pools, in the hazard's unit.
        exploiters: The pool that e is over.
        gaps: Per opponent of that pool, the mean of theirs - own.
        absent: Terms for which no opponent was met, or whose hazard the game does not have; each is 0 with n = 0.
        weights: The profile's weights (le, lc, lx).
        scale: s, which brings games to one scale.
        by_deal: The scores behind each term that is not absent, by opponent and deal.
        deals: The deals of the tables' columns.
    """

    u: Estimate
    e: Estimate
    c: Estimate
    x: Estimate
    exploiters: Exploiters
    gaps: Mapping[str, Estimate]
    absent: tuple[str, ...]
    weights: Weights
    scale: float
    by_deal: Mapping[str, DealTable]
    deals: tuple[int, ...] = ()


def components(
    episodes_by_pool: Mapping[str, Sequence[Episode]],
    agent: str,
    game: Game,
    profile: Profile,
    exploiters: Exploiters = "held_out",
) -> Components:
    """u, e, c and x of an agent, each with its own interval.

    u, c and x are means over opponents with intervals over deals, of scores in the game's and the hazards' ranges;
    unbiased. e is `pool_exploitability` of one pool: biased upward, with an interval of the clipped estimand.

    Args:
        episodes_by_pool: The agent's episodes against the opponents of each pool; a missing pool is an empty one.
        agent: Its name.
        game: Gives the scale where the profile does not.
        profile: Says what collusion and externality are, and how the terms are weighted.
        exploiters: The pool that e is over. Where the held-out pool is asked for and has no episodes it is the
            exploiter pool, and `Components.exploiters` says so.

    Raises:
        ValueError: When no pool has an episode, or one lacks the agent or has other than two seats.
    """
    if not episodes_by_pool.get("held_out"):
        exploiters = "exploiter"
    term_pools = {**TERM_POOLS, "e": (exploiters,)}
    meant = {"c": profile.collusion, "x": profile.externality}
    met = {
        term: [pool for pool in pools if episodes_by_pool.get(pool)] if meant.get(term, term) is not None else []
        for term, pools in term_pools.items()
    }
    episodes = {term: [e for pool in pools for e in episodes_by_pool[pool]] for term, pools in met.items()}
    keys = {
        term: [(pool, name) for pool in pools for name in opponents(episodes_by_pool[pool], agent)]
        for term, pools in met.items()
    }
    every_deal = list(dict.fromkeys(deal for term in TERMS for deal in deals(episodes[term])))
    if not every_deal:
        raise UserError("got no episodes in any pool; the components need at least one")
    scores = {
        "u": payoff_scores(episodes["u"], agent),
        "e": pool_gap_scores(episodes["e"], agent),
    }
    scores |= {t: hazard_scores(episodes[t], agent, hazard) for t, hazard in meant.items() if hazard is not None}
    present = [term for term in TERMS if episodes[term]]
    bounds = {"u": payoff_bounds(game), **{t: (h.low, h.high) for t, h in meant.items() if h is not None}}
    means = {
        t: mean_over_opponents(scores[t], keys[t], deals(episodes[t]), bounds=bounds[t]) if t in present else ABSENT
        for t in ("u", "c", "x")
    }
    gaps = gap_bounds(game)
    return Components(
        u=means["u"],
        e=pool_exploitability(episodes["e"], agent, bounds=gaps) if "e" in present else ABSENT,
        c=means["c"],
        x=means["x"],
        exploiters=exploiters,
        gaps=pool_gap(episodes["e"], agent, gaps) if "e" in present else {},
        absent=tuple(term for term in TERMS if term not in present),
        weights=profile.weights,
        scale=game.scale if profile.scale is None else profile.scale,
        by_deal={t: deal_table(scores[t], keys[t], deals(episodes[t]), every_deal) for t in present},
        deals=tuple(every_deal),
    )


def sepo_index(found: Components, weights: Weights | None = None, seed: int = 0) -> Estimate:
    """The SEPO index S = s*u - le*s*e - lc*c - lx*x, with an interval over deals.

    Estimand: the same of the expected terms, e being over the pool of `Components.exploiters`. Biased downward as far
    as e is biased upward; the bias vanishes as deals grow, and the interval is of the estimand all the same
    (`metrics.clipped`). All terms of a deal are one unit, so luck that they share cancels. A t interval: events too
    rare to have been seen it does not count (those of the terms do), and where all deals agree there is none.

    Args:
        found: The components.
        weights: le, lc, lx; None takes the profile's.
        seed: Keys the resampling behind the upper bound.

    Raises:
        ValueError: For a weight that is negative or not a number.

    Reference: arXiv 2605.30854 (the SEPO objective).
    """
    le, lc, lx = chosen = _checked(found.weights if weights is None else weights)
    (value,) = index_over_grid(found.u.value, found.e.value, found.c.value, found.x.value, found.scale, [chosen])
    count = next(iter(found.by_deal.values())).counts.shape[1]
    units = {term: table.units() for term, table in found.by_deal.items()}  # [G, O] each
    signs = {"u": -found.scale, "c": lc, "x": lx}
    base = sum((sign * units[t].mean(axis=1) for t, sign in signs.items() if t in units), np.zeros(count))
    gaps = units.get("e", np.zeros((count, 0)))
    # What is clipped enters the index with a minus: the interval is that of -S, mirrored.
    lost = clipped_sum(-value, le * found.scale * gaps / max(gaps.shape[1], 1), base, seed=seed)
    return replace(lost, value=value, low=-lost.high, high=-lost.low)


def terms_by_deal(found: Components, weights: Weights | None = None) -> dict[str, DealScores]:
    """Payoff, exploitability, collusion, externality and the index by deal; the mean over deals is each figure.

    Exploitability has the name of its pool's figure (`EXPLOITABILITY`). What is clipped is counted by deal for the
    opponents whose mean gap is above zero: right to first order, away from
    a gap of exactly zero.

    Args:
        found: The components.
        weights: le, lc, lx; None takes the profile's.
    """
    le, lc, lx = _checked(found.weights if weights is None else weights)
    units = {term: table.units() for term, table in found.by_deal.items()}  # [G, O] each
    if "e" in units:
        units["e"] = np.where(units["e"].mean(axis=0) > 0, units["e"], 0.0)
    means = {term: scores.mean(axis=1) for term, scores in units.items()}  # [G] each
    signs = {"u": found.scale, "e": -le * found.scale, "c": -lc, "x": -lx}
    index = sum((signs[term] * scores for term, scores in means.items()), np.zeros(len(found.deals)))
    named = {"payoff": "u", EXPLOITABILITY[found.exploiters]: "e", "collusion": "c", "externality": "x"}
    scores = {name: means[term] for name, term in named.items() if term in means} | {"sepo_index": index}
    return {name: DealScores(found.deals, tuple(values.tolist())) for name, values in scores.items()}


def index_over_grid(
    u: float, e: float, c: float, x: float, scale: float, grid: Sequence[Sequence[float]]
) -> list[float]:
    """The SEPO index of given components at each (le, lc, lx) of a grid.

    Raises:
        ValueError: For a weight that is negative or not a number.
    """
    return [scale * u - le * scale * e - lc * c - lx * x for le, lc, lx in map(_checked, grid)]


def _checked(weights: Sequence[float]) -> Weights:
    if len(weights) != 3 or not all(weight >= 0 and np.isfinite(weight) for weight in weights):
        raise UserError(f"got weights {tuple(weights)}; allowed: three finite numbers of 0 or more (le, lc, lx)")
    le, lc, lx = weights
    return le, lc, lx


ABSENT = Estimate(0.0, 0.0, 0.0, 0, 1.0, "absent: no opponents")
"""A term for which there is nobody to play or nothing to count."""
