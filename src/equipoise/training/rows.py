"""Training rows: the exact tokens of an episode, with the decision each sampled token belongs to.

Two builders serve every trainer: one row for the whole transcript of a seat, or one row per turn (needed where a chat
template rewrites history). Identical rows can be merged with their weights summed, which is exact on policy: a row's
gradient is linear in its advantages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from equipoise.core import Action, Episode, Game, InformationState
from equipoise.games.text import Reasoning, observations, render_reply, render_rules
from equipoise.policies.chat import ChatFormat, Ids

NOT_OURS = -1
Reason = Callable[[InformationState, Action], str]
"""The sentence a player gives for an action at what it has seen."""


def silent(information_state: InformationState, action: Action) -> str:
    """No reason at all."""
    return ""


@dataclass(frozen=True, slots=True)
class Row:
    """One sequence to train on.

    Attributes:
        prompt: Tokens before the first trained one.
        completion: Replies and the observations between them; the last token is one of ours.
        turn: For each completion token the index of the seat's decision it was sampled for, or `NOT_OURS`.
        log_probs: For each completion token its log-probability when it was sampled, 0 for tokens not ours; empty for
            a row that was not sampled.
    """

    prompt: Ids
    completion: Ids
    turn: tuple[int, ...]
    log_probs: tuple[float, ...] = field(default=(), compare=False)


def transcript_row(episode: Episode, seat: int) -> Row:
    """The whole transcript of a seat as one row."""
    prompt: Ids = ()
    completion: list[int] = []
    turn: list[int] = []
    log_probs: list[float] = []
    for index, decision in enumerate(episode.of(seat)):
        tokens = decision.reply.tokens
        if tokens is None:
            raise ValueError(f"seat {seat} was not played by a language model: its replies have no tokens")
        if index == 0:
            prompt = tokens.prompt
        else:
            completion += tokens.prompt
            turn += [NOT_OURS] * len(tokens.prompt)
            log_probs += [0.0] * len(tokens.prompt)
        completion += tokens.completion
        turn += [index] * len(tokens.completion)
        log_probs += tokens.log_probs
    return Row(prompt, tuple(completion), tuple(turn), tuple(log_probs))


def turn_rows(episode: Episode, seat: int) -> list[Row]:
    """One row per decision of a seat: all before it is prompt."""
    rows: list[Row] = []
    before: Ids = ()
    for index, decision in enumerate(episode.of(seat)):
        tokens = decision.reply.tokens
        if tokens is None:
            raise ValueError(f"seat {seat} was not played by a language model: its replies have no tokens")
        prompt = before + tokens.prompt
        rows.append(Row(prompt, tokens.completion, (index,) * len(tokens.completion), tokens.log_probs))
        before = prompt + tokens.completion
    return rows


def demonstrated_row(
    game: Game, episode: Episode, seat: int, chat: ChatFormat, reasoning: Reasoning = "none", reason: Reason = silent
) -> Row:
    """What a scripted seat did, in the words a language model would have used.

    Args:
        game: What was played.
        episode: The episode.
        seat: Whose side of it.
        chat: How the model's conversations are tokenised.
        reasoning: How the rules ask to answer.
        reason: The sentence before each action, given what the seat had seen; nothing by default.
    """
    last = episode.of(seat)[-1]
    texts, actions = observations(game, last.information_state, seat, last.legal)
    played = [d for d in episode.of(seat) if d.action is not None]
    prompt = chat.prefix(render_rules(game, reasoning)) + chat.observation(texts[0])
    completion: list[int] = []
    turn: list[int] = []
    for index, action in enumerate([*actions, last.action]):
        if index > 0:
            seen = chat.after_reply + chat.observation(texts[index])
            completion += seen
            turn += [NOT_OURS] * len(seen)
        said = chat.reply(render_reply(game, action, reason(played[index].information_state, action)))
        completion += said
        turn += [index] * len(said)
    return Row(prompt, tuple(completion), tuple(turn))


def merged(
    rows: Sequence[Row], weights: Sequence[np.ndarray], counts: Sequence[int] | np.ndarray
) -> tuple[list[Row], list[np.ndarray], np.ndarray]:
    """Distinct rows with their per-token weights summed.

    Args:
        rows: Rows, [B].
        weights: Per-token weights (advantages) of each row, each [len(completion)].
        counts: How many episodes each row stands for already, [B].

    Returns:
        The distinct rows in order of first appearance, their summed weights, and how many episodes each stands for.
    """
    index: dict[tuple[Ids, Ids], int] = {}
    distinct: list[Row] = []
    sums: list[np.ndarray] = []
    totals: list[int] = []
    for row, weight, count in zip(rows, weights, counts, strict=True):
        i = index.setdefault((row.prompt, row.completion), len(distinct))
        if i < len(distinct):
            sums[i] += weight
            totals[i] += int(count)
        else:
            distinct.append(row)
            sums.append(np.array(weight, dtype=np.float64))
            totals.append(int(count))
    return distinct, sums, np.array(totals)
