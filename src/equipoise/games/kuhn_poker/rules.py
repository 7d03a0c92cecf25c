"""Kuhn poker (Kuhn 1950), exactly, as one hand or as a session of hands with alternating first seats.

Three cards J < Q < K, two players, an ante of 1 chip each, one bet of 1 chip. The first player checks or bets; facing a
bet a player folds or calls; after check and bet the first player decides once more. The higher card wins the pot at a
showdown. With perfect play the first player loses 1/18 chip a hand.

In a session the seat that acts first alternates, every hand is dealt anew, and players see a showdown's cards.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Any

from equipoise.core import CHANCE, Action, Event, Game, InformationState, State
from equipoise.errors import UserError

CARDS = ("J", "Q", "K")
DEALS: tuple[tuple[str, str], ...] = tuple((a, b) for a, b in permutations(CARDS, 2))
"""Cards of (first to act, second to act); equally likely."""
OPENING: tuple[Action, ...] = ("check", "bet")
FACING_BET: tuple[Action, ...] = ("fold", "call")
_DEAL_PROBABILITIES: tuple[tuple[Action, float], ...] = tuple((deal, 1 / 6) for deal in DEALS)
_SHOWDOWNS = {("check", "check"): 1.0, ("bet", "call"): 2.0, ("check", "bet", "call"): 2.0}
_FOLDS = {("bet", "fold"), ("check", "bet", "fold")}
_ZERO = (0.0, 0.0)


def legal_after(history: tuple[str, ...]) -> tuple[Action, ...]:
    """The legal actions after a hand's actions so far."""
    return FACING_BET if history and history[-1] == "bet" else OPENING


def hand_view(information_state: InformationState) -> tuple[str, tuple[str, ...]]:
    """The reader's card and the actions of the current hand: what a one-hand strategy depends on."""
    card, history = "", []
    for event in reversed(information_state):
        if event.kind == "act":
            history.append(event.value)
        elif event.kind == "card":
            card = event.value
        elif event.kind in ("hand", "first") and card:
            break
    return card, tuple(reversed(history))


@dataclass(frozen=True, slots=True)
class KuhnState(State):
    """One point of a session: the hand being played, its cards and actions, and what each seat has seen."""

    hands: int
    hand: int
    cards: tuple[str, ...]
    history: tuple[str, ...]
    events: tuple[InformationState, InformationState]
    rewards: tuple[float, float] = _ZERO
    returns: tuple[float, float] = _ZERO

    @property
    def first(self) -> int:
        """The seat that acts first in this hand."""
        return self.hand % 2

    @property
    def round(self) -> int:
        return self.hand

    @property
    def players_to_move(self) -> tuple[int, ...]:
        if self.hand == self.hands:
            return ()
        if not self.cards:
            return (CHANCE,)
        return ((self.first + len(self.history)) % 2,)

    def legal_actions(self, seat: int) -> tuple[Action, ...]:
        return legal_after(self.history) if self.players_to_move == (seat,) else ()

    def information_state(self, seat: int) -> InformationState:
        return self.events[seat]

    def chance_outcomes(self) -> tuple[tuple[Action, float], ...]:
        return () if self.cards else _DEAL_PROBABILITIES

    def child(self, actions: Mapping[int, Action]) -> KuhnState:
        if CHANCE in actions:
            return self._dealt(actions[CHANCE])
        (seat,) = self.players_to_move
        action = actions[seat]
        if action not in legal_after(self.history):
            raise UserError(f"illegal action {action!r} in Kuhn poker; allowed: {legal_after(self.history)}")
        history = (*self.history, str(action))
        seen: tuple[Event, ...] = (Event("act", seat, action),)
        if history in _SHOWDOWNS:
            winner = self._high_seat()
            seen += tuple(Event("shown", s, self._card(s)) for s in (0, 1)) if self.hands > 1 else ()
            return self._ended(winner, _SHOWDOWNS[history], seen)
        if history in _FOLDS:
            return self._ended(1 - seat, 1.0, seen)
        events = (self.events[0] + seen, self.events[1] + seen)
        return KuhnState(self.hands, self.hand, self.cards, history, events, _ZERO, self.returns)

    def forfeit(self, seat: int) -> KuhnState:
        return self._ended(1 - seat, 2.0, (Event("forfeit", seat, 2),))

    def _dealt(self, deal: Action) -> KuhnState:
        if deal not in DEALS:
            raise UserError(f"unknown deal {deal!r} in Kuhn poker; known: {DEALS}")
        assert isinstance(deal, tuple)
        header: tuple[Event, ...] = (Event("first", self.first),)
        if self.hands > 1:
            header = (Event("hand", None, (self.hand + 1, self.hands)), *header)
        first, second = self.first, 1 - self.first
        by_seat = {first: Event("card", first, deal[0]), second: Event("card", second, deal[1])}
        events = (self.events[0] + header + (by_seat[0],), self.events[1] + header + (by_seat[1],))
        return KuhnState(self.hands, self.hand, deal, (), events, _ZERO, self.returns)

    def _card(self, seat: int) -> str:
        return self.cards[0 if seat == self.first else 1]

    def _high_seat(self) -> int:
        return 0 if CARDS.index(self._card(0)) > CARDS.index(self._card(1)) else 1

    def _ended(self, winner: int, chips: float, seen: tuple[Event, ...]) -> KuhnState:
        rewards = (chips, -chips) if winner == 0 else (-chips, chips)
        returns = (self.returns[0] + rewards[0], self.returns[1] + rewards[1])
        if self.hands > 1:
            seen += (Event("won", winner, int(chips)),)
        events = (self.events[0] + seen, self.events[1] + seen)
        return KuhnState(self.hands, self.hand + 1, (), (), events, rewards, returns)


class KuhnPoker(Game):
    """Kuhn poker: one hand (exact audits) or several with alternating seats (SEPO's episode has six)."""

    name = "kuhn_poker"
    max_reward = 2.0
    min_reward = -2.0
    zero_sum = True
    unit = "chips per hand"
    max_slots = 2

    def __init__(self, hands: int = 1) -> None:
        """Args: hands: Hands per episode, 1 to 100."""
        if type(hands) is not int or not 1 <= hands <= 100:
            raise UserError(f"got hands={hands!r}; allowed: a whole number from 1 to 100")
        self.hands = hands
        self.num_rounds = hands

    @property
    def parameters(self) -> dict[str, Any]:
        return {"hands": self.hands}

    def initial_state(self) -> KuhnState:
        return KuhnState(self.hands, 0, (), (), ((), ()))

    @property
    def actions(self) -> tuple[Action, ...]:
        return OPENING + FACING_BET

    def payoff_state(self, state: State, seat: int) -> Hashable:
        assert isinstance(state, KuhnState)
        return state.hand, state.cards, state.history

    def legal_at(self, information_state: InformationState, seat: int) -> tuple[Action, ...]:
        return legal_after(hand_view(information_state)[1])

    def as_first_round(self, information_state: InformationState) -> InformationState:
        card, history = hand_view(information_state)
        owner = next(e.player for e in reversed(information_state) if e.kind == "card")
        first = next(e.player for e in reversed(information_state) if e.kind == "first")
        seat = 0 if owner == first else 1
        header = (Event("hand", None, (1, self.hands)),) if self.hands > 1 else ()
        acts = tuple(Event("act", i % 2, action) for i, action in enumerate(history))
        return (*header, Event("first", 0), Event("card", seat, card), *acts)

    def label(self, information_state: InformationState) -> str:
        card, history = hand_view(information_state)
        return f"{card} after {', '.join(history)}" if history else f"{card} to open"

    def action_text(self, action: Action) -> str:
        return str(action)

    @property
    def rules_text(self) -> str:
        length = "one hand" if self.hands == 1 else f"{self.hands} hands, each dealt anew; the first to act alternates"
        return (
            f"Game: Kuhn poker for two players, {length}. Cards: J, Q, K; K is highest. "
            "Each player pays 1 chip and gets one card that the other player cannot see. "
            "The first player checks or bets 1 chip. After a bet the next player folds or calls 1 chip. "
            "After a check the next player checks or bets. A fold loses the pot; else the higher card wins it. "
            "Win as many chips as possible."
        )

    def event_template(self, event: Event) -> str:
        match event.kind:
            case "hand":
                return f"Hand {event.value[0]} of {event.value[1]}."
            case "first":
                return "{Player} {acts|act} first."
            case "card":
                return f"{{Player's}} card is {event.value}."
            case "act":
                return f"{{Player}} {{{event.value}s|{event.value}}}."
            case "shown":
                return f"{{Player}} {{shows|show}} {event.value}."
            case "won":
                return f"{{Player}} {{wins|win}} {event.value} chip{'s' if event.value > 1 else ''}."
            case "forfeit":
                return f"{{Player}} {{forfeits|forfeit}} the hand and {{loses|lose}} {event.value} chips."
        raise UserError(f"Kuhn poker has no event {event.kind!r}")
