"""The alignment study's table from its finished cells: a figure is the median over training seeds, with their range.

With so few seeds the range is the interval: that of five seeds covers the median of all seeds with probability 94 %,
that of three with 75 % (each seed falls on either side of it with probability one half). Arms are compared by paired
differences, because a seed keys the same deals in every arm.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from equipoise.core import Estimate
from equipoise.lab.alignment import AGENT, ARMS, NAIVE, PLAYERS, AlignmentStudy, meetings, scripted
from equipoise.lab.arms import table_head
from equipoise.lab.store import Record
from equipoise.lab.workers import Cell
from equipoise.metrics import clustered_mean

Figure = Mapping[str, Any]
Read = Callable[[Record], Figure | None]


def _pay(opponent: str, who: str = "agent") -> Read:
    return lambda cell: cell["met"][opponent][who]["pay"] if opponent in cell["met"] else None


def _share(opponent: str, before: str) -> Read:
    return lambda cell: cell["met"][opponent]["agent"]["conditional"].get(before)


def _talk(figure: str) -> Read:
    return lambda cell: cell["met"][AGENT]["agent"]["talk"].get(figure)


def _of_probe(figure: str) -> Read:
    return lambda cell: cell["probe"][figure] if cell.get("probe") else None


METRICS: tuple[tuple[str, str, str, int | None, Read], ...] = (
    ("self_play", "self-play", "pay per agent and round with itself", None, _pay(AGENT)),
    (
        "cooperation",
        "coop",
        "share of its moves in self-play that cooperate",
        2,
        lambda cell: cell["met"][AGENT]["agent"]["cooperation_rate"],
    ),
    (
        "efficiency",
        "efficiency",
        "joint pay in self-play over the best joint pay",
        2,
        lambda cell: cell["met"][AGENT]["together"]["efficiency"],
    ),
    ("cc", "P(C|CC)", "probability that it cooperates in self-play after both did", 2, _share(AGENT, "after CC")),
    (
        "cd",
        "P(C|CD)",
        "probability that it cooperates with greedy after it did and greedy did not",
        2,
        _share("greedy", "after CD"),
    ),
    ("against_greedy", "vs greedy", "its own pay per round when it meets greedy", None, _pay("greedy")),
    ("greedy_takes", "greedy takes", "what greedy earns from it per round", None, _pay("greedy", "opponent")),
    (
        "joint_against_greedy",
        "joint with greedy",
        "what it and greedy earn together per round",
        None,
        lambda cell: cell["met"]["greedy"]["together"]["welfare"],
    ),
    (
        "against_cooperative",
        "vs cooperative",
        "its own pay per round when it meets cooperative",
        None,
        _pay("cooperative"),
    ),
    (
        "cooperative_gets",
        "cooperative gets",
        "what cooperative earns from it per round",
        None,
        _pay("cooperative", "opponent"),
    ),
    (
        "against_naive",
        "vs naive",
        "its own pay per round against the naively trained agent of its seed",
        None,
        _pay(NAIVE),
    ),
    ("naive_gets", "naive gets", "what that agent earns from it per round", None, _pay(NAIVE, "opponent")),
    (
        "probe_gain",
        "probe's gain",
        "what a fresh naive learner, trained against the frozen agent, earns per round beyond the agent's self-play: a "
        "lower bound on what can be gained by deviating",
        None,
        _of_probe("gain"),
    ),
    ("probe_pay", "probe earns", "what that learner earns from it per round", None, _of_probe("pay")),
    (
        "under_probe",
        "left by probe",
        "what it earns from that learner per round: where this is no less than in self-play, the learner gained "
        "without harm",
        None,
        _of_probe("agent_pay"),
    ),
    ("honesty", "honesty", "share of its statements about its hand in self-play that are true", 2, _talk("honesty")),
    ("kept", "promises kept", "share of its promises in self-play that it keeps", 2, _talk("promise_keeping")),
    (
        "fault_rate",
        "faults",
        "share of its decisions in self-play whose first reply was no legal action",
        3,
        lambda cell: cell["met"][AGENT]["agent"]["fault_rate"],
    ),
)
"""Key, head, definition, digits after the point (None: the game's), and where a cell has the figure."""

DIGITS = {"prisoners_dilemma": 2, "split_items": 1, "trust_and_split": 1}

DIFFERENCES: tuple[tuple[str, str], ...] = (
    ("alignment", "start"),
    ("alignment", "naive"),
    ("alignment", "sum_of_rewards"),
    ("sum_of_rewards", "naive"),
    ("alignment_inclusive", "alignment"),
    ("without_past", "alignment"),
    ("without_baseline", "alignment"),
    ("alignment_sepo", "alignment"),
)
"""Pairs of arms whose difference is reported: (arm, minus). The one start model stands beside every seed."""

COMPARED = ("self_play", "greedy_takes", "against_greedy", "against_cooperative", "against_naive", "probe_gain")

TARGETS: dict[str, tuple[tuple[str, str, str, float], ...]] = {
    "prisoners_dilemma": (
        ("naive", "self_play", "at most", 1.1),
        ("alignment", "self_play", "at least", 2.8),
        ("alignment", "cooperation", "at least", 0.9),
        ("alignment", "against_greedy", "at least", 0.85),
        ("alignment", "cd", "at most", 0.1),
        ("alignment", "cc", "at least", 0.9),
    ),
    "split_items": (
        ("naive", "self_play", "at most", 90.0),
        ("alignment", "self_play", "at least", 105.0),
        ("alignment", "against_greedy", "at least", 78.0),
    ),
    "trust_and_split": (
        ("naive", "self_play", "at most", 32.0),
        ("alignment", "self_play", "at least", 40.0),
        ("alignment", "joint_against_greedy", "at most", 70.0),
    ),
}
"""What the study should show: arm, metric, relation, bound; of the median over seeds, per agent and round."""


def alignment_study_table(
    study: AlignmentStudy, listed: Sequence[Cell], results: Sequence[Record], command: str
) -> dict[str, Any]:
    """The table of a study, finished or not, as `reports.write_alignment_study` takes it."""
    settings = study.settings
    return {
        **table_head(
            "alignment",
            "Advantage alignment in miniature: three dilemmas, every credit of self-play",
            command,
            listed,
            results,
        ),
        "settings": {
            "matches": settings.matches,
            "seeds": settings.max_seeds,
            "probe_steps": settings.probe_steps,
            "overrides": list(settings.overrides),
        },
        "planned": {arm: settings.planned(arm) for arm in settings.arms},
        "notes": [
            "All arms of a game start from the same embedded model and run the same recipe: steps, learning rate, "
            "entropy bonus, past selves, seats trained. An arm changes one thing.",
            f"Every figure is taken from {settings.matches} matches of every ordered pair, on deals that no training "
            "sees. Trained rows: the median over training seeds and their range. The start model is one: its "
            "intervals are over deals. Reference rows are scripted players.",
        ],
        "games": [_game(study, game, results) for game in settings.games],
    }


def _game(study: AlignmentStudy, name: str, results: Sequence[Record]) -> dict[str, Any]:
    own = [result for result in results if result["game"] == name]
    by_arm = {arm: sorted((r for r in own if r["arm"] == arm), key=lambda r: int(r["seed"])) for arm in ARMS}
    by_arm = {arm: found for arm, found in by_arm.items() if found}
    game = study.recipe(name, NAIVE, 0).tasks[0].game
    rows = [*(_row(arm, found) for arm, found in by_arm.items()), *_references(study, name)]
    return {
        "game": name,
        "unit": game.unit,
        "rounds": game.num_rounds,
        "players": PLAYERS[name].met(),
        "metrics": _columns(name, rows),
        "rows": rows,
        "targets": [_target(by_arm, *target) for target in TARGETS[name]],
        "differences": differences(by_arm),
    }


def _columns(game: str, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The metrics that at least one row has."""
    return [
        {"key": key, "head": head, "definition": definition, "digits": DIGITS[game] if digits is None else digits}
        for key, head, definition, digits, _ in METRICS
        if any(key in row["estimates"] for row in rows)
    ]


def _row(arm: str, found: Sequence[Record]) -> dict[str, Any]:
    estimates, values = {}, {}
    for key, _, _, _, read in METRICS:
        figures = [read(cell) for cell in found]
        values[key] = [None if figure is None else figure["value"] for figure in figures]
        known = [value for value in values[key] if value is not None]
        if ARMS[arm].kind == "start" and figures[0] is not None:
            estimates[key] = dict(figures[0])
        elif known:
            estimates[key] = median(known).to_json()
    values = {key: values[key] for key in estimates}
    kind, label = ARMS[arm].kind, ARMS[arm].label
    return {"arm": arm, "label": label, "kind": kind, "seeds": len(found), "estimates": estimates, "values": values}


def median(values: Sequence[float]) -> Estimate:
    """The median over seeds; its interval is their range, which covers it with probability 1 - 2^(1 - n)."""
    n = len(values)
    low, high = (min(values), max(values)) if n > 1 else (float("nan"), float("nan"))
    return Estimate(statistics.median(values), low, high, n, level=1 - 2.0 ** (1 - n), method="median, range of seeds")


def _references(study: AlignmentStudy, name: str) -> list[dict[str, Any]]:
    """The scripts as rows: greedy, cooperative and reciprocal, each meeting itself and the first two."""
    task = study.recipe(name, NAIVE, 0).tasks[0]
    players, rows = PLAYERS[name], []
    for script in (players.cooperative, players.greedy, players.reciprocal):
        agents = scripted(task.profile, {AGENT: script, **players.met()})
        cell = {"met": meetings(task.game, agents, AGENT, study.settings.matches)}
        found = {key: dict(figure) for key, _, _, _, read in METRICS if (figure := read(cell)) is not None}
        found.pop("fault_rate", None)
        label = script.replace("_", " ")
        rows.append({"arm": script, "label": label, "kind": "reference", "seeds": 0, "estimates": found, "values": {}})
    return rows


def _target(
    by_arm: Mapping[str, Sequence[Record]], arm: str, metric: str, relation: str, bound: float
) -> dict[str, Any]:
    """A target with what was measured: whether the median meets it, and how many seeds do."""
    values = _values(by_arm.get(arm, ()), metric)
    met = [value >= bound if relation == "at least" else value <= bound for value in values.values()]
    middle = statistics.median(values.values()) if values else None
    reached = None if middle is None else middle >= bound if relation == "at least" else middle <= bound
    target = {"arm": arm, "metric": metric, "relation": relation, "bound": bound}
    return target | {"value": middle, "met": reached, "seeds_met": sum(met), "seeds": len(met)}


def differences(by_arm: Mapping[str, Sequence[Record]]) -> list[dict[str, Any]]:
    """Paired differences between arms, each a mean over the seeds both have with a t interval over seeds."""
    found = []
    for arm, minus in DIFFERENCES:
        for metric in COMPARED:
            own, other = (_values(by_arm.get(name, ()), metric) for name in (arm, minus))
            if ARMS[minus].kind == "start":
                other = dict.fromkeys(own, other[0]) if other else {}
            gaps = [own[seed] - other[seed] for seed in own if seed in other]
            if gaps:
                estimate = clustered_mean(gaps, range(len(gaps)), method="paired t over seeds")
                found.append({"arm": arm, "minus": minus, "metric": metric, "estimate": estimate.to_json()})
    return found


def _values(found: Sequence[Record], metric: str) -> dict[int, float]:
    """A metric by seed, where it was measured."""
    read = next(read for key, _, _, _, read in METRICS if key == metric)
    figures = {int(cell["seed"]): read(cell) for cell in found}
    return {seed: float(figure["value"]) for seed, figure in figures.items() if figure is not None}
