"""What a page says, before it is drawn: a title, a verdict, and sections of prose, tables, figures and conversations.

A view turns a result into a `Document`; a renderer turns a `Document` into HTML, Markdown or a terminal's lines and
knows nothing of results. A document holds text that was formatted by the view (`formats`), never markup: what a model
wrote is data, and each renderer escapes all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from equipoise.errors import UserError

if TYPE_CHECKING:
    from equipoise.reports.plots import Plot


@dataclass(frozen=True)
class Prose:
    """A paragraph.

    Attributes:
        text: One or more sentences.
        warning: Whether it says that something is missing or wrong, and is to be seen.
    """

    text: str
    warning: bool = False


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    items: Sequence[str]


@dataclass(frozen=True)
class Term:
    """A name and what it means.

    Attributes:
        name: The word.
        text: Its meaning in one or two sentences, or its value.
        note: What stands small beneath the name, for example the unit and which values are better.
        code: Whether the text is a command or a path.
    """

    name: str
    text: str
    note: str = ""
    code: bool = False


@dataclass(frozen=True)
class Terms:
    """A glossary, or facts by name."""

    items: Sequence[Term]


@dataclass(frozen=True)
class Cell:
    """One place of a table.

    Attributes:
        value: The figure or the words.
        below: What stands small beneath it: its interval, or why it has none.
        best: Whether it is better than all others of its column beyond their intervals.
        prose: Whether it is words that may wrap, not a figure.
    """

    value: str
    below: str = ""
    best: bool = False
    prose: bool = False


@dataclass(frozen=True)
class Column:
    """The head of a column.

    Attributes:
        head: Its name, a full one.
        note: What stands small beneath it: unit, n.
        hint: What it means, in one sentence; the same text stands in the glossary.
        group: The heading over several neighbouring columns; empty for none.
    """

    head: str
    note: str = ""
    hint: str = ""
    group: str = ""


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes:
        label: What it is about.
        cells: One for each column.
        note: What stands small beneath the label: seeds, kind.
        slot: The place of what it is about among colours and markers; None for none.
    """

    label: str
    cells: Sequence[Cell]
    note: str = ""
    slot: int | None = None


@dataclass(frozen=True)
class Table:
    """A table: a caption, the head of the labels, columns and rows.

    Attributes:
        caption: What it shows, in one line.
        corner: The head over the rows' labels.
        columns: [C].
        rows: Each with C cells.
        key: How many of the first columns say most; a terminal shows those alone. 0: all.
    """

    caption: str
    corner: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    key: int = 0

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row.cells) != len(self.columns):
                raise UserError(f"row {row.label!r} has {len(row.cells)} cells for {len(self.columns)} columns")


@dataclass(frozen=True)
class Figure:
    """A drawing.

    Attributes:
        name: A short identifier, unique in its document; it names the file of the drawing.
        alternative: What a reader who cannot see it is told.
        caption: What it shows and how to read it.
        plot: What is drawn; `plots` holds the kinds.
    """

    name: str
    alternative: str
    caption: str
    plot: Plot


@dataclass(frozen=True)
class Message:
    """One message of a conversation.

    Attributes:
        speaker: Who speaks, as it is shown: "Rules", "Game", the agent's label.
        side: "rules", "seen" or "said".
        text: Word for word.
        fault: The kind of fault that the reply is, or empty.
    """

    speaker: str
    side: str
    text: str
    fault: str = ""


@dataclass(frozen=True)
class Conversation:
    """One seat's side of one episode.

    Attributes:
        agent: Whose side, as its label.
        opponent: The other players, named.
        seat: The seat.
        deal: The deal.
        payoff: What the seat was paid in all.
        shown: The payoffs of all seats as text.
        messages: In order; what every conversation of the list starts with may be left out of them.
    """

    agent: str
    opponent: str
    seat: int
    deal: int
    payoff: float
    shown: str
    messages: Sequence[Message]

    @property
    def faults(self) -> tuple[str, ...]:
        """The kinds of fault in it, each once."""
        return tuple(dict.fromkeys(message.fault for message in self.messages if message.fault))


@dataclass(frozen=True)
class Conversations:
    """Episodes to read: a page lets the reader filter them by opponent, seat, fault and payoff.

    Attributes:
        opening: Messages that every conversation starts with (the rules), shown once.
        items: The conversations.
        played: How many episodes were played in all; the items may be fewer.
    """

    opening: Sequence[Message]
    items: Sequence[Conversation]
    played: int


Part = Prose | Bullets | Terms | Table | Figure | Conversations


@dataclass(frozen=True)
class Section:
    """A heading with what stands under it.

    Attributes:
        title: The heading.
        parts: In order.
        folded: Whether a page shows the heading alone until the reader opens it; a terminal leaves the section out.
        sections: Sections of their own under this one.
    """

    title: str
    parts: Sequence[Part]
    folded: bool = False
    sections: Sequence[Section] = ()


@dataclass(frozen=True)
class Document:
    """A whole page.

    Attributes:
        title: Its title.
        verdict: What it found, most important sentence first.
        facts: A few words each: game, seeds, time.
        sections: In order.
    """

    title: str
    verdict: Sequence[str]
    facts: Sequence[str]
    sections: Sequence[Section]

    def parts(self) -> list[Part]:
        """Every part, in order of reading."""
        return [part for section in _walked(self.sections) for part in section.parts]

    def figures(self) -> list[Figure]:
        """Every figure, in order of reading."""
        return [part for part in self.parts() if isinstance(part, Figure)]


def filled(sections: Sequence[Section]) -> list[Section]:
    """The sections that hold anything."""
    return [section for section in sections if section.parts or section.sections]


def _walked(sections: Sequence[Section]) -> list[Section]:
    return [found for section in sections for found in (section, *_walked(section.sections))]
