"""Where a kept decoder's recurrent states lie: one slot for each text that is gone on from.

A layer of linear attention sums up all it has read in a matrix for each head, and its convolution holds the last few
tokens; keys it has none. So what it has of a text is of that text alone, and going on from it must not change it: a
pass gathers the states its rows start from, layer by layer, and writes those at their ends to other slots. Slot 0 is
the start of every text: zeros.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.cache_utils import LinearAttentionLayer

from equipoise.engines.architectures import recurrent_layers
from equipoise.engines.key_value_store import Space

STATE_BYTES, STATE_SHARE = 1 << 31, 4
"""Most memory of one store: 2 GiB on a CPU, on a GPU a quarter of what it has."""
_FEWEST, _MOST, _FIRST = 4, 4_096, 8
"""States that there is always room for, states that there is never more room for, and states to begin with."""


def state_bytes(config: PreTrainedConfig, dtype: torch.dtype) -> int:
    """Memory of one text's states: those of Qwen3.5-4B are 49.5 MiB in bfloat16, whatever the text's length.

    Args:
        config: Of a model with recurrent layers.
        dtype: Of the model; the matrices are float32 in any case.
    """
    text: Any = config.get_text_config()
    values = text.linear_num_value_heads * text.linear_value_head_dim
    channels = 2 * text.linear_num_key_heads * text.linear_key_head_dim + values
    matrices: int = 4 * text.linear_key_head_dim * values
    last: int = dtype.itemsize * channels * text.linear_conv_kernel_dim
    return len(recurrent_layers(config)) * (matrices + last)


def _room(model: PreTrainedModel) -> int:
    """States that a store may hold."""
    device = model.device
    whole = (
        torch.cuda.get_device_properties(device).total_memory if device.type == "cuda" else STATE_SHARE * STATE_BYTES
    )
    return min(_MOST, max(_FEWEST, whole // STATE_SHARE // state_bytes(model.config, model.dtype)))


class States:
    """The states of one decoder: of what it runs now, and of the texts that it may go on from.

    Attributes:
        most: States that it holds at a time; fewer than `least` never.
        kept: How many of them are kept for later.
        layers: For each recurrent layer what lies where: the convolution's last tokens, and the matrices.
    """

    def __init__(self, model: PreTrainedModel, least: int = 0) -> None:
        """Args: model: One with recurrent layers. least: States that there must be room for."""
        self.most: int = max(least, _room(model))
        self.kept: int = 0
        self.size: int = 1
        self.layers = {layer: (Space(), Space()) for layer in recurrent_layers(model.config)}
        self._free: list[int] = []

    def take(self, count: int) -> list[TextState]:
        """So many states in free slots; when there are too few, the slots double, as far as there is room."""
        while count > len(self._free):
            assert self.size <= self.most, "more states at a time than there is room for"
            size = min(self.most + 1, max(_FIRST, 2 * self.size))
            self._free = [*range(size - 1, self.size - 1, -1), *self._free]
            self.size = size
        return [TextState(self, self._free.pop()) for _ in range(count)]

    def give(self, state: TextState) -> None:
        """Takes a state's slot back."""
        self._free.append(state.slot)
        self.kept -= state.kept


class TextState:
    """What the recurrent layers have of one text. When nothing goes on from it any more, its slot is free.

    Attributes:
        slot: Where it lies.
        kept: Whether it is kept for later.
    """

    __slots__ = ("_states", "kept", "slot")

    def __init__(self, states: States, slot: int) -> None:
        """Args: states: Where it is from. slot: Its own."""
        self._states, self.slot, self.kept = states, slot, False

    def keep(self) -> None:
        """Counts it among those kept for later."""
        self._states.kept += not self.kept
        self.kept = True

    def __del__(self) -> None:
        self._states.give(self)


class _Copies(dict[int, torch.Tensor | None]):
    """What the rows of a pass start from, gathered when the model asks for it; the model may write to it.

    A model asks for number 0 of a layer's states of a kind: gated delta nets have one of each.
    """

    def __init__(self, space: Space, slots: torch.Tensor | None) -> None:
        super().__init__()
        self._space, self._slots = space, slots

    def __missing__(self, number: int) -> torch.Tensor:
        assert self._slots is not None, "rows that start at the start have nothing to start from"
        copied = self[number] = self._space.copied(self._slots)
        return copied


class StateLayer(LinearAttentionLayer):
    """One recurrent layer of a pass: gathers what its rows start from, and writes what they end with elsewhere."""

    def __init__(self, states: States, index: int, read: torch.Tensor | None, written: torch.Tensor) -> None:
        """Args: states: What lies where. index: The layer. read: Each row's slot to start from, 0 for the start, [U].

        None where all rows start at the start. written: Each row's slot for its end, [U].
        """
        LinearAttentionLayer.__init__(self)
        self._size, self._written, self._spaces = states.size, written, states.layers[index]
        self.conv_states, self.recurrent_states = (_Copies(space, read) for space in self._spaces)
        self.has_previous_state[0] = read is not None

    def update_conv_state(
        self, conv_states: torch.Tensor, state_idx: int = 0, conv_kernel_size: int | None = None, **kwargs: Any
    ) -> torch.Tensor:
        before = self.conv_states[state_idx] if self.has_previous_state[state_idx] else None
        whole = conv_states if before is None else torch.cat([before, conv_states], dim=-1)
        size = conv_kernel_size or whole.shape[-1]
        self.conv_states[state_idx] = functional.pad(whole[..., -size:], (max(0, size - whole.shape[-1]), 0))
        return whole

    def update_recurrent_state(self, recurrent_states: torch.Tensor, state_idx: int = 0, **kwargs: Any) -> torch.Tensor:
        last = self.conv_states.pop(state_idx)
        assert last is not None, "a recurrent layer has a convolution before its recurrence"
        for space, end in zip(self._spaces, (last, recurrent_states), strict=True):
            space.at_least(self._size, end).index_copy_(0, self._written, end)
        self.recurrent_states.pop(state_idx, None)  # one layer's are held at a time
        return recurrent_states
