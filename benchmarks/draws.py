"""What drawing tokens costs beside the forward pass where the vocabulary is large.

A random model of the shape of Qwen2.5-0.5B (896 wide, 24 layers, 151,936 tokens) in float32 is asked for replies to
prompts that share nothing, a token of each reply at a time. After the first draw, CPU seconds are told apart: the
model's forward passes, the draws (`engines.drawing.draw`: log-probabilities of all tokens, and the drawn one), and all
the rest of a step. Reading the prompts does not count.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from training import Timers

PROMPT, STEPS = 4, 6
"""Tokens of a prompt, and of a reply; the first of a reply is drawn from what reading the prompt gave."""
SHAPE: dict[str, Any] = {
    "vocab_size": 151_936,
    "hidden_size": 896,
    "intermediate_size": 4_864,
    "num_hidden_layers": 24,
    "num_attention_heads": 14,
    "num_key_value_heads": 2,
    "tie_word_embeddings": True,
}


def measure(batch: int, repeats: int, shape: dict[str, Any] | None = None) -> list[dict[str, float]]:
    """CPU seconds of a decode step in its parts, for each repeat.

    Args:
        batch: Replies at once, at most as many as the engine runs side by side (220 of this vocabulary).
        repeats: Each draws all replies anew.
        shape: Of another model.
    """
    from transformers import Qwen2Config, Qwen2ForCausalLM

    from equipoise.engines import drawing
    from equipoise.engines.engine import Context, Decoding
    from equipoise.engines.local import LocalEngine
    from equipoise.seeds import Seed, keys

    torch.set_num_threads(1)
    torch.manual_seed(0)
    config = Qwen2Config(**(shape or SHAPE))
    model = Qwen2ForCausalLM(config).eval()
    engine, timers, found = LocalEngine(model), Timers(), []
    engine.sample([Context((1, 2))], [keys(Seed(0), range(1))], Decoding(1.0, 2, frozenset()))  # tries the engine out
    timers.around(drawing, "draw", "drawing")
    timers.around(model, "forward", "forward")
    draw, draws = drawing.draw, 0

    def counted(*args: Any) -> Any:
        nonlocal draws
        drawn = draw(*args)
        draws += 1
        if draws == 1:
            timers.restart()
        return drawn

    drawing.draw = counted
    rng = np.random.default_rng(0)
    for repeat in range(repeats):
        draws = 0
        prompts = [Context(tuple(row)) for row in rng.integers(0, config.vocab_size, (batch, PROMPT)).tolist()]
        own = list(keys(Seed(repeat), range(batch))[:, None])
        engine.sample(prompts, own, Decoding(1.0, STEPS, frozenset()))
        timers.enter("end")
        timers.leave()
        seconds = timers.seconds
        parts = {"forward": seconds["forward"], "drawing": seconds["drawing"]}
        parts["the rest"] = sum(seconds.values()) - sum(parts.values())
        found.append({part: value / (STEPS - 1) for part, value in parts.items()})
    timers.undo()
    return found
