"""The engine of this process: any transformers model, on the CPU or one GPU.

Each distinct transcript is run once, what it holds is kept between its turns where that is exact for the architecture,
and replies are drawn on the device. What is alive at a time is bounded whatever is asked: rows and their logits
(`decoder`), a pass (`reader`, `scoring`, `state_scoring`, `plain_scoring`), what is drawn from (`drawing`), and the
states of recurrent layers under each set of weights (`state_store`); keys and values are as many as contexts need.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import torch
from transformers import PreTrainedModel

from equipoise.engines.decoder import Decoder
from equipoise.engines.drawing import Drawing
from equipoise.engines.engine import Capabilities, Context, Decoding, Ids, Sample
from equipoise.engines.exactness import way_of
from equipoise.engines.memory import fitting
from equipoise.errors import UserError

Weights = Mapping[str, torch.Tensor]
"""Parameters by name."""


@contextmanager
def wearing(model: PreTrainedModel, weights: Weights) -> Iterator[None]:
    """Within it the model has other weights; afterwards its own, untouched. Nothing is copied."""
    parameters = dict(model.named_parameters())
    own = {name: parameters[name].data for name in weights}
    try:
        for name, value in weights.items():
            parameters[name].data = value
        yield
    finally:
        for name, value in own.items():
            parameters[name].data = value


def stops_of(model: PreTrainedModel) -> tuple[int, ...]:
    """The tokens that end a text by a model's own settings."""
    ends = getattr(model.generation_config, "eos_token_id", None)
    return () if ends is None else tuple(ends) if isinstance(ends, list) else (ends,)


class LocalEngine:
    """Serves a transformers model of this process; equal keys give equal draws on one device.

    Attributes:
        model: The model, which training may move.
    """

    name = "local"
    can = Capabilities(scores=True, log_probs=True, updates=True, as_trained=True)

    def __init__(self, model: PreTrainedModel) -> None:
        """Args: model: A loaded causal language model (see `equipoise.models.load`), adapters included."""
        self.model = model
        embeddings: Any = model.get_input_embeddings()
        self.vocabulary: int = len(embeddings.weight)
        self.stops: tuple[int, ...] = stops_of(model)
        self._named: dict[str, Weights] = {}
        self._decoders: WeakValueDictionary[tuple[str, int], Decoder] = WeakValueDictionary()

    def sample(
        self,
        prompts: Sequence[Context],
        keys: Sequence[np.ndarray],
        decoding: Decoding,
        *,
        adapter: str = "",
        likely: Sequence[tuple[Ids, ...]] = (),
    ) -> list[list[Sample]]:
        with self._under(adapter), torch.inference_mode():
            return fitting(
                lambda: Drawing(self._decoder(adapter), prompts, keys, decoding).samples(likely), "drawing replies"
            )

    def score(
        self,
        prompts: Sequence[Context],
        replies: Sequence[Sequence[Ids]],
        temperature: float = 1.0,
        *,
        adapter: str = "",
    ) -> list[list[float]]:
        with self._under(adapter):
            way = way_of(self.model)
            found = fitting(lambda: way.reply_log_probs(self.model, prompts, replies, temperature), "scoring replies")
        return [[float(np.add.reduceat(tokens, [0])[0]) for tokens in options] for options in found]

    def put(self, name: str, weights: Weights) -> None:
        if not name:
            with torch.no_grad():
                parameters = dict(self.model.named_parameters())
                for key, value in weights.items():
                    if parameters[key].data_ptr() != value.data_ptr():
                        parameters[key].copy_(value)
        self.drop(name)
        if name:
            self._named[name] = weights

    def drop(self, name: str) -> None:
        self._named.pop(name, None)
        for key in [key for key in self._decoders if key[0] == name]:
            del self._decoders[key]

    def close(self) -> None:
        self._named.clear()
        self._decoders.clear()

    @contextmanager
    def _under(self, adapter: str) -> Iterator[None]:
        if not adapter:
            yield
            return
        if adapter not in self._named:
            raise UserError(f"got the adapter {adapter!r}; put it first; known: {', '.join(self._named) or 'none'}")
        with wearing(self.model, self._named[adapter]):
            yield

    def _decoder(self, adapter: str) -> Decoder:
        """The decoder whose contexts were read under these very weights; it lives as long as a context needs it.

        Weights that are changed in place are noticed, but not by every optimizer (a fused one leaves no trace): `put`
        says that they have moved.
        """
        moved = 0 if adapter else sum(parameter._version for parameter in self.model.parameters())
        decoder = self._decoders.get((adapter, moved))
        if decoder is None:
            decoder = way_of(self.model).decoder(self.model)
            self._decoders[adapter, moved] = decoder
        return decoder
