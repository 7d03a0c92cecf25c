"""From a Matplotlib drawing to a small, deterministic SVG that follows the page it stands on.

A unit of the drawing is a CSS pixel. Text stays text, in the reader's own system font; every colour of the palette
becomes a CSS variable, so the same file reads on a light and on a dark ground.
"""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from equipoise.files import write_atomically
from equipoise.reports.colours import GROUND, INKS
from equipoise.reports.formats import visible

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_ROOT_STYLE = f"font-family: {FONTS}; font-variant-numeric: tabular-nums; stroke-linejoin: round; stroke-linecap: butt"
_MARGIN = 16
_VARIABLES = {ink.light: f"var(--{ink.name}, {ink.light})" for ink in INKS}


@contextmanager
def own_style(name: str, **settings: Any) -> Iterator[None]:
    """The report's own Matplotlib settings while a drawing is made and written, whatever the caller's are."""
    from matplotlib import style

    # Ids in the file hang on the salt alone, so the same drawing is the same file.
    base = {"svg.fonttype": "none", "svg.hashsalt": f"equipoise-{name}", "text.parse_math": False}
    with style.context(["default", base | settings]):
        yield


def svg_of(figure: "Figure", name: str, title: str) -> str:
    """The drawing as one `<svg>` element, the same text for the same drawing on every day.

    Args:
        figure: Made at 72 dots an inch, so that its units are pixels.
        name: A short identifier, different for every drawing that may share a page.
        title: What a reader who cannot see the drawing is told.
    """
    buffer = io.StringIO()
    with warnings.catch_warnings():
        # The reader's browser sets the text, so a glyph that Matplotlib's own font lacks is no loss.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        # Names that leave no room for the data make a poor drawing, and no error.
        warnings.filterwarnings("ignore", message="constrained_layout not applied")
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    width, height = (72 * side for side in figure.get_size_inches())
    return _tidy(buffer.getvalue(), name, title, width, height)


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
