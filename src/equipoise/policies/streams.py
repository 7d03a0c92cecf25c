"""Random numbers for numbered things: stream i of a seed is the same whatever is drawn beside it, or before it.

A generator for every episode would cost more than the episode, so the numbers of neighbouring streams come from one:
page p of streams 64k to 64k + 63 is what `default_rng([*seed, k, p])` gives first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count

import numpy as np

_TOGETHER, _PAGE = 64, 16


class Stream:
    """The random numbers of one episode."""

    __slots__ = ("_numbers",)

    def __init__(self, numbers: Iterator[float]) -> None:
        """Args: numbers: Uniform numbers in [0, 1), without end."""
        self._numbers = numbers

    def random(self) -> float:
        """One uniform number in [0, 1)."""
        return next(self._numbers)


def streams(seed: Sequence[int], indices: Sequence[int]) -> list[Stream]:
    """A fresh stream for each index; the same index gets the same numbers.

    Args:
        seed: Whose streams.
        indices: Which of them, each 0 or more.
    """
    first_pages = {block: _pages(seed, block, 0) for block in {index // _TOGETHER for index in indices}}
    return [Stream(_numbers(seed, index, first_pages[index // _TOGETHER])) for index in indices]


def _pages(seed: Sequence[int], block: int, page: int) -> np.ndarray:
    """One page of each stream of a block, [_TOGETHER, _PAGE]."""
    return np.random.default_rng([*seed, block, page]).random((_TOGETHER, _PAGE))


def _numbers(seed: Sequence[int], index: int, pages: np.ndarray) -> Iterator[float]:
    block, row = divmod(index, _TOGETHER)
    for page in count(1):
        yield from pages[row].tolist()
        pages = _pages(seed, block, page)
