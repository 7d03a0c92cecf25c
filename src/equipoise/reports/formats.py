"""How a report writes numbers and texts it was given: fixed decimals, real minus signs, nothing invisible."""

import math
import re
import unicodedata
from collections.abc import Iterable

from equipoise.core import Estimate

MINUS = "\N{MINUS SIGN}"
MISSING = "\N{EN DASH}"
_EMS = dict.fromkeys("iIjl .,:;'|!()[]{}ftr-/\\", 0.39) | dict.fromkeys("mwMW%@+<>=\N{MINUS SIGN}", 0.88)
"""Widths of narrow and wide letters in the size of the font."""


def visible(text: str) -> str:
    """The text with every control, direction and unpaired surrogate character spelled out as ⟨U+XXXX⟩.

    Line feeds and tabs stay. What a model wrote can then neither hide words nor turn a line around, on a page or in a
    terminal.
    """
    return "".join(c if c in "\n\t" or unicodedata.category(c)[0] != "C" else f"⟨U+{ord(c):04X}⟩" for c in text)


def text_width(text: str, size: float, weight: float = 1.0) -> float:
    """About how many pixels a line of text takes at a size in pixels, in the widest of the usual system fonts.

    The reader's font is not known where a page or a figure is laid out; in most of them the text is narrower.
    """
    return size * weight * sum(_EMS.get(c, 0.62 if c.isascii() and not c.isupper() else 0.75) for c in text)


def slug(text: str) -> str:
    """The text as an id or the name of a file: lower-case letters, digits and hyphens, 60 at most, never none."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60].strip("-") or "part"


def decimals(values: Iterable[float | None]) -> int:
    """The digits after the point for one column: 3, or 4 where a value between 0 and 0.01 needs them."""
    return 4 if any(v is not None and 0 < abs(v) < 0.01 for v in values) else 3


def number(value: float | None, digits: int) -> str:
    """The value with `digits` decimals and a real minus sign; one too small to show reads as a bound, never as zero."""
    if value is None or math.isnan(value):
        return MISSING
    smallest = 10.0**-digits
    if 0 < abs(value) < smallest / 2:
        return f"<{smallest:.{digits}f}" if value > 0 else f">{MINUS}{smallest:.{digits}f}"
    return f"{value + 0.0:.{digits}f}".replace("-", MINUS)  # no sign before zero


def duration(seconds: float) -> str:
    """A length of time in the unit that suits it: seconds, minutes or hours."""
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"


def capital(text: str) -> str:
    """The text as it stands at the beginning of a line."""
    return text[:1].upper() + text[1:]


def counted(count: int, noun: str) -> str:
    """The count with its noun: `1 seed`, `2 seeds`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def listing(names: Iterable[str]) -> str:
    """The names as an English list: `a`, `a and b`, `a, b and c`."""
    *head, last = list(names)
    return f"{', '.join(head)} and {last}" if head else last


def interval(estimate: Estimate, digits: int) -> str:
    """The interval as `[low, high]`, or an empty text where the estimate has none or was computed exactly."""
    if math.isnan(estimate.low) or math.isnan(estimate.high) or estimate.method == "exact":
        return ""
    return f"[{number(estimate.low, digits)}, {number(estimate.high, digits)}]"


def known(value: float | None) -> bool:
    """Whether there is a value: a number that is none is not known."""
    return value is not None and not math.isnan(value)
