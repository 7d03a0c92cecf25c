"""Settings of a run that belong to no single step of it: what is maximised, and how it steps."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

from equipoise.core import Game
from equipoise.errors import UserError
from equipoise.games import Profile
from equipoise.objectives.rules import POOL_RULES, SELF_PLAY_RULES, Expectation, Played, Rule, rule
from equipoise.objectives.sepo import CreditRule, CreditWeights

Gradient = Literal["sampled", "exact"]

PASS_TOKENS = 2048
"""Most tokens of a pass unless a recipe says otherwise: enough for a GPU to be busy, few enough for its memory.

It suits a CPU too: steps of six hands of Kuhn poker take the embedded model 1.16 s at 512, 1.01 at 1,024, 0.98 at
2,048, 1.09 at 4,096 and 1.58 at 16,384 (one core, median of five).
"""

LARGEST_RANK = 2**14
"""No model has wider layers to adapt; what is larger is a slip that no memory holds."""


@dataclass(frozen=True)
class Fading:
    """A coefficient that falls to 0 over a run.

    Attributes:
        start: What it is at the first step.
        power: Which power of the share of steps that are left it falls as; 0 keeps it as it is.
        steps: Of the run.
    """

    start: float = 0.0
    power: float = 0.0
    steps: int = 1

    def at(self, step: int) -> float:
        """The coefficient at a step, counted from 0."""
        left: float = max(0.0, 1.0 - step / self.steps) ** self.power
        return self.start * left


NOTHING = Fading()
"""No bonus."""


@dataclass(frozen=True)
class Objective:
    """What reinforcement learning maximises, by the names of its credit rules.

    A rule of play against the pools is SEPO's: J = s*u - le*s*e - lc*c - lx*x. Others credit self-play. With one of
    each the objective is the sum of both.

    Attributes:
        rule: Credit rule, or a list of one rule of self-play and one of the pools': names of ours
            (`objectives.rules`) or of installed packages, `module:Name` or `file.py:Name`.
        lambdas: The weights [le, lc, lx] of e, c and x; empty means the game profile's own.
        scale: s; 0 means the profile's own, else the game's (3 / its largest payoff per round).
        discount: Discount of reward-to-go per time step.
        kl: Coefficient of the KL penalty (k3) to the model reinforcement learning starts from.
        beta: How much advantage alignment counts beside the player's own advantage.
        entropy: Coefficient of the bonus for the entropy of replies that name a legal action.
        entropy_power: Over the run that coefficient falls to 0, as this power of what is left; 0 keeps it.
        legal: Coefficient of the mean over information states of the log-probability that a reply names a legal action;
            with exact gradients alone.
        legal_entropy: Coefficient, at the first step, of the mean over information states of the entropy of the policy
            over legal actions, faults divided out; it falls to 0 over the run, as the square of what is left. With
            exact gradients alone.
    """

    rule: str | tuple[str, ...] = field(default="own_pool", metadata={"also": list})
    lambdas: tuple[float, ...] = ()
    scale: float = 0.0
    discount: float = 1.0
    kl: float = 0.0
    beta: float = 1.0
    entropy: float = 0.0
    entropy_power: float = 0.0
    legal: float = 0.0
    legal_entropy: float = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.rule, str):
            object.__setattr__(self, "rule", tuple(self.rule))
        played = [rule(name).play for name in self.rules]
        if not played or len(set(played)) < len(played):
            raise UserError(
                f"got rule={list(self.rules)}; allowed: one rule, or one of self-play ({', '.join(SELF_PLAY_RULES)}) "
                f"and one of SEPO's ({', '.join(POOL_RULES)})"
            )
        for name in ("kl", "entropy", "entropy_power", "legal", "legal_entropy"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise UserError(f"got {name}={getattr(self, name)}; it must be 0 or more")
        if not (math.isfinite(self.scale) and self.scale >= 0):
            raise UserError(f"got scale={self.scale}; allowed: above 0, or 0 for the profile's own")
        if len(self.lambdas) not in (0, 3) or not all(_is_weight(value) for value in self.lambdas):
            raise UserError(
                f"got lambdas={list(self.lambdas)}; allowed: [le, lc, lx], three numbers of 0 or more, or [] for the "
                "profile's own"
            )
        object.__setattr__(self, "lambdas", tuple(float(value) for value in self.lambdas))
        CreditWeights(discount=self.discount, beta=self.beta)

    @property
    def rules(self) -> tuple[str, ...]:
        """The names of the rules, one or two."""
        return (self.rule,) if isinstance(self.rule, str) else self.rule

    @property
    def self_play(self) -> CreditRule | None:
        """How self-play is credited; None where there is none."""
        found = self._rule("self_play")
        return found.credits if found else None

    @property
    def pools(self) -> CreditRule | None:
        """How play against the pools is credited; None where there is none."""
        found = self._rule("pools")
        return found.credits if found else None

    @property
    def expectation(self) -> Expectation | None:
        """What the rule of play against the pools estimates; None where there is no rule, or where it does not say."""
        found = self._rule("pools")
        return found.expectation if found else None

    def _rule(self, play: Played) -> Rule | None:
        return next((found for found in map(rule, self.rules) if found.play == play), None)

    def weights(self, game: Game, profile: Profile) -> CreditWeights:
        """The weights of the rules for a game under a profile."""
        le, lc, lx = self.lambdas or profile.weights
        own = profile.scale_in(game)
        return CreditWeights(le, lc, lx, self.scale or own, self.discount, beta=self.beta)


@dataclass(frozen=True)
class Lora:
    """A low-rank adapter in place of full fine-tuning.

    Attributes:
        rank: Rank; 0 trains all weights.
        alpha: Scale numerator.
        targets: Names of the language model's modules that get one; empty means all its linear layers.
    """

    rank: int = 0
    alpha: float = 32.0
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj")

    def __post_init__(self) -> None:
        if not 0 <= self.rank <= LARGEST_RANK:
            raise UserError(f"got lora rank {self.rank}; allowed: 0 (off) to {LARGEST_RANK}")


@dataclass(frozen=True)
class Optimisation:
    """How reinforcement learning steps.

    Attributes:
        steps: On-policy steps, one optimizer step each; 0 switches reinforcement learning off.
        learning_rate: Peak learning rate of AdamW, decayed linearly to zero.
        warmup_steps: First steps over which the learning rate rises linearly; AdamW's first steps are its largest,
            since it divides by a gradient's size before it has seen many.
        pass_tokens: Most tokens of one forward and backward pass; a step takes as many passes as it needs.
        save_every: Steps between checkpoints, of which the two newest are kept. 0: after every step by which a
            checkpoint takes no more than 2 % of the run's time; a killed run loses one step, or a short while.
        exact_every: Steps between exact values on the curve, and between lines in the log targets.
        exact_rounds: First rounds that the curve's exact values cover, fewer where their tree is too large; 0 leaves
            them out.
        ratio_cap: Most that a sampled token's weight is multiplied by where an engine beside the trainer made it less
            likely than the trainer does.
        report_to: Trainer's log targets, for example "tensorboard".
        gradient: "sampled": of episodes that are played. "exact": of all that can be played, with no sampling, in
            games that are small enough to score every information state.
    """

    steps: int = 100
    learning_rate: float = 4e-4
    warmup_steps: int = 0
    pass_tokens: int = PASS_TOKENS
    save_every: int = 0
    exact_every: int = 5
    exact_rounds: int = 1
    ratio_cap: float = 2.0
    report_to: tuple[str, ...] = ("tensorboard",)
    gradient: Gradient = "sampled"

    def __post_init__(self) -> None:
        if self.gradient not in get_args(Gradient):
            raise UserError(f"unknown gradient {self.gradient!r}; known: {', '.join(get_args(Gradient))}")
        for name in ("pass_tokens", "exact_every", "learning_rate"):
            if not getattr(self, name) > 0:
                raise UserError(f"got {name}={getattr(self, name)}; it must be above 0")
        for name in ("steps", "warmup_steps", "exact_rounds"):
            if getattr(self, name) < 0:
                raise UserError(f"got {name}={getattr(self, name)}; allowed: 0 (off) or more")
        if not self.ratio_cap >= 1:
            raise UserError(f"got ratio_cap={self.ratio_cap}; allowed: 1 or more")
        if self.save_every < 0:
            raise UserError(f"got save_every={self.save_every}; allowed: 1 or more, or 0 for whenever it is cheap")


def _is_weight(value: object) -> bool:
    """Whether a recipe's number may weigh a term."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
