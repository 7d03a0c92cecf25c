"""What a session asks of a decoder: to step a model over many ragged, branching sequences, each distinct one once.

Two modules answer it. `decoding_kept` keeps the keys and values of every transcript across its turns.
`decoding_recomputing` prefills whole transcripts each turn; it serves architectures whose memory is not a plain
key-value cache (sliding windows, linear attention, positions that come from a key's slot). `exactness` chooses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from equipoise.policies.chat import Ids


@dataclass(eq=False, slots=True)
class Context:
    """A transcript prefix: its tokens and, where a cache is kept, what the decoder remembers of it.

    Attributes:
        ids: All tokens.
        held: How many of them the cache holds; the rest is fed with the next turn.
        place: The decoder's own note of where they lie, or None.
    """

    ids: Ids
    held: int = 0
    place: Any = None


class Decoder(Protocol):
    """Feeds turns and branches; rows are distinct sequences."""

    def feed(
        self, contexts: Sequence[Context], chunks: Sequence[Ids], likely: Sequence[tuple[Ids, ...]] | None = None
    ) -> torch.Tensor:
        """Appends a chunk to each context (plus its unfed tokens); logits after the last token, [U, V].

        `likely` names whole replies that may follow each row. A decoder may run their tokens ahead; no result depends
        on it.
        """
        ...

    def branch(self, parents: np.ndarray, tokens: np.ndarray) -> torch.Tensor:
        """Continues row `parents[i]` with `tokens[i]`; logits, [U', V]."""
        ...

    def context(self, ids: Ids, row: int, unfed: int) -> Context:
        """The context of a row whose last `unfed` tokens have not been fed."""
        ...


def left_padded(rows: Sequence[Ids], pad: int) -> tuple[np.ndarray, np.ndarray]:
    """Token ids with padding on the left, [U, W], and where they are real, [U, W] bool."""
    width = max(len(ids) for ids in rows)
    tokens = np.full((len(rows), width), pad, dtype=np.int64)
    for row, ids in enumerate(rows):
        tokens[row, width - len(ids) :] = ids
    lengths = np.array([len(ids) for ids in rows])
    return tokens, np.arange(width) >= width - lengths[:, None]
