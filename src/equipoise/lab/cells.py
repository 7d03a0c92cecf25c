"""Long studies as small independent cells: each writes its result once, whole, and is never computed again.

A cell is a key such as "auction/own_pool-3"; its result is FOLDER/KEY.json. While it is computed FOLDER/KEY.claim names
the worker, so that several processes, or several machines on a shared disk, divide a study among them. A claim
whose process died, or that is older than `STALE_S` on another machine, is taken over. Stopping at any moment loses the
cells in flight and nothing else.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection, get_context, parent_process
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from equipoise.errors import UserError
from equipoise.reports.files import write_atomically

STALE_S = 3 * 3600.0
"""A claim by another machine this old is taken over: its process cannot be asked whether it still lives."""

_POLL_S = 1.0

Result = dict[str, Any]
Compute = Callable[[str], Result]
"""Computes the cell of a key; it must be picklable, since workers are processes of their own."""


@dataclass(frozen=True)
class Cell:
    """One unit of a study.

    Attributes:
        key: Its file below the study's folder, without the suffix.
        needs: Keys of cells that must be finished first.
    """

    key: str
    needs: tuple[str, ...] = ()


def result_path(folder: Path, key: str) -> Path:
    """Where a cell's result is."""
    return folder / f"{key}.json"


def finished(folder: Path, key: str) -> Result | None:
    """The result of a finished cell, or None.

    Raises:
        ValueError: For a file that is no JSON object.
    """
    path = result_path(folder, key)
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is not JSON ({error}); delete it to compute the cell again") from error
    if not isinstance(found, dict):
        raise UserError(f"{path} holds no JSON object; delete it to compute the cell again")
    return found


@contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Whether this process got the claim at `path`; it is given back at the end."""
    got = _take(path)
    try:
        yield got
    finally:
        if got:
            path.unlink(missing_ok=True)


def _take(path: Path) -> bool:
    path.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(2):
        try:
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            if not _abandoned(path):
                return False
            path.unlink(missing_ok=True)
            continue
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"host": socket.gethostname(), "pid": os.getpid()}, file)
        return True
    return False


def _abandoned(path: Path) -> bool:
    """Whether the process behind a claim is gone."""
    try:
        age = time.time() - path.stat().st_mtime
        owner = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return True
    except ValueError:
        return age > _POLL_S * 10  # being written right now, or cut off while it was
    if owner["host"] != socket.gethostname():
        return age > STALE_S
    try:
        os.kill(owner["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def compute_cell(folder: Path, key: str, compute: Compute) -> Result | None:
    """Computes one cell and writes it; None when another worker holds its claim."""
    path = result_path(folder, key)
    with claimed(path.with_suffix(".claim")) as got:
        if not got:
            return None
        found = finished(folder, key)
        if found is None:
            found = compute(key)
            write_atomically(path, json.dumps(found, indent=1) + "\n")
        return found


def run_cells(
    folder: Path,
    cells: Sequence[Cell],
    compute: Compute,
    *,
    jobs: int = 1,
    told: Callable[[str, Result, int, float], None],
    minutes: float = float("inf"),
) -> None:
    """Computes every cell that is not finished, in order, each after what it needs.

    Args:
        folder: Where results go.
        cells: What there is to compute.
        compute: How; called in worker processes with one torch thread each.
        jobs: Worker processes.
        told: Called after each cell with its key, its result, how many are left, and the seconds they will take.
        minutes: No cell is started after this much time.

    Raises:
        ValueError: For jobs below 1 or a need that no cell fulfils; and whatever a cell raises.
    """
    if jobs < 1:
        raise UserError(f"got jobs={jobs}; at least 1 worker is needed")
    keys = {cell.key for cell in cells}
    for cell in cells:
        missing = [need for need in cell.needs if need not in keys and finished(folder, need) is None]
        if missing:
            raise UserError(f"cell {cell.key} needs {missing[0]}, which is neither finished nor asked for")
    started = time.monotonic()
    waiting = [cell for cell in cells if not result_path(folder, cell.key).is_file()]
    done, running = 0, dict[Future[Result | None], Cell]()
    context = get_context("spawn")
    stopping = _set_up(context.Event())
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_worker, initargs=(stopping,)) as pool:
        try:
            while waiting or running:
                late = time.monotonic() - started > 60 * minutes
                for cell in [] if late else list(waiting):
                    if len(running) < jobs and _ready(folder, cell):
                        waiting.remove(cell)
                        if not result_path(folder, cell.key).is_file():
                            with _deaf_children():
                                running[pool.submit(_work, folder, cell.key, compute)] = cell
                if not running:
                    if late or not waiting:
                        return
                    time.sleep(_POLL_S)  # other workers hold what is left
                    continue
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    cell, result = running.pop(future), future.result()
                    if result is None:
                        waiting.append(cell)
                        time.sleep(_POLL_S)
                        continue
                    done += 1
                    left = len(waiting) + len(running)
                    told(cell.key, result, left, left * (time.monotonic() - started) / done)
        except BaseException:
            stopping.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _ready(folder: Path, cell: Cell) -> bool:
    return all(result_path(folder, need).is_file() for need in cell.needs)


@contextmanager
def _deaf_children() -> Iterator[None]:
    """A process started within ignores Ctrl-C until it is set up: an import cut short would end in a traceback."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, heard)


_stopping: Event | None = None
"""Set when no further cell may start. A global in the parent too: a worker may still be unpickling it at the end."""


def _set_up(stopping: Event) -> Event:
    global _stopping
    _stopping = stopping
    return stopping


def _worker(stopping: Event) -> None:
    """Sets a worker up: several workers with several threads each would wait for one another, and bars collide."""
    _set_up(stopping)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.update({"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TQDM_DISABLE": "1"})
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers\..*")


def _leave_with_parent() -> None:
    """Ends this worker when its parent is gone, however it went: nobody would read what it computes."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _work(folder: Path, key: str, compute: Compute) -> Result | None:
    """`compute_cell` in a worker, which hears Ctrl-C only in here: while it waits, its parent ends it."""
    if _stopping is not None and _stopping.is_set():
        raise KeyboardInterrupt
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return compute_cell(folder, key, compute)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
