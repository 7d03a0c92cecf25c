"""How far a long piece of work is: a bar on a terminal, a plain line now and then where the output is piped."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import TextIO

Counting = Callable[[int, int], object]
"""What is told how much more of a piece of work is done, and how much there is in all; first 0 of it."""

_EVERY_S = 30.0
"""Seconds between two lines of piped output."""

_BAR, _REDRAW_S = 8, 0.1
"""The shortest bar that is worth its columns; seconds between two drawings of it."""


class Progress:
    """The progress of one piece of work, to be closed or used as a context.

    Nothing that it writes to can stop the work: a terminal that is gone is left alone. With TQDM_DISABLE=1 in the
    environment, which other packages' bars heed too, it shows nothing.
    """

    def __init__(
        self, label: str, total: int, *, done: int = 0, stream: TextIO | None = None, width: int | None = None
    ) -> None:
        """Shows the first line of a terminal's bar.

        Args:
            label: What is being done.
            total: Steps in all.
            done: Steps that an earlier run has done.
            stream: Where to; the standard error stream by default.
            width: Columns of the terminal; its own by default.
        """
        from rich.console import Console

        self._label, self._total, self._done, self._first = label, total, done, done
        self._stream = stream or sys.stderr
        self._console = Console(file=self._stream, width=width, force_terminal=None if width is None else True)
        self._figures: dict[str, str] = {}
        self._started = time.monotonic()
        self._shown = self._started if not self._console.is_terminal else 0.0
        self._is_open = os.environ.get("TQDM_DISABLE", "0") in ("", "0")
        self._show()

    def advance(self, figures: Mapping[str, float] | None = None, steps: int = 1) -> None:
        """Counts steps that are done.

        Args:
            figures: What to show beside them, the most important first; each stays until it has a new value.
            steps: How many.
        """
        self._done += steps
        self._figures |= {name: f"{value:.3g}" for name, value in (figures or {}).items()}
        self._show()

    def close(self) -> None:
        """Ends the line; safe to call twice."""
        self._show(last=True)
        self._is_open = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and not self._console.is_terminal:
            self._is_open = False  # what went wrong is told in a line of its own
        self.close()

    def _show(self, last: bool = False) -> None:
        now, terminal = time.monotonic(), self._console.is_terminal
        if not self._is_open or (not last and now - self._shown < (_REDRAW_S if terminal else _EVERY_S)):
            return
        self._shown = now
        text = f"\r{self._bar(now)}" + "\n" * last if terminal else f"{self._line(now)}\n"
        with contextlib.suppress(OSError, ValueError):  # a terminal that was closed, a stream that was
            self._stream.write(text)
            self._stream.flush()

    def _head(self) -> str:
        return f"{self._label} {self._done}/{self._total}"

    def _time(self, now: float) -> str:
        """What is left by the speed so far, or what it took."""
        took, steps = now - self._started, self._done - self._first
        if self._done >= self._total or not steps:
            return _clock(took)
        return f"{_clock(took / steps * (self._total - self._done))} left"

    def _line(self, now: float) -> str:
        return ", ".join([self._head(), *(f"{name} {value}" for name, value in self._figures.items()), self._time(now)])

    def _bar(self, now: float) -> str:
        """One line of the terminal's width: figures are left out from the last until a bar fits beside them."""
        space = self._console.width - 1
        shown = [f"{name} {value}" for name, value in self._figures.items()]
        while True:
            tail = "  ".join([*shown, self._time(now)])
            left = space - len(self._head()) - len(tail) - 4
            if left >= _BAR or not shown:
                break
            shown.pop()
        bar = "█" * round(left * self._done / max(self._total, 1)) if left > 0 else ""
        return f"{self._head()}  {bar:<{max(left, 0)}}  {tail}"[:space].ljust(space)


@contextlib.contextmanager
def counting(label: str) -> Iterator[Counting]:
    """What work calls with (how many more are done, of how many); the progress shows from the first call on."""
    with contextlib.ExitStack() as stack:
        shown: list[Progress] = []

        def tell(more: int, total: int) -> None:
            if not shown:
                shown.append(stack.enter_context(Progress(label, total)))
            shown[0].advance(steps=more)

        yield tell


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
