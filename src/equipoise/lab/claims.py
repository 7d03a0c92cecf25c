"""Claims: a file that says which process works on something, so that several can divide the work.

A claim is given back when its process is done with it. That of a process which died is taken over: at once on the same
machine, and on another, whose processes cannot be seen, once it has been silent for `SILENT_S`; a living process
touches its claim every `BEAT_S`. Whatever else stands in a claim's place is abandoned when it is `RUBBISH_S` old.

Two processes of one machine never hold the same claim. Where machines share a disk without file locks, two that take
over the same abandoned claim in the same instant might; then a result is computed twice, and written whole twice.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from uuid import uuid4

from equipoise.process import Process, like_ctrl_c

BEAT_S, SILENT_S, RUBBISH_S = 20.0, 600.0, 5.0


@contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Whether this process got the claim at `path`; it is given back at the end, also by SIGTERM and SIGHUP."""
    text = json.dumps({**asdict(Process.current()), "token": uuid4().hex})
    path.parent.mkdir(parents=True, exist_ok=True)
    ended = threading.Event()
    with like_ctrl_c():
        try:
            got = _take(path, text)
            if got:
                threading.Thread(target=_beat, args=(path, text, ended), daemon=True).start()
            yield got
        finally:
            ended.set()
            _give_back(path, text)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Within it no other thread or process of this machine is within the same; for steps of milliseconds."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def owner_of(path: Path) -> Process | None:
    """Whose claim is at `path`; None where there is none, or rubbish."""
    try:
        found = json.loads(_text(path))
        owner = Process(found["machine"], found["pid"], found["started"])
    except (ValueError, RecursionError, TypeError, KeyError):
        return None
    whole = isinstance(owner.machine, str) and isinstance(owner.started, str) and type(owner.pid) is int
    return owner if whole and owner.pid > 0 else None


def _take(path: Path, text: str) -> bool:
    with alone(path.parent):
        if path.exists():
            if not _is_abandoned(path):
                return False
            path.unlink(missing_ok=True)
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:  # there are no locks here, and another machine was faster
            return False
        return True


def _is_abandoned(path: Path) -> bool:
    owner = owner_of(path)
    gone = None if owner is None else owner.is_gone
    if gone is not None:
        return gone
    try:
        with tempfile.TemporaryFile(dir=path.parent) as now:  # the clock that stamps files is the one that counts
            age = os.fstat(now.fileno()).st_mtime - path.stat().st_mtime
    except FileNotFoundError:
        return True
    return age > (RUBBISH_S if owner is None else SILENT_S)


def _beat(path: Path, text: str, ended: threading.Event) -> None:
    """Shows that the claim's process lives."""
    while not ended.wait(BEAT_S):
        with suppress(OSError):
            if _text(path) == text:
                os.utime(path)


def _give_back(path: Path, text: str) -> None:
    with suppress(FileNotFoundError), alone(path.parent):
        if _text(path) == text:
            path.unlink()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
