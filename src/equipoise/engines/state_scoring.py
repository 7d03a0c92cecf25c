"""How likely a language model with recurrent layers is to give each of many replies.

Such a layer reads a row's tokens one after another, so replies cannot stand side by side in one row. All prompts and
replies become one trie (see `scoring`), and the trie falls into *stretches* without branches. Each is run once, over
the keys and from the state at the end of the one it hangs from: many of equal length to a pass, depth first, so
that few states are held at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from transformers import PreTrainedModel

from equipoise.engines.engine import Context, Ids
from equipoise.engines.memory import within
from equipoise.engines.next_token import next_token
from equipoise.engines.reader import NO_TREE, PASS_ROWS, PASS_SEEN, Reader, Reading
from equipoise.engines.token_trie import ROOT, TokenTrie, reply_tokens

PASS_TOKENS, PASS_LOGITS = 4_096, 1 << 27
"""Bounds of one pass of several rows: tokens fed, and logits."""


def reply_log_probs(
    model: PreTrainedModel, prompts: Sequence[Context], replies: Sequence[Sequence[Ids]], temperature: float
) -> list[list[np.ndarray]]:
    """Log-probability of each token of each reply after its prompt.

    Args:
        model: A causal language model with recurrent layers (see `exactness.STATES`).
        prompts: What is before them, none empty.
        replies: The replies to score after each prompt, none of them empty.
        temperature: Divides the logits; 0 is greedy.
    """

    def log_probs(trie: TokenTrie, nodes: np.ndarray, targets: np.ndarray) -> np.ndarray:
        return _Passes(model, trie, nodes, targets, temperature).log_probs()

    return reply_tokens(prompts, replies, log_probs)


class _Stretches:
    """A trie's stretches without branches, numbered so that each comes after the one it hangs from.

    Attributes:
        of: The stretch of each node of the trie; -1 for the root.
        place: How many nodes of its stretch stand before each node.
        tokens: The tokens of each stretch.
        parents: The stretch that each hangs from; -1 at the beginning.
        ends: Tokens from the beginning to the end of each.
        deepest: The most stretches on one line.
    """

    def __init__(self, trie: TokenTrie) -> None:
        """Args: trie: Not empty."""
        children = np.bincount(np.array(trie.parents[1:]), minlength=len(trie) + 1).tolist()
        self.of, self.place = [-1], [0]
        self.tokens: list[list[int]] = []
        self.parents: list[int] = []
        levels: list[int] = []
        for token, parent in zip(trie.tokens[1:], trie.parents[1:], strict=True):
            stretch = self.of[parent]
            if parent == ROOT or children[parent] > 1:
                self.parents.append(stretch)
                levels.append(1 if stretch < 0 else levels[stretch] + 1)
                stretch = len(self.tokens)
                self.tokens.append([])
            self.of.append(stretch)
            self.place.append(len(self.tokens[stretch]))
            self.tokens[stretch].append(token)
        self.ends: list[int] = []
        for tokens, above in zip(self.tokens, self.parents, strict=True):
            self.ends.append(len(tokens) + (0 if above < 0 else self.ends[above]))
        self.deepest: int = max(levels)


class _Passes:
    """All forward passes over one trie."""

    def __init__(
        self, model: PreTrainedModel, trie: TokenTrie, nodes: np.ndarray, targets: np.ndarray, temperature: float
    ) -> None:
        self._distribution = next_token(temperature)
        self._vocabulary: int = model.config.get_text_config().vocab_size
        self._stretches = stretches = _Stretches(trie)
        self._reader = Reader(model, stretches.deepest)
        assert self._reader.states is not None
        self._rows = min(PASS_ROWS, self._reader.states.most // stretches.deepest)  # one pass of each depth is held
        self._targets, self._places = targets, np.array(stretches.place)[nodes]
        where = np.array(stretches.of)[nodes]
        self._by_stretch = np.argsort(where, kind="stable")  # the wanted log-probabilities, stretch by stretch
        self._firsts = np.searchsorted(where[self._by_stretch], np.arange(len(stretches.tokens) + 1))
        self._found = np.empty(len(nodes))
        self._hanging: dict[int, list[int]] = {}
        for stretch, above in enumerate(stretches.parents):
            self._hanging.setdefault(above, []).append(stretch)

    @torch.inference_mode()
    def log_probs(self) -> np.ndarray:
        """Log-probability of each wanted token after its node."""
        waiting: list[tuple[list[int], Sequence[Reading | None]]] = [
            (group, [None] * len(group)) for group in self._groups(self._hanging[-1])
        ]
        while waiting:
            group, starts = waiting.pop()
            read = dict(zip(group, self._run(group, starts), strict=True))
            below = [stretch for parent in group for stretch in self._hanging.get(parent, ())]
            for part in self._groups(below):
                waiting.append((part, [read[self._stretches.parents[stretch]] for stretch in part]))
            del read, starts
        return self._found

    def _wanted(self, stretch: int) -> np.ndarray:
        """Which log-probabilities are wanted after a stretch's nodes."""
        return self._by_stretch[self._firsts[stretch] : self._firsts[stretch + 1]]

    def _last(self, stretch: int) -> int:
        """After how many of a stretch's last tokens logits are needed, one at least."""
        places = self._places[self._wanted(stretch)]
        return len(self._stretches.tokens[stretch]) - int(places.min()) if len(places) else 1

    def _groups(self, stretches: Sequence[int]) -> Iterator[list[int]]:
        """Stretches of one length, as many together as a pass may hold."""
        tokens, ends = self._stretches.tokens, self._stretches.ends
        group: list[int] = []
        last = end = 0
        for stretch in sorted(stretches, key=lambda stretch: len(tokens[stretch])):
            size, count = len(tokens[stretch]), len(group) + 1
            last, end = max(last, self._last(stretch)), max(end, ends[stretch])
            larger = count * size > within(PASS_TOKENS) or count * size * end > within(PASS_SEEN)
            larger = larger or count * last * self._vocabulary > within(PASS_LOGITS) or count > self._rows
            if group and (larger or size > len(tokens[group[0]])):
                yield group
                group, last, end = [], self._last(stretch), ends[stretch]
            group.append(stretch)
        if group:
            yield group

    def _run(self, group: Sequence[int], starts: Sequence[Reading | None]) -> list[Reading]:
        """One pass over a group; fills in the log-probabilities it finds, and gives what was read."""
        new = [tuple(self._stretches.tokens[stretch]) for stretch in group]
        last = max(self._last(stretch) for stretch in group)
        logits, run = self._reader.run(starts, new, [NO_TREE] * len(new), last)
        wanted = [self._wanted(stretch) for stretch in group]
        rows = np.repeat(np.arange(len(group)), [len(some) for some in wanted])
        which = np.concatenate(wanted)
        columns = self._places[which] - len(new[0]) + logits.shape[1]
        row, column, token = (torch.from_numpy(a).to(logits.device) for a in (rows, columns, self._targets[which]))
        self._found[which] = self._distribution.chosen(logits, row, column, token).double().cpu().numpy()
        return [reading for reading, _ in run]
