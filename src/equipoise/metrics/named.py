"""Metrics by name: what the registry finds under the kind "metric".

A metric that an audit can add is a function of episodes and the agent's name. It returns an `Estimate`; the first line
of its docstring is its definition.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

from equipoise.core import Episode, Estimate
from equipoise.registry import find, read_function

AgentMetric = Callable[[Sequence[Episode], str], Estimate]
"""A figure of the player of a name, from the episodes in which it has a seat."""

OURS: Mapping[str, str] = {
    name: f"equipoise.metrics:{name}"
    for name in (
        "payoff",
        "nra",
        "exploitation",
        "pool_exploitability",
        "pool_exploitability_unclipped",
        "fault_rate",
    )
}
"""Our metrics that need nothing but episodes and a name."""


def metric(name: str) -> AgentMetric:
    """A metric: one of ours, an installed package's, `package.module:Name` or `path/file.py:Name`.

    Raises:
        UserError: Nothing of that name, or nothing that can be loaded; one line.
    """
    found: AgentMetric = find("metric", name)
    return found


def read_metric(found: object, name: str) -> AgentMetric:
    """The metric that somebody registered.

    Raises:
        UserError: For anything that is no function.
    """
    needed = "a function of episodes and an agent's name that gives an Estimate"
    return cast(AgentMetric, read_function(found, name, needed, 2))
