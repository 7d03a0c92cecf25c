"""The prisoner's dilemma, played over a fixed number of rounds (SEPO's episode has eight).

Each round both players choose at once to cooperate or to defect. Mutual cooperation pays 3 each, mutual defection 1
each; a defector against a cooperator gets 5 and the cooperator 0. With a known last round the only equilibrium outcome
is defection throughout, while cooperation all the way pays everybody three times as much.

`horizon = "hidden"` keeps the number of the round and the number of rounds out of every text. `labels = "neutral"`
calls the actions A (cooperate) and B (defect) and does not name the game, so that a player cannot lean on what it has
read about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, get_args

from equipoise.core import Action, Event, InformationState, State
from equipoise.errors import UserError
from equipoise.games.history import joint_moves
from equipoise.games.rounds import RoundsGame, RoundsState, Seen, Two, after, announced, forfeited, moved, total

Horizon = Literal["shown", "hidden"]
Labels = Literal["words", "neutral"]

LABELS: dict[Labels, tuple[str, str]] = {"words": ("cooperate", "defect"), "neutral": ("A", "B")}
"""The words for (cooperate, defect)."""

REWARD, PUNISHMENT, TEMPTATION, SUCKER = 3.0, 1.0, 5.0, 0.0
"""Pay of mutual cooperation, of mutual defection, of a lone defector and of a lone cooperator."""

PAYOFFS: dict[tuple[bool, bool], Two] = {
    (True, True): (REWARD, REWARD),
    (True, False): (SUCKER, TEMPTATION),
    (False, True): (TEMPTATION, SUCKER),
    (False, False): (PUNISHMENT, PUNISHMENT),
}
"""(first seat cooperates, second seat cooperates) -> pay of both."""

_COOPERATION = frozenset(cooperate for cooperate, _ in LABELS.values())
_DEFECTION = frozenset(defect for _, defect in LABELS.values())


def cooperates(move: Action) -> bool:
    """Whether a move, under either set of labels, is cooperation.

    Raises:
        ValueError: For what is not a move of this game.
    """
    if move not in _COOPERATION and move not in _DEFECTION:
        raise UserError(f"got the move {move!r}; allowed: {', '.join(sorted(_COOPERATION | _DEFECTION))}")
    return move in _COOPERATION


def _letter(move: Action | None) -> str:
    if move is None:
        return "-"
    return "C" if cooperates(move) else "D"


@lru_cache
def _played(moves: tuple[Action, Action]) -> tuple[Two, Seen]:
    """What a round pays, and the events by which each seat sees it."""
    rewards = PAYOFFS[cooperates(moves[0]), cooperates(moves[1])]
    return rewards, moved(moves, (int(rewards[0]), int(rewards[1])))


@lru_cache
def _forfeited(seat: int) -> tuple[Two, Seen]:
    """A forfeit is paid like a lone cooperator: nothing is worse for the seat."""
    rewards = (SUCKER, TEMPTATION) if seat == 0 else (TEMPTATION, SUCKER)
    return rewards, forfeited(seat, (int(rewards[0]), int(rewards[1])))


def _opened(horizon: Horizon, round_: int, rounds: int) -> InformationState:
    """The event that opens a round, where the horizon is shown."""
    return () if horizon == "hidden" else announced(round_, rounds)


@dataclass(frozen=True, slots=True, kw_only=True)
class DilemmaState(RoundsState):
    """One point of the repeated game, with the words it is played in."""

    horizon: Horizon
    labels: Labels

    def legal_actions(self, seat: int) -> tuple[Action, ...]:
        return LABELS[self.labels] if seat in self.players_to_move else ()

    def child(self, actions: Mapping[int, Action]) -> DilemmaState:
        moves = (actions[0], actions[1])
        allowed = LABELS[self.labels]
        for move in moves:
            if move not in allowed:
                raise UserError(f"illegal action {move!r} in the prisoner's dilemma; allowed: {allowed}")
        return self._after(*_played(moves))

    def forfeit(self, seat: int) -> DilemmaState:
        return self._after(*_forfeited(seat))

    def _after(self, rewards: Two, seen: Seen) -> DilemmaState:
        finished = self.finished + 1
        events = after(self.events, seen, _opened(self.horizon, finished, self.rounds))
        returns = total(self.returns, rewards)
        return DilemmaState(self.rounds, finished, events, rewards, returns, horizon=self.horizon, labels=self.labels)


class PrisonersDilemma(RoundsGame):
    """The repeated prisoner's dilemma with pay 3, 1, 5 and 0."""

    name = "prisoners_dilemma"
    max_reward = max(max(pay) for pay in PAYOFFS.values())
    min_reward = min(min(pay) for pay in PAYOFFS.values())

    def __init__(self, rounds: int = 8, horizon: Horizon = "shown", labels: Labels = "words") -> None:
        """Sets the length and the words.

        Args:
            rounds: Rounds per episode, 1 to 100.
            horizon: "shown" tells the number of the round and of rounds; "hidden" tells neither.
            labels: "words" says cooperate and defect; "neutral" says A and B and does not name the game.
        """
        super().__init__(rounds)
        if horizon not in get_args(Horizon):
            raise UserError(f"got horizon={horizon!r}; allowed: {', '.join(get_args(Horizon))}")
        if labels not in get_args(Labels):
            raise UserError(f"got labels={labels!r}; allowed: {', '.join(get_args(Labels))}")
        self.horizon, self.labels = horizon, labels

    @property
    def parameters(self) -> dict[str, Any]:
        return {**super().parameters, "horizon": self.horizon, "labels": self.labels}

    def initial_state(self) -> DilemmaState:
        first, second = ((Event("seat", seat), *_opened(self.horizon, 0, self.num_rounds)) for seat in (0, 1))
        return DilemmaState(self.num_rounds, 0, (first, second), horizon=self.horizon, labels=self.labels)

    @property
    def actions(self) -> tuple[Action, ...]:
        return LABELS[self.labels]

    def legal_at(self, information_state: InformationState, seat: int) -> tuple[Action, ...]:
        return self.actions

    def payoff_state(self, state: State, seat: int) -> int:
        """The round alone: pay depends on nothing that was played before."""
        return state.round

    def as_first_round(self, information_state: InformationState) -> InformationState:
        return (information_state[0], *_opened(self.horizon, 0, self.num_rounds))

    def label(self, information_state: InformationState) -> str:
        pairs = [_letter(own) + _letter(other) for own, other in joint_moves(information_state)]
        return f"after {' '.join(pairs)}" if pairs else "first round"

    @property
    def rules_text(self) -> str:
        length = "one or more rounds" if self.horizon == "hidden" else self.length
        if self.labels == "neutral":
            return (
                f"Game for two players, {length}. Each round both choose at once: A or B. "
                f"Both A: {REWARD:g} points each. Both B: {PUNISHMENT:g} point each. "
                f"If one plays A and one plays B, A gets {SUCKER:g} points and B gets {TEMPTATION:g}. "
                "Win as many points as possible."
            )
        return (
            f"Game: the prisoner's dilemma for two players, {length}. "
            "Each round both choose at once: cooperate or defect. "
            f"Both cooperate: {REWARD:g} points each. Both defect: {PUNISHMENT:g} point each. "
            f"If one defects and one cooperates, the defector gets {TEMPTATION:g} points "
            f"and the cooperator {SUCKER:g}. "
            "Win as many points as possible."
        )

    def event_template(self, event: Event) -> str:
        match event.kind:
            case "act" if self.labels == "neutral":
                return f"{{Player}} {{plays|play}} {event.value}."
            case "act":
                return f"{{Player}} {{{event.value}s|{event.value}}}."
        return super().event_template(event)
