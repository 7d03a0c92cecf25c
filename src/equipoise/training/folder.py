"""The run folder: who may write to it, and what a run has left in it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path

from equipoise.errors import UserError
from equipoise.training.checkpoints import checksum, write_whole
from equipoise.training.recipe import Recipe

RECIPE, VERSIONS = "recipe.toml", "versions.json"
"""What a run folder holds from the first moment: both make it one."""

_BEGUN = "recipe"
"""Under which `VERSIONS` has the checksum of the recipe that the run began with."""

WRITTEN = (
    RECIPE,
    VERSIONS,
    "sft",
    "sft.jsonl",
    "checkpoints",
    "metrics.jsonl",
    "population",
    "selection",
    "selection.json",
    "model",
    "report.json",
    "report.html",
    "report.md",
    "episodes*.jsonl.gz",
    "*.partial",
    ".*.tmp",
)
"""What a run and its audit write; a joint run also has a folder for each game's report."""


def open_folder(
    recipe: Recipe, out: Path, versions: Mapping[str, str], *, resume: bool = False, force: bool = False
) -> str:
    """Makes the folder of a new run, or checks that of an old one; what a user should know of it, "" for nothing.

    Args:
        recipe: What is run.
        out: The folder.
        versions: Of the packages that decide a run.
        resume: Whether the run is to go on.
        force: Whether a run that is there makes place for this one.

    Raises:
        UserError: When the folder is not what was asked for; nothing is changed then.
    """
    written = out / RECIPE
    if resume and force:
        raise UserError("got --resume and --force; one goes on with a run, the other starts over")
    if resume:
        if not written.is_file():
            raise UserError(f"nothing to resume in {out}: it has no {RECIPE}; start without --resume")
        if written.read_text(encoding="utf-8", errors="replace") != recipe.to_toml():
            raise UserError(f"{out} was started with another recipe (see {written}); use it unchanged, or a new folder")
        if _begun_with(out / VERSIONS) not in (None, checksum(written)):
            return f"{written} was changed after the run began: what is left of it goes by the new one"
        return ""
    if out.exists() and not out.is_dir():
        raise UserError(f"--out {out} is a file; choose another folder")
    found = {path.name for path in out.iterdir()} if out.exists() else set()
    if found and force:
        _remove(out)
    elif found and found != {RECIPE, VERSIONS}:  # those two alone: a run that never started
        raise UserError(
            f"run folder {out} exists; continue it with --resume, start over with --force, or choose another --out"
        )
    out.mkdir(parents=True, exist_ok=True)
    write_whole(written, recipe.to_toml())
    write_whole(out / VERSIONS, json.dumps({**versions, _BEGUN: checksum(written)}, indent=1) + "\n")
    return ""


def _begun_with(file: Path) -> object:
    """The checksum of the recipe that a run began with; None where that is not known."""
    try:
        return json.loads(file.read_text(encoding="utf-8")).get(_BEGUN)
    except (OSError, ValueError, RecursionError, AttributeError):
        return None


def _remove(out: Path) -> None:
    """Empties a run folder.

    Raises:
        UserError: For a folder that no run made, or that holds what no run writes.
    """
    if out.is_symlink() or not all((out / name).is_file() for name in (RECIPE, VERSIONS)):
        raise UserError(f"--force removes run folders alone, and {out} is none; choose another --out")
    for path in out.iterdir():
        of_a_game = path.is_dir() and all(any(fnmatch(p.name, w) for w in WRITTEN) for p in path.iterdir())
        if path.is_symlink() or not (of_a_game or any(fnmatch(path.name, name) for name in WRITTEN)):
            raise UserError(f"--force removes what a run wrote, and {path} is something else; move it, or choose --out")
    shutil.rmtree(out)
