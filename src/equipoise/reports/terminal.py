"""A document as text for a terminal: the verdict, then what is not folded, in tables that fit its width.

Columns that do not fit stand in further tables below; figures and conversations are for the page. Characters that the
terminal's encoding lacks are replaced, so that a report never ends in an error.
"""

import io
import re
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from equipoise.reports import document as parts
from equipoise.reports.formats import MINUS, MISSING, visible

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table as Grid
    from rich.text import Text

WIDTH = 80
_LABEL, _WORDS = 26, 24
"""The most columns of a terminal that a row's label and a cell of words take."""
_PLAIN = {
    MINUS: "-", MISSING: "-", "\N{EM DASH}": "-", "\N{MULTIPLICATION SIGN}": "x", "\N{HORIZONTAL ELLIPSIS}": "...",
    "\N{MATHEMATICAL LEFT ANGLE BRACKET}": "<", "\N{MATHEMATICAL RIGHT ANGLE BRACKET}": ">", "\N{MIDDLE DOT}": "|",
    "\N{BULLET}": "*", "\N{LESS-THAN OR EQUAL TO}": "<=", "\N{GREATER-THAN OR EQUAL TO}": ">=",
    "\N{RIGHTWARDS ARROW}": "->", "\N{LEFT DOUBLE QUOTATION MARK}": '"', "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
    "\N{LEFT SINGLE QUOTATION MARK}": "'", "\N{RIGHT SINGLE QUOTATION MARK}": "'",
}  # fmt: skip
"""What stands for a character that an encoding lacks, where its decomposition has no better."""


def printable(text: str, encoding: str) -> str:
    """The text with every character that the encoding lacks replaced by the nearest that it has, at worst by `?`."""
    try:
        text.encode(encoding)
        return text
    except (UnicodeEncodeError, LookupError):
        return "".join(_nearest(character, encoding) for character in text)


def _nearest(character: str, encoding: str) -> str:
    plain = "".join(c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c))
    for found in (character, _PLAIN.get(character, ""), plain):
        try:
            found.encode(encoding)
        except UnicodeEncodeError:
            continue
        except LookupError:  # an encoding that Python does not know is taken for ASCII
            if not found.isascii():
                continue
        if found:
            return found
    return "?"


def show(document: parts.Document, stream: TextIO, width: int = WIDTH) -> None:
    """Writes the document to a stream: in colour on a terminal, with the characters that its encoding has."""
    encoding = stream.encoding or "utf-8"
    stream.write(terminal_text(document, width, colour=stream.isatty(), encoding=encoding))


def terminal_text(
    document: parts.Document, width: int = WIDTH, *, colour: bool = False, encoding: str = "utf-8"
) -> str:
    """The document as lines of at most `width` columns.

    Args:
        document: What is shown.
        width: Columns of the terminal.
        colour: Whether headings and the best values are set off by codes that a terminal understands.
        encoding: Of the stream that the text is for.
    """
    return _Printer(width, colour, encoding).text_of(document)


def _to_browse(section: parts.Section) -> bool:
    """Whether a section holds conversations and words about them alone, which are read on the page."""
    conversations = [part for part in section.parts if isinstance(part, parts.Conversations)]
    others = [part for part in section.parts if not isinstance(part, parts.Conversations | parts.Prose)]
    inner = bool(section.sections) and all(map(_to_browse, section.sections))
    return not others and (bool(conversations) or inner) and (inner or not section.sections)


class _Printer:
    """What every part of one text needs: the console that it is collected on, and the encoding."""

    def __init__(self, width: int, colour: bool, encoding: str) -> None:
        from rich.console import Console

        self.width, self.encoding = width, encoding
        self.buffer = io.StringIO()
        self.console = Console(
            file=self.buffer,
            width=width,
            force_terminal=colour,
            no_color=not colour,
            color_system="standard" if colour else None,
            highlight=False,
            emoji=False,
            markup=False,
            legacy_windows=False,
        )

    def text_of(self, document: parts.Document) -> str:
        self.say(document.title, "bold")
        self.say()
        for index, sentence in enumerate(document.verdict):
            self.say(sentence, "" if index else "bold")
        if document.facts:
            self.say(" · ".join(document.facts), "dim")
        left_out = [title for section in document.sections for title in self.section(section, "")]
        if left_out:
            self.say()
            self.say(f"On the page: {', '.join(left_out)}.", "dim")
        lines = "\n".join(line.rstrip() for line in self.buffer.getvalue().split("\n"))
        return printable(re.sub(r"\n{3,}", "\n\n", lines).strip("\n"), self.encoding) + "\n"

    def section(self, section: parts.Section, above: str) -> list[str]:
        """Prints a section; the titles of what a terminal leaves out of it."""
        title = f"{above}{section.title}"
        if section.folded or _to_browse(section):
            return [title]
        left_out = []
        shown = [part for part in section.parts if not isinstance(part, parts.Figure | parts.Conversations)]
        if len(shown) < len(section.parts):
            kinds = {type(part).__name__.lower() for part in section.parts if part not in shown}
            left_out.append(f"{title} ({' and '.join(sorted(kinds))})" if shown else title)
        if shown:
            self.say()
            self.say(title, "bold")
        for part in shown:
            self.part(part)
        return left_out + [found for inner in section.sections for found in self.section(inner, f"{title}: ")]

    def part(self, part: parts.Part) -> None:
        match part:
            case parts.Prose():
                self.say(f"! {part.text}" if part.warning else part.text)
            case parts.Bullets():
                for item in part.items:
                    self.hang("• ", item)
            case parts.Terms():
                for term in part.items:
                    self.hang(f"{term.name}: ", term.text, 4)
            case parts.Table():
                self.table(part)

    def say(self, text: str = "", style: str = "") -> None:
        self.print(self.text(text, style))

    def print(self, what: "RenderableType") -> None:
        self.console.print(what)

    def text(self, text: str, style: str = "") -> "Text":
        """The text as data on one line: what it holds is neither markup nor a code of the terminal."""
        from rich.text import Text

        return Text(printable(" ".join(visible(text).split()), self.encoding), style=style)

    def hang(self, head: str, text: str, indent: int = 2) -> None:
        """Prints a paragraph whose first line starts with a head and whose others are indented."""
        from rich.padding import Padding
        from rich.text import Text

        whole = Text.assemble(self.text(head), " ", self.text(text))
        lines = whole.wrap(self.console, self.width - indent)
        self.print(lines[0])
        for line in lines[1:]:
            self.print(Padding(line, (0, 0, 0, indent)))

    def table(self, table: parts.Table) -> None:
        """Prints a table's first columns, or all in as many tables as they take, values above their intervals."""
        shown = range(len(table.columns))[: table.key or None]
        label = min(max((self.cells(text) for row in table.rows for text in (row.label, row.note)), default=0), _LABEL)
        label = max(label, min(self.cells(table.corner), _LABEL), 6)
        self.say()
        if table.caption:
            self.say(table.caption, "dim")
        stack: list[int] = []
        used = label
        for index in [*shown, None]:
            size = 0 if index is None else self.width_of(table, index)
            if stack and (index is None or used + 2 + size > self.width):
                self.print(self.grid(table, stack, label))
                self.say()
                stack, used = [], label
            if index is not None:
                stack.append(index)
                used += 2 + size
        if not table.columns:
            self.print(self.grid(table, [], label))
            self.say()

    def grid(self, table: parts.Table, columns: Sequence[int], label: int) -> "Grid":
        from rich.table import Table as Grid
        from rich.text import Text

        grid = Grid(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False, header_style="")
        grid.add_column(self.text(table.corner, "dim"), width=label, overflow="fold", vertical="top")
        for index in columns:
            column = table.columns[index]
            words = any(row.cells[index].prose for row in table.rows)
            heads = [self.text(text, "dim") for text in (column.head, column.note) if text]
            size = self.width_of(table, index)
            grid.add_column(Text("\n").join(heads), width=size, justify="left" if words else "right", overflow="fold")
        for row in table.rows:
            names = [self.text(row.label), *([self.text(row.note, "dim")] if row.note else [])]
            grid.add_row(Text("\n").join(names), *(self.cell(row.cells[index]) for index in columns))
        return grid

    def cell(self, cell: parts.Cell) -> "Text":
        from rich.text import Text

        value = self.text(cell.value, "bold" if cell.best else "")
        return Text("\n").join([value, self.text(cell.below, "dim")]) if cell.below else value

    def width_of(self, table: parts.Table, index: int) -> int:
        """Columns that a table's column takes: its longest value or interval whole, its head word by word."""
        column = table.columns[index]
        sizes = [self.cells(word) for text in (column.head, column.note) for word in text.split()]
        sizes += [self.cells(text) // 3 for text in (column.head, column.note)]
        for row in table.rows:
            cell = row.cells[index]
            for text in (cell.value, cell.below):
                sizes.append(min(self.cells(text), _WORDS))
                sizes += [self.cells(word) for word in text.split()]
        return min(max(sizes, default=1), self.width - _LABEL - 2)

    def cells(self, text: str) -> int:
        return self.text(text).cell_len
