"""A policy's meetings with scripts: what it can expect of each, term by term."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from equipoise.objectives.rules import Expectation
from equipoise.objectives.sepo import Figures, Pool, Term
from equipoise.training.script_tree import ScriptTree

Figure = Callable[[Figures], NDArray[np.float64]]
"""What is added up of an episode."""


@dataclass(frozen=True, eq=False)
class ScriptMeeting:
    """One script met in one seat.

    Attributes:
        tree: The seat's sequences.
        states: Number of the information state of each of the tree's points among all that are known, [I].
    """

    tree: ScriptTree
    states: NDArray[np.intp]


class PlayedMeeting:
    """A meeting under one policy.

    Attributes:
        states: As in `ScriptMeeting`.
        places: Where each of the tree's moves stands among the policy's words, [M].
    """

    def __init__(self, meeting: ScriptMeeting, firsts: NDArray[np.intp], played: NDArray[np.float64]) -> None:
        """Plays a policy.

        Args:
            meeting: Who is met.
            firsts: The place of the first word of each known state.
            played: Probability of each place's being played.
        """
        tree = self._tree = meeting.tree
        self.states = meeting.states
        self.places: NDArray[np.intp] = (firsts[self.states] - tree.starts)[tree.owner] + np.arange(len(tree.owner))
        self._played = played[self.places]
        self._reach = tree.reach(self._played)

    def expected(self, figure: Figure) -> float:
        """What an episode adds up."""
        return float((self._reach @ figure(self._tree.paid)).sum())

    @cached_property
    def visits(self) -> NDArray[np.float64]:
        """Expected visits of each point, [I]."""
        found: NDArray[np.float64] = self._tree.mass * self._reach[self._tree.before]
        return found

    def slope(
        self, worths: Mapping[Figure, float], slots: int, expectation: Expectation, discount: float
    ) -> NDArray[np.float64]:
        """The slope of expected returns by what is played, for each move, [M].

        Args:
            worths: What each figure is worth.
            slots: Decisions of a round.
            expectation: What a decision is credited with.
            discount: Of returns.
        """
        tree = self._tree
        paid = np.sum([worth * figure(tree.paid) for figure, worth in worths.items()], axis=0)
        after = tree.worth(self._played, paid)[1:]
        steps = np.zeros((len(after), after.shape[1] * slots))
        steps[:, slots - 1 :: slots] = after  # a round pays in its last slot, as in sampled batches
        credit = expectation.returns(steps, discount)[np.arange(len(steps)), tree.times[tree.owner]]
        slope: NDArray[np.float64] = self._reach[tree.before][tree.owner] * credit
        return slope


@dataclass(frozen=True, eq=False)
class Meetings:
    """All meetings of a step under one policy.

    Attributes:
        met: By the opponent's name, one in every seat.
        members: Every opponent of every pool; one may be in several.
        always_open: Opponents whose gate stays open, as they are best responses.
    """

    met: Mapping[str, Sequence[PlayedMeeting]]
    members: Sequence[tuple[Pool, str]]
    always_open: frozenset[str]

    def of(self, pools: Sequence[Pool]) -> list[str]:
        """The opponents of some pools."""
        return [name for pool, name in self.members if pool in pools]

    def mean(self, names: Sequence[str], figure: Figure) -> float:
        """The mean over some opponents of what an episode adds up, seats evenly."""
        return float(np.mean([np.mean([one.expected(figure) for one in self.met[name]]) for name in names]))

    def everybody(self) -> list[PlayedMeeting]:
        """Every meeting, once for every pool that its opponent is in."""
        return [one for _, name in self.members for one in self.met[name]]

    def value(self, term: Term) -> float:
        """What a term adds to the objective; 0 where its pools are empty."""
        names = self.of(term.pools)
        means = [self.mean([name], term.figure) for name in names if self._counts(term, name)]
        return term.factor * sum(means) / len(names) if names else 0.0

    def worths(self, terms: Sequence[Term]) -> dict[str, dict[Figure, float]]:
        """By opponent, what each figure of an episode in one of its seats is worth to the objective."""
        worths: dict[str, dict[Figure, float]] = {}
        for term in terms:
            names = self.of(term.pools)
            for name in names:
                if self._counts(term, name):
                    own = worths.setdefault(name, {})
                    own[term.figure] = own.get(term.figure, 0.0) + term.factor / len(names) / len(self.met[name])
        return worths

    def _counts(self, term: Term, name: str) -> bool:
        """Whether an opponent's gate is open."""
        return not term.clipped or name in self.always_open or self.mean([name], term.figure) > 0
