"""A drawing surface in pixels, for the figures that place every mark themselves."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from equipoise.reports.agents import GROUND, INK, MARKERS, MUTED, RULE, SERIES, Ink
from equipoise.reports.formats import visible
from equipoise.reports.svg import own_style, svg_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Sheet:
    """A drawing surface of `width` by `height` pixels with its origin at the top left.

    Args:
        name: a short identifier, different for every drawing that may share a page.
        title: what a reader who cannot see the drawing is told.
        width: pixels.
        height: pixels.
    """

    def __init__(self, name: str, title: str, width: float, height: float) -> None:
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure

        self.name, self.title, self.width, self.height = name, title, width, height
        self.figure = Figure(figsize=(width / 72, height / 72), dpi=72)
        FigureCanvasSVG(self.figure)
        self.axes: Axes = self.figure.add_axes((0.0, 0.0, 1.0, 1.0))
        self.axes.set(xlim=(0, width), ylim=(height, 0))
        self.axes.set_axis_off()

    def text(self, x: float, y: float, text: str, *, size: float = 12, ink: Ink = INK, **style: Any) -> None:
        """Writes one line with its baseline at `y`, starting at `x` unless `ha` says otherwise."""
        self.axes.text(x, y, visible(text), size=size, color=ink.light, parse_math=False, va="baseline", **style)

    def line(self, points: Sequence[tuple[float, float]], ink: Ink = RULE, width: float = 1, **style: Any) -> None:
        """Draws a line through the points."""
        xs, ys = zip(*points, strict=True)
        self.axes.plot(xs, ys, color=ink.light, linewidth=width, clip_on=False, **style)

    def mark(self, x: float, y: float, slot: int, size: float = 7) -> None:
        """Draws the marker of the agent in this slot, edged with the ground to stay apart from others that it meets."""
        marker = MARKERS[slot]
        self.axes.plot(
            [x],
            [y],
            marker,
            markersize=size if marker in "osD" else 1.25 * size,  # the others fill less of their square
            color=SERIES[slot].light,
            markeredgecolor=GROUND.light,
            markeredgewidth=1,
            clip_on=False,
        )

    def ring(self, x: float, y: float, size: float = 7) -> None:
        """Draws the hollow circle of a reference player, which is no agent and has no colour of its own."""
        self.axes.plot(
            [x],
            [y],
            "o",
            markersize=size,
            color=GROUND.light,
            markeredgecolor=MUTED.light,
            markeredgewidth=1.5,
            clip_on=False,
        )

    def box(self, x: float, y: float, width: float, height: float, ink: Ink) -> None:
        """Fills a rectangle."""
        from matplotlib.patches import Rectangle

        self.axes.add_patch(Rectangle((x, y), width, height, facecolor=ink.light, edgecolor="none", clip_on=False))

    def svg(self) -> str:
        """The drawing as one `<svg>` element, the same text for the same drawing on every day."""
        return svg_of(self.figure, self.name, self.title)


@contextmanager
def sheet(name: str, title: str, width: float, height: float) -> Iterator[Sheet]:
    """A `Sheet` under the report's own Matplotlib settings, whatever the caller's are."""
    with own_style(name):
        yield Sheet(name, title, width, height)
