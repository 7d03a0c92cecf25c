"""SEPO's study in miniature: every game, every objective, several training seeds, one audit for all.

The arms start from the same supervised model of their seed and differ in the objective and its adversaries alone. All
are audited on the same deals against the same opponents, some of which no training met, and the weights audited are
those of the checkpoint that did best on other deals.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from equipoise.core import Game
from equipoise.games import SEPO_GAMES
from equipoise.games.domain import Profile
from equipoise.lab.audit import AuditSettings, audited, exact_coverage
from equipoise.lab.results import (
    Drawn,
    GameRecord,
    HazardRecord,
    Settings,
    StudyCell,
    StudyColumn,
    StudyGame,
    Weighting,
)
from equipoise.lab.study import Arm, ByArm, Measured, Study, hypothesis
from equipoise.lab.study_run import StudyRun
from equipoise.lab.study_table import value
from equipoise.metrics import index_over_grid
from equipoise.metrics.bounded import Bounds
from equipoise.metrics.catalogue import METRIC
from equipoise.metrics.payoff import payoff_bounds, welfare_bounds
from equipoise.metrics.pool import gap_bounds
from equipoise.metrics.sepo_index import EXPLOITABILITY
from equipoise.metrics.weightings import pareto_front, share_of_weightings_won
from equipoise.models.load import load
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.policies.policy import Policy
from equipoise.policies.scripted import ScriptedPolicy
from equipoise.training.recipe import Recipe

LEARNED = ('objective.rule="own_pool"', 'play.adversaries=["pool", "learned"]', "play.refresh=10")
"""The adversary of games too large to solve at every step: one learned from the policy's play."""

SOLVED = ('objective.rule="own_pool"', 'play.adversaries=["pool", "best_response"]')

COLUMNS = (
    "sepo_index",
    "payoff",
    "welfare",
    "robustness",
    "held_out_exploitability",
    "pool_exploitability",
    "nash_conv",
    "security_gap",
    "commitment_value",
    "worst_case_advantage",
    "worst_case_lower_bound",
    "regret",
    "exploitation",
    "collusion",
    "externality",
    "nra",
    "fault_rate",
)
"""The columns of a game's table in order, before the figures of the game's own."""

EXACT_ROUNDS = {"prisoners_dilemma": 8}
"""First rounds of the exact audit where a study takes more than an audit does unasked: all of the dilemma."""

_LARGE = 3.0
"""Where a round can pay this much, a column has two digits after the point, else three."""

MULTIPLES = (0.5, 1.0, 2.0)
"""What each weight of the index is multiplied by, in all combinations; and all weights zero."""


@dataclass(frozen=True)
class AuditMeasure:
    """One audit for every agent.

    Attributes:
        deals: Common deals of each audit.
        learned_episodes: Episodes the audit's learned adversary studies; 0 leaves it out.
        exact_rounds: First rounds the exact audit covers; None takes what fits, or `EXACT_ROUNDS`.
    """

    deals: int = 1_000
    learned_episodes: int = 600
    exact_rounds: int | None = None

    def __post_init__(self) -> None:
        AuditSettings(deals=self.deals)

    def settings(self, game: str) -> AuditSettings:
        """The audit of every agent of a game."""
        rounds = EXACT_ROUNDS.get(game) if self.exact_rounds is None else self.exact_rounds
        learned = self.learned_episodes
        return AuditSettings(deals=self.deals, exact_rounds=rounds, learned_episodes=learned, conversations=0)

    def decided_by(self, study: StudyRun, game: str) -> Settings:
        """See `Measure`."""
        settings = self.settings(game)
        exact = {"exact_rounds": settings.exact_rounds, "learned_episodes": settings.learned_episodes}
        return {"deals": self.deals, **exact}

    def measured(self, study: StudyRun, recipe: Recipe, source: str, key: str) -> Measured:
        """See `Measure`."""
        model, tokenizer = load(source)
        return self._audit(LanguageModelPolicy("agent", model, tokenizer, recipe.sampling), recipe)

    def _audit(self, policy: Policy, recipe: Recipe) -> Measured:
        game = recipe.tasks[0].game
        found = audited(policy, game, replace(self.settings(game.name), profile=recipe.profile)).agent
        return Measured(found.estimates, found.deals, found.opponents, found.faults)

    def references(self, study: StudyRun, game: str) -> tuple[str, ...]:
        """The first opponent of the train pool, and the players that hazards are explained by."""
        profile = study.task(game).profile
        return tuple(dict.fromkeys([*(o.name for o in profile.pools.train[:1]), *profile.references.values()]))

    def reference(self, study: StudyRun, game: str, player: str) -> Measured:
        """See `Measure`."""
        recipe = study.base(game)
        script = replace(recipe.tasks[0].profile.find(player), name="agent")
        return self._audit(ScriptedPolicy(script), recipe)

    def game(self, study: StudyRun, game: str, cells: ByArm, references: Mapping[str, StudyCell]) -> StudyGame:
        """See `Measure`."""
        task = study.task(game)
        profile, scale = task.profile, task.weights.scale
        own = [name for name in profile.measures if name not in METRIC]
        shown = [name for name in (*COLUMNS, *own) if not (name == "welfare" and task.game.zero_sum)]
        terms = {arm: _mean_terms(found) for arm, found in cells.items()}
        figures = [cell.figures for found in cells.values() for cell in found]
        covered = [int(found["exact_rounds"].value) for found in figures if "exact_rounds" in found]
        return StudyGame(
            game=GameRecord.of(task.game),
            exact=exact_coverage(task.game, min(covered)) if covered else "",
            hazards=_hazards(profile, references),
            weights=profile.weights,
            scale=scale,
            columns=tuple(_column(name, profile, task.game) for name in shown),
            rows=(),
            weightings=tuple(_weightings(cells, profile.weights, scale)),
            front=pareto_front(terms),
            shares=share_of_weightings_won(terms, scale),
            drawn=Drawn(
                scatter=("payoff" if task.game.zero_sum else "welfare", _danger(cells)),
                note="Bottom right is good: much for all, little to take.",
                intervals="sepo_index",
            ),
        )

    def summary(self, cell: StudyCell) -> str:
        """See `Measure`."""
        return f"S {value(cell, 'sepo_index'):+.2f}"


def _hazards(profile: Profile, references: Mapping[str, StudyCell]) -> dict[str, HazardRecord]:
    """What each hazard and figure of a game means, and what the players get that explain it."""
    players = {role: references[name].figures for role, name in profile.references.items() if name in references}
    return {
        name: HazardRecord(
            definition=hazard.definition,
            unit=hazard.unit,
            low=hazard.low,
            high=hazard.high,
            references={role: figures[name] for role, figures in players.items() if name in figures},
        )
        for name, hazard in profile.measures.items()
    }


def _column(name: str, profile: Profile, game: Game) -> StudyColumn:
    """One figure as a column: as the catalogue has it, and as the game means it."""
    metric = METRIC.get(name)
    hazard = profile.measures.get(name)
    low, high = _range(name, profile, game)
    digits = 3 if game.max_reward < _LARGE else 2
    meaning = "" if hazard is None else f"{hazard.definition[:1].upper()}{hazard.definition[1:].rstrip('.')}."
    if name == "sepo_index" and not profile.pools.held_out:
        meaning = "Exploitability by the exploiter pool, since the game has no held-out one."
    if metric is None:
        unit = "" if hazard is None else hazard.unit
        title = name.replace("_", " ")
        return StudyColumn(key=name, title=title, definition=meaning, unit=unit, digits=digits, low=low, high=high)
    title = f"{metric.title} ({metric.group.lower()})" if metric.title in _AMBIGUOUS else metric.title
    return StudyColumn(
        key=name,
        title=title,
        definition=f"{metric.definition} Here: {meaning}" if meaning else metric.definition,
        unit=metric.unit,
        direction=metric.direction,
        digits=1 if metric.scale == 100 else digits,
        scale=metric.scale,
        low=low,
        high=high,
    )


def _range(name: str, profile: Profile, game: Game) -> Bounds:
    """The least and the most that a figure can be per round; NaN where that is not known."""
    hazard, spread = profile.measures.get(name), game.max_reward - game.min_reward
    if hazard is not None:
        return hazard.low, hazard.high
    known = {
        **dict.fromkeys(("payoff", "robustness", "commitment_value"), payoff_bounds(game)),
        **dict.fromkeys(("worst_case_advantage", "worst_case_lower_bound", "exploitation"), gap_bounds(game)),
        **dict.fromkeys((*EXPLOITABILITY.values(), "security_gap"), (0.0, spread)),
        "nash_conv": (0.0, game.num_players * spread),
        "welfare": welfare_bounds(game),
        **dict.fromkeys(("fault_rate", "max_state_fault", "mean_state_fault"), (0.0, 1.0)),
    }
    return known.get(name, (math.nan, math.nan))


_AMBIGUOUS = {
    title for title in (m.title for m in METRIC.values()) if sum(m.title == title for m in METRIC.values()) > 1
}


def _danger(cells: ByArm) -> str:
    """The figure that says best how exploitable this game's models are: an exact one where all have it."""
    for name in ("nash_conv", "worst_case_advantage", "worst_case_lower_bound", "pool_exploitability"):
        if all(name in cell.figures for found in cells.values() for cell in found):
            return name
    return "pool_exploitability"


def _terms(cell: StudyCell) -> tuple[float, float, float, float]:
    """u, e, c and x of a cell, e as in its index; a component whose pool is empty counts as 0."""
    known = {name: v for name in cell.figures if (v := value(cell, name)) == v}
    e = known.get(EXPLOITABILITY["held_out"], known.get(EXPLOITABILITY["exploiter"], 0.0))
    return known.get("payoff", 0.0), e, known.get("collusion", 0.0), known.get("externality", 0.0)


def _mean_terms(cells: Sequence[StudyCell]) -> tuple[float, ...]:
    """The mean terms of an arm's cells."""
    return tuple(sum(column) / len(cells) for column in zip(*map(_terms, cells), strict=True))


def _weightings(cells: ByArm, weights: tuple[float, float, float], scale: float) -> list[Weighting]:
    """The SEPO index of every arm at multiples of the game's weights, and which arm is best there."""
    grid = [tuple(w * m for w, m in zip(weights, ms, strict=True)) for ms in itertools.product(MULTIPLES, repeat=3)]
    points = list(dict.fromkeys([(0.0, 0.0, 0.0), *grid]))
    indices: dict[str, list[float]] = {}
    for arm, found in cells.items():
        per_cell = [index_over_grid(*_terms(cell), scale, points) for cell in found]
        indices[arm] = [sum(column) / len(found) for column in zip(*per_cell, strict=True)]
    at_point = [{arm: values[i] for arm, values in indices.items()} for i in range(len(points))]
    return [
        Weighting(weights=point, index=index, best=max(index, key=index.__getitem__))
        for point, index in zip(points, at_point, strict=True)
    ]


_SCORES = "{arm} scores {more} on the SEPO index than {minus}"
_TAKES = "a learned adversary takes {more} from {arm} than from {minus}"
_HYPOTHESES = (
    hypothesis("SEPO above base", "own_pool", "base", "sepo_index", _SCORES, "above"),
    hypothesis("SEPO above SFT", "own_pool", "sft", "sepo_index", _SCORES, "above"),
    hypothesis("SEPO above payoff alone", "own_pool", "payoff", "sepo_index", _SCORES, "above"),
    hypothesis("SEPO above shared penalty", "own_pool", "shared_penalty", "sepo_index", _SCORES, "above"),
    hypothesis("SEPO above independent penalty", "own_pool", "independent_penalty", "sepo_index", _SCORES, "above"),
    hypothesis("SEPO above welfare", "own_pool", "welfare", "sepo_index", _SCORES, "above"),
    hypothesis("adversary safer", "own_pool_best_response", "own_pool", "worst_case_lower_bound", _TAKES, "below"),
    hypothesis("SEPO safer than SFT", "own_pool", "sft", "worst_case_lower_bound", _TAKES, "below"),
)

SEPO = Study(
    name="sepo",
    title="SEPO in miniature: every game, every objective",
    games=SEPO_GAMES,
    arms={
        "base": Arm("Base", kind="start"),
        "sft": Arm("SFT", 5, overrides=("rl.steps=0",)),
        "payoff": Arm("Payoff alone", 5, overrides=('objective.rule="payoff"',), starts_from="sft"),
        "own_pool": Arm("SEPO, own pool", 5, overrides=('objective.rule="own_pool"',), starts_from="sft"),
        "own_pool_best_response": Arm(
            "SEPO, own pool + adversary",
            5,
            by_game={game: SOLVED if game == "kuhn_poker" else LEARNED for game in SEPO_GAMES},
            starts_from="sft",
        ),
        "welfare": Arm("Welfare", 3, overrides=('objective.rule="welfare"',), starts_from="sft"),
        "shared_penalty": Arm("Shared penalty", 3, overrides=('objective.rule="shared_penalty"',), starts_from="sft"),
        "independent_penalty": Arm(
            "Independent penalty", 3, overrides=('objective.rule="independent_penalty"',), starts_from="sft"
        ),
    },
    measure=AuditMeasure(deals=48),
    hypotheses=_HYPOTHESES,
    compared=(
        ("own_pool", "base"),
        ("own_pool", "sft"),
        ("own_pool", "payoff"),
        ("own_pool", "welfare"),
        ("own_pool", "shared_penalty"),
        ("own_pool", "independent_penalty"),
        ("own_pool_best_response", "own_pool"),
        ("own_pool_best_response", "payoff"),
        ("payoff", "sft"),
        ("sft", "base"),
    ),
    metrics=("sepo_index", "pool_exploitability", "worst_case_advantage", "worst_case_lower_bound", "welfare"),
    notes=(
        "Trained rows: the mean over training seeds. The base model is one: its intervals are those of its audit, over "
        "deals. Reference rows are scripted players.",
        "All agents are audited on the same deals, in both seats, against the same opponents; the held-out pool is "
        "never trained on; checkpoints are chosen on other deals.",
        "Cells without scores by deal have intervals that count training seeds alone: how the same agents would do on "
        "other deals is not in them, and they are too narrow for it. The base model's index without them has the "
        "intervals of its terms added up, which holds however the terms depend on each other, and is wide.",
    ),
    quick=("rl.steps=10", "selection.every=5", "sft.steps=30", "demonstrations.episodes=200"),
    quick_measure=AuditMeasure(deals=24, learned_episodes=400, exact_rounds=1),
)
"""The study; `equipoise reproduce sepo` runs it."""
