"""A server of the Tinker API, hosted or one's own (SkyRL): requests that are waited for so long and no longer.

The client's own retries are off for everything that moves weights: a server that does not tell a request from its
repetition would take a step twice. Whoever trains restores the last saved state instead (`training.tinker_trainer`).
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from equipoise.errors import UserError

if TYPE_CHECKING:
    from equipoise.engines.tinker_model import RemoteModel

HOSTED = "https://tinker.thinkingmachines.dev/services/tinker-prod"
"""Where the client looks when it is told no address."""

KEY = "TINKER_API_KEY"
"""The environment variable that holds the key of a hosted service; a server of one's own asks for none."""

STATE = "server.json"
"""The file that says where a server has the state of what is in its folder."""

_NO_KEY = "tml-none"
_LOOK_S, _CONNECT_S = 1.0, 5.0
_SHOWN = 300

T = TypeVar("T")


class ServerFailed(UserError):
    """A server of the Tinker API that refused, died or did not answer in time, in one line."""


class TinkerServer:
    """One server and the base model that it serves.

    Attributes:
        url: Its address.
        base: The name of the base model, as the server calls it.
        tinker: The client package.
    """

    def __init__(self, url: str = "", base: str = "", *, patience_s: float = 600.0) -> None:
        """Connects.

        Args:
            url: The server's address, "" for the one in TINKER_BASE_URL, or the hosted service.
            base: The base model's name; a server that has only one serves that, whatever it calls it, which is a folder
                for a server of one's own.
            patience_s: Longest wait for one answer; a server that refuses connections is not waited for.

        Raises:
            ServerFailed: When there is no server, or it does not serve the model.
            UserError: When the client is not installed.
        """
        self.tinker = _client()
        self.url = url or os.environ.get("TINKER_BASE_URL", "") or HOSTED
        self._patience_s = patience_s
        if not self.listens():
            raise ServerFailed(f"no Tinker server answers at {self.url}; start one, or give its address")
        self._service = self.session()
        served = self.ask("telling its models", self._service.get_server_capabilities).supported_models
        names = [model.model_name for model in served]
        if base not in names and len(names) != 1:
            raise ServerFailed(f"the Tinker server at {self.url} serves {', '.join(names) or 'nothing'}; got {base!r}")
        self.base: str = base if base in names else names[0]

    def session(self) -> Any:
        """A client of its own; the server frees what was made with it some minutes after `end`."""
        key = os.environ.get(KEY) or _NO_KEY
        return self.tinker.ServiceClient(base_url=self.url, api_key=key, max_retries=0)

    def end(self, session: Any) -> None:
        """Lets a session lapse, beside this thread: to end one that a dead server never began takes minutes."""
        threading.Thread(target=lambda: session.holder.close(), daemon=True).start()

    def ask(self, what: str, call: Callable[[], T]) -> T:
        """What a call answers; it runs beside this thread, so that a dead server is noticed.

        Args:
            what: What the server is doing, for a message.
            call: Sends requests and waits for them.

        Raises:
            ServerFailed: When it raises anything, when the server refuses connections, or when patience ends.
        """
        # the client would wait for a server that is not there, and do what nobody asks for any more when it is back
        if not self.listens():
            raise ServerFailed(f"no Tinker server answers at {self.url}, while {what}; start it again")
        answer: Future[T] = Future()
        threading.Thread(target=_into, args=(answer, call), daemon=True).start()
        deadline = time.monotonic() + self._patience_s
        while not wait([answer], timeout=_LOOK_S).done:
            if not self.listens():
                raise ServerFailed(f"the Tinker server at {self.url} died while {what}; start it again")
            if time.monotonic() > deadline:
                raise ServerFailed(f"the Tinker server at {self.url} took over {self._patience_s:g} s for {what}")
        try:
            return answer.result()
        except Exception as error:  # whatever the client makes of a server's answer is the server's failure
            said = " ".join(str(error).split())[:_SHOWN] or type(error).__name__
            raise ServerFailed(f"the Tinker server at {self.url} failed at {what}: {said}") from error

    def listens(self) -> bool:
        """Whether something accepts connections; a network that says nothing has the benefit of the doubt."""
        parts = urlsplit(self.url)
        try:
            socket.create_connection((parts.hostname or "", parts.port or 443), _CONNECT_S).close()
        except TimeoutError:
            return True
        except OSError:
            return False
        return True

    def base_sampler(self) -> Any:
        """A sampler of the base model."""
        return self.ask("opening the base model", lambda: self._service.create_sampling_client(base_model=self.base))

    def new_model(self, rank: int, seed: int, *, attention: bool = True, mlp: bool = True) -> RemoteModel:
        """A fresh adapter on the base model, to be trained.

        Args:
            rank: Of the adapter.
            seed: Keys its first weights, from 0 to 2^31 - 1.
            attention: Whether it goes on attention layers; a server may not heed it (`RemoteModel.adapter`).
            mlp: Whether it goes on the layers between them.
        """
        return self._made(
            "making an adapter",
            lambda session: session.create_lora_training_client(
                base_model=self.base, rank=rank, seed=seed, train_attn=attention, train_mlp=mlp, train_unembed=False
            ),
        )

    def restored(self, path: str) -> RemoteModel:
        """The model of a saved state with its optimizer, as a model of its own: the one that was saved stays as it is.

        Args:
            path: What `RemoteModel.save` gave.
        """
        return self._made(
            f"restoring {path}", lambda session: session.create_training_client_from_state_with_optimizer(path)
        )

    def _made(self, what: str, make: Callable[[Any], Any]) -> RemoteModel:
        """A model in a session of its own, which lapses where the model is not made."""
        from equipoise.engines.tinker_model import RemoteModel

        session = self.session()
        try:
            self.ask("beginning a session", lambda: session.holder)
            return RemoteModel(self, session, self.ask(what, lambda: make(session)))
        except ServerFailed:
            self.end(session)
            raise

    def reconnect(self) -> None:
        """Begins a session anew: the old one may have gone with the server that it was begun with."""
        self.close()
        self._service = self.session()

    def close(self) -> None:
        """Lets the session lapse."""
        self.end(self._service)


def _client() -> Any:
    """The client package."""
    try:
        import tinker
    except ImportError:
        raise UserError("the engine 'tinker' needs the Tinker client; pip install 'equipoise[tinker]'") from None
    return tinker


def _into(answer: Future[T], call: Callable[[], T]) -> None:
    """Puts what a call returns or raises into a future."""
    try:
        answer.set_result(call())
    except BaseException as error:
        answer.set_exception(error)
