"""Many token sequences as one trie, cut into packs that a model can run side by side.

A node is one token after all the tokens before it, so what transcripts share is stored, and run, once. A *pack* is a
connected piece of the trie, small enough for one row of a forward pass; it hangs from a node of another pack, whose
keys and values it reads. Inside a pack every token sees its own ancestors alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from equipoise.engines.engine import Context, Ids

ROOT = 0
"""The node before the first token."""
_TOKEN_BITS = 24


class TokenTrie:
    """Token sequences with a common root; equal beginnings are the same nodes."""

    def __init__(self) -> None:
        self.tokens: list[int] = [-1]
        self.parents: list[int] = [-1]
        self._children: dict[int, int] = {}
        self._known: dict[Context, int] = {}

    def __len__(self) -> int:
        return len(self.tokens) - 1

    def grow(self, node: int, ids: Sequence[int]) -> list[int]:
        """The nodes of `ids` after `node`, made where they did not exist."""
        path = []
        for token in ids:
            key = node << _TOKEN_BITS | token
            child = self._children.get(key)
            if child is None:
                child = len(self.tokens)
                self._children[key] = child
                self.tokens.append(token)
                self.parents.append(node)
            path.append(child)
            node = child
        return path

    def leaf(self, node: int, ids: Ids) -> int:
        """The node at the end of `ids` after `node`."""
        path = self.grow(node, ids)
        return path[-1] if path else node

    def node_of(self, context: Context) -> int:
        """The node at the end of a context; a piece that several share is followed once."""
        pieces: list[Context] = []
        piece: Context | None = context
        while piece is not None and piece not in self._known:
            pieces.append(piece)
            piece = piece.before
        node = ROOT if piece is None else self._known[piece]
        for piece in reversed(pieces):
            node = self._known[piece] = self.leaf(node, piece.new)
        return node


def reply_tokens(
    prompts: Sequence[Context],
    replies: Sequence[Sequence[Ids]],
    log_probs: Callable[[TokenTrie, np.ndarray, np.ndarray], np.ndarray],
) -> list[list[np.ndarray]]:
    """Log-probability of each token of each reply after its prompt.

    Args:
        prompts: None empty.
        replies: Those to each prompt, none of them empty.
        log_probs: Gives the log-probability of `tokens[i]` after node `nodes[i]` of a trie, [N].
    """
    trie = TokenTrie()
    nodes = [trie.node_of(prompt) for prompt in prompts]
    index: dict[tuple[int, Ids], int] = {}
    positions: list[int] = []
    targets: list[int] = []
    starts: list[int] = []
    for node, options in zip(nodes, replies, strict=True):
        for reply in options:
            if (node, reply) not in index:
                index[node, reply] = len(starts)
                starts.append(len(positions))
                positions += [node, *trie.grow(node, reply[:-1])]
                targets += reply
    if not starts:
        return [[] for _ in prompts]
    found = np.split(log_probs(trie, np.array(positions), np.array(targets)), starts[1:])
    return [[found[index[node, reply]] for reply in options] for node, options in zip(nodes, replies, strict=True)]


@dataclass(frozen=True, eq=False)
class Packing:
    """A trie in depth-first order, cut into packs; the root is left out. M nodes, P packs.

    Attributes:
        tokens: Token of each node, [M].
        parents: Node before each node, [M]; -1 at the beginning.
        ends: One past the last descendant of each node, [M]: node i is above j exactly if i <= j < ends[i].
        depths: Tokens before each node, [M].
        pack: The pack of each node, [M]; a pack's number is larger than that of the pack it hangs from.
        heads: First node of each pack, [P].
        order: All nodes pack by pack, those in `asked` at the end of their pack, [M].
        starts: Where each pack begins in `order`, and M, [P + 1].
        asked: How many nodes of each pack are asked for logits, [P].
        number: Node in depth-first order of each node of the trie, [M + 1]; -1 for the root.
    """

    tokens: np.ndarray
    parents: np.ndarray
    ends: np.ndarray
    depths: np.ndarray
    pack: np.ndarray
    heads: np.ndarray
    order: np.ndarray
    starts: np.ndarray
    asked: np.ndarray
    number: np.ndarray

    @classmethod
    def of(cls, trie: TokenTrie, asked: np.ndarray, limit: int) -> Packing:
        """Cuts a trie into packs of at most `limit` tokens.

        Args:
            trie: Not empty.
            asked: Nodes of the trie whose logits are wanted.
            limit: Tokens of a pack; packs with one parent each come out at least half as large where they can.
        """
        number, ends = _depth_first(trie.parents)
        place = number[1:]
        tokens, parents, depths = (np.empty(len(trie), dtype=np.int64) for _ in range(3))
        tokens[place] = trie.tokens[1:]
        above = np.array(trie.parents[1:])
        parents[place] = np.where(above == ROOT, -1, number[above])
        before = parents.tolist()
        levels = [0] * len(before)
        for node, parent in enumerate(before):
            levels[node] = levels[parent] + 1 if parent >= 0 else 0
        depths[:] = levels
        is_head = _cut(before, limit)
        pack_list: list[int] = []
        packs = 0
        for node, parent in enumerate(before):
            packs += is_head[node]
            pack_list.append(packs - 1 if is_head[node] else pack_list[parent])
        pack = np.array(pack_list)
        wanted = np.zeros(len(before), dtype=bool)
        wanted[number[asked]] = True
        order = np.lexsort((np.arange(len(before)), wanted, pack))
        starts = np.searchsorted(pack[order], np.arange(packs + 1))
        count = np.bincount(pack, weights=wanted, minlength=packs).astype(np.int64)
        heads = np.flatnonzero(np.array(is_head))
        return cls(tokens, parents, ends, depths, pack, heads, order, starts, count, number)


def _depth_first(parents: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Depth-first number of each node without the root, and one past each number's last descendant."""
    sizes = [1] * len(parents)
    for node in range(len(parents) - 1, 0, -1):
        sizes[parents[node]] += sizes[node]
    number = [-1] * len(parents)
    free = [0] * len(parents)  # the next number to give to a child
    for node in range(1, len(parents)):
        parent = parents[node]
        number[node] = free[parent]
        free[parent] += sizes[node]
        free[node] = number[node] + 1
    ends = np.empty(len(parents) - 1, dtype=np.int64)
    ends[number[1:]] = np.array(number[1:]) + np.array(sizes[1:])
    return np.array(number), ends


def _cut(parents: Sequence[int], limit: int) -> list[bool]:
    """Which nodes head a pack: from the leaves up, the largest branches are cut off until the rest fits."""
    is_head = [parent < 0 for parent in parents]
    held = [1] * len(parents)
    branches: dict[int, list[int]] = {}
    for node in range(len(parents) - 1, -1, -1):
        below = branches.pop(node, None)
        if below is not None:
            total = 1 + sum(held[child] for child in below)
            if total > limit:
                for child in sorted(below, key=held.__getitem__, reverse=True):
                    is_head[child] = True
                    total -= held[child]
                    if total <= limit:
                        break
            held[node] = total
        if parents[node] >= 0:
            branches.setdefault(parents[node], []).append(node)
    return is_head
