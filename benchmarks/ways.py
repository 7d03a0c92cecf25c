"""Ways to draw replies behind one interface: the engines here, and what transformers itself offers as engines.

Each opens on a model and its tokenizer. All draw at the temperature that they are asked for, from the whole vocabulary,
and end a reply at the same tokens or after as many. Only what `Engine.sample` needs is there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any
from unittest import mock

import numpy as np
import torch
from transformers import GenerationConfig, PreTrainedModel

from equipoise.engines.decoder import left_padded
from equipoise.engines.engine import Capabilities, Context, Decoding, Ids, Sample
from equipoise.engines.local import LocalEngine, stops_of

GENERATE_ROWS = 64
"""Rows of a `generate` call: more gain nothing on a CPU and take memory for their keys."""
BLOCKS, BATCH_TOKENS = 128, 1024
"""Room of continuous batching: cache blocks of 256 tokens, and tokens of a pass, whose mask is over all of them."""


class TransformersEngine:
    """What transformers' ways have in common: rows of ids in, rows of drawn tokens out."""

    name = "transformers"
    can = Capabilities(scores=False, log_probs=False, updates=False)

    def __init__(self, model: PreTrainedModel) -> None:
        """Args: model: A loaded causal language model."""
        self.model = model
        self.vocabulary: int = len(model.get_input_embeddings().weight)
        self.stops = stops_of(model)

    def replies(self, rows: Sequence[Ids], settings: GenerationConfig) -> list[list[int]]:
        """What is drawn after each row, what follows a stop included."""
        raise NotImplementedError

    def sample(
        self,
        prompts: Sequence[Context],
        keys: Sequence[np.ndarray],
        decoding: Decoding,
        *,
        adapter: str = "",
        likely: Sequence[tuple[Ids, ...]] = (),
    ) -> list[list[Sample]]:
        """As `Engine.sample`, but that what is drawn beside a reply changes it; every draw is a row of its own."""
        torch.manual_seed(int(keys[0][0]) >> 1)
        settings = GenerationConfig(
            do_sample=True,
            temperature=decoding.temperature,
            top_k=0,
            top_p=1.0,
            max_new_tokens=decoding.max_new_tokens,
            eos_token_id=sorted(decoding.stops) or None,
            pad_token_id=min(self.stops, default=0),
        )
        rows = [prompt.ids for prompt, own in zip(prompts, keys, strict=True) for _ in own]
        with mock.patch.object(self.model.generation_config, "eos_token_id", None):  # it would stand in for no stops
            drawn = iter(self.replies(rows, settings))
        return [
            [_sample(prompt, next(drawn), decoding) for _ in own] for prompt, own in zip(prompts, keys, strict=True)
        ]

    def close(self) -> None:
        """Nothing is held."""


class Generate(TransformersEngine):
    """`generate`, left-padded."""

    most = GENERATE_ROWS

    @torch.inference_mode()
    def replies(self, rows: Sequence[Ids], settings: GenerationConfig) -> list[list[int]]:
        replies: list[list[int]] = []
        for start in range(0, len(rows), self.most):
            tokens, real = left_padded(rows[start : start + self.most], settings.pad_token_id)
            output: Any = self.model.generate(
                input_ids=torch.from_numpy(tokens).to(self.model.device),
                attention_mask=torch.from_numpy(real.astype(np.int64)).to(self.model.device),
                generation_config=settings,
            )
            replies += output[:, tokens.shape[1] :].tolist()
        return replies


class OneAtATime(Generate):
    """`generate` for every reply by itself."""

    most = 1


class Continuous(TransformersEngine):
    """Continuous batching: rows come and go, with a cache in blocks that rows of the same beginning may share."""

    def replies(self, rows: Sequence[Ids], settings: GenerationConfig) -> list[list[int]]:
        from transformers.generation.configuration_utils import ContinuousBatchingConfig

        logging.getLogger("ContinuousBatchingLogger").setLevel(logging.ERROR)
        model: Any = self.model
        room = ContinuousBatchingConfig(
            num_blocks=BLOCKS, max_batch_tokens=BATCH_TOKENS, max_requests_per_batch=GENERATE_ROWS, seed=0
        )
        # what a call sets up is kept for the next one; its requests are numbered on
        found = model.generate_batch([list(row) for row in rows], settings, room, warmup=False, persistent_manager=True)
        if len(found) < len(rows):
            raise RuntimeError(f"of {len(rows)} replies {len(found)} came back")
        return [found[name].generated_tokens for name in sorted(found, key=lambda name: int(name.rpartition("_")[2]))]


def vllm(model: PreTrainedModel) -> Any:
    """vLLM with the room that the loads need."""
    from equipoise.engines.vllm import VllmEngine
    from equipoise.engines.vllm_settings import VllmSettings

    return VllmEngine(model.requires_grad_(False), VllmSettings(max_model_len=1024))


def _sample(prompt: Context, tokens: list[int], decoding: Decoding) -> Sample:
    """A reply up to its stop."""
    end = next((i for i, token in enumerate(tokens) if token in decoding.stops), None)
    drawn = tuple(tokens[: len(tokens) if end is None else end + 1])
    return Sample(drawn, (), end is not None, prompt.then(drawn))


WAYS: dict[str, Callable[[PreTrainedModel], Any]] = {
    "local": LocalEngine,
    "generate": Generate,
    "vllm": vllm,
    "continuous": Continuous,
    "one at a time": OneAtATime,
}
"""By name, how each opens."""
