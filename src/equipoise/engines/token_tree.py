"""Token sequences that begin alike as trees, each distinct beginning once, to be run forward and backward once.

A node is one token after all the tokens before it. What is wanted of the sequences is a sum of weights times
log-probabilities, which is linear in the weights, so sequences that go the same way add their weights there. A token is
run only if a weighed token comes after it: nobody asks for what follows the last.

Nodes are in depth-first order, so that node i is node j or comes before it exactly if i <= j < ends[i].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from equipoise.engines.engine import Ids

_Path = tuple[np.ndarray, np.ndarray, np.ndarray]
"""A sequence's tokens [L], the places before its weighed tokens, ascending, and its weights [L]."""


@dataclass(frozen=True, eq=False, slots=True)
class TokenTree:
    """Sequences that go through one row of a pass. M nodes, E weighed tokens after them.

    Attributes:
        tokens: Token of each node, [M].
        depths: Tokens before each node, [M].
        ends: One past the last node after each node, [M].
        at: The node before each weighed token, ascending, [E].
        targets: The weighed tokens, [E].
        weights: The weight of each, summed over all sequences, [E].
    """

    tokens: np.ndarray
    depths: np.ndarray
    ends: np.ndarray
    at: np.ndarray
    targets: np.ndarray
    weights: np.ndarray

    def __len__(self) -> int:
        return len(self.tokens)


def trees(sequences: Sequence[Ids], weights: Sequence[np.ndarray], most: int, wide: float) -> list[TokenTree]:
    """Trees that hold all weighed tokens once, and of the tokens before them what their rows need.

    The sequences are sorted and cut where the least has to be run: a row of n nodes costs n * (1 + n / wide), since
    each node attends to the whole row, and what two rows begin with is run in both.

    Args:
        sequences: Token ids, none of them empty.
        weights: The weight of each token of each, 0 where it is not wanted; a first token follows nothing and never is.
        most: Nodes of a tree; one of a single longer sequence has more.
        wide: Nodes of a row at which attention costs as much as all the rest.

    Returns:
        At least one: where nothing weighs, it is one token with nothing wanted after it.
    """
    wanted = [np.flatnonzero(weight[1:]) for weight in weights]  # the node before each weighed token
    paths: list[_Path] = [
        (np.array(sequence, dtype=np.int64), at, weight)
        for sequence, at, weight in zip(sequences, wanted, weights, strict=True)
        if len(at)
    ]
    if not paths:
        none = np.zeros(0, dtype=np.int64)
        return [TokenTree(np.array(sequences[0][:1]), np.array([0]), np.array([1]), none, none, np.zeros(0))]
    paths.sort(key=lambda path: path[0][: path[1][-1] + 1].astype(">u4").tobytes())
    run = [ids[: at[-1] + 1] for ids, at, _ in paths]
    shared = np.array([0, *(_alike(one, other) for one, other in pairwise(run))])
    cuts = _cuts(np.array([len(ids) for ids in run]), shared, most, wide)
    return [_tree(paths[start:end], shared[start:end]) for start, end in pairwise(cuts)]


def places(trees: Sequence[TokenTree], sequences: Mapping[Ids, np.ndarray]) -> dict[Ids, np.ndarray]:
    """Where the weighed tokens of each sequence stand among those of all trees, one tree's after the other's.

    Args:
        trees: Of these sequences (see `trees`).
        sequences: With the weight of each of their tokens.
    """
    found: dict[tuple[int, int, int], int] = {}
    below: list[dict[tuple[int, int], int]] = []
    for number, tree in enumerate(trees):
        path: list[int] = []
        below.append({})
        for node, (token, depth) in enumerate(zip(tree.tokens.tolist(), tree.depths.tolist(), strict=True)):
            del path[depth:]
            below[-1][path[-1] if path else -1, token] = node
            path.append(node)
        for node, token in zip(tree.at.tolist(), tree.targets.tolist(), strict=True):
            found[number, node, token] = len(found)
    return {sequence: np.array(_way(sequence, weights, below, found)) for sequence, weights in sequences.items()}


def _way(
    sequence: Ids,
    weights: np.ndarray,
    below: Sequence[Mapping[tuple[int, int], int]],
    found: Mapping[tuple[int, int, int], int],
) -> list[int]:
    """The places of a sequence's weighed tokens, in the one tree that holds them."""
    wanted = np.flatnonzero(weights[1:]).tolist()
    for number, children in enumerate(below):
        path, node = [], -1
        for token in sequence[: wanted[-1] + 1] if wanted else ():
            node = children.get((node, token), -2)
            path.append(node)
        keys = [(number, path[at], sequence[at + 1]) for at in wanted]
        if all(key in found for key in keys):
            return [found[key] for key in keys]
    raise ValueError("got a sequence that is in none of the trees")


def _alike(one: np.ndarray, other: np.ndarray) -> int:
    """How many tokens two sequences begin with alike."""
    length = min(len(one), len(other))
    unlike = np.flatnonzero(one[:length] != other[:length])
    return int(unlike[0]) if len(unlike) else length


def _cuts(lengths: np.ndarray, shared: np.ndarray, most: int, wide: float) -> list[int]:
    """Where rows begin, and the end, so that all rows together cost least.

    Args:
        lengths: Tokens of each sequence, sorted, [n].
        shared: How many of them it has in common with the one before it, [n].
        most: See `trees`.
        wide: See `trees`.
    """
    count = len(lengths)
    new = np.concatenate([[0], np.cumsum(lengths - shared)])  # nodes of the first i sequences in one tree
    least, begin = np.zeros(count + 1), np.zeros(count + 1, dtype=np.int64)
    first = 0
    for end in range(1, count + 1):
        while first < end - 1 and shared[first] + new[end] - new[first] > most:
            first += 1
        size = shared[first:end] + new[end] - new[first:end]
        cost = least[first:end] + size * (1.0 + size / wide)
        best = int(np.argmin(cost))
        least[end], begin[end] = cost[best], first + best
    cuts = [count]
    while cuts[-1]:
        cuts.append(int(begin[cuts[-1]]))
    return cuts[::-1]


def _tree(paths: Sequence[_Path], shared: np.ndarray) -> TokenTree:
    """The tree of some sorted sequences, given how much each shares with the one before it."""
    begins, lengths = [0, *shared[1:].tolist()], [int(at[-1]) + 1 for _, at, _ in paths]
    size = sum(lengths) - sum(begins)
    ends = np.full(size, size)
    path = np.zeros(max(lengths), dtype=np.int64)  # the nodes of the present sequence, and then of the one before it
    nodes, first, last = list[np.ndarray](), 0, 0
    for (_, at, _), begin, length in zip(paths, begins, lengths, strict=True):
        ends[path[begin:last]] = first
        path[begin:length] = np.arange(first, first + length - begin)
        nodes.append(path[at])
        first, last = first + length - begin, length
    depths = np.concatenate([np.arange(begin, length) for begin, length in zip(begins, lengths, strict=True)])
    tokens = np.concatenate([ids[a:b] for (ids, _, _), a, b in zip(paths, begins, lengths, strict=True)])
    targets = np.concatenate([ids[at + 1] for ids, at, _ in paths])
    weights = np.concatenate([weight[at + 1] for _, at, weight in paths])
    edges, number = np.unique(np.stack([np.concatenate(nodes), targets]), axis=1, return_inverse=True)
    return TokenTree(tokens, depths, ends, edges[0], edges[1], np.bincount(number, weights=weights))
