"""What drawing replies asks of a decoder: to step a model over ragged, branching sequences, each distinct one once.

Two modules answer it. `kept` keeps what a model has read of every transcript across its turns. `recomputing` prefills
whole transcripts each turn; it serves architectures for which that would not be exact. `exactness` chooses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch

from equipoise.engines.engine import Context, Ids
from equipoise.engines.memory import within


class Decoder(Protocol):
    """Feeds turns and branches; rows are distinct sequences."""

    @property
    def most(self) -> int:
        """Rows that it takes at a time."""
        ...

    def feed(self, contexts: Sequence[Context], likely: Sequence[tuple[Ids, ...]] = ()) -> torch.Tensor:
        """Reads what it has not read of each context; logits after the last token, [U, V].

        `likely` names whole replies that may follow each row. A decoder may run their tokens ahead; no result depends
        on it.
        """
        ...

    def branch(self, parents: np.ndarray, tokens: np.ndarray) -> torch.Tensor:
        """Continues row `parents[i]` with `tokens[i]`; logits, [U', V]."""
        ...

    def remember(self, context: Context, row: int) -> None:
        """Notes at a context what was read of it: row `row`, all its tokens but the last."""
        ...


def left_padded(rows: Sequence[Ids], pad: int) -> tuple[np.ndarray, np.ndarray]:
    """Token ids with padding on the left, [U, W], and where they are real, [U, W] bool."""
    width = max(len(ids) for ids in rows)
    tokens = np.full((len(rows), width), pad, dtype=np.int64)
    for row, ids in enumerate(rows):
        tokens[row, width - len(ids) :] = ids
    lengths = np.array([len(ids) for ids in rows])
    return tokens, np.arange(width) >= width - lengths[:, None]


def rows_at_once(vocabulary: int, ahead: int = 0) -> int:
    """Rows whose logits after the last token, and after as many tokens ahead, fit into `LOGITS` numbers.

    Args:
        vocabulary: Tokens of the model.
        ahead: Tokens run ahead of each row.
    """
    return max(1, min(within(ROWS), within(LOGITS) // (vocabulary * (1 + ahead))))


ROWS, LOGITS = 1_024, 1 << 27
"""Most rows that are alive at a time, and most logits of theirs: half a gigabyte in float32."""
