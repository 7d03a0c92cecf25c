"""Files that appear whole or not at all, and are read with one clear line when something is wrong."""

import math
import os
import re
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equipoise.process import Process

TEMPORARY = re.compile(r"\..+@(?P<machine>[^@]+)@(?P<pid>\d+)@(?P<started>[^@.]*)\.\w+\.tmp")
"""The name of a file that is being written, which says by whom."""

_MOMENT_S, _HOUR_S = 2.0, 3600.0


def write_atomically(path: Path, text: str) -> None:
    """Nothing; `path` then holds `text` as UTF-8 and held its old content, complete, until that moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = Process.current()
    prefix = f".{path.name}@{writer.machine}@{writer.pid}@{writer.started}."
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)  # mkstemp makes a file only its owner can read; a report is meant to be shared
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def sweep(folder: Path) -> None:
    """Nothing; what killed writers left in a folder and below it is then gone, unless another machine's is recent."""
    for at, _, names in os.walk(folder):
        for name in names:
            found = TEMPORARY.fullmatch(name)
            if found is None:
                continue
            gone = Process(found["machine"], int(found["pid"]), found["started"]).is_gone
            path, patience = Path(at, name), {True: _MOMENT_S, False: float("inf"), None: _HOUR_S}[gone]
            try:
                if time.time() - path.stat().st_mtime > patience:
                    path.unlink()
            except OSError:
                pass  # another process sweeps too, or the folder is read-only


def as_json(value: Any) -> Any:
    """The same value in plain JSON types: NaN and infinity become null, NumPy values become numbers and lists."""
    if hasattr(value, "tolist"):
        return as_json(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
