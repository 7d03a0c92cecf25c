"""Advantage alignment on the smallest policy that can reciprocate: five logits in the repeated prisoner's dilemma.

A memory-one policy plays itself, or its past selves, batch after batch. A credit rule of `equipoise.objectives` turns
the advantages of both seats into a policy gradient, and Adam follows it. What the learned policy does is then computed
exactly, so that differences between rules are differences between the policies they teach.

One update follows the mean, over the decisions trained, of credit * grad log pi + entropy * grad H(pi in that state).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import UserError
from equipoise.objectives import (
    AlignmentRule,
    AlignmentWeights,
    advantage_alignment,
    advantage_alignment_inclusive,
    discounted_returns,
    leave_one_out,
    naive,
    sum_of_rewards,
)
from equipoise.seeds import Seed
from research.memory_one import (
    ALWAYS_COOPERATE,
    ALWAYS_DEFECT,
    Draw,
    Games,
    Pairing,
    cooperation_rate,
    one_group,
    payoffs,
    play,
)
from research.tabular import sigmoid
from research.tabular_dilemma import STATES

RECIPROCAL = (1.0, 0.98, 0.01, 0.03, 0.0)
"""The reciprocal policy looked for, by `STATES`: start with cooperation and go on only after mutual cooperation."""

TOLERANCE = 0.1
"""How far a learned probability may be from `RECIPROCAL`."""

SNAPSHOT_EVERY = 10
"""Steps between two past selves."""

Baseline = Callable[[NDArray[np.float64], NDArray[np.int64]], NDArray[np.float64]]
"""Turns returns [B, T] and the group of each game [B] into advantages [B, T]."""

_DECAY = (0.9, 0.999)
_EPSILON = 1e-8


def raw_returns(returns: NDArray[np.float64], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """The returns themselves, [B, T]: no baseline, kept for ablation.

    The pay of the dilemma is never negative, so neither factor of the alignment term is either, and from the second
    round on whatever helps the other player is credited, whoever that player has been.
    """
    return returns.copy()


@dataclass(frozen=True)
class TabularSettings:
    """How a memory-one policy is trained.

    Attributes:
        rule: The credit rule.
        weights: Its weights; the discount is also that of the returns.
        baseline: What is subtracted from returns, per seat and group.
        pairing: Which games share an opponent, and which form a group.
        start: The logits of cooperation at the start of training, by `STATES`.
        steps: Updates.
        games: Games per update, B.
        rounds: Rounds per game, T.
        learning_rate: Adam's.
        entropy: Weight of the mean entropy of the policy over the decisions trained.
        reward_divisor: What rewards are divided by before anything else.
        past_probability: Probability that a draw of an opponent is a past self, each of all kept so far alike.
        seats: 1 trains the first seat, 2 also the second wherever it is the policy of now.
    """

    rule: AlignmentRule = advantage_alignment
    weights: AlignmentWeights = field(default_factory=AlignmentWeights)
    baseline: Baseline = leave_one_out
    pairing: Pairing = one_group
    start: tuple[float, ...] = (0.0,) * len(STATES)
    steps: int = 600
    games: int = 128
    rounds: int = 10
    learning_rate: float = 0.05
    entropy: float = 0.01
    reward_divisor: float = 5.0
    past_probability: float = 0.0
    seats: int = 2

    def __post_init__(self) -> None:
        """Check what would otherwise fail late or train something else.

        Raises:
            UserError: If the number of logits, a count, the divisor, the probability or the number of seats is not
                one that can be trained with.
        """
        if len(self.start) != len(STATES):
            raise UserError(f"start has {len(self.start)} logits; it must have {len(STATES)}: {', '.join(STATES)}")
        if self.steps < 1 or self.rounds < 1 or self.games < 2:
            got = f"steps {self.steps}, games {self.games}, rounds {self.rounds}"
            raise UserError(f"got {got}; allowed: at least 1 step, 2 games (for a baseline) and 1 round")
        if not self.reward_divisor > 0.0:
            raise UserError(f"reward_divisor is {self.reward_divisor}; it must be above 0 (1 leaves rewards alone)")
        if not 0.0 <= self.past_probability <= 1.0:
            raise UserError(f"past_probability is {self.past_probability}; it must lie in [0, 1]")
        if self.seats not in (1, 2):
            raise UserError(f"seats is {self.seats}; it must be 1 (the first seat) or 2 (both)")


@dataclass(frozen=True)
class TabularResult:
    """What was learned. Everything but the probabilities of earlier steps is exact and for `settings.rounds` rounds.

    Attributes:
        probabilities: Probability of cooperation by `STATES`.
        cooperation: Share of cooperation in play with itself.
        self_play: Its pay per round then.
        against_defector: Its pay per round against always defect.
        against_cooperator: Its pay per round against always cooperate.
        curve: Cooperation in play with itself after every `SNAPSHOT_EVERY` steps.
        history: The probabilities at the same steps.
    """

    probabilities: tuple[float, ...]
    cooperation: float
    self_play: float
    against_defector: float
    against_cooperator: float
    curve: tuple[float, ...]
    history: tuple[tuple[float, ...], ...]

    @property
    def reciprocal(self) -> bool:
        """Whether every probability is within 0.1 of `RECIPROCAL`."""
        return bool(np.abs(np.subtract(self.probabilities, RECIPROCAL)).max() <= TOLERANCE)

    @property
    def conditional(self) -> bool:
        """Whether it cooperates with those who cooperate and not with those who defect, each within 0.1.

        That is `reciprocal` without the state after DC, in which `RECIPROCAL` goes on defecting and tit for tat atones.
        """
        start, both, betrayed, _, neither = self.probabilities
        return min(start, both) >= 1.0 - TOLERANCE and max(betrayed, neither) <= TOLERANCE


def train_memory_one(settings: TabularSettings, seed: int) -> TabularResult:
    """The policy that `settings` teach, from draws keyed by `seed`."""
    rng = Seed(seed).generator()
    logits = np.array(settings.start, dtype=np.float64)
    mean, square = np.zeros_like(logits), np.zeros_like(logits)
    past: list[NDArray[np.float64]] = []
    for step in range(1, settings.steps + 1):
        opponent, groups = settings.pairing(_opponents(len(past), settings.past_probability, rng), settings.games)
        games = play(sigmoid(logits), np.array([*past, sigmoid(logits)])[opponent], settings.rounds, rng)
        gradient = policy_gradient(games, logits, settings, groups, opponent == len(past))
        mean = _DECAY[0] * mean + (1.0 - _DECAY[0]) * gradient
        square = _DECAY[1] * square + (1.0 - _DECAY[1]) * gradient**2
        scale = np.sqrt(square / (1.0 - _DECAY[1] ** step)) + _EPSILON
        logits = logits + settings.learning_rate * mean / (1.0 - _DECAY[0] ** step) / scale
        if step % SNAPSHOT_EVERY == 0:
            past.append(sigmoid(logits))
    return _result(sigmoid(logits), past, settings.rounds)


def policy_gradient(
    games: Games,
    logits: NDArray[np.float64],
    settings: TabularSettings,
    groups: NDArray[np.int64],
    live: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """The estimate that one batch gives of the ascent direction, [5]: a mean over the decisions trained.

    Args:
        games: The batch, drawn with sigmoid(logits) in every seat that is trained.
        logits: The policy, [5].
        settings: The rule and its settings.
        groups: The group of each game, for the baseline, [B].
        live: Where the second seat is the policy of now, so that it may be trained, [B].
    """
    returns = [discounted_returns(paid / settings.reward_divisor, settings.weights.discount) for paid in games.rewards]
    advantages = [settings.baseline(of_seat, groups) for of_seat in returns]
    policy = sigmoid(logits)
    ascent, visits = np.zeros(len(STATES)), np.zeros(len(STATES))
    for seat in range(settings.seats):
        rows = live if seat else np.ones_like(live)
        credits = settings.rule(advantages[seat], advantages[1 - seat], settings.weights)[rows]
        state = games.information[seat, rows].ravel()
        score = games.cooperated[seat, rows].ravel() - policy[state]
        ascent += np.bincount(state, weights=credits.ravel() * score, minlength=len(STATES))
        visits += np.bincount(state, minlength=len(STATES))
    entropy_slope = -logits * policy * (1.0 - policy)  # of -p log p - (1-p) log(1-p), by the logit
    direction: NDArray[np.float64] = (ascent + settings.entropy * visits * entropy_slope) / visits.sum()
    return direction


def objective_arms(base: TabularSettings, betas: Sequence[float] = (0.5, 1.0, 2.0)) -> dict[str, TabularSettings]:
    """The settings compared by default, by the name they have in tables: every rule, both alignment rules per beta.

    Alignment with beta 0 stands beside `naive`, whose credits it equals.
    """
    arms = {"naive": replace(base, rule=naive), "sum_of_rewards": replace(base, rule=sum_of_rewards)}
    for beta in (0.0, *betas):
        weights = replace(base.weights, beta=beta)
        arms[f"advantage_alignment, beta {beta:g}"] = replace(base, rule=advantage_alignment, weights=weights)
    for beta in betas:
        weights = replace(base.weights, beta=beta)
        arms[f"inclusive, beta {beta:g}"] = replace(base, rule=advantage_alignment_inclusive, weights=weights)
    return arms


def alignment_table(arms: Mapping[str, TabularSettings], seeds: Sequence[int]) -> dict[str, Any]:
    """What every arm learns over the seeds, as JSON: median, lowest and highest of each figure, and shares of seeds.

    `reciprocal` and `conditional` are the shares of seeds whose result is, `cooperates` the share that cooperate at
    least 80 % of the time with themselves, `defects` the share that do so less than 10 % of it.

    Raises:
        UserError: If there are no seeds.
    """
    if not seeds:
        raise UserError("got no seeds; give at least one")
    rows = [_row(name, arm, [train_memory_one(arm, seed) for seed in seeds]) for name, arm in arms.items()]
    return {"seeds": list(seeds), "states": list(STATES), "rows": rows}


def _opponents(num_past: int, past_probability: float, rng: np.random.Generator) -> Draw:
    """Draws the number of a past self, or `num_past` for the policy of now."""

    def draw(size: int) -> NDArray[np.int64]:
        live = rng.random(size) >= (past_probability if num_past else 0.0)
        return np.where(live, num_past, rng.integers(max(num_past, 1), size=size))

    return draw


def _result(policy: NDArray[np.float64], past: Sequence[NDArray[np.float64]], rounds: int) -> TabularResult:
    """The figures of a learned policy."""
    return TabularResult(
        probabilities=tuple(policy.tolist()),
        cooperation=cooperation_rate(policy, rounds),
        self_play=payoffs(policy, policy, rounds)[0],
        against_defector=payoffs(policy, ALWAYS_DEFECT, rounds)[0],
        against_cooperator=payoffs(policy, ALWAYS_COOPERATE, rounds)[0],
        curve=tuple(cooperation_rate(earlier, rounds) for earlier in past),
        history=tuple(tuple(earlier.tolist()) for earlier in past),
    )


def _row(name: str, settings: TabularSettings, results: Sequence[TabularResult]) -> dict[str, Any]:
    """One row of the table."""
    figures = ("cooperation", "self_play", "against_defector", "against_cooperator")
    described = {
        key: value for key, value in vars(settings).items() if key not in ("rule", "baseline", "pairing", "weights")
    }
    cooperation = np.array([result.cooperation for result in results])
    return {
        "arm": name,
        **{key: getattr(vars(settings)[key], "__name__", "unnamed") for key in ("rule", "baseline", "pairing")},
        "settings": {**described, **vars(settings.weights), "start": list(settings.start)},
        "n": len(results),
        "reciprocal": float(np.mean([result.reciprocal for result in results])),
        "conditional": float(np.mean([result.conditional for result in results])),
        "cooperates": float((cooperation >= 0.8).mean()),
        "defects": float((cooperation < 0.1).mean()),
        "probabilities": [_spread(column) for column in zip(*(r.probabilities for r in results), strict=True)],
        **{figure: _spread([getattr(result, figure) for result in results]) for figure in figures},
    }


def _spread(values: Sequence[float]) -> dict[str, float]:
    """Median, lowest and highest."""
    return {"median": float(np.median(values)), "low": float(min(values)), "high": float(max(values))}
