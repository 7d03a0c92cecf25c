"""SkyRL's Tinker server on loopback, in an environment of its own: started, killed and started again by the tests."""

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

SHIM = Path(__file__).parent / "shim"

BACKEND = {
    "max_lora_adapters": 5,  # the base's, the trained one's, a scratch one's, a past self's, and a spare
    "max_lora_rank": 8,
    "sample_max_num_sequences": 64,  # every pass has this size, so that it is compiled once
}


class SkyRL:
    """One server; `start` after `kill` finds what the killed one had saved.

    Attributes:
        url: Its address.
    """

    def __init__(self, environment: Path, model: Path, folder: Path):
        """Args: environment: Where SkyRL is installed. model: What it serves. folder: What it writes."""
        self._environment, self._model, self._folder = environment, model, folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self._process = None
        folder.mkdir(parents=True, exist_ok=True)

    def start(self):
        """Starts it and waits until it listens."""
        # it starts its engine through the `uv run` that it was itself started with
        command = [
            str(self._environment / "bin" / "uv"),
            *["run", "--no-project", "--python", str(self._environment / "bin" / "python"), "-m", "skyrl.tinker.api"],
            *["--base-model", str(self._model), "--backend-config", json.dumps(BACKEND)],
            *["--host", "127.0.0.1", "--port", str(self._port)],
            *["--checkpoints-base", str(self._folder / "states"), "--database-url", f"sqlite:///{self._folder}/db"],
        ]
        own = {
            "PATH": f"{self._environment / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(SHIM),
            "HF_HUB_OFFLINE": "1",
            "UV_OFFLINE": "1",
            "JAX_PLATFORMS": "cpu",
            "JAX_COMPILATION_CACHE_DIR": str(self._folder / "compiled"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        }
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, env=os.environ | own, stdout=log, stderr=log, cwd=self._folder, start_new_session=True
            )
        deadline = time.monotonic() + 120
        while True:
            try:
                socket.create_connection(("127.0.0.1", self._port), 1).close()
                return self
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"SkyRL did not start:\n{self.log[-3000:]}") from None
                time.sleep(0.2)

    @property
    def log(self):
        """What it wrote so far."""
        return (self._folder / "log").read_text(errors="replace")

    def kill(self):
        """Ends the server and its engine at once."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
