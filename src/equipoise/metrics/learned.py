"""An adversary learned from recorded episodes, for games whose tree is too large to be walked.

From episodes of an agent against exploring opponents it fits, decision by decision from the last to the first, what
each action leads to: the lead (its own rewards less the agent's) until the next decision, plus what the best action
there is worth. What a player remembers is cut to its newest events, and cells with few samples are drawn towards
coarser memories; a maximum over noisy cells would otherwise be too hopeful about the response and pick poor actions.

What the fitted opponent takes on *fresh* episodes is a lower bound on the worst-case advantage, up to its interval:
some opponent takes at least as much. What the fit promised on its own data is no bound of anything. It needs recorded
episodes alone, so it works for a model behind an API as well.

Where players talk, this adversary never says more than `SILENCE` and does not listen: a message that it remembers is
`SILENCE`, too, whatever was said. What talk could take stays out of the bound, which is a lower bound all the same.

Reference: Ernst, Geurts, Wehenkel 2005, Tree-based batch mode reinforcement learning (fitted Q iteration).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from equipoise.core import Action, Decision, Episode, Event, Game, InformationState, Opponent
from equipoise.errors import UserError
from equipoise.games.free_text import SILENCE, AnyText, text_limit
from equipoise.games.uniform import spoken, uniform

LEARNED_RESPONSE = "learned_response"
PRIOR_SAMPLES = 4.0
"""How many samples the estimate of the next coarser memory counts as."""

_Q = dict[int, float]
"""What each action is worth, by its place in `Game.actions`."""


def recent(information_state: InformationState) -> Hashable:
    """How many moves were seen, and the newest event of every kind about every player, oldest first."""
    newest: dict[tuple[str, int | None], int] = {}
    for i, event in enumerate(information_state):
        newest[event.kind, event.player] = i
    return _moves_seen(information_state), tuple(information_state[i] for i in sorted(newest.values()))


def explorer(game: Game) -> Opponent:
    """The opponent that plays every legal action equally often: it shows how an agent answers to anything but words."""
    return Opponent("explorer", uniform, True, f"plays {game.name} uniformly at random, to see how the agent answers")


def mixing(opponent: Opponent, exploration: float) -> Opponent:
    """An opponent that plays uniformly with probability `exploration` at each decision, else as `opponent`.

    For the next episodes to learn from: they lead where the response leads, and around it.

    Raises:
        ValueError: Unless 0 < exploration <= 1.
    """
    if not 0 < exploration <= 1:
        raise UserError(f"got exploration={exploration}; allowed: above 0, at most 1")

    def behaviour(information_state: InformationState, legal: tuple[Action, ...]) -> Mapping[Action, float]:
        own = opponent.behaviour(information_state, legal)
        return {a: (1 - exploration) * own.get(a, 0.0) + exploration / len(legal) for a in map(spoken, legal)}

    return Opponent(f"mixed_{opponent.name}", behaviour, True, f"{opponent.source}, with exploration")


def learned_response(game: Game, episodes: Sequence[Episode], agent: str) -> Opponent:
    """The opponent fitted to maximise E[its own - the agent's return], as `LearnedTable.fitted`.

    Raises:
        ValueError: As `LearnedTable.fitted`.
    """
    return LearnedTable.fitted(game, episodes, agent).opponent()


@dataclass(frozen=True, eq=False)
class LearnedTable:
    """What every action was worth at every memory that was met.

    Attributes:
        game: The game.
        levels: From the finest memory to the coarsest, the value of each action by the memory's text.
    """

    game: Game
    levels: tuple[Mapping[str, _Q], ...]

    @classmethod
    def fitted(cls, game: Game, episodes: Sequence[Episode], agent: str) -> LearnedTable:
        """The table fitted to the moves of whoever played `agent`.

        Decisions at which the opponent itself forfeited teach nothing and are passed over; the agent's faults teach
        what they paid.

        Args:
            game: What was played, by two players.
            episodes: Of the agent against opponents that explore; the more different their moves, the better.
            agent: Its name; it holds one seat of every episode.

        Raises:
            ValueError: For no episodes, or one in which the agent does not hold exactly one of two seats.
        """
        if not episodes:
            raise UserError("got no episodes to learn from; play the agent against explorer(game) first")
        samples = [_samples(game, episode, agent) for episode in episodes]
        tables: list[dict[str, _Q]] = []
        for t in range(max(map(len, samples)) - 1, -1, -1):
            here = [chain[t] for chain in samples if len(chain) > t]
            after = [chain[t + 1] if len(chain) > t + 1 else None for chain in samples if len(chain) > t]
            targets = [s.lead + (_value(tables, n) if n is not None else 0.0) for s, n in zip(here, after, strict=True)]
            fitted = _fit(here, np.array(targets))
            tables = [{**old, **new} for old, new in zip(tables, fitted, strict=True)] if tables else fitted
        return cls(game, tuple(tables))

    def opponent(self) -> Opponent:
        """The opponent that takes the best action of the finest memory that was met; ties go to the first."""
        numbers = {action: i for i, action in enumerate(self.game.actions)}

        def behaviour(information_state: InformationState, legal: tuple[Action, ...]) -> Mapping[Action, float]:
            for level, key in zip(self.levels, _memories(self.game, information_state), strict=True):
                worth = level.get(key)
                if worth is not None:
                    return {spoken(max(legal, key=lambda action: worth.get(numbers[action], -np.inf))): 1.0}
            return {spoken(legal[0]): 1.0}

        return Opponent(LEARNED_RESPONSE, behaviour, False, "fitted to recorded episodes of the agent")

    def to_json(self) -> Any:
        """JSON from which `from_json` makes the same table."""
        return [{key: list(map(list, worth.items())) for key, worth in level.items()} for level in self.levels]

    @classmethod
    def from_json(cls, game: Game, data: Any) -> LearnedTable:
        """The table of a `to_json`."""
        return cls(game, tuple({key: {i: q for i, q in worth} for key, worth in level.items()} for level in data))


@dataclass(frozen=True, slots=True)
class _Sample:
    """One decision of the opponent: its memories, what it could play and played, and its lead until its next one."""

    memories: tuple[str, ...]
    legal: tuple[int, ...]
    action: int
    lead: float


def _samples(game: Game, episode: Episode, agent: str) -> list[_Sample]:
    if len(episode.policies) != 2 or episode.policies.count(agent) != 1:
        raise UserError(
            f"got an episode of {', '.join(episode.policies)}; {agent!r} must hold exactly one of two seats"
        )
    seat = 1 - episode.policies.index(agent)
    numbers = {action: i for i, action in enumerate(game.actions)}
    own: list[tuple[Decision, Action]] = [(d, d.action) for d in episode.of(seat) if d.action is not None]
    rounds = [decision.round for decision, _ in own] + [len(episode.rewards)]
    return [
        _Sample(
            _memories(game, decision.information_state),
            tuple(numbers[a] for a in decision.legal),
            numbers[_listed(action, decision.legal)],
            sum(paid[seat] - paid[1 - seat] for paid in episode.rewards[rounds[t] : rounds[t + 1]]),
        )
        for t, (decision, action) in enumerate(own)
    ]


def _memories(game: Game, information_state: InformationState) -> tuple[str, ...]:
    """The memory as text, from fine to coarse; every one tells how many moves were seen.

    The newest events; without outcomes (kinds of event that were not shown before the first move) and all moves but
    the last; the decision as the first round would pose it; nothing but the number.
    """
    information_state = _without_words(game, information_state)
    count = _moves_seen(information_state)
    first = next((i for i, event in enumerate(information_state) if event.kind == "act"), len(information_state))
    kinds = {event.kind for event in information_state[:first]}
    newest: dict[tuple[str, int | None], Event] = {}
    for event in information_state:
        if event.kind in kinds or event.kind == "act":
            what = ("act", None) if event.kind == "act" else (event.kind, event.player)
            newest.pop(what, None)
            newest[what] = event
    alike = game.as_first_round(information_state)
    alike = () if alike == information_state and count else alike
    texts = [recent(information_state), (count, tuple(newest.values())), (count, alike), (count,)]
    return tuple(_text(memory) for memory in texts)


def _text(memory: Hashable) -> str:
    """A memory as text: equal memories have equal texts, in this run and in the next."""
    if isinstance(memory, tuple):
        return f"({','.join(map(_text, memory))})"
    return repr(memory)


def _fit(samples: Sequence[_Sample], targets: np.ndarray) -> list[dict[str, _Q]]:
    """Shrunken mean target of each action at each memory, per level, for decisions of one number."""
    levels = len(samples[0].memories)
    overall = float(targets.mean())
    fitted: list[dict[str, _Q]] = [{} for _ in range(levels)]
    for level in range(levels - 1, -1, -1):
        sums: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(lambda: [0.0, 0.0]))
        coarser: dict[str, str] = {}
        legal: dict[str, set[int]] = defaultdict(set)
        for sample, target in zip(samples, targets, strict=True):
            key = sample.memories[level]
            cell = sums[key][sample.action]
            cell[0] += target
            cell[1] += 1
            legal[key].update(sample.legal)
            if level + 1 < levels:
                coarser.setdefault(key, sample.memories[level + 1])
        for key, cells in sums.items():
            above = fitted[level + 1][coarser[key]] if key in coarser else {}
            fitted[level][key] = {}
            for action in sorted(legal[key]):
                total, count = cells.get(action, (0.0, 0.0))
                prior = above.get(action, overall)
                fitted[level][key][action] = (total + PRIOR_SAMPLES * prior) / (count + PRIOR_SAMPLES)
    return fitted


def _value(tables: Sequence[Mapping[str, _Q]], sample: _Sample) -> float:
    """What the best action is worth at a decision that was fitted before."""
    worth = tables[0][sample.memories[0]]
    return max(worth[action] for action in sample.legal)


def _moves_seen(information_state: InformationState) -> int:
    return sum(event.kind == "act" for event in information_state)


def _listed(action: Action, legal: tuple[Action, ...]) -> Action:
    """The legal option that an action is one of."""
    return action if action in legal else next(option for option in legal if isinstance(option, AnyText))


def _without_words(game: Game, information_state: InformationState) -> InformationState:
    """What was seen with silence in place of every message."""
    if not text_limit(game.actions):
        return information_state
    named = set(game.actions)
    return tuple(
        event._replace(value=SILENCE) if event.kind == "act" and event.value not in named else event
        for event in information_state
    )
