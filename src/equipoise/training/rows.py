"""Training rows: the exact tokens of an episode, with the decision each sampled token belongs to.

Two builders serve every trainer: one row for the whole transcript of a seat, or one row per turn (needed where a chat
template rewrites history). Identical rows can be merged with their weights summed, which is exact on policy: a row's
gradient is linear in its advantages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from equipoise.core import Action, Decision, Episode, Game, InformationState
from equipoise.engines.engine import Ids
from equipoise.errors import UserError
from equipoise.games.text import Reasoning, observations, render_reply
from equipoise.policies.chat import ChatFormat
from equipoise.policies.prompts import opening

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
        adapter: Name of the adapter that is trained on it; empty for the model as it is.
    """

    prompt: Ids
    completion: Ids
    turn: tuple[int, ...]
    log_probs: tuple[float, ...] = field(default=(), compare=False)
    adapter: str = ""


def transcript_row(episode: Episode, seat: int) -> Row:
    """The whole transcript of a seat as one row."""
    prompt: Ids = ()
    completion: list[int] = []
    turn: list[int] = []
    log_probs: list[float] = []
    for index, decision in enumerate(episode.of(seat)):
        tokens = decision.reply.tokens
        if tokens is None:
            raise UserError(f"seat {seat} was not played by a language model: its replies have no tokens")
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
    texts, actions = observations(game, last.information_state, seat, last.legal, chat.wording)
    played = [d for d in episode.of(seat) if d.action is not None]
    prompt = opening(game, chat, reasoning) + chat.observation(texts[0])
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


@dataclass(frozen=True, slots=True)
class Side:
    """One seat of an episode that a language model played.

    Attributes:
        episode: The episode.
        seat: The seat.
        decisions: The seat's decisions in it.
        adapter: Name of the adapter that played it; empty for the model as it is.
    """

    episode: Episode
    seat: int
    decisions: Sequence[Decision]
    adapter: str = ""


Rows = tuple[list[Row], list[np.ndarray], np.ndarray]
"""Rows, the credit of every completion token of each, and how many sides each stands for."""


def credited_rows(sides: Sequence[Side], credits: np.ndarray, slots: int, entropy: float = 0.0) -> Rows:
    """The whole transcripts of some sides with the credit of every completion token, in order of first appearance.

    Sides whose replies are the same objects, as the arena gives identical decisions, share a row from the start;
    `merged` finds the rest.

    Args:
        sides: [B].
        credits: Credit of each time step, [B, T] with T = rounds * slots.
        slots: Decisions a seat can face in one round.
        entropy: Coefficient of the entropy bonus: every token of a reply that names a legal action earns
            -entropy * log-probability, whose expected gradient is that of the replies' token entropy. A faulty reply
            earns none, so that the bonus does not reward what no action is.
    """
    first, group = _distinct(sides)
    decided = group >= 0
    sums = np.zeros((len(first), credits.shape[1] + 1))  # the last column is for tokens not ours
    np.add.at(sums[:, :-1], group[decided], credits[decided])
    counts = np.bincount(group[decided], minlength=len(first))
    rows = [replace(transcript_row(sides[b].episode, sides[b].seat), adapter=sides[b].adapter) for b in first]
    weights = []
    for b, row, summed, count in zip(first, rows, sums, counts, strict=True):
        steps = [d.round * slots + d.slot for d in sides[b].decisions]
        credit = summed[[-1 if turn == NOT_OURS else steps[turn] for turn in row.turn]]
        if entropy:
            legal = np.array([turn != NOT_OURS and sides[b].decisions[turn].fault is None for turn in row.turn])
            credit -= entropy * count * np.where(legal, row.log_probs, 0.0)
        weights.append(credit)
    return rows, weights, counts


def per_turn(rows: Sequence[Row], weights: Sequence[np.ndarray], counts: np.ndarray) -> Rows:
    """Credited transcripts cut into one row per decision, all before it being its prompt.

    For templates that rewrite history, and for trainers that take one reply a row. The policy gradient is the same.
    """
    cut_rows, cut_weights, cut_counts = [], [], []
    for row, weight, count in zip(rows, weights, counts, strict=True):
        turns = np.array(row.turn)
        for part in np.split(np.arange(len(turns)), np.flatnonzero(np.diff(turns)) + 1):
            if turns[part[0]] != NOT_OURS:
                start, end = int(part[0]), int(part[-1]) + 1
                prompt, kept = row.prompt + row.completion[:start], slice(start, end)
                parts = (row.completion[kept], row.turn[kept], row.log_probs[kept])
                cut_rows.append(Row(prompt, *parts, row.adapter))
                cut_weights.append(weight[kept])
                cut_counts.append(count)
    return cut_rows, cut_weights, np.array(cut_counts)


def _distinct(sides: Sequence[Side]) -> tuple[list[int], np.ndarray]:
    """The first side of each distinct sequence of one adapter's replies, and each side's number, -1 for no reply."""
    index: dict[tuple[str, tuple[int, ...]], int] = {}
    first: list[int] = []
    group = np.full(len(sides), -1)
    for b, side in enumerate(sides):
        if side.decisions:
            said = tuple([id(d.reply) for d in side.decisions])
            group[b] = g = index.setdefault((side.adapter, said), len(first))
            if g == len(first):
                first.append(b)
    return first, group


def merged(
    rows: Sequence[Row], weights: Sequence[np.ndarray], counts: Sequence[float] | np.ndarray
) -> tuple[list[Row], list[np.ndarray], np.ndarray]:
    """Distinct rows with their per-token weights summed; rows of different adapters are never one.

    Args:
        rows: Rows, [B].
        weights: Per-token weights (advantages) of each row, each [len(completion)].
        counts: How many episodes each row stands for already, whole or expected, [B].

    Returns:
        The distinct rows in order of first appearance, their summed weights, and how many episodes each stands for.
    """
    index: dict[tuple[str, Ids, Ids], int] = {}
    distinct: list[Row] = []
    sums: list[np.ndarray] = []
    totals: list[float] = []
    for row, weight, count in zip(rows, weights, counts, strict=True):
        i = index.setdefault((row.adapter, row.prompt, row.completion), len(distinct))
        if i < len(distinct):
            sums[i] += weight
            totals[i] += count
        else:
            distinct.append(row)
            sums.append(np.array(weight, dtype=np.float64))
            totals.append(count)
    return distinct, sums, np.array(totals)
