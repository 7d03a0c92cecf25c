"""The page in a real browser: it finds its figures, reports no error, and never scrolls sideways."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from alignment_example import unfinished_table

from equipoise.reports import write_alignment_study, write_report, write_study

Report = dict[str, Any]
NAMES = ("chromium", "chromium-browser", "google-chrome")
PROBE = "<script>parent.postMessage(document.documentElement.scrollWidth + '/' + innerWidth, '*')</script></body>"
FRAME = """<!doctype html><body><iframe src="page.html" style="width:{width}px;height:900px;border:0"></iframe>
<script>addEventListener("message", event => document.body.dataset.widths = event.data)</script></body>"""


def opened(page: Path, profile: Path) -> tuple[str, list[str]]:
    """The page's document as the browser sees it, and every line that its console got."""
    browser = next((found for name in NAMES if (found := shutil.which(name))), None)
    if browser is None:
        pytest.fail(f"no browser found; install one of: {', '.join(NAMES)}")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    command += ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"]
    command += ["--enable-logging=stderr", "--v=0", f"--user-data-dir={profile}", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, timeout=60, check=True)
    log = done.stderr.decode(errors="replace").splitlines()
    return done.stdout.decode(), [line for line in log if "CONSOLE" in line]


def test_the_page_opens_from_disk_with_its_figures_and_a_silent_console(report: Report, tmp_path: Path) -> None:
    report["transcripts"][1]["messages"][-1]["text"] = "<script>console.error('model text ran')</script>"
    document, console = opened(write_report(report, tmp_path / "run"), tmp_path / "profile")
    assert console == []
    assert document.count("<figure") == 3
    assert document.count("<svg") == 6
    assert document.rstrip().endswith("</html>")


def test_the_console_check_can_fail(tmp_path: Path) -> None:
    page = tmp_path / "loud.html"
    page.write_text("<script>console.error('boom')</script>")
    assert "boom" in opened(page, tmp_path / "profile")[1][0]


def widths(html: str, folder: Path, width: int) -> tuple[int, int]:
    """The document's scroll width and the window's width, with everything that can be opened open."""
    probed = re.sub(r"<meta http-equiv[^>]*>", "", html).replace("</body>", PROBE).replace("<details", "<details open")
    (folder / "page.html").write_text(probed, encoding="utf-8")
    frame = folder / "frame.html"
    frame.write_text(FRAME.format(width=width))
    document, _ = opened(frame, folder / "profile")
    found = re.search(r'data-widths="(\d+)/(\d+)"', document)
    assert found is not None
    return int(found[1]), int(found[2])


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_never_scrolls_sideways(report: Report, tmp_path: Path, width: int) -> None:
    report["rows"][0]["label"] = "A_label_without_any_space_that_is_longer_than_a_phone_is_wide_by_far"
    report["transcripts"][1]["messages"][-1]["text"] = "x" * 500
    html = write_report(report, tmp_path).read_text(encoding="utf-8")
    assert widths(html, tmp_path, width) == (width, width)


@pytest.mark.parametrize("width", [390, 1280])
def test_the_study_opens_from_disk_with_its_figures_a_silent_console_and_no_sideways_scroll(
    table: Report, tmp_path: Path, width: int
) -> None:
    table["games"][0]["rows"][0]["label"] = "A_label_without_any_space_that_is_longer_than_a_phone_is_wide_by_far"
    page = write_study(table, tmp_path / "study")[2]
    document, console = opened(page, tmp_path / "profile")
    assert console == []
    assert document.count("<figure") == 4
    assert document.count("<svg") == 8
    assert document.rstrip().endswith("</html>")
    assert widths(page.read_text(encoding="utf-8"), tmp_path, width) == (width, width)


@pytest.mark.parametrize("width", [390, 1280])
def test_the_alignment_study_opens_from_disk_with_its_figures_a_silent_console_and_no_sideways_scroll(
    tmp_path: Path, width: int
) -> None:
    table = unfinished_table()
    table["games"][0]["rows"][0]["label"] = "A_label_without_any_space_that_is_longer_than_a_phone_is_wide_by_far"
    page = write_alignment_study(table, tmp_path / "study")[2]
    document, console = opened(page, tmp_path / "profile")
    assert console == []
    assert document.count("<figure") == 6
    assert document.count("<svg") == 12
    assert widths(page.read_text(encoding="utf-8"), tmp_path, width) == (width, width)
