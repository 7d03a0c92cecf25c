"""What a study found: its cells, and its tables made of them."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from equipoise.lab.results.audits import OpponentRecord
from equipoise.lab.results.meetings import MeetingFigures, ProbeFigures, TogetherFigures
from equipoise.lab.results.values import Figure, GameRecord, HazardRecord, Made, Number, Settings, Value
from equipoise.metrics.deal_scores import DealScores


class CandidateRecord(Value):
    """One checkpoint that was considered, in all and by game: its SEPO index on deals of the selection's own.

    Exploitability in it is by the exploiters that training met, as `training.selection` says.
    """

    step: int
    sepo_index: Number
    games: dict[str, Number] = Field(default_factory=dict)


class StudyCell(Value):
    """One agent of a study: a game, an arm, a seed, and what was measured of it; or a scripted player beside them.

    Attributes:
        study: Its study.
        game: What it plays.
        arm: How it was made; the name of a scripted player.
        seed: Of its training.
        reference: Whether it is a scripted player.
        made: How the cell came to be; `made.by` is what decides it.
        train_seconds: Of its training.
        figures: By name, the study's columns among them.
        deals: Figures by deal, those that intervals over seeds and deals are made of.
        opponents: Against each opponent of the audit.
        faults: Share of decisions by kind of fault.
        candidates: Checkpoints that were considered; `chosen` is the step of the one that was taken.
        meetings: By opponent: the agent's figures, the opponent's, and what both reach.
        probe: Of the agent.
    """

    kind: Literal["cell"] = "cell"
    version: Literal[2] = 2
    study: str
    game: str
    arm: str
    seed: int
    reference: bool = False
    made: Made
    train_seconds: Number = math.nan
    figures: dict[str, Figure]
    deals: dict[str, DealScores] = Field(default_factory=dict)
    opponents: tuple[OpponentRecord, ...] = ()
    faults: dict[str, Number] = Field(default_factory=dict)
    candidates: tuple[CandidateRecord, ...] = ()
    chosen: int | None = None
    meetings: dict[str, tuple[MeetingFigures, MeetingFigures, TogetherFigures]] = Field(default_factory=dict)
    probe: ProbeFigures | None = None


class StudyColumn(Value):
    """One figure that a study shows: key, full name, definition, unit, which values are better, digits, factor, range.

    `low` and `high` are the least and the most that it can be, NaN where that is not known.
    """

    key: str
    title: str
    definition: str
    unit: str = ""
    direction: Literal["lower", "higher", ""] = ""
    digits: int = 3
    scale: float = 1.0
    low: Number = math.nan
    high: Number = math.nan

    @property
    def range(self) -> tuple[float, float] | None:
        """The least and the most that it can be; None where that is not known."""
        return (self.low, self.high) if self.low <= self.high else None


class StudyRow(Value):
    """One arm of a game, or a reference player.

    Attributes:
        arm: Its key.
        label: As it is shown.
        kind: "start" (untrained), "trained" or "reference".
        seeds: Training seeds behind it.
        estimates: By column.
        values: By column, one for each seed.
    """

    arm: str
    label: str
    kind: Literal["start", "trained", "reference"]
    seeds: int
    estimates: dict[str, Figure]
    values: dict[str, tuple[Number, ...]] = Field(default_factory=dict)


class StudyDifference(Value):
    """Two arms compared.

    Attributes:
        arm: Whose figure.
        minus: Whose figure is taken from it.
        metric: Which.
        estimate: Its interval says over what: seeds, or seeds and deals.
        hypothesis: The hypothesis that was named before the study ran; empty for an exploratory comparison.
        p: Of no difference; NaN where it has none.
        adjusted: The p corrected for the number of hypotheses (Holm); NaN for an exploratory one.
    """

    arm: str
    minus: str
    metric: str
    estimate: Figure
    hypothesis: str = ""
    p: Number = math.nan
    adjusted: Number = math.nan


class StudyTarget(Value):
    """A bound that was set beforehand for the median of an arm's seeds, and whether it is met."""

    arm: str
    metric: str
    relation: Literal["at least", "at most"]
    bound: float
    value: Number = math.nan
    met: bool | None = None
    seeds_met: int = 0
    seeds: int = 0


class Weighting(Value):
    """The SEPO index of every arm at one weighting (le, lc, lx), and the arm with the highest."""

    weights: tuple[float, float, float]
    index: dict[str, Number]
    best: str


class Drawn(Value):
    """What a study draws of each game.

    Attributes:
        scatter: The columns across and upward of the scatter of all agents; empty for none.
        note: Which corner of it is the good one.
        intervals: The column drawn as intervals, an arm a line; empty for none.
        strips: Columns drawn seed by seed, beside each other.
    """

    scatter: tuple[str, ...] = ()
    note: str = ""
    intervals: str = ""
    strips: tuple[str, ...] = ()


class HypothesisRecord(Value):
    """A comparison that a study names before it runs.

    Attributes:
        name: Short and unique.
        arm: Whose figure.
        minus: Whose figure is taken from it.
        metric: Which.
        text: The sentence, with {arm}, {minus} and {more} (more or less).
        expected: On which side of zero the difference is expected.
    """

    name: str
    arm: str
    minus: str
    metric: str
    text: str
    expected: Literal["above", "below"]


class StudyGame(Value):
    """One game of a study.

    Attributes:
        game: What is played.
        exact: Over what exact figures are; empty where there are none.
        hazards: By name.
        weights: Of the SEPO index; empty where the study has none.
        scale: s of the SEPO index.
        players: Scripts that every agent meets, by role.
        columns: What is shown.
        rows: Arms, then reference players.
        differences: Comparisons.
        targets: Bounds.
        weightings: The index at other weights.
        front: Arms that no other arm beats in all of payoff, exploitability, collusion and externality.
        shares: Share of weightings that each arm wins.
        drawn: What is drawn of it.
    """

    game: GameRecord
    exact: str = ""
    hazards: dict[str, HazardRecord] = Field(default_factory=dict)
    weights: tuple[float, ...] = ()
    scale: Number = math.nan
    players: dict[str, str] = Field(default_factory=dict)
    columns: tuple[StudyColumn, ...]
    rows: tuple[StudyRow, ...]
    differences: tuple[StudyDifference, ...] = ()
    targets: tuple[StudyTarget, ...] = ()
    weightings: tuple[Weighting, ...] = ()
    front: tuple[str, ...] = ()
    shares: dict[str, Number] = Field(default_factory=dict)
    drawn: Drawn = Drawn()


class CreditRecord(Value):
    """What a credit rule's gradient is worth on the model: cosine with the true one, and length along it."""

    rule: str
    cosine: Figure
    ratio: Figure


class CreditAudit(Value):
    """Credit rules measured against the true gradient at one checkpoint of one game."""

    game: str
    batches: int
    episodes: int
    rules: tuple[CreditRecord, ...]


class StudyResult(Value):
    """A study: games x arms x seeds, finished or not.

    Attributes:
        study: Its name.
        cells: How many cells are done, and how many there are.
        planned: Seeds of every arm.
        settings: How large it is.
        games: One for each game with a finished cell.
        hypotheses: Comparisons that were named beforehand; they are corrected together (Holm), the rest is exploratory.
        correction: How, in one sentence; empty where none were named.
        credits: The credit audit on the model, where it was made.
        notes: How to read it.
    """

    kind: Literal["study"] = "study"
    version: Literal[2] = 2
    study: str
    title: str
    made: Made
    cells: tuple[int, int]
    planned: dict[str, int]
    settings: Settings = Field(default_factory=dict)
    games: tuple[StudyGame, ...]
    hypotheses: tuple[HypothesisRecord, ...] = ()
    correction: str = ""
    credits: CreditAudit | None = None
    notes: tuple[str, ...] = ()
