"""How likely a language model is to give each of many replies, with every distinct token run once.

The prompts of a game tree share most of their words: a later state's transcript begins with an earlier one's, and both
seats of a symmetric game read the same. All prompts and replies become one trie; its packs (`token_trie`) run many to a
pass, each over the keys and values of the pack it hangs from. Depth first, so that few packs' keys are held at a time.

Needs an architecture whose layers do as mask and positions say (`exactness.KEYS`), windows included. The result is
that of plain forward passes up to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel
from transformers.cache_utils import Cache, DynamicLayer

from equipoise.engines.architectures import windows
from equipoise.engines.engine import Context, Ids
from equipoise.engines.masks import Masks, additive_mask, attention_masks
from equipoise.engines.memory import within
from equipoise.engines.next_token import next_token
from equipoise.engines.token_trie import Packing, TokenTrie, reply_tokens

PACK_TOKENS = 192
"""Tokens of one row: so many that few rows read the same keys, so few that little attention is masked away."""
PASS_TOKENS, PASS_SLOTS, PASS_LOGITS = 4_096, 20_480, 1 << 27
"""Bounds of one pass: tokens fed, keys held per layer, and logits, all of them over its padded rows."""


def reply_log_probs(
    model: PreTrainedModel, prompts: Sequence[Context], replies: Sequence[Sequence[Ids]], temperature: float
) -> list[list[np.ndarray]]:
    """Log-probability of each token of each reply after its prompt.

    Args:
        model: A causal language model that does as its mask and positions say.
        prompts: What is before them, none empty.
        replies: The replies to score after each prompt, none of them empty.
        temperature: Divides the logits; 0 is greedy.
    """

    def log_probs(trie: TokenTrie, nodes: np.ndarray, targets: np.ndarray) -> np.ndarray:
        return _Passes(model, trie, nodes, targets, temperature).log_probs()

    return reply_tokens(prompts, replies, log_probs)


@dataclass(eq=False, slots=True)
class _Ran:
    """One pass and what it left behind: the keys and values of its rows, past first.

    Attributes:
        rows: Row of each pack.
        past: Slots of the past, S.
        width: New tokens of a row, Q; a pack's tokens are at the right.
        layers: Keys and values of every layer, [U * (S + Q), heads, size] each; none of one that reads another's.
    """

    rows: dict[int, int]
    past: int
    width: int
    layers: list[list[torch.Tensor]]


class _Passes:
    """All forward passes over one trie."""

    def __init__(
        self, model: PreTrainedModel, trie: TokenTrie, nodes: np.ndarray, targets: np.ndarray, temperature: float
    ) -> None:
        self._model, self._distribution = model, next_token(temperature)
        self._windowed = windows(model.config) is not None
        self._packing = packing = Packing.of(trie, nodes, PACK_TOKENS)
        self._place = np.empty(len(trie), dtype=np.int64)  # of each node in packing.order
        self._place[packing.order] = np.arange(len(trie))
        where = self._place[packing.number[nodes]]
        self._by_place = np.argsort(where, kind="stable")  # the wanted log-probabilities, pack by pack
        self._where, self._targets = where[self._by_place], targets[self._by_place]
        self._firsts = np.searchsorted(self._where, packing.starts)
        self._found = np.empty(len(nodes))
        self._hanging: dict[int, list[int]] = {}
        for pack, head in enumerate(packing.heads):
            parent = packing.parents[head]
            self._hanging.setdefault(-1 if parent < 0 else int(packing.pack[parent]), []).append(pack)

    @torch.inference_mode()
    def log_probs(self) -> np.ndarray:
        """Log-probability of each wanted token after its node."""
        stack: list[tuple[list[int], _Ran | None]] = [(group, None) for group in self._groups(self._hanging[-1])]
        while stack:
            group, source = stack.pop()
            ran = self._run(group, source)
            below = [pack for parent in group for pack in self._hanging.get(parent, ())]
            stack += [(packs, ran) for packs in self._groups(below)]
            del ran
        result = np.empty(len(self._found))
        result[self._by_place] = self._found
        return result

    def _groups(self, packs: list[int]) -> list[list[int]]:
        """Packs of about equal size, as many together as a pass may hold."""
        packing = self._packing
        sizes, depths = np.diff(packing.starts), packing.depths[packing.heads]
        vocabulary = self._model.config.get_text_config().vocab_size
        groups: list[list[int]] = []
        width = past = asked = 0
        for pack in sorted(packs, key=lambda p: (sizes[p], depths[p])):
            width, past = max(width, int(sizes[pack])), max(past, int(depths[pack]))
            asked = max(asked, int(packing.asked[pack]))
            rows = len(groups[-1]) + 1 if groups else 1
            fits = rows * width <= within(PASS_TOKENS) and rows * (past + width) <= within(PASS_SLOTS)
            if not groups or not fits or rows * asked * vocabulary > within(PASS_LOGITS):
                groups.append([])
                width, past, asked = int(sizes[pack]), int(depths[pack]), int(packing.asked[pack])
            groups[-1].append(pack)
        return groups

    def _run(self, group: Sequence[int], source: _Ran | None) -> _Ran:
        """One pass over a group; fills in the log-probabilities it finds."""
        packing, device = self._packing, self._model.device
        sizes = packing.starts[1:][group] - packing.starts[group]
        held = packing.depths[packing.heads[group]]
        width, past = int(sizes.max()), int(held.max())
        tokens, positions = (np.zeros((len(group), width), dtype=np.int64) for _ in range(2))
        first = np.full((len(group), width), len(packing.order), dtype=np.int64)  # padding sees and is seen by nothing
        last = np.zeros_like(first)
        for row, (pack, size) in enumerate(zip(group, sizes, strict=True)):
            nodes = packing.order[packing.starts[pack] : packing.starts[pack + 1]]
            tokens[row, width - size :], positions[row, width - size :] = packing.tokens[nodes], packing.depths[nodes]
            first[row, width - size :], last[row, width - size :] = nodes, packing.ends[nodes]
        layers = [_PackLayer() for _ in range(self._model.config.get_text_config().num_hidden_layers)]
        if source is not None:
            slots = torch.from_numpy(self._slots(group, source, past, width)).to(device)
            for layer, kept in zip(layers, source.layers, strict=True):
                layer.read(kept, slots, past)
        logits = self._model(
            input_ids=torch.from_numpy(tokens).to(device),
            attention_mask=self._masks(_visible(held, past, first, last), positions, past),
            position_ids=torch.from_numpy(positions).to(device),
            past_key_values=Cache(layers=[*layers]),
            use_cache=True,
            logits_to_keep=max(1, int(packing.asked[group].max())),
        ).logits
        self._read(group, logits)
        return _Ran({pack: row for row, pack in enumerate(group)}, past, width, [layer.held() for layer in layers])

    def _slots(self, group: Sequence[int], source: _Ran, past: int, width: int) -> np.ndarray:
        """Where the source holds the tokens before each pack, then space for the pack's own, [U, S + Q]."""
        packing = self._packing
        slots = np.zeros((len(group), past + width), dtype=np.int64)
        for row, pack in enumerate(group):
            node = int(packing.parents[packing.heads[pack]])
            above = int(packing.pack[node])
            top, path = int(packing.depths[packing.heads[above]]), []
            while node >= 0 and packing.pack[node] == above:
                path.append(self._place[node])
                node = int(packing.parents[node])
            base = source.rows[above] * (source.past + source.width)
            slots[row, :top] = base + np.arange(top)
            right = base + source.past + source.width - packing.starts[above + 1]
            slots[row, top : top + len(path)] = right + np.array(path[::-1])
        return slots

    def _masks(self, visible: np.ndarray, positions: np.ndarray, past: int) -> Masks:
        """Masks for tokens at positions [U, Q] over keys of which the first stand where they come in their text."""
        device = self._model.device
        shown = torch.from_numpy(visible).to(device)
        if not self._windowed:
            return additive_mask(self._model, shown)
        before = np.broadcast_to(np.arange(past), (len(positions), past))
        places = torch.from_numpy(np.concatenate([before, positions], axis=1)).to(device)
        return attention_masks(self._model, shown, torch.from_numpy(positions).to(device), places)

    def _read(self, group: Sequence[int], logits: torch.Tensor) -> None:
        """Books the log-probabilities that a pass found; wanted tokens are at the right of a row."""
        packing = self._packing
        spans = [np.arange(self._firsts[pack], self._firsts[pack + 1]) for pack in group]
        rows = np.repeat(np.arange(len(group)), [len(span) for span in spans])
        wanted = np.concatenate(spans)
        columns = self._where[wanted] - packing.starts[1:][group][rows] + logits.shape[1]
        row, column, token = (torch.from_numpy(a).to(logits.device) for a in (rows, columns, self._targets[wanted]))
        chosen = self._distribution.chosen(logits, row, column, token)
        self._found[wanted] = chosen.double().cpu().numpy()


def _visible(held: np.ndarray, past: int, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Whether a token sees a key: the past of its own row, and its own ancestors in the pack, [U, Q, S + Q]."""
    inside = (first[:, None, :] <= first[:, :, None]) & (first[:, :, None] < last[:, None, :])  # [U, Q, Q]
    before = np.broadcast_to((np.arange(past) < held[:, None])[:, None], (*first.shape, past))
    visible: np.ndarray = np.concatenate([before, inside], axis=2)
    return visible


class _PackLayer(DynamicLayer):
    """One layer of a pass: the keys and values before the packs, then their own."""

    def __init__(self) -> None:
        DynamicLayer.__init__(self)
        self.is_initialized = True
        self._past = 0
        self._both: list[torch.Tensor] = []

    def read(self, source: Sequence[torch.Tensor], slots: torch.Tensor, past: int) -> None:
        """Takes the past from an earlier pass, slot by slot, [U, S + Q]; the last Q are to be overwritten."""
        self._past = past
        self._both = [kept.index_select(0, slots.flatten()).unflatten(0, slots.shape) for kept in source]

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        new = [key_states.transpose(1, 2), value_states.transpose(1, 2)]  # [U, Q, heads, size]
        if self._both:
            for held, states in zip(self._both, new, strict=True):
                held[:, self._past :] = states
        else:
            self._both = [states.contiguous() for states in new]
        keys, values = (held.transpose(1, 2) for held in self._both)
        return keys, values

    def held(self) -> list[torch.Tensor]:
        """Keys and values with one slot a row, [U * (S + Q), heads, size]; none where the layer reads another's."""
        return [held.flatten(0, 1) for held in self._both]

    def get_seq_length(self) -> int:
        return self._past
