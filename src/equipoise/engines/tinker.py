"""The engine of a cluster: sampling and scoring through the Tinker API, by a hosted service or a server of one's own.

Token ids go out, token ids and log-probabilities come back; the server knows no chat template. Its log-probabilities
are those of the bare logits, so what is drawn is what is scored at temperature 1 alone. At temperature 0 every drawn
token has log-probability 0; at others replies are drawn and their log-probabilities are not known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from equipoise.engines.engine import Capabilities, Context, Decoding, Ids, Sample
from equipoise.engines.tinker_model import RemoteModel
from equipoise.engines.tinker_server import ServerFailed, TinkerServer
from equipoise.errors import UserError

if TYPE_CHECKING:
    import torch

_SEEDS = 2**31
"""Seeds that a server takes are below this."""


class TinkerEngine:
    """Serves the base model of a Tinker server, adapters that are trained there, and past selves.

    Equal calls draw the same as far as the server keys its draws: SkyRL does, up to the last bits of its arithmetic,
    which may depend on what else is in a pass. A reply's key alone decides nothing: one request is drawn as a whole.

    Attributes:
        server: The connection.
        state: Where the server has the state of the weights that answer to "", for `recall`; "" for the base model.
    """

    name = "tinker"
    can = Capabilities(scores=True, log_probs=True, updates=False)

    def __init__(self, server: TinkerServer, vocabulary: int, stops: tuple[int, ...] = ()) -> None:
        """Opens the base model.

        Args:
            server: A connection, which the engine closes.
            vocabulary: How many tokens the model knows; the server does not say.
            stops: Tokens that end a text by the model's own settings.
        """
        self.server, self.vocabulary, self.stops = server, vocabulary, stops
        self.state = ""
        self._base = server.base_sampler()
        self._samplers: dict[str, Any] = {"": self._base}
        self._recalled: dict[str, RemoteModel] = {}

    def sample(
        self,
        prompts: Sequence[Context],
        keys: Sequence[np.ndarray],
        decoding: Decoding,
        *,
        adapter: str = "",
        likely: Sequence[tuple[Ids, ...]] = (),
    ) -> list[list[Sample]]:
        """As the protocol says, but that a prompt's replies are one request, whose first key stands for all."""
        sampler, tinker = self._sampler(adapter), self.server.tinker
        counts = [len(each) for each in keys]
        params = [
            tinker.SamplingParams(
                max_tokens=decoding.max_new_tokens,
                seed=int(each[0]) % (_SEEDS - len(each)),  # a request's replies have this seed and those after it
                stop=sorted(decoding.stops) or None,
                temperature=decoding.temperature,
            )
            for each in keys
        ]

        def draw() -> list[Any]:
            asked = [
                sampler.sample(tinker.ModelInput.from_ints(list(prompt.ids)), count, one)
                for prompt, count, one in zip(prompts, counts, params, strict=True)
            ]
            return [answer.result().sequences for answer in asked]

        drawn = self.server.ask("drawing replies", draw)
        return [
            [_sample(prompt, sequence, decoding) for sequence in sequences]
            for prompt, sequences in zip(prompts, drawn, strict=True)
        ]

    def score(
        self,
        prompts: Sequence[Context],
        replies: Sequence[Sequence[Ids]],
        temperature: float = 1.0,
        *,
        adapter: str = "",
    ) -> list[list[float]]:
        """As the protocol says, at temperature 1 alone."""
        if temperature != 1.0:
            raise UserError(
                f"got temperature {temperature}; the Tinker API scores at temperature 1 alone: use that, leave exact "
                "figures out, or use --engine local"
            )
        texts = [prompt.ids for prompt in prompts]
        rows = list({(p, reply): None for p, options in zip(texts, replies, strict=True) for reply in options})
        found = dict(zip(rows, self._token_log_probs(self._sampler(adapter), rows), strict=True))
        return [[float(found[p, r].sum()) for r in options] for p, options in zip(texts, replies, strict=True)]

    def base_log_probs(self, rows: Sequence[tuple[Ids, Ids]]) -> list[np.ndarray]:
        """Log-probability of every completion token of some (prompt, completion) pairs under the base model."""
        return self._token_log_probs(self._base, rows)

    def serve(self, model: RemoteModel, state: str) -> None:
        """Has a model that is trained answer in the place of the model itself, with the weights it has now.

        Args:
            model: The model.
            state: Where those weights are saved.
        """
        self._samplers[""], self.state = model.sampler(), state

    def recall(self, name: str, state: str) -> None:
        """Has saved weights answer to a name, as a model of their own, until `drop`.

        Args:
            name: A past self, or another agent; "" for the model itself.
            state: Where they are saved; "" for the base model.
        """
        self.drop(name)
        if state:
            self._recalled[name] = self.server.restored(state)
        self._samplers[name] = self._recalled[name].sampler() if state else self._base

    def reopen(self) -> None:
        """Connects anew to a server that was started again; all but the base model is then to be served anew."""
        self.server.reconnect()
        self._base, self.state = self.server.base_sampler(), ""
        self._samplers = {"": self._base}
        self._recalled.clear()

    def put(self, name: str, weights: Mapping[str, torch.Tensor]) -> None:
        """Refuses: weights are made on the server and stay there."""
        raise UserError(
            "the engine 'tinker' takes no weights from this process; train through it, or use --engine vllm"
        )

    def drop(self, name: str) -> None:
        if name:
            self._samplers.pop(name, None)
        if name in self._recalled:
            self._recalled.pop(name).close()

    def close(self) -> None:
        for name in list(self._recalled):
            self.drop(name)
        self._samplers.clear()
        self.server.close()

    def _sampler(self, adapter: str) -> Any:
        if adapter not in self._samplers:
            known = ", ".join(filter(None, self._samplers)) or "none"
            raise UserError(f"got the adapter {adapter!r}; the server has it under no such name; known: {known}")
        return self._samplers[adapter]

    def _token_log_probs(self, sampler: Any, rows: Sequence[tuple[Ids, Ids]]) -> list[np.ndarray]:
        """Log-probability of every token of each reply after its prompt; equal texts are sent once."""
        from_ints = self.server.tinker.ModelInput.from_ints
        texts = list(dict.fromkeys(prompt + reply for prompt, reply in rows))

        def compute() -> list[Any]:
            asked = [sampler.compute_logprobs(from_ints(list(text))) for text in texts]
            return [answer.result() for answer in asked]

        found = dict(zip(texts, self.server.ask("scoring replies", compute), strict=True))
        # one entry a token, or one fewer: servers differ in whether the first token has one, so count from the end
        return [np.array(found[prompt + reply][-len(reply) :], dtype=np.float64) for prompt, reply in rows]


def _sample(prompt: Context, sequence: Any, decoding: Decoding) -> Sample:
    """A drawn reply in the seam's form."""
    tokens = tuple(sequence.tokens)
    stopped = tokens[-1:] != () and tokens[-1] in decoding.stops
    if sequence.stop_reason == "stop" and not stopped:
        raise ServerFailed("the Tinker server leaves the token that ends a reply out of it; transcripts need it")
    if decoding.temperature == 1.0:
        log_probs = tuple(sequence.logprobs or ())
    else:
        log_probs = (0.0,) * len(tokens) if decoding.temperature == 0.0 else ()
    return Sample(tokens, log_probs, stopped, prompt.then(tokens))
