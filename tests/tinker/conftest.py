"""A Tinker server of one's own, SkyRL on the CPU, serving the embedded model; `make test-tinker` installs it."""

import os
from pathlib import Path

import pytest

ENVIRONMENT = os.environ.get("EQUIPOISE_SKYRL", "")
"""Where SkyRL is installed; without it these tests are not collected."""

collect_ignore_glob = [] if ENVIRONMENT else ["test_*.py"]


@pytest.fixture(scope="session")
def skyrl(tmp_path_factory):
    """The running server, shared."""
    from skyrl_server import SkyRL

    from equipoise.models import EMBEDDED

    server = SkyRL(Path(ENVIRONMENT).absolute(), EMBEDDED["tiny"], tmp_path_factory.mktemp("skyrl"))
    try:
        yield server.start()
    finally:
        server.kill()


@pytest.fixture
def connect(tokenizer):
    """Makes an engine of a server's address, closed after the test."""
    from equipoise.engines.tinker import TinkerEngine
    from equipoise.engines.tinker_server import TinkerServer

    engines = []

    def made(url):
        engines.append(TinkerEngine(TinkerServer(url), len(tokenizer), (tokenizer.eos_token_id,)))
        return engines[-1]

    yield made
    for engine in engines:
        engine.close()


@pytest.fixture
def engine(skyrl, connect):
    """An engine of the shared server."""
    return connect(skyrl.url)
