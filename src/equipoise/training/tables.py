"""Reads frozen dataclasses from TOML tables and writes them back; unknown keys and wrong types are one line."""

from __future__ import annotations

import dataclasses
import difflib
import json
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin, get_type_hints

from equipoise.errors import UserError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Settings = TypeVar("Settings", bound="DataclassInstance")

LARGEST = 2**31
"""No setting of a run is larger; what is, is a slip."""

_NAMES = {
    int: "a whole number",
    float: "a number",
    str: "a string",
    bool: "true or false",
    tuple: "a list",
    dict: "a table",
}


def build(kind: type[Settings], table: Mapping[str, Any], where: str = "") -> Settings:
    """A dataclass from a table: nested dataclasses are sections, lists become tuples, whole numbers may be floats.

    Args:
        kind: The dataclass. A field whose metadata has `also` takes values of that type too.
        table: Its values by field name.
        where: The section's name, for error lines.

    Raises:
        ValueError: For an unknown key or a value of the wrong type.
    """
    known = {f.name: f for f in dataclasses.fields(kind)}
    values: dict[str, Any] = {}
    for key, value in table.items():
        check_known(f"recipe key in [{where}]" if where else "recipe key", key, known)
        default = known[key].default_factory
        name = f"{where}.{key}" if where else key
        if isinstance(default, type) and dataclasses.is_dataclass(default):
            if not isinstance(value, Mapping):
                raise UserError(f"recipe key {name!r} is a section; got {value!r}")
            values[key] = build(default, value, name)
        else:
            values[key] = _typed(name, value, known[key])
            if isinstance(value, list) and key in _lists_of_strings(kind):
                _require_strings(name, value)
    return kind(**values)


def changed(settings: Settings, table: Any, where: str) -> Settings:
    """The settings with the values of a table in place of their own.

    Raises:
        ValueError: As `build`.
    """
    if not isinstance(table, Mapping):
        raise UserError(f"recipe key {where!r} is a section; got {table!r}")
    own = {f.name: getattr(settings, f.name) for f in dataclasses.fields(settings)}
    own = {key: list(value) if isinstance(value, tuple) else value for key, value in own.items()}
    return build(type(settings), {**own, **table}, where)


def to_toml(settings: Any) -> str:
    """A dataclass of settings and sections as TOML that reads back as itself."""
    lines, tables = [], []
    for key, value in dataclasses.asdict(settings).items():
        if isinstance(value, dict):
            tables.append((key, value))
        else:
            lines.append(f"{key} = {_toml(value)}")
    for key, value in tables:
        lines += ["", f"[{key}]", *(f"{_key(k)} = {_toml(v)}" for k, v in value.items())]
    return "\n".join(lines) + "\n"


def from_text(text: str) -> Any:
    """The value of an override: TOML where it is TOML, else the text itself.

    Raises:
        UserError: For a text that says more than one value.
    """
    try:
        table = tomllib.loads(f"x = {text}")
    except tomllib.TOMLDecodeError:
        return text
    except (ValueError, RecursionError):  # thousands of digits, or of brackets
        raise UserError(f"override value {text[:40]!r}... is too long a number, or nested too deep") from None
    if len(table) > 1:
        raise UserError(f"override value {text!r} sets more than one key; write each as a --set of its own")
    return table["x"]


def check_numbers(value: Any, where: str = "") -> None:
    """Raises UserError, naming the key, unless every number in a dataclass, table or list is finite and moderate."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        for key, item in value.items():
            check_numbers(item, f"{where}.{key}" if where else str(key))
    elif isinstance(value, (list, tuple)):
        for item in value:
            check_numbers(item, where)
    elif isinstance(value, (int, float)) and not abs(value) <= LARGEST:
        raise UserError(f"got {where}={value:.6g}; allowed: a finite number of at most {LARGEST} in size")


def check_known(what: str, name: str, known: Mapping[str, Any]) -> None:
    """Raises ValueError, with the nearest name as a hint, unless `name` is known."""
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise UserError(f"unknown {what} {name!r}; known: {', '.join(known)}.{hint}")


def _typed(name: str, value: Any, known: dataclasses.Field[Any]) -> Any:
    default = known.default_factory() if callable(known.default_factory) else known.default
    also = known.metadata.get("also")
    if isinstance(default, tuple) and isinstance(value, list):
        return tuple(value)
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) not in (type(default), also):
        takes = " or ".join(_NAMES[kind] for kind in (type(default), also) if kind is not None)
        raise UserError(f"recipe key {name!r} takes {takes}; got {value!r}")
    return value


@lru_cache
def _lists_of_strings(kind: type) -> frozenset[str]:
    """The fields of a dataclass whose lists hold strings."""
    hints = {key: (hint, *get_args(hint)) for key, hint in get_type_hints(kind).items()}
    return frozenset(
        key
        for key, each in hints.items()
        if any(get_origin(hint) is tuple and get_args(hint)[0] is str for hint in each)
    )


def _require_strings(name: str, values: list[Any]) -> None:
    for value in values:
        if not isinstance(value, str):
            raise UserError(f"recipe key {name!r} takes a list of strings; got {value!r} in it")


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(k)} = {_toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(key: str) -> str:
    return key if key.replace("_", "a").replace("-", "a").isalnum() and key.isascii() else _toml(key)
