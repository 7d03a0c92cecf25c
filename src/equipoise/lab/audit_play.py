"""What an audit plays: whom an agent meets, on which common deals, under seeds that no training uses.

A game of rules and words alone has no pools. Its audit plays a uniformly random player and the agent itself, so that
payoff, welfare, fault figures and transcripts exist for any game at all. What a user adds is met apart, so that nothing
else is played otherwise because of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from equipoise.arena import MOST_DEALS, Match, against, rollout
from equipoise.core import Episode, FaultRule, Game, Opponent
from equipoise.errors import UserError
from equipoise.games import domain_of, script_of
from equipoise.games.domain import Hazard, Profile, ProfileName, read_hazard
from equipoise.games.uniform import UNIFORM
from equipoise.metrics.named import AgentMetric, metric
from equipoise.metrics.opponents import by_opponent
from equipoise.metrics.sepo_index import Weights
from equipoise.policies.policy import Policy
from equipoise.policies.scripted import ScriptedPolicy
from equipoise.registry import find, first_line, short_name
from equipoise.seeds import Seed, Use
from equipoise.training.progress import Counting

REFERENCE, GIVEN = "reference", "given"
"""Where opponents of an audit come from that are in no pool: the uniform player, and those that a user named."""

Company = Mapping[str, tuple[Opponent, ...]]
"""Whom an audit meets, by the pool they are in, or `REFERENCE`, or `GIVEN`."""

_Named = TypeVar("_Named")


@dataclass(frozen=True)
class AuditSettings:
    """How much an audit plays and computes.

    Attributes:
        deals: Common deals; every opponent is met in both seats on each.
        seed: Keys the deals and all play.
        fault_rule: What a fault plays.
        conversations: At most this many episodes are kept word for word, those with faults first.
        profile: Whose pools, hazards and weights: "corrected" or "published".
        weights: le, lc, lx of the SEPO index; None takes the profile's.
        exact: Whether to compute exact figures (worst case, NashConv, faults per state) and best replies (regret).
        exact_rounds: At most this many first rounds are exact; None takes as many as have at most 2,000 information
            states.
        learned_episodes: Episodes from which an adversary is learned; the lead of the strongest adversary, it or a
            script, on fresh deals is a lower bound of the worst case. 0 leaves it out. In games with talk the learned
            one is silent.
        regret_deals: Deals on which regret is computed where the first round of a game has too many histories to
            average over its deals (bargaining, about 3 CPU seconds a deal for all opponents); 0 leaves it out there.
            Games with talk have none.
        opponents: Opponents to meet beside the pools: names of the game's scripts, of installed packages,
            `module:Name` or `file.py:Name`.
        metrics: Metrics to add, over all opponents, in the same spellings.
        hazards: Hazards to add, likewise.
    """

    deals: int = 500
    seed: int = 0
    fault_rule: FaultRule = "forfeit"
    conversations: int = 2_000
    profile: ProfileName = "corrected"
    weights: Weights | None = None
    exact: bool = True
    exact_rounds: int | None = None
    learned_episodes: int = 0
    regret_deals: int = 0
    opponents: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    hazards: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.deals <= MOST_DEALS:
            raise UserError(f"got {self.deals} episodes per opponent and seat; allowed: 1 to {MOST_DEALS:,}")
        if self.seed < 0:
            raise UserError(f"got seed {self.seed}; seeds are 0 or more")
        if self.exact_rounds is not None and self.exact_rounds < 1:
            raise UserError(f"got {self.exact_rounds} exact rounds; allowed: 1 or more, or exact=False for none")
        if self.learned_episodes < 0:
            raise UserError(f"got {self.learned_episodes} episodes to learn from; allowed: 0 or more")
        if self.regret_deals < 0:
            raise UserError(f"got {self.regret_deals} deals for the regret; allowed: 0 or more")


@dataclass(frozen=True)
class Extras:
    """What a user asked an audit to meet and to measure beside what the game's profile has.

    Attributes:
        opponents: Opponents in no pool.
        metrics: By the names of their figures, with the definition of each.
        hazards: By the names of their figures.
    """

    opponents: tuple[Opponent, ...] = ()
    metrics: Mapping[str, tuple[AgentMetric, str]] = field(default_factory=dict)
    hazards: Mapping[str, Hazard] = field(default_factory=dict)


def extras_of(game: Game, settings: AuditSettings) -> Extras:
    """The opponents, metrics and hazards that the settings name, each in one of the registry's four spellings.

    Raises:
        UserError: For what cannot be found, or two of one name.
    """
    scripts = [script_of(game, name) for name in dict.fromkeys(settings.opponents)]
    extras = Extras(
        tuple(_unique("opponent", [(script.name, script) for script in scripts]).values()),
        {n: (measure, first_line(measure, n)) for n, measure in _named("metric", settings.metrics, metric).items()},
        _named("hazard", settings.hazards, lambda name: read_hazard(find("hazard", name), name)),
    )
    _unique("figure", [(name, None) for name in (*extras.metrics, *extras.hazards)])
    return extras


def _named(kind: str, specs: Sequence[str], get: Callable[[str], _Named]) -> dict[str, _Named]:
    """What each spelling means, by the last part of the spelling."""
    return _unique(kind, [(short_name(spec), get(spec)) for spec in dict.fromkeys(specs)])


def _unique(kind: str, pairs: Sequence[tuple[str, _Named]]) -> dict[str, _Named]:
    names = [name for name, _ in pairs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"two {kind}s are called {twice!r}; give one of them another name")
    return dict(pairs)


def company_of(profile: Profile, extras: Extras) -> Company:
    """Whom an audit meets: every pool's opponents, the uniform player where all pools are empty, and the user's own.

    Raises:
        UserError: For an opponent of a user's own that has the name of another one.
    """
    company = {pool: profile.pools.of(pool) for pool in profile.pools.names}
    if not any(company.values()):
        company[REFERENCE] = (UNIFORM,)
    known = {opponent.name: opponent for members in company.values() for opponent in members}
    for opponent in extras.opponents:
        if known.get(opponent.name, opponent) is not opponent:
            raise UserError(f"opponent {opponent.name!r} has the name of one of the game's own; give it another name")
    given = tuple(opponent for opponent in extras.opponents if opponent.name not in known)
    return {**company, **({GIVEN: given} if given else {})}


@dataclass(frozen=True)
class AuditPlay:
    """What an audit played.

    Attributes:
        policy: The agent.
        game: The game.
        profile: Its hazards, figures and weights.
        company: Whom the agent met, by where they come from.
        pooled: The agent's episodes against them, without those of `given`.
        given: Its episodes against those that a user added; no figure but their own rows counts them.
        itself: Its episodes against itself; none where there are pools.
    """

    policy: Policy
    game: Game
    profile: Profile
    company: Company
    pooled: Sequence[Episode]
    given: Sequence[Episode]
    itself: Sequence[Episode]

    @property
    def agent(self) -> str:
        """The agent's name."""
        return self.policy.name

    @property
    def opponents(self) -> list[Opponent]:
        """Whom the figures are against: all but those that a user added; one in two pools stands here twice."""
        return [opponent for source, members in self.company.items() if source != GIVEN for opponent in members]

    @cached_property
    def pools(self) -> dict[str, list[Episode]]:
        """The episodes by where the opponents come from."""
        return by_pool([*self.pooled, *self.given], self.agent, self.company)

    @property
    def episodes(self) -> tuple[Episode, ...]:
        """Everything that was played."""
        return (*self.pooled, *self.itself, *self.given)


def audit_play(
    policy: Policy, game: Game, settings: AuditSettings, extras: Extras, progress: Counting | None = None
) -> AuditPlay:
    """Plays an audit.

    Args:
        policy: The agent; its name must be no opponent's.
        game: The game.
        settings: How much is played.
        extras: Whom a user added.
        progress: Told of the episodes as they are played.

    Raises:
        UserError: For a profile that the game does not have, or names that clash.
    """
    profile, seed = domain_of(game).profile(settings.profile), Seed(settings.seed).at(Use.AUDIT)
    company = company_of(profile, extras)
    names = {opponent.name for members in company.values() for opponent in members}
    total = settings.deals * (game.num_players * len(names) + (REFERENCE in company))
    tell = None if progress is None else lambda more: progress(more, total)
    if progress is not None:
        progress(0, total)

    def episodes(others: Iterable[Opponent]) -> list[Episode]:
        return play_against(policy, game, others, settings.deals, seed, settings.fault_rule, tell)

    pooled = episodes(o for source, members in company.items() if source != GIVEN for o in members)
    given = episodes(company[GIVEN]) if GIVEN in company else []
    itself = []
    if REFERENCE in company:
        matches = [Match((policy.name,) * game.num_players, deal) for deal in range(settings.deals)]
        rule = settings.fault_rule
        itself = rollout(game, {policy.name: policy}, matches, seed=seed, fault_rule=rule, progress=tell)
    return AuditPlay(policy, game, profile, company, pooled, given, itself)


def play_against(
    policy: Policy,
    game: Game,
    others: Iterable[Opponent],
    deals: int,
    seed: Seed,
    fault_rule: FaultRule = "forfeit",
    progress: Callable[[int], object] | None = None,
) -> list[Episode]:
    """The policy's episodes against each of `others`, in every seat, on the same `deals` deals.

    Args:
        policy: The agent.
        game: The game; with more than two players an opponent takes all other seats.
        others: Scripted opponents; one that is named twice is met once.
        deals: Common deals.
        seed: Keys all play: equal seeds deal the same cards.
        fault_rule: What a fault plays.
        progress: Told how many episodes more are finished.

    Raises:
        ValueError: When an opponent has the agent's name.
    """
    scripts = {opponent.name: ScriptedPolicy(opponent) for opponent in others}
    if policy.name in scripts:
        raise UserError(
            f"the agent is named {policy.name!r} like one of its opponents; give it another name, for example "
            "ScriptedPolicy(dataclasses.replace(opponent, name='agent'))"
        )
    matches = against(policy.name, list(scripts), [None] * deals, players=game.num_players)
    players: dict[str, Policy] = {**scripts, policy.name: policy}
    return rollout(game, players, matches, seed=seed, fault_rule=fault_rule, progress=progress)


def by_pool(episodes: Sequence[Episode], agent: str, company: Company) -> dict[str, list[Episode]]:
    """The episodes by where the opponents come from; overlapping pools share episodes."""
    groups = by_opponent(episodes, agent)
    return {source: [e for o in members for e in groups.get(o.name, ())] for source, members in company.items()}
