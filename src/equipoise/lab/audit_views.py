"""What an audit keeps of single conversations and contexts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from equipoise.core import Decision, Episode, Game, InformationState
from equipoise.games.free_text import text_limit
from equipoise.games.text import render_observation
from equipoise.lab.results import ConversationRecord, MessageRecord, SpreadRecord
from equipoise.metrics.policy_table import Scored
from equipoise.seeds import Seed, Use

MAX_CONTEXTS = 512
"""Contexts scored for `context_spread`."""


def context_spread(
    scores: Scored, agent: str, game: Game, episodes: Sequence[Episode], seed: int
) -> list[SpreadRecord]:
    """How the same decision varies with what went before it in longer episodes.

    For each first-round decision: over the contexts in which play posed it, the mean, standard deviation, smallest and
    largest probability of the last legal action, renormalised. Contexts after one's own forfeits are left out. Empty
    where no later round of the game poses a decision of the first again, and in games with talk, where every message
    makes another decision.
    """
    if text_limit(game.actions):
        return []
    met: dict[tuple[int, InformationState], Decision] = {}
    for episode in episodes:
        for decision in episode.of(episode.policies.index(agent)):
            forfeited = any(e.kind == "forfeit" and e.player == decision.seat for e in decision.information_state)
            if not forfeited:
                met.setdefault((decision.seat, decision.information_state), decision)
    if not any(game.as_first_round(state) != state for _, state in met):
        return []
    decisions = list(met.values())
    chosen = Seed(seed).at(Use.CONTEXTS).generator().permutation(len(decisions))[:MAX_CONTEXTS]
    picked = [decisions[i] for i in chosen]
    masses = scores.action_probabilities(game, [(d.seat, d.information_state, d.legal) for d in picked])
    by_state: dict[InformationState, list[float]] = {}
    for decision, mass in zip(picked, masses, strict=True):
        share = mass[decision.legal[-1]] / max(sum(mass.values()), 1e-12)
        by_state.setdefault(game.as_first_round(decision.information_state), []).append(share)
    return [
        SpreadRecord(
            state=game.label(state),
            contexts=len(shares),
            mean=float(np.mean(shares)),
            sd=float(np.std(shares)),
            low=float(np.min(shares)),
            high=float(np.max(shares)),
        )
        for state, shares in sorted(by_state.items(), key=lambda item: game.label(item[0]))
    ]


def conversations(game: Game, episodes: Sequence[Episode], agent: str, most: int) -> list[ConversationRecord]:
    """At most this many episodes as the agent read and wrote them: those with faults first, then in order of play."""
    chosen = list(episodes)
    if most < len(chosen):
        chosen.sort(key=lambda e: not any(d.fault for d in e.of(e.policies.index(agent))))
    return [conversation(game, episode, agent) for episode in chosen[:most]]


def conversation(game: Game, episode: Episode, agent: str) -> ConversationRecord:
    """One seat's transcript, with faults marked; a script's moves stand in the game's words."""
    seat, read = episode.policies.index(agent), 0
    messages = []
    for decision in episode.of(seat):
        state = decision.information_state
        seen = render_observation(game, state[read:], seat, decision.legal)
        read = len(state) + (1 if decision.fault is None else 0)
        fault = "" if decision.fault is None else decision.fault.kind
        messages += [
            MessageRecord(side="seen", text=seen),
            MessageRecord(side="said", text=_said(game, decision), fault=fault),
        ]
    others = [name for place, name in enumerate(episode.policies) if place != seat]
    return ConversationRecord(
        opponent=", ".join(dict.fromkeys(others)),
        seat=seat,
        deal=episode.deal,
        returns=tuple(episode.returns),
        messages=tuple(messages),
    )


def _said(game: Game, decision: Decision) -> str:
    reply = decision.reply
    if reply.action is not None:
        return game.action_text(reply.action)
    return f"{reply.thought}\n{reply.text}" if reply.thought else reply.text
