"""A tournament in a folder: each ordered pair writes its own file when it ends, so that it can be stopped anywhere.

    settings.json  what decides every match      pairs/A+B.json       what A (first seat) and B played
    crossplay.json, crossplay.html, figures/     episodes/A+B.jsonl.gz

The same command continues an interrupted tournament, and one with further agents plays their pairs alone. A folder of
other settings, or of other weights under the same name, is refused.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from equipoise.arena.records import write_episodes
from equipoise.core import Game
from equipoise.errors import UserError
from equipoise.games import make_game
from equipoise.games.text import render_rules
from equipoise.lab.crossplay import CrossplaySettings, check_agents, cooperation_in, met, ordered_pairs, talk_in
from equipoise.lab.crossplay_agents import Agent, Device, Dtype, policy_of, versions_of
from equipoise.lab.crossplay_meeting import meeting_from_json, meeting_of
from equipoise.lab.crossplay_table import crossplay_table
from equipoise.lab.crossplay_transcripts import transcripts
from equipoise.lab.store import JsonRecord, Record, Store
from equipoise.lab.workers import Cell
from equipoise.metrics.payoff import payoff_bounds
from equipoise.reports.crossplay_schema import SCHEMA

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
        name: The game's name.
        parameters: The game's parameters.
        agents: Who takes part.
        settings: How much is played.
        out: The folder.
        device: Where models compute.
        dtype: Of their weights.
    """

    name: str
    parameters: Mapping[str, Any]
    agents: tuple[Agent, ...]
    settings: CrossplaySettings
    out: Path
    device: Device = "auto"
    dtype: Dtype = "float32"

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
    def store(self) -> Store[Record]:
        """Where the pairs' results are."""
        return Store(self.out, "tournament", JsonRecord(), self._settings(), self._made_by)

    @property
    def seatings(self) -> list[tuple[str, str]]:
        """Every ordered pair, self-play included."""
        return ordered_pairs([agent.name for agent in self.agents])

    def cells(self) -> list[Cell]:
        """One cell for every ordered pair."""
        return [Cell(key_of(seats)) for seats in self.seatings]

    def open(self) -> Store[Record]:
        """The store, whose folder is or becomes this very tournament's.

        Raises:
            UserError: For a folder of other settings or agents, or a path that is no folder.
        """
        store = self.store
        store.open()
        store.finished(map(key_of, self.seatings))
        return store

    def __call__(self, key: str) -> Record:
        """The result of one ordered pair; its episodes are written beside it, first."""
        started = time.perf_counter()
        seats, game = seats_of(key), self.game
        players = {a.name: policy_of(a, game, self.device, self.dtype) for a in self.agents if a.name in seats}
        episodes = met(game, players, seats, self.settings)
        path = self.out / EPISODES / f"{'+'.join(seats)}.jsonl.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_episodes(path, episodes)
        return {
            **meeting_of(episodes, cooperation_in(game), talk_in(game)).to_json(),
            "transcripts": transcripts(game, episodes),
            "seconds": time.perf_counter() - started,
        }

    def report(self, command: str = "") -> dict[str, Any]:
        """The finished tournament as plain JSON, for `reports.crossplay`.

        Raises:
            ValueError: For a pair that is not finished or cannot be read.
        """
        game, store, stored = self.game, self.store, {}
        for seats in self.seatings:
            found = store.get(key_of(seats))
            if found is None:
                raise UserError(f"{key_of(seats)} is not finished in {self.out}; run the same command again")
            stored[seats] = found
        meetings = {seats: meeting_from_json(found, str(store.path(key_of(seats)))) for seats, found in stored.items()}
        names, cooperation = [agent.name for agent in self.agents], cooperation_in(game)
        return {
            "schema": SCHEMA,
            "title": f"{self.name}: cross-play of {len(names)} agents",
            "game": self.name,
            "game_parameters": game.parameters,
            "unit": game.unit,
            "zero_sum": game.zero_sum,
            **asdict(self.settings),
            "agents": [{"name": a.name, "kind": a.kind, "source": a.source, **_sampling(a)} for a in self.agents],
            **crossplay_table(names, meetings, zero_sum=game.zero_sum, bounds=payoff_bounds(game)).to_json(),
            "cooperation": None if cooperation is None else cooperation.definition,
            "rules": render_rules(game),
            "transcripts": [t for found in stored.values() for t in found.get("transcripts", ())],
            "seconds": sum(float(found.get("seconds", 0.0)) for found in stored.values()),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": command,
            "versions": versions_of(self.agents),
        }

    def _settings(self) -> dict[str, Any]:
        """What decides every match, agents aside."""
        return {"game": self.name, "parameters": self.game.parameters, **asdict(self.settings), "dtype": self.dtype}

    def _made_by(self, key: str) -> dict[str, Any]:
        """What decides the matches of a pair beside that."""
        return {agent.name: agent.made_by() for agent in self.agents if agent.name in seats_of(key)}


def _sampling(agent: Agent) -> dict[str, Any]:
    return {"sampling": dict(agent.sampling)} if agent.sampling else {}
