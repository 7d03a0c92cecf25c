"""Three items, split anew each round: both players claim units at once, and what they over-claim is shared out.

There are 10 hats, 10 books and 10 balls in each round. What a unit of an item is worth to each player is drawn anew
each round (`values`) and shown to both. Both claim 0 to 10 units of each item at once; an item is divided by
`games.proportional`, so claims within the stock are honoured, claims beyond it are scaled down together, and what
nobody claims is lost. A player is paid its units times its own values. Pay may be a fraction: the reward is the number
itself, the words round it to one decimal. Nothing a player reads says how many rounds there are.

Pay per player and round, means over the 12 pairs of values of `one_or_ten` (arXiv 2511.19405):

| pair | pay | share of the best joint pay, 255 |
| --- | --- | --- |
| both claim what they value more, and half of ties | 127.5 | 1.000 |
| both claim everything | 82.5 | 0.636 (mean over pairs of values: 0.571 or 0.700) |
| one claims everything, the other as in the first row | 141.7 and 68.3 | 0.818 |

So claiming everything always pays a player more in the round, and both lose by it: a dilemma.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from equipoise.core import CHANCE, Action, Event, Game, InformationState, State
from equipoise.errors import UserError
from equipoise.games.history import joint_moves
from equipoise.games.random_length import RandomLength
from equipoise.games.rounds import RoundsGame, RoundsState, Seen, Two, after, total
from equipoise.games.split_items.claims import (
    CLAIMS,
    EVERYTHING,
    ITEMS,
    STOCK,
    WORDS,
    Triple,
    Values,
    pays,
    words,
    worth,
)
from equipoise.games.split_items.values import VALUE_RULES, Drawn, ValueRule, dealt, described, largest_sum, outcomes

_ZERO = (0.0, 0.0)


def values_of(information_state: InformationState) -> Values | None:
    """(own, other's) values at a decision; None before they are dealt and between rounds."""
    if not information_state or information_state[-1].kind != "values":
        return None
    return information_state[-2].value, information_state[-1].value


def _own_first(first: Event, second: Event) -> Seen:
    """What each seat sees of an event about each: its own first."""
    return (first, second), (second, first)


def _paid(rewards: Two) -> Seen:
    return _own_first(*(Event("paid", seat, round(rewards[seat], 1)) for seat in (0, 1)))


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitItemsState(RoundsState):
    """One point of an episode, with what chance has drawn for the round.

    Attributes:
        rule: How values are drawn.
        drawn: What chance has drawn in this round.
        values: Both players' values; None while chance draws them.
    """

    rule: ValueRule
    drawn: Drawn = ()
    values: Values | None = None

    @property
    def players_to_move(self) -> tuple[int, ...]:
        if self.finished == self.rounds:
            return ()
        return (CHANCE,) if self.values is None else (0, 1)

    def legal_actions(self, seat: int) -> tuple[Action, ...]:
        return CLAIMS if self.values is not None and seat in (0, 1) else ()

    def chance_outcomes(self) -> tuple[tuple[Action, float], ...]:
        return outcomes(self.rule, self.drawn) if self.is_chance else ()

    def child(self, actions: Mapping[int, Action]) -> SplitItemsState:
        if CHANCE in actions:
            return self._drew(actions[CHANCE])
        claims = (_checked(actions[0]), _checked(actions[1]))
        assert self.values is not None
        rewards = pays(claims, self.values)
        acts, paid = _own_first(Event("act", 0, claims[0]), Event("act", 1, claims[1])), _paid(rewards)
        return self._after(rewards, (acts[0] + paid[0], acts[1] + paid[1]))

    def forfeit(self, seat: int) -> SplitItemsState:
        """A player without a claim gets nothing, and the other gets all units."""
        assert self.values is not None
        whole = worth(EVERYTHING, self.values[1 - seat])
        rewards = (0.0, float(whole)) if seat == 0 else (float(whole), 0.0)
        paid, event = _paid(rewards), Event("forfeit", seat)
        return self._after(rewards, ((event, *paid[0]), (event, *paid[1])))

    def _drew(self, outcome: Action) -> SplitItemsState:
        if outcome not in dict(self.chance_outcomes()):
            raise UserError(f"got the draw {outcome!r} of values; allowed: the outcomes of {self.rule} at this state")
        drawn = (*self.drawn, outcome)
        values = dealt(self.rule, drawn)
        if values is None:
            shown = (Event("drawn", None, outcome),)
            return replace(self, drawn=drawn, events=after(self.events, (shown, shown)), rewards=_ZERO)
        header = Event("round", None, self.finished + 1)
        first, second = _own_first(*(Event("values", seat, values[seat]) for seat in (0, 1)))
        events = after(self.events, ((header, *first), (header, *second)))
        return replace(self, drawn=drawn, values=values, events=events, rewards=_ZERO)

    def _after(self, rewards: Two, seen: Seen) -> SplitItemsState:
        events, returns = after(self.events, seen), total(self.returns, rewards)
        return SplitItemsState(self.rounds, self.finished + 1, events, rewards, returns, rule=self.rule)


def _checked(claim: Action) -> Triple:
    if claim not in CLAIMS:
        raise UserError(f"illegal claim {claim!r}; allowed: three whole numbers from 0 to {STOCK}")
    assert isinstance(claim, tuple)
    return claim


class SplitItems(RoundsGame):
    """Repeated division of three items whose values both players see."""

    name = "split_items"
    answer = "three numbers, for example 10 0 5"

    def __init__(self, rounds: int = 10, values: ValueRule = "one_or_ten") -> None:
        """Sets the length and how values are drawn.

        Args:
            rounds: Rounds per episode, 1 to 100.
            values: "one_or_ten", "one_to_twenty" or "exclusive", as `split_items.values` says.
        """
        super().__init__(rounds)
        if values not in VALUE_RULES:
            raise UserError(f"got values={values!r}; allowed: {', '.join(VALUE_RULES)}")
        self.values: ValueRule = values
        self.max_reward, self.min_reward = (float(units * largest_sum(values)) for units in (STOCK, 0))

    @property
    def parameters(self) -> dict[str, Any]:
        return {**super().parameters, "values": self.values}

    def initial_state(self) -> SplitItemsState:
        return SplitItemsState(self.num_rounds, 0, ((Event("seat", 0),), (Event("seat", 1),)), rule=self.values)

    @property
    def actions(self) -> tuple[Action, ...]:
        return CLAIMS

    def legal_at(self, information_state: InformationState, seat: int) -> tuple[Action, ...]:
        return () if values_of(information_state) is None else CLAIMS

    def payoff_state(self, state: State, seat: int) -> tuple[int, Drawn, Values | None]:
        """(round, what chance has drawn in it, both players' values): all that pays and is shown from here on."""
        assert isinstance(state, SplitItemsState)
        return state.finished, state.drawn, state.values

    def as_first_round(self, information_state: InformationState) -> InformationState:
        start = max((i for i, e in enumerate(information_state) if e.kind in ("seat", "paid")), default=0)
        first = Event("round", None, 1)
        return (information_state[0], *(first if e.kind == "round" else e for e in information_state[start + 1 :]))

    def label(self, information_state: InformationState) -> str:
        values = values_of(information_state)
        start = "values still to come" if values is None else f"values {words(values[0])} against {words(values[1])}"
        pairs = [":".join("-" if c is None else words(c) for c in pair) for pair in joint_moves(information_state)]
        return f"{start}, after {', '.join(pairs)}" if pairs else start

    def action_text(self, action: Action) -> str:
        return WORDS[action]

    @property
    def rules_text(self) -> str:
        stock = ", ".join(f"{STOCK} {item}" for item in ITEMS[:-1])
        return (
            f"Game: three items for two players, one or more rounds. Each round there are {stock} and "
            f"{STOCK} {ITEMS[-1]}; numbers are in that order. Values are new each round and seen by both players. "
            f"{described(self.values)} Both claim 0 to {STOCK} units of each item at once. "
            f"If the claims to an item exceed {STOCK}, it is divided in proportion to the claims; "
            "else each player gets its claim, and the rest is lost. "
            "A player gets its units times its values in points. Win as many points as possible."
        )

    def event_template(self, event: Event) -> str:
        match event.kind:
            case "drawn":
                return ""
            case "round":
                return f"Round {event.value}."
            case "values":
                return f"{{Player's}} values are {words(event.value)}."
            case "act":
                return f"{{Player}} {{claims|claim}} {words(event.value)}."
        return super().event_template(event)


def split_items(rounds: int = 10, values: ValueRule = "one_or_ten", stop: float = 0.0) -> Game:
    """The game; where `stop` is not 0 it ends after each round with that probability, and after `rounds` at the latest.

    Args:
        rounds: Rounds per episode, 1 to 100.
        values: How values are drawn: "one_or_ten", "one_to_twenty" or "exclusive".
        stop: The probability that the game ends after a round, from 0 to less than 1.
    """
    game = SplitItems(rounds, values)
    return game if stop == 0 else RandomLength(game, stop)
