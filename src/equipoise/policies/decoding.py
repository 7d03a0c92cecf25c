"""Steps a causal language model over many ragged, branching token sequences, each distinct one once.

Two decoders with one interface. `KeptDecoder` keeps the keys and values of every transcript across its turns: rows
may have holes, which an explicit mask hides and explicit positions step over. `RecomputingDecoder` prefills whole
transcripts each turn, left-padded; it serves architectures whose memory is not a plain key-value cache (sliding
windows, linear attention).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from transformers import PreTrainedModel
from transformers.cache_utils import Cache, DynamicLayer

from equipoise.policies.chat import Ids


@dataclass(eq=False, slots=True)
class Context:
    """A transcript prefix: its tokens and, where a cache is kept, where its keys and values lie.

    Attributes:
        ids: All tokens.
        held: How many of them the cache holds; the rest is fed with the next turn.
        block: The cache block, or None.
        row: The row in it.
    """

    ids: Ids
    held: int = 0
    block: Block | None = None
    row: int = 0


class Decoder(Protocol):
    """Feeds turns and branches; rows are distinct sequences."""

    def feed(self, contexts: Sequence[Context], chunks: Sequence[Ids]) -> torch.Tensor:
        """Appends a chunk to each context (plus its unfed tokens); logits after the last token, [U, V]."""
        ...

    def branch(self, parents: np.ndarray, tokens: np.ndarray) -> torch.Tensor:
        """Continues row `parents[i]` with `tokens[i]`; logits, [U', V]."""
        ...

    def context(self, ids: Ids, row: int, unfed: int) -> Context:
        """The context of a row whose last `unfed` tokens have not been fed."""
        ...


class _BufferLayer(DynamicLayer):
    """A cache layer that writes into space reserved ahead instead of copying itself at every step."""

    def __init__(self, keys: torch.Tensor | None, values: torch.Tensor | None, used: int, reserve: int) -> None:
        DynamicLayer.__init__(self)
        self.buffer_keys, self.buffer_values = keys, values
        self.used, self.reserve = used, reserve
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        end = self.used + key_states.shape[-2]
        if self.buffer_keys is None or self.buffer_values is None or end > self.buffer_keys.shape[-2]:
            self.buffer_keys = _grown(self.buffer_keys, key_states, self.used, end + self.reserve)
            self.buffer_values = _grown(self.buffer_values, value_states, self.used, end + self.reserve)
        self.buffer_keys[:, :, self.used : end] = key_states
        self.buffer_values[:, :, self.used : end] = value_states
        self.used = end
        return self.buffer_keys[:, :, :end], self.buffer_values[:, :, :end]

    def get_seq_length(self) -> int:
        return self.used

    def select(self, rows: torch.Tensor, used: int, reserve: int) -> _BufferLayer:
        """A copy of some rows' first `used` slots with room for `reserve` more."""
        assert self.buffer_keys is not None
        assert self.buffer_values is not None
        pair = []
        for buffer in (self.buffer_keys, self.buffer_values):
            wide = buffer.new_empty((len(rows), buffer.shape[1], used + reserve, buffer.shape[3]))
            wide[:, :, :used] = buffer[:, :, :used].index_select(0, rows)
            pair.append(wide)
        return _BufferLayer(pair[0], pair[1], used, self.reserve)


def _grown(buffer: torch.Tensor | None, like: torch.Tensor, used: int, capacity: int) -> torch.Tensor:
    wide = like.new_empty((like.shape[0], like.shape[1], capacity, like.shape[3]))
    if buffer is not None:
        wide[:, :, :used] = buffer[:, :, :used]
    return wide


@dataclass(eq=False)
class Block:
    """Keys and values of a batch of rows, with what is real in each row.

    Attributes:
        layers: One buffer layer per model layer.
        mask: Which slots hold a token of the row, [R, S] bool.
        lengths: Tokens held per row, [R].
    """

    layers: list[_BufferLayer]
    mask: torch.Tensor
    lengths: torch.Tensor

    def select(self, rows: torch.Tensor, reserve: int) -> Block:
        """A copy of some rows, in their order, with room for `reserve` more slots."""
        layers = [layer.select(rows, self.mask.shape[1], reserve) for layer in self.layers]
        return Block(layers, self.mask[rows], self.lengths[rows])


def _joined(parts: Sequence[Block]) -> Block:
    """Blocks stacked into one; shorter ones get masked slots."""
    width = max(part.mask.shape[1] for part in parts)
    layers = []
    for index in range(len(parts[0].layers)):
        buffers = []
        for name in ("buffer_keys", "buffer_values"):
            pieces = []
            for part in parts:
                buffer = getattr(part.layers[index], name)[:, :, : part.mask.shape[1]]
                pieces.append(torch.nn.functional.pad(buffer, (0, 0, 0, width - buffer.shape[2])))
            buffers.append(torch.cat(pieces))
        layers.append(_BufferLayer(buffers[0], buffers[1], width, parts[0].layers[index].reserve))
    masks = [torch.nn.functional.pad(part.mask, (0, width - part.mask.shape[1])) for part in parts]
    return Block(layers, torch.cat(masks), torch.cat([part.lengths for part in parts]))


class KeptDecoder:
    """Keeps keys and values of all transcripts between their turns."""

    def __init__(self, model: PreTrainedModel, reserve: int) -> None:
        self._model = model
        self._reserve = reserve
        self._block: Block | None = None

    def feed(self, contexts: Sequence[Context], chunks: Sequence[Ids]) -> torch.Tensor:
        new = [context.ids[context.held :] + chunk for context, chunk in zip(contexts, chunks, strict=True)]
        width = max(len(ids) for ids in new)
        tokens = np.zeros((len(new), width), dtype=np.int64)
        valid = np.zeros((len(new), width), dtype=bool)
        for row, ids in enumerate(new):
            tokens[row, width - len(ids) :] = ids
            valid[row, width - len(ids) :] = True
        self._block = self._gathered(contexts, width + self._reserve)
        return self._forward(torch.from_numpy(tokens), torch.from_numpy(valid))

    def branch(self, parents: np.ndarray, tokens: np.ndarray) -> torch.Tensor:
        assert self._block is not None
        rows = self._block.mask.shape[0]
        if len(parents) != rows or not np.array_equal(parents, np.arange(rows)):
            self._block = self._block.select(self._tensor(parents), self._reserve)
        else:  # every row goes on: share the buffers; older blocks read only the slots their own mask covers
            self._block = Block(self._block.layers, self._block.mask, self._block.lengths)
        column = torch.from_numpy(tokens.astype(np.int64))[:, None]
        return self._forward(column, torch.ones_like(column, dtype=torch.bool))

    def context(self, ids: Ids, row: int, unfed: int) -> Context:
        return Context(ids, len(ids) - unfed, self._block, row)

    def _tensor(self, rows: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(rows, dtype=torch.long, device=self._model.device)

    def _gathered(self, contexts: Sequence[Context], reserve: int) -> Block:
        device = self._model.device
        blocks = list(dict.fromkeys(c.block for c in contexts))
        if blocks == [None]:
            count = self._model.config.get_text_config().num_hidden_layers
            empty = torch.zeros((len(contexts), 0), dtype=torch.bool, device=device)
            layers = [_BufferLayer(None, None, 0, self._reserve) for _ in range(count)]
            return Block(layers, empty, torch.zeros(len(contexts), dtype=torch.long, device=device))
        assert None not in blocks
        if len(blocks) == 1 and blocks[0] is not None:
            return blocks[0].select(self._tensor(np.array([c.row for c in contexts])), reserve)
        parts, order = [], []
        for block in blocks:
            assert block is not None
            members = [i for i, c in enumerate(contexts) if c.block is block]
            parts.append(block.select(self._tensor(np.array([contexts[i].row for i in members])), 0))
            order += members
        return _joined(parts).select(self._tensor(np.argsort(order)), reserve)

    @torch.inference_mode()
    def _forward(self, tokens: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        block, device = self._block, self._model.device
        assert block is not None
        tokens, valid = tokens.to(device), valid.to(device)
        used, width = block.mask.shape[1], tokens.shape[1]
        positions = (block.lengths[:, None] + valid.cumsum(1) - 1).clamp(min=0)
        causal = torch.ones(width, width, dtype=torch.bool, device=device).tril()
        own = torch.eye(width, dtype=torch.bool, device=device)
        seen = torch.cat([block.mask[:, None, :].expand(-1, width, -1), (causal & valid[:, None, :]) | own], dim=2)
        mask = torch.zeros(seen.shape, dtype=self._model.dtype, device=device)
        mask.masked_fill_(~seen, torch.finfo(self._model.dtype).min)
        for layer in block.layers:
            layer.used = used
        output = self._model(
            input_ids=tokens,
            attention_mask=mask[:, None],
            position_ids=positions,
            past_key_values=Cache(layers=list(block.layers)),
            use_cache=True,
            logits_to_keep=1,
        )
        block.mask = torch.cat([block.mask, valid], dim=1)
        block.lengths = block.lengths + valid.sum(1)
        logits: torch.Tensor = output.logits[:, -1]
        return logits


class RecomputingDecoder:
    """Prefills whole transcripts each turn, left-padded, with the model's own cache inside a turn."""

    def __init__(self, model: PreTrainedModel, pad: int) -> None:
        self._model = model
        self._pad = pad
        self._cache: Any = None
        self._mask = torch.zeros(0)

    def feed(self, contexts: Sequence[Context], chunks: Sequence[Ids]) -> torch.Tensor:
        whole = [context.ids + chunk for context, chunk in zip(contexts, chunks, strict=True)]
        width = max(len(ids) for ids in whole)
        tokens = np.full((len(whole), width), self._pad, dtype=np.int64)
        mask = np.zeros((len(whole), width), dtype=np.int64)
        for row, ids in enumerate(whole):
            tokens[row, width - len(ids) :] = ids
            mask[row, width - len(ids) :] = 1
        self._cache = None
        self._mask = torch.from_numpy(mask).to(self._model.device)
        return self._forward(torch.from_numpy(tokens))

    def branch(self, parents: np.ndarray, tokens: np.ndarray) -> torch.Tensor:
        rows = torch.as_tensor(parents, dtype=torch.long, device=self._model.device)
        self._cache.reorder_cache(rows)
        self._mask = torch.cat([self._mask[rows], self._mask.new_ones((len(parents), 1))], dim=1)
        return self._forward(torch.from_numpy(tokens.astype(np.int64))[:, None])

    def context(self, ids: Ids, row: int, unfed: int) -> Context:
        return Context(ids)

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


def keeps_plain_cache(model: PreTrainedModel) -> bool:
    """Whether every layer attends over all earlier tokens, so that masked holes are exact."""
    config = model.config.get_text_config()
    kinds = getattr(config, "layer_types", None)
    if kinds is not None:
        return all(kind == "full_attention" for kind in kinds)
    return getattr(config, "sliding_window", None) is None
