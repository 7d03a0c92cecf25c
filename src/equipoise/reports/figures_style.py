"""What all figures share: Matplotlib's settings in the page's colours, agents' marks, text that fits, honest axes."""

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from equipoise.reports.colours import GROUND, INK, MARKERS, MUTED, RULE, SERIES
from equipoise.reports.formats import MINUS, text_width, visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NARROW = 480
"""Figures narrower than this many pixels are laid out for a phone."""

SETTINGS = {
    "font.size": 12,
    "text.color": INK.light,
    "axes.labelcolor": MUTED.light,
    "axes.titlecolor": MUTED.light,
    "axes.titlelocation": "left",
    "axes.titlesize": 12,
    "axes.edgecolor": RULE.light,
    "axes.facecolor": "none",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "none",
    "grid.color": RULE.light,
    "grid.linewidth": 1,
    "legend.frameon": False,
    "legend.fontsize": 12,
    "xtick.color": RULE.light,
    "ytick.color": RULE.light,
    "xtick.labelcolor": MUTED.light,
    "ytick.labelcolor": MUTED.light,
}
"""Given to `svg.own_style` around drawing and writing. The colours are the light ones; the SVG makes them variables."""


def paper(width: float, height: float) -> "Figure":
    """An empty figure of `width` by `height` pixels that lays its axes, labels and legends out by itself."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / 72, height / 72), dpi=72, layout="constrained")
    FigureCanvasSVG(figure)
    engine: Any = figure.get_layout_engine()
    engine.set(w_pad=4 / 72, h_pad=4 / 72)
    return figure


def wrapped(text: str, pixels: float, lines: int = 2, size: float = 12) -> str:
    """The text in at most `lines` lines of about `pixels`; what does not fit ends in an ellipsis."""
    found = [""]
    for word in visible(text).split():
        longer = f"{found[-1]} {word}".lstrip()
        if text_width(longer, size) <= pixels:
            found[-1] = longer
            continue
        found += [word] if found[-1] else []
        if not found[-1] or text_width(word, size) > pixels:
            found[-1:] = _broken(word, pixels, size, lines)
        if len(found) > lines:
            break
    if len(found) > lines:
        found = [*found[: lines - 1], _broken(f"{found[lines - 1]} ", pixels - size, size, 1)[0].rstrip() + "…"]
    # A legend of Matplotlib leaves out what begins with an underscore.
    return ("\u200a" if found[0].startswith("_") else "") + "\n".join(found)


def _broken(word: str, pixels: float, size: float, most: int) -> list[str]:
    """The word in pieces of at most `pixels`, `most` of them and one more where it goes on."""
    pieces = [""]
    for letter in word:
        if pieces[-1] and text_width(pieces[-1] + letter, size) > pixels:
            if len(pieces) > most:
                break
            pieces.append("")
        pieces[-1] += letter
    return pieces


def tick(value: float) -> str:
    """A tick's label: as short as it can be, with a real minus sign."""
    return f"{value:g}".replace("-", MINUS)


def plain_ticks(axis: Any, count: int) -> None:
    """Gives an axis of Matplotlib about `count` round ticks, labelled by `tick`."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(count, steps=[1, 2, 5, 10]))
    # A round step times an integer is not always round in binary; 12 digits hide that.
    axis.set_major_formatter(FuncFormatter(lambda value, _: tick(round(value, 12) + 0.0)))


def ink_of(slot: int | None) -> str:
    """The colour of an agent, grey for a reference."""
    return MUTED.light if slot is None else SERIES[slot % len(SERIES)].light


def mark_of(slot: int | None, size: float = 7) -> dict[str, Any]:
    """Keywords of `Axes.plot` for the marker of an agent: edged with the ground; a hollow circle for a reference."""
    if slot is None:
        return {
            "marker": "o",
            "markersize": size,
            "markerfacecolor": GROUND.light,
            "markeredgecolor": MUTED.light,
            "markeredgewidth": 1.5,
        }
    # The second round of the same colours has other markers.
    marker = MARKERS[(slot + 3 * (slot // len(SERIES))) % len(MARKERS)]
    return {
        "marker": marker,
        "markersize": size if marker in "osD" else 1.25 * size,  # the others fill less of their square
        "markerfacecolor": ink_of(slot),
        "markeredgecolor": GROUND.light,
        "markeredgewidth": 1,
    }


def legend(figure: "Figure", handles: Sequence[Any], labels: Sequence[str], *, side: bool = False) -> None:
    """Puts the names of the agents beside the axes, or below them in as many columns as fit.

    Args:
        figure: The figure.
        handles: Artists of Matplotlib.
        labels: As many names.
        side: Whether the legend stands at the right.
    """
    width = 72 * figure.get_size_inches()[0]
    texts = [wrapped(label, 180 if side else width - 60) for label in labels]
    columns = 1 if side else _columns(labels, width)
    figure.legend(
        handles,
        texts,
        loc="outside right upper" if side else "outside lower left",
        ncols=columns,
        handlelength=1.6,
        columnspacing=1.4,
        labelspacing=0.7 if side else 0.5,
        borderaxespad=0.2,
    )


def legend_height(labels: Sequence[str], width: float) -> float:
    """Pixels that a legend below the axes takes."""
    lines = 1 + max((wrapped(label, width - 60).count("\n") for label in labels), default=0)
    return 20.0 * lines * math.ceil(len(labels) / _columns(labels, width)) + 10


def _columns(labels: Sequence[str], width: float) -> int:
    """How many names stand beside each other in a legend below the axes."""
    lines = [line for label in labels for line in wrapped(label, width - 60).split("\n")]
    longest = max((text_width(line, 12) for line in lines), default=0.0)
    return max(1, min(len(labels), int(width / (longest + 46))))


def padded(values: Iterable[float], share: float = 0.06) -> tuple[float, float]:
    """The range of the values with a margin on both sides; (0, 1) for none, and a range around a single value."""
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return 0.0, 1.0
    low, high = min(known), max(known)
    margin = (high - low) * share or max(abs(low) * 0.1, 0.05)
    return low - margin, high + margin


def clipped_range(values: Iterable[float]) -> tuple[float, float]:
    """The range that an axis shows: all values, or without far off ones if it would otherwise be twice as long.

    Far off is what lies beyond the quartiles by more than three times their distance (Tukey's outer fences).
    """
    import numpy as np

    known = [value for value in values if math.isfinite(value)]
    if len(known) < 4:
        return padded(known)
    first, third = (float(q) for q in np.quantile(known, (0.25, 0.75)))
    reach = 3 * (third - first)
    core = [value for value in known if first - reach <= value <= third + reach]
    worth = reach > 0 and max(known) - min(known) > 2 * (max(core) - min(core))
    return padded(core if worth else known)


def zero_line(axes: "Axes") -> None:
    """Marks zero on the horizontal axis where it is in sight."""
    low, high = axes.get_xlim()
    if low <= 0 <= high:
        axes.axvline(0, color=MUTED.light, linewidth=1, zorder=0.9)


def name_lines(axes: "Axes", places: Sequence[float], names: Sequence[str], references: Sequence[bool]) -> None:
    """Writes a name at each place of the vertical axis, those of references in grey."""
    axes.set_yticks(places, names)
    axes.tick_params(axis="y", length=0, pad=6)
    for text, reference in zip(axes.get_yticklabels(), references, strict=True):
        text.set_color(MUTED.light if reference else INK.light)
