"""A tournament as a page: who is paid what against whom, which differences are ties, and matches to read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from equipoise.core import Estimate
from equipoise.lab.results import CrossplayResult, MatchRecord, MeetingFigures, Participant
from equipoise.metrics.cooperation import BEFORE
from equipoise.metrics.talk import FIGURES, HONESTY, PROMISE_KEEPING
from equipoise.reports.document import (
    Cell,
    Column,
    Conversation,
    Conversations,
    Document,
    Figure,
    Message,
    Part,
    Prose,
    Row,
    Section,
    Table,
    Term,
    Terms,
    filled,
)
from equipoise.reports.formats import MISSING, listing, number
from equipoise.reports.plots import Heatmap
from equipoise.reports.views.cells import estimate_cell, scaled
from equipoise.reports.views.made import facts, made_section

TALK_HEADS = ("true statements", "messages that state", "kept promises", "messages that promise")
"""Heads of the figures of talk, in the order of `metrics.talk.FIGURES`."""
HONEST = Term(
    "Honesty",
    "Share of the agent's messages that state something, such as its hand, which state the truth. A small and strict "
    "reader decides what a message states; words that it does not understand state nothing.",
)
KEPT = Term(
    "Promises kept",
    "Share of the agent's promises that it kept, in rounds that nobody forfeited. To promise to take all there is "
    "promises nothing.",
)
EFFICIENCY = Term("Efficiency", "Joint pay over the best joint pay that the deals of the matches allow.")
FAULT = Term("Fault", "A reply that names no legal action. None is dropped or played again.")
ALIKE = "Where all matches agree nothing says how far others would land, and a figure without a known range has none."
"""When a figure has no interval."""
VERDICTS = {"above": "above zero", "below": "below zero", "tie": "tie"}


def crossplay_document(result: CrossplayResult) -> Document:
    """The page of a tournament."""
    view = _View(result)
    sections = [
        view.pay(),
        view.ties(),
        view.together(),
        view.cooperation(),
        view.talk(),
        view.faults(),
        view.matches(),
    ]
    sections += [Section("What the words mean", [Terms(view.terms())], True), made_section(result.made, view.origin())]
    games = facts(result.game, (), result.made)
    played = f"{result.matches} matches of every ordered pair"
    return Document(result.title, view.claims(), [*games, played], filled(sections))


class _View:
    """The parts of one tournament's page."""

    def __init__(self, result: CrossplayResult) -> None:
        self.result = result
        self.names = [agent.name for agent in result.agents]
        self._cells = {(cell.agent, cell.opponent): cell for cell in result.cells}
        self._together = {frozenset(found.agents): found for found in result.together}
        self.digits = digits_of([cell.pay.value for cell in result.cells])
        self.opponents = list(dict.fromkeys(found.opponent for found in result.differences))

    def claims(self) -> list[str]:
        """The findings, most important first; the highest mean is named with those that tie with it."""
        found = [self._self_play(), self._everywhere(), self._ties(), self._most_faults()]
        return [sentence for sentence in found if sentence]

    def _self_play(self) -> str:
        if None not in self.opponents:
            return ""
        first, *ties = self._leaders(None)
        welfare = self._compared(first, None).value
        value = f"{number(welfare, digits_of([welfare]))} {self.result.game.unit} for both players together"
        tied = f"; the difference to {listing(ties)} is too close to call" if len(ties) == 1 else ""
        tied = f"; the differences to {listing(ties)} are too close to call" if len(ties) > 1 else tied
        return f"In self-play {first} has the highest welfare: {value}{tied}."

    def _everywhere(self) -> str:
        met = [opponent for opponent in self.opponents if opponent is not None]
        always = [name for name in self.names if all(name in self._leaders(opponent) for opponent in met)]
        if not met:
            return ""
        if not always:
            return "Every agent is paid less than the best paid against some opponent, beyond the intervals."
        paid = "is" if len(always) == 1 else "are"
        return f"Against no opponent {paid} {listing(always)} paid less than the best paid, beyond the intervals."

    def _ties(self) -> str:
        count = len(self.result.differences)
        ties = sum(found.verdict == "tie" for found in self.result.differences)
        counts = f"{ties} of {count} paired differences {'is a tie' if ties == 1 else 'are ties'}"
        return f"{counts}, by intervals with {self.result.correction}'s correction for their number." if count else ""

    def _most_faults(self) -> str:
        rates = [(cell.fault_rate.value, cell) for cell in self.result.cells if cell.fault_rate is not None]
        most = max(rates, key=lambda pair: pair[0], default=None)
        if most is None or not most[0]:
            return ""
        share = number(100 * most[0], 1)
        return f"Faults reach {share} % of {most[1].agent}'s replies, against {most[1].opponent}."

    def _compared(self, agent: str, opponent: str | None) -> Estimate:
        """What is compared: pay against an opponent, or (None) the welfare of self-play."""
        if opponent is None:
            return self._together[frozenset((agent,))].welfare
        return self._cells[agent, opponent].pay

    def _leaders(self, opponent: str | None) -> list[str]:
        """The agent with the highest mean where agents were compared, then those that tie with it."""
        first = max(self.names, key=lambda name: self._compared(name, opponent).value)
        ties = [
            next(name for name in (found.agent, found.minus) if name != first)
            for found in self.result.differences
            if found.opponent == opponent and first in (found.agent, found.minus) and found.verdict == "tie"
        ]
        return [first, *ties]

    def pay(self) -> Section:
        """Every agent's pay against every opponent."""
        values = [[self._cells[a, b].pay.value for b in self.names] for a in self.names]
        heat = Figure(
            "pay",
            "Pay of every agent against every opponent",
            "The darker, the more the row's agent is paid. The table below has every interval.",
            Heatmap(self.names, values, self.result.game.unit, min(self.digits, 2)),
        )
        lead = f"In {self.result.game.unit}, both seats together, intervals in brackets. Rows are paid, columns are "
        table = self._square(
            "Pay of every agent against every opponent", lambda a, b: self._cells[a, b].pay, self.digits
        )
        columns = [Column("In the first seat"), Column("In the second seat")]
        rows = [Row(_against(c), [estimate_cell(e, self.digits) for e in c.seat_pay]) for c in self.result.cells]
        seats = Section("Seat by seat", [Table("Pay by seat", "Agent and opponent", columns, rows)], True)
        title = "Who is paid what against whom"
        return Section(title, [Prose(f"{lead}opponents; the diagonal is self-play."), heat, table], sections=[seats])

    def ties(self) -> Section:
        """Who leads against whom, and every difference."""
        leaders = []
        for opponent in self.opponents:
            first, *ties = self._leaders(opponent)
            cells = [Cell(first, prose=True), estimate_cell(self._compared(first, opponent), self.digits)]
            label = "self-play" if opponent is None else opponent
            leaders.append(Row(label, [*cells, Cell(", ".join(ties) or MISSING, prose=True)]))
        differences = []
        for found in self.result.differences:
            where = "self-play, both together" if found.opponent is None else f"against {found.opponent}"
            cells = [Cell(where, prose=True), estimate_cell(found.estimate, self.digits), Cell(VERDICTS[found.verdict])]
            differences.append(Row(f"{found.agent} − {found.minus}", cells))
        if not leaders:
            return Section("Which differences are ties", [])
        lead = (
            "Agents are compared on common deals. Intervals of differences are corrected for their number. "
            "A difference whose interval holds zero is a tie: these matches are too few to decide it."
        )
        heads = [Column("Paid most"), Column("Value"), Column("Ties with it")]
        best = Table("Who is paid most against whom", "Against", heads, leaders)
        heads = [Column("Where"), Column("Value"), Column("Verdict")]
        every = Section("Every difference", [Table("Paired differences", "Difference", heads, differences)], True)
        return Section("Which differences are ties", [Prose(lead), best], sections=[every])

    def together(self) -> Section:
        """What two agents reach together; nothing in a zero-sum game, where that is always 0."""
        if self.result.game.zero_sum:
            return Section("What two agents reach together", [])
        parts: list[Part] = []
        if any(found.efficiency for found in self.result.together):
            caption = "Efficiency: joint pay over the best joint pay"
            parts.append(self._square(caption, lambda a, b: self._together[frozenset((a, b))].efficiency, 3))
        caption = f"Welfare, {self.result.game.unit}, both players together"
        welfare = self._square(caption, lambda a, b: self._together[frozenset((a, b))].welfare, self.digits)
        under = [Section(caption, [welfare], True)] if parts else []
        return Section("What two agents reach together", parts or [welfare], sections=under)

    def cooperation(self) -> Section:
        """Who cooperates with whom, in games that say what that is."""
        if not any(cell.cooperation_rate for cell in self.result.cells):
            return Section("Who cooperates with whom", [])
        caption = "Share of the rounds that ask the row's agent in which it cooperates with the column's"
        table = self._square(caption, lambda a, b: self._cells[a, b].cooperation_rate, 2)
        columns = [Column("All rounds"), *(Column(before) for before in BEFORE)]
        rows = [
            Row(
                _against(c),
                [estimate_cell(c.cooperation_rate, 2), *(estimate_cell(c.conditional.get(b), 2) for b in BEFORE)],
            )
            for c in self.result.cells
        ]
        caption = "Cooperation by the joint move before: the agent's own first, C cooperated, D did not"
        before = Section("By the joint move before", [Table(caption, "Agent and opponent", columns, rows)], True)
        return Section("Who cooperates with whom", [table], sections=[before])

    def talk(self) -> Section:
        """Who tells the truth and keeps promises, in games with talk."""
        held = {figure for cell in self.result.cells for figure in cell.talk}
        named = {HONESTY: "Honesty: share of what the row's agent states to the column's that is true"}
        named[PROMISE_KEEPING] = "Share of the row's agent's promises to the column's that it keeps"
        parts = [self._square(caption, self._talk(figure), 2) for figure, caption in named.items() if figure in held]
        rows = [
            Row(_against(c), [estimate_cell(c.talk.get(figure), 2) for figure in FIGURES]) for c in self.result.cells
        ]
        table = Table("Talk of every agent", "Agent and opponent", [Column(head) for head in TALK_HEADS], rows)
        under = [Section("With how many messages state or promise anything", [table], True)] if held else []
        return Section("Who tells the truth, and who keeps promises", parts, sections=under)

    def _talk(self, figure: str) -> Callable[[str, str], Estimate | None]:
        """A figure of every agent's talk to every opponent."""
        return lambda agent, opponent: self._cells[agent, opponent].talk.get(figure)

    def faults(self) -> Section:
        """Faults in percent of every model's decisions; scripts act without words and have none."""
        if not any(cell.fault_rate and cell.fault_rate.value for cell in self.result.cells):
            return Section("Faults", [Prose("Every reply of every match named a legal action.")])
        models = [agent.name for agent in self.result.agents if agent.kind == "model"]
        caption = "Replies of the row's agent that name no legal action, in percent of its decisions"
        rates = {pair: cell.fault_rate for pair, cell in self._cells.items()}
        shares = {pair: None if rate is None else scaled(rate, 100) for pair, rate in rates.items()}
        table = self._square(caption, lambda a, b: shares[a, b], 2)
        return Section("Faults", [replace(table, rows=[row for row in table.rows if row.label in models])])

    def matches(self) -> Section:
        """A few matches of every ordered pair, word for word."""
        if not self.result.shown:
            return Section("Matches to read", [])
        lead = (
            "For each ordered pair a typical match and the one with the lowest joint pay, and one with a fault where "
            "there was one. Characters that cannot be seen are spelled out as ⟨U+code⟩."
        )
        opening = [Message("Rules", "rules", self.result.rules)] if self.result.rules else []
        items = [_conversation(match, min(self.digits, 2)) for match in self.result.shown]
        played = self.result.matches * len(self.names) ** 2
        return Section("Matches to read", [Prose(lead), Conversations(opening, items, played)])

    def _square(self, caption: str, find: Callable[[str, str], Estimate | None], digits: int) -> Table:
        """One figure of every agent (rows) against every opponent (columns)."""
        rows = [
            Row(a, [estimate_cell(find(a, b), digits) for b in self.names], slot=i) for i, a in enumerate(self.names)
        ]
        return Table(caption, "Agent", [Column(name) for name in self.names], rows)

    def terms(self) -> list[Term]:
        """How to read the figures that this tournament has."""
        result, unit = self.result, self.result.game.unit
        found = [
            Term(
                "Pay",
                f"In {unit}. The row's agent is paid, against the column's opponent; the diagonal is self-play. A "
                "match's pay is divided by the rounds that were played, then averaged over the matches of both seats.",
            ),
            Term(
                "Interval",
                "The brackets hold the value with 95 % confidence. Deals are its units: on one deal all agents meet "
                f"under the same luck, in both seats. {ALIKE}",
            ),
            Term(
                "Difference, tie",
                "Two agents are compared match by match against the same opponent, in the same seat, on the same deal. "
                f"{result.correction}'s correction for {len(result.differences)} comparisons widens the intervals of "
                "differences so that all of them hold at once with 95 % confidence. A difference whose interval "
                "contains zero is a tie: too close to call, which is no proof that the two are equal.",
            ),
            Term("Welfare", f"The pay of both players together, in {unit}."),
        ]
        if any(found.efficiency for found in result.together):
            found.append(EFFICIENCY)
        if result.cooperation:
            meaning = result.cooperation.strip().rstrip(".")
            asked = "Share of the rounds that ask a player in which it cooperates. Here:"
            found.append(Term("Cooperation", f"{asked} {meaning}."))
            found.append(
                Term(
                    "After CC, CD, DC, DD",
                    "The joint move before: the agent's own newest answer first, then the opponent's; C cooperated, D "
                    "did not. A round is first until both have been asked once. What never came up has no figure: this "
                    "describes play between these two, and not what an agent would do in states that it avoids.",
                )
            )
        if any(cell.talk for cell in result.cells):
            found += [HONEST, KEPT]
        return [*found, FAULT]

    def origin(self) -> list[Term]:
        """Who took part and how much was played."""
        result = self.result
        matches = f"{result.matches} of every ordered pair, one per deal; seed {result.seed}"
        agents = "; ".join(described(agent) for agent in result.agents)
        return [Term("Agents", agents), Term("Matches", matches), Term("Fault rule", result.fault_rule)]


def described(agent: Participant) -> str:
    """Who an agent is, on one line."""
    if agent.kind == "script":
        return f"{agent.name}: script" + (f" {agent.source}" if agent.source != agent.name else "")
    sampling = ", ".join(f"{key} {value}" for key, value in agent.sampling.items())
    return f"{agent.name}: model {agent.source}" + (f" ({sampling})" if sampling else "")


def digits_of(values: Sequence[float]) -> int:
    """Digits after the point that suit pay of this size: 3 below 10, 2 below 100, else 1."""
    largest = max((abs(value) for value in values), default=0.0)
    return 3 if largest < 10 else 2 if largest < 100 else 1


def _against(cell: MeetingFigures) -> str:
    return f"{cell.agent} in self-play" if cell.agent == cell.opponent else f"{cell.agent} against {cell.opponent}"


def _conversation(match: MatchRecord, digits: int) -> Conversation:
    """A match as one conversation: what each player was newly shown, what it said, what each round paid."""
    messages = []
    for number_, played in enumerate(match.rounds, 1):
        for turn in played.turns:
            name = match.seats[turn.seat]
            messages.append(Message(f"To {name}", "seen", turn.saw))
            messages += [Message(name, "said", said.text, said.fault) for said in turn.said]
            messages += [Message("Game", "seen", f"Played instead: {turn.played}")] if turn.played else []
        paid = " / ".join(number(value, digits) for value in played.pay)
        messages.append(Message("Game", "seen", f"Round {number_} paid {paid}"))
    shown = " / ".join(number(value, digits) for value in match.pay)
    return Conversation(match.seats[0], match.seats[1], 0, match.deal, match.pay[0], f"{shown} ({match.why})", messages)
