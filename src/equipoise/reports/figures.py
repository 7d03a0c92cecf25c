"""A figure of a document as a drawing of Matplotlib, and that as SVG that follows the page it stands on."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from equipoise.reports.document import Figure as Shown
from equipoise.reports.figures_grids import draw_heatmap, draw_ranking
from equipoise.reports.figures_lines import draw_curves, draw_scatter
from equipoise.reports.figures_rows import draw_intervals, draw_policies, draw_strips
from equipoise.reports.figures_style import SETTINGS
from equipoise.reports.formats import slug
from equipoise.reports.plots import Curves, Heatmap, Intervals, Plot, Policies, Ranking, Scatter, Strips
from equipoise.reports.svg import own_style, svg_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDE, PHONE = 860, 350
"""The two widths in pixels that a page holds every figure in; its style sheet shows one of them."""

_DRAW: dict[type[Any], Callable[[Any, float], "Figure"]] = {
    Curves: draw_curves,
    Heatmap: draw_heatmap,
    Intervals: draw_intervals,
    Policies: draw_policies,
    Ranking: draw_ranking,
    Scatter: draw_scatter,
    Strips: draw_strips,
}


def draw(plot: Plot, width: float = WIDE) -> "Figure":
    """The drawing as a figure of Matplotlib at 72 dots an inch, `width` pixels wide and as high as it needs."""
    with own_style("drawing", **SETTINGS):
        return _DRAW[type(plot)](plot, width)


def svg(figure: Shown, width: float = WIDE, name: str = "") -> str:
    """The figure as one `<svg>` element: text as text, colours as CSS variables, the same bytes on every day.

    Args:
        figure: The figure.
        width: Pixels.
        name: What its ids start with; without one, the figure's name and the width.
    """
    identifier = name or f"{slug(figure.name)}-{width:g}"
    with own_style(identifier, **SETTINGS):
        return svg_of(_DRAW[type(figure.plot)](figure.plot, width), identifier, figure.alternative)


def file_names(figures: Sequence[Shown]) -> list[str]:
    """A name for each figure that suits a file and an id, no two alike."""
    names: list[str] = []
    for figure in figures:
        base, number = slug(figure.name), 1
        name = base
        while name in names:
            number += 1
            name = f"{base}-{number}"
        names.append(name)
    return names
