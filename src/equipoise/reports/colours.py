"""The colours and markers of reports, the same in tables and in figures."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Ink:
    """One colour as hex on a light and on a dark ground, and the CSS variable that switches between them."""

    name: str
    light: str
    dark: str


INK = Ink("ink", "#1b1f24", "#e7e9ec")
MUTED = Ink("muted", "#5b6470", "#9ba5b0")
RULE = Ink("rule", "#dfe2e6", "#343b43")
BAND = Ink("band", "#d8dce1", "#414a54")
GROUND = Ink("ground", "#ffffff", "#1a1e22")
# Apart in lightness and hue for the common kinds of colour blindness; each agent has a marker of its own besides.
SERIES = (
    Ink("series-0", "#7a828c", "#a3adb8"),
    Ink("series-1", "#c87800", "#f2ac3c"),
    Ink("series-2", "#1268b3", "#62b0f4"),
    Ink("series-3", "#00805c", "#37cb9c"),
    Ink("series-4", "#b0448c", "#ea93cb"),
    Ink("series-5", "#bb3a0e", "#ff8c61"),
    Ink("series-6", "#38a5d2", "#98dcf8"),
    Ink("series-7", "#5d4a3a", "#cdb9a5"),
)
INKS = (INK, MUTED, RULE, BAND, GROUND, *SERIES)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")
