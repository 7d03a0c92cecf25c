"""Cross-play: every agent against every agent, itself included, in both seats, on common deals.

Deal d is the same luck in every meeting, under seeds that no training uses, and a script's own dice of match d are the
same, too. A language model's dice are keyed by who meets whom: two models that meet never draw the same numbers, and
what a pair plays depends on nothing but the pair. The cell (agent, opponent) is the agent's pay per round, averaged
over the rounds that were played, then over the matches of both seats.

Reference: the evaluation of arXiv 2511.19405 (256 matches per pairing); its figures had no intervals.
"""

from __future__ import annotations

import hashlib
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from equipoise.arena import MOST_DEALS, Match, rollout
from equipoise.core import FAULT_RULES, Episode, FaultRule, Game
from equipoise.errors import UserError
from equipoise.games import domain_of
from equipoise.games.domain import Cooperation, Talk
from equipoise.games.free_text import text_limit
from equipoise.games.text import render_rules
from equipoise.lab.crossplay_meeting import Meeting, meeting_of
from equipoise.lab.crossplay_table import CORRECTION, Meetings, crossplay_table
from equipoise.lab.results import CrossplayResult, GameRecord, Made, MatchRecord, Participant, now
from equipoise.lab.transcripts import transcripts
from equipoise.metrics.payoff import payoff_bounds
from equipoise.policies.policy import Policy, Session
from equipoise.seeds import Seed, Use

MATCHES = 256


@dataclass(frozen=True)
class CrossplaySettings:
    """How much a tournament plays.

    Attributes:
        matches: Matches of every ordered pair, each on its own deal.
        seed: Keys the deals and all play.
        fault_rule: What a fault plays.
    """

    matches: int = MATCHES
    seed: int = 0
    fault_rule: FaultRule = "forfeit"

    def __post_init__(self) -> None:
        if not 2 <= self.matches <= MOST_DEALS:
            raise UserError(
                f"got {self.matches} matches of every ordered pair; allowed: 2, for an interval, to {MOST_DEALS:,}"
            )
        if self.seed < 0:
            raise UserError(f"got seed {self.seed}; seeds are 0 or more")
        if self.fault_rule not in FAULT_RULES:
            raise UserError(f"unknown fault rule {self.fault_rule!r}; known: {', '.join(FAULT_RULES)}")


class _Apart(Policy):
    """A policy whose own dice are those of one seating alone."""

    def __init__(self, policy: Policy, name: str, seats: tuple[str, str]) -> None:
        self.name, self.immediate, self._policy = name, policy.immediate, policy
        digest = hashlib.sha256("\n".join((name, *seats)).encode()).digest()
        self._path = struct.unpack(">2I", digest[:8])

    def session(self, game: Game, seed: Seed) -> Session:
        return self._policy.session(game, seed.at(*self._path))


def check_agents(names: Sequence[str]) -> None:
    """Nothing for the names of at least two agents, each its own.

    Raises:
        ValueError: For fewer than two, or a name that stands twice.
    """
    twice = [name for name in names if list(names).count(name) > 1]
    if twice:
        raise UserError(f"agent {twice[0]!r} is named twice; give each agent once, or a name of its own: NAME=AGENT")
    if len(names) < 2:
        raise UserError(f"got {len(names)} agent{'' if len(names) == 1 else 's'}; cross-play needs at least 2")


def ordered_pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    """Every (first seat, second seat), self-play included: what a tournament plays."""
    return [(first, second) for first in names for second in names]


def cooperation_in(game: Game) -> Cooperation | None:
    """What cooperating means in a game, where its domain says so."""
    return domain_of(game).cooperation


def talk_in(game: Game) -> Talk | None:
    """How the messages of a game are judged, where its players talk and its domain says so."""
    return domain_of(game).talk if text_limit(game.actions) else None


def met(
    game: Game,
    agents: Mapping[str, Policy],
    seats: tuple[str, str],
    settings: CrossplaySettings,
    progress: Callable[[int], object] | None = None,
) -> list[Episode]:
    """The episodes of one ordered pair, one per deal, in the order of the deals.

    They depend on the game, the two agents with their names and the settings, and on nothing else.

    Args:
        game: A two-player game.
        agents: At least the two that meet, by name.
        seats: The names of the agents in the first and in the second seat.
        settings: How much is played.
        progress: Told how many episodes more are finished.

    Raises:
        ValueError: For a game of other than two players.
    """
    if game.num_players != 2:
        raise UserError(f"{game.name} has {game.num_players} players; cross-play is between two")
    players: dict[str, Policy] = {name: _Apart(agents[name], name, seats) for name in seats}
    matches = [Match(seats, deal) for deal in range(settings.matches)]
    seed = Seed(settings.seed).at(Use.CROSSPLAY)
    return rollout(game, players, matches, seed=seed, fault_rule=settings.fault_rule, progress=progress)


def crossplay(
    game: Game,
    agents: Mapping[str, Policy],
    matches: int = MATCHES,
    seed: int = 0,
    fault_rule: FaultRule = "forfeit",
) -> CrossplayResult:
    """A tournament among `agents`, played here and now; nothing is written (`save_result` does).

    Args:
        game: A two-player game.
        agents: At least two, by name.
        matches: Matches of every ordered pair.
        seed: Keys the deals and all play.
        fault_rule: What a fault plays.

    Raises:
        ValueError: For fewer than two agents or matches, or a game of other than two players.
    """
    settings = CrossplaySettings(matches, seed, fault_rule)
    check_agents(list(agents))
    started = time.perf_counter()
    played = {pair: met(game, agents, pair, settings) for pair in ordered_pairs(list(agents))}
    meetings = meetings_of(game, played)
    wordings = {name: policy.wording for name, policy in agents.items()}
    shown = tuple(match for episodes in played.values() for match in transcripts(game, episodes, wordings))
    made = Made(created=now(), seconds=time.perf_counter() - started)
    return result_of(game, [participant_of(*agent) for agent in agents.items()], settings, meetings, shown, made)


def meetings_of(game: Game, played: Mapping[tuple[str, str], Sequence[Episode]]) -> dict[tuple[str, str], Meeting]:
    """What is kept of the episodes of every (first seat, second seat)."""
    cooperation, talk = cooperation_in(game), talk_in(game)
    return {pair: meeting_of(episodes, cooperation, talk) for pair, episodes in played.items()}


def result_of(
    game: Game,
    agents: Sequence[Participant],
    settings: CrossplaySettings,
    meetings: Meetings,
    shown: tuple[MatchRecord, ...],
    made: Made,
) -> CrossplayResult:
    """A tournament's result from its meetings.

    Args:
        game: What was played.
        agents: Who took part.
        settings: How much was played.
        meetings: By (first seat, second seat): every ordered pair and self-play, on the same deals.
        shown: Matches to read.
        made: How it came to be.

    Raises:
        ValueError: For a pair that is missing, or one played on other deals.
    """
    names, cooperation = [agent.name for agent in agents], cooperation_in(game)
    table = crossplay_table(names, meetings, zero_sum=game.zero_sum, bounds=payoff_bounds(game))
    return CrossplayResult(
        title=f"{game.name}: cross-play of {len(names)} agents",
        made=made,
        game=GameRecord.of(game),
        agents=tuple(agents),
        **asdict(settings),
        **vars(table),
        correction=CORRECTION,
        cooperation="" if cooperation is None else cooperation.definition,
        rules=render_rules(game),
        shown=shown,
    )


def participant_of(name: str, policy: Policy) -> Participant:
    """Who a policy of Python is, under the name that it has in a result."""
    if policy.immediate:
        return Participant(name=name, source=policy.name, kind="script")
    from equipoise.policies.language_model import LanguageModelPolicy

    sampling = asdict(policy.sampling) if isinstance(policy, LanguageModelPolicy) else {}
    return Participant(name=name, source=type(policy).__name__, kind="model", sampling=sampling)
