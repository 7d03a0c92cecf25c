"""What a model's name stands for: one of ours or an installed package's, a folder that is here, or one on the Hub."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from equipoise.errors import UserError
from equipoise.models import EMBEDDED, OURS
from equipoise.registry import find, names

RUNS = "runs"
"""The folder that every command writes to unless it is told another."""

_SHOWN = 200
_HUB_ID = re.compile(r"\b[\w.-]+\b/\b[\w.-]+\b", re.ASCII)


def folder_of(name: str | Path) -> Path:
    """The folder that a model's name stands for, be it there or not.

    A name of ours is that model's; then a folder that is here; then what `registry.find` finds.

    Raises:
        UserError: For an installed package's model, `module:Name` or `file.py:Name` that cannot be found, and for one
            of ours whose weights are not installed; one line.
    """
    text, path = str(name), Path(name)
    if text in EMBEDDED:
        return EMBEDDED[text]
    if text in OURS or (not _is_there(path) and (":" in text or ("/" not in text and text in names("model")))):
        found: Path = find("model", text)
        return found
    return path


def _is_there(path: Path) -> bool:
    """Whether there is something; a name that no file can have names nothing."""
    try:
        return path.exists()
    except OSError:
        return False


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


def json_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        UserError: Where there is none: no file, another encoding, no JSON, nested too deep, or another kind of value.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"cannot read a JSON object from {path}: {first_line(error)}") from error
    if not isinstance(value, dict):
        raise UserError(f"{path} holds {short(value)}; needed: a JSON object, {{...}}")
    return value


def first_line(error: BaseException) -> str:
    """The first line of what an exception says, cut where it is long; its kind where it says nothing."""
    said = str(error).strip().splitlines()
    return short(said[0], str) if said else type(error).__name__


def short(value: Any, form: Callable[[Any], str] = repr) -> str:
    """A value in at most 200 characters."""
    try:
        text = form(value)
    except RecursionError:
        return "something nested very deep"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
