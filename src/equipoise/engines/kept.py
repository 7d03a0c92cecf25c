"""A decoder that keeps what it has read of every transcript between its turns and feeds each token once.

What several contexts begin with is run once for all of them. The likely tokens of the reply ride along (see `ahead`),
so that most replies need no pass of their own. Keys and values are kept as long as a context needs them. States of
recurrent layers are large: where there is no room for one, a context is read again from the last one that has its own.
"""

from __future__ import annotations

import weakref
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from transformers import PreTrainedModel

from equipoise.engines.ahead import MOST_AHEAD, Tree, tree_of
from equipoise.engines.decoder import rows_at_once
from equipoise.engines.engine import Context, Ids
from equipoise.engines.reader import NO_TREE, Reader, Reading, Tip, length

_WORTH = 16
"""Tokens that are worth a pass of their own, to be read once for several rows and not in each of them."""
_ROWS_SHARE = 4
"""One part in so many of the room for states is for the rows that are run, one for those they come from."""


@dataclass(eq=False)
class _Memory:
    """What a context has of its decoder.

    Attributes:
        of: The decoder.
        reading: What was read of the context; None once its place was needed for another.
        followers: Rows that went on from here.
    """

    of: KeptDecoder
    reading: Reading | None
    followers: int = 0


class KeptDecoder:
    """Serves architectures whose layers do as mask and positions say, or go on from a state."""

    def __init__(self, model: PreTrainedModel) -> None:
        """Args: model: See `equipoise.engines.exactness.way_of`."""
        self._model = model
        self._reader = Reader(model)
        self._front: list[Tip] = []
        self._origins: list[weakref.ref[_Memory] | None] = []
        self._logits = torch.zeros(0)
        self._passed: deque[weakref.ref[_Memory]] = deque()

    @property
    def most(self) -> int:
        """Rows that it takes at a time."""
        vocabulary, states = self._model.config.get_text_config().vocab_size, self._reader.states
        if states is None:
            return rows_at_once(vocabulary, MOST_AHEAD)
        return max(1, min(rows_at_once(vocabulary), states.most // _ROWS_SHARE))

    @torch.inference_mode()
    def feed(self, contexts: Sequence[Context], likely: Sequence[tuple[Ids, ...]] = ()) -> torch.Tensor:
        """Reads what it has not read of each context; logits after the last token, [U, V]."""
        self._front = []
        self._read_shared(contexts)
        origins = [self._memory_of(context) for context in contexts]
        starts = [_reading(memory) for memory in origins]
        new = [context.since(length(start)) for context, start in zip(contexts, starts, strict=True)]
        self._front, self._logits = self._reader.read(starts, new, self._trees(likely, len(new)))
        self._origins = [_followed(memory) for memory in origins]
        return _rows(self._logits, self._front)

    @torch.inference_mode()
    def branch(self, parents: np.ndarray, tokens: np.ndarray) -> torch.Tensor:
        """Continues row `parents[i]` with `tokens[i]`; logits, [U', V]."""
        wanted = [(self._front[parent], int(token)) for parent, token in zip(parents, tokens, strict=True)]
        self._origins = [self._origins[parent] for parent in parents]
        tips = [tip.ahead.get(token) for tip, token in wanted]
        known = [tip for tip in tips if tip is not None]
        missing = [pair for pair, tip in zip(wanted, tips, strict=True) if tip is None]
        if not missing:
            self._front = known
            return _rows(self._logits, known)
        readings = [tip.reading for tip, _ in missing]
        run, fresh = self._reader.read(readings, [(token,) for _, token in missing], [NO_TREE] * len(missing))
        following = iter(run)
        self._front = [next(following) if tip is None else tip for tip in tips]
        found = _rows(fresh, run)
        if not known:
            return found
        order = np.argsort([tip is None for tip in tips], kind="stable")
        both = torch.cat([_rows(self._logits, known), found])
        return both[torch.from_numpy(np.argsort(order)).to(found.device)]

    def remember(self, context: Context, row: int) -> None:
        """Notes at a context what was read of it: row `row`, all its tokens but the last."""
        self._note(context, self._front[row].reading, self._origins[row])

    def _note(self, context: Context, reading: Reading, origin: weakref.ref[_Memory] | None) -> None:
        """Notes what was read at a context, where there is room for its state."""
        if reading.state is not None:
            if not reading.state.kept and not self._has_room():
                return
            reading.state.keep()
            if origin is not None:
                self._passed.append(origin)
        context.memory = _Memory(self, reading)

    def _has_room(self) -> bool:
        """Whether another state may be kept; if not, the oldest contexts that one other went on from give theirs up.

        A context that several went on from keeps its state as long as it lives: more may come.
        """
        states = self._reader.states
        assert states is not None
        most = states.most - 2 * max(1, states.most // _ROWS_SHARE)
        while states.kept >= most and self._passed:
            memory = self._passed.popleft()()
            if memory is not None and memory.followers == 1:
                memory.reading = None
        return states.kept < most

    def _memory_of(self, context: Context) -> _Memory | None:
        """The note of what was read of a context by this decoder, as far as it was."""
        piece: Context | None = context
        while piece is not None:
            memory = piece.memory
            if isinstance(memory, _Memory) and memory.of is self and memory.reading is not None:
                return memory
            piece = piece.before
        return None

    def _read_shared(self, contexts: Sequence[Context]) -> None:
        """Reads, piece after piece, what comes before several of the contexts, is long and has not been read."""
        unread: Counter[Context] = Counter()
        for context in contexts:
            least = length(_reading(self._memory_of(context))) + _WORTH
            piece = context.before
            while piece is not None and piece.length >= least:
                unread[piece] += 1
                piece = piece.before
        for piece in sorted((piece for piece, count in unread.items() if count > 1), key=lambda piece: piece.length):
            if self._reader.states is not None and not self._has_room():
                break
            origin = self._memory_of(piece)
            start = _reading(origin)
            (tip,), _ = self._reader.read([start], [piece.since(length(start))], [NO_TREE])
            self._note(piece, tip.reading, _followed(origin))

    def _trees(self, likely: Sequence[tuple[Ids, ...]], rows: int) -> list[Tree]:
        """What is run ahead of each row: nothing where recurrent layers would read it as one text."""
        if self._reader.states is not None or not likely:
            return [NO_TREE] * rows
        return [tree_of(replies) for replies in likely]


def _rows(logits: torch.Tensor, tips: Sequence[Tip]) -> torch.Tensor:
    """The logits that tips point to, [U, V] of [N, V]; no copy where they are all of them, in order."""
    places = [tip.at for tip in tips]
    if places == list(range(len(logits))):
        return logits
    return logits[torch.tensor(places, dtype=torch.long, device=logits.device)]


def _followed(memory: _Memory | None) -> weakref.ref[_Memory] | None:
    """A note that a row goes on from; not a strong one, as it has its decoder, which has this."""
    if memory is None:
        return None
    memory.followers += 1
    return weakref.ref(memory)


def _reading(memory: _Memory | None) -> Reading | None:
    return None if memory is None else memory.reading
