"""Checks of JSON that was read from a file or handed over by another room.

A check is a function of (value, where) that raises `ValueError` naming the place, what was got and what is allowed.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from equipoise.errors import UserError

Check = Callable[[Any, str], None]


def failure(where: str, value: Any, allowed: str) -> ValueError:
    """The error that says where a value is wrong, what was got and what is allowed."""
    got = repr(value)
    return ValueError(f"{where}: got {got if len(got) <= 60 else got[:57] + '...'}, allowed: {allowed}")


def text(value: Any, where: str) -> None:
    """Passes text."""
    if not isinstance(value, str):
        raise failure(where, value, "text")


def whole(value: Any, where: str) -> None:
    """Passes a whole number of at least 0."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise failure(where, value, "a whole number of at least 0")


def a_number(value: Any, where: str) -> None:
    """Passes a finite number, or NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isinf(value):
        raise failure(where, value, "a finite number")


def maybe_number(value: Any, where: str) -> None:
    """Passes a finite number, NaN, or null."""
    if value is not None:
        a_number(value, where)


def probability(value: Any, where: str) -> None:
    """Passes a probability, NaN, or null."""
    maybe_number(value, where)
    if value is not None and not math.isnan(value) and not -1e-9 <= value <= 1 + 1e-9:
        raise failure(where, value, "a probability between 0 and 1, or null")


def anything(value: Any, where: str) -> None:
    """Passes everything."""


def one_of(*allowed: Any) -> Check:
    """A check that passes the listed values alone."""

    def check(value: Any, where: str) -> None:
        if value not in allowed:
            raise failure(where, value, ", ".join(repr(a) for a in allowed))

    return check


def maybe(inner: Check) -> Check:
    """A check that passes null and what `inner` passes."""

    def check(value: Any, where: str) -> None:
        if value is not None:
            inner(value, where)

    return check


def list_of(inner: Check) -> Check:
    """A check that passes a list whose items `inner` passes."""

    def check(value: Any, where: str) -> None:
        if not isinstance(value, list | tuple):
            raise failure(where, value, "a list")
        for index, item in enumerate(value):
            inner(item, f"{where}[{index}]")

    return check


def mapping_of(inner: Check) -> Check:
    """A check that passes an object whose values `inner` passes."""

    def check(value: Any, where: str) -> None:
        if not isinstance(value, Mapping):
            raise failure(where, value, "an object")
        for key, item in value.items():
            text(key, f"{where} key")
            inner(item, f"{where}.{key}")

    return check


def object_of(required: Mapping[str, Check], optional: Mapping[str, Check]) -> Check:
    """A check that passes an object with the required keys; keys that are not named are not looked at."""

    def check(value: Any, where: str) -> None:
        if not isinstance(value, Mapping):
            raise failure(where, value, "an object")
        for key in required:
            if key not in value:
                raise UserError(f"{where}: the key '{key}' is missing; required: {', '.join(required)}")
        for key, inner in {**required, **optional}.items():
            if key in value:
                inner(value[key], f"{where}.{key}")

    return check


_ESTIMATE_SHAPE = object_of(
    {"value": maybe_number},
    {"low": maybe_number, "high": maybe_number, "n": whole, "level": probability, "method": text},
)


def estimate(value: Any, where: str) -> None:
    """Passes an estimate: a value, and where known its interval, n, level and method."""
    _ESTIMATE_SHAPE(value, where)
    low, high = value.get("low"), value.get("high")
    if low is not None and high is not None and low > high:
        raise UserError(f"{where}: got low {low} above high {high}, allowed: low <= high, or null for both")
