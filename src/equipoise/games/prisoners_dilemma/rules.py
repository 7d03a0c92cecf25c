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

from equipoise.core import Action, Event, Game, InformationState, State
from equipoise.games.history import joint_moves

Horizon = Literal["shown", "hidden"]
Labels = Literal["words", "neutral"]
Two = tuple[float, float]

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
        raise ValueError(f"got the move {move!r}; allowed: {', '.join(sorted(_COOPERATION | _DEFECTION))}")
    return move in _COOPERATION


def _letter(move: Action | None) -> str:
    if move is None:
        return "-"
    return "C" if cooperates(move) else "D"


@dataclass(frozen=True, slots=True)
class _Settings:
    rounds: int
    horizon: Horizon
    labels: Labels


@lru_cache
def _played(moves: tuple[Action, Action]) -> tuple[Two, tuple[InformationState, InformationState]]:
    """What a round pays, and the events by which each seat sees it."""
    rewards = PAYOFFS[cooperates(moves[0]), cooperates(moves[1])]
    acts = [Event("act", seat, moves[seat]) for seat in (0, 1)]
    paid = [Event("paid", seat, int(rewards[seat])) for seat in (0, 1)]
    return rewards, ((acts[0], acts[1], paid[0]), (acts[1], acts[0], paid[1]))


@lru_cache
def _forfeited(seat: int) -> tuple[Two, tuple[InformationState, InformationState]]:
    """A forfeit is paid like a lone cooperator: nothing is worse for the seat."""
    rewards = (SUCKER, TEMPTATION) if seat == 0 else (TEMPTATION, SUCKER)
    event = Event("forfeit", seat)
    return rewards, (
        (event, Event("paid", 0, int(rewards[0]))),
        (event, Event("paid", 1, int(rewards[1]))),
    )


@lru_cache
def _announced(settings: _Settings, round_: int) -> InformationState:
    """The event that opens a round, where the horizon is shown."""
    if settings.horizon == "hidden" or round_ == settings.rounds:
        return ()
    return (Event("round", None, (round_ + 1, settings.rounds)),)


@dataclass(frozen=True, slots=True)
class DilemmaState(State):
    """One point of the repeated game: the finished rounds, what the last one paid and what each seat has seen."""

    settings: _Settings
    finished: int
    events: tuple[InformationState, InformationState]
    rewards: Two = (0.0, 0.0)
    returns: Two = (0.0, 0.0)

    @property
    def round(self) -> int:
        return self.finished

    @property
    def players_to_move(self) -> tuple[int, ...]:
        return (0, 1) if self.finished < self.settings.rounds else ()

    def legal_actions(self, seat: int) -> tuple[Action, ...]:
        return LABELS[self.settings.labels] if seat in self.players_to_move else ()

    def information_state(self, seat: int) -> InformationState:
        return self.events[seat]

    def chance_outcomes(self) -> tuple[tuple[Action, float], ...]:
        return ()

    def child(self, actions: Mapping[int, Action]) -> DilemmaState:
        moves = (actions[0], actions[1])
        allowed = LABELS[self.settings.labels]
        for move in moves:
            if move not in allowed:
                raise ValueError(f"illegal action {move!r} in the prisoner's dilemma; allowed: {allowed}")
        return self._after(*_played(moves))

    def forfeit(self, seat: int) -> DilemmaState:
        return self._after(*_forfeited(seat))

    def _after(self, rewards: Two, seen: tuple[InformationState, InformationState]) -> DilemmaState:
        header = _announced(self.settings, self.finished + 1)
        events = (self.events[0] + seen[0] + header, self.events[1] + seen[1] + header)
        returns = (self.returns[0] + rewards[0], self.returns[1] + rewards[1])
        return DilemmaState(self.settings, self.finished + 1, events, rewards, returns)


class PrisonersDilemma(Game):
    """The repeated prisoner's dilemma with pay 3, 1, 5 and 0."""

    name = "prisoners_dilemma"
    max_reward = max(max(pay) for pay in PAYOFFS.values())
    min_reward = min(min(pay) for pay in PAYOFFS.values())
    unit = "points per round"

    def __init__(self, rounds: int = 8, horizon: Horizon = "shown", labels: Labels = "words") -> None:
        """Sets the length and the words.

        Args:
            rounds: Rounds per episode, 1 to 100.
            horizon: "shown" tells the number of the round and of rounds; "hidden" tells neither.
            labels: "words" says cooperate and defect; "neutral" says A and B and does not name the game.
        """
        if type(rounds) is not int or not 1 <= rounds <= 100:
            raise ValueError(f"got rounds={rounds!r}; allowed: a whole number from 1 to 100")
        if horizon not in get_args(Horizon):
            raise ValueError(f"got horizon={horizon!r}; allowed: {', '.join(get_args(Horizon))}")
        if labels not in LABELS:
            raise ValueError(f"got labels={labels!r}; allowed: {', '.join(LABELS)}")
        self.num_rounds = rounds
        self.horizon, self.labels = horizon, labels
        self._settings = _Settings(rounds, horizon, labels)

    @property
    def parameters(self) -> dict[str, Any]:
        return {"rounds": self.num_rounds, "horizon": self.horizon, "labels": self.labels}

    def initial_state(self) -> DilemmaState:
        first, second = ((Event("seat", seat), *_announced(self._settings, 0)) for seat in (0, 1))
        return DilemmaState(self._settings, 0, (first, second))

    @property
    def actions(self) -> tuple[Action, ...]:
        return LABELS[self.labels]

    def legal_at(self, information_state: InformationState, seat: int) -> tuple[Action, ...]:
        return self.actions

    def payoff_state(self, state: State, seat: int) -> int:
        """The round alone: pay depends on nothing that was played before."""
        return state.round

    def as_first_round(self, information_state: InformationState) -> InformationState:
        return (information_state[0], *_announced(self._settings, 0))

    def label(self, information_state: InformationState) -> str:
        pairs = [_letter(own) + _letter(other) for own, other in joint_moves(information_state)]
        return f"after {' '.join(pairs)}" if pairs else "first round"

    def action_text(self, action: Action) -> str:
        return str(action)

    @property
    def rules_text(self) -> str:
        length = f"{self.num_rounds} round{'' if self.num_rounds == 1 else 's'}"
        if self.horizon == "hidden":
            length = "one or more rounds"
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
            case "seat":
                return ""
            case "round":
                return f"Round {event.value[0]} of {event.value[1]}."
            case "act" if self.labels == "neutral":
                return f"{{Player}} {{plays|play}} {event.value}."
            case "act":
                return f"{{Player}} {{{event.value}s|{event.value}}}."
            case "paid":
                return f"{{Player}} {{gets|get}} {event.value} point{'' if event.value == 1 else 's'}."
            case "forfeit":
                return "{Player} {forfeits|forfeit} the round."
        raise ValueError(f"the prisoner's dilemma has no event {event.kind!r}")
