"""Whether an engine that runs a model its own way gives the model's probabilities: tried once, on a short batch."""

from __future__ import annotations

import numpy as np
import torch
from transformers import PreTrainedModel

from equipoise.engines.engine import Context, Decoding, Engine
from equipoise.engines.plain_scoring import token_log_probs
from equipoise.errors import UserError
from equipoise.seeds import Seed, Use, keys

EXACT = 1e-4
"""How far log-probabilities may be off in the mean, whatever the precision."""

_LENGTHS, _BEYOND, _NEW, _DRAWS = (3, 17, 40, 70), 9, 8, 2
"""Tokens of the prompts, by how much one is longer than a sliding window, tokens of a reply, and replies to each."""

_TEMPERATURE = 0.8


def require_agreement(engine: Engine, model: PreTrainedModel, longest: int) -> float:
    """The largest difference between sampled log-probabilities and those of plain passes of the same model.

    The mean must be within `EXACT`, or within 32 units of the last place of a shorter type: 0.25 in bfloat16. Sums that
    are ordered otherwise are rounded otherwise, and a single one of them may be off by more: plain passes in float32
    were up to 1e-4 off those in float64 for a small random Gemma 4. What an architecture does otherwise is off by more
    than a tenth.

    Args:
        engine: What samples.
        model: The model that it was made of, in memory.
        longest: Tokens of the longest prompt with its reply.

    Raises:
        UserError: Where they differ by more.
    """
    text = model.config.get_text_config()
    window = getattr(text, "sliding_window", None) or 0
    lengths = [length for length in (*_LENGTHS, window + _BEYOND) if length + _NEW <= longest]
    rng = Seed(0).at(Use.CHECKS).generator()
    prompts = [Context(tuple(int(i) for i in rng.integers(0, engine.vocabulary // 2, length))) for length in lengths]
    decoding = Decoding(_TEMPERATURE, _NEW, frozenset())
    own = [keys(Seed(0).at(Use.CHECKS), [number] * _DRAWS, range(_DRAWS)) for number in range(len(prompts))]
    drawn = engine.sample(prompts, own, decoding)
    off = np.concatenate(
        [
            np.abs(sample.log_probs - token_log_probs(model, [(prompt.ids, sample.tokens)], _TEMPERATURE)[0])
            for prompt, samples in zip(prompts, drawn, strict=True)
            for sample in samples
        ]
    )
    found, allowed = float(off.mean()), max(EXACT, 32 * torch.finfo(model.dtype).eps)
    if not found <= allowed:  # nor where one is not a number
        raise UserError(
            f"got a {type(model).__name__}, which {engine.name} does not run as transformers does: log-probabilities "
            f"differ by {found:.2g} in the mean, allowed: {allowed:.2g}; use --engine local"
        )
    return float(off.max())
