"""From a Matplotlib drawing to a small, deterministic SVG that follows the page it stands on.

A unit of the drawing is a CSS pixel. Text stays text, in the reader's own system font; every colour of the palette
becomes a CSS variable, so the same file reads on a light and on a dark ground.
"""

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from equipoise.files import write_atomically
from equipoise.reports.agents import GROUND, INK, INKS, MARKERS, MUTED, RULE, SERIES, Ink
from equipoise.reports.formats import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_ROOT_STYLE = f"font-family: {FONTS}; font-variant-numeric: tabular-nums; stroke-linejoin: round; stroke-linecap: butt"
_MARGIN = 16
_VARIABLES = {ink.light: f"var(--{ink.name}, {ink.light})" for ink in INKS}


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
        buffer = io.StringIO()
        with warnings.catch_warnings():
            # The reader's browser sets the text, so a glyph that Matplotlib's own font lacks is no loss.
            warnings.filterwarnings("ignore", message="Glyph .* missing from")
            self.figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
        return _tidy(buffer.getvalue(), self.name, self.title, self.width, self.height)


@contextmanager
def sheet(name: str, title: str, width: float, height: float) -> Iterator[Sheet]:
    """A `Sheet` under the report's own Matplotlib settings, whatever the caller's are."""
    from matplotlib import style

    with style.context(["default", {"svg.fonttype": "none", "svg.hashsalt": f"equipoise-{name}"}]):
        yield Sheet(name, title, width, height)


def _style(style: str) -> str:
    """The same inline style with palette colours as variables and the font family left to the root element."""
    for colour, variable in _VARIABLES.items():
        style = style.replace(colour, variable)
    return re.sub(r"\s*font-family:[^;]*;?", "", style).strip()


def _tidy(text: str, name: str, title: str, width: float, height: float) -> str:
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    root = ElementTree.fromstring(text)
    used = set(re.findall(r"(?:url\(#|href=\"#)([\w-]+)", text))
    for parent in list(root.iter()):
        for child in list(parent):
            # Matplotlib's own style sheet would leak into the page, and its metadata says nothing here.
            if child.tag in (f"{{{SVG}}}metadata", f"{{{SVG}}}style"):
                parent.remove(child)
    for element in root.iter():
        style = element.get("style")
        if style:
            element.set("style", _style(style))
        identifier = element.attrib.pop("id", None)
        if identifier in used:
            element.set("id", f"{name}-{identifier}")
        link = element.attrib.pop(f"{{{XLINK}}}href", None)
        if link:
            element.set("href", f"#{name}-{link.removeprefix('#')}")
        clip = element.get("clip-path")
        if clip:
            element.set("clip-path", clip.replace("url(#", f"url(#{name}-"))
    root.attrib.clear()
    root.attrib |= {
        "viewBox": f"0 0 {width:g} {height:g}",
        "width": f"{width:g}",
        "height": f"{height:g}",
        "role": "img",
        "style": _ROOT_STYLE,
    }
    heading = ElementTree.Element(f"{{{SVG}}}title")
    heading.text = visible(title)
    root.insert(0, heading)
    return ElementTree.tostring(root, encoding="unicode")


def write_figure(svg: str, path: Path) -> Path:
    """The path of the drawing as a file of its own, with its own ground and colours for light and dark readers."""
    root = ElementTree.fromstring(svg)
    sheet = ElementTree.Element(f"{{{SVG}}}style")
    light = "; ".join(f"--{ink.name}: {ink.light}" for ink in INKS)
    dark = "; ".join(f"--{ink.name}: {ink.dark}" for ink in INKS)
    sheet.text = f"svg {{ {light} }} @media (prefers-color-scheme: dark) {{ svg {{ {dark} }} }}"
    left, top, width, height = (float(part) for part in root.attrib["viewBox"].split())
    root.set("viewBox", f"{left - _MARGIN:g} {top - _MARGIN:g} {width + 2 * _MARGIN:g} {height + 2 * _MARGIN:g}")
    root.set("width", f"{width + 2 * _MARGIN:g}")
    root.set("height", f"{height + 2 * _MARGIN:g}")
    ground = ElementTree.Element(
        f"{{{SVG}}}rect",
        {
            "x": f"{left - _MARGIN:g}",
            "y": f"{top - _MARGIN:g}",
            "width": "100%",
            "height": "100%",
            "style": f"fill: var(--{GROUND.name}, {GROUND.light})",
        },
    )
    root.insert(1, sheet)
    root.insert(2, ground)
    write_atomically(Path(path), ElementTree.tostring(root, encoding="unicode") + "\n")
    return Path(path)
