"""A page in a headless browser: the document that it makes, what its console got, and how large it is."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
_PROBE = """<script>
const cut = [...document.querySelectorAll(".table, .card, .bubble, dd, summary, nav")]
  .filter(node => node.offsetParent && node.scrollWidth > node.clientWidth + 1).length;
const root = document.documentElement;
parent.postMessage([root.scrollWidth, innerWidth, root.scrollHeight, cut].join("/"), "*");
</script></body>"""
_FRAME = """<!doctype html><body><iframe src="page.html" style="width:{width}px;height:900px;border:0"></iframe>
<script>addEventListener("message", event => document.body.dataset.sizes = event.data)</script></body>"""


def opened(page: Path, profile: Path, query: str = "") -> tuple[str, list[str]]:
    """The page's document as the browser sees it, and every line that its console got."""
    browser = next((found for name in NAMES if (found := shutil.which(name))), None)
    if browser is None:
        pytest.fail(f"no browser found; install one of: {', '.join(NAMES)}")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    command += ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"]
    command += ["--enable-logging=stderr", "--v=0", f"--user-data-dir={profile}", "--dump-dom"]
    done = subprocess.run([*command, page.as_uri() + query], capture_output=True, timeout=120, check=True)
    log = done.stderr.decode(errors="replace").splitlines()
    return done.stdout.decode(), [line for line in log if "CONSOLE" in line]


@dataclass(frozen=True)
class Size:
    """What a page takes in a window of one width.

    Attributes:
        width: Of everything in it.
        window: Of the window.
        height: Of everything in it.
        cut: Boxes that hold more than they show.
    """

    width: int
    window: int
    height: int
    cut: int


def size(html: str, folder: Path, width: int, *, unfolded: bool = False) -> Size:
    """The page in a window of a width, as it opens or with everything unfolded that can be."""
    # The probe is a script of the test's, which the page's policy rightly refuses.
    probed = re.sub(r"<meta http-equiv[^>]*>", "", html).replace("</body>", _PROBE)
    if unfolded:
        probed = probed.replace("<details", "<details open").replace('type="checkbox"', 'type="checkbox" checked')
    (folder / "page.html").write_text(probed, encoding="utf-8")
    frame = folder / "frame.html"
    frame.write_text(_FRAME.format(width=width))
    document, _ = opened(frame, folder / "profile")
    found = re.search(r'data-sizes="(\d+)/(\d+)/(\d+)/(\d+)"', document)
    assert found is not None
    return Size(*map(int, found.groups()))
