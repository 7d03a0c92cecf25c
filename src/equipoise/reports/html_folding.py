"""What a page folds by itself so that it stays short.

First it folds figures beyond a section's first, then tables, then all figures. Of a folded table a wide screen shows
the columns that fit beside each other, and a phone the first cards.

A phone and a wide screen are judged apart, since a phone shows narrower drawings and tables as cards. A page that is
short enough shows everything that its document does not fold. Heights are estimates in pixels.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from equipoise.reports.document import Bullets, Conversations, Document, Figure, Part, Prose, Section, Table, Terms
from equipoise.reports.formats import text_width
from equipoise.reports.html_tables import stacks

LONGEST = 5200.0
"""The height that a page may be estimated to have before more of it is folded."""

PEEK = 5
"""How many cards of a table a phone shows before the rest is asked for, at the last stage."""

_FOLDED = 52.0


class Stage(IntEnum):
    """How much of a page is folded; each stage holds those before it."""

    NOTHING = 0
    LATER_FIGURES = 1
    TABLES = 2
    FIGURES = 3


@dataclass(frozen=True)
class Screen:
    """A kind of reader's screen: the width of a page's text, and whether tables are cards there."""

    width: float
    cards: bool


ON_DESK, ON_PHONE = Screen(940, False), Screen(340, True)


def stage_for(document: Document, screen: Screen, drawn: Mapping[int, str], longest: float = LONGEST) -> Stage:
    """The first stage at which the page is short enough, or the last one.

    Args:
        document: What the page shows.
        screen: Whose.
        drawn: The SVG of each figure for that screen, by the figure's identity.
        longest: Pixels that the page may be high.
    """
    top = 120 + _lines([document.title, *document.verdict], screen.width, 22) * 32
    for stage in Stage:
        if top + sum(_section(section, screen, drawn, stage) for section in document.sections) <= longest:
            return stage
    return Stage.FIGURES


def folds(section: Section, figure: Figure, stage: Stage) -> bool:
    """Whether a figure of the section is folded at a stage."""
    first = next(part for part in section.parts if isinstance(part, Figure))
    return stage >= (Stage.FIGURES if figure is first else Stage.LATER_FIGURES)


def _section(section: Section, screen: Screen, drawn: Mapping[int, str], stage: Stage) -> float:
    if section.folded:
        return _FOLDED + 12
    height = 80.0
    for part in section.parts:
        folded = isinstance(part, Figure) and folds(section, part, stage)
        height += 12 + (_FOLDED if folded else _part(part, screen, drawn, stage))
    return height + sum(_section(inner, screen, drawn, stage) for inner in section.sections)


def _part(part: Part, screen: Screen, drawn: Mapping[int, str], stage: Stage) -> float:
    match part:
        case Prose():
            return 25 * _lines([part.text], screen.width, 16)
        case Bullets():
            return sum(6 + 25 * _lines([item], screen.width, 16) for item in part.items)
        case Terms():
            wide = screen.width - (0 if screen.cards else 250)
            return sum(30 + 22 * _lines([term.text], wide, 15) for term in part.items)
        case Table():
            return _table(part, screen, stage)
        case Figure():
            found = re.search(r'viewBox="0 0 (\S+) (\S+)"', drawn[id(part)])
            ratio = float(found[2]) / float(found[1]) if found else 0.5
            return 60 + min(screen.width, 860) * ratio + 22 * _lines([part.caption], screen.width, 14)
        case Conversations():
            return 480 if screen.cards else 560
    return 0


def _table(table: Table, screen: Screen, stage: Stage) -> float:
    found = stacks(table)
    shown = found[:1] if table.key or (stage >= Stage.TABLES and not screen.cards) else found
    height = 50.0 + (_FOLDED if len(found) > len(shown) else 0)
    for stack in shown:
        cards = screen.cards and stack.room * 16 > screen.width + 16
        rows = min(len(table.rows), PEEK) if cards and stage >= Stage.TABLES else len(table.rows)
        height += rows * (44 + 25 * stack.shown) if cards else 70 + rows * 46
    return height


def _lines(texts: Sequence[str], width: float, size: float) -> float:
    return sum(1 + text_width(text, size) // width for text in texts)
