"""Which tokens of the next reply are run together with the turn that asks for it.

A player nearly always answers with the words of a legal action. Their first tokens are fed behind the turn as a small
tree, each seeing its own line alone. What is drawn is drawn from the same logits as without them: where a drawn token
is in the tree its logits are there already, where it is not it is fed as usual.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from equipoise.engines.engine import Ids

MOST_AHEAD = 3
"""Tokens run ahead of a turn: each costs about a third of a pass of its own, and most of them are not drawn."""


@dataclass(frozen=True)
class Tree:
    """Tokens that may follow, parents before children.

    Attributes:
        tokens: The token of each node.
        parents: The index of each node's parent; -1 for a first token.
        depths: How many nodes stand before each on its line, [T].
        lines: Whether node i is node j or stands before it, [T, T] as [j, i].
    """

    tokens: Ids
    parents: tuple[int, ...]
    depths: np.ndarray
    lines: np.ndarray


@lru_cache(maxsize=4_096)
def tree_of(replies: tuple[Ids, ...]) -> Tree:
    """The tree of all replies without their last tokens; empty where it would have more than `MOST_AHEAD` nodes.

    Args:
        replies: Whole replies, end token included.
    """
    nodes: dict[Ids, int] = {}
    for reply in replies:
        for length in range(1, len(reply)):
            nodes.setdefault(reply[:length], len(nodes))
    if len(nodes) > MOST_AHEAD:
        nodes = {}
    lines = np.array([[line[: len(other)] == other for other in nodes] for line in nodes], dtype=bool)
    return Tree(
        tuple(line[-1] for line in nodes),
        tuple(nodes.get(line[:-1], -1) for line in nodes),
        np.array([len(line) - 1 for line in nodes], dtype=np.int64),
        lines.reshape(len(nodes), len(nodes)),
    )


def tree_batch(trees: Sequence[Tree]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tokens [U, T], depths [U, T] and lines [U, T, T] of trees, filled up with zeros to the largest."""
    size = max(len(tree.tokens) for tree in trees)
    tokens = np.zeros((len(trees), size), dtype=np.int64)
    depths = np.zeros((len(trees), size), dtype=np.int64)
    lines = np.zeros((len(trees), size, size), dtype=bool)
    for row, tree in enumerate(trees):
        count = len(tree.tokens)
        tokens[row, :count], depths[row, :count], lines[row, :count, :count] = tree.tokens, tree.depths, tree.lines
    return tokens, depths, lines
