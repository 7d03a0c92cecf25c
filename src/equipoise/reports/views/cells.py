"""A figure in a cell of a table."""

from __future__ import annotations

from dataclasses import replace

from equipoise.core import Estimate
from equipoise.reports.document import Cell
from equipoise.reports.formats import MISSING, interval, number


def estimate_cell(estimate: Estimate | None, digits: int) -> Cell:
    """The value with its interval beneath; a dash where there is no figure."""
    return Cell(MISSING) if estimate is None else Cell(number(estimate.value, digits), interval(estimate, digits))


def scaled(estimate: Estimate, factor: float) -> Estimate:
    """The estimate in another unit, for example in per cent."""
    ends = (estimate.value * factor, estimate.low * factor, estimate.high * factor)
    return replace(estimate, value=ends[0], low=ends[1], high=ends[2])
