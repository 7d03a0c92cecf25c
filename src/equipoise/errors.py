"""The one exception of a caller's mistake."""

from __future__ import annotations


class UserError(ValueError):
    """A caller's mistake, told in one line: what was got, what is allowed, what to do.

    The command line prints it without a traceback and exits with code 2; every other exception is a defect of ours or
    the machine's refusal. It is a `ValueError`, so that callers from Python may catch either.
    """
