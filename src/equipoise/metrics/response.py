"""The exact best reply to one scripted opponent, by dynamic programming over what the replier can believe.

Against a known script a player faces a decision problem with hidden state: where the game is, and what the script
remembers. A *belief* is the distribution of both given what the player has seen. States are merged that
`Game.payoff_state` and `Opponent.memory` do not tell apart, and equal beliefs are solved once, so games of many rounds
whose tree could not be walked take milliseconds. Moves of chance and of the script that the player does not see are
averaged over and never conditioned on.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from equipoise.core import CHANCE, Action, Behaviour, Game, InformationState, Opponent, State
from equipoise.errors import UserError
from equipoise.games.free_text import text_limit
from equipoise.metrics.tree import tolerance

MAX_TRANSITIONS = 2_000_000
"""The most moves one solution may try; a larger problem raises instead of running for hours."""

_DIGITS = 12
"""Beliefs whose probabilities agree to so many digits are one belief."""

_Pair = tuple[float, float]
"""What the player is paid, and what the script is."""

_Belief = Mapping[Hashable, tuple[State, float]]
"""States by what matters of them, each with one state to stand for all and its probability; they sum to one."""


@dataclass(frozen=True, eq=False)
class ScriptResponse:
    """The best reply to a script.

    Attributes:
        value: Its expected return per episode (from the start state on, if one was given).
        behaviour: The reply as a script, for what it can see when both play by the rules: it never mixes, and ties
            (`tree.tolerance`) go to the first legal action.
        beliefs: How many beliefs were solved.
    """

    value: float
    behaviour: Behaviour
    beliefs: int


def script_response(
    game: Game,
    opponent: Opponent,
    seat: int,
    start: State | None = None,
    *,
    seen: InformationState | None = None,
    most: int = MAX_TRANSITIONS,
) -> ScriptResponse:
    """The reply of the player in `seat` that earns the most against `opponent` in the other seat, exactly.

    Right as far as `payoff_state` and `memory` keep their promises, which `equipoise.testing` checks; without them
    (the defaults) it is right and slow.

    Args:
        game: A two-player game.
        opponent: The script.
        seat: Who replies.
        start: Where play starts, for example one deal; None means the initial state, all deals averaged. The reply then
            knows what was hidden at the start, so the mean over deals is at least the value of the whole game; it is
            equal where what is hidden changes neither the script's moves nor the reply's pay.
        seen: What chance has shown the replier before anybody moves: only deals that look so to it count. It knows
            nothing else of them, so the mean over deals is the value of the whole game.
        most: The most moves the solution may try.

    Raises:
        ValueError: For a game in which players talk or without exactly two seats, a seat it does not have, both `start`
            and `seen`, an opening that no deal shows, or more than `most` moves.
    """
    _check(game, seat)
    if start is not None and seen is not None:
        raise UserError("got both start and seen; a start is one deal, an opening many")
    problem = _Problem(game, opponent, seat, most)
    first = start if start is not None else game.initial_state()
    (value, _), problem.openings = problem.value([(first, 1.0)] if seen is None else _dealt(game, seat, seen))
    return ScriptResponse(value, problem.behaviour, problem.solved)


def reply_by_gains(
    game: Game, opponent: Opponent, seat: int, gains: Sequence[_Pair], *, most: int = MAX_TRANSITIONS
) -> list[float]:
    """The most a player can expect of the first gain against a script; of the second among those replies; and so on.

    `script_response` is the case of the one gain (1, 0). Beliefs are decided one by one, as the information states of
    a tree are (see `GameTree.lexicographic_value`), so that ties are broken over whole continuations.

    Args:
        game: A two-player game.
        opponent: The script, in the other seat.
        seat: Who replies.
        gains: Weights on the player's own and on the script's return, most important first, [K].
        most: The most moves the solution may try.

    Returns:
        The K values per episode.

    Raises:
        ValueError: As `script_response`.
    """
    _check(game, seat)
    problem = _Problem(game, opponent, seat, most, gains)
    returns, _ = problem.value([(game.initial_state(), 1.0)])
    return _weighed(returns, gains)


def _check(game: Game, seat: int) -> None:
    if text_limit(game.actions):
        raise UserError(
            f"players of {game.name} talk, and texts cannot be listed; a best reply needs a game without talk"
        )
    if game.num_players != 2 or seat not in (0, 1):
        raise UserError(f"got seat {seat} of {game.num_players} in {game.name}; allowed: seat 0 or 1 of two players")


def _dealt(game: Game, seat: int, seen: InformationState) -> list[tuple[State, float]]:
    """What chance may have dealt for a seat to have seen this, with probabilities."""
    found: dict[Hashable, tuple[State, float]] = {}
    pending = [(game.initial_state(), 1.0)]
    while pending:
        state, probability = pending.pop()
        view = state.information_state(seat)
        if view != seen[: len(view)]:
            continue
        if state.is_chance:
            pending += [(state.child({CHANCE: outcome}), probability * p) for outcome, p in state.chance_outcomes()]
        else:
            found[len(found)] = state, probability
    if not found:
        raise UserError(f"{game.name} deals nothing that shows seat {seat} {seen}")
    return list(_normalised(found)[0].values())


class _Problem:
    """One player's decisions against one script."""

    def __init__(
        self, game: Game, opponent: Opponent, seat: int, most: int, gains: Sequence[_Pair] = ((1.0, 0.0),)
    ) -> None:
        self._game, self._opponent, self._seat, self._most, self._gains = game, opponent, seat, most, gains
        # States may be merged that pay the player alike; where the script's pay counts, they must pay it alike too.
        self._payees = (seat, 1 - seat) if any(weight for _, weight in gains) else (seat,)
        largest = max(abs(game.max_reward), abs(game.min_reward)) * game.num_rounds
        self._close = [tolerance(largest * (abs(own) + abs(script))) for own, script in gains]
        self._values: dict[Hashable, tuple[_Pair, Action]] = {}
        self._scripted: dict[Hashable, list[tuple[Action, float]]] = {}
        self._tries = 0
        self.openings: dict[InformationState, _Belief] = {}

    @property
    def solved(self) -> int:
        """Beliefs solved so far."""
        return len(self._values)

    def value(self, starts: list[tuple[State, float]]) -> tuple[_Pair, dict[InformationState, _Belief]]:
        """What both are paid from here on, and the player's beliefs at its first decisions."""
        paid, views = self.arrive(starts, 0)
        return self._worth(paid, views), {view: belief for view, (belief, _) in views.items()}

    def solve(self, belief: _Belief) -> tuple[_Pair, Action]:
        """What both are still paid from a belief when the player does its best, and the action that does."""
        key = frozenset((what, round(probability, _DIGITS)) for what, (_, probability) in belief.items())
        if key not in self._values:
            state, _ = next(iter(belief.values()))
            actions = state.legal_actions(self._seat)
            assert actions, f"{self._game.name}: seat {self._seat} is to move and has no action"
            returns = [self._worth(*self._after(belief, action)) for action in actions]
            tied: Sequence[int] = range(len(actions))
            for gain, close in zip(self._gains, self._close, strict=True):
                worth = {i: gain[0] * returns[i][0] + gain[1] * returns[i][1] for i in tied}
                best = max(worth.values())
                tied = [i for i in tied if worth[i] >= best - close]
            self._values[key] = returns[tied[0]], actions[tied[0]]
        return self._values[key]

    def _worth(self, paid: _Pair, views: Mapping[InformationState, tuple[_Belief, float]]) -> _Pair:
        """What both are paid: `paid` on the way, and what follows from each view by its probability."""
        later = [(mass, self.solve(belief)[0]) for belief, mass in views.values()]
        own, script = (paid[i] + sum(mass * pair[i] for mass, pair in later) for i in (0, 1))
        return own, script

    def behaviour(self, information_state: InformationState, legal: tuple[Action, ...]) -> Mapping[Action, float]:
        """The best reply as `core.Behaviour`."""
        return {self.solve(self._believed(information_state))[1]: 1.0}

    def arrive(
        self, states: list[tuple[State, float]], seen: int
    ) -> tuple[_Pair, dict[InformationState, tuple[_Belief, float]]]:
        """Plays on until the player is to move.

        Args:
            states: Where the game may be, with probabilities.
            seen: Events the player had seen at its last decision.

        Returns:
            What both are paid on the way, in expectation; and by what the player then sees anew, its belief and the
            chance of it.
        """
        own = script = 0.0
        views: dict[InformationState, dict[Hashable, tuple[State, float]]] = {}
        pending = list(states)
        while pending:
            state, probability = pending.pop()
            movers = state.players_to_move
            if self._seat in movers:
                matters = tuple(self._game.payoff_state(state, payee) for payee in self._payees)
                what = movers, matters, self._remembered(state)
                group = views.setdefault(state.information_state(self._seat)[seen:], {})
                first, known = group.get(what, (state, 0.0))
                group[what] = first, known + probability
            elif movers:
                for moves, chance in self._moves(state):
                    child = self._child(state, moves)
                    own += probability * chance * child.rewards[self._seat]
                    script += probability * chance * child.rewards[1 - self._seat]
                    pending.append((child, probability * chance))
        return (own, script), {view: _normalised(group) for view, group in views.items()}

    def _after(self, belief: _Belief, action: Action) -> tuple[_Pair, dict[InformationState, tuple[_Belief, float]]]:
        """What an action pays both until the player's next decision, and what is believed there, as `arrive`."""
        own = script = 0.0
        reached = []
        for state, probability in belief.values():
            for moves, chance in self._moves(state):
                child = self._child(state, {**moves, self._seat: action})
                own += probability * chance * child.rewards[self._seat]
                script += probability * chance * child.rewards[1 - self._seat]
                reached.append((child, probability * chance))
        state, _ = next(iter(belief.values()))
        paid, views = self.arrive(reached, len(state.information_state(self._seat)))
        return (own + paid[0], script + paid[1]), views

    def _moves(self, state: State) -> Iterator[tuple[dict[int, Action], float]]:
        """What chance or the script may do at a state, with probabilities; nothing where neither is to move."""
        other = 1 - self._seat
        if state.is_chance:
            yield from (({CHANCE: outcome}, probability) for outcome, probability in state.chance_outcomes())
        elif other in state.players_to_move:
            yield from (({other: action}, probability) for action, probability in self._scripted_moves(state))
        else:
            yield {}, 1.0

    def _scripted_moves(self, state: State) -> list[tuple[Action, float]]:
        other = 1 - self._seat
        legal = state.legal_actions(other)
        key = self._remembered(state), legal
        if key not in self._scripted:
            probabilities = self._opponent.behaviour(state.information_state(other), legal)
            self._scripted[key] = [(action, p) for action, p in probabilities.items() if p > 0]
        return self._scripted[key]

    def _remembered(self, state: State) -> Hashable:
        seen = state.information_state(1 - self._seat)
        return seen if self._opponent.memory is None else self._opponent.memory(seen)

    def _child(self, state: State, moves: Mapping[int, Action]) -> State:
        self._tries += 1
        if self._tries > self._most:
            raise UserError(
                f"the best reply to {self._opponent.name!r} in {self._game.name} {self._game.parameters} tries more "
                f"than {self._most} moves; give the script a memory, the game a payoff_state, or start at one deal"
            )
        return state.child(moves)

    def _believed(self, seen: InformationState) -> _Belief:
        """The belief after what the player has seen, its own moves included."""
        if seen in self.openings:
            return self.openings[seen]
        cut = max((i for i, e in enumerate(seen) if e.kind == "act" and e.player == self._seat), default=None)
        if cut is not None:
            _, views = self._after(self._believed(seen[:cut]), seen[cut].value)
            if seen[cut:] in views:
                return views[seen[cut:]][0]
        raise UserError(f"{self._opponent.name!r} never leads seat {self._seat} of {self._game.name} to {seen}")


def _weighed(returns: _Pair, gains: Sequence[_Pair]) -> list[float]:
    return [own * returns[0] + script * returns[1] for own, script in gains]


def _normalised(group: Mapping[Hashable, tuple[State, float]]) -> tuple[_Belief, float]:
    mass = sum(probability for _, probability in group.values())
    return {what: (state, probability / mass) for what, (state, probability) in group.items()}, mass
