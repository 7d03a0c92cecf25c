"""A forward pass that scored a step's words, kept for the backward pass of the same step.

Exact gradients score every word of a game under the present weights, and then train those very words: the first pass
has what the second would compute again. So it is kept with its activations, where one pass holds all words; in a larger
game the words are scored without, and run again part by part.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from equipoise.engines.engine import Ids
from equipoise.engines.memory import ran_out
from equipoise.engines.token_tree import places
from equipoise.engines.tree_pass import log_probs
from equipoise.training.loss import Example
from equipoise.training.passes import Pass, TreePass, passes
from equipoise.training.ranks import ranks

_RECOMPUTES = next(
    name
    for name in ("is_activation_checkpointing", "is_gradient_checkpointing")
    if isinstance(getattr(PreTrainedModel, name, None), property)
)
"""What transformers calls it where activations are computed twice: the first since 5.23, the second before."""


@dataclass(frozen=True, eq=False)
class KeptPass:
    """The words of some sequences, differentiable until the weights move.

    Attributes:
        found: Log-probability of each distinct word, [E].
        places: For each sequence where its words are in `found`, [L] for a sequence that ends in L of them.
    """

    found: torch.Tensor
    places: Mapping[Ids, np.ndarray]

    def log_probs(self, sequence: Ids) -> np.ndarray:
        """Log-probability of each word that a sequence ends in."""
        scores: np.ndarray = self.found.detach()[torch.from_numpy(self.places[sequence])].double().cpu().numpy()
        return scores

    def holds(self, sequences: Iterable[Ids]) -> bool:
        """Whether these are among its sequences."""
        return all(sequence in self.places for sequence in sequences)

    def backwards(self, examples: Sequence[Example]) -> Pass:
        """What is left of training some of its sequences: the backward pass."""
        where = np.concatenate([self.places[example.tokens] for example in examples])
        weights = np.concatenate([example.weights[-len(self.places[example.tokens]) :] for example in examples])
        return _Backwards(self.found, where, weights)


@dataclass(frozen=True, eq=False)
class _Backwards:
    found: torch.Tensor
    where: np.ndarray
    weights: np.ndarray

    def loss(self, model: Any, temperature: float = 1.0) -> torch.Tensor:
        """As `Pass.loss`, of the model and the temperature that the words were scored with."""
        where = torch.from_numpy(self.where).to(self.found.device)
        return -(torch.from_numpy(self.weights).to(self.found) * self.found[where]).sum()


def kept_pass(model: Any, rows: Sequence[tuple[Ids, Ids]], temperature: float, most: int) -> KeptPass | None:
    """One forward pass over the replies of some rows; None where it could not be trained from.

    That is where it needs several passes, where the architecture takes no token trees, where activations are to be
    computed twice rather than kept, where memory cannot hold them, and where several processes share the work.

    Args:
        model: What is trained.
        rows: (prompt, reply) token ids.
        temperature: Divides the logits.
        most: Tokens of a pass.
    """
    if ranks().count > 1 or getattr(model, _RECOMPUTES, False):
        return None
    words = {prompt + reply: np.repeat([0.0, 1.0], [len(prompt), len(reply)]) for prompt, reply in rows}
    (one, *more) = passes(model, [Example(tokens, weights) for tokens, weights in words.items()], most)
    if more or not isinstance(one, TreePass):
        return None
    try:
        with torch.enable_grad():
            found = log_probs(model, one.trees, temperature)
    except (torch.OutOfMemoryError, RuntimeError) as error:
        if not ran_out(error):
            raise
        return None
    return KeptPass(found, places(one.trees, words))
