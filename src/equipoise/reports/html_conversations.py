"""The episodes of a page: as many as a page holds, in one block of JSON for the script, the first ones as plain text.

Texts are stored once and named by their place, because games say the same things again and again. What a player wrote
enters the page as the text of a node alone: escaped here, set by `textContent` there.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from equipoise.reports.document import Conversation, Conversations, Message
from equipoise.reports.formats import visible

MOST, BYTES, PLAIN = 2000, 4_000_000, 12
"""The most conversations of one list in a page, the most bytes of their JSON, and how many are plain text."""


@dataclass(frozen=True)
class Episodes:
    """A list of conversations as the template needs it.

    Attributes:
        data: The JSON for the script.
        count: How many conversations it holds.
        kept: How many the document holds.
        played: How many episodes were played.
        opening: Messages that each of them starts with.
        plain: The first ones.
    """

    data: Markup
    count: int
    kept: int
    played: int
    opening: Sequence[Message]
    plain: Sequence[Conversation]

    @property
    def counts(self) -> str:
        """How many were played, and how many of them can be read here."""
        if self.count == self.played:
            return f"All {self.played:,} episodes that were played."
        left = f", {self.kept:,} were kept" if self.kept != self.played else ""
        taken = "; of those this page holds" if left else "; this page holds"
        spread = ", taken evenly, since more would make it slow" if self.count < self.kept else ""
        return f"{self.played:,} episodes were played{left}{taken} {self.count:,}{spread}."


def episodes(part: Conversations) -> Episodes:
    """The conversations that a page holds: all, or evenly taken ones where they are too many or too long."""
    count = min(len(part.items), MOST)
    items = _even(part.items, count)
    data = _data(items)
    while len(data) > BYTES and count > 1:
        count = max(1, min(count - 1, int(count * BYTES / len(data) * 0.97)))
        items = _even(part.items, count)
        data = _data(items)
    return Episodes(Markup(data), len(items), len(part.items), part.played, part.opening, items[:PLAIN])


def _even(items: Sequence[Conversation], count: int) -> list[Conversation]:
    return [items[i * len(items) // count] for i in range(count)]


def _data(items: Sequence[Conversation]) -> str:
    places: dict[str, int] = {}

    def place(text: str) -> int:
        return places.setdefault(visible(text), len(places))

    rows: list[Any] = [
        [
            place(item.agent),
            place(item.opponent),
            item.seat,
            item.deal,
            item.payoff if math.isfinite(item.payoff) else None,
            place(item.shown),
            [[place(m.speaker), place(m.side), place(m.text), place(m.fault)] for m in item.messages],
        ]
        for item in items
    ]
    text = json.dumps({"texts": list(places), "items": rows}, ensure_ascii=False, separators=(",", ":"))
    # Nothing in it may end the element that holds it.
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
