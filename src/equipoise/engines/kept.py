"""A decoder that keeps the keys and values of every transcript between its turns and feeds each token once.

What several contexts begin with is run once for all of them. A tick's rows are run in passes of rows that are fed about
as much. The likely tokens of the reply ride along (see `ahead`), so that most replies need no pass of their own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from transformers import PreTrainedModel

from equipoise.engines.ahead import MOST_AHEAD, Tree, tree_batch, tree_of
from equipoise.engines.decoder import left_padded, rows_at_once
from equipoise.engines.engine import Context, Ids
from equipoise.engines.key_value_store import Store, Stretch, pass_cache

PASS_ROWS, PASS_SEEN = 128, 1 << 25
"""Bounds of a forward pass: rows, enough to fill matrix products and few enough for a CPU's cache; and entries of its
attention mask, 128 MiB in float32, which bounds the keys that are gathered too."""
_SMALL_PASS, _SLACK = 32, 2
_WORTH = 16
"""Tokens that are worth a pass of their own, to be read once for several rows and not in each of them."""
_NOTHING = tree_of(())


@dataclass(frozen=True, slots=True)
class _Memory:
    """What a context has of its decoder: the keys and values of its first tokens."""

    of: KeptDecoder
    stretch: Stretch


@dataclass(eq=False, slots=True)
class _Tip:
    """The end of a row: what has been fed, where its logits are, and the tips that were run ahead of it by token."""

    stretch: Stretch
    at: int
    ahead: dict[int, _Tip] = field(default_factory=dict)


class KeptDecoder:
    """Serves architectures whose layers all attend to every earlier token."""

    def __init__(self, model: PreTrainedModel) -> None:
        """Args: model: See `equipoise.engines.exactness.keeps_cache`."""
        self._model = model
        self._store = Store(model.config.get_text_config().num_hidden_layers)
        self._front: list[_Tip] = []
        self._logits = torch.zeros(0)
        self.most = rows_at_once(model.config.get_text_config().vocab_size, MOST_AHEAD)

    @torch.inference_mode()
    def feed(self, contexts: Sequence[Context], likely: Sequence[tuple[Ids, ...]] = ()) -> torch.Tensor:
        """Reads what it has not read of each context; logits after the last token, [U, V]."""
        self._read_shared(contexts)
        starts = [self._read_of(context) for context in contexts]
        new = [context.since(_length(start)) for context, start in zip(contexts, starts, strict=True)]
        trees = [tree_of(replies) for replies in likely] if likely else [_NOTHING] * len(new)
        self._front, self._logits = self._forward(starts, new, trees)
        return self._logits[self._places(self._front)]

    @torch.inference_mode()
    def branch(self, parents: np.ndarray, tokens: np.ndarray) -> torch.Tensor:
        """Continues row `parents[i]` with `tokens[i]`; logits, [U', V]."""
        wanted = [(self._front[parent], int(token)) for parent, token in zip(parents, tokens, strict=True)]
        tips = [tip.ahead.get(token) for tip, token in wanted]
        known = [tip for tip in tips if tip is not None]
        missing = [pair for pair, tip in zip(wanted, tips, strict=True) if tip is None]
        logits = self._logits[self._places(known)]
        self._front = known
        if missing:
            stretches = [tip.stretch for tip, _ in missing]
            run, fresh = self._forward(stretches, [(token,) for _, token in missing], [_NOTHING] * len(missing))
            order = np.argsort([tip is None for tip in tips], kind="stable")
            found = fresh[self._places(run)]
            logits = torch.cat([logits, found])[torch.from_numpy(np.argsort(order)).to(found.device)]
            following = iter(run)
            self._front = [next(following) if tip is None else tip for tip in tips]
        return logits

    def remember(self, context: Context, row: int) -> None:
        """Notes at a context what was read of it: row `row`, all its tokens but the last."""
        context.memory = _Memory(self, self._front[row].stretch)

    def _read_of(self, context: Context) -> Stretch | None:
        """What was read of a context by this decoder, as far as it was."""
        piece: Context | None = context
        while piece is not None:
            if isinstance(piece.memory, _Memory) and piece.memory.of is self:
                return piece.memory.stretch
            piece = piece.before
        return None

    def _read_shared(self, contexts: Sequence[Context]) -> None:
        """Reads, piece after piece, what comes before several of the contexts, is long and has not been read."""
        unread: Counter[Context] = Counter()
        for context in contexts:
            least = _length(self._read_of(context)) + _WORTH
            piece = context.before
            while piece is not None and piece.length >= least:
                unread[piece] += 1
                piece = piece.before
        for piece in sorted((piece for piece, count in unread.items() if count > 1), key=lambda piece: piece.length):
            start = self._read_of(piece)
            (tip,), _ = self._forward([start], [piece.since(_length(start))], [_NOTHING])
            piece.memory = _Memory(self, tip.stretch)

    def _places(self, tips: Sequence[_Tip]) -> torch.Tensor:
        return torch.tensor([tip.at for tip in tips], dtype=torch.long, device=self._model.device)

    def _forward(
        self, starts: Sequence[Stretch | None], new: Sequence[Ids], trees: Sequence[Tree]
    ) -> tuple[list[_Tip], torch.Tensor]:
        """Runs the new tokens after their starts; a tip for each, and the logits that tips point into, [N, V]."""
        tips: list[_Tip | None] = [None] * len(new)
        parts: list[torch.Tensor] = []
        fed = np.array([len(ids) for ids in new])
        for group in _groups(fed, fed + [_length(start) for start in starts]):
            begin = sum(len(part) for part in parts)
            logits, run = self._pass([starts[i] for i in group], [new[i] for i in group], [trees[i] for i in group])
            parts.append(logits.flatten(0, 1))
            for row, (i, (stretch, ahead)) in enumerate(zip(group, run, strict=True)):
                tips[i] = _with_ahead(stretch, ahead, trees[i], begin + row * logits.shape[1])
        return [tip for tip in tips if tip is not None], torch.cat(parts)

    def _pass(
        self, starts: Sequence[Stretch | None], new: Sequence[Ids], trees: Sequence[Tree]
    ) -> tuple[torch.Tensor, list[tuple[Stretch, list[Stretch]]]]:
        """One forward pass; logits after each row's last token and after its tree's, [U, 1 + T, V], and its slots."""
        tokens, real = left_padded(new, 0)
        ahead, depths, lines = tree_batch(trees)
        rows, width, most = len(new), tokens.shape[1], ahead.shape[1]
        run = [self._stretches(start, ids, tree) for start, ids, tree in zip(starts, new, trees, strict=True)]
        ends = np.array([len(stretch.path) for stretch, _ in run])
        written = np.zeros((rows, width + most), dtype=np.int64)
        seen = np.zeros((rows, int(ends.max()) + most), dtype=np.int64)
        for row, (stretch, after) in enumerate(run):
            count, end = len(new[row]), ends[row]
            written[row, width - count : width] = stretch.path[end - count :]
            seen[row, :end] = stretch.path
            for node, leaf in enumerate(after):
                written[row, width + node] = seen[row, end + node] = leaf.path[-1]
        before = np.where(real, ends[:, None] - width + np.arange(width), 0)
        last = np.repeat(ends[:, None] - 1, most, axis=1)
        device = self._model.device
        output = self._model(
            input_ids=torch.from_numpy(np.concatenate([tokens, ahead], axis=1)).to(device),
            attention_mask=self._mask(np.concatenate([before, last], axis=1), lines, ends, seen.shape[1]),
            position_ids=torch.from_numpy(np.concatenate([before, last + 1 + depths], axis=1)).to(device),
            past_key_values=pass_cache(
                self._store, torch.from_numpy(written).to(device), torch.from_numpy(seen).to(device)
            ),
            use_cache=True,
            logits_to_keep=1 + most,
        )
        return output.logits, run

    def _stretches(self, start: Stretch | None, ids: Ids, tree: Tree) -> tuple[Stretch, list[Stretch]]:
        """The new tokens of a row and the nodes of its tree, each with slots of its own."""
        stretch = Stretch(self._store, start, self._store.take(len(ids)))
        after: list[Stretch] = []
        for parent in tree.parents:
            after.append(Stretch(self._store, stretch if parent < 0 else after[parent], self._store.take(1)))
        return stretch, after

    def _mask(self, limits: np.ndarray, lines: np.ndarray, ends: np.ndarray, width: int) -> torch.Tensor:
        """Additive attention mask, [U, 1, W, S]: a token sees up to its limit, and a node of a tree its own line."""
        hidden = np.arange(width) > limits[:, :, None]
        most = lines.shape[1]
        if most:
            row, node, other = np.ogrid[: len(ends), :most, :most]
            hidden[row, limits.shape[1] - most + node, ends[:, None, None] + other] = ~lines
        dtype, device = self._model.dtype, self._model.device
        at = torch.from_numpy(hidden).to(device)[:, None]
        return torch.zeros(at.shape, dtype=dtype, device=device).masked_fill_(at, torch.finfo(dtype).min)


def _with_ahead(stretch: Stretch, after: Sequence[Stretch], tree: Tree, at: int) -> _Tip:
    """The tip of a row whose logits start at `at`, with the tips of its tree."""
    tip, nodes = _Tip(stretch, at), list[_Tip]()
    for node, (token, parent, leaf) in enumerate(zip(tree.tokens, tree.parents, after, strict=True)):
        nodes.append(_Tip(leaf, at + 1 + node))
        (tip if parent < 0 else nodes[parent]).ahead[token] = nodes[node]
    return tip


def _length(stretch: Stretch | None) -> int:
    """Tokens from the start of a transcript to the end of a stretch."""
    return 0 if stretch is None else len(stretch.path)


def _groups(fed: np.ndarray, seen: np.ndarray) -> Iterator[list[int]]:
    """Rows cut into passes that are fed about as much, within the bounds of a pass.

    Args:
        fed: New tokens of each row.
        seen: All its tokens.
    """
    group: list[int] = []
    most = 0
    for row in np.argsort(fed, kind="stable").tolist():
        most = max(most, int(seen[row]))
        wider = len(group) >= _SMALL_PASS and fed[row] > fed[group[0]] + _SLACK
        larger = (len(group) + 1) * (int(fed[row]) + MOST_AHEAD) * (most + MOST_AHEAD) > PASS_SEEN
        if group and (len(group) == PASS_ROWS or wider or larger):
            yield group
            group, most = [], int(seen[row])
        group.append(row)
    if group:
        yield group
