"""A study: games x arms x seeds as a declaration, computed cell by cell and summed up in one typed result.

An arm is one way to make an agent: what it changes in its game's recipe, and whose model it starts from. A `Measure`
says what is measured of every agent, and of the scripted players that stand beside them. Everything else is the same
for all studies: cells are trained and measured once (`study_run`, `store`, `workers`), summed up over seeds and deals
(`study_table`), and shown by one view.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

from equipoise.core import Estimate
from equipoise.errors import UserError
from equipoise.lab.results import (
    HypothesisRecord,
    MeetingFigures,
    OpponentRecord,
    ProbeFigures,
    Settings,
    StudyCell,
    StudyGame,
    StudyTarget,
    TogetherFigures,
)
from equipoise.metrics.deal_scores import DealScores
from equipoise.registry import described, nearest
from equipoise.training.recipe import Recipe

if TYPE_CHECKING:
    from equipoise.lab.study_run import StudyRun

Kind = Literal["start", "trained"]

OURS = {
    "sepo": "equipoise.lab.sepo:SEPO",
    "alignment": "equipoise.lab.alignment:ALIGNMENT",
    "sepo_smollm2": "equipoise.lab.smollm2:SEPO_SMOLLM2",
    "alignment_smollm2": "equipoise.lab.smollm2:ALIGNMENT_SMOLLM2",
}
"""Our studies, by the name on the command line."""

REFERENCE = "reference"
"""What the cells of scripted players are called; no arm is called so."""

ByArm = Mapping[str, Sequence[StudyCell]]
"""The finished cells of a game by arm, each arm's by seed."""

Meetings = Mapping[str, tuple[MeetingFigures, MeetingFigures, TogetherFigures]]
"""By opponent: the agent's figures there, the opponent's, and what both reach together."""

_NAME = re.compile(r"[A-Za-z0-9_.+]+")


@dataclass(frozen=True)
class Arm:
    """One way to make an agent.

    Attributes:
        label: For tables.
        seeds: Training seeds in the full study; an untrained arm has 1.
        kind: "start" for the model that all start from, as it is; "trained" for what training made of it.
        overrides: What it changes in the game's recipe.
        by_game: The same for single games.
        starts_from: The arm whose model of the same game and seed it starts from, without demonstrations; empty for
            the recipe's own model.
    """

    label: str
    seeds: int = 1
    kind: Kind = "trained"
    overrides: tuple[str, ...] = ()
    by_game: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    starts_from: str = ""

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise UserError(f"arm {self.label!r} has {self.seeds} seeds; at least 1 is needed")
        if self.kind == "start" and (self.seeds != 1 or self.starts_from):
            raise UserError(f"arm {self.label!r} is a model as it is: it has 1 seed, and starts from no other arm")


@dataclass(frozen=True)
class Size:
    """How large a study is run.

    Attributes:
        games: Which games.
        arms: Which arms.
        seeds: At most this many training seeds an arm.
        overrides: Recipe overrides of every cell.
    """

    games: tuple[str, ...]
    arms: tuple[str, ...]
    seeds: int
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Measured:
    """What was measured of one agent or scripted player; each field goes into the field of its `StudyCell`.

    Attributes:
        figures: By name, the columns of the study's tables among them.
        deals: Figures by deal, so that intervals can count seeds and deals; without them they count seeds alone.
        opponents: Against each opponent of an audit.
        faults: Share of decisions by kind of fault.
        meetings: Against each agent it met.
        probe: What a learner gained from it.
    """

    figures: Mapping[str, Estimate]
    deals: Mapping[str, DealScores] = field(default_factory=dict)
    opponents: tuple[OpponentRecord, ...] = ()
    faults: Mapping[str, float] = field(default_factory=dict)
    meetings: Meetings = field(default_factory=dict)
    probe: ProbeFigures | None = None


class Measure(Protocol):
    """What a study measures of every agent. It must be picklable: cells are computed by worker processes."""

    def decided_by(self, study: StudyRun, game: str) -> Settings:
        """What decides a measurement beside the agent, as JSON."""

    def measured(self, study: StudyRun, recipe: Recipe, source: str, key: str) -> Measured:
        """What is found of one agent.

        Args:
            study: The study.
            recipe: How the agent was made, its game and its sampling among it.
            source: Its model, as `load` takes it.
            key: The name of its cell: game, arm and seed (`study_run.parts`).
        """

    def references(self, study: StudyRun, game: str) -> tuple[str, ...]:
        """Scripted players of a game's profile that are measured as the agents are."""

    def reference(self, study: StudyRun, game: str, player: str) -> Measured:
        """The same of one scripted player."""

    def game(self, study: StudyRun, game: str, cells: ByArm, references: Mapping[str, StudyCell]) -> StudyGame:
        """What there is to say of a game beside its rows: columns, hazards, weightings.

        Args:
            study: The study.
            game: Its game.
            cells: By arm, one for each finished seed.
            references: By scripted player.
        """

    def summary(self, cell: StudyCell) -> str:
        """A cell's main figures in a few words, for a line of progress."""


def hypothesis(
    name: str, arm: str, minus: str, metric: str, text: str, expected: Literal["above", "below"]
) -> HypothesisRecord:
    """A `HypothesisRecord` in one line; it says what each of them is."""
    return HypothesisRecord(name=name, arm=arm, minus=minus, metric=metric, text=text, expected=expected)


@dataclass(frozen=True)
class Study:
    """A study.

    Attributes:
        name: Of its folders and, where we ship them, of its recipes' folder.
        title: Of its page.
        arms: By name, in the order of tables.
        games: By default.
        measure: What is measured.
        recipes: By game, the recipe that its arms change: a name or a .toml file; by default NAME/GAME.
        hypotheses: Comparisons named beforehand; they are corrected together.
        compared: Further pairs of arms (arm, minus), exploratory.
        metrics: Figures in which pairs are compared.
        targets: By game, bounds for the median of the seeds.
        central: What stands for an arm's seeds: "mean" or "median".
        met: The arm whose agents all others meet, so that they wait for it; empty for none.
        notes: How to read its tables.
        quick: Overrides of its recipes that make it small, for `small`.
        quick_measure: What is measured then; None for the same.
    """

    name: str
    title: str
    arms: Mapping[str, Arm]
    games: tuple[str, ...]
    measure: Measure
    recipes: Mapping[str, str] = field(default_factory=dict)
    hypotheses: tuple[HypothesisRecord, ...] = ()
    compared: tuple[tuple[str, str], ...] = ()
    metrics: tuple[str, ...] = ()
    targets: Mapping[str, tuple[StudyTarget, ...]] = field(default_factory=dict)
    central: Literal["mean", "median"] = "mean"
    met: str = ""
    notes: tuple[str, ...] = ()
    quick: tuple[str, ...] = ()
    quick_measure: Measure | None = None

    def __post_init__(self) -> None:
        if not self.arms or not self.games:
            raise UserError(f"study {self.name!r} needs at least one arm and one game")
        for name in (self.name, *self.arms):
            if not _NAME.fullmatch(name) or name == REFERENCE:
                raise UserError(f"got the name {name!r}; allowed: letters, digits and _ . +, and not {REFERENCE!r}")
        pairs = [*self.compared, *((h.arm, h.minus) for h in self.hypotheses)]
        starts = [arm.starts_from for arm in self.arms.values() if arm.starts_from]
        bounds = [target for found in self.targets.values() for target in found]
        named = [*starts, *(name for pair in pairs for name in pair), *(target.arm for target in bounds)]
        self._known("arm", [*named, *([self.met] if self.met else [])], self.arms)
        self._known("game", [*self.recipes, *self.targets], self.games)
        for arm, minus in pairs:
            if self.arms[arm].kind == "start" and self.arms[minus].kind == "trained":
                raise UserError(f"study {self.name!r} compares {arm!r} minus {minus!r}; put the trained arm first")
        for name in self.arms:
            self.line(name)
        names = [hypothesis.name for hypothesis in self.hypotheses]
        if len({*names}) < len(names):
            raise UserError(f"study {self.name!r} has two hypotheses of one name: {', '.join(names)}")

    def line(self, arm: str) -> tuple[str, ...]:
        """The arms whose models one arm is made of, the first one first, itself last.

        Raises:
            UserError: Where an arm starts from itself, or from a model that is not trained.
        """
        found = [arm]
        while start := self.arms[found[0]].starts_from:
            if start in found:
                raise UserError(f"arm {start!r} of study {self.name!r} starts from itself")
            if self.arms[start].kind == "start":
                raise UserError(f"arm {found[0]!r} starts from {start!r}, which is not trained; leave it empty")
            found.insert(0, start)
        return tuple(found)

    def recipe(self, game: str) -> str:
        """The name or file of the recipe that a game's arms change."""
        return self.recipes.get(game, f"{self.name}/{game}")

    def size(
        self,
        games: Sequence[str] = (),
        arms: Sequence[str] = (),
        seeds: int | None = None,
        overrides: Sequence[str] = (),
    ) -> Size:
        """A size of this study: all games, arms and seeds where nothing else is said.

        Arms come with those that they start from, in the study's order.

        Raises:
            UserError: For a game or arm that the study does not have, or no seed.
        """
        self._known("game", games, self.games)
        self._known("arm", arms, self.arms)
        most = max(arm.seeds for arm in self.arms.values()) if seeds is None else seeds
        if most < 1:
            raise UserError(f"got {most} seeds; at least 1 is needed")
        wanted = {name for arm in arms or self.arms for name in self.line(arm)}
        return Size(
            tuple(dict.fromkeys(games or self.games)),
            tuple(arm for arm in self.arms if arm in wanted),
            most,
            tuple(overrides),
        )

    def small(self) -> Study:
        """The same study with its quick measure: with `quick` as overrides it shows that everything runs."""
        return replace(self, measure=self.quick_measure or self.measure)

    def _known(self, what: str, names: Sequence[str], known: Iterable[str]) -> None:
        for name in names:
            if name not in known:
                raise UserError(f"unknown {what} {name!r} of study {self.name!r}; known: {nearest(known, name)}")


def read_study(found: Any, name: str) -> Study:
    """A study that was found by its name.

    Raises:
        UserError: For anything else.
    """
    if not isinstance(found, Study):
        raise UserError(f"{name!r} is {described(found)}; needed: an equipoise.lab.study.Study")
    return found
