"""Where a kept decoder's keys and values lie: blocks of rows, token t of a row in slot t, so nothing has holes.

A forward pass reads and writes some rows through the model's own cache interface: in place where they are most of one
block, over a copy of them otherwise. Space that no row sees takes what padding writes: the last slot of every block.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers.cache_utils import Cache, DynamicLayer

BLOCK_ROWS = 128
"""Rows of a full block and of a forward pass: enough to fill matrix products, few enough for a CPU's cache."""
_FIRST_ROWS, _FIRST_SLOTS = 8, 64


class Row:
    """One row of a block. Contexts share it; when the last of them is gone, its place is free again."""

    __slots__ = ("block", "index", "length")

    def __init__(self, block: Block) -> None:
        self.block = block
        self.index: int = heapq.heappop(block.free)
        self.length = 0

    def __del__(self) -> None:
        heapq.heappush(self.block.free, self.index)


class Store:
    """All blocks of a decoder."""

    def __init__(self, layers: int) -> None:
        """Args: layers: Layers of the model."""
        self._layers = layers
        self._blocks: list[Block] = []

    def row(self) -> Row:
        """A free row, the lowest of the first block that has one."""
        for block in self._blocks:
            if block.free:
                return Row(block)
        if self._blocks and self._blocks[-1].rows < BLOCK_ROWS:
            self._blocks[-1].widen()
        else:
            self._blocks.append(Block(self._layers, self._blocks[0] if self._blocks else None))
        return Row(self._blocks[-1])


class Block:
    """Space for the keys and values of some rows; it grows by doubling, in rows and in slots."""

    def __init__(self, layers: int, like: Block | None) -> None:
        """Args: layers: Layers of the model. like: A block whose tensors have the right shapes, if there is one."""
        self.rows = _FIRST_ROWS
        self.slots: int = _FIRST_SLOTS if like is None else like.slots
        self.free: list[int] = list(range(self.rows))
        self.layers = [_Buffers() for _ in range(layers)]
        if like is not None:
            for layer, other in zip(self.layers, like.layers, strict=True):
                layer.allocate(other.keys, other.values, self.rows, self.slots)

    def widen(self) -> None:
        """Doubles the rows."""
        self.free += range(self.rows, 2 * self.rows)
        self._resize(2 * self.rows, self.slots)

    def reserve(self, tokens: int) -> None:
        """Makes room for rows of so many tokens, and for the slot that padding is written to."""
        if tokens >= self.slots:
            self._resize(self.rows, max(tokens + 1, 2 * self.slots))

    def _resize(self, rows: int, slots: int) -> None:
        self.rows, self.slots = rows, slots
        for layer in self.layers:
            layer.resize(rows, slots)

    def copy(self, source: Block, moved: np.ndarray) -> None:
        """Copies rows of a block (this one, too) here; `moved` lists (from, to, tokens), [M, 3]."""
        tokens = int(moved[:, 2].max())
        self.reserve(tokens)
        for layer, other in zip(self.layers, source.layers, strict=True):
            layer.copy(other, moved[:, 0], moved[:, 1], tokens)


class _Buffers:
    """One model layer's keys and values, [rows, heads, slots, size]; None until the model has shown their shape."""

    def __init__(self) -> None:
        self.keys: torch.Tensor | None = None
        self.values: torch.Tensor | None = None

    def allocate(self, keys: torch.Tensor | None, values: torch.Tensor | None, rows: int, slots: int) -> None:
        self.keys, self.values = _space(keys, rows, slots), _space(values, rows, slots)

    def resize(self, rows: int, slots: int) -> None:
        old = self.keys, self.values
        self.allocate(*old, rows, slots)
        for buffer, kept in zip((self.keys, self.values), old, strict=True):
            if buffer is not None and kept is not None:
                buffer[: kept.shape[0], :, : kept.shape[2]] = kept

    def copy(self, source: _Buffers, from_rows: np.ndarray, to_rows: np.ndarray, tokens: int) -> None:
        for buffer, other in ((self.keys, source.keys), (self.values, source.values)):
            if buffer is not None and other is not None:
                start, end = (torch.from_numpy(rows).to(buffer.device) for rows in (from_rows, to_rows))
                buffer[:, :, :tokens].index_copy_(0, end, other[:, :, :tokens].index_select(0, start))


def _space(like: torch.Tensor | None, rows: int, slots: int) -> torch.Tensor | None:
    """Zeros, because unwritten slots must be finite: a masked slot has weight zero, but zero times NaN is NaN."""
    return None if like is None else like.new_zeros((rows, like.shape[1], slots, like.shape[3]))


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of one block in a forward pass.

    Attributes:
        block: The block.
        rows: Its rows, adjacent in the batch, [U].
        slots: Where each of their tokens goes, [U, W].
    """

    block: Block
    rows: torch.Tensor
    slots: torch.Tensor


def pass_cache(parts: Sequence[Part], in_place: bool, end: int) -> Cache:
    """The parts as a model's cache for one forward pass over their rows.

    Args:
        parts: Whose rows make up the batch, in order.
        in_place: Whether the batch is exactly the first rows of a single block.
        end: Slots to read.
    """
    for part in parts:
        part.block.reserve(end)
    layers = len(parts[0].block.layers)
    return Cache(layers=[_PassLayer(parts, index, in_place, end) for index in range(layers)])


class _PassLayer(DynamicLayer):
    """One layer of a pass: writes the new keys and values to their rows and returns all that those rows hold."""

    def __init__(self, parts: Sequence[Part], index: int, in_place: bool, end: int) -> None:
        DynamicLayer.__init__(self)
        self.parts, self.index, self.in_place, self.end = parts, index, in_place, end
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        for part in self.parts:
            buffers = part.block.layers[self.index]
            if buffers.keys is None:
                buffers.allocate(key_states, value_states, part.block.rows, part.block.slots)
        keys = [part.block.layers[self.index].keys for part in self.parts]
        values = [part.block.layers[self.index].values for part in self.parts]
        return self._exchanged(keys, key_states), self._exchanged(values, value_states)

    def _exchanged(self, buffers: Sequence[Any], states: torch.Tensor) -> torch.Tensor:
        count = states.shape[0]
        read = None if self.in_place else states.new_empty((count, states.shape[1], self.end, states.shape[3]))
        start = 0
        for buffer, part in zip(buffers, self.parts, strict=True):
            stop = start + len(part.rows)
            buffer[part.rows[:, None], :, part.slots] = states[start:stop].transpose(1, 2)
            if read is not None:
                torch.index_select(buffer[:, :, : self.end], 0, part.rows, out=read[start:stop])
            start = stop
        view: torch.Tensor = buffers[0][:count, :, : self.end] if read is None else read
        return view

    def get_seq_length(self) -> int:
        return self.end
