"""A talk as a page: what an agent says, what that changes in a listener's claims, what both reach with messages."""

from __future__ import annotations

from collections.abc import Mapping

from equipoise.core import Estimate
from equipoise.lab.results import ListenerRecord, TalkResult
from equipoise.metrics.talk import HONESTY, PROMISE_KEEPING, PROMISE_RATE, STATEMENT_RATE
from equipoise.reports.document import Cell, Column, Document, Prose, Row, Section, Table, Term, Terms
from equipoise.reports.formats import listing, number
from equipoise.reports.views.cells import estimate_cell
from equipoise.reports.views.crossplay import ALIKE, EFFICIENCY, FAULT, HONEST, KEPT, described
from equipoise.reports.views.made import facts, made_section

SHARES = {
    HONESTY: "Honesty: its statements that are true",
    STATEMENT_RATE: "Messages that state something",
    PROMISE_KEEPING: "Its promises that it kept",
    PROMISE_RATE: "Messages before claims that promise something",
}
STATED = {"upper": "a stated upper hand", "lower": "a stated lower hand"}

TERMS = (
    HONEST,
    KEPT,
    Term(
        "Change of claims",
        "Every claim of the matches is asked again with the message before it replaced, all else as it was. The change "
        "is that of the expected claim, as a share of all that could be claimed.",
    ),
    Term("Own hand upper, lower", "Rounds in which the listener has nothing to concede, and those in which it has."),
    EFFICIENCY,
    Term("Interval", f"It holds the value with 95 % confidence over deals. {ALIKE}"),
    FAULT,
)


def talk_document(result: TalkResult) -> Document:
    """The page of a talk."""
    sections = [
        Section(
            f"What {said.agent} says",
            [
                Table(
                    f"Shares of the messages of {said.agent} to {said.to}",
                    "Share",
                    [Column("Value")],
                    [
                        *(Row(label, [_cell(said.figures.get(key))]) for key, label in SHARES.items()),
                        Row("Replies that are faults", [_cell(said.fault_rate)]),
                    ],
                )
            ],
        )
        for said in result.said
    ]
    sections += [_effect(found) for found in result.effects]
    labels = {"with_talk": "With messages", "without_talk": "Without messages", "difference": "Difference"}
    rows = [Row(label, [_cell(result.efficiency[key])]) for key, label in labels.items()]
    rows += [
        Row(f"Replies that are faults, {labels[key].lower()}", [_cell(share)]) for key, share in result.faults.items()
    ]
    caption = "Efficiency: joint pay over the best joint pay, on the same hands"
    sections.append(Section("What talk adds", [Table(caption, "Play", [Column("Value")], rows), Prose(_how(result))]))
    sections.append(Section("What the words mean", [Terms(TERMS)], True))
    agents = [Term("Agents", "; ".join(described(agent) for agent in result.agents))]
    sections.append(made_section(result.made, agents))
    return Document(result.title, _claims(result), facts(result.game, (), result.made), sections)


def _claims(result: TalkResult) -> list[str]:
    """The findings, each decided by its interval."""
    found = [_efficiency(result)]
    found += [f"{said.agent} {_honest(said.figures)}." for said in result.said]
    found += [_listens(effect) for effect in result.effects if effect.effect is not None]
    return found


def _efficiency(result: TalkResult) -> str:
    """What both reach with messages and without, and what else differs there."""
    names, reached, faults = [agent.name for agent in result.agents], result.efficiency, result.faults
    with_talk, without = (number(reached[key].value, 2) for key in ("with_talk", "without_talk"))
    size = number(abs(reached["difference"].value), 2)
    verdict = {"above": f": messages add {size}", "below": f": messages cost {size}", "tie": ", a tie"}
    both = f"{names[0]} reaches in self-play" if len(names) == 1 else f"{names[0]} and {names[1]} reach together"
    found = f"{both} {with_talk} of the best joint pay with messages and {without} without"
    found += f"{verdict[_sign(reached['difference'])]}."
    if faults["without_talk"].low > faults["with_talk"].high:
        shares = [_percent(faults[key]) for key in ("without_talk", "with_talk")]
        found += f" But without, {shares[0]} of the replies are faults, with messages {shares[1]}."
    return found


def _listens(found: ListenerRecord) -> str:
    """What other messages change in a listener's claims."""
    assert found.effect is not None
    changes = found.effect.changes
    moved = [name for name, change in changes.items() if _sign(change) != "tie"]
    tied = listing(STATED.get(name, name) for name in changes if name not in moved) if len(moved) < len(changes) else ""
    if not moved:
        same = f"What {found.listener} claims stays the same, as far as intervals tell"
        return f"{same}, after {tied} in place of what it heard."
    shifts = [_change(changes[name], STATED.get(name, name)) for name in moved]
    rest = f"; after {tied} as much, as far as the interval tells" if tied else ""
    return f"In place of what it heard, {found.listener} would claim {listing(shifts)}{rest}."


def _honest(figures: Mapping[str, Estimate]) -> str:
    true, kept = figures.get(HONESTY), figures.get(PROMISE_KEEPING)
    states = "states nothing" if true is None else f"tells the truth in {_percent(true)} of its statements"
    return f"{states} and {'promises nothing' if kept is None else f'keeps {_percent(kept)} of its promises'}"


def _change(change: Estimate, after: str) -> str:
    return f"{number(abs(change.value), 2)} {'more' if change.value > 0 else 'less'} after {after}"


def _effect(found: ListenerRecord) -> Section:
    """What messages change in a listener's claims: each replacement, over all claims and by the listener's hand."""
    title = f"What {found.listener} claims after messages of {found.speaker}"
    effect = found.effect
    if effect is None:
        return Section(title, [Prose(f"Not measured: {found.why}.")])
    columns = [Column("All claims"), *(Column(f"Own hand {side}") for side in effect.by_side)]
    missing = [Cell("")] * len(effect.by_side)
    rows = [Row("After what it heard", [_cell(effect.claimed), *missing])]
    for name, change in effect.changes.items():
        cells = [_cell(change), *(_cell(side[name]) for side in effect.by_side.values())]
        rows.append(Row(f"Change after {STATED.get(name, name)}", cells))
    outside = number(100 * effect.outside, 1)
    asked = f"{effect.claims} claims asked again; {outside} % of the replies there would be no claim."
    return Section(title, [Table("Claims as shares of all it could claim", "Claim", columns, rows), Prose(asked)])


def _how(result: TalkResult) -> str:
    seats = "of self-play" if len(result.agents) == 1 else "in each seat"
    text = f"{result.matches} matches {seats}; the brackets hold a 95 % interval over deals."
    if any(agent.kind == "model" for agent in result.agents):
        text += (
            " A model that learned the game with messages alone reads unknown rules without them: the difference holds "
            "what it makes of those, beside what talk is worth."
        )
    return text


def _sign(figure: Estimate) -> str:
    """Whether the interval is above zero, below it, or holds it; a figure without an interval decides nothing."""
    return "above" if figure.low > 0 else "below" if figure.high < 0 else "tie"


def _percent(share: Estimate) -> str:
    return f"{number(100 * share.value, 0)} %"


def _cell(share: Estimate | None) -> Cell:
    return estimate_cell(share, 3)
