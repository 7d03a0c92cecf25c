"""SEPO: be paid well (u), without being exploitable (e), colluding (c) or costing others (x).

The objective is J = s*u - le*s*e - lc*c - lx*x. Each term is an expectation over the episodes of its own pool: the
mean over the pool's opponents of the mean over an opponent's episodes of the sum over time steps. (`sepo_index` takes
the same quantities per round, so the objective is the index times the number of rounds.)

| term | pool | what an episode adds up |
| --- | --- | --- |
| u | train | own reward |
| e | exploiter | other's minus own reward; per opponent max(0, mean gap) |
| c | collusive | collusion |
| x | `CreditWeights.externality_pools` | externality |

**Weighting.** Every credit rule returns credits [B, T] such that, for the whole batch of B episodes,

    (1/B) * sum_b sum_t credit[b, t] * grad log pi(action[b, t])

estimates grad J. Trainers average over the batch, while a term averages over K opponents with n_k episodes each, so the
rewards an episode against opponent k brings to the term are multiplied by B / (K * n_k). An opponent is a pair (pool,
number): the same number in two pools counts as two opponents. A pool that is absent from the batch contributes nothing.

**Which rule is right.** Only rules that credit a penalty to the episodes that produced it move the policy against that
penalty: `own_pool` (the default) estimates grad J at discount 1. The rules named after penalties reproduce published
behaviour for ablation. The one approximation of `own_pool` is the gate of e, which uses the batch's mean gap: near a
mean gap of zero it opens and closes with the draw; elsewhere, and in all other terms, the estimate is unbiased.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import UserError
from equipoise.objectives._checks import (
    boolean_mask,
    finite_matrix,
    integer_vector,
    non_negative,
    unit_interval,
)
from equipoise.objectives.baselines import leave_one_out
from equipoise.objectives.returns import discounted_returns, immediate_rewards

Pool = Literal["train", "exploiter", "collusive"]
"""What an episode's opponent is for."""

POOLS: tuple[Pool, ...] = get_args(Pool)


@dataclass(frozen=True, eq=False)
class CreditBatch:
    """The episodes of one policy-gradient step, as arrays.

    Attributes:
        own: What each time step paid the agent, [B, T]. Rewards may fall where `mask` is False: a hand goes on after
            the agent's last decision, and the decision before is credited with what follows.
        other: What it paid the other player, [B, T].
        collusion: Collusion of each time step, [B, T].
        externality: Cost of each time step to third parties, [B, T].
        mask: True where the agent decided, [B, T].
        pool: Each episode's pool: train, exploiter or collusive, [B].
        opponent: Number of the opponent within its pool, [B].
        group: Episodes that share opponent, seat and deal, [B]; the baseline is taken within a group.
        always_open: Exploiters that are exact best responses to the current policy. Their expected gap is at least 0,
            so the gate of e stays open for them whatever the batch's mean gap is.

    In self-play (`of_self_play`) a time step is a round, the other player is the other seat, `mask` is True where
    anybody decided, and every episode is of the train pool against one opponent.
    """

    own: NDArray[np.float64]
    other: NDArray[np.float64]
    collusion: NDArray[np.float64]
    externality: NDArray[np.float64]
    mask: NDArray[np.bool_]
    pool: NDArray[np.str_]
    opponent: NDArray[np.int64]
    group: NDArray[np.int64]
    always_open: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        """Check every array.

        Raises:
            TypeError: If numbers of opponents or groups are not integers, or the mask is not boolean.
            ValueError: If shapes disagree, a value is not finite, a pool is unknown, a group mixes pools or opponents,
                or `always_open` names an opponent that is not in the exploiter pool.
        """
        own = finite_matrix("own", self.own)
        size = own.shape[0]
        if not own.size:
            raise UserError(f"own has shape {own.shape}; at least one episode and one time step are needed")
        object.__setattr__(self, "own", own)
        for name in ("other", "collusion", "externality"):
            array = finite_matrix(name, getattr(self, name))
            if array.shape != own.shape:
                raise UserError(f"{name} has shape {array.shape}; it must be {own.shape}, like own")
            object.__setattr__(self, name, array)
        object.__setattr__(self, "mask", boolean_mask("mask", self.mask, own.shape))
        object.__setattr__(self, "pool", _known_pools(self.pool, size))
        object.__setattr__(self, "opponent", integer_vector("opponent", self.opponent, size))
        object.__setattr__(self, "group", integer_vector("group", self.group, size))
        self._check_groups()

    @classmethod
    def of_self_play(
        cls, own: NDArray[np.float64], other: NDArray[np.float64], mask: NDArray[np.bool_], group: NDArray[np.int64]
    ) -> CreditBatch:
        """A batch of self-play: what each round paid the trained seat and the other one, without hazards or pools."""
        nothing, size = np.zeros_like(own), len(own)
        everybody = np.full(size, "train"), np.zeros(size, dtype=np.int64)
        return cls(own, other, nothing, nothing, mask, *everybody, group)

    def advantages(self, discount: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Of both players, the agent first: discounted return minus the mean of the group's others, [B, T] each."""
        own, other = (
            leave_one_out(discounted_returns(rewards, discount), self.group, self.mask)
            for rewards in (self.own, self.other)
        )
        return own, other

    @cached_property
    def opponent_keys(self) -> NDArray[np.intp]:
        """One index per (pool, opponent) pair, counted from 0, [B]."""
        code = np.zeros(self.pool.shape[0], dtype=np.intp)
        for number, name in enumerate(POOLS):
            code[self.pool == name] = number
        opponent = np.unique(self.opponent, return_inverse=True)[1]
        keys: NDArray[np.intp] = np.unique(opponent * len(POOLS) + code, return_inverse=True)[1]
        return keys

    def _check_groups(self) -> None:
        key = self.opponent_keys
        _, first, index = np.unique(self.group, return_index=True, return_inverse=True)
        mixed = np.flatnonzero(key != key[first][index])
        if mixed.size:
            label = self.group[mixed[0]]
            raise UserError(f"group {label} holds several opponents or pools; a group shares opponent, seat and deal")
        known = frozenset(self.opponent[self.pool == "exploiter"].tolist())
        if not self.always_open <= known:
            got, allowed = sorted(self.always_open - known), sorted(known)
            raise UserError(f"always_open names {got}; the exploiters in this batch are {allowed}")


@dataclass(frozen=True)
class CreditWeights:
    """How much each term of J counts, and what self-play's rules weigh.

    Attributes:
        exploitability: le, the weight of e.
        collusion: lc, the weight of c.
        externality: lx, the weight of x.
        scale: s, which brings games to one scale: 3 / the game's largest payoff per round.
        discount: Discount of reward-to-go per time step; 1 makes the estimate unbiased but for the gate.
        externality_pools: The pools whose opponents x averages over.
        beta: How much advantage alignment counts beside the player's own advantage.
    """

    exploitability: float = 2.4
    collusion: float = 1.0
    externality: float = 1.8
    scale: float = 1.0
    discount: float = 1.0
    externality_pools: tuple[Pool, ...] = ("train", "exploiter")
    beta: float = 1.0

    def __post_init__(self) -> None:
        """Check every weight.

        Raises:
            ValueError: If a weight is negative or not finite, the discount lies outside [0, 1], or a pool is unknown.
        """
        for name in ("exploitability", "collusion", "externality", "scale", "beta"):
            non_negative(name, getattr(self, name))
        unit_interval("discount", self.discount)
        if not self.externality_pools or not set(self.externality_pools) <= set(POOLS):
            raise UserError(f"externality_pools is {self.externality_pools}; it must name some of {', '.join(POOLS)}")


CreditRule = Callable[[CreditBatch, CreditWeights], NDArray[np.float64]]
"""Anything that turns a batch into credits [B, T]; 0 wherever the agent did not decide."""


class Figures(Protocol):
    """What is added up of each time step: arrays of one shape whose last axis is time."""

    @property
    def own(self) -> NDArray[np.float64]:
        """What the agent was paid."""

    @property
    def other(self) -> NDArray[np.float64]:
        """What the other player was paid."""

    @property
    def collusion(self) -> NDArray[np.float64]:
        """Collusion."""

    @property
    def externality(self) -> NDArray[np.float64]:
        """Cost to third parties."""


@dataclass(frozen=True)
class Term:
    """One term of an objective: a factor times the mean over the opponents of some pools of an expectation.

    Attributes:
        factor: How much the objective rises with the term.
        pools: The pools whose opponents it averages over.
        figure: What an episode adds up.
        clipped: Whether an opponent counts by max(0, expectation).
    """

    factor: float
    pools: tuple[Pool, ...]
    figure: Callable[[Figures], NDArray[np.float64]]
    clipped: bool = False


def sepo_terms(weights: CreditWeights) -> tuple[Term, ...]:
    """The four terms of J."""
    return (
        *payoff_terms(weights),
        Term(-weights.exploitability * weights.scale, ("exploiter",), lambda f: f.other - f.own, clipped=True),
        Term(-weights.collusion, ("collusive",), lambda f: f.collusion),
        Term(-weights.externality, weights.externality_pools, lambda f: f.externality),
    )


def payoff_terms(weights: CreditWeights) -> tuple[Term, ...]:
    """s*u alone."""
    return (Term(weights.scale, ("train",), lambda f: f.own),)


def welfare_terms(weights: CreditWeights) -> tuple[Term, ...]:
    """s times what both players are paid against the train pool."""
    return (Term(weights.scale, ("train",), lambda f: f.own + f.other),)


def own_pool(batch: CreditBatch, weights: CreditWeights) -> NDArray[np.float64]:
    """Credits of J, [B, T]: every term flows through the episodes that produce it, as reward-to-go minus leave-one-out.

    Train episodes earn s*own, exploiter episodes -le*s*(other - own) while their opponent's mean gap is above 0,
    collusive episodes -lc*collusion, and the externality pools -lx*externality.

    Reference:
        Module docstring (weighting); policy-gradient theorem, Sutton et al. (1999).
    """
    return _reward_to_go(batch, sepo_terms(weights), weights.discount)


def own_pool_immediate(batch: CreditBatch, weights: CreditWeights) -> NDArray[np.float64]:
    """Credits like `own_pool` but with the reward of each step alone, [B, T]: the myopic ablation.

    Not an estimate of grad J in games longer than one step: retaliation and late pay-offs credit nobody.
    """
    return leave_one_out(immediate_rewards(_rewards(batch, sepo_terms(weights))), batch.group, batch.mask)


def shared_penalty(batch: CreditBatch, weights: CreditWeights) -> NDArray[np.float64]:
    """Credits of train episodes alone, less one penalty shared by the whole group, [B, T]: the first published rule.

    The penalty is a constant of the group, so the baseline removes it: it contributes nothing, and what remains is
    myopic payoff. (A member alone at a time step has no baseline; there the penalty adds noise without direction.)
    """
    steps = batch.own.shape[1]
    exploited = _pool_mean(batch, _gap(batch) * _gate(batch), ("exploiter",))
    colluded = _pool_mean(batch, batch.collusion.sum(axis=1), ("collusive",))
    externality = _pool_mean(batch, batch.externality.sum(axis=1), weights.externality_pools)
    penalty = -sepo_index(0.0, exploited, colluded, externality, weights) / steps
    return _train_credits(batch, weights.scale * batch.own - penalty)


def independent_penalty(batch: CreditBatch, weights: CreditWeights) -> NDArray[np.float64]:
    """Credits of train episodes, each less the penalty of other episodes, [B, T]: the second published rule.

    The i-th train episode is paired with the i-th exploiter and the i-th collusive episode (starting over when there
    are fewer); their penalty per time step is subtracted from each of its immediate rewards. Externality is taken from
    the paired exploiter episode. The gap is clipped at 0 per episode. Exploiter and collusive episodes get no credit
    themselves. A penalty independent of the train actions has no expected gradient: it adds variance only. The
    published normalisation is `standardise_by_group`; here the baseline is the one of the other rules, so that only the
    credit differs.
    """
    steps = batch.own.shape[1]
    exploiter = weights.exploitability * weights.scale * np.maximum(_gap(batch), 0.0)
    exploiter += weights.externality * batch.externality.sum(axis=1)
    collusive = weights.collusion * batch.collusion.sum(axis=1)
    penalty = (_paired(batch, exploiter, "exploiter") + _paired(batch, collusive, "collusive")) / steps
    return _train_credits(batch, weights.scale * batch.own - penalty[:, np.newaxis])


def payoff(batch: CreditBatch, weights: CreditWeights) -> NDArray[np.float64]:
    """Credits of s*u alone, [B, T]: train episodes earn what they are paid, as reward-to-go minus leave-one-out."""
    return _reward_to_go(batch, payoff_terms(weights), weights.discount)


def welfare(batch: CreditBatch, weights: CreditWeights) -> NDArray[np.float64]:
    """Credits of s*(own + other) over the train pool, [B, T], as reward-to-go minus leave-one-out."""
    return _reward_to_go(batch, welfare_terms(weights), weights.discount)


def sepo_index(u: float, e: float, c: float, x: float, weights: CreditWeights) -> float:
    """The SEPO index s*u - le*s*e - lc*c - lx*x.

    Args:
        u: Payoff against the train pool, per round.
        e: Mean over exploiters of max(0, mean gap), per round.
        c: Collusion rate.
        x: Externality.
        weights: The weights and the scale.
    """
    penalty = weights.exploitability * weights.scale * e + weights.collusion * c + weights.externality * x
    return weights.scale * u - penalty


def _known_pools(values: object, size: int) -> NDArray[np.str_]:
    """The pool names [B] as a string array."""
    pool = np.asarray(values)
    if pool.shape != (size,):
        raise UserError(f"pool has shape {pool.shape}; it must be ({size},), one entry per episode")
    unknown = sorted({str(name) for name in pool.tolist()} - set(POOLS))
    if unknown:
        raise UserError(f"unknown pool {unknown[0]!r}; known: {', '.join(POOLS)}")
    return pool.astype(np.str_, copy=False)


def _episode_weight(batch: CreditBatch, pools: tuple[str, ...]) -> NDArray[np.float64]:
    """B / (K * n_k) for the episodes of `pools`, 0 for the others, [B]: see the module docstring."""
    member = np.logical_or.reduce([batch.pool == pool for pool in pools])
    key = batch.opponent_keys
    episodes = np.bincount(key[member], minlength=int(key.max()) + 1)
    num_opponents = np.count_nonzero(episodes)
    weight = np.zeros(member.shape[0])
    weight[member] = member.shape[0] / (num_opponents * episodes[key[member]])
    return weight


def _pool_mean(batch: CreditBatch, scores: NDArray[np.float64], pools: tuple[str, ...]) -> float:
    """Mean over the pools' opponents of the mean of `scores` [B] over an opponent's episodes; 0 without episodes."""
    return float((_episode_weight(batch, pools) * scores).mean())


def _gap(batch: CreditBatch) -> NDArray[np.float64]:
    """The other player's total payoff minus the agent's, [B]."""
    total: NDArray[np.float64] = (batch.other - batch.own).sum(axis=1)
    return total


def _gate(batch: CreditBatch) -> NDArray[np.float64]:
    """1 for episodes against opponents whose mean gap in the batch is above 0 or known to be open, else 0, [B]."""
    key = batch.opponent_keys
    gap = np.bincount(key, weights=_gap(batch))[key]
    is_open = (gap > 0.0) | np.isin(batch.opponent, list(batch.always_open))
    return is_open.astype(np.float64)


def _rewards(batch: CreditBatch, terms: Sequence[Term]) -> NDArray[np.float64]:
    """What an objective pays each time step of each episode, weighted, [B, T]."""
    total = np.zeros_like(batch.own)
    for term in terms:
        weight = term.factor * _episode_weight(batch, term.pools)
        total += (weight * _gate(batch) if term.clipped else weight)[:, np.newaxis] * term.figure(batch)
    return total


def _reward_to_go(batch: CreditBatch, terms: Sequence[Term], discount: float) -> NDArray[np.float64]:
    """Discounted returns of an objective less the leave-one-out mean, [B, T]."""
    return leave_one_out(discounted_returns(_rewards(batch, terms), discount), batch.group, batch.mask)


def _paired(batch: CreditBatch, scores: NDArray[np.float64], pool: Pool) -> NDArray[np.float64]:
    """For the i-th train episode the score of the i-th episode of `pool`, cyclically; 0 elsewhere, [B]."""
    train = np.flatnonzero(batch.pool == "train")
    source = np.flatnonzero(batch.pool == pool)
    paired = np.zeros(scores.shape[0])
    if source.size:
        paired[train] = scores[np.resize(source, train.size)]
    return paired


def _train_credits(batch: CreditBatch, rewards: NDArray[np.float64]) -> NDArray[np.float64]:
    """Immediate rewards of the train episodes, weighted and less the leave-one-out mean, [B, T]."""
    weight = _episode_weight(batch, ("train",))
    return leave_one_out(immediate_rewards(weight[:, np.newaxis] * rewards), batch.group, batch.mask)
