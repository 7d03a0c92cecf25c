"""Processes: who one is, so that others can tell whether it still lives, and the signals that end it like Ctrl-C."""

from __future__ import annotations

import os
import signal
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import FrameType


@dataclass(frozen=True)
class Process:
    """A process as others can recognise it.

    Attributes:
        machine: Where it runs: the machine's name with a digest of its boot and container, within which ids mean
            something.
        pid: Its id, which another process may get after it.
        started: When it started, as the system counts.
    """

    machine: str
    pid: int
    started: str

    @classmethod
    def current(cls) -> Process:
        """This one."""
        return cls(_machine(), os.getpid(), _started(os.getpid()) or "")

    @property
    def is_gone(self) -> bool | None:
        """Whether it has ended; None where that cannot be told from here."""
        if self.machine != _machine():
            return None
        started = _started(self.pid)
        return None if started is None else started != self.started


@lru_cache
def _machine() -> str:
    apart = ""
    with suppress(OSError):  # where it is no Linux the name must do
        apart = Path("/proc/sys/kernel/random/boot_id").read_text() + os.readlink("/proc/self/ns/pid")
    return f"{os.uname().nodename}-{zlib.crc32(apart.encode()):08x}"


def _started(pid: int) -> str | None:
    """When a process of this machine started; "" when there is none, None when it is not shown to us."""
    if not Path("/proc/self/stat").exists():
        import subprocess  # rarely needed, and the command line starts with this module

        shown = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True).stdout
        state, *start = shown.split() or ["Z"]
        return "" if state.startswith("Z") else "_".join(start)
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].decode().split()
    except OSError:
        return None if _is_hidden(pid) else ""
    return "" if state in "ZX" else fields[18]


def _is_hidden(pid: int) -> bool:
    """Whether a process lives that /proc does not show: another user's, on a machine that keeps them apart."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        pass
    return False


@contextmanager
def like_ctrl_c() -> Iterator[None]:
    """Within it SIGTERM and SIGHUP do once what Ctrl-C does at that moment.

    Whoever has set a handler of their own, or lets a signal be ignored as nohup does, keeps that.
    """
    ours: list[signal.Signals] = []

    def stop(number: int, frame: FrameType | None) -> None:
        for each in ours:  # a second one would cut short what the first began to save
            signal.signal(each, signal.SIG_IGN)
        on_ctrl_c = signal.getsignal(signal.SIGINT)
        if not callable(on_ctrl_c):
            raise KeyboardInterrupt
        on_ctrl_c(number, frame)

    if threading.current_thread() is threading.main_thread():
        ours += [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) is signal.SIG_DFL]
    for each in ours:
        signal.signal(each, stop)
    try:
        yield
    finally:
        for each in ours:
            signal.signal(each, signal.SIG_DFL)
