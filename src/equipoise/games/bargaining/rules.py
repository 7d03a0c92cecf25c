"""Bargaining over three items with private values (SEPO's second negotiation: four rounds).

A pool holds 1 to 4 units of each of three items. A player's values are whole numbers of at least 1 that sum to 10, seen
by their owner alone. Pool and values are drawn once, uniformly, and stay the same for the whole episode. Each round
both players demand units of every item at once; if each item's demands fit into the pool both get what they demand,
worth units times own values, and what nobody demanded is lost; else both get nothing. (After M. Lewis et al., Deal or
no deal, 2017, without the talk.)

There are 64 pools and 36 values a player, so 82,944 deals: three chance nodes, never one list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product

from equipoise.core import CHANCE, Action, Event, InformationState, State
from equipoise.errors import UserError
from equipoise.games.bargaining.deal import (
    ITEMS,
    MOST,
    POOLS,
    TOTAL_VALUE,
    VALUES,
    Triple,
    demands_within,
    fits,
    pool_of,
    worth,
)
from equipoise.games.history import joint_moves, last_value
from equipoise.games.rounds import RoundsGame, RoundsState, Seen, Two, after, announced, forfeited, moved, total

_POOL_CHANCES: tuple[tuple[Action, float], ...] = tuple((pool, 1 / len(POOLS)) for pool in POOLS)
_VALUE_CHANCES: tuple[tuple[Action, float], ...] = tuple((values, 1 / len(VALUES)) for values in VALUES)
_PAYS = [worth(units, values) for pool, values in product(POOLS, VALUES) for units in ((0, 0, 0), pool)]
"""What nothing and all of each pool is worth to each player: every other demand is worth something in between."""


def _words(numbers: Triple) -> str:
    return " ".join(map(str, numbers))


@dataclass(frozen=True, slots=True, kw_only=True)
class BargainingState(RoundsState):
    """One point of an episode, with what was dealt."""

    pool: Triple | None = None
    values: tuple[Triple, ...] = ()

    @property
    def players_to_move(self) -> tuple[int, ...]:
        if self.finished == self.rounds:
            return ()
        return (0, 1) if len(self.values) == 2 else (CHANCE,)

    def legal_actions(self, seat: int) -> tuple[Action, ...]:
        if self.pool is None or seat not in self.players_to_move:
            return ()
        return demands_within(self.pool)

    def chance_outcomes(self) -> tuple[tuple[Action, float], ...]:
        if self.players_to_move != (CHANCE,):
            return ()
        return _POOL_CHANCES if self.pool is None else _VALUE_CHANCES

    def child(self, actions: Mapping[int, Action]) -> BargainingState:
        if CHANCE in actions:
            return self._dealt(actions[CHANCE])
        demands = (self._checked(actions[0]), self._checked(actions[1]))
        assert self.pool is not None
        held = fits(self.pool, demands)
        first, second = (worth(demands[seat], self.values[seat]) if held else 0 for seat in (0, 1))
        return self._after((float(first), float(second)), moved(demands, (first, second)))

    def forfeit(self, seat: int) -> BargainingState:
        """A round without a demand of one player has no deal: both get nothing, as in a breakdown."""
        return self._after((0.0, 0.0), forfeited(seat, (0, 0)))

    def _checked(self, demand: Action) -> Triple:
        assert self.pool is not None
        if demand not in demands_within(self.pool):
            raise UserError(f"illegal demand {demand!r}; allowed: three whole numbers from 0 to the pool {self.pool}")
        assert isinstance(demand, tuple)
        return demand

    def _dealt(self, outcome: Action) -> BargainingState:
        if outcome not in dict(self.chance_outcomes()):
            raise UserError(f"got the deal {outcome!r}; chance deals the pool, then the values of seat 0 and of seat 1")
        assert isinstance(outcome, tuple)
        if self.pool is None:
            event = Event("pool", None, outcome)
            return replace(self, pool=outcome, events=(self.events[0] + (event,), self.events[1] + (event,)))
        seat = len(self.values)
        seen = [self.events[0], self.events[1]]
        seen[seat] += (Event("values", seat, outcome),)
        header = announced(0, self.rounds) if seat == 1 else ()
        return replace(self, values=(*self.values, outcome), events=(seen[0] + header, seen[1] + header))

    def _after(self, rewards: Two, seen: Seen) -> BargainingState:
        finished = self.finished + 1
        events = after(self.events, seen, announced(finished, self.rounds))
        returns = total(self.returns, rewards)
        return BargainingState(self.rounds, finished, events, rewards, returns, pool=self.pool, values=self.values)


class Bargaining(RoundsGame):
    """Repeated bargaining over one pool of three items with private values."""

    name = "bargaining"
    max_reward = float(max(_PAYS))
    min_reward = float(min(_PAYS))
    answer = "three numbers, for example 1 0 2"

    def __init__(self, rounds: int = 4) -> None:
        """Args: rounds: Rounds per episode, 1 to 100."""
        super().__init__(rounds)

    def initial_state(self) -> BargainingState:
        return BargainingState(self.num_rounds, 0, ((Event("seat", 0),), (Event("seat", 1),)))

    @property
    def actions(self) -> tuple[Action, ...]:
        return demands_within((MOST, MOST, MOST))

    def legal_at(self, information_state: InformationState, seat: int) -> tuple[Action, ...]:
        pool = pool_of(information_state)
        return () if pool is None else demands_within(pool)

    def payoff_state(self, state: State, seat: int) -> tuple[int, int, Triple | None, Triple | None]:
        """(round, values dealt so far, pool, own values).

        The other's values decide neither what `seat` is paid nor what it sees; only the other's own play can depend on
        them, and a script keeps what it uses in its memory.
        """
        assert isinstance(state, BargainingState)
        own = state.values[seat] if seat < len(state.values) else None
        return state.finished, len(state.values), state.pool, own

    def as_first_round(self, information_state: InformationState) -> InformationState:
        dealt = tuple(event for event in information_state if event.kind in ("seat", "pool", "values"))
        return (*dealt, *announced(0, self.num_rounds))

    def label(self, information_state: InformationState) -> str:
        dealt = f"pool {_words(last_value(information_state, 'pool'))}, "
        dealt += f"values {_words(last_value(information_state, 'values'))}"
        pairs = [":".join("-" if d is None else _words(d) for d in pair) for pair in joint_moves(information_state)]
        return f"{dealt}, after {', '.join(pairs)}" if pairs else dealt

    def action_text(self, action: Action) -> str:
        assert isinstance(action, tuple)
        return _words(action)

    @property
    def rules_text(self) -> str:
        return (
            f"Game: bargaining over a pool of {', '.join(ITEMS[:-1])} and {ITEMS[-1]}, two players, {self.length}. "
            "Numbers are in that order. Pool and values stay the same in all rounds. "
            f"The values of a player are at least 1, sum to {TOTAL_VALUE} and are hidden from the other player. "
            "Each round both demand units of each item at once. If both demands fit into the pool together, "
            "each player gets its units times its values in points. Else both get 0 points. "
            "Win as many points as possible."
        )

    def event_template(self, event: Event) -> str:
        match event.kind:
            case "pool":
                return f"Pool {_words(event.value)}."
            case "values":
                return f"{{Player's}} values are {_words(event.value)}."
            case "act":
                return f"{{Player}} {{demands|demand}} {_words(event.value)}."
        return super().event_template(event)
