"""Log-probabilities by plain forward passes, one row a transcript: what every faster way must agree with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from transformers import PreTrainedModel

from equipoise.engines.engine import Context, Ids
from equipoise.engines.memory import within
from equipoise.engines.next_token import next_token

_PASS_TOKENS, _PASS_LOGITS = 1 << 16, 1 << 27
"""Bounds of one plain forward pass, padding included: tokens fed, and logits (tokens x vocabulary)."""


@torch.inference_mode()
def token_log_probs(
    model: PreTrainedModel, rows: Sequence[tuple[Ids, Ids]], temperature: float = 1.0
) -> list[np.ndarray]:
    """Log-probability of every token of each completion after its prompt, by one plain forward pass, float32.

    Args:
        model: A causal language model.
        rows: (prompt, completion) token ids.
        temperature: Divides the logits; 0 is greedy.
    """
    result: list[np.ndarray] = []
    distribution = next_token(temperature)
    for part in _passes(rows, model.config.get_text_config().vocab_size):
        width = max(len(p) + len(c) for p, c in part)
        tokens = torch.zeros((len(part), width), dtype=torch.long)
        mask = torch.zeros((len(part), width), dtype=torch.long)
        for i, (prompt, completion) in enumerate(part):
            length = len(prompt) + len(completion)
            tokens[i, :length] = torch.tensor(prompt + completion)
            mask[i, :length] = 1
        logits = model(input_ids=tokens.to(model.device), attention_mask=mask.to(model.device)).logits
        for i, (prompt, completion) in enumerate(part):
            span = slice(len(prompt) - 1, len(prompt) + len(completion) - 1)
            scores = distribution.log_probs(logits[i, span])
            wanted = torch.tensor(completion, device=scores.device)[:, None]
            result.append(scores.gather(1, wanted)[:, 0].cpu().numpy())
    return result


def reply_log_probs(
    model: PreTrainedModel, prompts: Sequence[Context], replies: Sequence[Sequence[Ids]], temperature: float
) -> list[list[np.ndarray]]:
    """Log-probability of each token of each reply after its prompt; equal ones are run once.

    Args:
        model: A causal language model.
        prompts: What is before them, none empty.
        replies: The replies to score after each prompt, none of them empty.
        temperature: Divides the logits; 0 is greedy.
    """
    texts = [prompt.ids for prompt in prompts]
    rows = list({(text, reply): None for text, options in zip(texts, replies, strict=True) for reply in options})
    found = dict(zip(rows, token_log_probs(model, rows, temperature), strict=True))
    return [[found[text, reply] for reply in options] for text, options in zip(texts, replies, strict=True)]


def _passes(rows: Sequence[tuple[Ids, Ids]], vocabulary: int) -> list[list[tuple[Ids, Ids]]]:
    """The rows in their order, as many to a pass as its bounds allow, at least one."""
    passes: list[list[tuple[Ids, Ids]]] = []
    width = 0
    for prompt, completion in rows:
        width = max(width, len(prompt) + len(completion))
        tokens = (len(passes[-1]) + 1) * width if passes else 0
        if not passes or tokens > within(_PASS_TOKENS) or tokens * vocabulary > within(_PASS_LOGITS):
            passes.append([])
            width = len(prompt) + len(completion)
        passes[-1].append((prompt, completion))
    return passes
