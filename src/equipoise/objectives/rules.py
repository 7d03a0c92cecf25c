"""Credit rules by name: one signature, whatever is played.

A rule is a function of a batch and weights that gives credits [B, T]. Which play it credits, against the scripted pools
or against itself, is the other half of its declaration:

    MINE = Rule(my_credits, "pools")        credits play against the pools, as SEPO's rules do
    MINE = Rule(my_credits, "self_play")    credits self-play; a plain function stands for this one

A rule that estimates the gradient of a sum of terms may say so (`Expectation`); then it needs no episodes where the
game is small (`rl.gradient = "exact"`).

Recipes name it in `objective.rule`: one of ours by name, anybody's by `package.module:MINE` or `file.py:MINE`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import wraps
from typing import Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import UserError, said
from equipoise.objectives import alignment, sepo
from equipoise.objectives.returns import discounted_returns, immediate_rewards
from equipoise.objectives.sepo import CreditBatch, CreditRule, CreditWeights, Term
from equipoise.registry import find, is_foreign, names, read_function

Played = Literal["pools", "self_play"]
"""What a rule credits: play against the scripted pools, or play against oneself and one's past."""


@dataclass(frozen=True)
class Expectation:
    """What a rule of play against the pools estimates.

    Attributes:
        terms: From weights to the terms that are added up.
        returns: From what each time step pays, [B, T], and the discount to what each decision is credited with before
            a baseline, [B, T]; linear in the payments.
    """

    terms: Callable[[CreditWeights], tuple[Term, ...]]
    returns: Callable[[NDArray[np.float64], float], NDArray[np.float64]] = discounted_returns


@dataclass(frozen=True)
class Rule:
    """A credit rule with the play that it credits.

    Attributes:
        credits: From a batch and weights to credits, [B, T].
        play: Whom the learner meets.
        expectation: What the credits estimate; None for a rule that is no sum of expectations.
    """

    credits: CreditRule
    play: Played = "self_play"
    expectation: Expectation | None = None

    def __post_init__(self) -> None:
        if not callable(self.credits) or self.play not in get_args(Played):
            raise UserError(
                f"got credits={self.credits!r}, play={self.play!r}; allowed: a function of a batch and weights, and "
                f"{' or '.join(get_args(Played))}"
            )


def shaped(formula: alignment.AlignmentRule) -> CreditRule:
    """The credit rule of a formula on both seats' advantages."""

    def credits(batch: CreditBatch, weights: CreditWeights) -> NDArray[np.float64]:
        own, other = batch.advantages(weights.discount)
        return formula(own, other, alignment.AlignmentWeights(weights.beta, weights.discount))

    return credits


def _immediate(rewards: NDArray[np.float64], discount: float) -> NDArray[np.float64]:
    return immediate_rewards(rewards)


OWN_POOL = Rule(sepo.own_pool, "pools", Expectation(sepo.sepo_terms))
OWN_POOL_IMMEDIATE = Rule(sepo.own_pool_immediate, "pools", Expectation(sepo.sepo_terms, _immediate))
SHARED_PENALTY = Rule(sepo.shared_penalty, "pools")
INDEPENDENT_PENALTY = Rule(sepo.independent_penalty, "pools")
PAYOFF = Rule(sepo.payoff, "pools", Expectation(sepo.payoff_terms))
WELFARE = Rule(sepo.welfare, "pools", Expectation(sepo.welfare_terms))
NAIVE = Rule(shaped(alignment.naive))
SUM_OF_REWARDS = Rule(shaped(alignment.sum_of_rewards))
ADVANTAGE_ALIGNMENT = Rule(shaped(alignment.advantage_alignment))
ADVANTAGE_ALIGNMENT_INCLUSIVE = Rule(shaped(alignment.advantage_alignment_inclusive))

POOL_RULES = (
    "sepo",
    "own_pool",
    "own_pool_immediate",
    "shared_penalty",
    "independent_penalty",
    "payoff",
    "welfare",
)
"""Our rules of play against the pools; "sepo" is "own_pool"."""

SELF_PLAY_RULES = ("naive", "sum_of_rewards", "advantage_alignment", "advantage_alignment_inclusive")
"""Our rules of self-play."""

OURS: Mapping[str, str] = {
    name: f"equipoise.objectives.rules:{'OWN_POOL' if name == 'sepo' else name.upper()}"
    for name in (*POOL_RULES, *SELF_PLAY_RULES)
}
"""Where each of our rules is."""


def rule(name: str) -> Rule:
    """A credit rule: one of ours, an installed package's, `package.module:Name` or `path/file.py:Name`.

    Raises:
        UserError: Nothing of that name, or nothing that can be loaded; one line.
    """
    found: Rule = find("credit_rule", name)
    return found


def rule_names() -> tuple[str, ...]:
    """The names of all rules, ours first."""
    return names("credit_rule")


def read_rule(found: object, name: str) -> Rule:
    """The rule that somebody registered: a `Rule`, or a function, which credits self-play.

    Raises:
        UserError: For anything else.
    """
    needed = "a Rule, or a function of a batch and weights"
    read = found if isinstance(found, Rule) else Rule(cast(CreditRule, read_function(found, name, needed, 2)))
    return replace(read, credits=_checked(read.credits, name)) if is_foreign("credit_rule", name) else read


def _checked(rule: CreditRule, name: str) -> CreditRule:
    """A stranger's rule, whose mistakes are one line."""

    @wraps(rule)
    def credits(batch: CreditBatch, weights: CreditWeights) -> NDArray[np.float64]:
        try:
            found = np.asarray(rule(batch, weights), dtype=np.float64)
        except UserError:
            raise
        except Exception as error:
            raise UserError(f"the credit rule {name!r} failed: {said(error)}") from error
        if found.shape != batch.own.shape:
            raise UserError(f"the credit rule {name!r} gave credits of shape {found.shape}; needed: {batch.own.shape}")
        if not np.isfinite(found).all():
            raise UserError(f"the credit rule {name!r} gave credits that are not finite numbers")
        return found

    return credits
