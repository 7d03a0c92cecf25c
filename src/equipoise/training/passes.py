"""The forward and backward passes of one optimizer step: minus the sum of weight times log-probability, in parts.

Rows of a step begin alike: they share the rules, and much of the play. So they are run as token trees, each distinct
beginning once (`engines/token_tree.py`), where the architecture allows it, and as padded rows where it does not. Either
way a pass has a bounded number of tokens, and the gradient is that of one row after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Protocol, TypeVar

import numpy as np
import torch

from equipoise.engines.architectures import windows
from equipoise.engines.token_tree import TokenTree, trees
from equipoise.engines.tree_pass import log_probs, log_probs_after, unwrapped
from equipoise.training.adapters import FIRST
from equipoise.training.loss import Example

WIDE = 1000.0
"""Nodes of a tree's row at which attention is taken to cost as much as all the rest.

Wider rows run fewer tokens twice, and mask more of their attention away. Chosen by CPU-seconds of a step of the
embedded model on six hands of Kuhn poker (one core, median of five): 1.14 at 100, 1.10 at 300, 0.98 at 1,000, 1.07 at
3,000, and 2.63 in rows as wide as a pass. It is the best of them in the auction and the dilemma too.
"""
_Sized = TypeVar("_Sized")


class Pass(Protocol):
    """Some of a step's rows, run together."""

    def loss(self, model: Any, temperature: float = 1.0) -> torch.Tensor:
        """-sum over its tokens of weight * log-probability, differentiable.

        Args:
            model: A causal language model, with or without adapters, or inside what several processes wrap it in.
            temperature: Divides the logits.
        """
        ...


@dataclass(frozen=True)
class TreePass:
    """Rows as token trees.

    Attributes:
        trees: One row of the pass each.
        adapter: The adapter they all go through; empty for the model as it is.
    """

    trees: Sequence[TokenTree]
    adapter: str = ""

    def loss(self, model: Any, temperature: float = 1.0) -> torch.Tensor:
        """As `Pass.loss`; logits are computed before weighed tokens alone, at most `tree_pass.LOGITS` at a time."""
        given = {}
        if self.adapter:
            model.eval()  # PEFT takes a name a row in this mode alone; nothing is dropped out, gradients are the same
            given["adapter_names"] = [self.adapter] * len(self.trees)
        found = log_probs(model, self.trees, temperature, **given)
        weights = torch.from_numpy(np.concatenate([tree.weights for tree in self.trees])).to(found)
        return -(weights * found).sum()


@dataclass(frozen=True)
class RowPass:
    """Rows side by side, padded on the right to the longest.

    Attributes:
        examples: The rows.
    """

    examples: Sequence[Example]

    def loss(self, model: Any, temperature: float = 1.0) -> torch.Tensor:
        """As `Pass.loss`; logits are computed as in a `TreePass`, for they can be most of a pass's memory."""
        inner = unwrapped(model)
        ids, weights = _padded(self.examples)
        row, before = weights[:, 1:].nonzero()  # [n]: the last position that predicts each weighted token
        inputs: dict[str, Any] = {"input_ids": torch.from_numpy(ids).to(inner.device)}
        if any(example.adapter for example in self.examples):
            model.eval()  # as above
            inputs["adapter_names"] = [example.adapter or FIRST for example in self.examples]
        at, chosen = row * ids.shape[1] + before, ids[row, before + 1]
        found = log_probs_after(model, inputs, at, chosen, temperature)
        return -(torch.from_numpy(weights[row, before + 1]).to(found) * found).sum()


@dataclass(frozen=True)
class Unfelt:
    """A pass without effect, for a process that has fewer than the others whose gradients it meets.

    Attributes:
        inner: What is run.
    """

    inner: Pass

    def loss(self, model: Any, temperature: float = 1.0) -> torch.Tensor:
        """0, with a gradient of 0."""
        return 0.0 * self.inner.loss(model, temperature)


def passes(model: Any, examples: Sequence[Example], most: int) -> list[Pass]:
    """The passes of a step's rows, whose gradients add up to the step's.

    Args:
        model: What is trained.
        examples: The rows; those of different adapters are in one pass only where they are rows.
        most: Tokens of a pass, padding included; a row that is longer is a pass of its own.
    """
    examples = felt(examples)
    if windows(unwrapped(model).config) is None:
        return [RowPass(part) for part in _parts(examples, lambda example: len(example.tokens), most)]
    found: list[Pass] = []
    for adapter, some in groupby(sorted(examples, key=_adapter), key=_adapter):
        own = list(some)
        whole = trees([example.tokens for example in own], [example.weights for example in own], most, WIDE)
        found += [TreePass(part, adapter) for part in _parts(whole, len, most)]
    return found


def felt(examples: Sequence[Example]) -> list[Example]:
    """The rows without what no gradient comes from: what follows the last weighted token, and rows without any.

    Where all rollouts of a group end alike, none of them is better than the others, and none has a weight.

    Args:
        examples: The rows.

    Returns:
        At least one row of every adapter: its shortest as it is where it has no weights, because a step needs a loss.
    """
    ends = [max(np.flatnonzero(example.weights), default=-1) + 1 for example in examples]
    found = [
        replace(example, tokens=example.tokens[:end], weights=example.weights[:end])
        for example, end in zip(examples, ends, strict=True)
        if end
    ]
    for adapter in {example.adapter for example in examples} - {example.adapter for example in found}:
        own = [example for example in examples if example.adapter == adapter]
        found.append(min(own, key=lambda example: len(example.tokens)))
    return found


def _adapter(example: Example) -> str:
    return example.adapter


def _parts(whole: Sequence[_Sized], size: Callable[[_Sized], int], most: int) -> list[list[_Sized]]:
    """The longest first, as many together as fit when all are filled up to the longest of them."""
    parts: list[list[_Sized]] = []
    for one in sorted(whole, key=size, reverse=True):
        if not parts or (len(parts[-1]) + 1) * size(parts[-1][0]) > most:
            parts.append([])
        parts[-1].append(one)
    return parts


def _padded(examples: Sequence[Example]) -> tuple[np.ndarray, np.ndarray]:
    """Ids and weights, [B, L].

    Rows are filled up with their first token and without a mask, for no token sees a later one. The gradient of a token
    whose embedding is zero may be no number, and that of one that sees nothing may be none either.
    """
    shape = len(examples), max(len(example.tokens) for example in examples)
    ids, weights = np.repeat([example.tokens[:1] for example in examples], shape[1], axis=1), np.zeros(shape)
    for i, example in enumerate(examples):
        part = i, slice(len(example.tokens))
        ids[part], weights[part] = example.tokens, example.weights
    return ids, weights
