"""What agents reach with each other: a tournament, a probe, a talk."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from equipoise.errors import UserError
from equipoise.lab.results.audits import MessageRecord
from equipoise.lab.results.values import Figure, GameRecord, Made, Number, Settings, Value


class Participant(Value):
    """Who took part: a name, where it comes from, whether it is a script or a model, and how a model replied."""

    name: str
    source: str
    kind: Literal["script", "model"]
    sampling: Settings = Field(default_factory=dict)


class MeetingFigures(Value):
    """One agent against one opponent, both seats together.

    Attributes:
        agent: Whose figures.
        opponent: Whom it met; itself in self-play.
        pay: Mean pay per round.
        seat_pay: The same in each seat alone.
        fault_rate: Share of its decisions whose first reply was a fault; None where it took none.
        cooperation_rate: Share of the rounds that asked it in which it cooperated; None where none asked.
        conditional: The same by what was before the round.
        talk: How true its messages are, by figure.
    """

    agent: str
    opponent: str
    pay: Figure
    seat_pay: tuple[Figure, Figure]
    fault_rate: Figure | None = None
    cooperation_rate: Figure | None = None
    conditional: dict[str, Figure] = Field(default_factory=dict)
    talk: dict[str, Figure] = Field(default_factory=dict)


class TogetherFigures(Value):
    """What two agents, or one in self-play, reach together: joint pay per round, and its share of the best."""

    agents: tuple[str, str]
    welfare: Figure
    efficiency: Figure | None = None


class PairDifference(Value):
    """Two agents compared on common deals, against one opponent, or (None) in self-play welfare."""

    agent: str
    minus: str
    opponent: str | None
    estimate: Figure
    verdict: Literal["above", "below", "tie"]


class TurnRecord(Value):
    """One decision of a match: who, what it was newly shown, what it said (attempts first), what was played instead."""

    seat: int
    saw: str
    said: tuple[MessageRecord, ...]
    played: str | None = None


class RoundRecord(Value):
    """One round of a match: what it paid each seat, and its decisions."""

    pay: tuple[Number, ...]
    turns: tuple[TurnRecord, ...]


class MatchRecord(Value):
    """One match as both players saw and played it, and why it is shown."""

    why: str
    seats: tuple[str, ...]
    deal: int
    pay: tuple[Number, ...]
    rounds: tuple[RoundRecord, ...]


class MatchesResult(Value):
    """What every result of several agents' matches says of them.

    Attributes:
        agents: Who took part.
        matches: Of every ordered pair.
        seed: Keyed the deals and all play.
        fault_rule: What a fault played.
    """

    kind: str
    version: Literal[2] = 2
    title: str
    made: Made
    game: GameRecord
    agents: tuple[Participant, ...]
    matches: int
    seed: int
    fault_rule: str


class CrossplayResult(MatchesResult):
    """A tournament.

    Attributes:
        cells: Every agent against every opponent.
        together: Every two agents, each pair once.
        differences: Every comparison.
        correction: How the differences' intervals are corrected for their number.
        cooperation: What cooperating means in the game; empty where it does not say.
        rules: As a model reads them.
        shown: Matches to read.
    """

    kind: Literal["crossplay"] = "crossplay"
    cells: tuple[MeetingFigures, ...]
    together: tuple[TogetherFigures, ...]
    differences: tuple[PairDifference, ...]
    correction: str
    cooperation: str = ""
    rules: str = ""
    shown: tuple[MatchRecord, ...] = ()

    def cell(self, agent: str, opponent: str) -> MeetingFigures:
        """The figures of one agent against one opponent.

        Raises:
            UserError: For names that did not take part.
        """
        return next(c for c in self.cells if (c.agent, c.opponent) == (self._taking(agent), self._taking(opponent)))

    def both(self, first: str, second: str) -> TogetherFigures:
        """What two agents reach together, or one with itself, in either order.

        Raises:
            UserError: For names that did not take part.
        """
        pair = {self._taking(first), self._taking(second)}
        return next(found for found in self.together if set(found.agents) == pair)

    def _taking(self, name: str) -> str:
        known = [agent.name for agent in self.agents]
        if name not in known:
            raise UserError(f"{name!r} took no part; known: {', '.join(known)}")
        return name


class ProbeFigures(Value):
    """What a fresh naive learner gains from a frozen agent, per round.

    Attributes:
        pay: What the learner earns from the agent.
        agent_pay: What it leaves the agent.
        self_play: What the agent earns from itself.
        gain: pay - self_play: a lower bound of what deviating can gain.
        fault_rate: Of the learner.
        agent_fault_rate: Of the agent.
    """

    pay: Figure
    agent_pay: Figure
    self_play: Figure
    gain: Figure
    fault_rate: Figure
    agent_fault_rate: Figure


class ProbeResult(Value):
    """A probe of one agent: `learner` says where the learner started, for how many steps, under which seed."""

    kind: Literal["probe"] = "probe"
    version: Literal[2] = 2
    title: str
    made: Made
    game: GameRecord
    agent: Participant
    learner: Settings
    matches: int
    seed: int
    fault_rule: str
    figures: ProbeFigures


class EffectRecord(Value):
    """What a listener's claims change by when the message it heard is replaced.

    Attributes:
        claims: How many claims were asked again.
        claimed: What it claims after what it heard, as a share of all it could.
        changes: By replacement.
        by_side: The same by the listener's own hand.
        outside: Probability of replies that are no claim.
    """

    claims: int
    claimed: Figure
    changes: dict[str, Figure]
    by_side: dict[str, dict[str, Figure]]
    outside: Number


class SaidRecord(Value):
    """One agent's messages to another: shares by figure, and its faults."""

    agent: str
    to: str
    figures: dict[str, Figure]
    fault_rate: Figure | None = None


class ListenerRecord(Value):
    """What messages change in a listener's claims; `why` says why that could not be measured."""

    listener: str
    speaker: str
    effect: EffectRecord | None = None
    why: str | None = None


class TalkResult(MatchesResult):
    """What an agent's talk is worth: what it says, what that changes, what both reach with messages and without."""

    kind: Literal["talk"] = "talk"
    said: tuple[SaidRecord, ...]
    effects: tuple[ListenerRecord, ...]
    efficiency: dict[str, Figure]
    faults: dict[str, Figure]
