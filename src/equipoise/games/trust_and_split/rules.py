"""Trust and split: two hidden hands, one message each, then both claim coins (ten rounds, with a hidden end).

Each round the two players are dealt different hands of rock, paper and scissors, and each sees only its own. The hand
that beats the other is the upper hand; its player values each of 10 coins at 10 points, the other at 1. Each player
sends one message, a line of any text; who speaks first is drawn for the first round and alternates from then on. Then
both claim 0 to 10 coins at once. Claims that fit are honoured, claims beyond the stock are scaled down together
(`games.proportional`), and what nobody claims is lost. After the round each player learns only whether the other had
the upper or the lower hand, and what it claimed.

A claim of 10 is dominant in every single round, whatever was said. Expected pay per round, by enumeration of the deals
(row against column; "cooperative" leaves all coins to the upper hand, which both know when both tell the truth):

| own claims | against cooperative | against greedy |
| --- | --- | --- |
| cooperative | 50 | 25 |
| greedy (always 10) | 52.5 | 27.5 |

Always 5 against always 5 pays 27.5, as much as greed. The most both together can get is 100 a round.

`hands = "alternating"` gives the upper hand to the other side every round. `talk = False` leaves the messages out.

Reference:
    The game of arXiv 2511.19405 with rock, paper and scissors; rounds, values and division are theirs, the words ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args

from equipoise.core import CHANCE, Action, Event, Game, InformationState, State
from equipoise.errors import UserError
from equipoise.games.free_text import MAX_TEXT, AnyText, is_legal, text_limit
from equipoise.games.random_length import RandomLength
from equipoise.games.rounds import RoundsGame, RoundsState, Seen, Two, after, total
from equipoise.games.trust_and_split.deal import (
    COINS,
    LOWER_VALUE,
    PAYS,
    UPPER_VALUE,
    Chances,
    Hands,
    Pair,
    deals,
    forfeit_pay,
    pay,
    upper_seat,
)
from equipoise.games.trust_and_split.seen import current, finished

CLAIMS: tuple[Action, ...] = tuple(range(COINS + 1))
LEAST_LIMIT = 40
"""The least limit of a message: every script's words are shorter."""

_SPEAKERS: Chances = ((0, 0.5), (1, 0.5))
_ZERO: Two = (0.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustState(RoundsState):
    """One point of an episode.

    Attributes:
        messages: The legal actions of a player that speaks; () without talk.
        alternating: Whether the upper hand changes sides every round.
        first: Who speaks first in the first round; None before that is drawn, and without talk.
        upper: The seat of the newest upper hand, where hands alternate.
        hands: The round's hands; () before they are dealt.
        said: Messages of this round so far.
    """

    messages: tuple[Action, ...]
    alternating: bool
    first: int | None = None
    upper: int | None = None
    hands: Pair | tuple[()] = ()
    said: int = 0

    @property
    def players_to_move(self) -> tuple[int, ...]:
        if self.finished == self.rounds:
            return ()
        if not self.hands:
            return (CHANCE,)
        return (self._speaker,) if self._talking else (0, 1)

    @property
    def _talking(self) -> bool:
        return bool(self.messages) and self.said < 2

    @property
    def _speaker(self) -> int:
        assert self.first is not None
        return (self.first + self.finished + self.said) % 2

    def legal_actions(self, seat: int) -> tuple[Action, ...]:
        if seat not in self.players_to_move:
            return ()
        return self.messages if self._talking else CLAIMS

    def chance_outcomes(self) -> Chances:
        if not self.is_chance:
            return ()
        if self.messages and self.first is None:
            return _SPEAKERS
        return deals(None if self.upper is None else 1 - self.upper)

    def child(self, actions: Mapping[int, Action]) -> TrustState:
        if CHANCE in actions:
            return self._drawn(actions[CHANCE])
        if self._talking:
            return self._spoken(actions[self._speaker])
        return self._claimed((_checked(actions[0]), _checked(actions[1])))

    def forfeit(self, seat: int) -> TrustState:
        """The round ends, before the claims too: the player gets nothing and the other all coins."""
        assert len(self.hands) == 2
        event = Event("forfeit", seat)
        return self._ended(forfeit_pay(self.hands, seat), ((event,), (event,)))

    def _drawn(self, outcome: Action) -> TrustState:
        known = self.chance_outcomes()
        if outcome not in dict(known):
            raise UserError(f"got the chance outcome {outcome!r}; allowed here: {', '.join(str(o) for o, _ in known)}")
        if isinstance(outcome, int):
            first = (Event("first", outcome),)
            return replace(self, first=outcome, events=after(self.events, (first, first)))
        assert isinstance(outcome, tuple)
        header = Event("round", None, self.finished + 1)
        seen = (header, Event("hand", 0, outcome[0])), (header, Event("hand", 1, outcome[1]))
        upper = upper_seat(outcome) if self.alternating else None
        return replace(self, hands=outcome, upper=upper, events=after(self.events, seen), rewards=_ZERO)

    def _spoken(self, message: Action) -> TrustState:
        if not is_legal(message, self.messages):
            raise UserError(
                f"illegal message {message!r:.60}; allowed: one line of 1 to {text_limit(self.messages)} characters "
                "without blanks around it"
            )
        act = (Event("act", self._speaker, message),)
        return replace(self, said=self.said + 1, events=after(self.events, (act, act)))

    def _claimed(self, claims: tuple[int, int]) -> TrustState:
        assert len(self.hands) == 2
        upper = upper_seat(self.hands)
        acts = [Event("act", seat, claims[seat]) for seat in (0, 1)]
        shown = [Event("shown", seat, (seat == upper, claims[seat])) for seat in (0, 1)]
        return self._ended(pay(self.hands, claims), ((acts[0], shown[1]), (acts[1], shown[0])))

    def _ended(self, rewards: Two, seen: Seen) -> TrustState:
        events, returns = after(self.events, seen), total(self.returns, rewards)
        finished = self.finished + 1
        return replace(self, finished=finished, events=events, rewards=rewards, returns=returns, hands=(), said=0)


def _checked(claim: Action) -> int:
    if claim not in CLAIMS:
        raise UserError(f"illegal claim {claim!r}; allowed: a whole number from 0 to {COINS}")
    assert isinstance(claim, int)
    return claim


class TrustAndSplit(RoundsGame):
    """Repeated division of ten coins that are worth most to the player with the upper hand, with talk before it."""

    name = "trust_and_split"
    max_reward = max(PAYS)
    min_reward = min(PAYS)

    def __init__(self, rounds: int = 10, limit: int = 500, hands: Hands = "random", talk: bool = True) -> None:
        """Sets length, talk and deals.

        Args:
            rounds: Rounds per episode, 1 to 100. No text says how many there are.
            limit: Most characters of a message, 40 to 4,000.
            hands: "random" deals evenly; "alternating" gives the upper hand to the other side every round.
            talk: Whether the players send messages before they claim.
        """
        super().__init__(rounds)
        if type(limit) is not int or not LEAST_LIMIT <= limit <= MAX_TEXT:
            raise UserError(f"got limit={limit!r}; allowed: a whole number from {LEAST_LIMIT} to {MAX_TEXT}")
        if hands not in get_args(Hands):
            raise UserError(f"got hands={hands!r}; allowed: {', '.join(get_args(Hands))}")
        if type(talk) is not bool:
            raise UserError(f"got talk={talk!r}; allowed: true or false")
        self.limit, self.hands, self.talk = limit, hands, talk
        self.max_slots = 2 if talk else 1
        self.answer = "the message or the whole number asked for" if talk else "one whole number"
        self._messages: tuple[Action, ...] = (AnyText(limit),) if talk else ()
        self._actions = (*self._messages, *CLAIMS)

    @property
    def parameters(self) -> dict[str, Any]:
        return {**super().parameters, "limit": self.limit, "hands": self.hands, "talk": self.talk}

    def initial_state(self) -> TrustState:
        events = ((Event("seat", 0),), (Event("seat", 1),))
        return TrustState(self.num_rounds, 0, events, messages=self._messages, alternating=self.hands == "alternating")

    @property
    def actions(self) -> tuple[Action, ...]:
        return self._actions

    def legal_at(self, information_state: InformationState, seat: int) -> tuple[Action, ...]:
        return CLAIMS if not self.talk or current(information_state).said is not None else self._messages

    def payoff_state(self, state: State, seat: int) -> tuple[Any, ...]:
        """Round, speakers, hands and messages so far: what was said and claimed before changes nothing to come."""
        assert isinstance(state, TrustState)
        return state.finished, state.first, state.upper, state.hands, state.said

    def as_first_round(self, information_state: InformationState) -> InformationState:
        """The round alone, as the first one; the state itself where hands alternate, since the past tells the side."""
        if self.hands == "alternating":
            return information_state
        start = max((i for i, event in enumerate(information_state) if event.kind == "round"), default=None)
        if start is None:
            return information_state
        seat, drawn = information_state[:2]
        first: InformationState = ()
        if drawn.player is not None:  # who spoke first in the first round; without talk this is the round itself
            first = (Event("first", (drawn.player + information_state[start].value - 1) % 2),)
        return (seat, *first, Event("round", None, 1), *information_state[start + 1 :])

    def label(self, information_state: InformationState) -> str:
        now = current(information_state)
        heard = "" if now.heard is None else ", heard a message"
        past = [f"{r.own}:{'upper' if r.upper else 'lower'} {r.other}" for r in finished(information_state)]
        return f"{now.hand}{heard}{', after ' if past else ''}{', '.join(past)}"

    @property
    def rules_text(self) -> str:
        deal = "" if self.hands == "random" else " The upper hand changes sides every round."
        talk = (
            "First each sends one message, in turn; who speaks first is drawn for the first round and changes every "
            "round. Messages change no pay. Then both claim"
            if self.talk
            else "Both claim"
        )
        return (
            "Game: trust and split for two players, one or more rounds. Each round both are dealt different hands, "
            "rock, paper or scissors, with equal chance; nobody sees the hand of the other player. "
            "Rock beats scissors, scissors beats paper, paper beats rock. The hand that beats the other is the upper "
            f"hand, the other the lower.{deal} A coin is worth {UPPER_VALUE} points to the player with the upper hand "
            f"and {LOWER_VALUE} point to the other. {talk} 0 to {COINS} of {COINS} coins at once. "
            f"If the claims exceed {COINS} together, the coins are divided in proportion to the claims. "
            "Else each player gets its claim and the rest is lost. "
            "Then each sees whether the other player had the upper or the lower hand and what it claimed. "
            "Win as many points as possible."
        )

    def event_template(self, event: Event) -> str:
        match event.kind:
            case "first":
                return ""
            case "round":
                return f"Round {event.value}."
            case "hand":
                return f"{{Player's}} hand is {event.value}."
            case "act" if isinstance(event.value, str):
                return "{Player} {says|say}: {words}"
            case "act":
                return f"{{Player}} {{claims|claim}} {event.value} coin{'' if event.value == 1 else 's'}."
            case "shown":
                side = "upper" if event.value[0] else "lower"
                return f"{{Player}} had the {side} hand and claimed {event.value[1]}."
        return super().event_template(event)


def trust_and_split(
    rounds: int = 10, limit: int = 500, hands: Hands = "random", talk: bool = True, stop: float = 0.0
) -> Game:
    """The game; where `stop` is not 0 it ends after each round with that probability, and after `rounds` at the latest.

    Args:
        rounds: Rounds per episode, 1 to 100.
        limit: Most characters of a message, 40 to 4,000.
        hands: How hands are dealt: "random" or "alternating".
        talk: Whether the players send messages before they claim.
        stop: The probability that the game ends after a round, from 0 to less than 1.
    """
    game = TrustAndSplit(rounds, limit, hands, talk)
    return game if stop == 0 else RandomLength(game, stop)
