"""Where a kept decoder's keys and values lie: one slot per token, so that transcripts share what they have in common.

A transcript is a chain of `Stretch` objects, each the slots of the tokens that were fed together. Two continuations of
one transcript are two stretches with the same parent: nothing is copied, and what no transcript needs is free again.
A forward pass writes its tokens to their slots and gathers what each row sees through the model's own cache interface.
Slot 0 belongs to no token: padding is written to it and read from it, and no row sees it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import torch
from transformers.cache_utils import DynamicLayer

_FIRST_SLOTS = 4_096


class Store:
    """The slots of a decoder and, layer by layer, what lies in them."""

    def __init__(self, layers: int, lent: Collection[int] = ()) -> None:
        """Args: layers: Layers of the model. lent: Those whose keys and values later layers read too."""
        self.size: int = _FIRST_SLOTS
        self.layers = [(Space(), Space()) for _ in range(layers)]
        common = (_Scratch(), _Scratch())
        self.scratch = [(_Scratch(), _Scratch()) if layer in lent else common for layer in range(layers)]
        self._free = list(range(self.size - 1, 0, -1))

    def take(self, count: int) -> list[int]:
        """So many free slots; the store doubles when it has too few."""
        while count > len(self._free):
            self._free = [*range(2 * self.size - 1, self.size - 1, -1), *self._free]
            self.size *= 2
        start = len(self._free) - count
        taken = self._free[start:]
        del self._free[start:]
        taken.reverse()
        return taken

    def give(self, slots: Sequence[int]) -> None:
        """Takes slots back."""
        self._free += slots


class Stretch:
    """Tokens fed together after others. Transcripts share it; when the last of them is gone, its slots are free.

    Attributes:
        path: The slots of all tokens from the start of the transcript to the end of this stretch, [L].
    """

    __slots__ = ("_own", "_parent", "_store", "path")

    def __init__(self, store: Store, parent: Stretch | None, own: Sequence[int]) -> None:
        """Args: store: Whose slots. parent: What stands before, or None. own: Slots taken for these tokens."""
        self._store, self._parent, self._own = store, parent, own
        new = np.array(own, dtype=np.int64)
        self.path: np.ndarray = new if parent is None else np.concatenate((parent.path, new))

    def __del__(self) -> None:
        self._store.give(self._own)


class Space:
    """What one layer keeps of a kind, slot by slot; nothing until the model has shown its shape."""

    def __init__(self) -> None:
        self._held: torch.Tensor | None = None

    def at_least(self, slots: int, like: torch.Tensor) -> torch.Tensor:
        """What is held, [slots or more, ...]; slot 0 holds zeros.

        Args:
            slots: How many there must be.
            like: Something held, [any number, ...].
        """
        held = self._held
        if held is None or len(held) < slots:
            self._held = like.new_empty((slots, *like.shape[1:]))
            if held is None:
                self._held[0] = 0.0  # a hidden slot has weight zero, but zero times NaN is NaN
            else:
                self._held[: len(held)] = held
            held = self._held
        return held

    def copied(self, slots: torch.Tensor) -> torch.Tensor:
        """A copy of what lies in slots that were written, or in slot 0, [U, ...]."""
        assert self._held is not None, "nothing was written"
        return self._held.index_select(0, slots)


class _Scratch:
    """Memory that the layers of every pass gather into in turn: fresh memory would cost more than the gathering."""

    def __init__(self) -> None:
        self._held = torch.empty(0)

    def shaped(self, shape: tuple[int, ...], like: torch.Tensor) -> torch.Tensor:
        count = int(np.prod(shape))
        if self._held.numel() < count or self._held.dtype != like.dtype or self._held.device != like.device:
            self._held = like.new_empty(count)
        return self._held[:count].view(shape)


class KeyValueLayer(DynamicLayer):
    """One layer of a pass: writes the new keys and values to their slots and returns all that the rows see."""

    def __init__(self, store: Store, index: int, written: torch.Tensor, seen: torch.Tensor) -> None:
        """Args: store: What lies where. index: The layer. written: The slot of every token of the batch, [U, W].

        seen: The slots whose tokens each row may attend to, in the order of the mask, [U, S].
        """
        DynamicLayer.__init__(self)
        self._store, self._index = store, index
        self._written, self._seen = written.reshape(-1), seen
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        keys, values = self._store.layers[self._index]
        for_keys, for_values = self._store.scratch[self._index]
        return self._exchanged(keys, for_keys, key_states), self._exchanged(values, for_values, value_states)

    def _exchanged(self, space: Space, scratch: _Scratch, states: torch.Tensor) -> torch.Tensor:
        new = states.transpose(1, 2).flatten(0, 1)
        held = space.at_least(self._store.size, new)
        held.index_copy_(0, self._written, new)
        read = scratch.shaped((self._seen.numel(), *held.shape[1:]), states)
        torch.index_select(held, 0, self._seen.reshape(-1), out=read)
        return read.view(*self._seen.shape, *held.shape[1:]).transpose(1, 2)

    def get_seq_length(self) -> int:
        return self._seen.shape[1]
