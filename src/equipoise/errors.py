"""The one exception of a caller's mistake, and the one warning about a model."""

from __future__ import annotations


class UserError(ValueError):
    """A caller's mistake, told in one line: what was got, what is allowed, what to do.

    The command line prints it without a traceback and exits with code 2; every other exception is a defect of ours or
    the machine's refusal. It is a `ValueError`, so that callers from Python may catch either.
    """


class ModelWarning(UserWarning):
    """A model that is used all the same, with what is worth knowing of it and what to do where that is not wanted."""
