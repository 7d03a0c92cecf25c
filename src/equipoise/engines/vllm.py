"""The engine `vllm`: vLLM in this process, beside the trainer on one device.

It serves a copy of the model's weights, which `put` brings up to date. What it draws is drawn from softmax(logits /
temperature) and nothing else, and the log-probabilities that it tells are those of that distribution. Whole replies
are scored token by token in the same way: every distinct beginning is a request for one token that asks for the
log-probabilities of those that follow it in some reply. vLLM's own scores of a prompt know no temperature.
"""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel

from equipoise.engines.engine import Capabilities, Context, Decoding, Ids, Sample
from equipoise.engines.local import Weights, stops_of
from equipoise.engines.vllm_check import require_agreement
from equipoise.engines.vllm_model import Served, is_adapter
from equipoise.engines.vllm_runner import Asked, Given, Runner
from equipoise.engines.vllm_settings import VllmSettings
from equipoise.errors import UserError

COLDEST, HOTTEST = 0.01, 2.0
"""The temperatures that vLLM draws at, 0 aside: it raises a lower one to the first and refuses one above the second."""

_LARGEST = 2**63 - 1
"""The largest seed that vLLM takes."""


class VllmEngine:
    """An engine that samples with vLLM what a model in memory would.

    Training moves the model, and the engine does not see it: whoever trains puts the new weights. Adapters answer side
    by side, each by its name. A past self of all weights is loaded in the place of the model's own for the calls that
    ask for it, and its own again for the next that asks for them: each change costs a pass over all weights and what
    was kept of earlier prompts. For that the host keeps a copy of both.

    Attributes:
        name: "vllm".
        can: Scores, log-probabilities of what was sampled, new weights.
        vocabulary: How many tokens its model knows.
        stops: Tokens that end a text by the model's own settings.
        model: The model in memory whose weights it was given; None where that does not move.
        difference: The largest difference between its log-probabilities and the model's own, as tried when it started.
    """

    name = "vllm"
    can = Capabilities(scores=True, log_probs=True, updates=True, rests=True)

    def __init__(self, model: PreTrainedModel, settings: VllmSettings | None = None) -> None:
        """Starts vLLM with a model's weights as they are now, and an adapter's where it bears one.

        Args:
            model: From `equipoise.models.load`, in whatever state training has brought it to. One of whose weights none
                requires a gradient does not move: it is read once and not kept, and its weights are never replaced.
            settings: What vLLM may take of the machine.

        Raises:
            UserError: Where vLLM is not installed, does not start, or does not give the model's own probabilities.
        """
        self._served = Served.of(model)
        self.vocabulary: int = self._served.config.vocab_size
        self.stops: tuple[int, ...] = stops_of(model)
        self.model = model if any(parameter.requires_grad for parameter in model.parameters()) else None
        self._folder = Path(tempfile.mkdtemp(prefix="equipoise-vllm-"))
        self._adapters: dict[str, tuple[int, Path]] = {}
        self._whole: dict[str, dict[str, torch.Tensor]] = {}
        self._loaded: str | None = ""
        self._versions = 0
        try:
            self._served.write_config(self._folder)
            self._runner = Runner(self._folder, self._served, settings or VllmSettings())
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        try:
            self._start(model)
        except BaseException:
            self.close()
            raise

    def _start(self, model: PreTrainedModel) -> None:
        self._runner.load(list(self._served.weights(model)))
        if self._served.adapter is not None:
            self.put("", self._served.own_adapter(model))
        elif self.model is not None:
            first = (item for item in self._served.weights(model) if item[0] not in self._served.ties)
            self._whole[""] = {name: weight.to("cpu", copy=True) for name, weight in first}
        self.difference = require_agreement(self, model, self._runner.longest)

    def sample(
        self,
        prompts: Sequence[Context],
        keys: Sequence[np.ndarray],
        decoding: Decoding,
        *,
        adapter: str = "",
        likely: Sequence[tuple[Ids, ...]] = (),
    ) -> list[list[Sample]]:
        """As `Engine.sample`, where what runs side by side does not change how vLLM rounds: on a CPU in float32."""
        _require_temperature(decoding.temperature)
        ids = [prompt.ids for prompt in prompts]
        self._require_room(max(map(len, ids), default=0), decoding.max_new_tokens)
        greedy, stops = decoding.temperature == 0, tuple(sorted(decoding.stops))
        wanted = [(i, int(key) & _LARGEST) for i, own in enumerate(keys) for key in (own[:1] if greedy else own)]
        given = self._replies(
            [Asked(ids[i], decoding.temperature, decoding.max_new_tokens, stops, key) for i, key in wanted], adapter
        )
        found: list[list[Sample]] = [[] for _ in prompts]
        for (i, _), one in zip(wanted, given, strict=True):
            found[i] += [_sample(prompts[i], one, decoding)] * (len(keys[i]) if greedy else 1)
        return found

    def score(
        self,
        prompts: Sequence[Context],
        replies: Sequence[Sequence[Ids]],
        temperature: float = 1.0,
        *,
        adapter: str = "",
    ) -> list[list[float]]:
        """As `Engine.score`."""
        _require_temperature(temperature)
        rows = [[(prompt.ids, reply) for reply in mine] for prompt, mine in zip(prompts, replies, strict=True)]
        following: dict[Ids, dict[int, None]] = {}
        for prompt, reply in (pair for mine in rows for pair in mine):
            self._require_room(len(prompt), len(reply))
            for place, token in enumerate(reply):
                following.setdefault(prompt + reply[:place], {})[token] = None
        told = self._next_token(following, temperature, adapter)
        return [
            [
                math.fsum(told[prompt + reply[:k]].get(token, -math.inf) for k, token in enumerate(reply))
                for prompt, reply in mine
            ]
            for mine in rows
        ]

    def _next_token(
        self, following: Mapping[Ids, Collection[int]], temperature: float, adapter: str
    ) -> dict[Ids, dict[int, float]]:
        """After each of some beginnings, log-probabilities of some next tokens; greedy, that of the likeliest alone."""
        told: dict[Ids, dict[int, float]] = {start: {} for start in following}
        if temperature == 0:
            likeliest = self._replies([Asked(start, 0.0) for start in following], adapter)
            return {start: {given.tokens[0]: 0.0} for start, given in zip(following, likeliest, strict=True)}
        most = self._runner.most_told
        asked = [
            Asked(start, temperature, told=tuple(tokens)[k : k + most])
            for start, tokens in following.items()
            for k in range(0, len(tokens), most)
        ]
        for one, given in zip(asked, self._replies(asked, adapter), strict=True):
            told[one.prompt].update({token: given.log_probs[0][token] for token in one.told})
        return told

    def put(self, name: str, weights: Weights) -> None:
        """As `Engine.put`: an adapter's weights, or any of the whole model's."""
        if is_adapter(weights):
            self._versions += 1
            folder = self._folder / f"adapter-{self._versions}"
            self._served.write_adapter(weights, folder)
            self.drop(name)  # under its old number vLLM would answer from what it kept of the old weights
            self._adapters[name] = (self._versions, folder)
            return
        own = self._whole.get("")
        if own is None:
            raise UserError(
                "got weights of the whole model for an engine that serves an adapter, or a model whose weights do not "
                "require gradients; make the engine of a model that is trained whole"
            )
        given = {self._served.name(parameter): weight for parameter, weight in weights.items()}
        given.pop("", None)
        unknown = [parameter for parameter in given if parameter not in own]
        if unknown:
            raise UserError(f"got weights of {unknown[0]!r}, which the served {self._served.kind} does not have")
        copied = {parameter: weight.detach().to("cpu", copy=True) for parameter, weight in given.items()}
        self.drop(name)
        self._whole[name] = {**own, **copied}
        if not name:
            self._loaded = None
            self._wear("")

    def drop(self, name: str) -> None:
        """As `Engine.drop`; the model's own weights stay."""
        if name in self._adapters:
            number, folder = self._adapters.pop(name)
            self._runner.forget(number)
            shutil.rmtree(folder)
        if name and self._whole.pop(name, None) is not None and self._loaded == name:
            self._loaded = None

    def rest(self) -> None:
        """As `Resting.rest`; on a CPU nothing happens."""
        self._runner.rest()

    def close(self) -> None:
        """As `Engine.close`."""
        self._runner.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _replies(self, asked: Sequence[Asked], adapter: str) -> list[Given]:
        """What is given to each under the weights of a name."""
        if adapter and adapter not in self._adapters and adapter not in self._whole:
            known = ", ".join(sorted({*self._adapters, *self._whole} - {""})) or "none"
            raise UserError(f"unknown adapter {adapter!r}; known: {known}; give its weights with put first")
        self._wear(adapter if adapter in self._whole else "")
        return self._runner.replies(asked, self._adapters.get(adapter)) if asked else []

    def _wear(self, name: str) -> None:
        """Loads the whole weights of a name where others are loaded."""
        if self._loaded != name:
            self._loaded = None  # while they change
            self._runner.load(self._served.complete(self._whole[name]))
            self._loaded = name

    def _require_room(self, prompt: int, reply: int) -> None:
        if prompt + reply > self._runner.longest:
            raise UserError(
                f"got a prompt of {prompt} tokens with a reply of up to {reply}; vLLM was given room for "
                f"{self._runner.longest}: raise max_model_len, or ask for shorter replies"
            )


def _sample(prompt: Context, given: Given, decoding: Decoding) -> Sample:
    tokens = given.tokens
    log_probs = [
        0.0 if decoding.temperature == 0 else told[token] for token, told in zip(tokens, given.log_probs, strict=True)
    ]
    return Sample(tokens, tuple(log_probs), tokens[-1] in decoding.stops, prompt.then(tokens))


def _require_temperature(temperature: float) -> None:
    if temperature and not COLDEST <= temperature <= HOTTEST:
        raise UserError(
            f"got temperature {temperature}; vLLM draws at 0 and from {COLDEST} to {HOTTEST}: use one of these, or "
            "engine local"
        )
