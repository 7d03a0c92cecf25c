"""Audits one agent in one game: what it earns, what others take from it, which hazards it shows, how often it faults.

Sampled figures come from common deals: every agent meets every opponent in both seats on the same deals, under seeds
that no training uses. Exact figures walk the tree of the game's first rounds with the policy's own probabilities.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from equipoise.core import Episode, FaultRule, Game
from equipoise.errors import UserError
from equipoise.games import domain_of
from equipoise.games.domain import Profile, ProfileName
from equipoise.games.free_text import text_limit
from equipoise.games.text import render_rules
from equipoise.lab.audit_exact import covered_rounds, exact_audit, scored
from equipoise.lab.audit_exact_pools import ExactPools
from equipoise.lab.audit_figures import Played, estimates_of, opponent_records
from equipoise.lab.audit_plain import (
    GIVEN,
    POOLS_NOTE,
    REFERENCE,
    company_notes,
    company_of,
    definitions,
    extra_estimates,
    extras_of,
)
from equipoise.lab.audit_play import alone, by_opponent, played
from equipoise.lab.audit_views import context_spread, conversations
from equipoise.lab.reply_values import reply_notes, reply_values
from equipoise.lab.results import AgentAudit, AuditResult, CurveRecord, GameRecord, Made
from equipoise.metrics import ReplyValues, fault_kinds, script_regret_by_opponent
from equipoise.metrics.sepo_index import Weights
from equipoise.policies.language_model import LanguageModelPolicy, Sampling
from equipoise.policies.policy import Policy
from equipoise.seeds import Seed, Use
from equipoise.training.progress import Counting
from equipoise.training.run import versions


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


EXACT_POOLS_NOTE = (
    "The whole game is small enough to walk: payoffs, gaps and what is made of them are computed against each script's "
    "own probabilities, with faults as forfeits, and have no interval. Fault rate, NRA and regret are sampled."
)


@dataclass(frozen=True)
class Audited:
    """One agent's audit, with every episode behind it: against the opponents, then against itself without pools."""

    agent: AgentAudit
    episodes: tuple[Episode, ...]


def audit(policy: Policy, game: Game, settings: AuditSettings | None = None) -> AuditResult:
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
    settings, started = AuditSettings() if settings is None else settings, time.perf_counter()
    found = audited(policy, game, settings)
    title = f"{game.name}: audit of {policy.name}"
    return audit_result(title, game, [found.agent], settings, time.perf_counter() - started)


def audited(
    policy: Policy, game: Game, settings: AuditSettings, label: str = "", progress: Counting | None = None
) -> Audited:
    """The audit of one policy, as `audit`, without what a result says of the game; `label` is how it is shown."""
    profile = domain_of(game).profile(settings.profile)
    extras = extras_of(game, settings.opponents, settings.metrics, settings.hazards)
    company = company_of(profile, extras)
    pooled = [opponent for pool, members in company.items() if pool != GIVEN for opponent in members]
    deals, seed, rule = settings.deals, Seed(settings.seed).at(Use.AUDIT), settings.fault_rule
    given = company.get(GIVEN, ())  # met apart, so that nothing else is played otherwise because of them
    names = {opponent.name for opponent in (*pooled, *given)}
    tell = _teller(progress, deals * (game.num_players * len(names) + (REFERENCE in company)))
    episodes = played(policy, game, pooled, deals, seed=seed, fault_rule=rule, progress=tell)
    apart = played(policy, game, given, deals, seed=seed, fault_rule=rule, progress=tell) if given else []
    itself = alone(policy, game, deals, seed=seed, fault_rule=rule, progress=tell) if REFERENCE in company else []
    met = by_opponent(episodes, policy.name)
    best: ReplyValues = {}
    unsolved: list[str] = []
    if settings.exact and game.num_players == 2:
        best, unsolved = reply_values(game, pooled, episodes, policy.name, settings.regret_deals)
    scores = scored(policy) if settings.exact else None
    rounds = covered_rounds(game, settings.exact_rounds) if scores is not None else 0
    exact = exact_audit(scores, game, rounds) if scores is not None and rounds else None
    whole = exact is not None and rounds >= game.num_rounds and settings.fault_rule == "forfeit"
    pools = ExactPools.of(exact.tree, exact.table, company) if exact is not None and whole else None
    counted = [*episodes, *itself]
    play = Played(policy, game, profile, company, met, itself, by_opponent(apart, policy.name))
    sampled, by_deal = estimates_of(play, settings, best)
    computed = {} if exact is None else exact.estimates
    if pools is not None:
        scale = game.scale if profile.scale is None else profile.scale
        computed |= {n: e for n, e in pools.estimates(profile, scale, settings.weights).items() if n in sampled}
    estimates = {**sampled, **computed}
    added = extra_estimates(extras, [*episodes, *apart], policy.name, taken=estimates)
    records = opponent_records(game, play.pools, policy.name, script_regret_by_opponent(episodes, policy.name, best))
    sampling = policy.sampling if isinstance(policy, LanguageModelPolicy) else None
    agent = AgentAudit(
        name=policy.name,
        label=label or policy.name,
        sampling="" if sampling is None else described(sampling),
        estimates={**estimates, **added},
        deals={name: scores for name, scores in by_deal.items() if name not in computed},
        opponents=records if pools is None else pools.records(records),
        faults={str(kind): share for kind, share in fault_kinds(counted, policy.name).items() if share > 0},
        states=() if exact is None else tuple(exact.states),
        spread=tuple(() if scores is None else context_spread(scores, policy.name, game, episodes, settings.seed)),
        rules=render_rules(game, "none" if sampling is None else sampling.reasoning),
        conversations=tuple(conversations(game, [*counted, *apart], policy.name, settings.conversations)),
        played=len(counted) + len(apart),
        notes=(
            *company_notes(game, profile, company),
            *_profile_notes(game, settings, profile),
            *_exact_notes(game, settings, scores is not None, rounds),
            *([EXACT_POOLS_NOTE] if pools is not None else []),
            *reply_notes(game, best, unsolved),
        ),
    )
    return Audited(agent, (*counted, *apart))


def _teller(progress: Counting | None, total: int) -> Callable[[int], object] | None:
    """What play tells of the episodes that it has finished."""
    if progress is None:
        return None
    progress(0, total)
    return lambda more: progress(more, total)


def audit_result(
    title: str,
    game: Game,
    agents: Sequence[AgentAudit],
    settings: AuditSettings,
    seconds: float,
    *,
    command: str = "",
    curves: Sequence[CurveRecord] = (),
    seeds: Sequence[int] = (),
    notes: Sequence[str] = (),
) -> AuditResult:
    """Agents that were audited alike, as one result.

    Args:
        title: Of the page.
        game: What was played.
        agents: What was found of each.
        settings: How all of them were audited.
        seconds: Computing time.
        command: What makes the result again.
        curves: Figures along training runs.
        seeds: Training seeds.
        notes: What else holds for all agents.
    """
    profile = domain_of(game).profile(settings.profile)
    extras = extras_of(game, settings.opponents, settings.metrics, settings.hazards)
    indexed = any("sepo_index" in agent.estimates for agent in agents)
    rounds = [int(a.estimates["exact_rounds"].value) for a in agents if "exact_rounds" in a.estimates]
    how = f"{settings.deals} deals, seed {settings.seed}; a fault plays the rule {settings.fault_rule}."
    return AuditResult(
        title=title,
        made=Made(
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            command=command,
            seconds=seconds,
            versions=versions(),
        ),
        game=GameRecord.of(game),
        profile=settings.profile,
        exact=exact_coverage(game, min(rounds)) if rounds else "",
        hazards=definitions(profile, extras),
        weights=(settings.weights or profile.weights) if indexed else (),
        scale=(game.scale if profile.scale is None else profile.scale) if indexed else float("nan"),
        agents=tuple(agents),
        curves=tuple(curves),
        seeds=tuple(seeds),
        notes=(*([POOLS_NOTE] if indexed else []), how, *notes, *_spread_notes(agents)),
    )


def described(sampling: Sampling) -> str:
    """How a model replies, in words."""
    if sampling.deterministic:
        return "temperature 0: greedy and deterministic, the same prompt gets the same reply"
    parts = [f"temperature {sampling.temperature:g}", f"at most {sampling.max_new_tokens} tokens a reply"]
    parts += [f"reasoning {sampling.reasoning}"] if sampling.reasoning != "none" else []
    parts += ["thinking"] if sampling.thinking else []
    return ", ".join(parts)


def _spread_notes(agents: Sequence[AgentAudit]) -> list[str]:
    """How far the same decision differs between contexts, where it does most."""
    notes = []
    for agent in agents:
        widest = max(agent.spread, key=lambda record: record.sd, default=None)
        if widest is not None:
            notes.append(
                f"{agent.label}: over the contexts met in play the same decision varies most at {widest.state}: mean "
                f"{widest.mean:.2f}, sd {widest.sd:.2f}, range {widest.low:.2f} to {widest.high:.2f} over "
                f"{widest.contexts} contexts."
            )
    return notes


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


__all__ = ["AuditSettings", "Audited", "audit", "audit_result", "audited", "described", "exact_coverage"]
