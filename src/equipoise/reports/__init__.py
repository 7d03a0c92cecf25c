"""One report per run: report.json first, then one self-contained HTML page made from it and from nothing else.

A study of many runs is reported the same way: table.json first, then its page, its Markdown and its figures.

The JSON is the record; the page, the terminal table and the figures are views of it. Nothing is computed here that the
metrics did not already measure: a view may order, round and compare intervals, and never invents a number.
"""

from equipoise.reports.alignment import load_alignment_study, write_alignment_study
from equipoise.reports.alignment_markdown import alignment_study_markdown
from equipoise.reports.alignment_terminal import alignment_study_text
from equipoise.reports.old_terminal import report_text
from equipoise.reports.page import render_html
from equipoise.reports.schema import clean_report, validate_report
from equipoise.reports.store import load_report, write_report
from equipoise.reports.study import load_study, write_study
from equipoise.reports.study_markdown import study_markdown
from equipoise.reports.study_page import render_study
from equipoise.reports.study_schema import validate_study
from equipoise.reports.study_terminal import study_text

__all__ = [
    "alignment_study_markdown",
    "alignment_study_text",
    "clean_report",
    "load_alignment_study",
    "load_report",
    "load_study",
    "render_html",
    "render_study",
    "report_text",
    "study_markdown",
    "study_text",
    "validate_report",
    "validate_study",
    "write_alignment_study",
    "write_report",
    "write_study",
]
