"""One step's experience: play the pools, credit every decision, return rows with a weight per token.

The weights are the objective's credits divided among nothing: every sampled token of a decision carries that decision's
credit, so that the sum over tokens of weight * grad log-probability is the policy gradient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from equipoise.arena import Match, enumerated_deals
from equipoise.core import FAULT_RULES, Decision, Episode, FaultRule, Game, Opponent, State
from equipoise.errors import UserError
from equipoise.games import Profile
from equipoise.objectives.sepo import CreditBatch, CreditRule, CreditWeights, Pool
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.policies.policy import Policy
from equipoise.policies.scripted import ScriptedPolicy
from equipoise.seeds import Seed, Use
from equipoise.training.adversaries import BEST_RESPONSE, KINDS, LEARNED, Adversary, ExactAdversary, LearnedAdversary
from equipoise.training.play import AGENT, Experience, Play
from equipoise.training.ranks import play_together
from equipoise.training.rows import Side, credited_rows, merged
from equipoise.training.settings import NOTHING, Fading


@dataclass(frozen=True)
class PlaySettings:
    """Which games one training step plays.

    Attributes:
        rollouts: Episodes per (opponent, seat, deal): the group a baseline is taken over.
        deals: Deals per step; 0 enumerates every deal of a one-round game.
        seats: The seats the agent takes, 0 and 1. One is enough where both see and do the same.
        adversaries: The opponents of the exploiter term, one or more of "pool", "best_response" and "learned".
        refresh: Steps between two refreshes of the best response or the learned adversary.
        rounds: First rounds that the best response covers; 0 means all of them.
        learned_episodes: Episodes that each refresh of the learned adversary watches.
        train_pool: Names of the opponents of the payoff term; empty means the game's whole train pool.
        fault_rule: What a fault plays: "forfeit", "resample", "random_legal" or "constrained".
    """

    rollouts: int = 16
    deals: int = 0
    seats: tuple[int, ...] = (0, 1)
    adversaries: tuple[str, ...] = ("pool",)
    refresh: int = 1
    rounds: int = 1
    learned_episodes: int = 256
    train_pool: tuple[str, ...] = ()
    fault_rule: FaultRule = "forfeit"

    def __post_init__(self) -> None:
        if self.rollouts < 2:
            raise UserError(f"got rollouts={self.rollouts}; a leave-one-out baseline needs at least 2")
        if self.fault_rule not in FAULT_RULES:
            raise UserError(f"unknown fault rule {self.fault_rule!r}; known: {', '.join(FAULT_RULES)}")
        if self.deals < 0 or self.refresh < 1:
            raise UserError(f"got deals={self.deals}, refresh={self.refresh}; allowed: deals >= 0, refresh >= 1")
        if self.rounds < 0 or self.learned_episodes < 2:
            raise UserError(
                f"got rounds={self.rounds}, learned_episodes={self.learned_episodes}; allowed: rounds >= 0, "
                "learned_episodes >= 2"
            )
        if sorted(self.seats) not in ([0], [1], [0, 1]):
            raise UserError(f"got seats {list(self.seats)}; allowed: [0, 1], [0] or [1]")
        if not set(self.adversaries) <= set(KINDS) or not self.adversaries:
            known = ", ".join(repr(kind) for kind in KINDS)
            raise UserError(f"got adversaries {list(self.adversaries)}; allowed: {known}, one or more")


def pools_of(
    profile: Profile, settings: PlaySettings, made: Sequence[Opponent]
) -> list[tuple[Pool, tuple[Opponent, ...]]]:
    """Whom a step meets, by purpose.

    Args:
        profile: Whose scripts.
        settings: Which of them.
        made: The opponents made to measure, exploiters too.
    """
    pools, chosen = profile.pools, settings.train_pool
    train = tuple(profile.find(name) for name in chosen) if chosen else pools.train
    exploiters = pools.exploiter if "pool" in settings.adversaries else ()
    return [("train", train), ("exploiter", (*exploiters, *made)), ("collusive", pools.collusive)]


class SepoPlay(Play):
    """Plays SEPO's pools against the current policy and credits the outcome by one rule."""

    def __init__(
        self,
        game: Game,
        profile: Profile,
        settings: PlaySettings,
        weights: CreditWeights,
        rule: CreditRule,
        *,
        entropy: Fading = NOTHING,
    ) -> None:
        """Sets up a game's pools.

        Args:
            game: What is played.
            profile: Whose pools and hazards.
            settings: Opponents, seats, deals, rollouts.
            weights: Of the terms of J.
            rule: From a batch to credits.
            entropy: Coefficient of the entropy bonus.
        """
        self.game, self.profile, self.settings = game, profile, settings
        self.weights, self.rule, self.entropy = weights, rule, entropy
        self.adversaries: dict[str, Adversary] = {}
        if BEST_RESPONSE in settings.adversaries:
            self.adversaries[BEST_RESPONSE] = ExactAdversary(game, settings.rounds)
        if LEARNED in settings.adversaries:
            self.adversaries[LEARNED] = LearnedAdversary(game, settings.learned_episodes, settings.fault_rule)

    def collect(self, policy: LanguageModelPolicy, seed: Seed, step: int) -> Experience:
        """Plays one step's episodes and returns their credited rows; randomness is keyed by `seed` alone."""
        for number, adversary in enumerate(self.adversaries.values()):
            if step % self.settings.refresh == 0 or not adversary.ready:
                adversary.refresh(policy, seed.at(Use.ADVERSARY, number))
        pools = pools_of(self.profile, self.settings, [a.opponent() for a in self.adversaries.values()])
        opponents = {o.name: o for _, members in pools for o in members}
        policies: dict[str, Policy] = {name: ScriptedPolicy(o) for name, o in opponents.items()}
        matches, pool_of = self._matches(pools)
        players, rule = {**policies, AGENT: policy}, self.settings.fault_rule
        episodes = play_together(self.game, players, matches, seed=seed.at(Use.PLAY), fault_rule=rule)
        seats = [match.seats.index(AGENT) for match in matches]
        played = [episode.of(seat) for episode, seat in zip(episodes, seats, strict=True)]
        batch = self._batch(episodes, matches, pool_of, seats, played)
        credits = self.rule(batch, self.weights)
        sides = [Side(e, s, d) for e, s, d in zip(episodes, seats, played, strict=True)]
        rows, weights, counts = merged(*credited_rows(sides, credits, self.game.max_slots, self.entropy.at(step)))
        return Experience(rows, weights, counts, len(episodes), self._metrics(batch, episodes, played))

    def state(self) -> dict[str, Any]:
        """The adversaries in use, as JSON."""
        return {name: adversary.state() for name, adversary in self.adversaries.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes up the adversaries of a `state`."""
        for name, adversary in self.adversaries.items():
            adversary.restore(state[name])

    def _matches(self, pools: Sequence[tuple[Pool, tuple[Opponent, ...]]]) -> tuple[list[Match], list[Pool]]:
        starts = self._deals()
        matches: list[Match] = []
        pool_of: list[Pool] = []
        for pool, members in pools:
            for opponent in members:
                for seat in self.settings.seats:
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
            raise UserError(f"the deals of {self.game.name} are not equally likely; set play.deals to draw them")
        return [state for state, _ in deals]

    def _batch(
        self,
        episodes: Sequence[Episode],
        matches: Sequence[Match],
        pool_of: Sequence[str],
        seats: Sequence[int],
        played: Sequence[Sequence[Decision]],
    ) -> CreditBatch:
        slots = self.game.max_slots
        shape = (len(episodes), self.game.num_rounds * slots)
        own, other, collusion, externality = (np.zeros(shape) for _ in range(4))
        rewards = np.array([episode.rewards for episode in episodes])  # [B, R, N]
        paid = rewards[np.arange(len(seats)), :, seats]  # [B, R]
        own[:, slots - 1 :: slots] = paid
        other[:, slots - 1 :: slots] = rewards.sum(axis=2) - paid
        for hazard, scores in ((self.profile.collusion, collusion), (self.profile.externality, externality)):
            if hazard is not None and (hazard.low or hazard.high):  # else nothing counts as this hazard
                for b, (episode, seat) in enumerate(zip(episodes, seats, strict=True)):
                    scores[b, slots - 1 :: slots] = hazard(episode, seat)
        times = [(b, d.round * slots + d.slot) for b, decisions in enumerate(played) for d in decisions]
        mask = np.zeros(shape, dtype=bool)
        decided_in, decided_at = zip(*times, strict=True)
        mask[decided_in, decided_at] = True
        names = [match.seats[1 - seat] for match, seat in zip(matches, seats, strict=True)]
        numbers = {name: i for i, name in enumerate(dict.fromkeys(names))}
        keys = [(p, n, s, m.deal) for p, n, s, m in zip(pool_of, names, seats, matches, strict=True)]
        groups = {key: i for i, key in enumerate(dict.fromkeys(keys))}
        is_open = frozenset(numbers[name] for name, adversary in self.adversaries.items() if adversary.exact)
        return CreditBatch(
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

    def _metrics(
        self, batch: CreditBatch, episodes: Sequence[Episode], played: Sequence[Sequence[Decision]]
    ) -> dict[str, float]:
        """What the batch itself tells, per round: sampled figures, each against the pool it is defined on."""
        rounds = self.game.num_rounds
        faults = [d.fault is not None for decisions in played for d in decisions]
        metrics = {"fault_rate": sum(faults) / len(faults)}
        train, exploiter, collusive = (batch.pool == pool for pool in ("train", "exploiter", "collusive"))
        if train.any():
            metrics["payoff"] = float(batch.own[train].sum(axis=1).mean() / rounds)
            if not self.game.zero_sum:
                both = batch.own[train] + batch.other[train]
                metrics["welfare"] = float(both.sum(axis=1).mean() / rounds)
                metrics["externality"] = float(batch.externality[train].sum(axis=1).mean() / rounds)
        if collusive.any():
            metrics["collusion"] = float(batch.collusion[collusive].sum(axis=1).mean() / rounds)
        made = set(self.adversaries)
        scripted = exploiter & np.array([not made & set(episode.policies) for episode in episodes])
        if scripted.any():
            gap = (batch.other - batch.own).sum(axis=1) / rounds
            means = [gap[scripted & (batch.opponent == o)].mean() for o in np.unique(batch.opponent[scripted])]
            metrics["sampled_pool_exploitability"] = float(np.mean(np.maximum(means, 0.0)))
        for adversary in self.adversaries.values():
            metrics |= adversary.metrics()
        return metrics
