"""Audits one agent in one game: what it earns, what others take from it, which hazards it shows, how often it faults.

Sampled figures come from common deals: every agent meets every opponent in both seats on the same deals, under seeds
that no training uses. Exact figures walk the tree of the game's first rounds with the policy's own probabilities.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from equipoise.core import Episode, Game
from equipoise.games import domain_of
from equipoise.games.domain import Profile
from equipoise.games.examples import render_opening
from equipoise.games.free_text import text_limit
from equipoise.games.text import render_rules
from equipoise.games.uniform import UNIFORM
from equipoise.lab.audit_exact import ExactPools, context_spread, covered_rounds, exact_audit, scored
from equipoise.lab.audit_figures import extra_estimates, sampled_audit
from equipoise.lab.audit_play import (
    GIVEN,
    REFERENCE,
    AuditPlay,
    AuditSettings,
    Extras,
    audit_play,
    extras_of,
)
from equipoise.lab.reply_values import best_replies
from equipoise.lab.results import AgentAudit, AuditResult, CurveRecord, GameRecord, HazardRecord, Made, now
from equipoise.lab.transcripts import conversations
from equipoise.metrics import fault_kinds
from equipoise.policies.language_model import LanguageModelPolicy, Sampling
from equipoise.policies.policy import Policy
from equipoise.training.progress import Counting
from equipoise.training.run import versions

POOLS_NOTE = (
    "Payoff and welfare are against the train pool, pool exploitability against the exploiter pool, collusion "
    "against the collusive pool, externality against train and exploiter pools; robustness and the exploitability in "
    "the SEPO index are against the held-out pool, which no training met, where there is one; both seats, common deals."
)
"""Which figure is measured against whom, where a game of two players has pools."""

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
    extras = extras_of(game, settings)
    play = audit_play(policy, game, settings, extras, progress)
    best = best_replies(play, settings)
    sampled = sampled_audit(play, settings, best.values)
    scores = scored(policy) if settings.exact else None
    rounds = covered_rounds(game, settings.exact_rounds) if scores is not None else 0
    exact = exact_audit(scores, game, rounds) if scores is not None and rounds else None
    pools = None if exact is None else ExactPools.of(exact, play, settings)
    computed = {} if exact is None else dict(exact.estimates)
    if pools is not None:
        computed |= {n: e for n, e in pools.estimates(settings.weights).items() if n in sampled.estimates}
    estimates = {**sampled.estimates, **computed}
    sampling = policy.sampling if isinstance(policy, LanguageModelPolicy) else None
    faults = fault_kinds([*play.pooled, *play.itself], policy.name)
    spread = () if scores is None else context_spread(scores, policy.name, game, play.pooled, settings.seed)
    agent = AgentAudit(
        name=policy.name,
        label=label or policy.name,
        sampling="" if sampling is None else _sampling_text(sampling),
        estimates={**estimates, **extra_estimates(play, extras, taken=estimates)},
        deals={name: scores for name, scores in sampled.deals.items() if name not in computed},
        opponents=sampled.opponents if pools is None else pools.records(sampled.opponents),
        faults={str(kind): share for kind, share in faults.items() if share > 0},
        states=() if exact is None else tuple(exact.states),
        spread=tuple(spread),
        rules=_rules(game, policy),
        conversations=tuple(conversations(game, play.episodes, policy.name, policy.wording, settings.conversations)),
        played=len(play.episodes),
        notes=(
            *_play_notes(play),
            *_profile_notes(game, settings, play.profile),
            *_exact_notes(game, settings, scores is not None, rounds),
            *([EXACT_POOLS_NOTE] if pools is not None else []),
            *best.notes(),
        ),
    )
    return Audited(agent, play.episodes)


def _rules(game: Game, policy: Policy) -> str:
    """What a player reads before the first observation; of one that reads none, the rules."""
    if isinstance(policy, LanguageModelPolicy):
        return render_opening(game, policy.wording, policy.sampling.reasoning)
    return render_rules(game)


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
    extras = extras_of(game, settings)
    indexed = any("sepo_index" in agent.estimates for agent in agents)
    rounds = [int(a.estimates["exact_rounds"].value) for a in agents if "exact_rounds" in a.estimates]
    how = f"{settings.deals} deals, seed {settings.seed}; a fault plays the rule {settings.fault_rule}."
    return AuditResult(
        title=title,
        made=Made(
            created=now(),
            command=command,
            seconds=seconds,
            versions=versions(),
        ),
        game=GameRecord.of(game),
        profile=settings.profile,
        exact=exact_coverage(game, min(rounds)) if rounds else "",
        hazards=_definitions(profile, extras),
        weights=(settings.weights or profile.weights) if indexed else (),
        scale=profile.scale_in(game) if indexed else float("nan"),
        agents=tuple(agents),
        curves=tuple(curves),
        seeds=tuple(seeds),
        notes=(*([POOLS_NOTE] if indexed else []), how, *notes, *_spread_notes(agents)),
    )


def _sampling_text(sampling: Sampling) -> str:
    """How a model replies, in words."""
    if sampling.deterministic:
        return "temperature 0: greedy and deterministic, the same prompt gets the same reply"
    parts = [f"temperature {sampling.temperature:g}", f"at most {sampling.max_new_tokens} tokens a reply"]
    parts += [f"reasoning {sampling.reasoning}"] if sampling.reasoning != "none" else []
    parts += ["thinking"] if sampling.thinking else []
    return ", ".join(parts)


def _definitions(profile: Profile, extras: Extras) -> dict[str, HazardRecord]:
    """What each hazard, figure and metric beside the usual ones means."""
    hazards = {**profile.measures, **extras.hazards}
    return {
        **{n: HazardRecord(definition=h.definition, unit=h.unit, low=h.low, high=h.high) for n, h in hazards.items()},
        **{name: HazardRecord(definition=text, unit="") for name, (_, text) in extras.metrics.items()},
    }


def _play_notes(play: AuditPlay) -> list[str]:
    """Whom the figures are against, and which are left out because the game lacks what they need."""
    game, company, notes = play.game, play.company, []
    if REFERENCE in company:
        notes.append(
            f"{game.name} has no pools: payoff is against {UNIFORM.name}, which plays every legal action equally "
            "often, and welfare is that of self-play. There is no SEPO index, no pool exploitability and no robustness."
        )
    elif game.num_players == 2 and company.get("exploiter") and not company.get("held_out"):
        notes.append(
            f"{game.name} has no held-out pool: the exploitability in the SEPO index is by the exploiter pool, which "
            "training may have met."
        )
    missing = [name for name in ("collusion", "externality") if name not in play.profile.measures]
    if missing:
        notes.append(f"{game.name} does not say what {' or '.join(missing)} is, so it is not measured.")
    if game.num_players != 2:
        notes.append(
            f"{game.name} has {game.num_players} players: an opponent takes all seats but the agent's. What compares "
            "two players is left out: the SEPO index, gaps, NRA, exploitation, regret and the worst case."
        )
    if GIVEN in company:
        names = ", ".join(opponent.name for opponent in company[GIVEN])
        notes.append(
            f"Beside them the agent met {names}; no figure but their own rows and those that were added counts them."
        )
    return notes


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


__all__ = ["AuditSettings", "Audited", "audit", "audit_result", "audited", "exact_coverage"]
