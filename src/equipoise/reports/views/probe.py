"""A probe as a page: what a naive learner gains from a frozen agent, and what it leaves it."""

from __future__ import annotations

import textwrap

from equipoise.core import Estimate
from equipoise.lab.results import ProbeResult
from equipoise.reports.document import Column, Document, Prose, Row, Section, Table, Term, Terms
from equipoise.reports.formats import decimals, number
from equipoise.reports.views.cells import estimate_cell
from equipoise.reports.views.crossplay import ALIKE, FAULT, described
from equipoise.reports.views.made import facts, made_section


def probe_document(result: ProbeResult) -> Document:
    """The page of a probe."""
    figures, agent = result.figures, result.agent.name
    paid = {
        "Gain of the learner: a lower bound": figures.gain,
        f"The learner earns from {agent}": figures.pay,
        f"{agent} earns from itself": figures.self_play,
        f"{agent} earns from the learner": figures.agent_pay,
    }
    faults = {"Faults of the learner, share": figures.fault_rate, f"Faults of {agent}, share": figures.agent_fault_rate}
    digits = decimals(estimate.value for estimate in paid.values())
    rows = [_row(label, estimate, digits) for label, estimate in paid.items()]
    rows += [_row(label, estimate, 3) for label, estimate in faults.items()]
    table = Table(f"In {result.game.unit}, 95 % intervals in brackets", "Figure", [Column("Value")], rows)
    learner = result.learner
    how = (
        f"The learner: {learner['steps']} steps from {learner['start']}, seed {learner['seed']}, its own pay alone as "
        f"its aim. {result.matches} matches in each seat on deals that no training saw."
    )
    terms = [
        Term(
            "Gain",
            "What the learner earns from the agent less what the agent earns from itself, paired by deal and seat: a "
            "lower bound of what leaving self-play can gain against this agent.",
        ),
        Term("Learner", "It starts untrained, meets the agent alone, which never changes, and maximises its own pay."),
        Term("Interval", f"It holds the value with 95 % confidence over deals. {ALIKE}"),
        FAULT,
    ]
    sections = [
        Section("What the learner gains", [table, Prose(how)]),
        Section("What the words mean", [Terms(terms)], True),
        made_section(result.made, [Term("Agent", described(result.agent))]),
    ]
    return Document(
        result.title, [_claim(figures.gain, agent, result.game.unit)], facts(result.game, (), result.made), sections
    )


def _row(label: str, estimate: Estimate, digits: int) -> Row:
    shown = textwrap.shorten(label, 60, placeholder="…")
    return Row(shown, [estimate_cell(estimate, digits)])


def _claim(gain: Estimate, agent: str, unit: str) -> str:
    """What the gain's interval lets one say."""
    size = f"{number(abs(gain.value), decimals([gain.value]))} {unit}"
    if gain.low > 0:
        return (
            f"The learner earns {size} more from {agent} than {agent} earns from itself: a lower bound on how "
            f"exploitable {agent} is. A stronger learner, or a longer training, may gain more."
        )
    if gain.high < 0:
        compared = f"The learner earns {size} less from {agent} than {agent} earns from itself"
    else:
        compared = (
            f"What the learner earns from {agent} and what {agent} earns from itself differ by {size}, which the "
            "interval does not tell from zero"
        )
    return (
        f"{compared}: no gain is shown. That is no proof that there is none to be had: a stronger learner, or a longer "
        "training, may find one."
    )
