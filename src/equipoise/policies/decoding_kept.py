"""A decoder that keeps the keys and values of every transcript between its turns and feeds each token once.

A row grows where it lies; only a second continuation of the same context copies it. A tick's rows are run in passes:
a block in place where that wastes little on idle rows and padding, all other rows together, sorted by how much they
are fed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from transformers import PreTrainedModel

from equipoise.policies.chat import Ids
from equipoise.policies.decoding import Context, left_padded
from equipoise.policies.key_value_store import BLOCK_ROWS, Block, Part, Row, Store, pass_cache

_COPY_TOKENS = 2
"""Copying a row for a pass costs about as much as running this many tokens of it."""
_SMALL_PASS, _SLACK = 32, 2


class KeptDecoder:
    """Serves architectures whose layers all attend to every earlier token."""

    def __init__(self, model: PreTrainedModel) -> None:
        """Args: model: See `equipoise.policies.decoding.keeps_plain_cache`."""
        self._model = model
        self._store = Store(model.config.get_text_config().num_hidden_layers)
        self._front: list[Row] = []

    @torch.inference_mode()
    def feed(self, contexts: Sequence[Context], chunks: Sequence[Ids]) -> torch.Tensor:
        """Appends a chunk to each context (plus its unfed tokens); logits after the last token, [U, V]."""
        new = [context.ids[context.held :] + chunk for context, chunk in zip(contexts, chunks, strict=True)]
        self._front = self._continued([(context.place, context.held) for context in contexts], [len(n) for n in new])
        return self._forward(new)

    @torch.inference_mode()
    def branch(self, parents: np.ndarray, tokens: np.ndarray) -> torch.Tensor:
        """Continues row `parents[i]` with `tokens[i]`; logits, [U', V]."""
        tips = [(row, row.length) for row in (self._front[parent] for parent in parents)]
        self._front = self._continued(tips, [1] * len(tips))
        return self._forward([(int(token),) for token in tokens])

    def context(self, ids: Ids, row: int, unfed: int) -> Context:
        """The context of a row whose last `unfed` tokens have not been fed."""
        return Context(ids, len(ids) - unfed, self._front[row])

    def _continued(self, starts: Sequence[tuple[Row | None, int]], widths: Sequence[int]) -> list[Row]:
        """A row to write on for each start (row, held): the same row for the first that goes on from its tip."""
        rows: list[Row] = []
        copies: dict[tuple[Block, Block], list[tuple[int, int, int]]] = {}
        for (row, held), width in zip(starts, widths, strict=True):
            target = row
            if target is None or target.length != held:
                target = self._store.row()
                if row is not None:
                    copies.setdefault((row.block, target.block), []).append((row.index, target.index, held))
            target.length = held + width
            rows.append(target)
        for (source, block), moved in copies.items():
            block.copy(source, np.array(moved))
        return rows

    def _forward(self, new: Sequence[Ids]) -> torch.Tensor:
        """Runs the new tokens of the front; logits, [U, V]."""
        members: dict[Block, list[int]] = {}
        for i, row in enumerate(self._front):
            members.setdefault(row.block, []).append(i)
        widths = np.array([len(ids) for ids in new])
        order: list[int] = []
        scattered: list[int] = []
        parts: list[torch.Tensor] = []
        for inside in members.values():
            span = 1 + max(self._front[i].index for i in inside)
            if span * widths[inside].max() <= widths[inside].sum() + _COPY_TOKENS * len(inside):
                parts.append(self._in_place(inside, [new[i] for i in inside], span))
                order += inside
            else:
                scattered += inside
        for group in _groups(scattered, widths):
            parts.append(self._copied(group, new))
            order += group
        back = torch.from_numpy(np.argsort(np.array(order))).to(parts[0].device)
        return torch.cat(parts)[back]

    def _in_place(self, inside: Sequence[int], new: Sequence[Ids], span: int) -> torch.Tensor:
        """A pass over the first `span` rows of a block, idle ones included."""
        block = self._front[inside[0]].block
        index = [self._front[i].index for i in inside]
        every: list[Ids] = [()] * span
        ends = np.zeros(span, dtype=np.int64)
        for i, row, ids in zip(inside, index, new, strict=True):
            every[row], ends[row] = ids, self._front[i].length
        logits = self._pass([(block, np.arange(span))], every, ends, True)
        return logits[torch.tensor(index, device=logits.device)]

    def _copied(self, group: Sequence[int], new: Sequence[Ids]) -> torch.Tensor:
        """A pass over a copy of some rows of any blocks; rows of one block are adjacent in the group."""
        inside: dict[Block, list[int]] = {}
        for i in group:
            inside.setdefault(self._front[i].block, []).append(i)
        assert [i for indices in inside.values() for i in indices] == list(group)
        places = [(block, np.array([self._front[i].index for i in indices])) for block, indices in inside.items()]
        ends = np.array([self._front[i].length for i in group])
        return self._pass(places, [new[i] for i in group], ends, False)

    def _pass(
        self, places: Sequence[tuple[Block, np.ndarray]], new: Sequence[Ids], ends: np.ndarray, in_place: bool
    ) -> torch.Tensor:
        """One forward pass; `ends` is how many tokens each row holds after it, [U]."""
        device, end = self._model.device, int(ends.max())
        tokens, real = left_padded(new, 0)
        width = tokens.shape[1]
        positions = np.where(real, ends[:, None] - width + np.arange(width), 0)
        parts, start = [], 0
        for block, rows in places:
            block.reserve(end)
            inside = slice(start, start + len(rows))
            slots = np.where(real[inside], positions[inside], block.slots - 1)
            parts.append(Part(block, torch.from_numpy(rows).to(device), torch.from_numpy(slots).to(device)))
            start = inside.stop
        at = torch.from_numpy(positions).to(device)
        output = self._model(
            input_ids=torch.from_numpy(tokens).to(device),
            attention_mask=self._mask(at, end),
            position_ids=at,
            past_key_values=pass_cache(parts, in_place, end),
            use_cache=True,
            logits_to_keep=1,
        )
        logits: torch.Tensor = output.logits[:, -1]
        return logits

    def _mask(self, positions: torch.Tensor, end: int) -> torch.Tensor:
        """Additive attention mask: a token sees the slots up to its own position, [U, 1, W, S]."""
        dtype = self._model.dtype
        hidden = torch.arange(end, device=positions.device) > positions[:, None, :, None]
        return torch.zeros(hidden.shape, dtype=dtype, device=positions.device).masked_fill_(
            hidden, torch.finfo(dtype).min
        )


def _groups(members: list[int], widths: np.ndarray) -> Iterator[list[int]]:
    """Members (rows of a block adjacent) cut into passes of at most `BLOCK_ROWS` rows that are fed about as much."""
    by_width = sorted(range(len(members)), key=lambda k: int(widths[members[k]]))
    group: list[int] = []
    for k in by_width:
        full = len(group) == BLOCK_ROWS
        wider = len(group) >= _SMALL_PASS and widths[members[k]] > widths[members[group[0]]] + _SLACK
        if full or wider:
            yield [members[i] for i in sorted(group)]
            group = []
        group.append(k)
    if group:
        yield [members[i] for i in sorted(group)]
