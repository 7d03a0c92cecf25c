"""One step's experience: play the pools, credit every decision, return rows with a weight per token.

The weights are the objective's credits divided among nothing: every sampled token of a decision carries that decision's
credit, so that the sum over tokens of weight * grad log-probability is the policy gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from equipoise.arena import Match, enumerated_deals, rollout
from equipoise.core import FAULT_RULES, Action, Episode, FaultRule, Game, InformationState, Opponent, State
from equipoise.games import Profile
from equipoise.games.first_rounds import FirstRounds
from equipoise.metrics.exact import best_response, nash_conv, pool_values
from equipoise.metrics.exact_faults import renormalised
from equipoise.metrics.policy_table import policy_table
from equipoise.metrics.tree import GameTree
from equipoise.objectives.sepo import CreditRule, SepoBatch, SepoWeights
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.policies.policy import Policy
from equipoise.policies.scripted import PolicyTable, ScriptedPolicy
from equipoise.training.rows import NOT_OURS, Row, merged, transcript_row

AGENT = "agent"
BEST_RESPONSE = "best_response"


@dataclass(frozen=True)
class PlaySettings:
    """Which games one training step plays.

    Attributes:
        rollouts: Episodes per (opponent, seat, deal): the group a baseline is taken over.
        deals: Deals per step; 0 enumerates every deal of a one-round game.
        adversaries: The opponents of the exploiter term: "pool", "best_response", or both.
        refresh: Steps between two computations of the best response.
        train_pool: Names of the opponents of the payoff term; empty means the game's whole train pool.
        fault_rule: What a fault plays.
    """

    rollouts: int = 16
    deals: int = 0
    adversaries: tuple[str, ...] = ("pool",)
    refresh: int = 1
    train_pool: tuple[str, ...] = ()
    fault_rule: FaultRule = "forfeit"

    def __post_init__(self) -> None:
        if self.rollouts < 2:
            raise ValueError(f"got rollouts={self.rollouts}; a leave-one-out baseline needs at least 2")
        if self.fault_rule not in FAULT_RULES:
            raise ValueError(f"unknown fault rule {self.fault_rule!r}; known: {', '.join(FAULT_RULES)}")
        if self.deals < 0 or self.refresh < 1:
            raise ValueError(f"got deals={self.deals}, refresh={self.refresh}; allowed: deals >= 0, refresh >= 1")
        unknown = set(self.adversaries) - {"pool", BEST_RESPONSE}
        if unknown or not self.adversaries:
            raise ValueError(f"got adversaries {list(self.adversaries)}; allowed: 'pool', '{BEST_RESPONSE}', or both")


@dataclass(frozen=True)
class Experience:
    """What one step trains on.

    Attributes:
        rows: Distinct transcripts.
        weights: For each row, the summed credit of every completion token.
        counts: How many episodes each row stands for.
        episodes: Episodes played, the denominator of the policy gradient.
        metrics: What to log.
    """

    rows: list[Row]
    weights: list[np.ndarray]
    counts: np.ndarray
    episodes: int
    metrics: dict[str, float] = field(default_factory=dict)


class Adversary:
    """The exact best response to the policy as it was when last refreshed."""

    def __init__(self, game: Game, exploiters: Sequence[Opponent] = ()) -> None:
        """Args: game: Whose first round is solved. exploiters: Scripts whose exact gain is measured beside it."""
        self.game = game
        self.tree = GameTree(FirstRounds(game))
        self.exploiters = exploiters
        self.tables: tuple[PolicyTable, ...] | None = None
        self.nash_conv = float("nan")
        self.pool_exploitability = float("nan")

    def refresh(self, policy: LanguageModelPolicy) -> None:
        """Solves the first round against the policy as it is now."""
        tables = agent_tables(policy, self.game, self.tree)
        self.nash_conv = nash_conv(self.tree, tables)
        self.tables = tuple(best_response(self.tree, tables, seat).table for seat in range(2))
        if self.exploiters:
            values = [pool_values(self.tree, tables, opponent.behaviour) for opponent in self.exploiters]
            self.pool_exploitability = float(np.mean([max(0.0, theirs - own) for own, theirs in values]))

    def opponent(self) -> Opponent:
        """The best response as an opponent; in later rounds it plays as it would in the first."""
        if self.tables is None:
            raise ValueError("the adversary has not been refreshed yet; call refresh(policy) first")
        joint = {**self.tables[0], **self.tables[1]}
        if len(joint) < len(self.tables[0]) + len(self.tables[1]):
            raise ValueError(f"{self.game.name} shows both seats the same state; an event must tell them apart")

        def behaviour(information_state: InformationState, legal: tuple[Action, ...]) -> dict[Action, float]:
            return dict(joint[self.game.as_first_round(information_state)])

        return Opponent(BEST_RESPONSE, behaviour, False, "exact best response to the current policy")


def agent_tables(policy: LanguageModelPolicy, game: Game, tree: GameTree) -> tuple[PolicyTable, ...]:
    """A model's probabilities at every first-round information state, renormalised over legal words, per seat."""
    return tuple(renormalised(table) for table in policy_table(policy, game, tree))


class SepoPlay:
    """Plays SEPO's pools against the current policy and credits the outcome by one rule."""

    def __init__(
        self,
        game: Game,
        profile: Profile,
        settings: PlaySettings,
        weights: SepoWeights,
        rule: CreditRule,
    ) -> None:
        self.game, self.profile, self.settings = game, profile, settings
        self.weights, self.rule = weights, rule
        self.adversary = Adversary(game) if BEST_RESPONSE in settings.adversaries else None

    def collect(self, policy: LanguageModelPolicy, seed: Sequence[int], step: int) -> Experience:
        """Plays one step's episodes and returns their credited rows; randomness is keyed by (seed, step) alone."""
        if self.adversary is not None and (step % self.settings.refresh == 0 or self.adversary.tables is None):
            self.adversary.refresh(policy)
        pools = self._pools()
        opponents = {o.name: o for _, members in pools for o in members}
        policies: dict[str, Policy] = {name: ScriptedPolicy(o) for name, o in opponents.items()}
        matches, pool_of = self._matches(pools)
        episodes = rollout(
            self.game, {**policies, AGENT: policy}, matches, seed=[*seed, step], fault_rule=self.settings.fault_rule
        )
        batch, seats = self._batch(episodes, matches, pool_of)
        credits = self.rule(batch, self.weights)
        rows, weights = credited_rows(episodes, seats, credits, self.game.max_slots)
        distinct, sums, counts = merged(rows, weights)
        return Experience(distinct, sums, counts, len(episodes), self._metrics(batch, episodes, seats))

    def _pools(self) -> list[tuple[str, tuple[Opponent, ...]]]:
        pools, chosen = self.profile.pools, self.settings.train_pool
        train = tuple(pools.find(name) for name in chosen) if chosen else pools.train
        exploiters: tuple[Opponent, ...] = pools.exploiter if "pool" in self.settings.adversaries else ()
        if self.adversary is not None:
            exploiters = (*exploiters, self.adversary.opponent())
        return [("train", train), ("exploiter", exploiters), ("collusive", pools.collusive)]

    def _matches(self, pools: Sequence[tuple[str, tuple[Opponent, ...]]]) -> tuple[list[Match], list[str]]:
        starts = self._deals()
        matches, pool_of = [], []
        for pool, members in pools:
            for opponent in members:
                for seat in (0, 1):
                    seats = (AGENT, opponent.name) if seat == 0 else (opponent.name, AGENT)
                    for deal, start in enumerate(starts):
                        matches += [Match(seats, deal, start)] * self.settings.rollouts
                        pool_of += [pool] * self.settings.rollouts
        return matches, pool_of

    def _deals(self) -> list[State | None]:
        if self.settings.deals:
            return [None] * self.settings.deals
        deals = enumerated_deals(self.game)
        if max(p for _, p in deals) > min(p for _, p in deals) + 1e-9:
            raise ValueError(f"the deals of {self.game.name} are not equally likely; set play.deals to draw them")
        return [state for state, _ in deals]

    def _batch(
        self, episodes: Sequence[Episode], matches: Sequence[Match], pool_of: Sequence[str]
    ) -> tuple[SepoBatch, list[int]]:
        slots = self.game.max_slots
        shape = (len(episodes), self.game.num_rounds * slots)
        own, other, collusion, externality = (np.zeros(shape) for _ in range(4))
        mask = np.zeros(shape, dtype=bool)
        seats = [match.seats.index(AGENT) for match in matches]
        rewards = np.array([episode.rewards for episode in episodes])  # [B, R, N]
        paid = rewards[np.arange(len(seats)), :, seats]  # [B, R]
        own[:, slots - 1 :: slots] = paid
        other[:, slots - 1 :: slots] = rewards.sum(axis=2) - paid
        for b, (episode, seat) in enumerate(zip(episodes, seats, strict=True)):
            collusion[b, slots - 1 :: slots] = self.profile.collusion(episode, seat)
            externality[b, slots - 1 :: slots] = self.profile.externality(episode, seat)
            for decision in episode.decisions:
                if decision.seat == seat:
                    mask[b, decision.round * slots + decision.slot] = True
        names = [match.seats[1 - seat] for match, seat in zip(matches, seats, strict=True)]
        numbers = {name: i for i, name in enumerate(dict.fromkeys(names))}
        keys = [(name, seat, match.deal) for name, seat, match in zip(names, seats, matches, strict=True)]
        groups = {key: i for i, key in enumerate(dict.fromkeys(keys))}
        is_open = frozenset({numbers[BEST_RESPONSE]} if BEST_RESPONSE in numbers else ())
        batch = SepoBatch(
            own=own,
            other=other,
            collusion=collusion,
            externality=externality,
            mask=mask,
            pool=np.array(pool_of),
            opponent=np.array([numbers[name] for name in names]),
            group=np.array([groups[key] for key in keys]),
            always_open=is_open,
        )
        return batch, seats

    def _metrics(self, batch: SepoBatch, episodes: Sequence[Episode], seats: Sequence[int]) -> dict[str, float]:
        rounds = self.game.num_rounds
        train, exploiter = batch.pool == "train", batch.pool == "exploiter"
        decisions = [d for e, seat in zip(episodes, seats, strict=True) for d in e.of(seat)]
        metrics = {"fault_rate": float(np.mean([d.fault is not None for d in decisions]))}
        if train.any():
            metrics["payoff"] = float(batch.own[train].sum(axis=1).mean() / rounds)
        if exploiter.any():
            gap = (batch.other - batch.own).sum(axis=1) / rounds
            scripted = exploiter & ~np.isin(batch.opponent, list(batch.always_open))
            if scripted.any():
                opponents = np.unique(batch.opponent[scripted])
                means = [max(0.0, gap[scripted & (batch.opponent == o)].mean()) for o in opponents]
                metrics["sampled_pool_exploitability"] = float(np.mean(means))
        if self.adversary is not None:
            metrics["adversary_nash_conv"] = self.adversary.nash_conv
        return metrics


def credited_rows(
    episodes: Sequence[Episode], seats: Sequence[int], credits: np.ndarray, slots: int
) -> tuple[list[Row], list[np.ndarray]]:
    """The transcript row of each episode's agent seat with the credit of every completion token.

    Args:
        episodes: [B].
        seats: The agent's seat in each, [B].
        credits: Credit of each time step, [B, T] with T = rounds * slots.
        slots: Decisions a seat can face in one round.
    """
    rows, weights = [], []
    padded = np.concatenate([credits, np.zeros((len(credits), 1))], axis=1)  # the last column is for tokens not ours
    cache: dict[tuple[int, ...], tuple[Row, np.ndarray]] = {}  # equal replies are one object, so their rows are equal
    for b, (episode, seat) in enumerate(zip(episodes, seats, strict=True)):
        decisions = episode.of(seat)
        if not decisions:
            continue
        key = tuple(id(d.reply) for d in decisions)
        if key not in cache:
            row = transcript_row(episode, seat)
            steps = [d.round * slots + d.slot for d in decisions]
            cache[key] = row, np.array([-1 if turn == NOT_OURS else steps[turn] for turn in row.turn])
        row, column = cache[key]
        rows.append(row)
        weights.append(padded[b, column])
    return rows, weights
