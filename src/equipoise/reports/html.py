"""A document as one HTML page that needs nothing but itself: no network, no font; light, dark and on paper.

The one script is ours, stands in the page and is allowed by its hash alone; it adds filters to the conversations, and
without it everything but the later conversations can still be read. How the page looks is in `templates/`. Every text
is escaped by the template engine and has its invisible characters spelled out: what a model wrote is data.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup

from equipoise.reports import document as parts
from equipoise.reports.colours import INKS, SERIES
from equipoise.reports.figures import PHONE, WIDE, file_names, svg
from equipoise.reports.formats import slug
from equipoise.reports.html_conversations import episodes
from equipoise.reports.html_folding import ON_DESK, ON_PHONE, PEEK, Stage, folds, stage_for
from equipoise.reports.html_tables import anchors, card_heads, stacks, wraps
from equipoise.reports.rendering import environment

SIDES = {"rules": "system", "seen": "user", "said": "assistant"}
"""The style of a message by whose it is."""


@dataclass(frozen=True)
class _Drawing:
    """A figure in both widths, and on which screens the reader opens it first."""

    wide: Markup
    phone: Markup
    wide_folded: bool
    phone_folded: bool


@dataclass(frozen=True)
class _Block:
    """A part of a section with what the template needs of it."""

    kind: str
    part: Any
    extra: Any = None


@dataclass(frozen=True)
class _Group:
    """A section with its place in the page."""

    id: str
    title: str
    folded: bool
    blocks: Sequence[_Block]
    groups: Sequence["_Group"]


class _Page:
    """The parts of a document with the decisions that hang on the whole of it."""

    def __init__(self, document: parts.Document) -> None:
        figures = document.figures()
        # Texts were escaped when a figure was drawn, so it may enter the page as it is.
        self.drawn = {
            id(figure): [Markup(svg(figure, width, f"{name}-{width}")) for width in (WIDE, PHONE)]
            for figure, name in zip(figures, file_names(figures), strict=True)
        }
        self.wide, self.phone = (
            stage_for(document, screen, {key: pair[i] for key, pair in self.drawn.items()})
            for i, screen in enumerate((ON_DESK, ON_PHONE))
        )
        self.ids: set[str] = set()
        self.rooms: set[int] = set()
        self.groups = [self.group(section) for section in document.sections]

    def group(self, section: parts.Section) -> _Group:
        base, number = f"section-{slug(section.title)}", 1
        identifier = base
        while identifier in self.ids:
            number += 1
            identifier = f"{base}-{number}"
        self.ids.add(identifier)
        blocks = [self.block(section, part) for part in section.parts]
        return _Group(
            identifier, section.title, section.folded, blocks, [self.group(inner) for inner in section.sections]
        )

    def block(self, section: parts.Section, part: parts.Part) -> _Block:
        match part:
            case parts.Table():
                found = stacks(part)
                self.rooms |= {stack.room for stack in found}
                return _Block("table", part, found)
            case parts.Figure():
                wide, phone = self.drawn[id(part)]
                folded = folds(section, part, self.wide), folds(section, part, self.phone)
                return _Block("figure", part, _Drawing(wide, phone, *folded))
            case parts.Conversations():
                return _Block("conversations", part, episodes(part))
            case _:
                return _Block(type(part).__name__.lower(), part)


@cache
def script() -> str:
    """The page's own script, the same for every page."""
    return (Path(__file__).parent / "templates" / "page.js").read_text(encoding="utf-8")


def page_html(document: parts.Document) -> str:
    """The whole page as text that can be stored in one file."""
    page = _Page(document)
    terms = [term.name for part in document.parts() if isinstance(part, parts.Terms) for term in part.items]
    digest = base64.b64encode(hashlib.sha256(script().encode()).digest()).decode()
    return (
        environment()
        .get_template("page.html.jinja")
        .render(
            document=document,
            groups=page.groups,
            peek=PEEK if page.phone >= Stage.TABLES else 0,
            terms=anchors(terms),
            script=Markup(script()),
            policy=f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
            "base-uri 'none'; form-action 'none'",
            inks=INKS,
            colours=len(SERIES),
            rooms=sorted(page.rooms),
            one_stack=page.wide >= Stage.TABLES,
            sides=SIDES,
            full=WIDE,
            card_heads=card_heads,
            wraps=wraps,
        )
    )
