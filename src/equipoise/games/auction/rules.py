"""A repeated first-price sealed-bid auction with two bidders (SEPO's episode has six rounds).

Each round each bidder draws a value, 2 or 4, independently and equally likely, which it alone sees. Both bid 1, 2 or 3
at once. The higher bid wins, a fair coin decides between equal bids, and the winner is paid its value less its bid. A
loss is a loss; `losses = "clipped"` pays 0 in its place, as SEPO's released code does while its prompt warns of losses.

Expected pay per round of a constant bid, by enumeration of values and coins (real losses; row against column):

| own bid | other bids 1 | other bids 2 | other bids 3 |
| --- | --- | --- | --- |
| 1 | 1.0 | 0.0 | 0.0 |
| 2 | 1.0 | 0.5 | 0.0 |
| 3 | 0.0 | 0.0 | 0.0 |

A strategy of one round is (bid with value 2, bid with value 4). The pure symmetric Nash equilibria are (1, 2), (2, 2)
and (2, 3). Only (1, 2) is strict; the others bid 2 with value 2, which earns 0 whatever happens and is weakly dominated
by a bid of 1. So (1, 2) is *the competitive equilibrium*: it pays 0.875 a round to each bidder, always gives the item
to a bidder of the highest value, and earns the seller 1.75 a round (1 when both values are 2, else 2).
Unexploited and in equilibrium are two things here: the most any opponent can earn a round *beyond* what it leaves the
bidder is 0.25 against (1, 2), 0 against the truthful (1, 3), which no equilibrium contains, and 1 against (1, 1).
With clipped losses a bid of 3 with value 2 is free and (3, 3) becomes a fourth one; (1, 2) stays the strict one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Literal, get_args

from equipoise.core import CHANCE, Action, Event, InformationState, State
from equipoise.errors import UserError
from equipoise.games.history import joint_moves, last_value, own_seat
from equipoise.games.rounds import RoundsGame, RoundsState, Seen, Two, announced, total

Losses = Literal["real", "clipped"]

VALUES = (2, 4)
BIDS: tuple[Action, ...] = (1, 2, 3)
_DEALS: tuple[tuple[Action, float], ...] = tuple((pair, 0.25) for pair in product(VALUES, VALUES))
"""Values of (seat 0, seat 1); equally likely."""
_COIN: tuple[tuple[Action, float], ...] = ((0, 0.5), (1, 0.5))
"""The seat that wins between equal bids."""
_ZERO = (0.0, 0.0)


def winner_pay(value: int, bid: int, losses: Losses = "real") -> int:
    """What the winner of a round is paid."""
    return max(0, value - bid) if losses == "clipped" else value - bid


def worst_pay(losses: Losses) -> int:
    """The least a round can pay a bidder."""
    return min(0, *(winner_pay(value, bid, losses) for value, bid in product(VALUES, (1, 2, 3))))


@dataclass(frozen=True, slots=True, kw_only=True)
class AuctionState(RoundsState):
    """One point of the repeated auction, with the round's values and the equal bids that wait for a coin."""

    losses: Losses
    values: tuple[int, ...] = ()
    tied: tuple[int, ...] = ()

    @property
    def players_to_move(self) -> tuple[int, ...]:
        if self.finished == self.rounds:
            return ()
        return (0, 1) if self.values and not self.tied else (CHANCE,)

    def legal_actions(self, seat: int) -> tuple[Action, ...]:
        return BIDS if seat in self.players_to_move else ()

    def chance_outcomes(self) -> tuple[tuple[Action, float], ...]:
        if not self.is_chance:
            return ()
        return _COIN if self.tied else _DEALS

    def child(self, actions: Mapping[int, Action]) -> AuctionState:
        if CHANCE in actions:
            return self._tossed(actions[CHANCE]) if self.tied else self._dealt(actions[CHANCE])
        first, second = actions[0], actions[1]
        if first not in BIDS or second not in BIDS:
            wrong = second if first in BIDS else first
            raise UserError(f"illegal action {wrong!r} in the auction; allowed: {BIDS}")
        assert isinstance(first, int)
        assert isinstance(second, int)
        acts = Event("act", 0, first), Event("act", 1, second)
        events = (self.events[0] + acts, self.events[1] + acts[::-1])
        if first == second:
            return replace(self, tied=(first, second), events=events, rewards=_ZERO)
        return self._won(0 if first > second else 1, max(first, second), events)

    def forfeit(self, seat: int) -> AuctionState:
        worst = worst_pay(self.losses)
        rewards = (float(worst), 0.0) if seat == 0 else (0.0, float(worst))
        seen = (Event("forfeit", seat, -worst),)
        return self._ended(rewards, (self.events[0] + seen, self.events[1] + seen))

    def _dealt(self, deal: Action) -> AuctionState:
        if deal not in dict(_DEALS):
            raise UserError(f"unknown values {deal!r} in the auction; known: {', '.join(str(d) for d, _ in _DEALS)}")
        assert isinstance(deal, tuple)
        header = announced(self.finished, self.rounds)
        events = (
            (*self.events[0], *header, Event("value", 0, deal[0])),
            (*self.events[1], *header, Event("value", 1, deal[1])),
        )
        return replace(self, values=deal, events=events, rewards=_ZERO)

    def _tossed(self, winner: Action) -> AuctionState:
        if winner not in dict(_COIN):
            raise UserError(f"unknown winner {winner!r} of a coin in the auction; known: 0, 1")
        assert isinstance(winner, int)
        return self._won(winner, self.tied[winner], self.events)

    def _won(self, winner: int, bid: int, events: Seen) -> AuctionState:
        """The round ends: the winner sees what it is paid, the loser only who won."""
        pay = winner_pay(self.values[winner], bid, self.losses)
        rewards = (float(pay), 0.0) if winner == 0 else (0.0, float(pay))
        seen = [Event("won", winner, pay if seat == winner else None) for seat in (0, 1)]
        return self._ended(rewards, ((*events[0], seen[0]), (*events[1], seen[1])))

    def _ended(self, rewards: Two, events: Seen) -> AuctionState:
        returns = total(self.returns, rewards)
        return AuctionState(self.rounds, self.finished + 1, events, rewards, returns, losses=self.losses)


class Auction(RoundsGame):
    """The repeated first-price auction with private values 2 and 4 and bids 1, 2 and 3."""

    name = "auction"
    answer = "one number"

    def __init__(self, rounds: int = 6, losses: Losses = "real") -> None:
        """Sets the length and what overbidding costs.

        Args:
            rounds: Rounds per episode, 1 to 100.
            losses: "real" pays the winner its value less its bid; "clipped" pays it never less than 0.
        """
        super().__init__(rounds)
        if losses not in get_args(Losses):
            raise UserError(f"got losses={losses!r}; allowed: {', '.join(get_args(Losses))}")
        self.losses: Losses = losses
        self.max_reward = float(max(winner_pay(value, bid, losses) for value, bid in product(VALUES, (1, 2, 3))))
        self.min_reward = float(worst_pay(losses))

    @property
    def parameters(self) -> dict[str, Any]:
        return {**super().parameters, "losses": self.losses}

    def initial_state(self) -> AuctionState:
        return AuctionState(self.num_rounds, 0, ((Event("seat", 0),), (Event("seat", 1),)), losses=self.losses)

    @property
    def actions(self) -> tuple[Action, ...]:
        return BIDS

    def legal_at(self, information_state: InformationState, seat: int) -> tuple[Action, ...]:
        return BIDS

    def as_first_round(self, information_state: InformationState) -> InformationState:
        seat = own_seat(information_state)
        value = Event("value", seat, last_value(information_state, "value"))
        return Event("seat", seat), Event("round", None, (1, self.num_rounds)), value

    def label(self, information_state: InformationState) -> str:
        played = ["-" if own is None else f"{own}/{other}" for own, other in joint_moves(information_state)]
        value = f"value {last_value(information_state, 'value')}"
        return f"{value} after {' '.join(played)}" if played else value

    def payoff_state(self, state: State, seat: int) -> tuple[Any, ...]:
        """The round, and in it the seat's own value and the equal bids that wait for a coin."""
        assert isinstance(state, AuctionState)
        return state.round, state.values[seat : seat + 1], state.tied

    @property
    def rules_text(self) -> str:
        length = "one round" if self.num_rounds == 1 else f"{self.num_rounds} rounds"
        pay = "its value minus its bid" + (
            ", but never less than 0" if self.losses == "clipped" else "; that may be a loss"
        )
        return (
            f"Game: sealed-bid auction for two players, {length}. "
            "Each round each player draws a value, 2 or 4 with equal chance, that the other player cannot see. "
            "Both bid 1, 2 or 3 at once. The higher bid wins; a coin decides between equal bids. "
            f"The winner gains {pay}. The loser gains 0. Both then see the bids and who won. "
            "Gain as many points as possible."
        )

    def event_template(self, event: Event) -> str:
        match event.kind:
            case "value":
                return f"{{Player's}} value is {event.value}."
            case "act":
                return f"{{Player}} {{bids|bid}} {event.value}."
            case "won" if event.value is None:
                return "{Player} {wins|win}."
            case "won" if event.value < 0:
                return f"{{Player}} {{wins|win}} and {{loses|lose}} {-event.value}."
            case "won":
                return f"{{Player}} {{wins|win}} and {{gains|gain}} {event.value}."
            case "forfeit":
                cost = f" and {{loses|lose}} {event.value}" if event.value else ""
                return f"{{Player}} {{forfeits|forfeit}} the round{cost}."
        return super().event_template(event)
