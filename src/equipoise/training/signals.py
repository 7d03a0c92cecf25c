"""The signals that stop a run: Ctrl-C, SIGTERM and SIGHUP, and the one line that they end it in."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

STOPPING = ("SIGINT", "SIGTERM", "SIGHUP")
"""Signals that save and stop a run; a system has some or all of them."""

Heard = Callable[[int, FrameType | None], object]
"""What a signal does: given its number, and where the program was."""


class Interrupted(KeyboardInterrupt):
    """Training was stopped by the user after saving; the message says how to continue.

    Attributes:
        number: The signal that stopped it.
    """

    def __init__(self, message: str, number: int = signal.SIGINT) -> None:
        """Args: message: How to continue. number: The signal."""
        super().__init__(message)
        self.number = number


@contextmanager
def hearing(heard: Heard) -> Iterator[Mapping[int, Any]]:
    """Within it the signals that stop a run do something else; gives what they did before.

    A signal that is ignored, as under nohup or in a shell's background, stays ignored, and outside the main thread all
    are left alone.
    """
    before: dict[int, Any] = {}
    main = threading.current_thread() is threading.main_thread()
    try:
        for number in (getattr(signal, name) for name in STOPPING if main and name in signal.__dict__):
            was = signal.getsignal(number)
            if was not in (signal.SIG_IGN, None):  # None: set by what is not Python, which could not be given back
                before[number] = was
                signal.signal(number, heard)
        yield before
    finally:
        for number, was in before.items():
            signal.signal(number, was)


def stopping(said: str, out: Path) -> Heard:
    """What a signal does where no step is to be finished first: it ends the run in one line, at once."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Interrupted(f"{said}; continue with --resume --out {out}", number)

    return stop
