"""What a model's name stands for: one of ours or an installed package's, a folder that is here, or one on the Hub."""

from __future__ import annotations

import re
from pathlib import Path

from equipoise.errors import UserError
from equipoise.models import EMBEDDED
from equipoise.registry import find, names

RUNS = "runs"
"""The folder that every command writes to unless it is told another."""

_HUB_ID = re.compile(r"\b[\w.-]+\b/\b[\w.-]+\b", re.ASCII)


def folder_of(name: str | Path) -> Path:
    """The folder that a model's name stands for, be it there or not.

    A name of ours is that model's; then a folder that is here; then what `registry.find` finds.

    Raises:
        UserError: For an installed package's model, `module:Name` or `file.py:Name` that cannot be found; one line.
    """
    text, path = str(name), Path(name)
    if text in EMBEDDED:
        return EMBEDDED[text]
    if not path.exists() and (":" in text or ("/" not in text and text in names("model"))):
        found: Path = find("model", text)
        return found
    return path


def is_hub_id(name: str) -> bool:
    """Whether a name that is no folder here is a hub id, owner/name.

    A mistyped folder is none: asking the Hub for it takes a minute without a network, and with one it may bring a
    stranger's model of that name. So an owner is neither "runs" nor the name of a folder that is here.
    """
    owner = name.partition("/")[0]
    return _HUB_ID.fullmatch(name) is not None and owner != RUNS and not Path(owner).is_dir()


def model_in(folder: Path) -> Path | None:
    """Where in a model folder or a run folder the model or the adapter is; None where there is none."""
    for inside in (folder / "model", folder):
        if (inside / "adapter_config.json").exists() or (inside / "config.json").exists():
            return inside
    return None


def model_folder(folder: Path) -> Path:
    """`model_in` of a folder that must hold a model.

    Raises:
        ValueError: For a file, or a folder without a model; one line says what was found and what is needed.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is a file; give the folder that holds the model")
    inside = model_in(folder)
    if inside is None:
        found = ", ".join(sorted(path.name for path in folder.iterdir())[:5]) or "nothing"
        raise UserError(f"{folder} is no model folder: it holds {found}; needed: config.json and *.safetensors")
    return inside
