"""The sampled figures of an audit: pay in each pool, the SEPO index and its terms, and what each deal says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from equipoise.core import Episode, Estimate, Game
from equipoise.games.domain import Profile
from equipoise.lab.audit_learned import Play, worst_case_lower_bound
from equipoise.lab.audit_plain import GIVEN, REFERENCE, Company, plain_estimates
from equipoise.lab.audit_play import by_opponent
from equipoise.lab.hazard_nulls import MEASURED_ON
from equipoise.lab.results import OpponentRecord
from equipoise.metrics import (
    ReplyValues,
    components,
    exploitation,
    fault_rate,
    hazard_rate,
    nra,
    payoff,
    pool_exploitability,
    pool_exploitability_scores,
    pool_exploitability_unclipped,
    pool_gap,
    script_regret,
    sepo_index,
    welfare,
)
from equipoise.metrics.deal_scores import DealScores, deal_scores
from equipoise.metrics.payoff import deals as deals_of
from equipoise.metrics.payoff import payoff_bounds, payoff_scores, welfare_bounds, welfare_scores
from equipoise.metrics.pool import gap_bounds, pool_gap_scores
from equipoise.metrics.sepo_index import EXPLOITABILITY, Components, Weights, terms_by_deal
from equipoise.policies.policy import Policy
from equipoise.seeds import Seed, Use

if TYPE_CHECKING:
    from equipoise.lab.audit import AuditSettings

ByPool = Mapping[str, Sequence[Episode]]
Sampled = tuple[dict[str, Estimate], dict[str, DealScores]]
"""Figures by name, and for those that studies sum up the scores by deal behind them."""


@dataclass(frozen=True)
class Played:
    """What an audit played.

    Attributes:
        policy: The agent.
        game: The game.
        profile: Its hazards, figures and weights.
        company: Whom the agent met, by where they come from.
        met: Its episodes by opponent.
        itself: Its episodes against itself; none where there are pools.
        apart: Its episodes by opponent against those that a user added; no figure but their own rows counts them.
    """

    policy: Policy
    game: Game
    profile: Profile
    company: Company
    met: Mapping[str, Sequence[Episode]]
    itself: Sequence[Episode]
    apart: Mapping[str, Sequence[Episode]]

    @property
    def pools(self) -> dict[str, list[Episode]]:
        """The episodes by where the opponents come from; overlapping pools share episodes."""
        met = {**self.met, **self.apart}
        return {pool: [e for o in members for e in met.get(o.name, ())] for pool, members in self.company.items()}


def estimates_of(played: Played, settings: AuditSettings, best: ReplyValues) -> Sampled:
    """Every sampled figure that this game, its pools and its number of players allow.

    Args:
        played: What was played.
        settings: How.
        best: The value of the best reply to each opponent, where it is known.
    """
    agent, game, profile, pools = played.policy.name, played.game, played.profile, played.pools
    episodes = [episode for found in played.met.values() for episode in found]
    deals: dict[str, DealScores] = {}
    if game.num_players == 2 and REFERENCE not in pools:
        found = components(pools, agent, game, profile)
        estimates = index_estimates(found, pools, agent, game, profile, settings.weights)
        deals = by_deal(found, pools, agent, settings.weights)
    else:
        estimates = plain_estimates(pools, played.itself, agent)
    if game.num_players == 2:
        estimates |= comparison_estimates(played.met, agent, profile)
        estimates |= {"regret": script_regret(episodes, agent, best)} if best else {}
        estimates |= _learned(played, settings, episodes)
    estimates["fault_rate"] = fault_rate([*episodes, *played.itself], agent)
    return estimates, deals


def index_estimates(
    found: Components, pools: ByPool, agent: str, game: Game, profile: Profile, weights: Weights | None = None
) -> dict[str, Estimate]:
    """The SEPO index, its components, and what else is measured on the same pools; empty pools have no figures.

    Args:
        found: The index's components.
        pools: The agent's episodes by pool.
        agent: Its name.
        game: The game.
        profile: Its hazards, figures and weights.
        weights: le, lc, lx; None takes the profile's.
    """
    terms = {"payoff": ("u", found.u), "collusion": ("c", found.c), "externality": ("x", found.x)}
    estimates = {name: estimate for name, (term, estimate) in terms.items() if term not in found.absent}
    for pool, name in EXPLOITABILITY.items():
        if pools[pool]:
            bounds, is_term = gap_bounds(game), pool == found.exploiters
            estimates[name] = found.e if is_term else pool_exploitability(pools[pool], agent, bounds=bounds)
    estimates["sepo_index"] = sepo_index(found, weights)
    if pools["train"]:
        estimates["welfare"] = welfare(pools["train"], welfare_bounds(game))
    if pools["exploiter"]:
        unclipped = pool_exploitability_unclipped(pools["exploiter"], agent, gap_bounds(game))
        estimates["pool_exploitability_unclipped"] = unclipped
    measured = [episode for pool in MEASURED_ON for episode in pools[pool]]
    if measured:
        estimates |= {name: hazard_rate(measured, agent, hazard) for name, hazard in profile.figures.items()}
    if pools["held_out"]:
        estimates["robustness"] = payoff(pools["held_out"], agent, payoff_bounds(game))
    return estimates


def comparison_estimates(met: Mapping[str, Sequence[Episode]], agent: str, profile: Profile) -> dict[str, Estimate]:
    """What an agent earns beside the others: relative advantage over all opponents, exploitation of the weak ones.

    Args:
        met: The agent's episodes by opponent, every opponent once.
        agent: Its name.
        profile: Says who is weak.
    """
    estimates = {"nra": nra([episode for episodes in met.values() for episode in episodes], agent)}
    weak = [episode for name in profile.weak for episode in met.get(name, ())]
    if weak:
        estimates["exploitation"] = exploitation(weak, agent)
    return estimates


def by_deal(found: Components, pools: ByPool, agent: str, weights: Weights | None = None) -> dict[str, DealScores]:
    """The scores by deal behind the figures of the pools, so that any interval of them can be computed later.

    Args:
        found: The index's components.
        pools: The agent's episodes by pool.
        agent: Its name.
        weights: le, lc, lx; None takes the profile's.
    """
    scores = terms_by_deal(found, weights)
    measured = {
        "welfare": ("train", welfare_scores),
        "robustness": ("held_out", lambda episodes: payoff_scores(episodes, agent)),
        "pool_exploitability": ("exploiter", lambda episodes: pool_exploitability_scores(episodes, agent)),
        "pool_exploitability_unclipped": ("exploiter", lambda episodes: pool_gap_scores(episodes, agent)),
    }
    for name, (pool, score) in measured.items():
        if pools.get(pool) and name not in scores:
            scores[name] = deal_scores(score(pools[pool]), deals_of(pools[pool]))
    return scores


def _learned(played: Played, settings: AuditSettings, episodes: Sequence[Episode]) -> dict[str, Estimate]:
    """The lower bound of the worst case, where it is asked for."""
    if not settings.learned_episodes:
        return {}
    gaps = pool_gap(episodes, played.policy.name)
    pooled = [o for pool, members in played.company.items() if pool != GIVEN for o in members]
    rivals = {opponent: gaps[opponent.name].value for opponent in pooled}
    play = Play(Seed(settings.seed).at(Use.AUDIT), settings.fault_rule)
    learning, deals = settings.learned_episodes, settings.deals
    return {"worst_case_lower_bound": worst_case_lower_bound(played.policy, played.game, rivals, play, learning, deals)}


def opponent_records(
    game: Game, pools: ByPool, agent: str, regrets: Mapping[str, Estimate]
) -> tuple[OpponentRecord, ...]:
    """What the agent earns against each opponent of each pool, and what the opponent earns beyond it."""
    records = []
    for pool, episodes in pools.items():
        two = bool(episodes) and len(episodes[0].policies) == 2
        gaps = pool_gap(episodes, agent, gap_bounds(game)) if two else {}
        records += [
            OpponentRecord(
                opponent=opponent,
                pool=pool,
                payoff=payoff(found, agent, payoff_bounds(game)),
                gap=gaps.get(opponent),
                regret=regrets.get(opponent),
            )
            for opponent, found in by_opponent(episodes, agent).items()
        ]
    return tuple(records)
