"""What an agent's talk is worth, in a folder: what it says, what that changes in the listener's claim, what both reach.

    settings.json   what decides the result        parts/   each part when it ends, so that it is not played again
    result.json     the result, with intervals

The agent meets another one, or itself. In both seats on common deals its messages are held against its hands and its
claims (`metrics.talk`), then recorded claims are asked again after other messages (`message_effect`); last both play
with messages and without on the same hands (`talk_efficiency`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from equipoise.core import Episode, Game
from equipoise.errors import UserError
from equipoise.games import DOMAINS, domain, domain_of, make_game
from equipoise.lab.agent_origin import name_and_source, run_of
from equipoise.lab.crossplay import CrossplaySettings, meetings_of, met, talk_in
from equipoise.lab.crossplay_agents import Agent, agents_of, policy_of, versions_of
from equipoise.lab.crossplay_table import cell_of
from equipoise.lab.message_effect import CLAIMS, heard_claims, message_effect
from equipoise.lab.results import Figure, GameRecord, ListenerRecord, Made, Number, SaidRecord, TalkResult, Value, now
from equipoise.lab.store import RESULT_KEY, ResultCodec, Store, ValueCodec
from equipoise.lab.talk_efficiency import GAME, efficiency_with_and_without_talk
from equipoise.models.hardware import Hardware
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.policies.policy import Policy
from equipoise.training.progress import Counting

PARTS = "parts"
MESSAGES, EFFICIENCY = "messages", "efficiency"
WITH, WITHOUT = "with_talk", "without_talk"

Played = Mapping[tuple[str, str], Sequence[Episode]]
"""Episodes by (agent in the first seat, agent in the second)."""

Sides = tuple[list[Episode], list[int]]
"""Episodes and the seat in each of the player that is judged."""


class MessagesPart(Value):
    """What each agent says, what that changes in the claims of each, and how long it took to measure."""

    said: tuple[SaidRecord, ...]
    effects: tuple[ListenerRecord, ...]
    seconds: Number


class EfficiencyPart(Value):
    """What both reach with messages and without, the faults there, and how long it took to measure."""

    efficiency: dict[str, Figure]
    faults: dict[str, Figure]
    seconds: Number


@dataclass(frozen=True)
class TalkRun:
    """An agent's talk with another agent, or with itself.

    Attributes:
        game: What is played, with messages.
        agents: The agent, and whom it meets; it alone for self-play.
        settings: How much is played.
        out: The folder.
        hardware: Where models compute.
    """

    game: Game
    agents: tuple[Agent, ...]
    settings: CrossplaySettings
    out: Path
    hardware: Hardware = field(default_factory=Hardware)

    @cached_property
    def store(self) -> Store[TalkResult]:
        """Where the result is."""
        return Store(self.out, "talk", ResultCodec(TalkResult), self._made_by())

    @property
    def messages(self) -> Store[MessagesPart]:
        """Where what was said is, once it is known."""
        return Store(self.out / PARTS, "part", ValueCodec(MessagesPart))

    @property
    def efficiency(self) -> Store[EfficiencyPart]:
        """Where what both reach is, once it is known."""
        return Store(self.out / PARTS, "part", ValueCodec(EfficiencyPart))

    def __call__(self, command: str = "", progress: Counting = lambda more, total: None) -> TalkResult:
        """The result: read where it is finished, else computed, with the parts that are there.

        Args:
            command: What makes it again.
            progress: Told of matches as they are played and of claims as they are asked again.

        Raises:
            ValueError: For a folder of other settings, or a model that cannot be loaded.
        """
        with self.store.opened(self.messages.path(MESSAGES)):
            return self.store.result(RESULT_KEY, lambda _: self._measured(command, progress))

    def _measured(self, command: str, progress: Counting) -> TalkResult:
        total = self._work()

        def tell(more: int) -> None:
            progress(more, total)

        messages = self.messages.result(MESSAGES, lambda _: self._messages(tell))
        efficiency = self.efficiency.result(EFFICIENCY, lambda _: self._efficiency(tell))
        names = " with ".join(agent.name for agent in self.agents)
        return TalkResult(
            title=f"{self.game.name}: what the talk of {names} is worth",
            made=Made(
                created=now(),
                command=command,
                seconds=messages.seconds + efficiency.seconds,
                versions=versions_of(self.agents),
            ),
            game=GameRecord.of(self.game),
            agents=tuple(agent.participant() for agent in self.agents),
            **asdict(self.settings),
            said=messages.said,
            effects=messages.effects,
            efficiency=efficiency.efficiency,
            faults=efficiency.faults,
        )

    def _work(self) -> int:
        """Matches that are left to play, and claims to ask again."""
        seatings, matches = len(self.agents), self.settings.matches
        messages = 0 if self.messages.has(MESSAGES) else seatings * (matches + CLAIMS)
        return messages + (0 if self.efficiency.has(EFFICIENCY) else 2 * seatings * matches)

    def _players(self) -> dict[str, Policy]:
        return {agent.name: policy_of(agent, self.game, self.hardware) for agent in self.agents}

    def _messages(self, tell: Callable[[int], object]) -> MessagesPart:
        """What each agent says to the other, and what messages change in the claims of each."""
        started = time.perf_counter()
        players, names = self._players(), [agent.name for agent in self.agents]
        tell(0)
        pairs = list(dict.fromkeys([(names[0], names[-1]), (names[-1], names[0])]))
        played = {pair: met(self.game, players, pair, self.settings, tell) for pair in pairs}
        meetings = meetings_of(self.game, played)
        cells = [cell_of(meetings, *pair) for pair in pairs]
        said = [SaidRecord(agent=c.agent, to=c.opponent, figures=c.talk, fault_rate=c.fault_rate) for c in cells]
        effects = []
        for agent, other in reversed(pairs):
            effects.append(self._effect(players[agent], played, agent, other))
            tell(CLAIMS)  # of which there may be fewer
        return MessagesPart(said=tuple(said), effects=tuple(effects), seconds=time.perf_counter() - started)

    def _effect(self, listener: Policy, played: Played, agent: str, other: str) -> ListenerRecord:
        """What messages change in the claims of a listener; or why that cannot be told."""
        if isinstance(listener, LanguageModelPolicy) and not listener.is_scored:
            reasons = listener.sampling.reasoning != "none"
            cause = "it reasons before it claims" if reasons else f"the engine {listener.engine.name!r} scores nothing"
            why = f"{cause}, so its claims have no exact probabilities"
            return ListenerRecord(listener=agent, speaker=other, why=why)
        known = domain_of(self.game)
        claims = heard_claims(*_sides(played, agent, other), known, seed=self.settings.seed)
        if not claims:
            return ListenerRecord(listener=agent, speaker=other, why="it never heard a message before a claim")
        assert known.talk is not None
        effect = message_effect(self.game, listener, claims, known.talk)
        return ListenerRecord(listener=agent, speaker=other, effect=effect)

    def _efficiency(self, tell: Callable[[int], object]) -> EfficiencyPart:
        """What both reach with messages and without."""
        started = time.perf_counter()
        players = list(self._players().values())
        tell(0)
        parameters = {key: value for key, value in self.game.parameters.items() if key != "talk"}
        matches, seed, fault_rule = self.settings.matches, self.settings.seed, self.settings.fault_rule
        found = efficiency_with_and_without_talk(
            players[0], players[-1], parameters, matches, seed, fault_rule, progress=tell
        )
        return EfficiencyPart(
            efficiency={name: getattr(found, name) for name in (WITH, WITHOUT, "difference")},
            faults=dict(zip((WITH, WITHOUT), found.faults, strict=True)),
            seconds=time.perf_counter() - started,
        )

    def _made_by(self) -> dict[str, Any]:
        return {
            "game": self.game.name,
            "parameters": self.game.parameters,
            "agents": {agent.name: agent.made_by() for agent in self.agents},
            **asdict(self.settings),
            **self.hardware.deciding(),
        }


def _sides(played: Played, agent: str, other: str) -> Sides:
    """The matches of two agents in both seatings with the agent's seat in each; in self-play every match twice."""
    ahead, behind = played[agent, other], played[other, agent]
    return [*ahead, *behind], [0] * len(ahead) + [1] * len(behind)


def talking_game(text: str, named: str | None, parameters: Mapping[str, Any]) -> Game:
    """The game in which an agent's talk is judged: the one of its run, or the one that is named.

    Args:
        text: The agent as a user wrote it.
        named: A game's name; None for that of the agent's run, or the first game with messages.
        parameters: Of the game, in place of the run's.

    Raises:
        ValueError: For a game without messages, or an agent that was trained on other games.
    """
    _, source = name_and_source(text)
    own = run_of(source)
    known = [name for name, found in DOMAINS.items() if found.talk is not None]
    trained = [name for name in own.names if name in known] or list(own.names) if own is not None else known
    name = named or trained[0]
    if domain(name).talk is None:
        whose = f"{source} was trained on {name}, which" if named is None else name
        raise UserError(f"{whose} has no messages; games with messages: {', '.join(known)}")
    if name != GAME:
        raise UserError(f"{name} has messages, but its play without them is not known; talk is judged in {GAME}")
    tasks = {task.game.name: task.game.parameters for task in own.tasks} if own is not None else {}
    game = make_game(name, **{**domain(name).corrected.parameters, **tasks.get(name, {}), **parameters})
    if talk_in(game) is None:
        raise UserError(f"{name} has no messages with talk=false; judge it with --set talk=true")
    return game


def talkers(texts: Sequence[str], game: Game) -> tuple[Agent, ...]:
    """The agents that a user wrote: one, or two of different names.

    Raises:
        ValueError: For what is no agent, a model that was trained on other games, or two agents of one name.
    """
    agents = agents_of(texts, game, {})
    folded = [agent.name.casefold() for agent in agents]
    if len(set(folded)) < len(folded):
        raise UserError(
            f"both agents are named {agents[0].name!r}; leave --with out for self-play, or name one: --with NAME=AGENT"
        )
    return agents
