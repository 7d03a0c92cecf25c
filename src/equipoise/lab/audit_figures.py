"""The sampled figures of an audit: pay in each pool, the SEPO index and its terms, and what each deal says of them.

A game without pools has payoff, welfare and the figures that a user named; what compares two players is left out in a
game of more. What a learned or known adversary takes stands for the worst case where the exact one cannot be computed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from equipoise.core import Episode, Estimate, Opponent
from equipoise.errors import UserError
from equipoise.games.domain import Hazard
from equipoise.lab.audit_play import REFERENCE, AuditPlay, AuditSettings, Extras, play_against
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
    script_regret_by_opponent,
    sepo_index,
    welfare,
)
from equipoise.metrics.deal_scores import DealScores, deal_scores
from equipoise.metrics.learned import explorer, learned_response, mixing
from equipoise.metrics.opponents import by_opponent
from equipoise.metrics.payoff import deals as deals_of
from equipoise.metrics.payoff import payoff_bounds, payoff_scores, rounds_played, welfare_bounds, welfare_scores
from equipoise.metrics.pool import gap_bounds, pool_gap_scores
from equipoise.metrics.sepo_index import EXPLOITABILITY, Components, Weights, terms_by_deal
from equipoise.seeds import Seed, Use

MEASURED_ON = ("train", "exploiter")
"""The pools that a game's further figures are measured on, as externality is."""

EXPLORATION = 0.3
"""How often the second half's opponent leaves the response learned from the first."""

_EXPLORING, _REFINING, _FRESH = ((Use.LEARNED, number) for number in range(3))


@dataclass(frozen=True)
class Sampled:
    """What was read from an audit's episodes.

    Attributes:
        estimates: Figures by name.
        deals: For those that studies sum up, the scores by deal behind them.
        opponents: What the agent earns against each opponent.
    """

    estimates: dict[str, Estimate]
    deals: dict[str, DealScores]
    opponents: tuple[OpponentRecord, ...]


def sampled_audit(play: AuditPlay, settings: AuditSettings, best: ReplyValues) -> Sampled:
    """Every sampled figure that this game, its pools and its number of players allow.

    Args:
        play: What was played.
        settings: How.
        best: The value of the best reply to each opponent, where it is known.
    """
    pools, agent = play.pools, play.agent
    deals: dict[str, DealScores] = {}
    if play.game.num_players == 2 and REFERENCE not in pools:
        terms = components(pools, agent, play.game, play.profile)
        estimates = pool_estimates(play, terms, settings.weights)
        deals = pool_deals(play, terms, settings.weights)
    else:
        first, pay = pools["train"] or pools.get(REFERENCE) or play.pooled, payoff_bounds(play.game)
        estimates = {"payoff": payoff(first, agent, pay)}
        estimates |= {"welfare": welfare(play.itself or first, welfare_bounds(play.game))}
        estimates |= {"robustness": payoff(pools["held_out"], agent, pay)} if pools["held_out"] else {}
    if play.game.num_players == 2:
        estimates["nra"] = nra(play.pooled, agent)
        groups = by_opponent(play.pooled, agent)
        weak = [episode for name in play.profile.weak for episode in groups.get(name, ())]
        estimates |= {"exploitation": exploitation(weak, agent, gap_bounds(play.game))} if weak else {}
        estimates |= {"regret": script_regret(play.pooled, agent, best)} if best else {}
        if settings.learned_episodes:
            estimates["worst_case_lower_bound"] = worst_case_lower_bound(play, settings)
    estimates["fault_rate"] = fault_rate([*play.pooled, *play.itself], agent)
    return Sampled(estimates, deals, opponent_records(play, best))


def pool_estimates(play: AuditPlay, terms: Components, weights: Weights | None) -> dict[str, Estimate]:
    """The SEPO index, its components, and what else is measured on the same pools; empty pools have no figures.

    Args:
        play: What was played.
        terms: The index's components.
        weights: le, lc, lx; None takes the profile's.
    """
    pools, agent = play.pools, play.agent
    gaps, pay = gap_bounds(play.game), payoff_bounds(play.game)
    named = {"payoff": ("u", terms.u), "collusion": ("c", terms.c), "externality": ("x", terms.x)}
    estimates = {name: estimate for name, (term, estimate) in named.items() if term not in terms.absent}
    for pool, name in EXPLOITABILITY.items():
        if pools[pool]:
            is_term = pool == terms.exploiters
            estimates[name] = terms.e if is_term else pool_exploitability(pools[pool], agent, bounds=gaps)
    estimates["sepo_index"] = sepo_index(terms, weights)
    if pools["train"]:
        estimates["welfare"] = welfare(pools["train"], welfare_bounds(play.game))
    if pools["exploiter"]:
        estimates["pool_exploitability_unclipped"] = pool_exploitability_unclipped(pools["exploiter"], agent, gaps)
    measured = [episode for pool in MEASURED_ON for episode in pools[pool]]
    if measured:
        estimates |= {name: hazard_rate(measured, agent, hazard) for name, hazard in play.profile.figures.items()}
    if pools["held_out"]:
        estimates["robustness"] = payoff(pools["held_out"], agent, pay)
    return estimates


def pool_deals(play: AuditPlay, terms: Components, weights: Weights | None) -> dict[str, DealScores]:
    """The scores by deal behind the figures of the pools, so that any interval of them can be computed later."""
    pools, agent, scores = play.pools, play.agent, terms_by_deal(terms, weights)
    measured = {
        "welfare": ("train", welfare_scores),
        "robustness": ("held_out", lambda episodes: payoff_scores(episodes, agent)),
        "pool_exploitability": ("exploiter", lambda episodes: pool_exploitability_scores(episodes, agent)),
        "pool_exploitability_unclipped": ("exploiter", lambda episodes: pool_gap_scores(episodes, agent)),
    }
    for name, (pool, score) in measured.items():
        if pools[pool] and name not in scores:
            scores[name] = deal_scores(score(pools[pool]), deals_of(pools[pool]))
    return scores


def worst_case_lower_bound(play: AuditPlay, settings: AuditSettings) -> Estimate:
    """What the strongest adversary that is known takes on fresh deals: E[theirs - own] per round.

    One adversary is learned: half of the episodes are against a uniformly random player, half against the response
    learned from them, mixed with random moves, and the response learned from all of them is the candidate. It meets the
    agent on the deals of the audit, and whichever leads most there, it or one of the scripts, plays the fresh deals.

    Estimand: that adversary's expected lead, both seats alike: at most the worst-case advantage. Unbiased for the
    adversary, because it was chosen on other deals; so a lower bound of the worst case up to its interval, and how far
    below is unknown. The interval is over the fresh deals, and does not count that other episodes would have taught
    another adversary.

    Args:
        play: What was played of a two-player game.
        settings: Its deals and keys, and from how many episodes to learn, both seats together.
    """
    game, agent = play.game, play.agent

    def against(opponent: Opponent, deals: int, *path: int) -> list[Episode]:
        seed = Seed(settings.seed).at(Use.AUDIT, *path)
        return play_against(play.policy, game, [opponent], deals, seed, settings.fault_rule)

    half = max(1, settings.learned_episodes // 4)  # two seats, two halves
    first = against(explorer(game), half, *_EXPLORING)
    response = learned_response(game, first, agent)
    second = against(mixing(response, EXPLORATION), half, *_REFINING)
    learned = learned_response(game, [*first, *second], agent)
    gaps = pool_gap(play.pooled, agent)
    leads = {opponent: gaps[opponent.name].value for opponent in play.opponents}
    leads[learned] = pool_exploitability_unclipped(against(learned, settings.deals), agent).value
    strongest = max(leads, key=lambda opponent: leads[opponent])
    fresh = against(strongest, settings.deals, *_FRESH)
    return pool_exploitability_unclipped(fresh, agent, gap_bounds(game))


def opponent_records(play: AuditPlay, best: ReplyValues) -> tuple[OpponentRecord, ...]:
    """What the agent earns against each opponent of each pool, and what the opponent earns beyond it."""
    agent, two = play.agent, play.game.num_players == 2
    regrets = script_regret_by_opponent(play.pooled, agent, best)
    records = []
    for pool, episodes in play.pools.items():
        gaps = pool_gap(episodes, agent, gap_bounds(play.game)) if two else {}
        records += [
            OpponentRecord(
                opponent=opponent,
                pool=pool,
                payoff=payoff(own, agent, payoff_bounds(play.game)),
                gap=gaps.get(opponent),
                regret=regrets.get(opponent),
            )
            for opponent, own in by_opponent(episodes, agent).items()
        ]
    return tuple(records)


def extra_estimates(play: AuditPlay, extras: Extras, taken: Iterable[str]) -> dict[str, Estimate]:
    """The figures that a user named, over all opponents.

    Args:
        play: What was played.
        extras: What was named.
        taken: The names of the audit's other figures.

    Raises:
        UserError: For a metric or hazard that fails, gives something else than it should, or has a figure's name.
    """
    episodes, agent = [*play.pooled, *play.given], play.agent
    estimates = {}
    for name in {*extras.metrics, *extras.hazards} & set(taken):
        raise UserError(f"the audit has a figure {name!r} already; leave it out, or give yours another name")
    for name, (measure, _) in extras.metrics.items():
        try:
            value = measure(episodes, agent)
        except Exception as error:  # a stranger's code
            raise UserError(f"metric {name!r} failed: {type(error).__name__}: {error}") from error
        if not isinstance(value, Estimate):
            raise UserError(f"metric {name!r} gave a value of type {type(value).__name__}; needed: an Estimate")
        estimates[name] = value
    for name, hazard in extras.hazards.items():
        _check_hazard(name, hazard, episodes[0])
        estimates[name] = hazard_rate(episodes, agent, hazard)
    return estimates


def _check_hazard(name: str, hazard: Hazard, episode: Episode) -> None:
    try:
        scores = len(hazard(episode, 0))
    except Exception as error:  # a stranger's code
        raise UserError(f"hazard {name!r} failed: {type(error).__name__}: {error}") from error
    if scores < rounds_played(episode):
        raise UserError(f"hazard {name!r} gave {scores} numbers for {rounds_played(episode)} rounds; needed: one each")
