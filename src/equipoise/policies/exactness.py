"""Which of the fast ways to run a model are exact for it, found out by trying them.

Architectures differ in what a kept key may be used for: where positions come from a key's slot in the cache (ALiBi) a
packed pass is silently wrong, and state-space models keep no keys at all. No list of names stays right for long. So
before a model first plays, a short conversation is run every way that would be used and compared with plain passes.
What a short text cannot show is read from the config: windows, and positions that change with the length.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from transformers import PreTrainedModel

from equipoise.errors import UserError
from equipoise.policies.chat import ChatFormat, Ids
from equipoise.policies.decoding import Context, Decoder
from equipoise.policies.decoding_kept import KeptDecoder
from equipoise.policies.decoding_recomputing import RecomputingDecoder
from equipoise.policies.plain_scoring import token_log_probs
from equipoise.policies.scoring import reply_probabilities
from equipoise.policies.token_trie import ROOT, TokenTrie

_WORDS = (
    "Two players meet eight times. Each one says yes or no, both at once. If both say yes, each gets 3; if both say "
    "no, each gets 1; else the one that says no gets 5 and the other 0. You met, and the other player was late again."
)
_REPLY, _LONG, _STEPS = 24, 4, 3
"""Tokens of a scored reply, how many of them hang from one prompt, and tokens drawn in a turn.

Long replies side by side put many slots between a reply and its prompt: what takes slots for positions is far off.
"""

_KEPT: WeakKeyDictionary[torch.nn.Module, bool] = WeakKeyDictionary()


def keeps_cache(model: PreTrainedModel, chat: ChatFormat) -> bool:
    """Whether kept keys and packed scoring are exact for a model; if not, recomputing whole transcripts is.

    Tried once for every model, in a moment.

    Raises:
        UserError: Where neither is, or the model's own passes fail or are not finite.
    """
    if model not in _KEPT:
        with _evaluating(model):
            _KEPT[model] = _tried(model, _Trial.of(model, chat))
    return _KEPT[model]


def attends_to_everything(model: PreTrainedModel) -> bool:
    """Whether a model's config says that each layer sees all earlier tokens, at positions that stay what they are."""
    config = model.config.get_text_config()
    rope = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    kinds = {layer.get("rope_type") for layer in (rope, *rope.values()) if isinstance(layer, dict)}
    if kinds & {"dynamic", "longrope"}:
        return False
    layers = getattr(config, "layer_types", None)
    if layers is not None:
        return all(kind == "full_attention" for kind in layers)
    return not any("window" in name and value for name, value in config.to_dict().items())


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
    def of(cls, model: PreTrainedModel, chat: ChatFormat) -> _Trial:
        words = (chat.words(_WORDS) * (_REPLY * (_LONG + 1)))[: _REPLY * (_LONG + 2)]
        start = chat.prefix(_WORDS[:40])
        parts = [words[i : i + _STEPS] for i in range(0, 4 * _STEPS, _STEPS)]
        shown = [chat.observation(_WORDS[:length]) for length in (90, 60, 12, 30)]
        turns = (((shown[0], parts[0]), (shown[2], parts[1])), ((shown[1], parts[2]), (shown[3], parts[3])))
        long = tuple(words[i * _REPLY : (i + 1) * _REPLY] for i in range(_LONG))
        _require_rows(model, max((*start, *words, *(i for ids in shown for i in ids))))
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


def _tried(model: PreTrainedModel, trial: _Trial) -> bool:
    padded = token_log_probs(model, [(trial.start + trial.turns[0][0][0], reply) for reply in (*trial.long, (0,))])
    if not trial.agrees([np.array([scores.sum() for scores in padded[:-1]]) / _REPLY], [trial.scored / _REPLY]):
        raise UserError(f"got a {type(model).__name__}, whose results change with padding; use another architecture")
    keepable = attends_to_everything(model) and _reads_positions(model, trial.start)
    if keepable and _is_exact(trial, KeptDecoder, model) and _packs(model, trial):
        return True
    if _is_exact(trial, lambda model: RecomputingDecoder(model, trial.start[-1]), model):
        return False
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


def _is_exact(trial: _Trial, make: Any, model: PreTrainedModel) -> bool:
    try:
        return trial.agrees(_drawn(make(model), trial), trial.drawn)
    except Exception:  # as above
        return False


def _packs(model: PreTrainedModel, trial: _Trial) -> bool:
    """Whether replies packed side by side have the probabilities of plain passes."""
    trie = TokenTrie()
    prompts = [trial.start + turns[0][0] for turns in trial.turns]
    asked = [(trie.leaf(ROOT, prompts[0]), trial.long), (trie.leaf(ROOT, prompts[1]), trial.long[:1])]
    try:
        found = np.log(np.maximum(reply_probabilities(model, trie, asked, 1.0)[0], 1e-300))
    except Exception:  # as above
        return False
    return trial.agrees([found / _REPLY], [trial.scored / _REPLY])


@torch.inference_mode()
def _drawn(decoder: Decoder, trial: _Trial) -> list[np.ndarray]:
    """Log-probabilities of the drawn tokens as a session would come by them, conversation by conversation."""
    decoder.feed([Context(())], [trial.start[:-1]])
    contexts = [decoder.context(trial.start, 0, 1)] * len(trial.turns)
    found: list[list[float]] = [[] for _ in trial.turns]
    for turn in zip(*trial.turns, strict=True):
        replies = [reply for _, reply in turn]
        ahead = (tuple(reply[:2] for reply in replies), ())  # one row runs words ahead, not all of them drawn
        logits = decoder.feed(contexts, [shown for shown, _ in turn], ahead)
        for step in range(_STEPS):
            if step:
                logits = decoder.branch(np.arange(len(turn)), np.array([reply[step - 1] for reply in replies]))
            scores = torch.log_softmax(logits.float(), dim=-1)
            for row, reply in enumerate(replies):
                found[row].append(float(scores[row, reply[step]]))
        contexts = [
            decoder.context(context.ids + shown + reply, row, 1)
            for row, (context, (shown, reply)) in enumerate(zip(contexts, turn, strict=True))
        ]
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


def _require_rows(model: PreTrainedModel, token: int) -> None:
    embeddings: Any = model.get_input_embeddings()
    rows = len(embeddings.weight)
    if token >= rows:
        raise UserError(
            f"the tokenizer writes token {token}, and the model has {rows} tokens; they do not fit together"
        )
