"""The three forms of a document: every part in each, hostile text as data, files whole or untouched."""

import base64
import dataclasses
import hashlib
import io
import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from documents import AGENTS, ARMS, HOSTILE, conversations, hostile_document, large_document, results, small_document

from equipoise.errors import UserError
from equipoise.reports import write
from equipoise.reports.document import Cell, Column, Conversations, Document, Prose, Row, Section, Table
from equipoise.reports.html_conversations import BYTES, MOST, PLAIN, episodes
from equipoise.reports.html_folding import ON_DESK, ON_PHONE, Stage, stage_for
from equipoise.reports.html_tables import PAGE, stacks
from equipoise.reports.markdown import code_of, line_of, markdown, write_figures
from equipoise.reports.terminal import printable, show, terminal_text
from equipoise.reports.write import KINDS, render, write_page

WIDTH = 80


class _Page(HTMLParser):
    """The elements of a page, their text and their attributes, and whether every one is closed."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.data: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "input"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.data[self.seen[-1][1].get("id") or "script"] = data
        else:
            self.text += data

    def all(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        """The attributes of every element of a kind."""
        wanted = {name.removesuffix("_"): value for name, value in attributes.items()}
        return [found for name, found in self.seen if name == tag and wanted.items() <= found.items()]


def page_of(document: Document) -> _Page:
    """The page, read."""
    page = _Page()
    page.feed(render(document, "html"))
    assert page.open == []
    return page


@pytest.fixture(scope="module")
def small() -> _Page:
    """The page of the small document."""
    return page_of(small_document())


@pytest.mark.parametrize("kind", KINDS)
def test_every_form_holds_title_verdict_and_the_text_of_unfolded_parts(kind: str) -> None:
    text = " ".join(render(small_document(), kind).split())
    document = small_document()
    assert document.title in text
    for needed in ("almost exactly Nash", "The run was stopped before its last seed.", "Ties are ties.", *AGENTS[:2]):
        assert needed in text
    for cell in (row.cells[0].value for row in results(AGENTS, 5).rows):
        assert cell in text


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(UserError, match="pdf"):
        render(small_document(), "pdf")


def test_the_page_needs_nothing_but_itself(small: _Page) -> None:
    assert not [found for _, found in small.seen if found.get("src")]
    assert {found["href"][0] for _, found in small.seen if found.get("href")} == {"#"}  # type: ignore[index]
    assert not small.all("link")


def test_the_policy_allows_the_one_script_of_the_page_by_its_hash(small: _Page) -> None:
    (meta,) = [found for found in small.all("meta") if found.get("http-equiv") == "Content-Security-Policy"]
    digest = base64.b64encode(hashlib.sha256(small.data["script"].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in str(meta["content"])
    assert "default-src 'none'" in str(meta["content"])
    assert len([found for found in small.all("script") if found.get("type") is None]) == 1
    assert "innerHTML" not in small.data["script"]


def test_every_link_of_the_page_leads_somewhere_and_ids_are_unique(small: _Page) -> None:
    ids = [found["id"] for _, found in small.seen if found.get("id")]
    assert len(ids) == len(set(ids))
    assert {found["href"][1:] for found in small.all("a")} <= set(ids)  # type: ignore[index]


def test_the_contents_list_every_section_in_order(small: _Page) -> None:
    targets = [found["href"] for found in small.all("a") if str(found["href"]).startswith("#section-")]
    titles = ["agents", "figures", "opponent-by-opponent", "against-nash", "against-tight", "conversations", "glossary"]
    assert targets == [f"#section-{title}" for title in titles] * 2  # beside the page, and above it on a phone


def test_a_head_that_the_glossary_defines_leads_to_its_definition(small: _Page) -> None:
    terms = {found["id"] for found in small.all("dt")}
    assert {"term-0-nashconv", "term-1-payoff"} <= terms
    assert small.all("a", href="#term-0-nashconv")


def test_sections_of_one_title_have_different_places() -> None:
    document = Document("Title", [], [], [Section("Same", [Prose("one")]), Section("Same", [Prose("two")])])
    assert {found["href"] for found in page_of(document).all("a")} == {"#section-same", "#section-same-2"}


def test_a_wide_table_is_stacked_so_that_every_column_is_shown_once_and_fits() -> None:
    table = results(ARMS, 18)
    found = stacks(table)
    assert [index for stack in found for index in stack.columns] == list(range(18))
    assert len(found) > 1
    assert min(len(stack.columns) for stack in found) > 1
    assert all(stack.room * 16 <= PAGE for stack in found)
    assert all(sum(span for _, span in stack.groups) == len(stack.columns) for stack in found)


def test_a_group_of_columns_stays_together_where_that_takes_no_more_tables() -> None:
    table = results(ARMS, 18)
    for stack in stacks(table):
        for index in stack.columns:
            mates = {i for i, column in enumerate(table.columns) if column.group == table.columns[index].group}
            near = {i for i in mates if abs(i - index) < 3 and i // 3 == index // 3}
            assert near <= set(stack.columns)


def test_a_table_without_columns_or_rows_is_shown() -> None:
    for table in (Table("None", "Agent", [], [Row("a", [])]), Table("None", "Agent", [Column("Head")], [])):
        document = Document("Title", [], [], [Section("Table", [table])])
        assert all("Agent" in render(document, kind) for kind in KINDS)


def test_a_single_column_of_any_width_fits_the_page() -> None:
    table = Table("", "Agent", [Column("w" * 5000)], [Row("a", [Cell("v" * 5000)])])
    assert [stack.room * 16 <= PAGE for stack in stacks(table)] == [True]


def test_the_style_sheet_makes_cards_of_every_table_where_its_room_is_missing() -> None:
    page = render(large_document(20), "html")
    rooms = set(re.findall(r'class="table room-(\d+)', page))
    assert len(rooms) > 1
    assert {f"{int(room) - 0.01}rem" for room in rooms} == set(
        re.findall(r"@container \(max-width: ([\d.]+rem)\)", page)
    )


def test_columns_beyond_the_key_are_folded_when_they_do_not_fit() -> None:
    table = results(ARMS, 18, key=4)
    page = render(Document("Title", [], [], [Section("Table", [table])]), "html")
    assert "12 more columns" in page
    assert "more columns" not in render(Document("T", [], [], [Section("T", [results(ARMS, 18)])]), "html")


@pytest.mark.parametrize("screen", [ON_DESK, ON_PHONE])
def test_a_short_document_is_folded_nowhere_and_a_long_one_until_it_is_short(screen: Any) -> None:
    drawing = '<svg viewBox="0 0 860 430">'
    short = Document("Title", ["Verdict."], [], small_document().sections[:1])
    assert stage_for(short, screen, {}) == Stage.NOTHING
    long = large_document(20)
    drawn = {id(figure): drawing for figure in long.figures()}
    assert stage_for(long, screen, drawn) > Stage.LATER_FIGURES
    assert stage_for(long, screen, drawn, longest=0) == Stage.FIGURES
    assert stage_for(long, screen, drawn, longest=10**9) == Stage.NOTHING


def test_every_conversation_is_in_the_page_and_the_first_ones_are_plain_text() -> None:
    part = conversations(30)
    page = page_of(Document("Title", [], [], [Section("Talks", [part])]))
    held = json.loads(page.data["section-talks-1-data"])
    assert len(held["items"]) == 30
    assert len(page.all("details", class_="card talk")) == PLAIN
    texts = held["texts"]
    for item, kept in zip(part.items, held["items"], strict=True):
        assert texts[kept[1]] == item.opponent
        assert kept[2:5] == [item.seat, item.deal, item.payoff]
        assert [texts[message[2]] for message in kept[6]] == [message.text for message in item.messages]


def test_too_many_conversations_are_taken_evenly_and_the_page_says_so() -> None:
    found = episodes(conversations(MOST + 500))
    assert found.count == MOST
    assert f"{MOST:,}" in found.counts
    assert f"{MOST + 500:,}" in found.counts
    seats = [item[2] for item in json.loads(found.data)["items"]]
    assert 0.4 < sum(seats) / len(seats) < 0.6


def test_too_long_conversations_are_left_out_until_they_fit() -> None:
    part = conversations(40)
    long = [
        dataclasses.replace(item, messages=[dataclasses.replace(item.messages[1], text=f"{index} " * 60_000)])
        for index, item in enumerate(part.items)
    ]
    found = episodes(Conversations(part.opening, long, 40))
    assert 0 < found.count < 40
    assert len(found.data) <= BYTES


def test_a_payoff_that_is_no_number_leaves_the_block_readable() -> None:
    part = conversations(1)
    broken = dataclasses.replace(part.items[0], payoff=float("nan"))
    assert json.loads(episodes(Conversations([], [broken], 1)).data)["items"][0][4] is None


def test_hostile_text_is_text_in_the_page() -> None:
    page = page_of(hostile_document())
    assert {tag for tag, _ in page.seen} & {"img", "iframe", "object", "base"} == set()
    assert len(page.all("script")) == 2
    assert HOSTILE[0] in page.text
    assert HOSTILE[1] in page.text
    assert not [name for _, found in page.seen for name in found if name.startswith("on")]
    for hidden in ("\x1b", "\x00", "\u202e", "\u2066", "\u200b"):
        assert hidden not in page.text
        assert hidden not in "".join(page.data.values())
    held = json.loads(next(data for name, data in page.data.items() if name.endswith("-data")))
    assert any("</script>" in text for text in held["texts"])


def test_hostile_text_is_text_in_markdown() -> None:
    text = markdown(hostile_document())
    plain = re.sub(r"\\.", "", text)
    assert "<" not in plain
    assert "](javascript" not in plain
    assert "\x1b" not in text
    assert not re.search(r"^# heading", text, re.MULTILINE)
    for line in plain.split("\n"):
        if line.startswith("| ---"):
            assert re.fullmatch(r"(\| -+:? )+\|", line)


def test_every_row_of_a_markdown_table_has_as_many_cells() -> None:
    for document in (small_document(), hostile_document()):
        blocks = re.findall(r"(?:^\|.*\n)+", markdown(document), re.MULTILINE)
        assert len(blocks) >= 3
        for block in blocks:
            bars = {len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in block.splitlines()}
            assert len(bars) == 1


def test_the_figures_of_markdown_are_files_that_it_links_to(tmp_path: Path) -> None:
    document = small_document()
    links = re.findall(r"!\[.*?\]\((.*?)\)", markdown(document, "drawings"))
    files = write_figures(document, tmp_path / "drawings")
    assert links == [f"drawings/{file.name}" for file in files]
    assert sorted(file.name for file in (tmp_path / "drawings").iterdir()) == sorted(file.name for file in files)
    assert all(file.read_text(encoding="utf-8").startswith("<svg") for file in files)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("0.25 [0.1, 0.3]", "0.25 [0.1, 0.3]"),
        ("always_defect", "always_defect"),
        ("_bar_", r"\_bar\_"),
        ("# x", r"\# x"),
        ("1. x", r"1\. x"),
        ("- x", r"\- x"),
        ("[a](b)", r"[a\](b)"),
        ("[a]: b", r"[a\]: b"),
        ("a|b\nc", r"a\|b c"),
        ("https://x.y", r"https\://x.y"),
        ("&lt;", r"\&lt;"),
    ],
)
def test_what_would_be_markup_is_escaped_and_nothing_else(text: str, line: str) -> None:
    assert line_of(text) == line


def test_code_cannot_end_early() -> None:
    assert code_of("a `b`\nc") == "`a 'b' c`"


@pytest.mark.parametrize("document", [small_document(), large_document(20), hostile_document()])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1", "no-such-encoding"])
def test_a_terminal_gets_80_columns_of_what_its_encoding_has(document: Document, encoding: str) -> None:
    text = terminal_text(document, encoding=encoding)
    assert max(len(line) for line in text.splitlines()) <= WIDTH
    assert "\x1b" not in text
    if encoding != "no-such-encoding":
        assert "?" not in text.encode(encoding).decode(encoding) or document.title in HOSTILE
    if encoding != "utf-8":
        assert text.isascii() or encoding == "latin-1"


def test_no_number_or_interval_of_a_terminal_is_broken() -> None:
    text = terminal_text(small_document())
    table = results(AGENTS, 5)
    for row in table.rows:
        for cell in row.cells:
            assert cell.value in text
            assert cell.below in text


def test_a_terminal_shows_the_key_columns_alone_where_there_are_some() -> None:
    table = results(ARMS, 18, key=2)
    shown = terminal_text(Document("Title", [], [], [Section("Table", [table])]))
    assert table.rows[0].cells[1].value in shown
    assert table.rows[0].cells[2].below not in shown


def test_a_terminal_leaves_folded_sections_out_and_names_them() -> None:
    text = terminal_text(small_document())
    assert "The mean of what the agent is paid." not in text
    assert "Glossary" in text.split("\n\n")[-1]


class _Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


def test_colour_is_for_terminals_alone() -> None:
    for kind, coloured in ((io.TextIOWrapper, False), (_Terminal, True)):
        stream = kind(io.BytesIO(), encoding="ascii")
        show(small_document(), stream)
        stream.flush()
        written = stream.buffer.getvalue()  # type: ignore[attr-defined]
        assert (b"\x1b[" in written) == coloured
        assert b"-0.324" in written


@pytest.mark.parametrize(("text", "plain"), [("−1 … ⟨U⟩", "-1 ... <U>"), ("é ß", "e ?"), ("a≤b", "a<=b")])
def test_what_an_encoding_lacks_has_a_stand_in(text: str, plain: str) -> None:
    assert printable(text, "ascii") == plain
    assert printable(text, "utf-8") == text


def test_a_page_is_on_disk_whole_or_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "new" / "page.html"
    document = Document("First", [], [], [])
    assert write_page(document, str(path)) == path
    before = path.read_text(encoding="utf-8")
    assert "First" in before

    def full(source: str, target: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_page(Document("Second", [], [], []), path)
    assert path.read_text(encoding="utf-8") == before
    assert list(path.parent.iterdir()) == [path]
    assert write.KINDS == KINDS


def test_a_terminal_leaves_out_words_about_conversations_that_are_on_the_page_alone() -> None:
    inner = Section("By agent", [conversations(3)], True)
    document = Document("Title", [], [], [Section("Episodes", [Prose("Read word by word.")], sections=[inner])])
    text = terminal_text(document)
    assert "Read word by word." not in text
    assert "On the page: Episodes." in text
