"""What is kept saves what it is to save: over eight rounds the tokens of the transcripts are fed about once."""

import importlib
from pathlib import Path

import pytest

from equipoise.engines.exactness import NOTHING


@pytest.fixture
def tokens_fed(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    return importlib.import_module("tokens_fed")


@pytest.mark.parametrize("name", ["llama", "gemma3_text", "gemma4_text", "qwen3_5_text"])
def test_eight_rounds_are_fed_about_once(tokens_fed, name):
    counts = tokens_fed.measure(name, episodes=4)
    assert counts["kept"] == ("states" if name == "qwen3_5_text" else "keys")
    assert counts["fed"] <= tokens_fed.TARGET * counts["distinct"] <= tokens_fed.TARGET * counts["transcripts"]


def test_without_anything_kept_they_are_fed_more_than_four_times(tokens_fed):
    counts = tokens_fed.measure("gemma3_text", 1, NOTHING)
    assert counts["fed"] > 4 * counts["transcripts"]
