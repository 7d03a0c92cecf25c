"""Results in files: written whole, read back as what they are, or refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar, overload

from pydantic import ValidationError

from equipoise.errors import UserError
from equipoise.files import write_atomically
from equipoise.lab.results.audits import AuditResult
from equipoise.lab.results.meetings import CrossplayResult, ProbeResult, TalkResult
from equipoise.lab.results.studies import StudyCell, StudyResult
from equipoise.lab.results.values import Value

RESULT = "result.json"
VERSION = 2
"""The version of the shapes; a file of another version is refused."""

Result = AuditResult | CrossplayResult | ProbeResult | TalkResult | StudyCell | StudyResult
KINDS: dict[str, type[Result]] = {
    "audit": AuditResult,
    "crossplay": CrossplayResult,
    "probe": ProbeResult,
    "talk": TalkResult,
    "cell": StudyCell,
    "study": StudyResult,
}
_R = TypeVar("_R", bound=Result)
_V = TypeVar("_V", bound=Value)


def result_json(result: Result) -> str:
    """The result as the text of its file: ASCII, so that half a surrogate pair that a model wrote survives."""
    return json.dumps(result.model_dump(mode="python"), indent=1, allow_nan=False) + "\n"


@overload
def parse_result(text: str, where: str, kind: type[_R]) -> _R: ...
@overload
def parse_result(text: str, where: str, kind: None = None) -> Result: ...
def parse_result(text: str, where: str, kind: type[_R] | None = None) -> _R | Result:
    """The result that a file's text holds.

    Args:
        text: The file's content.
        where: What to call it in an error.
        kind: The type that is wanted; None takes any.

    Raises:
        UserError: For text that is no JSON, of another version or kind, or of another shape.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where} is not readable JSON ({error}); make the result again") from None
    if not isinstance(found, dict) or found.get("kind") not in KINDS:
        raise UserError(f"{where} holds no result of a known kind; known: {', '.join(KINDS)}")
    if found.get("version") != VERSION:
        raise UserError(
            f"{where} is a result of version {found.get('version')!r}, and this equipoise reads version {VERSION}; "
            "make it again, or read it with the version that made it"
        )
    wanted = KINDS[found["kind"]]
    if kind is not None and wanted is not kind:
        raise UserError(f"{where} holds a result of kind {found['kind']!r}, not the one that is asked for")
    try:
        return wanted.model_validate(found)
    except ValidationError as error:
        raise UserError(f"{where}: {_first(error)}; make the result again") from None


def parse_value(record: object, where: str, kind: type[_V]) -> _V:
    """The typed value that plain JSON holds: a part of a result, kept until the whole is known.

    Args:
        record: As it was read.
        where: What to call it in an error.
        kind: The type that is wanted.

    Raises:
        UserError: For a record of another shape.
    """
    try:
        return kind.model_validate(record)
    except ValidationError as error:
        raise UserError(f"{where}: {_first(error)}") from None


def _first(error: ValidationError) -> str:
    """The first thing that is wrong, and where."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}" if place else first["msg"]


@overload
def load_result(path: str | Path, kind: type[_R]) -> _R: ...
@overload
def load_result(path: str | Path, kind: None = None) -> Result: ...
def load_result(path: str | Path, kind: type[_R] | None = None) -> _R | Result:
    """The result at `path`: a file, or a folder that holds `result.json`.

    Args:
        path: Where it is.
        kind: The type that is wanted, for example `AuditResult`; None takes any.

    Raises:
        UserError: Where there is none, or none that can be read.
    """
    file = Path(path) / RESULT if Path(path).is_dir() else Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"no result at {file} ({error.strerror}); give a folder that holds {RESULT}") from None
    except UnicodeDecodeError:
        raise UserError(f"{file} is not text; give a folder that holds {RESULT}") from None
    return parse_result(text, str(file), kind)


def save_result(result: Result, path: str | Path) -> Path:
    """Writes a result whole or not at all; returns its file.

    Args:
        result: What was found.
        path: A folder, which then holds `result.json`, or a file that ends with .json.
    """
    file = Path(path) if str(path).endswith(".json") else Path(path) / RESULT
    write_atomically(file, result_json(result))
    return file
