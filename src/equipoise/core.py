"""The vocabulary every other module speaks: games, states, decisions, replies, faults, episodes, estimates.

A `Game` is rules plus words. A `State` is one immutable point of it. What a player has seen is its *information
state*: an append-only tuple of `Event`. A policy turns decisions into `Reply` objects; a reply that names no legal
action is a `Fault`, which is data on the record and never a crash. Everything that was played is an `Episode`;
metrics and objectives read episodes and nothing else. Needs numpy alone.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

from equipoise.errors import UserError

Action = Hashable
"""A labelled choice (a string), an integer, a tuple of integers, or, where a state allows any text, a line of it."""

CHANCE = -1
"""The seat that moves at a chance node, as in OpenSpiel."""


class Event(NamedTuple):
    """One thing a player saw: what kind of thing, whom it is about (None: nobody), and its value."""

    kind: str
    player: int | None = None
    value: Any = None


InformationState = tuple[Event, ...]
"""All a seat has seen so far, oldest first. Append-only: a later state of a seat starts with the earlier one."""


class State(ABC):
    """One immutable point of a game."""

    __slots__ = ()

    @property
    @abstractmethod
    def players_to_move(self) -> tuple[int, ...]:
        """Seats that move now (several: simultaneously), `(CHANCE,)` at a chance node, `()` when the game is over."""

    @property
    @abstractmethod
    def round(self) -> int:
        """Index of the round (hand, period) being played, from 0."""

    @property
    @abstractmethod
    def rewards(self) -> tuple[float, ...]:
        """What the transition into this state paid each seat, [N]."""

    @property
    @abstractmethod
    def returns(self) -> tuple[float, ...]:
        """What each seat has been paid since the start, [N]."""

    @abstractmethod
    def legal_actions(self, seat: int) -> tuple[Action, ...]:
        """The actions open to `seat` here, in the game's fixed order."""

    @abstractmethod
    def information_state(self, seat: int) -> InformationState:
        """Everything `seat` has seen, its own actions included (perfect recall)."""

    @abstractmethod
    def chance_outcomes(self) -> tuple[tuple[Action, float], ...]:
        """At a chance node, every outcome with its probability."""

    @abstractmethod
    def child(self, actions: Mapping[int, Action]) -> State:
        """The state after the seats to move (or `CHANCE`) play `actions`."""

    @abstractmethod
    def forfeit(self, seat: int) -> State:
        """The state after `seat` gives up the current round on the worst terms the round can end on for it."""

    @property
    def is_terminal(self) -> bool:
        """Whether the game is over."""
        return not self.players_to_move

    @property
    def is_chance(self) -> bool:
        """Whether chance moves now."""
        return self.players_to_move == (CHANCE,)


class Game(ABC):
    """Rules plus words. A new game is one folder that implements this and `State`.

    Attributes:
        name: The name on the command line.
        num_players: Number of seats, N.
        num_rounds: Rounds (hands, periods) of one episode; payoffs are reported per round.
        max_reward: The largest reward one round can pay one seat, in the game's unit.
        min_reward: The smallest.
        zero_sum: Whether the rewards of every transition sum to zero.
        unit: The unit of a reward, for tables.
        max_slots: The most decisions one seat can face in one round.
        answer: What a reply must be, as in "Answer with one word."
    """

    name: str
    num_players: int = 2
    num_rounds: int = 1
    max_reward: float
    min_reward: float
    zero_sum: bool = False
    unit: str = "points per round"
    max_slots: int = 1
    answer: str = "one word"

    _made_by: object = None  # what `games.make_game` leaves for `games.domain_of`

    @abstractmethod
    def initial_state(self) -> State:
        """The root."""

    @property
    @abstractmethod
    def actions(self) -> tuple[Action, ...]:
        """Every action any state of the game may allow; `AnyText` stands for all of its texts."""

    @property
    @abstractmethod
    def rules_text(self) -> str:
        """The rules, without how to answer (`games.text` adds that). They promise nothing the code does not pay."""

    @abstractmethod
    def event_template(self, event: Event) -> str:
        """The sentence for an event, with `{Player}` and `{verbs|verb}` holes that `games.text` fills per reader."""

    @abstractmethod
    def action_text(self, action: Action) -> str:
        """The words that name an action."""

    @abstractmethod
    def legal_at(self, information_state: InformationState, seat: int) -> tuple[Action, ...]:
        """The legal actions of `seat` at what it has seen: legality is part of what a player knows."""

    def as_first_round(self, information_state: InformationState) -> InformationState:
        """The first-round state that poses the same decision, where rounds repeat; else the state itself."""
        return information_state

    def label(self, information_state: InformationState) -> str:
        """A short name of an information state for tables."""
        return " ".join(str(event.value) for event in information_state if event.value is not None)

    def payoff_state(self, state: State, seat: int) -> Hashable:
        """What of `state` still matters to what `seat` will be paid and will see.

        Two states with equal values must offer the same moves and chance, and after the same moves pay `seat` the same,
        show it the same and stay equal. The default is the state itself, history included: always right, and slow for
        dynamic programming over long games.
        """
        return state

    @property
    def parameters(self) -> dict[str, Any]:
        """The settings that make this instance, as the constructor takes them."""
        return {}

    @property
    def scale(self) -> float:
        """s of the SEPO objective: 3 / the largest payoff per round (arXiv 2605.30854), or 3 / the largest cost."""
        largest = self.max_reward if self.max_reward > 0 else abs(self.min_reward)
        return 3.0 / largest if largest else 1.0


Behaviour = Callable[[InformationState, tuple[Action, ...]], Mapping[Action, float]]
"""A script: the probability of each legal action at what a player has seen."""


@dataclass(frozen=True)
class Opponent:
    """A named script with its claims, so that it can be played, enumerated and checked.

    Attributes:
        name: Unique within its game.
        behaviour: Maps an information state and the legal actions to probabilities.
        stochastic: Whether it ever mixes; the conformance checks hold it to this.
        source: Where the strategy comes from.
        memory: What of an information state it uses: equal memories play alike and, after equal events, stay equal.
            None means all of it. Dynamic programming against a script merges the states that its memory does not tell
            apart.
        reason: One sentence, true of what the player has seen, that explains an action it takes there; None for a
            player that gives no reasons.
    """

    name: str
    behaviour: Behaviour
    stochastic: bool
    source: str
    memory: Callable[[InformationState], Hashable] | None = None
    reason: Callable[[InformationState, Action], str] | None = None


FaultKind = Literal["unparsable", "ambiguous", "illegal", "refusal", "truncated"]
FaultRule = Literal["forfeit", "resample", "random_legal", "constrained"]
FAULT_KINDS: tuple[FaultKind, ...] = ("unparsable", "ambiguous", "illegal", "refusal", "truncated")
FAULT_RULES: tuple[FaultRule, ...] = ("forfeit", "resample", "random_legal", "constrained")


@dataclass(frozen=True, slots=True)
class Fault:
    """A reply that names no legal action: what was wrong with it, in one line."""

    kind: FaultKind
    detail: str


@dataclass(frozen=True, slots=True)
class Tokens:
    """The exact tokens of one turn: what the model was newly shown, what it sampled, and with what log-probabilities.

    Attributes:
        prompt: Token ids appended to the transcript before the reply (environment tokens, never trained on).
        completion: Token ids sampled, the end-of-turn token included where the model produced it.
        log_probs: Log-probability of each sampled token under the sampling distribution (temperature included).
    """

    prompt: tuple[int, ...]
    completion: tuple[int, ...]
    log_probs: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a policy answered: words (a language model, a person) or directly an action (a script, a table).

    Attributes:
        text: The words.
        action: The action, where it was not said in words.
        tokens: The exact tokens behind thought and words, for policies that sample tokens.
        truncated: Whether the reply hit the token limit before it ended.
        thought: What a thinking model wrote before the words; nobody reads it, and no action is looked for in it.
    """

    text: str = ""
    action: Action | None = None
    tokens: Tokens | None = None
    truncated: bool = False
    thought: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """One player's turn: what it had seen, what it replied, what was played.

    Attributes:
        seat: Who decided.
        round: The game's round.
        slot: How many decisions this seat had already taken in this round.
        information_state: What the seat had seen.
        legal: The legal actions.
        reply: What the policy said.
        action: What was played; None when a fault forfeited the round.
        fault: Why the reply named no legal action, or None.
        attempts: Earlier faulty replies at this decision (fault rule `resample`).
    """

    seat: int
    round: int
    slot: int
    information_state: InformationState
    legal: tuple[Action, ...]
    reply: Reply
    action: Action | None
    fault: Fault | None = None
    attempts: tuple[tuple[Reply, Fault], ...] = ()


@dataclass(frozen=True, slots=True)
class Episode:
    """One play of a game, complete.

    Attributes:
        game: The game's name.
        policies: Policy name per seat.
        deal: The chance seed (or the index of the enumerated deal); episodes that share it are one cluster.
        decisions: Every decision in order of play.
        rewards: What each round paid each seat, [R][N].
        returns: Total per seat, [N].
    """

    game: str
    policies: tuple[str, ...]
    deal: int
    decisions: tuple[Decision, ...]
    rewards: tuple[tuple[float, ...], ...]
    returns: tuple[float, ...]

    def of(self, seat: int) -> tuple[Decision, ...]:
        """The decisions of one seat."""
        return tuple(d for d in self.decisions if d.seat == seat)


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval.

    Attributes:
        value: The point estimate.
        low: Lower end of the interval; NaN when fewer than two independent units support it.
        high: Upper end.
        n: Independent units (clusters) behind it.
        level: Confidence level of the interval.
        method: How it was made, for example "exact" or "t over deals".
    """

    value: float
    low: float
    high: float
    n: int
    level: float = 0.95
    method: str = ""

    @classmethod
    def exact(cls, value: float) -> Estimate:
        """A figure that was computed, not sampled: its interval is the point itself."""
        return cls(value, value, value, 1, 1.0, "exact")

    def to_json(self) -> dict[str, Any]:
        """JSON with NaN as null."""
        return {
            "value": _finite(self.value),
            "low": _finite(self.low),
            "high": _finite(self.high),
            "n": self.n,
            "level": self.level,
            "method": self.method,
        }

    def __str__(self) -> str:
        if math.isnan(self.low) or self.low == self.high:
            return f"{self.value:.4f}"
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


@dataclass(frozen=True)
class Pools:
    """A game's opponents by purpose; disjoint, and the held-out pool is never trained on.

    Attributes:
        train: Earn the payoff term.
        exploiter: Earn the exploitability term.
        collusive: Earn the collusion term.
        held_out: For audits alone.
        overlapping: Whether one opponent may serve several purposes, as in some of SEPO's published pools.
    """

    train: tuple[Opponent, ...] = ()
    exploiter: tuple[Opponent, ...] = ()
    collusive: tuple[Opponent, ...] = ()
    held_out: tuple[Opponent, ...] = ()
    overlapping: bool = False
    names: ClassVar[tuple[str, ...]] = ("train", "exploiter", "collusive", "held_out")

    def __post_init__(self) -> None:
        seen: dict[str, str] = {}
        for pool in self.names:
            for opponent in self.of(pool):
                if opponent.name in seen and not self.overlapping:
                    pools = f"{seen[opponent.name]!r} and {pool!r}"
                    raise UserError(f"opponent {opponent.name!r} is in pools {pools}; pools are disjoint")
                seen[opponent.name] = pool

    def of(self, pool: str) -> tuple[Opponent, ...]:
        """The opponents of one pool by its name."""
        if pool not in self.names:
            raise UserError(f"unknown pool {pool!r}; known: {', '.join(self.names)}")
        opponents: tuple[Opponent, ...] = getattr(self, pool)
        return opponents

    def all(self) -> tuple[tuple[str, Opponent], ...]:
        """Every opponent with the name of its pool."""
        return tuple((pool, opponent) for pool in self.names for opponent in self.of(pool))

    def find(self, name: str) -> Opponent:
        """The opponent of this name in any pool."""
        for _, opponent in self.all():
            if opponent.name == name:
                return opponent
        known = ", ".join(o.name for _, o in self.all())
        raise UserError(f"unknown opponent {name!r}; known: {known}")
