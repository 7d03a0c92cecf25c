"""One report per run: report.json first, then one self-contained HTML page made from it and from nothing else.

The JSON is the record; the page, the terminal table and the figures are views of it. Nothing is computed here that the
metrics did not already measure: a view may order, round and compare intervals, and never invents a number.
"""

from equipoise.reports.page import render_html
from equipoise.reports.schema import clean_report, validate_report
from equipoise.reports.store import load_report, write_report
from equipoise.reports.terminal import report_text

__all__ = ["clean_report", "load_report", "render_html", "report_text", "validate_report", "write_report"]
