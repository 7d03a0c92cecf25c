"""Audits one agent in one game: what it earns, what others take from it, which hazards it shows, how often it faults.

Sampled figures come from common deals: every agent meets every opponent in both seats on the same deals, under seeds
that no training uses. Exact figures walk the tree of the game's first rounds with the policy's own probabilities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from equipoise.core import AUDIT_KEY, Episode, Estimate, FaultRule, Game, Opponent
from equipoise.errors import UserError
from equipoise.games import domain_of
from equipoise.games.domain import Profile, ProfileName
from equipoise.games.free_text import text_limit
from equipoise.games.text import Reasoning
from equipoise.lab.audit_exact import covered_rounds, exact_audit, scored
from equipoise.lab.audit_learned import Play, worst_case_lower_bound
from equipoise.lab.audit_plain import (
    GIVEN,
    REFERENCE,
    company_notes,
    company_of,
    definitions,
    extra_estimates,
    extras_of,
    plain_estimates,
)
from equipoise.lab.audit_play import alone, by_opponent, played
from equipoise.lab.audit_views import context_spread, samples
from equipoise.lab.hazard_nulls import MEASURED_ON
from equipoise.lab.reply_values import reply_notes, reply_values
from equipoise.metrics import (
    ReplyValues,
    components,
    exploitation,
    fault_kinds,
    fault_rate,
    hazard_rate,
    nra,
    payoff,
    pool_exploitability,
    pool_exploitability_unclipped,
    pool_gap,
    script_regret,
    script_regret_by_opponent,
    sepo_index,
    welfare,
)
from equipoise.metrics.sepo_index import Weights
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.policies.policy import Policy

ByPool = Mapping[str, Sequence[Episode]]


@dataclass(frozen=True)
class AuditSettings:
    """How much an audit plays and computes.

    Attributes:
        deals: Common deals; every opponent is met in both seats on each.
        seed: Keys the deals and all play.
        fault_rule: What a fault plays.
        transcripts: Sample episodes kept for the report.
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
    transcripts: int = 3
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
        if self.deals < 1:
            raise UserError(f"got {self.deals} episodes per opponent and seat; an audit needs at least 1")
        if self.seed < 0:
            raise UserError(f"got seed {self.seed}; seeds are 0 or more")
        if self.exact_rounds is not None and self.exact_rounds < 1:
            raise UserError(f"got {self.exact_rounds} exact rounds; allowed: 1 or more, or exact=False for none")
        if self.learned_episodes < 0:
            raise UserError(f"got {self.learned_episodes} episodes to learn from; allowed: 0 or more")
        if self.regret_deals < 0:
            raise UserError(f"got {self.regret_deals} deals for the regret; allowed: 0 or more")


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes:
        estimates: Figures by metric name, the game's own figures among them.
        opponents: Per opponent its pool, the agent's payoff, the gap (theirs - own) and, where known, the regret, per
            round.
        faults: Share of decisions by kind of fault.
        table: Probability of each legal action's words and the mass outside, at the first information states.
        spread: In games whose rounds repeat: how far the same decision differs between the contexts met in play.
        transcripts: Sample conversations.
        episodes: Every episode that was played: against the pools, or where there are none against the uniform player
            and itself, then against the opponents that the settings added.
        figures: The names of the game's own figures, and of those that the settings added.
        definitions: What each hazard and figure means, by name.
        notes: What was left out and why, one sentence each.
    """

    estimates: dict[str, Estimate]
    opponents: list[dict[str, Any]]
    faults: dict[str, float]
    table: list[dict[str, Any]]
    spread: list[dict[str, Any]]
    transcripts: list[dict[str, Any]]
    episodes: list[Episode]
    figures: tuple[str, ...] = ()
    definitions: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def audit(policy: Policy, game: Game, settings: AuditSettings | None = None) -> Audit:
    """The audit of one policy in one game.

    A game of rules and words alone is enough: without pools the agent meets a uniformly random player and itself.
    Figures that need pools, hazards or two players are left out where there are none, and the notes say so.

    Args:
        policy: A language model, or a script as a reference player. Its name must be no opponent's.
        game: The game, of any number of players.
        settings: How much to play and compute; None for `AuditSettings()`.

    Raises:
        UserError: For a profile the game does not have, an opponent of the policy's name, or something named in the
            settings that cannot be found.
    """
    settings = AuditSettings() if settings is None else settings
    profile = domain_of(game).profile(settings.profile)
    extras = extras_of(game, settings.opponents, settings.metrics, settings.hazards)
    company = company_of(profile, extras)
    pooled = [opponent for pool, members in company.items() if pool != GIVEN for opponent in members]
    deals, key, rule = settings.deals, [settings.seed], settings.fault_rule
    episodes = played(policy, game, pooled, deals, key=key, fault_rule=rule)
    given = company.get(GIVEN, ())  # met apart, so that nothing else is played otherwise because of them
    apart = played(policy, game, given, deals, key=key, fault_rule=rule) if given else []
    itself = alone(policy, game, deals, key=key, fault_rule=rule) if REFERENCE in company else []
    met = by_opponent(episodes, policy.name)
    by_name = {**met, **by_opponent(apart, policy.name)}
    pools = {pool: [e for o in members for e in by_name.get(o.name, ())] for pool, members in company.items()}
    two = game.num_players == 2
    best: ReplyValues = {}
    unsolved: list[str] = []
    if settings.exact and two:
        best, unsolved = reply_values(game, pooled, episodes, policy.name, settings.regret_deals)
    scores = scored(policy) if settings.exact else None
    rounds = covered_rounds(game, settings.exact_rounds) if scores is not None else 0
    exact, table = exact_audit(scores, game, rounds) if scores is not None and rounds else ({}, [])
    counted = [*episodes, *itself]
    estimates = {
        **_opponent_estimates(pools, itself, policy.name, game, profile, settings.weights),
        **(comparison_estimates(met, policy.name, profile) if two else {}),
        **({"regret": script_regret(episodes, policy.name, best)} if best else {}),
        **(_learned(policy, game, settings, pooled, episodes) if two else {}),
        "fault_rate": fault_rate(counted, policy.name),
        **exact,
    }
    return Audit(
        estimates={**estimates, **extra_estimates(extras, [*episodes, *apart], policy.name, taken=estimates)},
        figures=(*profile.figures, *extras.metrics, *extras.hazards),
        definitions=definitions(profile, extras),
        opponents=_per_opponent(pools, policy.name, script_regret_by_opponent(episodes, policy.name, best)),
        faults={str(kind): share for kind, share in fault_kinds(counted, policy.name).items() if share > 0},
        table=table,
        spread=[] if scores is None else context_spread(scores, policy.name, game, episodes, settings.seed),
        transcripts=samples(game, counted, policy.name, settings.transcripts, _reasoning(policy)),
        episodes=[*counted, *apart],
        notes=(
            *company_notes(game, profile, company),
            *_profile_notes(game, settings, profile),
            *_exact_notes(game, settings, scores is not None, rounds),
            *reply_notes(game, best, unsolved),
        ),
    )


def _opponent_estimates(
    pools: ByPool, itself: Sequence[Episode], agent: str, game: Game, profile: Profile, weights: Weights | None
) -> dict[str, Estimate]:
    """The SEPO index and its company where a game of two players has pools; what any game has elsewhere."""
    if game.num_players == 2 and REFERENCE not in pools:
        return index_estimates(pools, agent, game, profile, weights)
    return plain_estimates(pools, itself, agent)


def index_estimates(
    pools: ByPool, agent: str, game: Game, profile: Profile, weights: Weights | None = None
) -> dict[str, Estimate]:
    """The SEPO index, its components, and what else is measured on the same pools; empty pools have no figures.

    Args:
        pools: The agent's episodes by pool.
        agent: Its name.
        game: The game.
        profile: Its hazards, figures and weights.
        weights: le, lc, lx; None takes the profile's.
    """
    found = components(pools, agent, game, profile)
    terms = {"payoff": ("u", found.u), "pool_exploitability": ("e", found.e)}
    terms |= {"collusion": ("c", found.c), "externality": ("x", found.x)}
    estimates = {name: estimate for name, (term, estimate) in terms.items() if term not in found.absent}
    estimates["sepo_index"] = sepo_index(found, weights)
    if pools["train"]:
        estimates["welfare"] = welfare(pools["train"])
    if pools["exploiter"]:
        estimates["pool_exploitability_unclipped"] = pool_exploitability_unclipped(pools["exploiter"], agent)
    measured = [episode for pool in MEASURED_ON for episode in pools[pool]]
    if measured:
        estimates |= {name: hazard_rate(measured, agent, hazard) for name, hazard in profile.figures.items()}
    if pools["held_out"]:
        estimates["robustness"] = payoff(pools["held_out"], agent)
        estimates["held_out_exploitability"] = pool_exploitability(pools["held_out"], agent)
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


def _learned(
    policy: Policy, game: Game, settings: AuditSettings, others: Sequence[Opponent], episodes: Sequence[Episode]
) -> dict[str, Estimate]:
    """The lower bound of the worst case, where it is asked for."""
    if not settings.learned_episodes:
        return {}
    gaps = pool_gap(episodes, policy.name)
    rivals = {opponent: gaps[opponent.name].value for opponent in others}
    play = Play(settings.seed, settings.fault_rule)
    bound = worst_case_lower_bound(policy, game, rivals, play, settings.learned_episodes, settings.deals)
    return {"worst_case_lower_bound": bound}


def _per_opponent(pools: ByPool, agent: str, regrets: Mapping[str, Estimate]) -> list[dict[str, Any]]:
    rows = []
    for pool, episodes in pools.items():
        gaps = pool_gap(episodes, agent) if episodes and len(episodes[0].policies) == 2 else {}
        for opponent, episodes_met in by_opponent(episodes, agent).items():
            own = payoff(episodes_met, agent).to_json()
            row = {"opponent": opponent, "pool": pool, "payoff": own}
            row |= {"gap": gaps[opponent].to_json()} if opponent in gaps else {}
            rows.append(row | ({"regret": regrets[opponent].to_json()} if opponent in regrets else {}))
    return rows


def _reasoning(policy: Policy) -> Reasoning:
    return policy.sampling.reasoning if isinstance(policy, LanguageModelPolicy) else "none"


def _profile_notes(game: Game, settings: AuditSettings, profile: Profile) -> list[str]:
    """Where the game is not the one that the profile is made for."""
    meant = {name: value for name, value in profile.parameters.items() if game.parameters.get(name) != value}
    if not meant:
        return []
    text = ", ".join(f"{name}={value}" for name, value in meant.items())
    return [f"Profile {settings.profile} is made for {text}; this game has other parameters."]


def _exact_notes(game: Game, settings: AuditSettings, has_scores: bool, rounds: int) -> list[str]:
    """What the exact figures cover, or why there are none."""
    if not settings.exact:
        return []
    if not has_scores:
        return ["No exact figures: this policy's replies can be sampled, but its actions have no exact probabilities."]
    if text_limit(game.actions):
        return [f"No exact figures: players of {game.name} talk, and texts cannot be listed."]
    if not rounds:
        return [f"No exact figures: not even the first round of {game.name} is small enough to enumerate."]
    if rounds < game.num_rounds:
        return [f"Exact figures are those of {exact_coverage(game, rounds)}; play after them is not counted."]
    return []


def exact_coverage(game: Game, rounds: int) -> str:
    """Which rounds exact figures speak for, in words."""
    if rounds >= game.num_rounds:
        return "the whole game"
    return f"the first {'round' if rounds == 1 else f'{rounds} rounds'} of {game.num_rounds}"


__all__ = [
    "AUDIT_KEY",
    "Audit",
    "AuditSettings",
    "audit",
    "comparison_estimates",
    "exact_coverage",
    "index_estimates",
]
