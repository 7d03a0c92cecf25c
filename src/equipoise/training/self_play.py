"""Self-play: the policy in both seats, or against its past selves, each decision credited by both seats' advantages.

Groups of rollouts share deal, learner's seat and opponent, and the advantage of a seat at a time step is its discounted
return minus the mean return of that seat in the group's other rollouts. A time step of the credit is a round: whatever
a seat says and does in a round earns the same. With more than two players an opponent takes all seats but the
learner's, and "the other seat" is all of them together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from equipoise.arena import Match
from equipoise.core import FAULT_RULES, Episode, FaultRule, Game
from equipoise.errors import UserError
from equipoise.games import Profile
from equipoise.models.load import load
from equipoise.objectives.sepo import CreditBatch, CreditRule, CreditWeights
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.policies.policy import Policy
from equipoise.policies.scripted import ScriptedPolicy
from equipoise.seeds import Seed, Use
from equipoise.training.play import AGENT, Experience, Play, trained_model
from equipoise.training.population import PastSettings, Population, past_name
from equipoise.training.ranks import play_together
from equipoise.training.rows import Rows, Side, credited_rows, merged, per_turn
from equipoise.training.settings import NOTHING, Fading

FROZEN = "frozen"
"""The name of an opponent that never changes."""

Agents = Literal["one", "two"]
Trained = Literal["one", "both"]
Baseline = Literal["opponent", "mixed", "batch"]
RowKind = Literal["transcript", "turn"]


@dataclass(frozen=True)
class SelfPlaySettings:
    """What one step of self-play plays, and what its baselines are taken over.

    Attributes:
        deals: Groups per step; the rollouts of a group share the deal.
        rollouts: Episodes per group.
        agents: "one" policy plays both seats. "two": each seat has an agent of its own, a low-rank adapter that is
            trained on its own seat and meets the past of the other; needs `lora.rank` above 0 and `trained` "both".
        trained: "one" trains one seat of each episode (of group g the seat g mod 2), "both" also trains the other seat
            where the present self plays it. With more than two players "both" means all seats.
        baseline: "opponent": a group has one opponent. "mixed": opponents are drawn for every rollout, as published.
            "batch": no groups; the mean is over all episodes of the step, whatever their deal and opponent.
        reward_divisor: Rewards are divided by it.
        rows: "transcript" trains on whole transcripts, "turn" on one row per decision.
        fault_rule: What a fault plays: "forfeit", "resample", "random_legal" or "constrained". Where a forfeit pays
            both what conceding pays, players may learn to concede by faults; "random_legal" leaves them no such way.
    """

    deals: int = 8
    rollouts: int = 8
    agents: Agents = "one"
    trained: Trained = "one"
    baseline: Baseline = "opponent"
    reward_divisor: float = 1.0
    rows: RowKind = "transcript"
    fault_rule: FaultRule = "forfeit"

    def __post_init__(self) -> None:
        if self.deals < 1 or self.rollouts < 2:
            raise UserError(
                f"got deals={self.deals}, rollouts={self.rollouts}; allowed: deals >= 1, rollouts >= 2 (the rest of a "
                "group is its baseline)"
            )
        for name, kinds in (("agents", Agents), ("trained", Trained), ("baseline", Baseline), ("rows", RowKind)):
            if getattr(self, name) not in get_args(kinds):
                raise UserError(f"got {name}={getattr(self, name)!r}; allowed: {', '.join(get_args(kinds))}")
        if self.agents == "two" and self.trained == "one":
            raise UserError('got agents="two" with trained="one"; two agents are both trained: set trained = "both"')
        if not self.reward_divisor > 0:
            raise UserError(f"got reward_divisor={self.reward_divisor}; it must be above 0")
        if self.fault_rule not in FAULT_RULES:
            raise UserError(f"unknown fault rule {self.fault_rule!r}; known: {', '.join(FAULT_RULES)}")


@dataclass(frozen=True)
class Credit:
    """How self-play is credited.

    Attributes:
        rule: From a batch of self-play to credits.
        weights: Beta and the discount; a rule may read the others, too.
        entropy: Coefficient of the entropy bonus.
    """

    rule: CreditRule
    weights: CreditWeights = field(default_factory=CreditWeights)
    entropy: Fading = NOTHING


@dataclass(frozen=True, slots=True)
class Drawn:
    """One episode to play.

    Attributes:
        match: Who sits where, on which deal.
        learner: The learner's seat.
        opponent: Whom it meets: `AGENT` for the present other seat, else a past self, a script or `FROZEN`.
        group: Which group the episode belongs to.
    """

    match: Match
    learner: int
    opponent: str
    group: int


class SelfPlay(Play):
    """Plays the current policy against itself and its past, and credits its seats by one rule."""

    def __init__(
        self, game: Game, profile: Profile, settings: SelfPlaySettings, past: PastSettings, credit: Credit, folder: Path
    ) -> None:
        """Sets up self-play of a game.

        Args:
            game: What is played.
            profile: Whose scripts `past.scripts` names.
            settings: Groups, trained seats, baseline.
            past: Whom the learner meets beside itself.
            credit: How decisions are credited.
            folder: Where past selves are kept.

        Raises:
            ValueError: For a script that the profile does not know.
        """
        self.game, self.settings, self.past, self.credit = game, settings, past, credit
        self.scripts = {name: profile.find(name) for name in past.scripts}
        self.population = Population(folder, past)
        self._loaded: LanguageModelPolicy | None = None

    def collect(self, policy: LanguageModelPolicy, seed: Seed, step: int) -> Experience:
        """Plays one step's episodes and returns their credited rows; randomness is keyed by `seed` alone."""
        self.population.note(policy, step)
        rng = seed.at(Use.MATCHES).generator()
        past = self.population.offered(rng, step)
        others = [*self.scripts, *map(past_name, past), *([FROZEN] if self.past.frozen else [])]
        drawn = self._drawn(rng, others)
        episodes = play_together(
            self.game,
            self._players(policy, past),
            [d.match for d in drawn],
            seed=seed.at(Use.PLAY),
            fault_rule=self.settings.fault_rule,
        )
        self.population.dismiss()
        sides, credits = self._credited(episodes, drawn)
        return self._experience(sides, credits, self.credit.entropy.at(step), self._paid(episodes, drawn))

    def _players(self, policy: LanguageModelPolicy, past: Sequence[int]) -> dict[str, Policy]:
        """Everyone who may take a seat, by name; `past` are the snapshots that are offered."""
        players: dict[str, Policy] = {AGENT: policy}
        players |= {name: ScriptedPolicy(script) for name, script in self.scripts.items()}
        players |= {past_name(step): self.population.player(step, policy) for step in past}
        if self.past.frozen:
            players[FROZEN] = self._frozen(policy)
        return players

    def _frozen(self, policy: LanguageModelPolicy) -> LanguageModelPolicy:
        """The frozen opponent, loaded once; it replies as the learner does, at the same temperature."""
        if self._loaded is None:
            own = trained_model(policy)
            model, tokenizer = load(self.past.frozen, dtype=own.dtype, device=str(own.device))
            self._loaded = LanguageModelPolicy(FROZEN, model, tokenizer, policy.sampling)
        return self._loaded

    def state(self) -> dict[str, Any]:
        """The past selves, as JSON."""
        return self.population.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes up the past selves of a `state`."""
        self.population.restore(state)

    def _drawn(self, rng: np.random.Generator, others: Sequence[str]) -> list[Drawn]:
        settings = self.settings
        drawn = []
        for group in range(settings.deals):
            learner = group % self.game.num_players
            shared = self._opponent(rng, others)
            for _ in range(settings.rollouts):
                opponent = self._opponent(rng, others) if settings.baseline == "mixed" else shared
                drawn.append(Drawn(Match(self._seats(learner, opponent), group), learner, opponent, group))
        return drawn

    def _seats(self, learner: int, opponent: str) -> tuple[str, ...]:
        """Who takes which seat where the learner's seat meets an opponent, which takes all others."""
        return tuple(AGENT if seat == learner else opponent for seat in range(self.game.num_players))

    def _opponent(self, rng: np.random.Generator, others: Sequence[str]) -> str:
        """Whom a group, or a rollout, meets: the present self, or one of the others."""
        if not others or rng.random() >= self.past.probability:
            return AGENT
        return others[int(rng.integers(len(others)))]

    def _credited(self, episodes: Sequence[Episode], drawn: Sequence[Drawn]) -> tuple[list[Side], np.ndarray]:
        """The trained sides and the credit of each time step of theirs, [B, rounds * slots]."""
        learner = np.array([d.learner for d in drawn])
        rule, weights = self.credit.rule, self.credit.weights
        credits = [rule(self._batch(episodes, drawn, learner), weights)]
        sides = [self._side(episode, seat) for episode, seat in zip(episodes, learner, strict=True)]
        if self.settings.trained == "both":
            live = np.array([d.opponent == AGENT for d in drawn])
            for further in range(1, self.game.num_players):
                seats = (learner + further) % self.game.num_players
                credits.append(rule(self._batch(episodes, drawn, seats), weights)[live])
                other_sides = [self._side(episode, seat) for episode, seat in zip(episodes, seats, strict=True)]
                sides += [side for side, is_live in zip(other_sides, live, strict=True) if is_live]
        return sides, np.repeat(np.concatenate(credits), self.game.max_slots, axis=1)

    def _side(self, episode: Episode, seat: int) -> Side:
        """The side of a seat that is trained."""
        return Side(episode, int(seat), episode.of(int(seat)))

    def _batch(self, episodes: Sequence[Episode], drawn: Sequence[Drawn], seats: np.ndarray) -> CreditBatch:
        """What each round paid one seat of every episode and the other one, or all others together, [B, R]."""
        rewards = np.array([episode.rewards for episode in episodes]) / self.settings.reward_divisor  # [B, R, N]
        rows = np.arange(len(seats))
        played = np.zeros(rewards.shape[:2], dtype=bool)
        for b, episode in enumerate(episodes):
            played[b, [decision.round for decision in episode.decisions]] = True
        seats_after = [(seats + further) % self.game.num_players for further in range(1, self.game.num_players)]
        others = np.sum([rewards[rows, :, other] for other in seats_after], axis=0)  # [B, R]
        return CreditBatch.of_self_play(rewards[rows, :, seats], others, played, np.asarray(self._groups(drawn)))

    def _groups(self, drawn: Sequence[Drawn]) -> list[int]:
        """What each episode's baseline is taken over, [B]."""
        # without groups, seats are told apart still: learner and co-player have a mean of their own each
        return [0 if self.settings.baseline == "batch" else d.group for d in drawn]

    def _experience(
        self, sides: Sequence[Side], credits: np.ndarray, entropy: float, paid: Mapping[str, float]
    ) -> Experience:
        """The step's rows and metrics, given the trained sides, their credits and the coefficient of the bonus."""
        told = {"fault_rate": fault_rate(sides), **paid}
        return Experience(*self._rows(sides, credits, entropy), len(sides), told)

    def _rows(self, sides: Sequence[Side], credits: np.ndarray, entropy: float) -> Rows:
        """The credited rows of some sides."""
        rows = merged(*credited_rows(sides, credits, self.game.max_slots, entropy))
        return per_turn(*rows) if self.settings.rows == "turn" else rows

    def _paid(self, episodes: Sequence[Episode], drawn: Sequence[Drawn]) -> dict[str, float]:
        """What is earned per round from each kind of opponent, and by both seats where both are the present self."""
        paid: dict[str, list[float]] = {}
        for episode, one in zip(episodes, drawn, strict=True):
            rounds = len({decision.round for decision in episode.decisions})
            kind = {AGENT: "self", FROZEN: FROZEN}.get(one.opponent, "past")
            kind = one.opponent if one.opponent in self.scripts else kind
            for seat, whose in self._counted(one).items():
                paid.setdefault(f"{whose}payoff_{kind}", []).append(episode.returns[seat] / rounds)
            if kind == "self":
                paid.setdefault("welfare_self", []).append(sum(episode.returns) / rounds / self.game.num_players)
        return {name: float(np.mean(values)) for name, values in paid.items()}

    def _counted(self, one: Drawn) -> dict[int, str]:
        """The seats whose pay counts in metrics, with what stands before the metric's name."""
        return {one.learner: ""}


def fault_rate(sides: Sequence[Side]) -> float:
    """Faults per decision of some sides."""
    faults = [decision.fault is not None for side in sides for decision in side.decisions]
    return sum(faults) / len(faults)
