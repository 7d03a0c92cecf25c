"""Small games with hidden information and any number of seats, and everything that can be enumerated in them."""

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import pyspiel

from equipoise.core import CHANCE, Event, Game, State
from equipoise.metrics import GameTree


class Plain(Game):
    """A game without words."""

    max_reward, min_reward = 3.0, 0.0
    rules_text = ""

    def event_template(self, event):
        return str(event)

    def action_text(self, action):
        return str(action)

    def legal_at(self, information_state, seat):
        return self.actions


@dataclass(frozen=True, slots=True)
class RandomState(State):
    game: "RandomGame"
    bits: tuple = None
    played: tuple = ()
    rewards: tuple = ()
    returns: tuple = ()
    given_up: bool = False

    @property
    def round(self):
        return 0

    @property
    def players_to_move(self):
        if self.bits is None:
            return (CHANCE,)
        over = self.given_up or len(self.played) == self.game.stages
        return () if over else self.game.movers[len(self.played)]

    def chance_outcomes(self):
        return self.game.deals if self.bits is None else ()

    def legal_actions(self, seat):
        return self.game.actions

    def information_state(self, seat):
        events = [Event("bit", seat, self.bits[seat])]
        for stage, joint in enumerate(self.played):
            if seat in self.game.movers[stage]:
                events.append(Event("act", seat, joint[seat]))
            events.append(Event("saw", None, self.game.drawn(2, 1, seat, stage, *joint)))
        return tuple(events)

    def child(self, actions):
        if self.bits is None:
            nothing = (0.0,) * self.game.num_players
            return RandomState(self.game, actions[CHANCE], (), nothing, nothing)
        played = (*self.played, tuple(actions.get(seat, 0) for seat in range(self.game.num_players)))
        history = [*self.bits, *(action for joint in played for action in joint)]
        paid = tuple(float(self.game.drawn(4, 2, seat, *history)) for seat in range(self.game.num_players))
        if self.game.zero_sum:
            paid = (paid[0] - 1, 1 - paid[0])
        return RandomState(self.game, self.bits, played, paid, tuple(map(sum, zip(self.returns, paid, strict=True))))

    def forfeit(self, seat):
        return RandomState(self.game, self.bits, self.played, self.rewards, self.returns, given_up=True)


class RandomGame(Plain):
    """Every seat sees a bit of its own, moves in some stages, and sees a garbled sign of what all did.

    Pays are 0 to 3 and chances are multiples of a sixteenth, so that ties are common and exact.
    """

    name = "random"
    actions = (0, 1)

    def __init__(self, seed, players=2, stages=2, zero_sum=False):
        self.seed, self.num_players, self.stages, self.zero_sum = seed, players, stages, zero_sum
        rng = np.random.default_rng([seed, 0])
        sets = [tuple(s for s in range(players) if mask >> s & 1) for mask in range(1, 2**players)]
        self.movers = [sets[rng.integers(len(sets))] if stage else sets[-1] for stage in range(stages)]
        bits = list(product((0, 1), repeat=players))
        counts = rng.multinomial(16, [1 / len(bits)] * len(bits))
        self.deals = tuple((b, n / 16) for b, n in zip(bits, counts.tolist(), strict=True) if n)
        self._known = {}

    def drawn(self, size, *key):
        """A number below `size` that is always the same for the same key."""
        if key not in self._known:
            self._known[key] = int(np.random.default_rng([self.seed, *key]).integers(size))
        return self._known[key]

    def initial_state(self):
        return RandomState(self)


@dataclass(frozen=True, slots=True)
class OpenSpielState(State):
    game: "OpenSpielGame"
    history: tuple = ()

    @property
    def inner(self):
        return self.game.at(self.history)

    @property
    def round(self):
        return 0

    @property
    def players_to_move(self):
        inner = self.inner
        return () if inner.is_terminal() else (CHANCE,) if inner.is_chance_node() else (inner.current_player(),)

    @property
    def rewards(self):
        return tuple(self.inner.rewards())

    @property
    def returns(self):
        return tuple(self.inner.returns())

    def chance_outcomes(self):
        return tuple(self.inner.chance_outcomes())

    def legal_actions(self, seat):
        return tuple(self.inner.legal_actions(seat))

    def information_state(self, seat):
        return (Event("seen", seat, self.inner.information_state_string(seat)),)

    def child(self, actions):
        (action,) = actions.values()
        return OpenSpielState(self.game, (*self.history, action))

    def forfeit(self, seat):
        moved = self
        while not moved.is_terminal:
            moved = moved.child({0: moved.inner.legal_actions()[0]})
        return moved


class OpenSpielGame(Plain):
    """A game of OpenSpiel in which one player moves at a time."""

    def __init__(self, name):
        self.name, self.game = name, pyspiel.load_game(name)
        self.num_players = self.game.num_players()
        self.zero_sum = self.game.get_type().utility == pyspiel.GameType.Utility.ZERO_SUM
        self._states = {(): self.game.new_initial_state()}

    @cached_property
    def actions(self):
        return tuple(range(self.game.num_distinct_actions()))

    def at(self, history):
        if history not in self._states:
            self._states[history] = self.at(history[:-1]).child(history[-1])
        return self._states[history]

    def initial_state(self):
        return OpenSpielState(self)


def random_table(tree, seat, rng):
    """A table whose rows are multiples of a quarter, often pure."""
    table = {}
    for point in tree.by_seat[seat]:
        row = rng.multinomial(4, rng.dirichlet(np.full(len(point.legal), 0.3))) / 4
        table[point.information_state] = dict(zip(point.legal, row.tolist(), strict=True))
    return table


def pure_plans(tree, seat):
    """Every deterministic plan of a seat, [P, S]: an action at each state that its own earlier actions lead to."""
    after = {}
    for point in tree.by_seat[seat]:
        after.setdefault(point.parent, []).append(point)

    def plans(sequence):
        options = [
            [(s, *rest) for s in range(p.first, p.first + len(p.legal)) for rest in plans(s)]
            for p in after.get(sequence, [])
        ]
        return [sum(chosen, ()) for chosen in product(*options)]

    rows = np.zeros((len(chosen := plans(0)), tree.num_sequences[seat]))
    rows[:, 0] = 1
    for row, sequences in zip(rows, chosen, strict=True):
        row[list(sequences)] = 1
    return rows


def outcomes(tree, plan, seat):
    """Expected (own, theirs) of a plan in `seat` against every deterministic plan of the other seat, [P, 2]."""
    assert isinstance(tree, GameTree)
    other = 1 - seat
    reach = tree.chance * plan[tree.last[seat]] * pure_plans(tree, other)[:, tree.last[other]]  # [P, Z]
    return reach @ tree.returns[:, [seat, other]]
