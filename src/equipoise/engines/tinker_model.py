"""A model that a server of the Tinker API trains: its steps, saved states and samplers, and its adapter taken home."""

from __future__ import annotations

import contextlib
import io
import tarfile
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from equipoise.engines.engine import Ids
from equipoise.engines.tinker_server import ServerFailed, TinkerServer

ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")
"""What PEFT makes of an adapter."""

_DOWNLOAD_S, _KEPT_S = 600.0, 30 * 24 * 3600


@dataclass(frozen=True, slots=True, eq=False)
class TokenRow:
    """A sequence to train on.

    Attributes:
        tokens: Its tokens, [L], at least two.
        advantages: What each weighs, 0 where it is not trained; the first token's is not looked at, [L].
        log_probs: Of each when it was sampled; not looked at where the advantage is 0, [L].
    """

    tokens: Ids
    advantages: np.ndarray
    log_probs: np.ndarray

    def scaled(self, factor: float) -> TokenRow:
        """The row with all its advantages times a number."""
        return TokenRow(self.tokens, self.advantages * factor, self.log_probs)


@dataclass(frozen=True, slots=True)
class Adam:
    """One step of AdamW without weight decay.

    Attributes:
        learning_rate: Of this step.
        beta1: Of the gradient's mean.
        beta2: Of its square's.
        epsilon: Added to the denominator.
        clip: Largest norm of the gradient, 0 for any; a server may not heed it (`tinker_arithmetic`).
    """

    learning_rate: float
    beta1: float = 0.9
    beta2: float = 0.99
    epsilon: float = 1e-8
    clip: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Stepped:
    """What a step told.

    Attributes:
        log_probs: Of each row's tokens but the first, before the step; each [L - 1].
        gradient_norm: Of the whole gradient before it was clipped; None from a server that does not say.
    """

    log_probs: list[np.ndarray]
    gradient_norm: float | None


class RemoteModel:
    """An adapter on the base model of a server, with its optimizer; it lives as long as its session."""

    def __init__(self, server: TinkerServer, session: Any, client: Any) -> None:
        """Args: server: Where it is. session: What keeps it. client: The Tinker client's own `TrainingClient`."""
        self._server, self._session, self._client = server, session, client
        client.holder.execute_with_retries = _once

    def step(self, rows: Sequence[TokenRow], adam: Adam) -> Stepped:
        """Adds up the gradient of -ratio * advantage over all tokens, and takes one step along it.

        The ratio is the token's probability now over that when it was sampled: 1 but for the two passes' arithmetic, so
        that the gradient is the policy gradient. Both requests are sent before either is answered, each once.

        Args:
            rows: What is trained on, at least one; how a server weighs tokens and rows is for the caller to know.
            adam: How the step is taken.

        Raises:
            ServerFailed: When the server does not answer; whether the step was taken is then unknown.
        """
        types = self._server.tinker
        data = [self._datum(row) for row in rows]
        params = types.AdamParams(
            learning_rate=adam.learning_rate,
            beta1=adam.beta1,
            beta2=adam.beta2,
            eps=adam.epsilon,
            weight_decay=0.0,
            grad_clip_norm=adam.clip,
        )

        def take() -> tuple[Any, Any]:
            gradient = self._client.forward_backward(data, "importance_sampling")
            step = self._client.optim_step(params)
            return gradient.result(), step.result()

        passed, stepped = self._server.ask("taking a step", take)
        norms = [value for name, value in (stepped.metrics or {}).items() if name.rpartition("/")[2] == "grad_norm"]
        log_probs = [np.asarray(output["logprobs"].data, dtype=np.float64) for output in passed.loss_fn_outputs]
        return Stepped(log_probs, float(norms[0]) if norms else None)

    def save(self, name: str) -> str:
        """The path of the state now saved, with the optimizer's; `TinkerServer.restored` takes it.

        A hosted service forgets it after a month; a server of one's own keeps it until somebody removes it.

        Args:
            name: Of letters, digits, "-" and "_"; new for this model.
        """
        saved = self._server.ask(f"saving {name}", lambda: self._client.save_state(name, _KEPT_S).result())
        path: str = saved.path
        return path

    def load(self, path: str) -> None:
        """Goes back to a saved state, with its optimizer; a gradient that was added up and not stepped along stays.

        Args:
            path: What `save` gave.
        """
        self._server.ask(f"restoring {path}", lambda: self._client.load_state_with_optimizer(path).result())

    def sampler(self) -> Any:
        """A sampler of the weights as they are now.

        Only the newest of a model may be asked: SkyRL's JAX backend loads what an older sampler asks for into the place
        of the weights that are being trained. A past self is a model of its own (`TinkerServer.restored`).
        """
        return self._server.ask("opening a sampler", self._client.save_weights_and_get_sampling_client)

    def adapter(self, name: str, folder: Path) -> None:
        """Puts the adapter as it is now into a folder: PEFT's two files, as the server wrote them, and no others.

        Args:
            name: Of letters, digits, "-" and "_"; new for this model.
            folder: Is made where it is missing.

        Raises:
            ServerFailed: When the server does not answer, or names a place that is not on the web.
        """
        saved = self._server.ask(f"saving {name}", lambda: self._client.save_weights_for_sampler(name).result())
        place = urlsplit(saved.path)
        rest = self._session.create_rest_client()

        def fetch() -> bytes:
            link: str = rest.get_checkpoint_archive_url(place.netloc, place.path.lstrip("/")).result().url
            if urlsplit(link).scheme not in ("http", "https"):
                raise ServerFailed(f"the Tinker server sends an adapter from {link[:80]!r}; needed: http or https")
            with urllib.request.urlopen(link, timeout=_DOWNLOAD_S) as response:
                archive: bytes = response.read()
            return archive

        packed = self._server.ask(f"sending {name}", fetch)
        folder.mkdir(parents=True, exist_ok=True)
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            wanted = [member for member in archive.getmembers() if Path(member.name).name in ADAPTER_FILES]
            archive.extractall(folder, wanted, filter="data")

    def close(self) -> None:
        """Has the server free the model; one that does not answer frees it when the session has lapsed."""
        from tinker.lib.client_connection_pool_type import ClientConnectionPoolType

        request = self._server.tinker.types.UnloadModelRequest(model_id=self._client.model_id)

        async def unload() -> None:
            with self._client.holder.aclient(ClientConnectionPoolType.TRAIN) as client:
                await client.models.unload(request=request)

        with contextlib.suppress(ServerFailed):
            self._server.ask("freeing a model", lambda: self._client.holder.run_coroutine_threadsafe(unload()).result())
        self._server.end(self._session)

    def _datum(self, row: TokenRow) -> Any:
        """A row in the server's own form: each token but the last, and what follows it."""
        types = self._server.tinker
        log_probs = np.where(row.advantages == 0.0, 0.0, row.log_probs)
        return types.Datum(
            model_input=types.ModelInput.from_ints(list(row.tokens[:-1])),
            loss_fn_inputs={
                "target_tokens": np.asarray(row.tokens[1:], dtype=np.int64),
                "logprobs": log_probs[1:].astype(np.float32),
                "advantages": row.advantages[1:].astype(np.float32),
            },
        )


async def _once(call: Any, *given: Any, **named: Any) -> Any:
    """What a request answers, sent once: in place of the client's repetitions, which may move weights twice."""
    return await call(*given, **named)
