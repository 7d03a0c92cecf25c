"""The value of an objective and its exact slope at every word a policy may say, for games that can be enumerated.

For a term E[sum of a figure] against one script in one seat, the derivative by what is played at an information state
is the seat's own part in reaching it times what is expected afterwards (`script_tree`), and the fault rule says how
words become play (`fault_play`). The terms are those of the credit rule (`objectives.rules.Expectation`), and so is
what a decision is credited with; the gate of a clipped term opens and closes by the exact expectation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise.core import Game, InformationState, Opponent
from equipoise.games.domain import Profile
from equipoise.objectives.rules import Expectation
from equipoise.objectives.sepo import CreditWeights
from equipoise.policies.prompts import Question
from equipoise.training.exact_meetings import Figure, Meetings, PlayedMeeting, ScriptMeeting
from equipoise.training.experience import PlaySettings, pools_of
from equipoise.training.fault_play import FAULT_PLAYS, Flat, Words
from equipoise.training.script_tree import MOST_STATES, Point, ScriptTree, too_large

Said = Callable[[Sequence[Question]], Sequence[Sequence[float]]]
"""The log-probability of each legal action's words at each (seat, information state, legal actions)."""


@dataclass(frozen=True, eq=False)
class Slope:
    """How an objective rises with a policy's words.

    Attributes:
        questions: The information states that play can reach, [I].
        words: What the policy says there.
        pulls: The weight of grad log-probability of each legal action's words in the gradient, [W].
        visits: Expected visits of each state in an episode, opponents and seats drawn evenly, [I].
        metrics: Exact figures of the policy.
    """

    questions: list[Question]
    words: Words
    pulls: Flat
    visits: NDArray[np.float64]
    metrics: dict[str, float]


class ExactObjective:
    """An objective over the scripted pools, and over adversaries made to measure, in one game."""

    def __init__(
        self, game: Game, profile: Profile, settings: PlaySettings, weights: CreditWeights, expectation: Expectation
    ) -> None:
        """Enumerates play against the scripts.

        Args:
            game: For two players.
            profile: Whose pools and hazards.
            settings: Opponents, seats and fault rule; nothing is drawn, so deals and rollouts do not count.
            weights: Of the terms.
            expectation: Which terms, and what a decision is credited with.

        Raises:
            UserError: For a game that is too large, or a script that gives no distribution.
        """
        self.game, self.profile, self.settings = game, profile, settings
        self.weights, self.expectation = weights, expectation
        self._fault_play = FAULT_PLAYS[settings.fault_rule]
        self._numbers: dict[tuple[int, InformationState], int] = {}
        self._known: list[Question] = []
        self._scripted: dict[str, list[ScriptMeeting]] = {}
        for script in (o for _, members in pools_of(profile, settings, ()) for o in members):
            if script.name not in self._scripted:
                self._scripted[script.name] = self._meetings(script)
                self._reached(self._scripted.values())  # refused as soon as there are too many

    @property
    def questions(self) -> list[Question]:
        """The information states that play against the scripts can reach."""
        return [self._known[state] for state in self._reached(self._scripted.values())]

    def slope(self, made: Sequence[Opponent], always_open: frozenset[str], said: Said) -> Slope:
        """The objective's slope at a policy.

        Args:
            made: The opponents made to measure, exploiters all.
            always_open: Names of those whose gate stays open.
            said: The policy's words.

        Raises:
            UserError: As the constructor.
        """
        meetings = {**self._scripted, **{opponent.name: self._meetings(opponent) for opponent in made}}
        states = self._reached(meetings.values())
        words = Words.of(said([self._known[state] for state in states]))
        number, firsts = (np.zeros(len(self._known), dtype=np.intp) for _ in range(2))
        number[states], firsts[states] = np.arange(len(states)), words.firsts
        played = self._fault_play.played(words)
        table = Meetings(
            {name: [PlayedMeeting(m, firsts, played) for m in seats] for name, seats in meetings.items()},
            [(pool, o.name) for pool, members in pools_of(self.profile, self.settings, made) for o in members],
            always_open,
        )
        terms = self.expectation.terms(self.weights)
        slope = np.zeros(len(words.owner))
        for name, worths in table.worths(terms).items():
            for one in table.met[name]:  # a place is met once in a tree
                slope[one.places] += one.slope(worths, self.game.max_slots, self.expectation, self.weights.discount)
        visits, everybody = np.zeros(len(states)), table.everybody()
        for one in everybody:
            visits[number[one.states]] += one.visits / len(everybody)
        faults = self._fault_play.faults(words)[words.firsts]
        metrics = {
            "fault_rate": float(visits @ faults / visits.sum()),
            "objective": sum(map(table.value, terms)) / self.game.num_rounds,
            **self._figures(table, frozenset(opponent.name for opponent in made)),
        }
        questions = [self._known[state] for state in states]
        return Slope(questions, words, self._fault_play.pulls(words, slope), visits, metrics)

    def _figures(self, table: Meetings, made: frozenset[str]) -> dict[str, float]:
        """What the policy is paid and shows, per round, each against the pool it is defined on."""
        rounds = self.game.num_rounds
        figures: dict[str, Figure] = {"payoff": lambda f: f.own}
        if not self.game.zero_sum:
            figures |= {"welfare": lambda f: f.own + f.other, "externality": lambda f: f.externality}
        train, collusive = table.of(["train"]), table.of(["collusive"])
        found = {name: table.mean(train, figure) / rounds for name, figure in figures.items() if train}
        if collusive:
            found["collusion"] = table.mean(collusive, lambda f: f.collusion) / rounds
        scripts = [name for name in table.of(["exploiter"]) if name not in made]
        if scripts:
            gaps = [max(0.0, table.mean([name], lambda f: f.other - f.own)) for name in scripts]
            found["exact_pool_exploitability"] = float(np.mean(gaps)) / rounds
        return found

    def _meetings(self, opponent: Opponent) -> list[ScriptMeeting]:
        """A script in every seat that it meets the agent from."""
        forfeits = self._fault_play.forfeits
        trees = [ScriptTree(self.game, self.profile, opponent, s, forfeits=forfeits) for s in self.settings.seats]
        numbers = [[self._number(tree.seat, point) for point in tree.points] for tree in trees]
        return [ScriptMeeting(tree, np.array(own, dtype=np.intp)) for tree, own in zip(trees, numbers, strict=True)]

    def _number(self, seat: int, point: Point) -> int:
        """The number of an information state; what was never met before gets the next one."""
        number = self._numbers.setdefault((seat, point.information_state), len(self._known))
        if number == len(self._known):
            self._known.append((seat, point.information_state, point.legal))
        return number

    def _reached(self, meetings: Iterable[Sequence[ScriptMeeting]]) -> NDArray[np.intp]:
        """The numbers of the information states of some meetings, each once."""
        met = [meeting.states for seats in meetings for meeting in seats]
        states = np.unique(np.concatenate([np.empty(0, dtype=np.intp), *met]))
        if len(states) > MOST_STATES:
            raise too_large(self.game, f"{MOST_STATES} information states")
        return states
