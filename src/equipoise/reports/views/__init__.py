"""Views: what each kind of result says, as a `Document`."""

from __future__ import annotations

from equipoise.errors import UserError
from equipoise.lab.results import AuditResult, CrossplayResult, ProbeResult, Result, StudyResult, TalkResult
from equipoise.reports.document import Document
from equipoise.reports.views.audit import audit_document
from equipoise.reports.views.crossplay import crossplay_document
from equipoise.reports.views.probe import probe_document
from equipoise.reports.views.study import study_document
from equipoise.reports.views.talk import talk_document


def document_of(result: Result) -> Document:
    """The page of any result.

    Raises:
        UserError: For a single cell of a study, whose page is the study's.
    """
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


__all__ = ["audit_document", "crossplay_document", "document_of", "probe_document", "study_document", "talk_document"]
