"""Checkpoints that are known to be whole: a manifest with the checksum of every file and its own, written last.

A folder without a manifest was cut off while being saved; one whose files differ from its manifest is damaged. A run
goes on from the newest checkpoint that is whole, whose steps all have their line in metrics.jsonl and whose past selves
are what they were, so that what it ends with is what an unbroken run ends with.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equipoise.errors import UserError

MANIFEST = "manifest.json"
KEPT = 2
"""How many whole checkpoints a run keeps: one more than it needs, should one be damaged."""

_NAME = re.compile(r"checkpoint-(\d+)")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that is whole.

    Attributes:
        folder: Where it is.
        step: The step it was saved after.
        state: What the run's play takes up, as JSON.
    """

    folder: Path
    step: int
    state: Any


def seal(folder: Path, step: int, state: Any) -> None:
    """Marks a checkpoint as whole.

    Args:
        folder: The checkpoint, saved.
        step: The step it was saved after.
        state: What the run's play takes up, as JSON.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    checksums = {path.relative_to(folder).as_posix(): checksum(path) for path in files}
    manifest = {"step": step, "state": state, "sha256": checksums}
    write_whole(folder / MANIFEST, json.dumps({**manifest, "itself": _itself(manifest)}, indent=1) + "\n")


def opened(folder: Path) -> Checkpoint:
    """The checkpoint of a folder.

    Raises:
        ValueError: For one that is not whole; what is wrong with it.
    """
    if not (folder / MANIFEST).is_file():
        raise ValueError("was cut off while being saved")
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest.pop("itself") != _itself(manifest):
            raise ValueError("not as it was written")
        step, state, checksums = manifest["step"], manifest["state"], manifest["sha256"]
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
        raise ValueError(f"its {MANIFEST} is damaged") from None
    for name, expected in checksums.items():
        path = folder / name
        if not path.is_file():
            raise ValueError(f"its {name} is gone")
        if checksum(path) != expected:
            raise ValueError(f"its {name} is damaged")
    if step != _step(folder):
        raise ValueError(f"it was saved after step {step}")
    return Checkpoint(folder, step, state)


def newest(
    folder: Path, metrics: Path, take_up: Callable[[Any], object] = lambda _: None
) -> tuple[Checkpoint | None, list[str]]:
    """The checkpoint to go on from, None where a run must begin again, and a line for each newer one that was left.

    A snapshot that is damaged is taken again where an older checkpoint, of before it, is whole.

    Args:
        folder: Holds the checkpoints.
        metrics: The run's metrics.jsonl.
        take_up: Takes up a checkpoint's state; raises ValueError where files beside the checkpoint are not as it says.

    Raises:
        UserError: When checkpoints were saved and none of them can be used.
    """
    lines, damaged = len(whole_lines(metrics)), False
    left: list[str] = []
    for path in sorted(_numbered(folder), key=_step, reverse=True):
        try:
            found = opened(path)
            if found.step > lines:
                raise ValueError(f"{metrics.name} is damaged after line {lines}")
            take_up(found.state)
            return found, left
        except ValueError as reason:
            left.append(f"left {path.name}: {reason}")
            damaged = damaged or (path / MANIFEST).exists()
    if damaged:
        raise UserError(f"no checkpoint in {folder} can be used ({'; '.join(left)}); start over with --force")
    return None, left


def rotate(folder: Path, step: int) -> None:
    """Removes checkpoints but the one of `step` and the whole ones before it that are kept beside it."""
    before = [path for path in _numbered(folder) if _step(path) < step and (path / MANIFEST).is_file()]
    kept = sorted(before, key=_step)[-(KEPT - 1) :]
    for path in _numbered(folder):
        if _step(path) != step and path not in kept:
            shutil.rmtree(path)


def whole_lines(metrics: Path) -> list[str]:
    """The lines of metrics.jsonl from step 1 on, up to the first that is missing or damaged."""
    lines = metrics.read_text(encoding="utf-8", errors="replace").splitlines() if metrics.is_file() else []
    for number, line in enumerate(lines):
        try:
            if json.loads(line)["step"] != number + 1:
                return lines[:number]
        except (ValueError, RecursionError, KeyError, TypeError):
            return lines[:number]
    return lines


def cut_back(metrics: Path, step: int) -> None:
    """Drops the metric lines after `step`: those steps will be run again."""
    if metrics.is_file():
        write_whole(metrics, "".join(line + "\n" for line in whole_lines(metrics)[:step]))


def write_whole(path: Path, text: str) -> None:
    """Writes a file so that a crash leaves the old one or the new one."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def sweep(folder: Path) -> None:
    """Removes what a killed writer left unfinished in a run folder."""
    for path in [*folder.rglob("*.partial"), *folder.rglob(".*.tmp")]:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def checksum(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _itself(manifest: Mapping[str, Any]) -> str:
    """The SHA-256 of what a manifest says beside it."""
    return hashlib.sha256(json.dumps(manifest).encode()).hexdigest()


def _numbered(folder: Path) -> list[Path]:
    return [path for path in folder.glob("checkpoint-*") if path.is_dir() and _NAME.fullmatch(path.name)]


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])
