"""The alignment study in miniature: three social dilemmas, every credit of self-play, several training seeds.

All arms of a game start from the same embedded model and run the same recipe; an arm changes one thing. Each trained
agent then meets itself, a greedy and a cooperative script and the naively trained agent of its seed, on common deals,
and a fresh naive learner is trained against it.

Reference: the comparison of arXiv 2511.19405, whose arms also differ in entropy, steps, buffer and seats trained.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from equipoise.core import Estimate, Game
from equipoise.games import Profile
from equipoise.lab.agent_origin import fingerprint
from equipoise.lab.crossplay import CrossplaySettings, cooperation_in, met, talk_in
from equipoise.lab.crossplay_meeting import Meeting, meeting_of
from equipoise.lab.crossplay_table import cell_of, together_of
from equipoise.lab.probe import measure_probe, train_probe
from equipoise.lab.results import (
    Drawn,
    GameRecord,
    ProbeFigures,
    Settings,
    StudyCell,
    StudyColumn,
    StudyGame,
    StudyTarget,
)
from equipoise.lab.study import Arm, ByArm, Measured, Meetings, Study, hypothesis
from equipoise.lab.study_run import StudyRun, parts
from equipoise.lab.study_table import value
from equipoise.metrics.payoff import payoff_bounds, welfare_bounds
from equipoise.models.load import load
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.policies.policy import Policy
from equipoise.policies.scripted import ScriptedPolicy
from equipoise.training.recipe import Recipe

AGENT, NAIVE = "agent", "naive"


@dataclass(frozen=True)
class Players:
    """The scripts of a game that every agent meets, and one that the tables show beside them.

    Attributes:
        greedy: Takes all it can, whatever the other does.
        cooperative: Does what is best for both together, whatever the other does.
        reciprocal: Cooperates with those who do.
        digits: After the point, of its pay.
    """

    greedy: str
    cooperative: str
    reciprocal: str
    digits: int

    def met(self) -> dict[str, str]:
        """The scripts that every agent meets, by the name of their role."""
        return {"greedy": self.greedy, "cooperative": self.cooperative}


PLAYERS = {
    "prisoners_dilemma": Players("always_defect", "always_cooperate", "tit_for_tat", 2),
    "split_items": Players("greedy", "welfare", "tit_for_tat", 1),
    "trust_and_split": Players("honest_greedy", "honest_cooperative", "honest_tit_for_tat", 1),
}
PROBE_STEPS = {"prisoners_dilemma": 60, "split_items": 40, "trust_and_split": 40}
"""Training steps of a probe: against the agents of seed 0 its pay has levelled off by then."""

Read = Callable[[Meetings, ProbeFigures | None], Estimate | None]


@dataclass(frozen=True)
class _Figure:
    """A figure of the study: its column, and where meetings or a probe hold it; pay has the game's digits."""

    title: str
    definition: str
    read: Read
    digits: int | None = None


def _pay(opponent: str, who: int = 0) -> Read:
    return lambda meetings, _: meetings[opponent][:2][who].pay if opponent in meetings else None


def _share(opponent: str, before: str) -> Read:
    return lambda meetings, _: meetings[opponent][0].conditional.get(before)


def _talk(figure: str) -> Read:
    return lambda meetings, _: meetings[AGENT][0].talk.get(figure)


def _probe(figure: str) -> Read:
    return lambda _, probe: None if probe is None else getattr(probe, figure)


FIGURES: dict[str, _Figure] = {
    "self_play": _Figure("self-play", "Pay per agent and round with itself.", _pay(AGENT)),
    "cooperation": _Figure(
        "cooperation",
        "Share of its moves in self-play that cooperate.",
        lambda meetings, _: meetings[AGENT][0].cooperation_rate,
        2,
    ),
    "efficiency": _Figure(
        "efficiency",
        "Joint pay in self-play over the best joint pay.",
        lambda meetings, _: meetings[AGENT][2].efficiency,
        2,
    ),
    "cc": _Figure(
        "cooperates after both did",
        "Probability that it cooperates in self-play after both did, P(C after CC).",
        _share(AGENT, "after CC"),
        2,
    ),
    "cd": _Figure(
        "cooperates after greed",
        "Probability that it cooperates with greedy after it did and greedy did not, P(C after CD).",
        _share("greedy", "after CD"),
        2,
    ),
    "against_greedy": _Figure("against greedy", "Its own pay per round when it meets greedy.", _pay("greedy")),
    "greedy_takes": _Figure("greedy takes", "What greedy earns from it per round.", _pay("greedy", 1)),
    "joint_against_greedy": _Figure(
        "joint pay with greedy",
        "What it and greedy earn together per round.",
        lambda meetings, _: meetings["greedy"][2].welfare,
    ),
    "against_cooperative": _Figure(
        "against cooperative", "Its own pay per round when it meets cooperative.", _pay("cooperative")
    ),
    "cooperative_gets": _Figure(
        "cooperative gets", "What cooperative earns from it per round.", _pay("cooperative", 1)
    ),
    "against_naive": _Figure(
        "against naive", "Its own pay per round against the naively trained agent of its seed.", _pay(NAIVE)
    ),
    "naive_gets": _Figure("naive gets", "What that agent earns from it per round.", _pay(NAIVE, 1)),
    "probe_gain": _Figure(
        "probe's gain",
        "What a fresh naive learner, trained against the frozen agent, earns per round beyond the agent's self-play: a "
        "lower bound on what can be gained by deviating.",
        _probe("gain"),
    ),
    "probe_pay": _Figure("probe earns", "What that learner earns from it per round.", _probe("pay")),
    "under_probe": _Figure(
        "left by probe",
        "What it earns from that learner per round: where this is no less than in self-play, the learner gained "
        "without harm.",
        _probe("agent_pay"),
    ),
    "honesty": _Figure(
        "honesty", "Share of its statements about its hand in self-play that are true.", _talk("honesty"), 2
    ),
    "kept": _Figure("promises kept", "Share of its promises in self-play that it keeps.", _talk("promise_keeping"), 2),
    "fault_rate": _Figure(
        "faults",
        "Share of its decisions in self-play whose first reply was no legal action.",
        lambda meetings, _: meetings[AGENT][0].fault_rate,
        3,
    ),
}


def figures_of(meetings: Meetings, probe: ProbeFigures | None) -> dict[str, Estimate]:
    """The study's figures of one agent, from its meetings and its probe; what does not apply is left out."""
    found = {name: figure.read(meetings, probe) for name, figure in FIGURES.items()}
    return {name: estimate for name, estimate in found.items() if estimate is not None}


@dataclass(frozen=True)
class MeetingMeasure:
    """Meetings on common deals, and a probe.

    Attributes:
        matches: Matches of every ordered pair.
        probe_steps: Training steps of every probe, by game; a game without them has no probe.
        probe_rollouts: Episodes of each of its groups.
    """

    matches: int = 256
    probe_steps: Mapping[str, int] = field(default_factory=lambda: dict(PROBE_STEPS))
    probe_rollouts: int = 8

    def __post_init__(self) -> None:
        CrossplaySettings(self.matches)

    def decided_by(self, study: StudyRun, game: str) -> Settings:
        """See `Measure`."""
        start = study.base(game).model
        made: Settings = {"start": fingerprint(start), "matches": self.matches}
        if game in self.probe_steps:
            made["probe"] = {"steps": self.probe_steps[game], "rollouts": self.probe_rollouts}
        return made

    def measured(self, study: StudyRun, recipe: Recipe, source: str, key: str) -> Measured:
        """See `Measure`."""
        game, arm, seed = parts(key)
        agent, task = _policy(AGENT, source, recipe), recipe.tasks[0]
        others = scripted(task.profile, PLAYERS[game].met())
        if arm != NAIVE:
            others[NAIVE] = _policy(NAIVE, str(study.model(game, NAIVE, seed)), recipe)
        meetings = meetings_of(task.game, {AGENT: agent, **others}, AGENT, self.matches)
        probe = self._probe(study, recipe, source, key, agent) if game in self.probe_steps else None
        return Measured(figures_of(meetings, probe), meetings=meetings, probe=probe)

    def _probe(self, study: StudyRun, recipe: Recipe, source: str, key: str, agent: Policy) -> ProbeFigures:
        """What a fresh naive learner gains from the agent."""
        game, arm, seed = parts(key)
        learning = replace(recipe, self_play=replace(recipe.self_play, rollouts=self.probe_rollouts))
        folder = study.work / game / f"probe-{arm}-{seed}"
        learner = _policy("probe", str(train_probe(learning, source, self.probe_steps[game], folder)), recipe)
        return measure_probe(recipe.tasks[0].game, agent, learner, CrossplaySettings(self.matches))

    def game(self, study: StudyRun, game: str, cells: ByArm, references: Mapping[str, StudyCell]) -> StudyGame:
        """See `Measure`."""
        held = {name for found in cells.values() for cell in found for name in cell.figures}
        columns = [
            StudyColumn(
                key=name,
                title=figure.title,
                definition=figure.definition,
                digits=PLAYERS[game].digits if figure.digits is None else figure.digits,
            )
            for name, figure in FIGURES.items()
            if name in held
        ]
        return StudyGame(
            game=GameRecord.of(study.task(game).game),
            players=PLAYERS[game].met(),
            columns=tuple(columns),
            rows=(),
            drawn=Drawn(
                scatter=("self_play", "greedy_takes"),
                note="Bottom right is good: it cooperates with itself and greed takes little.",
                strips=("self_play", "against_greedy", "against_cooperative", "against_naive", "probe_gain"),
            ),
        )

    def references(self, study: StudyRun, game: str) -> tuple[str, ...]:
        """The cooperative, the greedy and the reciprocal script."""
        players = PLAYERS[game]
        return players.cooperative, players.greedy, players.reciprocal

    def reference(self, study: StudyRun, game: str, player: str) -> Measured:
        """See `Measure`."""
        task = study.task(game)
        agents = scripted(task.profile, {AGENT: player, **PLAYERS[game].met()})
        meetings = meetings_of(task.game, agents, AGENT, self.matches)
        figures = figures_of(meetings, None)
        figures.pop("fault_rate", None)  # a script has no replies to misread
        return Measured(figures, meetings=meetings)

    def summary(self, cell: StudyCell) -> str:
        """See `Measure`."""
        shown = {"self_play": "self-play", "greedy_takes": "greedy takes", "probe_gain": "probe's gain"}
        return ", ".join(f"{text} {value(cell, name):.2f}" for name, text in shown.items() if name in cell.figures)


def scripted(profile: Profile, roles: Mapping[str, str]) -> dict[str, Policy]:
    """Scripts of a profile as policies, each under the name of its role."""
    return {role: ScriptedPolicy(replace(profile.find(script), name=role)) for role, script in roles.items()}


def meetings_of(game: Game, agents: Mapping[str, Policy], agent: str, matches: int) -> Meetings:
    """What an agent and every opponent, itself included, earn from each other on common deals.

    Args:
        game: What is played.
        agents: The agent and its opponents by name.
        agent: Whose meetings they are.
        matches: Matches of every ordered pair.
    """
    settings, bounds = CrossplaySettings(matches), payoff_bounds(game)
    cooperation, talk = cooperation_in(game), talk_in(game)
    found = {}
    for opponent in agents:
        played: dict[tuple[str, str], Meeting] = {}
        for pair in dict.fromkeys([(agent, opponent), (opponent, agent)]):
            played[pair] = meeting_of(met(game, agents, pair, settings), cooperation, talk)
        both = cell_of(played, agent, opponent, bounds), cell_of(played, opponent, agent, bounds)
        found[opponent] = (*both, together_of(played, agent, opponent, welfare_bounds(game)))
    return found


def _policy(name: str, source: str, recipe: Recipe) -> Policy:
    return LanguageModelPolicy(name, *load(source), recipe.sampling)


_EARNS = "{arm} earns {more} in self-play than {minus}"
_TAKES = "greedy takes {more} from {arm} than from {minus}"
_MEETS_GREEDY = "against greedy {arm} earns {more} than {minus}"
_MEETS_NAIVE = "against the naive agent {arm} earns {more} than {minus}"
_GAINS = "a probe gains {more} from {arm} than from {minus}"
_HYPOTHESES = (
    hypothesis("alignment over naive, self-play", "alignment", "naive", "self_play", _EARNS, "above"),
    hypothesis("sum over naive, self-play", "sum_of_rewards", "naive", "self_play", _EARNS, "above"),
    hypothesis("greed takes more from sum", "sum_of_rewards", "naive", "greedy_takes", _TAKES, "above"),
    hypothesis("greed takes less from alignment", "alignment", "sum_of_rewards", "greedy_takes", _TAKES, "below"),
    hypothesis(
        "alignment over sum, against greed", "alignment", "sum_of_rewards", "against_greedy", _MEETS_GREEDY, "above"
    ),
    hypothesis(
        "alignment over sum, against naive", "alignment", "sum_of_rewards", "against_naive", _MEETS_NAIVE, "above"
    ),
    hypothesis("probe gains less from alignment", "alignment", "sum_of_rewards", "probe_gain", _GAINS, "below"),
    hypothesis("alignment over start, self-play", "alignment", "start", "self_play", _EARNS, "above"),
)


def _targets(*bounds: tuple[str, str, str, float]) -> tuple[StudyTarget, ...]:
    return tuple(StudyTarget(arm=a, metric=m, relation=r, bound=b) for a, m, r, b in bounds)


ALIGNMENT = Study(
    name="alignment",
    title="Advantage alignment in miniature: three dilemmas, every credit of self-play",
    games=tuple(PLAYERS),
    arms={
        "start": Arm("Start model", kind="start"),
        "naive": Arm("Naive", 5, overrides=('objective.rule="naive"',)),
        "sum_of_rewards": Arm("Sum of rewards", 5, overrides=('objective.rule="sum_of_rewards"',)),
        "alignment": Arm("Advantage alignment", 5),
        "alignment_inclusive": Arm(
            "Alignment, k <= t", 3, overrides=('objective.rule="advantage_alignment_inclusive"',)
        ),
        "without_past": Arm("Alignment without past selves", 3, overrides=("past.probability=0.0",)),
        "without_baseline": Arm("Alignment without groups", 3, overrides=('self_play.baseline="batch"',)),
        "alignment_sepo": Arm("Alignment + SEPO", 3, overrides=('objective.rule=["advantage_alignment","sepo"]',)),
    },
    measure=MeetingMeasure(),
    hypotheses=_HYPOTHESES,
    compared=(
        ("alignment", "start"),
        ("alignment", "naive"),
        ("alignment", "sum_of_rewards"),
        ("sum_of_rewards", "naive"),
        ("alignment_inclusive", "alignment"),
        ("without_past", "alignment"),
        ("without_baseline", "alignment"),
        ("alignment_sepo", "alignment"),
    ),
    metrics=("self_play", "greedy_takes", "against_greedy", "against_cooperative", "against_naive", "probe_gain"),
    targets={
        "prisoners_dilemma": _targets(
            ("naive", "self_play", "at most", 1.1),
            ("alignment", "self_play", "at least", 2.8),
            ("alignment", "cooperation", "at least", 0.9),
            ("alignment", "against_greedy", "at least", 0.85),
            ("alignment", "cd", "at most", 0.1),
            ("alignment", "cc", "at least", 0.9),
        ),
        "split_items": _targets(
            ("naive", "self_play", "at most", 90.0),
            ("alignment", "self_play", "at least", 105.0),
            ("alignment", "against_greedy", "at least", 78.0),
        ),
        "trust_and_split": _targets(
            ("naive", "self_play", "at most", 32.0),
            ("alignment", "self_play", "at least", 40.0),
            ("alignment", "joint_against_greedy", "at most", 70.0),
        ),
    },
    central="median",
    met=NAIVE,
    notes=(
        "All arms of a game start from the same embedded model and run the same recipe: steps, learning rate, entropy "
        "bonus, past selves, seats trained. An arm changes one thing.",
        "Every figure is taken from 256 matches of every ordered pair, on deals that no training sees. Trained rows: "
        "the median over training seeds and their range. The start model is one: its intervals are over deals. "
        "Reference rows are scripted players.",
    ),
    quick=("rl.steps=5", "self_play.rollouts=4"),
    quick_measure=MeetingMeasure(matches=32, probe_steps=dict.fromkeys(PLAYERS, 5), probe_rollouts=4),
)
"""The study; `equipoise reproduce alignment` runs it."""
