"""Several processes that train one model, as `torchrun` starts them: each plays some episodes and runs some rows.

All of them hold the same weights, draw the same matches and end up with all episodes, so that each knows every credit;
what is divided is the work: the episodes of a step in order, and the rows of its gradient, which are added up. So the
number of processes changes what a step costs and not what it does. The first process alone writes files and talks.

What the processes tell each other of their play is text (`records.packed`): nothing that could run as code.
"""

from __future__ import annotations

import copy
import gc
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import distributed
from torch.distributed.tensor import DTensor

from equipoise.arena import Match, rollout
from equipoise.arena.records import packed, unpacked
from equipoise.core import Episode, FaultRule, Game
from equipoise.engines.engine import Ids
from equipoise.errors import UserError
from equipoise.policies.policy import Policy
from equipoise.seeds import Seed

ALONE = ("tinker", "vllm")
"""Engines that have several devices of their own, or a server, and one process that speaks to them."""
Scored = Callable[[list[tuple[Ids, Ids]]], list[np.ndarray]]
"""Log-probability of every completion token of some (prompt, completion) pairs."""
SHARDED = "ACCELERATE_USE_FSDP"
"""Set by `accelerate launch` where its configuration has the weights divided among the processes."""


@dataclass(frozen=True)
class Ranks:
    """The processes of a run, as one of them sees them.

    Attributes:
        rank: The number of this one, from 0.
        count: How many there are.
        sharded: Whether each holds a part of the trained weights (FSDP) and not all of them.
        group: By which they talk; None for a single one.
    """

    rank: int = 0
    count: int = 1
    sharded: bool = False
    group: Any = None

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files and talks."""
        return self.rank == 0

    def part(self, length: int) -> slice:
        """This process's part of a list: neighbours, in order, no part longer by more than one than another."""
        return slice(length * self.rank // self.count, length * (self.rank + 1) // self.count)

    def divided(self, texts: Sequence[Ids]) -> list[list[int]]:
        """The numbers of each process's texts: those that begin alike together, about as many tokens for each process.

        A process may be left without any.
        """
        order = sorted(range(len(texts)), key=texts.__getitem__)
        sizes = np.array([len(texts[i]) for i in order])
        middles = (np.cumsum(sizes) - sizes / 2) / max(sizes.sum(), 1)
        owners = (middles * self.count).astype(int).tolist()
        return [[i for i, owner in zip(order, owners, strict=True) if owner == rank] for rank in range(self.count)]

    def gathered(self, data: bytes) -> list[bytes]:
        """What every process gave, in their order."""
        if self.count == 1:
            return [data]
        sizes = [torch.zeros(1, dtype=torch.int64) for _ in range(self.count)]
        self._talk(distributed.all_gather, sizes, torch.tensor([len(data)]))
        longest = max(int(size) for size in sizes)
        mine = torch.zeros(longest, dtype=torch.uint8)
        mine[: len(data)] = torch.from_numpy(np.frombuffer(data, dtype=np.uint8).copy())
        found = [torch.empty(longest, dtype=torch.uint8) for _ in sizes]
        self._talk(distributed.all_gather, found, mine)
        return [one[: int(size)].numpy().tobytes() for one, size in zip(found, sizes, strict=True)]

    def total(self, *numbers: float) -> list[float]:
        """The sum over the processes of each number."""
        return self._reduced(distributed.ReduceOp.SUM, numbers)

    def largest(self, number: float) -> float:
        """The largest of what the processes gave."""
        return self._reduced(distributed.ReduceOp.MAX, [number])[0]

    def of_first(self, number: float) -> float:
        """What the first process gave."""
        return self.total(number if self.first else 0.0)[0]

    def wait(self) -> None:
        """Returns once every process is here."""
        self.total(0.0)

    def _reduced(self, how: Any, numbers: Sequence[float]) -> list[float]:
        if self.count == 1:
            return list(numbers)
        found = torch.tensor(numbers, dtype=torch.float64)
        self._talk(distributed.all_reduce, found, how)
        reduced: list[float] = found.tolist()
        return reduced

    def _talk(self, verb: Any, *given: Any) -> None:
        try:
            verb(*given, group=self.group)
        except RuntimeError as error:
            raise UserError(
                f"another process of this run has ended ({str(error).splitlines()[0][:80]}); the first that failed "
                "says why, and all that was saved is kept: start the same command again with --resume"
            ) from error


_here = Ranks()


def ranks() -> Ranks:
    """The processes that train together here; one where nothing was `joined`."""
    return _here


@contextmanager
def joined(place: str, engine: str) -> Iterator[Ranks]:
    """Within it the processes that `torchrun` or `accelerate launch` started are one run.

    Args:
        place: Where models compute: "cpu" or "cuda".
        engine: Where tokens come from, by name.

    Raises:
        UserError: For an engine that does not answer in several processes, or where the weights are to be divided in
            a way that is not known here.
    """
    global _here
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield _here
        return
    if engine in ALONE:
        raise UserError(
            f"got {count} processes and --engine {engine}, which one process alone drives; use --engine local, or "
            "start the command without torchrun"
        )
    from accelerate import PartialState

    sharded = os.environ.get(SHARDED, "false").lower() == "true"
    if sharded and os.environ.get("FSDP_VERSION", "1") != "2":
        raise UserError("got FSDP version 1 from accelerate's configuration; set fsdp_version: 2 in it")
    state = PartialState(cpu=place == "cpu")
    if state.process_index:
        os.environ["TQDM_DISABLE"] = "1"  # the first shows how far all are
    _here = Ranks(state.process_index, count, sharded, distributed.new_group(backend="gloo"))
    try:
        yield _here
        _here.wait()
        gc.collect()  # a trainer is a cycle; what its threads let go while the interpreter ends would abort the process
        distributed.destroy_process_group()
    finally:
        _here = Ranks()


def dividable(model: Any) -> Any:
    """The model that is trained: the given one, or a copy of it where the processes divide the weights among them.

    A model whose weights are divided answers only where all processes ask it the same, so play needs a whole one.
    """
    return copy.deepcopy(model) if _here.sharded else model


def take_up(model: Any, moved: Any) -> None:
    """Copies trained weights from what `dividable` gave for a model into the model; each process must ask."""
    if moved is model:
        return
    held = dict(model.named_parameters())
    with torch.no_grad():
        for name, value in moved.named_parameters():
            if value.requires_grad:
                held[name].copy_(value.full_tensor() if isinstance(value, DTensor) else value)


def play_together(
    game: Game,
    policies: Mapping[str, Policy],
    matches: Sequence[Match],
    *,
    seed: int | Seed,
    fault_rule: FaultRule = "forfeit",
) -> list[Episode]:
    """`arena.rollout`, each process playing its part: all of them get all episodes, in the order of `matches`."""
    all_of_us = ranks()
    if all_of_us.count == 1:
        return rollout(game, policies, matches, seed=seed, fault_rule=fault_rule)
    mine = all_of_us.part(len(matches))
    own = list(matches[mine])
    played = rollout(game, policies, own, seed=seed, fault_rule=fault_rule, first=mine.start) if own else []
    return [episode for lines in all_of_us.gathered(packed(played)) for episode in unpacked(lines)]


def score_together(scored: Scored) -> Scored:
    """A way to score texts, each process scoring its part: all of them get all scores, in the order of the texts."""

    def together(pairs: list[tuple[Ids, Ids]]) -> list[np.ndarray]:
        all_of_us = ranks()
        if all_of_us.count == 1:
            return scored(pairs)
        parts = all_of_us.divided([prompt + completion for prompt, completion in pairs])
        mine = [pairs[i] for i in parts[all_of_us.rank]]
        own = np.concatenate([np.zeros(0), *(scored(mine) if mine else [])])
        found: dict[int, np.ndarray] = {}
        for part, told in zip(parts, all_of_us.gathered(own.tobytes()), strict=True):
            scores, start = np.frombuffer(told), 0
            for i in part:
                found[i] = scores[start : start + len(pairs[i][1])]
                start += len(pairs[i][1])
        return [found[i] for i in range(len(pairs))]

    return together
