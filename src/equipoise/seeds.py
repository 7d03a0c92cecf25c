"""Every random stream by name.

A number that a user gives is the root of a tree, and a path of uses and numbers leads to each stream in it:
`Seed(3).at(Use.STEP, 12)`. Streams of different paths have nothing in common, also where one path begins the other;
a plain list of numbers does not promise that (`numpy.random.default_rng([5, 2])` draws what `default_rng([5, 2, 0])`
draws). So training, the choice of a checkpoint and audits may take the same number and still share no deal.

Reference: numpy.random.SeedSequence, whose `spawn_key` a path is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum, unique
from itertools import count

import numpy as np

from equipoise.errors import UserError

_TOGETHER, _PAGE = 64, 16
_WORD = 2**32
_STRIDE = np.uint64(0x9E3779B97F4A7C15)
"""The odd number nearest to 2^64 over the golden ratio: steps of it come close to no earlier one for long."""
_ROOTS = 2**128


@unique
class Use(IntEnum):
    """What a stream is for. A number stays with its use for good: stored results were drawn by it."""

    CHANCE = 0
    """In play: the deals. Followed by the block and page of a `Stream`."""
    MOVES = 1
    """In play: an episode's scripts, and what a fault plays. Followed by the block and page of a `Stream`."""
    REPLIES = 2
    """In play: what a policy draws. Followed by 1 for policies that answer at once and else 0, and the policy's place
    among its kind; a language model's replies have `keys` of it."""
    MATCHES = 3
    """Who meets whom, where that is drawn."""
    PLAY = 4
    """The play of drawn matches."""
    DEMONSTRATIONS = 10
    """A run's demonstrations. Followed by the number of the game."""
    ROWS = 11
    """Supervised training: the order of rows."""
    WEIGHTS = 12
    """The first weights of a new model or adapter."""
    STEP = 13
    """A run's reinforcement learning. Followed by the number of the step, then of the game and of the objective."""
    ADVERSARY = 14
    """Within a step: the episodes that an adversary learns from. Followed by its place among the adversaries."""
    TORCH = 15
    """What torch draws in reinforcement learning. Followed by the number of the step."""
    SELECTION = 20
    """The choice of a checkpoint. Followed by the number of the game, and of the pool."""
    AUDIT = 30
    """An audit's play. Nothing follows for the pools; `LEARNED` and a number for its learned adversary."""
    LEARNED = 31
    """Within an audit: its learned adversary."""
    CONTEXTS = 32
    """Within an audit: the decisions whose replies are compared."""
    CROSSPLAY = 33
    """Cross-play and talk."""
    CLAIMS = 34
    """The messages whose effect is measured."""
    RESAMPLING = 40
    """Draws behind an interval."""
    WEIGHTINGS = 41
    """Weightings of the SEPO index."""
    CHECKS = 50
    """Conformance checks."""


@dataclass(frozen=True, slots=True)
class Seed:
    """A place in the tree of random streams.

    Attributes:
        root: The user's number, from 0 to 2^128 - 1.
        path: Uses and numbers that lead here from the root, each from 0 to 2^32 - 1.

    Raises:
        UserError: For a root below 0 or of more than 128 bits, or part of a path that is out of range.
    """

    root: int
    path: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.root < 0:
            raise UserError(f"got seed {self.root}; seeds are 0 or more")
        if self.root >= _ROOTS:  # NumPy would read its upper words as the beginning of a path
            raise UserError(f"got seed {self.root}; seeds are below 2^128")
        if not all(0 <= part < _WORD for part in self.path):  # a larger one would be two parts
            raise UserError(f"got the path {self.path} of a seed; its parts are from 0 to {_WORD - 1}")

    def at(self, *path: int) -> Seed:
        """The place that a path leads to from here."""
        return Seed(self.root, (*self.path, *map(int, path)))

    def generator(self) -> np.random.Generator:
        """A fresh generator of this place's numbers."""
        return np.random.default_rng(np.random.SeedSequence(self.root, spawn_key=self.path))

    def integer(self) -> int:
        """A number from 0 to 2^32 - 1 that keys other libraries' generators."""
        return int(np.random.SeedSequence(self.root, spawn_key=self.path).generate_state(1)[0])


def keys(seed: Seed, *numbers: Sequence[int]) -> np.ndarray:
    """A key of 64 bits for each combination of numbers, [M]: what is drawn by it has nothing to do with the others.

    Many thousand draws with a place of their own each, for which generators would cost more than what is drawn.

    Args:
        seed: Whose keys.
        numbers: What tells the draws apart, each [M], of numbers from 0.
    """
    (root,) = np.random.SeedSequence(seed.root, spawn_key=seed.path).generate_state(1, np.uint64)
    found = np.full(len(numbers[0]), root)
    for part in numbers:
        found = _mixed(found + (np.asarray(part, dtype=np.uint64) + np.uint64(1)) * _STRIDE)
    return found


def uniforms(keys: np.ndarray, places: np.ndarray | int) -> np.ndarray:
    """The number in [0, 1) at a place of each key's sequence, [M].

    Args:
        keys: From `keys`, [M].
        places: From 0, [M] or one for all.

    Reference: Steele, Lea and Flood 2014, Fast splittable pseudorandom number generators (SplitMix64), OOPSLA.
    """
    found = _mixed(keys + (np.atleast_1d(np.asarray(places, dtype=np.uint64)) + np.uint64(1)) * _STRIDE)
    uniform: np.ndarray = (found >> np.uint64(11)) * 2.0**-53
    return uniform


def _mixed(words: np.ndarray) -> np.ndarray:
    """SplitMix64's finaliser: every bit of a word depends on all of it."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = words ^ (words >> np.uint64(31))
    return mixed


def seed_of(seed: int | Seed) -> Seed:
    """The seed itself, or the root that a plain number is."""
    return seed if isinstance(seed, Seed) else Seed(seed)


class Stream:
    """The random numbers of one episode."""

    __slots__ = ("_numbers",)

    def __init__(self, numbers: Iterator[float]) -> None:
        """Args: numbers: Uniform numbers in [0, 1), without end."""
        self._numbers = numbers

    def random(self) -> float:
        """One uniform number in [0, 1)."""
        return next(self._numbers)


def streams(seed: Seed, indices: Sequence[int]) -> list[Stream]:
    """A fresh stream for each index; the same index gets the same numbers, whatever is drawn beside it, or before it.

    A generator for every episode would cost more than the episode, so the numbers of neighbouring streams come from
    one: page p of streams 64k to 64k + 63 is what `seed.at(k, p)` gives first.

    Args:
        seed: Whose streams.
        indices: Which of them, each 0 or more.
    """
    first_pages = {block: _pages(seed, block, 0) for block in {index // _TOGETHER for index in indices}}
    return [Stream(_numbers(seed, index, first_pages[index // _TOGETHER])) for index in indices]


def _pages(seed: Seed, block: int, page: int) -> np.ndarray:
    """One page of each stream of a block, [_TOGETHER, _PAGE]."""
    return seed.at(block, page).generator().random((_TOGETHER, _PAGE))


def _numbers(seed: Seed, index: int, pages: np.ndarray) -> Iterator[float]:
    block, row = divmod(index, _TOGETHER)
    for page in count(1):
        yield from pages[row].tolist()
        pages = _pages(seed, block, page)
