"""Where an agent comes from: its name and its source in what a user wrote, and the run that trained it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from equipoise.errors import UserError
from equipoise.models import OURS
from equipoise.models.sources import folder_of, model_in

if TYPE_CHECKING:  # at run time a recipe loads torch, which a tournament of scripts does without
    from equipoise.training.recipe import Recipe

RECIPE = "recipe.toml"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


def name_and_source(text: str) -> tuple[str, str]:
    """The parts of NAME=AGENT; an empty name for AGENT alone, and for a folder with an equals sign in its name.

    Raises:
        ValueError: For a name without an agent.
    """
    name, separator, source = text.partition("=")
    if not (separator and _NAME.fullmatch(name)) or Path(text).exists():
        name, source = "", text
    if not source:
        raise UserError(f"got an agent without a source: {text!r}; write NAME=AGENT, for example mine=runs/mine")
    return name, source


def run_recipe(source: str) -> Path | None:
    """The recipe of the run that a folder is, or that a model folder belongs to; None where there is none.

    Raises:
        ValueError: For a run without a model yet.
    """
    folder = Path(source)
    if source in OURS or not folder.is_dir():
        return None
    here = folder.resolve()
    for run in (here, *list(here.parents)[:3]):
        inside = run == here or run / "model" == here or (run / "versions.json").is_file()
        if inside and (run / RECIPE).is_file():
            if run != here:
                return run / RECIPE
            if model_in(folder) is None:
                again = f"equipoise train {folder / RECIPE} --resume --out {folder}"
                raise UserError(f"{source} has no model yet: its training did not end; continue it with {again}")
            return folder / RECIPE
    return None


def run_of(source: str) -> Recipe | None:
    """How the run of an agent was trained; None for what is in no run folder.

    Raises:
        ValueError: As `run_recipe`, or for a recipe that cannot be read.
    """
    path = run_recipe(source)
    if path is None:
        return None
    from equipoise.training.recipe import load_recipe

    return load_recipe(path)


def fingerprint(model: str) -> str:
    """A digest of the weights that a model's name stands for; of a hub id, the name itself."""
    folder = folder_of(model)
    if not folder.is_dir():
        return model
    inside = folder / "model" if (folder / "model").is_dir() else folder
    digest = hashlib.sha256()
    for path in sorted(inside.glob("*.safetensors")):
        with path.open("rb") as file:
            digest.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()[:16]
