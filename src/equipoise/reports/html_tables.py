"""How a table is laid out on a page: in stacked tables that fit its width, each with the room that it needs.

Widths are estimates for the widest of the usual system fonts. A table whose room is missing, on a phone for instance,
is shown by the style sheet as one card a row, so nothing is ever cut off.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from equipoise.reports.document import Cell, Column, Table
from equipoise.reports.formats import slug, text_width

PAGE = 950.0
"""Pixels that a page 1280 pixels wide has for a table beside its contents list, with a little to spare."""

SHORT = 24
"""The longest value or interval that stays on one line."""

_VALUE, _SMALL, _HEAD, _PADDING = 15.0, 11.5, 13.0, 19.3
"""Pixels of the letters of a value, of what stands small beneath it, of a head; and around a cell."""
_LABEL = (136.0, 196.0)
_WORDS = 176.0


@dataclass(frozen=True)
class Stack:
    """Some of a table's columns, shown as a table of their own.

    Attributes:
        columns: Their places in the whole table.
        groups: Heading and number of columns, in order; empty when no column has one.
        room: The width in rem below which it is shown as cards.
        shown: How many of its first columns a card shows before it is opened; all where it has few.
    """

    columns: Sequence[int]
    groups: Sequence[tuple[str, int]]
    room: int
    shown: int


def stacks(table: Table, page: float = PAGE) -> list[Stack]:
    """The tables that show the columns of a table one below the other, groups kept together where they fit."""
    label = _label_width(table)
    widths = [_width(column, [row.cells[i] for row in table.rows]) for i, column in enumerate(table.columns)]
    room = page - label
    together, single = _runs(table.columns), [[i] for i in range(len(widths))]
    # A group is kept together unless that takes more tables than breaking it.
    units = together if len(_packed(together, widths, room)) <= len(_packed(single, widths, room)) else single
    found = []
    for columns in _balanced(units, widths, room) or [[]]:
        heads = [table.columns[i].group for i in columns]
        groups = [(name, len(list(same))) for name, same in groupby(heads)] if any(heads) else []
        # A label can take two lines before the table has to become cards.
        need = math.ceil((min(label, _LABEL[0]) + sum(widths[i] for i in columns)) / 16)
        shown = 2 if len(columns) > 3 else len(columns)
        found.append(Stack(columns, groups, need, shown))
    return found


def wraps(text: str) -> bool:
    """Whether a value or what stands beneath it is too long for one line."""
    return len(text) > SHORT


def card_heads(table: Table) -> list[str]:
    """What a card writes before each value: the head with its note, and its group where heads are not unique."""
    heads = [column.head for column in table.columns]
    named = [
        f"{column.group}: {column.head}" if column.group and heads.count(column.head) > 1 else column.head
        for column in table.columns
    ]
    return [
        f"{name}, {column.note}" if column.note else name for name, column in zip(named, table.columns, strict=True)
    ]


def anchors(names: Sequence[str]) -> Mapping[str, str]:
    """An id for each term of a glossary; the first of a name has it."""
    found: dict[str, str] = {}
    for name in names:
        found.setdefault(name, f"term-{len(found)}-{slug(name)}")
    return found


def _label_width(table: Table) -> float:
    longest = max((text_width(row.label, _VALUE) for row in table.rows), default=0.0)
    return min(max(longest + 46, _LABEL[0]), _LABEL[1])


def _width(column: Column, cells: Sequence[Cell]) -> float:
    """Pixels that a column needs; its head and its note may take three lines."""
    sizes = [_head_width(column.head, _HEAD, 1.12), _head_width(column.note, _SMALL, 1.0)]
    for cell in cells:
        value = text_width(cell.value, _VALUE, 1.12 if cell.best else 1.0)
        sizes.append(_WORDS if cell.prose or wraps(cell.value) else value)
        sizes.append(text_width(cell.below[:SHORT], _SMALL))
    return max(sizes) + _PADDING


def _head_width(text: str, size: float, weight: float) -> float:
    """The longest word, or about a third of all."""
    longest = max((text_width(word, size, weight) for word in text.split()), default=0.0)
    return min(max(longest, text_width(text, size, weight) / 3 + 12), 2 * _WORDS)


def _runs(columns: Sequence[Column]) -> list[list[int]]:
    """Neighbours of one group together; a column without a group by itself."""
    runs: list[list[int]] = []
    for i, column in enumerate(columns):
        if i and column.group and column.group == columns[i - 1].group:
            runs[-1].append(i)
        else:
            runs.append([i])
    return runs


def _packed(units: Sequence[list[int]], widths: Sequence[float], room: float) -> list[list[int]]:
    packed: list[list[int]] = []
    used = room
    for unit in units:
        size = sum(widths[i] for i in unit)
        if used + size > room and (used or not packed):
            packed.append([])
            used = 0.0
        packed[-1] += unit
        used += size
    return packed


def _balanced(units: Sequence[list[int]], widths: Sequence[float], room: float) -> list[list[int]]:
    """As few tables as can be, and then about equally wide, so that none is left with a single column."""
    packed = _packed(units, widths, room)
    while room > 100 and len(smaller := _packed(units, widths, room := room * 0.95)) == len(packed):
        packed = smaller
    return packed
