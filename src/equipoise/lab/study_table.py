"""A study's result from its finished cells: arms over seeds and deals, differences, hypotheses, targets.

Where every cell of an arm kept its scores by deal, intervals are over seeds and deals both (`metrics.two_way`); older
cells hold figures alone, and then the unit is the training seed. A model that was not trained is one model: its figures
keep the interval of their measurement, over deals. Arms are compared seed by seed on the same deals.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from equipoise.core import Estimate
from equipoise.errors import UserError
from equipoise.lab.results import (
    CreditAudit,
    Made,
    Settings,
    StudyCell,
    StudyDifference,
    StudyGame,
    StudyResult,
    StudyRow,
    StudyTarget,
    now,
)
from equipoise.lab.study import ByArm
from equipoise.lab.study_run import StudyRun
from equipoise.metrics import clustered_mean, over_seeds, seed_mean
from equipoise.metrics.bounded import Bounds
from equipoise.metrics.comparisons import Comparison, Interval, compared
from equipoise.metrics.deal_scores import DealScores, seed_by_deal
from equipoise.metrics.two_way import difference_of_paired_arms, difference_to_base, over_seeds_and_deals
from equipoise.training.run import versions

CORRECTION = (
    "Hypotheses named with the study are tested together by Holm's method over all games; every other comparison is "
    "exploratory, and its interval is not corrected."
)


CREDITS = "gradients.json"
"""What `research.model_gradients` writes beside a study's cells."""


def study_result(run: StudyRun, cells: Sequence[StudyCell], command: str = "") -> StudyResult:
    """The result of a study, finished or not.

    Args:
        run: The study, its size and where it is.
        cells: Those that are finished, scripted players among them.
        command: What makes them.

    Raises:
        UserError: For a file of a credit audit in the study's folder that cannot be read.
    """
    study = run.study
    by_game = {name: arms_of(run, [cell for cell in cells if cell.game == name]) for name in run.size.games}
    by_game = {name: by_arm for name, by_arm in by_game.items() if by_arm}
    pairs = {name: _pairs(run, by_arm) for name, by_arm in by_game.items()}
    tests = _tested(pairs)
    differences = {
        name: [_difference(pair, tests.get((name, pair.hypothesis))) for pair in found] for name, found in pairs.items()
    }
    scripts = {name: {c.arm: c for c in cells if c.reference and c.game == name} for name in by_game}
    return StudyResult(
        study=study.name,
        title=study.title,
        made=Made(
            created=now(),
            command=command,
            seconds=sum(cell.made.seconds for cell in cells),
            versions=versions(),
        ),
        cells=(sum(not cell.reference for cell in cells), len(run.cells())),
        planned={arm: run.planned(arm) for arm in run.size.arms},
        settings=_settings(run),
        games=tuple(_game(run, name, by_arm, scripts[name], differences[name]) for name, by_arm in by_game.items()),
        hypotheses=study.hypotheses,
        correction=CORRECTION if study.hypotheses else "",
        credits=_credits(run.folder / CREDITS),
        notes=study.notes,
    )


def _settings(run: StudyRun) -> Settings:
    """How large the study is, and what its measurements have in common in all games."""
    decided = [run.study.measure.decided_by(run, game) for game in run.size.games]
    common = {k: v for k, v in decided[0].items() if all(other.get(k) == v for other in decided)}
    return {"seeds": run.size.seeds, "overrides": list(run.size.overrides), **common}


def _credits(file: Path) -> CreditAudit | None:
    """The credit audit on a model that was put beside the cells, if one was."""
    if not file.is_file():
        return None
    try:
        return CreditAudit.model_validate(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{file} is no credit audit ({str(error).splitlines()[0]}); make it again, or remove it"
        ) from None


def arms_of(run: StudyRun, cells: Sequence[StudyCell]) -> dict[str, list[StudyCell]]:
    """The agents of one game by arm, in the study's order, each arm's by seed; arms without any are left out."""
    agents = sorted((cell for cell in cells if not cell.reference), key=lambda cell: cell.seed)
    by_arm = {arm: [cell for cell in agents if cell.arm == arm] for arm in run.size.arms}
    return {arm: found for arm, found in by_arm.items() if found}


def _game(
    run: StudyRun,
    name: str,
    by_arm: ByArm,
    scripts: Mapping[str, StudyCell],
    differences: Sequence[StudyDifference],
) -> StudyGame:
    game = run.study.measure.game(run, name, by_arm, scripts)
    ranges = {column.key: column.range for column in game.columns}
    rows = [_row(run, arm, found, ranges) for arm, found in by_arm.items()]
    rows += [
        StudyRow(arm=player, label=player.replace("_", " "), kind="reference", seeds=0, estimates=cell.figures)
        for player, cell in scripts.items()
    ]
    targets = tuple(_target(target, by_arm) for target in run.study.targets.get(name, ()))
    return game.model_copy(update={"rows": tuple(rows), "differences": tuple(differences), "targets": targets})


def _row(run: StudyRun, arm: str, cells: Sequence[StudyCell], ranges: Mapping[str, Bounds | None]) -> StudyRow:
    made, central = run.study.arms[arm], run.study.central
    names = list(dict.fromkeys(name for cell in cells for name in cell.figures))
    estimates = cells[0].figures
    if made.kind == "trained":
        estimates = {name: summed(cells, name, central, ranges.get(name)) for name in names}
    values = {name: tuple(value(cell, name) for cell in cells) for name in names}
    return StudyRow(arm=arm, label=made.label, kind=made.kind, seeds=len(cells), estimates=estimates, values=values)


def value(cell: StudyCell, name: str) -> float:
    """A cell's figure; NaN where it has none."""
    found = cell.figures.get(name)
    return math.nan if found is None else found.value


def summed(cells: Sequence[StudyCell], name: str, central: str, bounds: Bounds | None = None) -> Estimate:
    """What stands for an arm's seeds: their mean with its interval, or their median with their range.

    Args:
        cells: One for each seed.
        name: Of the figure.
        central: "mean" or "median".
        bounds: The range of the figure, if it is known.
    """
    known = [v for cell in cells if not math.isnan(v := value(cell, name))]
    if not known:
        return Estimate(math.nan, math.nan, math.nan, 0, method="not measured")
    if central == "median":
        return over_seeds(known)
    if not all(name in cell.deals for cell in cells):
        return seed_mean(known, bounds=bounds)
    tables = [cell.deals[name] for cell in cells]
    scores = [score for table in tables for score in table.scores]
    low, high = bounds or (-math.inf, math.inf)
    # what is clipped, like exploitability, has a range that its scores by deal, which are not clipped, may leave
    found = over_seeds_and_deals(tables, bounds if low <= min(scores) and max(scores) <= high else None)
    return replace(found, low=float(np.clip(found.low, low, high)), high=float(np.clip(found.high, low, high)))


@dataclass(frozen=True)
class _Pair:
    """Two arms that are compared on one figure of a game, with their difference at any level."""

    arm: str
    minus: str
    metric: str
    hypothesis: str
    interval: Interval


def _pairs(run: StudyRun, by_arm: ByArm) -> list[_Pair]:
    """Every pair that the study compares and that was measured: those of its hypotheses, then the exploratory ones."""
    named = {(h.arm, h.minus, h.metric): h.name for h in run.study.hypotheses}
    further = [(arm, minus, metric) for arm, minus in run.study.compared for metric in run.study.metrics]
    found = []
    for arm, minus, metric in dict.fromkeys([*named, *further]):
        interval = difference(run, by_arm, arm, minus, metric)
        if interval is not None:
            found.append(_Pair(arm, minus, metric, named.get((arm, minus, metric), ""), interval))
    return found


def _tested(pairs: Mapping[str, Sequence[_Pair]]) -> dict[tuple[str, str], Comparison]:
    """The hypotheses of all games, tested together, by game and hypothesis."""
    named = {(game, p.hypothesis): p.interval for game, found in pairs.items() for p in found if p.hypothesis}
    names = {f"{game}: {hypothesis}": (game, hypothesis) for game, hypothesis in named}
    tests = compared({name: named[both] for name, both in names.items()}, list(names))
    return {names[test.name]: test for test in tests}


def _difference(pair: _Pair, test: Comparison | None) -> StudyDifference:
    p, adjusted = (math.nan, math.nan) if test is None else (test.p, test.adjusted_p)
    return StudyDifference(
        arm=pair.arm,
        minus=pair.minus,
        metric=pair.metric,
        estimate=pair.interval(0.95),
        hypothesis=pair.hypothesis,
        p=p,
        adjusted=math.nan if adjusted is None else adjusted,
    )


def difference(run: StudyRun, by_arm: ByArm, arm: str, minus: str, metric: str) -> Interval | None:
    """Arm minus arm on one figure, at any level: over seeds and deals where both kept them, else over seeds.

    Seeds are paired. An untrained model stands beside every seed: with scores by deal its own noise is counted; without
    them it is not, and the method says so.
    """
    own, other = by_arm.get(arm, ()), by_arm.get(minus, ())
    base = bool(other) and run.study.arms[minus].kind == "start"
    theirs = {cell.seed: cell for cell in other}
    pairs = [(cell, other[0] if base else theirs.get(cell.seed)) for cell in own]
    known = [(a, b) for a, b in pairs if b is not None and _measured(a, metric) and _measured(b, metric)]
    if not known:
        return None
    if all(metric in cell.deals for pair in known for cell in pair):
        first, second = _on_common_deals([a.deals[metric] for a, _ in known], [b.deals[metric] for _, b in known])
        if base:
            return lambda level: difference_to_base(first, second[0], level=level)
        return lambda level: difference_of_paired_arms(first, second, level=level)
    gaps = [value(a, metric) - value(b, metric) for a, b in known]
    noise = ", base model's noise not counted" if base and known[0][1].figures[metric].method != "exact" else ""
    return partial(_over_seeds, gaps, f"paired t over seeds{noise}")


def _on_common_deals(own: Sequence[DealScores], other: Sequence[DealScores]) -> tuple[np.ndarray, np.ndarray]:
    """The scores of paired seeds [S, D] on the same deals in the same order; NaN where one of a pair has none."""
    both = seed_by_deal([*own, *other])
    first, second = both[: len(own)], both[len(own) :]
    common = np.isfinite(first - second).any(axis=0)
    return first[:, common], second[:, common]


def _over_seeds(gaps: Sequence[float], method: str, level: float) -> Estimate:
    return clustered_mean(gaps, range(len(gaps)), level, method)


def _measured(cell: StudyCell, metric: str) -> bool:
    return not math.isnan(value(cell, metric))


def _target(target: StudyTarget, by_arm: ByArm) -> StudyTarget:
    """A target with what was measured: whether the median meets it, and how many seeds do."""
    values = [v for cell in by_arm.get(target.arm, ()) if not math.isnan(v := value(cell, target.metric))]
    if not values:
        return target
    met = [v >= target.bound if target.relation == "at least" else v <= target.bound for v in values]
    middle = statistics.median(values)
    reached = middle >= target.bound if target.relation == "at least" else middle <= target.bound
    return target.model_copy(update={"value": middle, "met": reached, "seeds_met": sum(met), "seeds": len(met)})
