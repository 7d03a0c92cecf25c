"""What the pages share: the template engine, and figures drawn for a wide and for a narrow screen.

Every text is escaped by the engine and has its invisible characters spelled out: what a model wrote is data, and
nothing else.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from equipoise.reports.formats import visible

WIDE, PHONE = 860, 350
"""The two widths in pixels that every figure is drawn in; the page's style sheet shows one of them."""


def _plain(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def environment() -> Environment:
    """The engine that fills the templates of this folder: everything escaped, an unknown name is an error."""
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_plain,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def drawn(draw: Callable[..., str], data: Any, agents: Any) -> dict[str, Markup]:
    """A figure in both widths. Its text was escaped when it was drawn, so it may enter the page as it is."""
    return {name: Markup(draw(data, width, agents)) for name, width in (("wide", WIDE), ("phone", PHONE))}
