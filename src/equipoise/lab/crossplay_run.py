"""A tournament in a folder: each ordered pair writes its own file when it ends, so that it can be stopped anywhere.

    settings.json  what decides every match      pairs/A+B.json       what A (first seat) and B played
    result.json    the tournament                 episodes/A+B.jsonl.gz

The same command continues an interrupted tournament, and one with further agents plays their pairs alone. A folder of
other settings, or of other weights under the same name, is refused.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from equipoise.arena.records import write_episodes
from equipoise.core import Game
from equipoise.errors import UserError
from equipoise.games import make_game
from equipoise.lab.crossplay import CrossplaySettings, check_agents, meetings_of, met, ordered_pairs, result_of
from equipoise.lab.crossplay_agents import Agent, policy_of, versions_of
from equipoise.lab.crossplay_meeting import PlayedPair
from equipoise.lab.results import CrossplayResult, Made, Settings, now
from equipoise.lab.store import Store, ValueCodec
from equipoise.lab.transcripts import transcripts
from equipoise.lab.workers import Cell
from equipoise.models.hardware import Hardware
from equipoise.registry import code_of

PAIRS, EPISODES = "pairs", "episodes"


def key_of(seats: tuple[str, str]) -> str:
    """The key of an ordered pair's result; no agent's name holds a plus sign."""
    return f"{PAIRS}/{'+'.join(seats)}"


def seats_of(key: str) -> tuple[str, str]:
    """The ordered pair of a key."""
    first, _, second = key.removeprefix(f"{PAIRS}/").partition("+")
    return first, second


@dataclass(frozen=True)
class Tournament:
    """Who plays what, how often, and where the files go; computes the pair of a key.

    Attributes:
        name: The game, as `games.make_game` takes it.
        parameters: The game's parameters.
        agents: Who takes part.
        settings: How much is played.
        out: The folder.
        hardware: Where models compute.
    """

    name: str
    parameters: Settings
    agents: tuple[Agent, ...]
    settings: CrossplaySettings
    out: Path
    hardware: Hardware = field(default_factory=Hardware)

    def __post_init__(self) -> None:
        check_agents([agent.name for agent in self.agents])
        folded = [agent.name.casefold() for agent in self.agents]
        if len(set(folded)) < len(folded):
            raise UserError("two agents' names differ in upper and lower case alone; give one another name: NAME=AGENT")

    @property
    def game(self) -> Game:
        """What is played."""
        return make_game(self.name, **self.parameters)

    @property
    def store(self) -> Store[PlayedPair]:
        """Where the pairs' results are."""
        return Store(self.out, "tournament", ValueCodec(PlayedPair), self._settings(), self._made_by)

    @property
    def seatings(self) -> list[tuple[str, str]]:
        """Every ordered pair, self-play included."""
        return ordered_pairs([agent.name for agent in self.agents])

    def cells(self) -> list[Cell]:
        """One cell for every ordered pair."""
        return [Cell(key_of(seats)) for seats in self.seatings]

    def open(self) -> Store[PlayedPair]:
        """The store, whose folder is or becomes this very tournament's.

        Raises:
            UserError: For a folder of other settings or agents, or a path that is no folder.
        """
        store = self.store
        store.open()
        store.finished(map(key_of, self.seatings))
        return store

    def __call__(self, key: str) -> PlayedPair:
        """The result of one ordered pair; its episodes are written beside it, first."""
        started = time.perf_counter()
        seats, game = seats_of(key), self.game
        players = {a.name: policy_of(a, game, self.hardware) for a in self.agents if a.name in seats}
        episodes = met(game, players, seats, self.settings)
        path = self.out / EPISODES / f"{'+'.join(seats)}.jsonl.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_episodes(path, episodes)
        (meeting,) = meetings_of(game, {seats: episodes}).values()
        shown = transcripts(game, episodes, {name: policy.wording for name, policy in players.items()})
        return PlayedPair(meeting=meeting, shown=shown, seconds=time.perf_counter() - started)

    def result(self, command: str = "") -> CrossplayResult:
        """The finished tournament; `save_result` puts it beside its pairs.

        Args:
            command: What makes it again.

        Raises:
            ValueError: For a pair that is not finished or cannot be read.
        """
        store, stored = self.store, {}
        for seats in self.seatings:
            found = store.get(key_of(seats))
            if found is None:
                raise UserError(f"{key_of(seats)} is not finished in {self.out}; run the same command again")
            stored[seats] = found
        made = Made(
            created=now(),
            command=command,
            seconds=sum(found.seconds for found in stored.values()),
            versions=versions_of(self.agents),
            by={**self._settings(), "agents": {agent.name: agent.made_by() for agent in self.agents}},
        )
        meetings = {seats: found.meeting for seats, found in stored.items()}
        shown = tuple(match for found in stored.values() for match in found.shown)
        agents = [agent.participant() for agent in self.agents]
        return result_of(self.game, agents, self.settings, meetings, shown, made)

    def _settings(self) -> Settings:
        """What decides every match, agents aside."""
        game, code = self.game, code_of(self.name)
        return {
            "game": game.name,
            **({"code": code} if code else {}),
            "parameters": {**self.parameters, **game.parameters},
            **asdict(self.settings),
            **self.hardware.deciding(),
        }

    def _made_by(self, key: str) -> Settings:
        """What decides the matches of a pair beside that."""
        return {agent.name: agent.made_by() for agent in self.agents if agent.name in seats_of(key)}
