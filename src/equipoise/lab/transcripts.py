"""What was said, word for word: one player's side of an audit's episodes, and both sides of a few matches of a pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from equipoise.core import Decision, Episode, Fault, Game, Reply
from equipoise.games.text import Wording, render_observation
from equipoise.lab.results import ConversationRecord, MatchRecord, MessageRecord, RoundRecord, TurnRecord
from equipoise.metrics.faults import first_fault
from equipoise.metrics.payoff import rounds_played

TYPICAL, WORST, FAULTY = "typical", "lowest joint pay", "with a fault"


def transcripts(game: Game, episodes: Sequence[Episode], wordings: Mapping[str, Wording]) -> tuple[MatchRecord, ...]:
    """At most three different matches of one ordered pair: the one nearest the median, the worst, the first faulty one.

    Joint pay per round decides; in a zero-sum game, where that is always 0, the first seat's. Matches in which the
    players said the same are shown once.

    Args:
        game: What was played.
        episodes: At least one episode of the pair.
        wordings: How each of the two was asked for its moves.
    """
    seats = slice(0, 1) if game.zero_sum else slice(None)
    pay = np.array([sum(e.returns[seats]) / max(rounds_played(e), 1) for e in episodes])
    chosen = [(TYPICAL, int(np.argmin(np.abs(pay - np.median(pay))))), (WORST, int(np.argmin(pay)))]
    if game.zero_sum:
        chosen[1] = ("lowest pay of the first seat", chosen[1][1])
    faulty = [i for i, e in enumerate(episodes) if any(first_fault(d) is not None for d in e.decisions)]
    chosen += [(FAULTY, faulty[0])] if faulty else []
    shown: dict[tuple[RoundRecord, ...], MatchRecord] = {}
    for why, index in chosen:
        found = transcript(game, episodes[index], why, wordings)
        shown.setdefault(found.rounds, found)
    return tuple(shown.values())


def transcript(game: Game, episode: Episode, why: str, wordings: Mapping[str, Wording]) -> MatchRecord:
    """One match: by round what each player was newly shown, what it said, and what the round paid.

    Args:
        game: What was played.
        episode: The match.
        why: Why it is shown.
        wordings: How each player was asked for its moves.
    """
    paid = episode.rewards[: rounds_played(episode)]
    turns: list[list[TurnRecord]] = [[] for _ in paid]
    last: dict[int, Decision] = {}
    for decision in episode.decisions:
        wording = wordings[episode.policies[decision.seat]]
        turns[decision.round].append(_turn(game, decision, last.get(decision.seat), wording))
        last[decision.seat] = decision
    return MatchRecord(
        why=why,
        seats=tuple(episode.policies),
        deal=episode.deal,
        pay=tuple(episode.returns),
        rounds=tuple(RoundRecord(pay=tuple(row), turns=tuple(own)) for row, own in zip(paid, turns, strict=True)),
    )


def conversations(
    game: Game, episodes: Sequence[Episode], agent: str, wording: Wording, most: int
) -> list[ConversationRecord]:
    """At most this many episodes as the agent read and wrote them: those with faults first, then in order of play.

    Args:
        game: What was played.
        episodes: Episodes of the agent.
        agent: Its name.
        wording: How it was asked for its moves.
        most: How many.
    """
    chosen = list(episodes)
    if most < len(chosen):
        chosen.sort(key=lambda e: not any(d.fault for d in e.of(e.policies.index(agent))))
    return [conversation(game, episode, agent, wording) for episode in chosen[:most]]


def conversation(game: Game, episode: Episode, agent: str, wording: Wording) -> ConversationRecord:
    """One seat's transcript, with faults marked; a script's moves stand in the game's words."""
    seat = episode.policies.index(agent)
    messages: list[MessageRecord] = []
    before: Decision | None = None
    for decision in episode.of(seat):
        messages += [
            MessageRecord(side="seen", text=_shown(game, decision, before, wording)),
            _said(game, decision.reply, decision.fault),
        ]
        before = decision
    others = [name for place, name in enumerate(episode.policies) if place != seat]
    return ConversationRecord(
        opponent=", ".join(dict.fromkeys(others)),
        seat=seat,
        deal=episode.deal,
        returns=tuple(episode.returns),
        messages=tuple(messages),
    )


def _turn(game: Game, decision: Decision, before: Decision | None, wording: Wording) -> TurnRecord:
    replies: list[tuple[Reply, Fault | None]] = [*decision.attempts, (decision.reply, decision.fault)]
    replaced = decision.action if decision.fault is not None else None
    return TurnRecord(
        seat=decision.seat,
        saw=_shown(game, decision, before, wording),
        said=tuple(_said(game, reply, fault) for reply, fault in replies),
        played=None if replaced is None else game.action_text(replaced),
    )


def _shown(game: Game, decision: Decision, before: Decision | None, wording: Wording) -> str:
    """What a player was newly shown; `before` is its decision before this one, whose own act is no news."""
    state = decision.information_state
    read = 0 if before is None else len(before.information_state)
    if before is not None and before.fault is None and read < len(state):
        own = state[read].kind == "act" and state[read].player == decision.seat
        read += own  # where the other player's fault cost the round, the player's choice was never played
    return render_observation(game, state[read:], decision.seat, decision.legal, wording)


def _said(game: Game, reply: Reply, fault: Fault | None) -> MessageRecord:
    words = reply.text if reply.action is None else game.action_text(reply.action)
    text = f"{reply.thought}\n{words}" if reply.thought else words
    return MessageRecord(side="said", text=text, fault="" if fault is None else fault.kind)
