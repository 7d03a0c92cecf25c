"""The report's figures as SVG text, and a way to keep one as a file of its own.

Each takes the matching part of a report and a width in pixels; below `NARROW` it is laid out for a phone. `agents` maps
every agent to its label in the report's order, which keeps colours the same from figure to figure.
"""

from equipoise.reports.figure_curves import learning_curves_svg
from equipoise.reports.figure_policy import policy_svg
from equipoise.reports.figure_ranking import ranking_svg
from equipoise.reports.layout import NARROW
from equipoise.reports.svg import write_figure

__all__ = ["NARROW", "learning_curves_svg", "policy_svg", "ranking_svg", "write_figure"]
