"""Views: what each kind of result says, as a `Document`."""

from __future__ import annotations

from equipoise.errors import UserError
from equipoise.lab.results import AuditResult, CrossplayResult, ProbeResult, Result, StudyResult, TalkResult
from equipoise.registry import find
from equipoise.reports.document import Document
from equipoise.reports.views.audit import audit_document
from equipoise.reports.views.crossplay import crossplay_document
from equipoise.reports.views.probe import probe_document
from equipoise.reports.views.study import study_document
from equipoise.reports.views.talk import talk_document


def document_of(result: Result, view: str | None = None) -> Document:
    """The page of any result.

    Args:
        result: What was found.
        view: Another view than ours: a function from the result to a `Document`, by any name that the registry takes.

    Raises:
        UserError: For a single cell of a study, whose page is the study's.
    """
    if view is not None:
        return _foreign(view, result)
    match result:
        case AuditResult():
            return audit_document(result)
        case CrossplayResult():
            return crossplay_document(result)
        case ProbeResult():
            return probe_document(result)
        case TalkResult():
            return talk_document(result)
        case StudyResult():
            return study_document(result)
        case _:
            raise UserError(
                f"{result.game}/{result.arm}-{result.seed} is one cell of a study; render the study's folder"
            )


def _foreign(name: str, result: Result) -> Document:
    """A stranger's view of a result."""
    view = find("report", name)
    try:
        found = view(result)
    except Exception as error:  # a stranger's code
        raise UserError(f"view {name!r} failed: {type(error).__name__}: {error}") from error
    if not isinstance(found, Document):
        raise UserError(f"view {name!r} gave a {type(found).__name__}; needed: an equipoise.reports.document.Document")
    return found


__all__ = ["audit_document", "crossplay_document", "document_of", "probe_document", "study_document", "talk_document"]
