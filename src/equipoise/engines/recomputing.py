"""A decoder that prefills whole transcripts each turn, left-padded, with the model's own cache inside a turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from equipoise.engines.decoder import left_padded, rows_at_once
from equipoise.engines.engine import Context, Ids
from equipoise.engines.memory import within

_PAD = 0
"""The token that fills the left; no row sees it."""
_ROWS = 128
"""Rows of a batch: each has all its transcript's keys and values in the model's own cache."""


class RecomputingDecoder:
    """Serves every architecture, at the price of running each transcript again every turn."""

    def __init__(self, model: PreTrainedModel) -> None:
        """Args: model: Any causal language model."""
        self._model = model
        self._cache: Any = None
        self._mask = torch.zeros(0)

    @property
    def most(self) -> int:
        """Rows that it takes at a time."""
        return min(within(_ROWS), rows_at_once(self._model.config.get_text_config().vocab_size))

    def feed(self, contexts: Sequence[Context], likely: Sequence[tuple[Ids, ...]] = ()) -> torch.Tensor:
        """Runs every context from the start, nothing ahead; logits after the last token, [U, V]."""
        tokens, real = left_padded([context.ids for context in contexts], _PAD)
        self._cache = None
        self._mask = torch.from_numpy(real.astype(np.int64)).to(self._model.device)
        return self._forward(torch.from_numpy(tokens))

    def branch(self, parents: np.ndarray, tokens: np.ndarray) -> torch.Tensor:
        """Continues row `parents[i]` with `tokens[i]`; logits, [U', V]."""
        rows = torch.as_tensor(parents, dtype=torch.long, device=self._model.device)
        self._cache.reorder_cache(rows)
        self._mask = torch.cat([self._mask[rows], self._mask.new_ones((len(parents), 1))], dim=1)
        return self._forward(torch.from_numpy(tokens.astype(np.int64))[:, None])

    def remember(self, context: Context, row: int) -> None:
        """Nothing is kept."""

    @torch.inference_mode()
    def _forward(self, tokens: torch.Tensor) -> torch.Tensor:
        positions = (self._mask.cumsum(1) - 1).clamp(min=0)[:, -tokens.shape[1] :]
        output = self._model(
            input_ids=tokens.to(self._model.device),
            attention_mask=self._mask,
            position_ids=positions,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        )
        self._cache = output.past_key_values
        logits: torch.Tensor = output.logits[:, -1]
        return logits
