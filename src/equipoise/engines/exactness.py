"""In which way a model is run: the fastest that its config declares to be exact for it, and that is found to be.

Architectures differ in what may be kept of a text: keys and values where layers do as mask and positions say, a state
where a layer goes on from one; where positions come from a key's slot in the cache (ALiBi) neither. No list of names
stays right for long. So before a model first plays, a short conversation is run the declared way and compared with
plain passes. What a short text cannot show is read from the config: windows, and positions that change with the length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from weakref import WeakKeyDictionary

import numpy as np
import torch
from transformers import PreTrainedModel

from equipoise.engines import plain_scoring, scoring, state_scoring
from equipoise.engines.architectures import attends_to_everything, recurrent_layers, windows
from equipoise.engines.decoder import Decoder
from equipoise.engines.engine import Context, Ids
from equipoise.engines.kept import KeptDecoder
from equipoise.engines.memory import fitting
from equipoise.engines.recomputing import RecomputingDecoder
from equipoise.errors import UserError

_START, _SHOWN = 24, (24, 17, 5, 9)
"""Tokens of a trial that both conversations begin with, and of what is shown in each turn of one and the other."""
_REPLY, _LONG, _STEPS = 24, 4, 3
"""Tokens of a scored reply, how many of them hang from one prompt, and tokens drawn in a turn.

Long replies side by side put many slots between a reply and its prompt: what takes slots for positions is far off.
"""

ReplyLogProbs = Callable[[PreTrainedModel, Sequence[Context], Sequence[Sequence[Ids]], float], list[list[np.ndarray]]]
"""Of a model, prompts, the replies to each and a temperature: the log-probability of each token of each reply."""


@dataclass(frozen=True)
class Way:
    """A way to run a model.

    Attributes:
        name: What is kept of a text between its turns.
        decoder: What replies are drawn from.
        reply_log_probs: How replies are scored.
    """

    name: str
    decoder: Callable[[PreTrainedModel], Decoder]
    reply_log_probs: ReplyLogProbs


KEYS = Way("keys", KeptDecoder, scoring.reply_log_probs)
"""For models whose layers do as mask and positions say, with windows or without."""
STATES = Way("states", KeptDecoder, state_scoring.reply_log_probs)
"""For models with layers that go on from a state, between layers that keep keys."""
NOTHING = Way("nothing", RecomputingDecoder, plain_scoring.reply_log_probs)
"""For all others."""

_WAYS: WeakKeyDictionary[torch.nn.Module, Way] = WeakKeyDictionary()


def way_of(model: PreTrainedModel) -> Way:
    """The way a model is run, whose figures are those of plain passes.

    Tried once for every model, in a moment.

    Raises:
        UserError: Where no way is exact, or the model's own passes fail or are not finite.
    """
    if model not in _WAYS:
        with _evaluating(model):
            _WAYS[model] = _tried(model, _Trial.of(model))
    return _WAYS[model]


def token_log_probs(
    model: PreTrainedModel, rows: Sequence[tuple[Ids, Ids]], temperature: float = 1.0
) -> list[np.ndarray]:
    """Log-probability of every token of each completion after its prompt, with what rows begin with run once.

    Args:
        model: A causal language model; it is tried at its first use (`way_of`).
        rows: (prompt, completion) token ids.
        temperature: Divides the logits; 0 is greedy.
    """
    way = way_of(model)
    prompts, replies = [Context(prompt) for prompt, _ in rows], [(reply,) if reply else () for _, reply in rows]
    found = fitting(lambda: way.reply_log_probs(model, prompts, replies, temperature), "scoring rows")
    return [tokens[0] if tokens else np.zeros(0) for tokens in found]


def declared_way(model: PreTrainedModel) -> Way:
    """The fastest way that a model's config allows."""
    if recurrent_layers(model.config):
        return STATES
    return KEYS if windows(model.config) is not None or attends_to_everything(model.config) else NOTHING


def _texts(model: PreTrainedModel, lengths: Sequence[int]) -> list[Ids]:
    """Texts of so many tokens, of tokens from all over the vocabulary."""
    size = model.config.get_text_config().vocab_size
    tokens = iter(i * (i + 37) * 7 % size for i in range(1, sum(lengths) + 1))
    return [tuple(islice(tokens, length)) for length in lengths]


@contextmanager
def _evaluating(model: PreTrainedModel) -> Iterator[None]:
    """Switches dropout off where it is on, and on again."""
    training = [module for module in model.modules() if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True


@dataclass(frozen=True)
class _Trial:
    """Two conversations of unlike length over one beginning, and what plain passes make of them.

    Attributes:
        start: What both begin with.
        turns: What is shown and what is drawn, turn by turn, for each conversation.
        long: Replies to the first turn of the first one.
        drawn: Log-probability of every drawn token, conversation by conversation.
        scored: Log-probability of each long reply.
        tolerance: How far a mean may be off: rounding, at the model's precision.
    """

    start: Ids
    turns: tuple[tuple[tuple[Ids, Ids], ...], ...]
    long: tuple[Ids, ...]
    drawn: tuple[np.ndarray, ...]
    scored: np.ndarray
    tolerance: float

    @classmethod
    def of(cls, model: PreTrainedModel) -> _Trial:
        start, *shown, first, second, third, fourth = _texts(model, (_START, *_SHOWN, *[_STEPS] * 4))
        turns = (((shown[0], first), (shown[2], second)), ((shown[1], third), (shown[3], fourth)))
        long = tuple(_texts(model, (_REPLY,) * _LONG))
        return cls(
            start,
            turns,
            long,
            tuple(_drawn_plainly(model, start, turn) for turn in turns),
            np.array([_plain(model, start + shown[0], reply).sum() for reply in long]),
            max(1e-3, 32 * torch.finfo(model.dtype).eps),
        )

    def agrees(self, found: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> bool:
        """Whether log-probabilities are the expected ones, up to rounding."""
        return bool(np.abs(np.concatenate(found) - np.concatenate(expected)).mean() <= self.tolerance)


def _tried(model: PreTrainedModel, trial: _Trial) -> Way:
    padded = plain_scoring.token_log_probs(
        model, [(trial.start + trial.turns[0][0][0], reply) for reply in (*trial.long, (0,))]
    )
    if not trial.agrees([np.array([scores.sum() for scores in padded[:-1]]) / _REPLY], [trial.scored / _REPLY]):
        raise UserError(f"got a {type(model).__name__}, whose results change with padding; use another architecture")
    way = declared_way(model)
    keeps = way is not NOTHING and _reads_positions(model, trial.start)
    if keeps and _draws(way, model, trial) and _scores(way, model, trial):
        return way
    if _draws(NOTHING, model, trial):
        return NOTHING
    raise UserError(
        f"got a {type(model).__name__}, an architecture whose sampled and scored probabilities would not agree here "
        "(state-space models are one such kind); use one that attends to earlier tokens"
    )


@torch.inference_mode()
def _reads_positions(model: PreTrainedModel, ids: Ids) -> bool:
    """Whether the positions that it is given matter to a model; if not, they come from slots, at any precision."""
    tokens = torch.tensor([ids], device=model.device)
    right = torch.arange(len(ids), device=model.device)[None]
    try:
        one, other = (
            model(input_ids=tokens, position_ids=places).logits for places in (right, torch.zeros_like(right))
        )
    except Exception:  # an architecture may fail anywhere in what it does not support
        return False
    return not torch.equal(one, other)


def _draws(way: Way, model: PreTrainedModel, trial: _Trial) -> bool:
    """Whether drawn tokens have the probabilities of plain passes."""
    try:
        return trial.agrees(_drawn(way.decoder(model), trial), trial.drawn)
    except Exception:  # as above
        return False


def _scores(way: Way, model: PreTrainedModel, trial: _Trial) -> bool:
    """Whether replies scored together have the probabilities of plain passes."""
    prompts = [Context(trial.start + turns[0][0]) for turns in trial.turns]
    try:
        found = np.array(
            [tokens.sum() for tokens in way.reply_log_probs(model, prompts, (trial.long, trial.long[:1]), 1.0)[0]]
        )
    except Exception:  # as above
        return False
    return trial.agrees([found / _REPLY], [trial.scored / _REPLY])


@torch.inference_mode()
def _drawn(decoder: Decoder, trial: _Trial) -> list[np.ndarray]:
    """Log-probabilities of the drawn tokens as a session would come by them, conversation by conversation."""
    contexts = [Context(trial.start)] * len(trial.turns)
    found: list[list[float]] = [[] for _ in trial.turns]
    for turn in zip(*trial.turns, strict=True):
        replies = [reply for _, reply in turn]
        ahead = (tuple(reply[:2] for reply in replies), ())  # one row runs words ahead, not all of them drawn
        contexts = [context.then(shown) for context, (shown, _) in zip(contexts, turn, strict=True)]
        logits = decoder.feed(contexts, ahead)
        for step in range(_STEPS):
            if step:
                logits = decoder.branch(np.arange(len(turn)), np.array([reply[step - 1] for reply in replies]))
            scores = torch.log_softmax(logits.float(), dim=-1)
            for row, reply in enumerate(replies):
                found[row].append(float(scores[row, reply[step]]))
        contexts = [context.then(reply) for context, reply in zip(contexts, replies, strict=True)]
        for row, context in enumerate(contexts):
            decoder.remember(context, row)
    return [np.array(scores) for scores in found]


def _drawn_plainly(model: PreTrainedModel, start: Ids, turns: Sequence[tuple[Ids, Ids]]) -> np.ndarray:
    found, before = [], start
    for shown, reply in turns:
        found.append(_plain(model, before + shown, reply))
        before += shown + reply
    return np.concatenate(found)


@torch.inference_mode()
def _plain(model: PreTrainedModel, prompt: Ids, reply: Ids) -> np.ndarray:
    """Log-probability of each token of a reply by one pass over one row without padding."""
    try:
        logits = model(input_ids=torch.tensor([prompt + reply], device=model.device)).logits[0].float()
    except Exception as error:  # a model may fail in any way at all
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(f"the model, a {type(model).__name__}, cannot be run: {first}") from error
    scores = torch.log_softmax(logits[len(prompt) - 1 : -1], dim=-1)
    if not bool(torch.isfinite(scores).all()):
        raise UserError(f"the model, a {type(model).__name__}, gives probabilities that are not finite numbers")
    chosen: np.ndarray = scores.gather(1, torch.tensor(reply, device=scores.device)[:, None])[:, 0].cpu().numpy()
    return chosen
