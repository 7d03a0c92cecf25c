"""A document as Markdown: what was measured or written by a model is data there too, never markup.

Figures are links to files that `write_figures` writes; conversations are counted, and read on the page.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from equipoise.files import write_atomically
from equipoise.reports import document as parts
from equipoise.reports.figures import file_names, svg
from equipoise.reports.formats import visible
from equipoise.reports.svg import write_figure

FOLDER = "figures"

_SIGNS = re.compile(r"[\\`*<>|$~&]|\](?=[(\[:])|(?<![^\W_])_|_(?![^\W_])")
"""What is markup anywhere in a line; an underscore between letters is none, nor are brackets that start no link."""
_OPENING = re.compile(r"^(?:[#+=-]|\d+(?=[.)](?:\s|$)))")
"""What would make a line a heading, an item or a rule."""


def line_of(text: str) -> str:
    """The text as one line: invisible characters spelled out, no line breaks, nothing that is markup or a link."""
    line = _SIGNS.sub(r"\\\g<0>", " ".join(visible(text).split()))
    # GitHub makes links of bare addresses.
    line = line.replace("://", "\\://").replace("www.", "www\\.")
    opening = _OPENING.match(line)
    if opening and opening[0].isdigit():
        return f"{opening[0]}\\{line[opening.end() :]}"
    return f"\\{line}" if opening else line


def code_of(text: str) -> str:
    """The text as code on one line: invisible characters spelled out, nothing that would end the code."""
    return f"`{' '.join(visible(text).split()).replace('`', chr(39)) or ' '}`"


def markdown(document: parts.Document, folder: str = FOLDER) -> str:
    """The document as Markdown.

    Args:
        document: What is shown.
        folder: Where its figures are, seen from the file; `write_figures` names the files.
    """
    names = {id(figure): name for figure, name in zip(document.figures(), _names(document), strict=True)}
    lines = [f"# {line_of(document.title)}", ""]
    for index, sentence in enumerate(document.verdict):
        lines += [line_of(sentence) if index else f"**{line_of(sentence)}**", ""]
    if document.facts:
        lines += [" · ".join(line_of(fact) for fact in document.facts), ""]
    for section in document.sections:
        lines += _section(section, 2, names, folder)
    return "\n".join(lines).rstrip("\n") + "\n"


def write_figures(document: parts.Document, folder: str | Path) -> list[Path]:
    """The files of the document's figures, in order; each holds its own ground and follows light and dark readers."""
    place = Path(folder)
    return [
        write_figure(svg(figure, name=name), place / f"{name}.svg")
        for figure, name in zip(document.figures(), _names(document), strict=True)
    ]


def _names(document: parts.Document) -> list[str]:
    return file_names(document.figures())


def _section(section: parts.Section, level: int, names: dict[int, str], folder: str) -> list[str]:
    lines = [f"{'#' * min(level, 6)} {line_of(section.title)}", ""]
    for part in section.parts:
        lines += [*_part(part, names, folder), ""]
    for inner in section.sections:
        lines += _section(inner, level + 1, names, folder)
    return lines


def _part(part: parts.Part, names: dict[int, str], folder: str) -> list[str]:
    match part:
        case parts.Prose():
            return [f"**{line_of(part.text)}**" if part.warning else line_of(part.text)]
        case parts.Bullets():
            return [f"- {line_of(item)}" for item in part.items]
        case parts.Terms():
            return [_term(term) for term in part.items]
        case parts.Table():
            return _table(part)
        case parts.Figure():
            link = f"![{line_of(part.alternative)}]({folder}/{names[id(part)]}.svg)"
            return [link, *(["", line_of(part.caption)] if part.caption else [])]
        case parts.Conversations():
            kept = len(part.items)
            return [f"{part.played:,} episodes were played; {kept:,} of them can be read on the page."]


def _term(term: parts.Term) -> str:
    note = f" ({line_of(term.note)})" if term.note else ""
    return f"- **{line_of(term.name)}**{note}: {code_of(term.text) if term.code else line_of(term.text)}"


def _table(table: parts.Table) -> list[str]:
    heads = [line_of(table.corner), *(_head(column) for column in table.columns)]
    sides = ["---", *(_side([row.cells[i] for row in table.rows]) for i in range(len(table.columns)))]
    lines = [line_of(table.caption), ""] if table.caption else []
    lines += [f"| {' | '.join(heads)} |", f"| {' | '.join(sides)} |"]
    for row in table.rows:
        label = line_of(row.label) + (f" ({line_of(row.note)})" if row.note else "")
        lines.append(f"| {' | '.join([label, *map(_cell, row.cells)])} |")
    return lines


def _head(column: parts.Column) -> str:
    head = f"{line_of(column.group)}: {line_of(column.head)}" if column.group else line_of(column.head)
    return f"{head} ({line_of(column.note)})" if column.note else head


def _side(cells: Sequence[parts.Cell]) -> str:
    return "---" if any(cell.prose for cell in cells) else "---:"


def _cell(cell: parts.Cell) -> str:
    value = line_of(cell.value)
    value = f"**{value}**" if cell.best and value else value
    return f"{value} {line_of(cell.below)}" if cell.below else value


def write_markdown(document: parts.Document, path: str | Path) -> list[Path]:
    """The paths of the document as Markdown and of its figures, which lie in a folder beside it.

    Args:
        document: What is written.
        path: The Markdown file; the figures go to the folder of its name, without its ending.
    """
    file = Path(path)
    folder = file.with_suffix("")
    figures = write_figures(document, folder) if document.figures() else []
    write_atomically(file, markdown(document, folder.name))
    return [file, *figures]
