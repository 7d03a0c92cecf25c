"""Worker processes that compute the results of a store, one cell each at a time, and end with their parent.

Several machines on a shared disk, or several calls on one, divide the cells of one store among them by its claims.
"""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection, get_context, parent_process
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, Literal, TypeVar

from equipoise.errors import UserError
from equipoise.lab.store import Store
from equipoise.process import like_ctrl_c
from equipoise.registry import load_files, loaded_files

_POLL_S = 1.0

T = TypeVar("T")


@dataclass(frozen=True)
class Cell:
    """One unit of a study.

    Attributes:
        key: That of its result.
        needs: Keys of cells that must be finished first.
    """

    key: str
    needs: tuple[str, ...] = ()


def run(
    store: Store[T],
    cells: Sequence[Cell],
    compute: Callable[[str], T],
    *,
    jobs: int = 1,
    progress: Callable[[str, T, int, float], None],
    minutes: float = float("inf"),
) -> None:
    """Computes every cell that is not finished, in order, each after what it needs.

    Args:
        store: Where results go.
        cells: What there is to compute.
        compute: How; it must be picklable, since it is called in worker processes, with one torch thread each.
        jobs: Worker processes.
        progress: Called after each cell with its key, its result, how many are left, and the seconds they will take.
        minutes: No cell is started after this much time.

    Raises:
        UserError: For jobs below 1, a need that no cell fulfils, or a mistake met in a cell.
        RuntimeError: For a defect met in a cell, with its traceback.
        KeyboardInterrupt: Ctrl-C, SIGTERM or SIGHUP; cells in flight are given up or saved as their computation does.
    """
    if jobs < 1:
        raise UserError(f"got jobs={jobs}; at least 1 worker is needed")
    keys = {cell.key for cell in cells}
    for cell in cells:
        missing = [need for need in cell.needs if need not in keys and not store.has(need)]
        if missing:
            raise UserError(f"cell {cell.key} needs {missing[0]}, which is neither finished nor asked for")
    waiting = [cell for cell in cells if not store.has(cell.key)]
    started, done = time.monotonic(), 0
    with like_ctrl_c(), _crew(store, compute) as crew:
        while waiting or crew.busy:
            late = time.monotonic() - started > 60 * minutes
            for cell in [] if late else list(waiting):
                if len(crew.busy) < jobs and all(store.has(need) for need in cell.needs):
                    waiting.remove(cell)
                    if not store.has(cell.key):
                        crew.begin(cell)
            if not crew.busy:
                if late or not waiting:
                    return
                time.sleep(_POLL_S)  # other processes hold what is left
                continue
            for cell, is_done in crew.ended():
                result = store.get(cell.key) if is_done else None
                if result is None:
                    waiting.append(cell)
                    time.sleep(_POLL_S)
                    continue
                done += 1
                left = len(waiting) + len(crew.busy)
                progress(cell.key, result, left, left * (time.monotonic() - started) / done)


@dataclass(frozen=True)
class _Outcome:
    """What a worker says after a cell; `text` of what went wrong."""

    kind: Literal["done", "held", "stopped", "mistake", "missing", "defect"]
    text: str = ""


@dataclass
class _Worker:
    process: SpawnProcess
    pipe: Connection
    cell: Cell | None = None


class _Crew:
    """The worker processes of one call."""

    def __init__(self, store: Store[Any], compute: Callable[[str], Any]) -> None:
        self._work = store, compute
        self.workers: list[_Worker] = []

    @property
    def busy(self) -> list[_Worker]:
        """Those with a cell."""
        return [worker for worker in self.workers if worker.cell is not None]

    def begin(self, cell: Cell) -> None:
        """Gives a cell to an idle worker, or to a new one."""
        idle = (worker for worker in self.workers if worker.cell is None and worker.process.is_alive())
        worker = next(idle, None) or self._new()
        worker.cell = cell
        with suppress(OSError):  # where it has just died `ended` will say so
            worker.pipe.send(cell.key)

    def ended(self) -> Iterator[tuple[Cell, bool]]:
        """Cells whose workers have ended them, once there are any, and whether they are done or another's."""
        ready = connection.wait([worker.pipe for worker in self.busy])
        for worker in [worker for worker in self.busy if worker.pipe in ready]:
            cell, worker.cell = worker.cell, None
            assert cell is not None
            outcome = _heard(worker)
            if outcome.kind == "stopped":
                raise KeyboardInterrupt
            if outcome.kind in ("mistake", "missing", "defect"):
                raise {"mistake": UserError, "missing": ImportError, "defect": RuntimeError}[outcome.kind](
                    f"{cell.key}: {outcome.text}"
                )
            yield cell, outcome.kind == "done"

    def _new(self) -> _Worker:
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        worker = _Worker(context.Process(target=_work, args=(theirs, loaded_files())), ours)
        with _deaf_children():
            worker.process.start()
        theirs.close()
        with suppress(OSError):  # where it has just died `ended` will say so
            worker.pipe.send(self._work)  # after the files, whose classes it may hold
        self.workers.append(worker)
        return worker


def _heard(worker: _Worker) -> _Outcome:
    try:
        outcome: _Outcome = worker.pipe.recv()
    except (EOFError, ConnectionError):
        worker.process.join()
        code = worker.process.exitcode
        if code in (-signal.SIGTERM, -signal.SIGHUP):
            return _Outcome("stopped")
        ended = f"killed by signal {-code}" if code is not None and code < 0 else f"ended with code {code}"
        return _Outcome("mistake", f"its worker was {ended}, perhaps for want of memory; the same command goes on")
    return outcome


@contextmanager
def _crew(store: Store[Any], compute: Callable[[str], Any]) -> Iterator[_Crew]:
    """Workers that end at the end: after a mistake each with the cell it has, when stopped at once."""
    crew = _Crew(store, compute)
    try:
        yield crew
    except KeyboardInterrupt:
        for worker in crew.busy:
            worker.process.terminate()
        raise
    finally:
        try:
            for worker in crew.workers:
                worker.pipe.close()
            for worker in crew.workers:
                worker.process.join()
        except KeyboardInterrupt:
            for worker in crew.workers:
                worker.process.kill()
            raise


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


def _work(pipe: Connection, files: Sequence[Path]) -> None:
    """A worker's life: it hears of the files to load, then of its store and computation, then of cell after cell.

    It stands apart from the terminal, so that Ctrl-C reaches it once, from its parent.
    """
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    # several workers with several threads each would wait for one another, and bars would collide
    os.environ.update({"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TQDM_DISABLE": "1"})
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers\..*")
    load_files(files)
    try:
        store, compute = pipe.recv()
        while True:
            outcome = _computed(store, pipe.recv(), compute)
            pipe.send(outcome)
            if outcome.kind == "stopped":
                return
    except (EOFError, OSError, KeyboardInterrupt):
        return  # the parent needs no more


def _computed(store: Store[Any], key: str, compute: Callable[[str], Any]) -> _Outcome:
    with like_ctrl_c():
        try:
            return _Outcome("held" if store.compute(key, compute) is None else "done")
        except KeyboardInterrupt:
            return _Outcome("stopped")
        except ImportError as error:
            return _Outcome("missing", str(error))
        except (UserError, OSError) as error:
            return _Outcome("mistake", str(error))
        except Exception:
            return _Outcome("defect", traceback.format_exc())


def _leave_with_parent() -> None:
    """Ends this worker when its parent is gone, however it went: nobody would read what it computes."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
