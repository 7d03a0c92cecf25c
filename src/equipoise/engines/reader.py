"""Runs a model's new tokens over what it has read before, in passes of rows that are fed about as much.

What was read of a text is its slots in a key-value store and, in a model with recurrent layers, the state at its end.
Such layers see a row's tokens one after another, whatever mask is given: their passes have no padding, so that all rows
are fed equally many tokens, and no tree of tokens that may follow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from transformers import PreTrainedModel
from transformers.cache_utils import Cache

from equipoise.engines.ahead import MOST_AHEAD, Tree, tree_batch, tree_of
from equipoise.engines.architectures import lent_layers, recurrent_layers, windows
from equipoise.engines.decoder import left_padded
from equipoise.engines.engine import Ids
from equipoise.engines.key_value_store import KeyValueLayer, Store, Stretch
from equipoise.engines.masks import Masks, additive_mask, attention_masks
from equipoise.engines.memory import within
from equipoise.engines.state_store import StateLayer, States, TextState

PASS_ROWS, PASS_SEEN = 128, 1 << 25
"""Bounds of a forward pass: rows, enough to fill matrix products and few enough for a CPU's cache; and entries of its
attention mask, 128 MiB in float32, which bounds the keys that are gathered too."""
_SMALL_PASS, _SLACK = 32, 2
"""Rows that may have any lengths, and how many tokens more than others a row of a larger pass may have."""
NO_TREE = tree_of(())


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of a text: the keys and values of its tokens, and the state of recurrent layers at its end."""

    stretch: Stretch
    state: TextState | None


@dataclass(eq=False, slots=True)
class Tip:
    """The end of a row: what was read, where its logits are, and the tips that were run ahead of it by token."""

    reading: Reading
    at: int
    ahead: dict[int, Tip] = field(default_factory=dict)


def length(reading: Reading | None) -> int:
    """Tokens that were read of a text."""
    return 0 if reading is None else len(reading.stretch.path)


class Reader:
    """A model with the store of what it has read.

    Attributes:
        states: The store of states; None for a model without recurrent layers.
    """

    def __init__(self, model: PreTrainedModel, least_states: int = 0) -> None:
        """Args: model: See `equipoise.engines.exactness`. least_states: States that there must be room for."""
        config = model.config
        recurrent = recurrent_layers(config)
        self._model = model
        self._store = Store(config.get_text_config().num_hidden_layers, lent_layers(config))
        self.states: States | None = States(model, least_states) if recurrent else None
        self._padding = (0, 0) if recurrent else (_SMALL_PASS, _SLACK)
        self._windowed = windows(config) is not None

    def read(
        self, starts: Sequence[Reading | None], new: Sequence[Ids], trees: Sequence[Tree]
    ) -> tuple[list[Tip], torch.Tensor]:
        """Runs the new tokens after their starts; a tip for each, and the logits that tips point into, [N, V]."""
        tips: list[Tip | None] = [None] * len(new)
        parts: list[torch.Tensor] = []
        fed = np.array([len(ids) for ids in new])
        for group in _groups(fed, fed + [length(start) for start in starts], *self._padding):
            begin = sum(len(part) for part in parts)
            logits, run = self.run([starts[i] for i in group], [new[i] for i in group], [trees[i] for i in group])
            parts.append(logits.flatten(0, 1))
            for row, (i, (reading, ahead)) in enumerate(zip(group, run, strict=True)):
                tips[i] = _with_ahead(reading, ahead, trees[i], begin + row * logits.shape[1])
        return [tip for tip in tips if tip is not None], torch.cat(parts)

    def run(
        self, starts: Sequence[Reading | None], new: Sequence[Ids], trees: Sequence[Tree], last: int = 1
    ) -> tuple[torch.Tensor, list[tuple[Reading, list[Stretch]]]]:
        """One forward pass; logits after each row's last tokens and after its tree's, and what was read of each.

        Args:
            starts: What stands before each row.
            new: Each row's tokens; equally many in a model with recurrent layers.
            trees: What may follow each; nothing in a model with recurrent layers.
            last: After how many of a row's last tokens logits are wanted, [U, last + T, V].
        """
        tokens, real = left_padded(new, 0)
        ahead, depths, lines = tree_batch(trees)
        rows, width, most = len(new), tokens.shape[1], ahead.shape[1]
        stretches = [self._stretches(start, ids, tree) for start, ids, tree in zip(starts, new, trees, strict=True)]
        ends = np.array([len(stretch.path) for stretch, _ in stretches])
        written, seen, places = _slots(stretches, real.sum(axis=1), ends, depths)
        before = np.where(real, ends[:, None] - width + np.arange(width), 0)
        upto = np.repeat(ends[:, None] - 1, most, axis=1)
        positions = np.concatenate([before, upto + 1 + depths], axis=1)
        visible = _visible(np.concatenate([before, upto], axis=1), lines, ends, seen.shape[1])
        states = [None] * rows if self.states is None else self.states.take(rows)
        logits: torch.Tensor = self._model(
            input_ids=self._on_device(np.concatenate([tokens, ahead], axis=1)),
            attention_mask=self._masks(visible, positions, places),
            position_ids=self._on_device(positions),
            past_key_values=Cache(layers=[*self._layers(written, seen, starts, states)]),
            use_cache=True,
            logits_to_keep=last + most,
        ).logits
        return logits, [
            (Reading(stretch, state), after) for (stretch, after), state in zip(stretches, states, strict=True)
        ]

    def _on_device(self, numbers: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(numbers).to(self._model.device)

    def _stretches(self, start: Reading | None, ids: Ids, tree: Tree) -> tuple[Stretch, list[Stretch]]:
        """The new tokens of a row and the nodes of its tree, each with slots of its own."""
        before = None if start is None else start.stretch
        stretch = Stretch(self._store, before, self._store.take(len(ids)))
        after: list[Stretch] = []
        for parent in tree.parents:
            after.append(Stretch(self._store, stretch if parent < 0 else after[parent], self._store.take(1)))
        return stretch, after

    def _layers(
        self,
        written: np.ndarray,
        seen: np.ndarray,
        starts: Sequence[Reading | None],
        ends: Sequence[TextState | None],
    ) -> list[KeyValueLayer | StateLayer]:
        """A layer of a pass's cache for each of the model's; recurrent ones go on from the states of the starts."""
        places = self._on_device(written), self._on_device(seen)
        layers: list[KeyValueLayer | StateLayer] = [
            KeyValueLayer(self._store, layer, *places) for layer in range(len(self._store.layers))
        ]
        if self.states is not None:
            froms = np.array([0 if start is None or start.state is None else start.state.slot for start in starts])
            read = self._on_device(froms) if froms.any() else None
            into = self._on_device(np.array([0 if state is None else state.slot for state in ends]))
            for layer in self.states.layers:
                layers[layer] = StateLayer(self.states, layer, read, into)
        return layers

    def _masks(self, visible: np.ndarray, positions: np.ndarray, places: np.ndarray) -> Masks:
        shown = self._on_device(visible)
        if self._windowed:
            return attention_masks(self._model, shown, self._on_device(positions), self._on_device(places))
        return additive_mask(self._model, shown)


def _slots(
    stretches: Sequence[tuple[Stretch, Sequence[Stretch]]], new: np.ndarray, ends: np.ndarray, depths: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Slots that a pass writes [U, W] and sees [U, S], and positions of what it sees [U, S].

    Args:
        stretches: Each row's text and the nodes of its tree.
        new: How many tokens of each text are new.
        ends: How many each text has.
        depths: Depth of each node, [U, T].
    """
    width, most = int(new.max()), depths.shape[1]
    written = np.zeros((len(ends), width + most), dtype=np.int64)
    seen = np.zeros((len(ends), int(ends.max()) + most), dtype=np.int64)
    places = np.broadcast_to(np.arange(seen.shape[1]), seen.shape).copy()
    for row, (stretch, after) in enumerate(stretches):
        end = int(ends[row])
        written[row, width - new[row] : width] = stretch.path[end - new[row] :]
        seen[row, :end] = stretch.path
        for node, leaf in enumerate(after):
            written[row, width + node] = seen[row, end + node] = leaf.path[-1]
            places[row, end + node] = end + depths[row, node]
    return written, seen, places


def _visible(limits: np.ndarray, lines: np.ndarray, ends: np.ndarray, width: int) -> np.ndarray:
    """Whether a token may see a key, [U, W, S]: up to its limit it may, and a node of a tree its own line too."""
    visible: np.ndarray = np.arange(width) <= limits[:, :, None]
    most = lines.shape[1]
    if most:
        row, node, other = np.ogrid[: len(ends), :most, :most]
        visible[row, limits.shape[1] - most + node, ends[:, None, None] + other] = lines
    return visible


def _with_ahead(reading: Reading, after: Sequence[Stretch], tree: Tree, at: int) -> Tip:
    """The tip of a row whose logits start at `at`, with the tips of its tree."""
    tip, nodes = Tip(reading, at), list[Tip]()
    for node, (token, parent, leaf) in enumerate(zip(tree.tokens, tree.parents, after, strict=True)):
        nodes.append(Tip(Reading(leaf, None), at + 1 + node))
        (tip if parent < 0 else nodes[parent]).ahead[token] = nodes[node]
    return tip


def _groups(fed: np.ndarray, seen: np.ndarray, small: int, slack: int) -> Iterator[list[int]]:
    """Rows cut into passes that are fed about as much, within the bounds of a pass.

    Args:
        fed: New tokens of each row.
        seen: All its tokens.
        small: Rows that may have any lengths.
        slack: How many more tokens than the shortest row of its pass a row may have, in a pass of more rows.
    """
    group: list[int] = []
    most = 0
    for row in np.argsort(fed, kind="stable").tolist():
        most = max(most, int(seen[row]))
        wider = len(group) >= small and group and fed[row] > fed[group[0]] + slack
        larger = (len(group) + 1) * (int(fed[row]) + MOST_AHEAD) * (most + MOST_AHEAD) > within(PASS_SEEN)
        if group and (len(group) == within(PASS_ROWS) or wider or larger):
            yield group
            group, most = [], int(seen[row])
        group.append(row)
    if group:
        yield group
