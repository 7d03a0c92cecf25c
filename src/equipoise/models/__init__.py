"""Models: the embedded ones, SmolLM2, any Hugging Face causal language model, and folders that packages bring along."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from equipoise.errors import UserError, said
from equipoise.registry import described, read_function

TINY = Path(__file__).parent / "embedded"
TINY_TALK = Path(__file__).parent / "embedded_talk"

EMBEDDED = {"tiny": TINY, "tiny-talk": TINY_TALK}
"""Folders of the embedded models by name: one reads SEPO's games, the other the social dilemmas with messages."""

OURS: Mapping[str, str] = {
    "tiny": "equipoise.models:TINY",
    "tiny-talk": "equipoise.models:TINY_TALK",
    "smollm2": "equipoise.models.smollm2:folder",
}
"""Where the registry finds our models; each of these names means that model, whatever folder is here."""


def read_model(found: object, name: str) -> Path:
    """The folder of a model that somebody registered: a path, or a function without arguments that gives one.

    Raises:
        UserError: For anything else, or a folder that is not there.
    """
    given = found
    if callable(found) and not isinstance(found, type):
        function = read_function(found, name, "the folder of a model, or a function without arguments that gives it", 0)
        try:
            given = function()
        except UserError:
            raise
        except Exception as error:  # a stranger's code
            raise UserError(f"model {name!r} failed: {said(error)}") from error
    if not isinstance(given, str | Path):
        raise UserError(f"{name!r} is {described(given)}; needed: the folder of a model, or a function that gives it")
    folder = Path(given)
    if not folder.is_dir():
        raise UserError(f"model {name!r} is said to be in {folder}, and there is no such folder")
    return folder


__all__ = ["EMBEDDED", "OURS"]
