"""All that one seat can do against one script, and what comes of it: chance and the script are summed out once.

The sequence form of one seat, as in `metrics.tree`, with what training counts: pay and hazards round by round, and
forfeits that play goes on after. A *sequence* is what the seat has done so far: nothing (0), or what ends in a *move*,
a legal action at one of its information states or a forfeit there. What the others make of it is a number for each
sequence, so that a policy's expectations, and their slopes, are one pass up or down the sequences.

A hazard reads whole episodes, so every history is written down as the episode that the arena would record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from equipoise.core import CHANCE, Action, Decision, Episode, Fault, Game, InformationState, Opponent, Reply, State
from equipoise.errors import UserError, said
from equipoise.games.domain import Profile
from equipoise.metrics.exact import SUM_TOLERANCE
from equipoise.training.play import AGENT

MOST_STATES = 4_096
"""Information states of one step; each is a prompt that is scored and trained on."""

MOST_HISTORIES = 50_000
"""Points of play against one script in one seat: two seconds, and again for an adversary whenever it is refreshed."""

_FORFEITED = Fault("unparsable", "no legal action's words")


@dataclass(frozen=True, slots=True)
class Point:
    """One information state of the seat.

    Attributes:
        information_state: What the seat has seen.
        legal: Its legal actions.
        first: The sequence of the first legal action; the others follow, then the forfeit.
    """

    information_state: InformationState
    legal: tuple[Action, ...]
    first: int


@dataclass(frozen=True, eq=False)
class Paid:
    """What comes of each sequence where play ends after it, weighted by chance and the script, [S, R] each."""

    own: NDArray[np.float64]
    other: NDArray[np.float64]
    collusion: NDArray[np.float64]
    externality: NDArray[np.float64]


class ScriptTree:
    """One seat's sequences against a script.

    Attributes:
        seat: Whose.
        points: The seat's information states, each after those before it.
        mass: How likely the others are to lead to each, [I].
        before: The sequence that leads to each, [I].
        times: The time step of each, [I].
        starts: Number of each point's first move, [I]; move m ends sequence m + 1.
        owner: The point of each move, [M].
        paid: What the figures come to.
    """

    def __init__(self, game: Game, profile: Profile, opponent: Opponent, seat: int, *, forfeits: bool) -> None:
        """Walks every history that the script leaves possible.

        Args:
            game: For two players.
            profile: Whose hazards.
            opponent: The script, in the other seat.
            seat: Whose sequences.
            forfeits: Whether the seat can forfeit.

        Raises:
            UserError: For more than `MOST_HISTORIES` histories or `MOST_STATES` information states, a seat that forgets
                what it did or when, or a script that fails or gives no distribution.
        """
        walk = _Walk(game, profile, opponent, seat, forfeits)
        walk.run()
        self.seat, self.points = seat, walk.points
        self.mass = np.array(walk.mass)
        self.before, self.times = (np.array(column, dtype=np.intp) for column in (walk.before, walk.times))
        sizes = np.array([len(point.legal) + 1 for point in self.points], dtype=np.intp)
        self.starts = np.cumsum(sizes) - sizes
        self.owner = np.repeat(np.arange(len(sizes)), sizes)
        paid = np.zeros((4, 1 + len(self.owner), game.num_rounds))
        for sequence, figures in walk.paid.items():
            paid[:, sequence] = figures
        self.paid = Paid(*paid)
        self._levels = self._by_length()

    def reach(self, played: NDArray[np.float64]) -> NDArray[np.float64]:
        """The seat's own part in the probability of each sequence, [S].

        Args:
            played: Probability of each move at its point, [M].
        """
        reach = np.ones(len(played) + 1)
        for moves in self._levels:
            reach[moves + 1] = reach[self.before[self.owner[moves]]] * played[moves]
        return reach

    def worth(self, played: NDArray[np.float64], paid: NDArray[np.float64]) -> NDArray[np.float64]:
        """What is expected after each sequence, round by round, weighted by chance and the script, [S, R].

        Args:
            played: As in `reach`.
            paid: What each sequence pays where play ends after it, weighted likewise, [S, R].
        """
        worth = paid.copy()
        for moves in reversed(self._levels):
            np.add.at(worth, self.before[self.owner[moves]], played[moves, None] * worth[moves + 1])
        return worth

    def _by_length(self) -> list[NDArray[np.intp]]:
        """The moves that end sequences of one, two, three ... moves."""
        length = np.zeros(len(self.owner) + 1, dtype=np.intp)
        for move, point in enumerate(self.owner):  # what comes before has a lower number
            length[move + 1] = length[self.before[point]] + 1
        return [np.flatnonzero(length[1:] == each) for each in range(1, int(length.max()) + 1)]


@dataclass(frozen=True, slots=True)
class _History:
    """How play came to a state, and how likely chance and the script made it."""

    state: State
    weight: float
    sequence: int = 0
    decisions: tuple[Decision, ...] = ()
    paid: tuple[tuple[int, tuple[float, ...]], ...] = ()


def too_large(game: Game, what: str) -> UserError:
    """The refusal of a game that has more of something than can be enumerated."""
    return UserError(
        f"{game.name} {game.parameters} has more than {what}; exact gradients need a smaller game, for example fewer "
        "rounds, else rl.gradient = 'sampled'"
    )


class _Walk:
    def __init__(self, game: Game, profile: Profile, opponent: Opponent, seat: int, forfeits: bool) -> None:
        self._game, self._opponent, self._seat, self._forfeits = game, opponent, seat, forfeits
        hazards = (profile.collusion, profile.externality)
        self._hazards = [h if h is not None and (h.low or h.high) else None for h in hazards]
        self._names = (AGENT, opponent.name) if seat == 0 else (opponent.name, AGENT)
        self._known: dict[InformationState, int] = {}
        self._sequences = 1
        self.points: list[Point] = []
        self.before: list[int] = []
        self.times: list[int] = []
        self.mass: list[float] = []
        self.paid: dict[int, NDArray[np.float64]] = {}

    def run(self) -> None:
        pending = [_History(self._game.initial_state(), 1.0)]
        count = 0
        while pending:
            history = pending.pop()
            count += 1
            for what, many, most in (
                ("points of play", count + len(pending), MOST_HISTORIES),
                ("information states", len(self.points), MOST_STATES),
            ):
                if many > most:
                    raise too_large(self._game, f"{most} {what} against {self._opponent.name!r}")
            if history.state.is_terminal:
                self._end(history)
            elif history.state.is_chance:
                pending += [
                    self._next(history, history.state.child({CHANCE: outcome}), probability)
                    for outcome, probability in history.state.chance_outcomes()
                    if probability > 0
                ]
            else:
                pending += self._decided(history)

    def _decided(self, history: _History) -> list[_History]:
        """What may follow where somebody moves."""
        movers = history.state.players_to_move
        own = self._own(history) if self._seat in movers else [(history.sequence, ())]
        theirs = self._scripted(history) if 1 - self._seat in movers else [((), 1.0)]
        return [self._moved(history, sequence, mine + made, p) for sequence, mine in own for made, p in theirs]

    def _moved(self, history: _History, sequence: int, made: tuple[Decision, ...], probability: float) -> _History:
        """The history once some decisions are taken at once."""
        if any(decision.action is None for decision in made):
            state = history.state.forfeit(self._seat)
        else:
            state = history.state.child({decision.seat: decision.action for decision in made})
        decisions = history.decisions + tuple(sorted(made, key=lambda decision: decision.seat))
        return self._next(replace(history, sequence=sequence, decisions=decisions), state, probability)

    def _next(self, history: _History, state: State, probability: float) -> _History:
        """The history at a later state; what the way there paid belongs to the round that it left."""
        paid = ((history.state.round, state.rewards),) if any(state.rewards) else ()
        return replace(history, state=state, weight=history.weight * probability, paid=history.paid + paid)

    def _own(self, history: _History) -> list[tuple[int, tuple[Decision, ...]]]:
        """What the seat may do, with the sequences that follow."""
        point = self.points[self._point(history)]
        options: list[tuple[Reply, Action | None]] = [(Reply(self._game.action_text(a)), a) for a in point.legal]
        if self._forfeits:
            options.append((Reply(), None))
        return [
            (point.first + number, (self._decision(history, self._seat, reply, action),))
            for number, (reply, action) in enumerate(options)
        ]

    def _decision(self, history: _History, seat: int, reply: Reply, action: Action | None) -> Decision:
        state, fault = history.state, _FORFEITED if action is None else None
        seen, legal = state.information_state(seat), state.legal_actions(seat)
        return Decision(seat, state.round, _slot(history, seat), seen, legal, reply, action, fault)

    def _scripted(self, history: _History) -> list[tuple[tuple[Decision, ...], float]]:
        """What the script may do, with probabilities."""
        other = 1 - self._seat
        seen, legal = history.state.information_state(other), history.state.legal_actions(other)
        try:
            odds = dict(self._opponent.behaviour(seen, legal))
        except UserError:
            raise
        except Exception as error:  # a script may be a stranger's
            raise UserError(f"the script {self._opponent.name!r} failed: {said(error)}") from error
        _require_distribution(self._opponent.name, odds, legal)
        return [((self._decision(history, other, Reply(action=a), a),), p) for a, p in odds.items() if p > 0]

    def _point(self, history: _History) -> int:
        """The number of the seat's information state, which the history adds its weight to."""
        state, seat = history.state, self._seat
        seen = state.information_state(seat)
        time = state.round * self._game.max_slots + _slot(history, seat)
        number = self._known.setdefault(seen, len(self.points))
        if number == len(self.points):
            legal = state.legal_actions(seat)
            self.points.append(Point(seen, legal, self._sequences))
            self.before.append(history.sequence)
            self.times.append(time)
            self.mass.append(0.0)
            self._sequences += len(legal) + 1
        if (self.before[number], self.times[number]) != (history.sequence, time):
            raise UserError(
                f"seat {seat} of {self._game.name} forgets what it did, or when: {seen} follows two different own "
                "histories; exact gradients need perfect recall"
            )
        self.mass[number] += history.weight
        return number

    def _end(self, history: _History) -> None:
        """Adds up what a finished history pays."""
        rounds = self._game.num_rounds
        rewards = np.zeros((rounds, 2))
        for round_, paid in history.paid:
            rewards[round_] += paid
        figures = np.zeros((4, rounds))
        figures[0], figures[1] = rewards[:, self._seat], rewards[:, 1 - self._seat]
        rows, returns = tuple((float(a), float(b)) for a, b in rewards), tuple(history.state.returns)
        episode = Episode(self._game.name, self._names, 0, history.decisions, rows, returns)
        for row, hazard in enumerate(self._hazards, start=2):
            if hazard is not None:
                figures[row] = hazard(episode, self._seat)
        total = self.paid.setdefault(history.sequence, np.zeros((4, rounds)))
        total += history.weight * figures


def _slot(history: _History, seat: int) -> int:
    """How many decisions a seat has already taken in the round."""
    now = history.state.round
    return sum(decision.seat == seat and decision.round == now for decision in history.decisions)


def _require_distribution(name: str, odds: Mapping[Action, float], legal: tuple[Action, ...]) -> None:
    total = sum(odds.values())
    if not set(odds) <= set(legal) or min(odds.values(), default=-1.0) < 0 or abs(total - 1) > SUM_TOLERANCE:
        raise UserError(
            f"the script {name!r} gave {odds}; allowed: probabilities of {', '.join(map(str, legal))} that sum to one"
        )
