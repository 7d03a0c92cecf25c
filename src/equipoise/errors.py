"""The one exception of a caller's mistake, the one warning about a model, and any exception in one line."""

from __future__ import annotations

from pathlib import Path


class UserError(ValueError):
    """A caller's mistake, told in one line: what was got, what is allowed, what to do.

    The command line prints it without a traceback and exits with code 2; every other exception is a defect of ours or
    the machine's refusal. It is a `ValueError`, so that callers from Python may catch either.
    """


class ModelWarning(UserWarning):
    """A model that is used all the same, with what is worth knowing of it and what to do where that is not wanted."""


def said(error: BaseException) -> str:
    """An exception in one line: its type, its message, and the last line of code it passed through."""
    traceback, place = error.__traceback__, ""
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        loading = Path(file) == Path(__file__).with_name("registry.py") or Path(file).parent.name == "importlib"
        if not file.startswith("<") and not loading:
            place = f" ({Path(file).name}, line {traceback.tb_lineno})"
        traceback = traceback.tb_next
    text = " ".join(str(error).split())
    return f"{type(error).__name__}{f': {text}' if text else ''}{place}"
