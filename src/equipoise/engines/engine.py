"""The seam between a language model's player and where its tokens come from.

Above it everything is words and chat templates; below it are token ids in, and token ids with their log-probabilities
out. What is drawn is what is scored: softmax(logits / temperature) over the whole vocabulary, nothing cut off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    import torch

Ids = tuple[int, ...]
"""Token ids."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do; it says so, and nobody tries it out.

    Attributes:
        scores: Gives the log-probability of any reply, sampled or not: exact figures need it.
        log_probs: Gives the log-probability of each token that it sampled; training needs it.
        updates: Takes new weights while it runs, in the place of the model's own or under a name.
        tokens: Takes and gives token ids. One that does not takes and gives words.
        as_trained: Its probabilities are the trainer's own: it runs the very model that training moves. What another
            engine draws is weighed by importance ratios.
        rests: Gives its device's memory to the trainer between a step's play and the next (`Resting`).
    """

    scores: bool
    log_probs: bool
    updates: bool
    tokens: bool = True
    as_trained: bool = False
    rests: bool = False


@dataclass(frozen=True, slots=True)
class Decoding:
    """How replies are drawn.

    Attributes:
        temperature: Divides the logits; 0 is greedy: always the likeliest token, of equal ones that with the lowest id.
        max_new_tokens: Longest reply.
        stops: Tokens that end a reply; the one that did is the reply's last.
    """

    temperature: float
    max_new_tokens: int
    stops: frozenset[int]


class Context:
    """The tokens before a reply, as a chain of pieces: what conversations share is one object.

    Two contexts of equal tokens mean the same to every engine. One that keeps what it ran finds it at the pieces, so a
    conversation that goes on from `Sample.after` is not read from its start again.

    Attributes:
        before: What comes first, or None.
        new: The tokens of this piece.
        length: Tokens from the start of the chain.
        memory: An engine's own note of what it ran, or None.
    """

    __slots__ = ("__weakref__", "before", "length", "memory", "new")

    def __init__(self, new: Ids, before: Context | None = None) -> None:
        """Args: new: The last tokens. before: All that come before them."""
        self.before, self.new = before, new
        self.length: int = len(new) + (0 if before is None else before.length)
        self.memory: Any = None

    def then(self, new: Ids) -> Context:
        """This context with more tokens after it."""
        return Context(new, self)

    @property
    def ids(self) -> Ids:
        """All tokens."""
        return self.since(0)

    def since(self, start: int) -> Ids:
        """The tokens from position `start` on."""
        parts: list[Ids] = []
        piece: Context | None = self
        while piece is not None and piece.length > start:
            parts.append(piece.new[max(0, start - piece.length + len(piece.new)) :])
            piece = piece.before
        return parts[0] if len(parts) == 1 else tuple(chain.from_iterable(reversed(parts)))


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One drawn reply. Equal replies to one prompt may be one object.

    Attributes:
        tokens: What was drawn, the token that ended it included.
        log_probs: The log-probability of each; empty where the engine gives none.
        stopped: Whether a token of `Decoding.stops` ended it, not the limit.
        after: The prompt and the reply, to go on from.
    """

    tokens: Ids
    log_probs: tuple[float, ...]
    stopped: bool
    after: Context


class Engine(Protocol):
    """Where a language model's tokens come from: this process, another engine on the machine, a cluster.

    Attributes:
        name: The name it is asked for by.
        can: What it can do.
        vocabulary: How many tokens its model knows.
        stops: Tokens that end a text by the model's own settings.
    """

    name: str
    can: Capabilities
    vocabulary: int
    stops: tuple[int, ...]

    def sample(
        self,
        prompts: Sequence[Context],
        keys: Sequence[np.ndarray],
        decoding: Decoding,
        *,
        adapter: str = "",
        likely: Sequence[tuple[Ids, ...]] = (),
    ) -> list[list[Sample]]:
        """Draws replies to each prompt, one for each of its keys.

        Args:
            prompts: None of them empty.
            keys: What keys each wanted reply, 64 bits (`seeds.keys`), at least one for every prompt. Equal keys of
                equal prompts give equal replies, whatever is drawn beside them.
            decoding: How they are drawn.
            adapter: Whose weights answer: a name given to `put`; "" for the model's own.
            likely: Whole replies that may well follow each prompt; no result depends on them.

        Raises:
            UserError: For an unknown adapter, or where the engine fails; one line says what to do.
        """
        ...

    def score(
        self,
        prompts: Sequence[Context],
        replies: Sequence[Sequence[Ids]],
        temperature: float = 1.0,
        *,
        adapter: str = "",
    ) -> list[list[float]]:
        """Log-probability of each whole reply after its prompt; asked where `can.scores` alone.

        Args:
            prompts: None of them empty.
            replies: The replies to score after each prompt, none of them empty.
            temperature: Divides the logits; 0 is greedy, whose other replies have -inf.
            adapter: As in `sample`.
        """
        ...

    def put(self, name: str, weights: Mapping[str, torch.Tensor]) -> None:
        """Takes weights that stand in for the model's own of the same names where `name` is asked for.

        Args:
            name: An adapter or a past self; "" for new weights of the model itself, from now on.
            weights: Parameters by name: all that training moves, an adapter's or the whole model's. They may be the
                very parameters of the engine's model, after a step: then the call says that they have moved.
        """
        ...

    def drop(self, name: str) -> None:
        """Forgets the weights of a name; unknown names are none."""
        ...

    def close(self) -> None:
        """Gives back what the engine holds: memory, processes, connections."""
        ...


class Resting(Protocol):
    """What an engine has beside where `can.rests`."""

    def rest(self) -> None:
        """Gives its device's memory back until it is asked something again; no weights are forgotten."""
        ...


@runtime_checkable
class RemoteWeights(Protocol):
    """What an engine has beside whose weights never leave its server: states that are saved there, by where they are.

    Attributes:
        state: Where the server has the weights that answer to "".
    """

    state: str

    def recall(self, name: str, state: str) -> None:
        """Has saved weights answer to a name, until `Engine.drop`."""
        ...
