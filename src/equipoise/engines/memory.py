"""What is done when memory runs out: the same in parts of half the size, and of half of that.

Bounds on what is alive at a time (`decoder`, `reader`, `scoring`, ...) are read through `within`. No result depends on
them, so work that failed is done again under smaller ones.
"""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable
from contextvars import ContextVar
from typing import TypeVar

import torch

from equipoise.errors import ModelWarning, UserError

_PARTS: ContextVar[int] = ContextVar("parts", default=1)
_MOST_PARTS = 1 << 10
"""Parts that no bound is cut into more of: most are one row by then."""

Result = TypeVar("Result")


def within(bound: int) -> int:
    """A bound as it is now: cut by as much as memory was too small for what is being done."""
    return max(1, bound // _PARTS.get())


def fitting(work: Callable[[], Result], what: str) -> Result:
    """What the work gives, done in smaller parts where memory runs out; that is said.

    Args:
        work: May be done again from its start.
        what: It, in words.

    Raises:
        UserError: Where the smallest parts do not fit either.
    """
    parts = 1
    while True:
        token = _PARTS.set(parts)
        try:
            return work()
        except (torch.OutOfMemoryError, RuntimeError) as error:
            if not ran_out(error):
                raise
        finally:
            _PARTS.reset(token)
        # the error held what had been made so far; it is gone here
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if parts == _MOST_PARTS:
            raise UserError(
                f"out of memory while {what}, however small its parts; use a smaller model, bfloat16, or a device "
                "with more memory"
            )
        parts *= 2
        warnings.warn(f"out of memory while {what}; it goes on in 1/{parts} of the size", ModelWarning, stacklevel=2)


def ran_out(error: Exception) -> bool:
    """Whether an error says that memory ran out; on a CPU torch has no kind of its own for it."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
