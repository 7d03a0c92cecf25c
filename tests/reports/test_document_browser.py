"""The page of a document in a real browser: nothing cut off, short when folded, filters that filter, safe."""

import re
from collections.abc import Callable
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest
from browser import opened, size
from documents import HOSTILE, conversations, hostile_document, large_document, small_document

from equipoise.reports.document import Document, Section
from equipoise.reports.write import render, write_page


class _Rows(HTMLParser):
    """The summaries of the script's list, the text of its tally, and whether the plain list is hidden."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[str] = []
        self.tally = ""
        self.plain_hidden = False
        self.steps = ""
        self._stack: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        classes = dict(attrs).get("class") or ""
        if classes == "plain":
            self.plain_hidden = "hidden" in dict(attrs)
        if tag in ("ol", "p", "summary", "div"):
            self._stack.append(classes or tag)
            if tag == "summary" and "talks" in self._stack:
                self.rows.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("ol", "p", "summary", "div") and self._stack:
            self._stack.pop()

    def handle_data(self, data: str) -> None:
        if "talks" in self._stack and self._stack[-1] == "summary":
            self.rows[-1] += f"{data} "
        if self._stack and self._stack[-1] == "tally":
            self.tally += data
        if self._stack and self._stack[-1] == "steps":
            self.steps += f"{data} "


def listed(document: str) -> _Rows:
    """What the list of conversations shows in a document that the browser made."""
    parser = _Rows()
    parser.feed(document)
    return parser


@cache
def rendered(make: Callable[[], Document]) -> str:
    """The page of a document, made once."""
    return render(make(), "html")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the small document."""
    return write_page(small_document(), tmp_path_factory.mktemp("small") / "small.html")


@pytest.fixture(scope="module")
def talks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of 300 conversations, 43 of them with a fault."""
    document = Document("Talks", ["A verdict."], [], [Section("Conversations", [conversations(300)])])
    return write_page(document, tmp_path_factory.mktemp("talks") / "talks.html")


def test_the_page_opens_from_disk_with_its_figures_and_a_silent_console(small: Path, tmp_path: Path) -> None:
    document, console = opened(small, tmp_path)
    assert console == []
    assert document.count("<figure") == 7
    assert document.count("<svg") == 14
    assert document.rstrip().endswith("</html>")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("unfolded", [False, True])
@pytest.mark.parametrize("make", [small_document, large_document, hostile_document])
def test_nothing_is_cut_off_and_the_page_never_scrolls_sideways(
    make: Callable[[], Document], width: int, unfolded: bool, tmp_path: Path
) -> None:
    found = size(rendered(make), tmp_path, width, unfolded=unfolded)
    assert (found.width, found.window, found.cut) == (width, width, 0)
    if make is not hostile_document and not unfolded:
        assert found.height < 6000


def test_a_filter_in_the_address_is_set_when_the_page_opens(talks: Path, tmp_path: Path) -> None:
    all_of_them = listed(opened(talks, tmp_path)[0])
    assert all_of_them.plain_hidden
    assert "300 of 300" in all_of_them.tally
    faulty = listed(opened(talks, tmp_path, "#fault=unparsable")[0])
    assert "15 of 300" in faulty.tally
    assert faulty.rows
    assert all("unparsable" in row for row in faulty.rows)


@pytest.mark.parametrize(
    ("query", "count", "every"),
    [
        ("opponent=maniac&seat=1", 30, "seat 1"),
        ("least=2", None, "payoff 2 /"),
        ("most=-2", None, "payoff −2 /"),
        ("text=%3Cb%3E105%3C", 1, "deal 52"),
        ("fault=none", 257, ""),
        ("fault=any", 43, ""),
        ("text=nothing+like+it", 0, ""),
    ],
)
def test_each_filter_leaves_what_it_names(
    query: str, count: int | None, every: str, talks: Path, tmp_path: Path
) -> None:
    found = listed(opened(talks, tmp_path, f"#{query}")[0])
    if count is not None:
        assert f"{count} of 300" in found.tally
    assert (len(found.rows) > 0) == (count != 0)
    assert all(every in row for row in found.rows)


def test_an_opened_conversation_has_its_messages_and_steps_to_its_neighbours(talks: Path, tmp_path: Path) -> None:
    document, console = opened(talks, tmp_path, "#fault=any&open=20")
    found = listed(document)
    assert console == []
    assert "Previous" in found.steps
    assert "20 of 43" in found.steps
    assert len(found.rows) > 19  # as many were drawn as it takes
    assert "&lt;b&gt;133&lt;/b&gt; chips" in document.split('class="steps"')[1]


def test_a_reader_who_sets_a_filter_and_presses_next_sees_the_next_of_what_is_left(talks: Path, tmp_path: Path) -> None:
    act = """<script>
      const fault = [...document.querySelectorAll(".filters select")].find(field => field.value === "none");
      fault.value = "illegal";
      fault.dispatchEvent(new Event("input", { bubbles: true }));
      document.body.dataset.address = location.hash;
      history.replaceState(null, "", "#fault=illegal&open=3");
      dispatchEvent(new Event("hashchange"));
      [...document.querySelectorAll(".steps button")].find(button => button.textContent === "Next").click();
    </script></body>"""
    page = tmp_path / "acting.html"
    html = re.sub(r"<meta http-equiv[^>]*>", "", talks.read_text(encoding="utf-8"))
    page.write_text(html.replace("</body>", act), encoding="utf-8")
    document, console = opened(page, tmp_path, "#fault=none")
    found = listed(document)
    assert console == []
    assert 'data-address="#fault=illegal"' in document
    assert "14 of 300" in found.tally
    assert all("illegal" in row for row in found.rows)
    assert "4 of 14" in found.steps


def test_a_link_to_a_folded_definition_unfolds_it(small: Path, tmp_path: Path) -> None:
    folded = opened(small, tmp_path)[0]
    followed = opened(small, tmp_path, "#term-0-nashconv")[0]
    assert '<details class="fold" open="">' not in folded
    assert followed.count('<details class="fold" open="">') == 1


def test_the_lowest_payoff_comes_first_when_asked_for(talks: Path, tmp_path: Path) -> None:
    rows = listed(opened(talks, tmp_path, "#order=lowest")[0]).rows
    assert all("payoff −2" in row for row in rows)


def test_without_scripts_the_first_conversations_can_be_read(talks: Path, tmp_path: Path) -> None:
    # The browser that writes out a document needs scripts itself; a policy without ours stands for a reader's setting.
    page = tmp_path / "refusing.html"
    html, changed = re.subn(r"script-src [^;]*;", "script-src 'none';", talks.read_text(encoding="utf-8"))
    page.write_text(html, encoding="utf-8")
    document, console = opened(page, tmp_path)
    found = listed(document)
    assert changed == 1
    assert console  # it says that the script was refused
    assert not found.plain_hidden
    assert found.rows == []
    assert document.count('class="card talk"') == 12
    assert "Your card: jack" in document.split('class="card talk"')[1]


def test_no_text_of_a_hostile_document_runs_or_becomes_an_element(tmp_path: Path) -> None:
    page = write_page(hostile_document(), tmp_path / "hostile.html")
    document, console = opened(page, tmp_path / "profile", "#fault=any&open=1")
    assert console == []
    assert len(re.findall(r"<script\b", document)) == 2  # the data and the page's own
    assert "<img" not in document
    assert "parent.hacked = 1</script><script>" not in document
    assert HOSTILE[3][:1000] in document
