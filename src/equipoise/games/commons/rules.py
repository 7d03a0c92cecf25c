"""The commons: two players take from one stock that grows back, for a fixed number of rounds.

SEPO's authors name a resource game over a shared stock and report no rules of it, so these are our own:

- The stock starts at its capacity, 18 units. Each round both players ask at once for 0 to 4 units; a unit pays 1
  point.
- If the asks fit the stock, each player gets what it asked. If not, both get half of the stock, except that an ask for
  less than half is met in full and the other player gets the rest. The stock is then empty.
- What is left grows by a third, rounded down, and never above the capacity.

The largest yield that can be taken for ever is 4 a round, so the fair share is 2. The numbers make a social dilemma of
it. Points over eight rounds of players that always ask the same:

| first asks | second asks | first gets | second gets |
| --- | --- | --- | --- |
| 2 | 2 | 16 | 16 |
| 4 | 2 | 18 | 10 |
| 4 | 4 | 11 | 11 |

Greed against restraint earns more than restraint against restraint, restraint by both earns clearly more than greed by
both, and restraint alone earns least. The best reply to a player that always asks 2 earns 24.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from equipoise.core import Action, Event, InformationState, State
from equipoise.errors import UserError
from equipoise.games.history import joint_moves, last_value
from equipoise.games.rounds import RoundsGame, RoundsState, Seen, Two, after, announced, total

CAPACITY = 18
"""Units the stock holds at the start and at most."""

MOST = 4
"""The most a player may ask for in a round."""

ASKS: tuple[int, ...] = tuple(range(MOST + 1))
DEFAULT_ROUNDS = 8


def shares(stock: int, first: int, second: int) -> Two:
    """What two players get who ask for `first` and `second` units of a stock."""
    if first + second <= stock:
        return float(first), float(second)
    small = min(first, second, stock / 2)
    return (small, stock - small) if first <= second else (stock - small, small)


def regrown(left: int) -> int:
    """The stock after what is left of it has grown."""
    return min(CAPACITY, left + left // 3)


@lru_cache
def sustainable_yield(stock: int) -> int:
    """The most both players together can take of a stock that then grows back to at least what it was."""
    return max(taken for taken in range(min(stock, 2 * MOST) + 1) if regrown(stock - taken) >= stock)


LARGEST_YIELD = max(sustainable_yield(stock) for stock in range(CAPACITY + 1))
"""The largest sustainable yield of any stock."""

FAIR_SHARE = LARGEST_YIELD // 2
"""A player's half of it."""


def _ask(action: Action) -> int:
    if type(action) is not int or action not in ASKS:
        raise UserError(f"illegal action {action!r} in the commons; allowed: {ASKS}")
    return action


@lru_cache
def _act(seat: int, ask: int) -> Event:
    return Event("act", seat, ask)


@lru_cache
def _paid(seat: int, reward: float) -> Event:
    return Event("paid", seat, reward)


@lru_cache
def _opened(round_: int, rounds: int, stock: int) -> InformationState:
    """The events that open a round."""
    return () if round_ == rounds else (*announced(round_, rounds), Event("stock", None, stock))


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonsState(RoundsState):
    """One point of the game, with the stock that is left."""

    stock: int

    def legal_actions(self, seat: int) -> tuple[Action, ...]:
        return ASKS if seat in self.players_to_move else ()

    def child(self, actions: Mapping[int, Action]) -> CommonsState:
        first, second = _ask(actions[0]), _ask(actions[1])
        acts = _act(0, first), _act(1, second)
        return self._after(shares(self.stock, first, second), ((acts[0], acts[1]), (acts[1], acts[0])))

    def forfeit(self, seat: int) -> CommonsState:
        """The seat gets nothing and the other player as much as it may take: the worst way a round can end."""
        most = float(min(MOST, self.stock))
        event = (Event("forfeit", seat),)
        return self._after((0.0, most) if seat == 0 else (most, 0.0), (event, event))

    def _after(self, rewards: Two, seen: Seen) -> CommonsState:
        stock, finished = regrown(self.stock - int(sum(rewards))), self.finished + 1
        paid = (*seen[0], _paid(0, rewards[0])), (*seen[1], _paid(1, rewards[1]))
        events = after(self.events, paid, _opened(finished, self.rounds, stock))
        return CommonsState(self.rounds, finished, events, rewards, total(self.returns, rewards), stock=stock)


class Commons(RoundsGame):
    """Two players and a shared stock that grows back."""

    name = "commons"
    max_reward = max(shares(stock, a, b)[0] for stock in range(CAPACITY + 1) for a in ASKS for b in ASKS)
    min_reward = min(shares(stock, a, b)[0] for stock in range(CAPACITY + 1) for a in ASKS for b in ASKS)
    answer = "one number"

    def __init__(self, rounds: int = DEFAULT_ROUNDS) -> None:
        """Args: rounds: Rounds per episode, 1 to 100."""
        super().__init__(rounds)

    def initial_state(self) -> CommonsState:
        header = _opened(0, self.num_rounds, CAPACITY)
        events = (Event("seat", 0), *header), (Event("seat", 1), *header)
        return CommonsState(self.num_rounds, 0, events, stock=CAPACITY)

    @property
    def actions(self) -> tuple[Action, ...]:
        return ASKS

    def legal_at(self, information_state: InformationState, seat: int) -> tuple[Action, ...]:
        return ASKS

    def payoff_state(self, state: State, seat: int) -> tuple[int, int]:
        """The round and the stock: what a round pays depends on nothing else."""
        assert isinstance(state, CommonsState)
        return state.finished, state.stock

    def as_first_round(self, information_state: InformationState) -> InformationState:
        """The opening, which asks the same question; the stock it asks it of may be larger."""
        return (information_state[0], *_opened(0, self.num_rounds, CAPACITY))

    def label(self, information_state: InformationState) -> str:
        pairs = ["forfeit" if None in pair else f"{pair[0]}-{pair[1]}" for pair in joint_moves(information_state)]
        return f"stock {last_value(information_state, 'stock')} after {' '.join(pairs)}" if pairs else "first round"

    @property
    def rules_text(self) -> str:
        return (
            f"Game: a shared stock for two players, {self.length}. "
            f"The stock starts at {CAPACITY} units and never holds more. "
            f"Each round both ask at once for 0 to {MOST} units; a unit is 1 point. "
            "If they ask for more than the stock holds, each gets half of it; "
            "an ask for less than half is met in full and the other player gets the rest. "
            "Then what is left grows by a third, rounded down. Win as many points as possible."
        )

    def event_template(self, event: Event) -> str:
        match event.kind:
            case "stock":
                return f"The stock is {event.value}."
            case "act":
                return f"{{Player}} {{asks|ask}} for {event.value}."
        return super().event_template(event)
