"""A document in any of its three forms, and as a page on disk."""

from pathlib import Path

from equipoise.errors import UserError
from equipoise.files import write_atomically
from equipoise.reports.document import Document

KINDS = ("html", "markdown", "text")


def render(document: Document, kind: str) -> str:
    """The document as a page ("html"), as Markdown ("markdown") or as lines for a terminal ("text").

    Raises:
        UserError: for another kind.
    """
    # Each form needs packages that the others do not.
    if kind == "html":
        from equipoise.reports.html import page_html

        return page_html(document)
    if kind == "markdown":
        from equipoise.reports.markdown import markdown

        return markdown(document)
    if kind == "text":
        from equipoise.reports.terminal import terminal_text

        return terminal_text(document)
    raise UserError(f"got the form {kind!r}; a document is rendered as {', '.join(KINDS)}")


def write_page(document: Document, path: str | Path) -> Path:
    """The path of the document's page, which is there whole or, after a failure, as it was before."""
    file = Path(path)
    write_atomically(file, render(document, "html"))
    return file
