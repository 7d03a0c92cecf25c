"""A network that loses an answer: it passes requests on to a server and, once, drops what comes back."""

import contextlib
import socket
import threading
from urllib.parse import urlsplit


class Forgetful:
    """Passes connections on; from a path's `after`-th request on loses one answer, after the server has acted on it.

    Attributes:
        url: Where to connect to.
        forgotten: Answers lost so far.
    """

    def __init__(self, url: str, path: str, *, after: int):
        """Args: url: The server. path: Whose answer is lost. after: The number of the request, counted from 1."""
        parts = urlsplit(url)
        self._server, self._path, self._after = (parts.hostname, parts.port), f"POST {path} ".encode(), after
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._seen, self.forgotten = 0, 0
        self._lock = threading.Lock()

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *error):
        self._listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._server)
            loses = threading.Event()
            threading.Thread(target=self._up, args=(client, server, loses), daemon=True).start()
            threading.Thread(target=self._down, args=(server, client, loses), daemon=True).start()

    def _up(self, client, server, loses):
        while data := self._read(client):
            if self._path in data:
                with self._lock:
                    self._seen += 1
                    if self._seen == self._after:
                        loses.set()
            server.sendall(data)
        self._close(server)

    def _down(self, server, client, loses):
        while data := self._read(server):
            if loses.is_set():
                self.forgotten += 1
                break
            try:
                client.sendall(data)
            except OSError:
                break
        self._close(server)
        self._close(client)

    @staticmethod
    def _read(end):
        try:
            return end.recv(1 << 16)
        except OSError:
            return b""

    @staticmethod
    def _close(end):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
