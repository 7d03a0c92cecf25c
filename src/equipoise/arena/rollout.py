"""Plays many episodes in lock-step: one batched call per policy per tick.

Scripts and tables answer at once inside an episode's own loop, so that at every tick all live episodes wait for
language models, and each model answers all of them in one call. A reply that names no legal action is a fault: it is
recorded, and what is played then is the run's declared fault rule.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from operator import attrgetter

from equipoise.arena.matchups import Match
from equipoise.core import CHANCE, FAULT_RULES, Action, Decision, Episode, Fault, FaultRule, Game, Reply, State
from equipoise.errors import UserError
from equipoise.games.free_text import SILENCE, AnyText, is_legal, text_limit
from equipoise.games.text import parse
from equipoise.policies.policy import Policy, Request, Session, sample
from equipoise.seeds import Seed, Stream, Use, seed_of, streams

ROUNDS_ALIVE = 4_096
MAX_ATTEMPTS = 3
"""Replies asked for at one decision under the fault rule `resample`; then the round is forfeited."""

_seat = attrgetter("seat")


class _Live:
    """One episode being played. `immediate` holds, seat by seat, the session of a policy that answers at once."""

    __slots__ = ("chance", "decisions", "immediate", "index", "match", "read", "rewards", "state", "stream")

    def __init__(
        self, index: int, match: Match, game: Game, immediate: Sequence[Session | None], moves: Stream, chance: Stream
    ) -> None:
        self.index = index
        self.match = match
        self.immediate = immediate
        self.state: State = match.start if match.start is not None else game.initial_state()
        self.stream, self.chance = moves, chance
        self.decisions: list[Decision] = []
        self.rewards = [[0.0] * game.num_players for _ in range(game.num_rounds)]
        self.read = [0] * game.num_players

    def move(self, state: State) -> None:
        """Advances to `state` and books its rewards to the round that was played."""
        if any(state.rewards):
            row = self.rewards[self.state.round]
            for seat, reward in enumerate(state.rewards):
                row[seat] += reward
        self.state = state

    def request(self, seat: int) -> Request:
        information_state = self.state.information_state(seat)
        unread = information_state[self.read[seat] :]
        return Request(self.index, seat, information_state, unread, self.state.legal_actions(seat), self.stream)

    def slot(self, seat: int) -> int:
        round_ = self.state.round
        count = 0
        for decision in reversed(self.decisions):
            if decision.round != round_:
                break
            count += decision.seat == seat
        return count

    def record(self, request: Request, reply: Reply, action: Action | None, fault: Fault | None) -> Decision:
        """Books a decision. A spoken action need not be told back to the seat, so it counts as read."""
        seat = request.seat
        spoken = fault is None
        self.read[seat] = len(request.information_state) + (1 if spoken else 0)
        return Decision(
            seat, self.state.round, self.slot(seat), request.information_state, request.legal, reply, action, fault
        )

    def episode(self, game: Game) -> Episode:
        rewards = tuple(tuple(row) for row in self.rewards)
        return Episode(
            game.name, self.match.seats, self.match.deal, tuple(self.decisions), rewards, tuple(self.state.returns)
        )


def rollout(
    game: Game,
    policies: Mapping[str, Policy],
    matches: Sequence[Match],
    *,
    seed: int | Seed,
    fault_rule: FaultRule = "forfeit",
    first: int = 0,
    max_live: int | None = None,
    progress: Callable[[int], object] | None = None,
) -> list[Episode]:
    """The episodes of `matches`, in their order.

    Args:
        game: The game all matches play.
        policies: The players by name.
        matches: Who sits where on which deal.
        seed: Keys all randomness: chance by (seed, deal), scripted moves by (seed, episode), models by (seed, place
            among the models, episode).
        fault_rule: What a fault plays.
        first: Number of the first episode: part of a longer list is played as it would be in the whole.
        max_live: Episodes alive at once; bounds memory. None shares 4,096 rounds among them: short episodes repeat
            each other's transcripts, and the more of them play together the less is computed twice.
        progress: Told how many episodes more are finished, after each part that was alive at once.

    Raises:
        ValueError: For an unknown policy name, fault rule, or no matches.
    """
    if not matches:
        raise UserError("got 0 episodes to play; ask for at least 1")
    if fault_rule not in FAULT_RULES:
        raise UserError(f"unknown fault rule {fault_rule!r}; known: {', '.join(FAULT_RULES)}")
    unknown = {name for match in matches for name in match.seats} - set(policies)
    if unknown:
        raise UserError(f"no policy named {', '.join(sorted(unknown))}; got: {', '.join(policies)}")
    root = seed_of(seed)
    episodes: list[Episode] = []
    live = max(1, ROUNDS_ALIVE // game.num_rounds) if max_live is None else max_live
    for start in range(0, len(matches), live):
        with _no_cycle_search():
            wave = _wave(game, policies, matches[start : start + live], root, first + start, fault_rule)
        episodes += wave
        if progress is not None:
            progress(len(wave))
    return episodes


@contextmanager
def _no_cycle_search() -> Iterator[None]:
    """Pauses Python's search for reference cycles: play makes none, and each search walks every imported library."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def _wave(
    game: Game,
    policies: Mapping[str, Policy],
    matches: Sequence[Match],
    seed: Seed,
    start: int,
    fault_rule: FaultRule,
) -> list[Episode]:
    """The episodes of matches that are alive together, the first of them number `start`."""
    indices = range(start, start + len(matches))
    moves = streams(seed.at(Use.MOVES), indices)
    chances = streams(seed.at(Use.CHANCE), [match.deal for match in matches])
    kinds = [[name for name, policy in policies.items() if policy.immediate is kind] for kind in (False, True)]
    sessions = {  # no two policies draw the same numbers, and a further script moves no model's
        name: policies[name].session(game, seed.at(Use.REPLIES, kind, number))
        for kind, names in enumerate(kinds)
        for number, name in enumerate(names)
    }
    at_once = {name: sessions[name] if policy.immediate else None for name, policy in policies.items()}
    immediate = {seats: [at_once[name] for name in seats] for seats in {match.seats for match in matches}}
    wave = [
        _Live(i, match, game, immediate[match.seats], own, chance)
        for i, match, own, chance in zip(indices, matches, moves, chances, strict=True)
    ]
    _play(game, sessions, wave, fault_rule)
    return [live.episode(game) for live in wave]


def _play(game: Game, sessions: Mapping[str, Session], wave: Sequence[_Live], fault_rule: FaultRule) -> None:
    live = list(wave)
    while live:
        waiting: dict[str, list[tuple[_Live, Request]]] = {}
        going: list[_Live] = []
        for episode in live:
            requests = _advance(episode)
            if requests:
                going.append(episode)
            for request in requests:
                waiting.setdefault(episode.match.seats[request.seat], []).append((episode, request))
        chosen: dict[int, list[Decision]] = {episode.index: [] for episode in going}
        for name, asked in waiting.items():
            for (episode, _), decision in zip(asked, _decide(game, sessions[name], asked, fault_rule), strict=True):
                chosen[episode.index].append(decision)
        for episode in going:
            _apply(episode, episode.state.players_to_move, chosen[episode.index])
        live = going


def _advance(live: _Live) -> list[Request]:
    """Plays chance and immediate policies until someone must be waited for; their requests, or [] at the end."""
    while True:
        seats = live.state.players_to_move
        if not seats:
            return []
        if seats[0] == CHANCE:
            outcome = sample(dict(live.state.chance_outcomes()), live.chance.random())
            live.move(live.state.child({CHANCE: outcome}))
            continue
        waiting = [seat for seat in seats if live.immediate[seat] is None]
        if waiting:
            return [live.request(seat) for seat in waiting]
        _apply(live, seats, [])


def _apply(live: _Live, seats: Sequence[int], decisions: list[Decision]) -> None:
    """Adds the immediate policies' decisions to those already taken and moves to the next state."""
    decisions.sort(key=_seat)
    for seat in seats:
        session = live.immediate[seat]
        if session is not None:
            request = live.request(seat)
            (reply,) = session.replies([request])
            decisions.append(live.record(request, reply, reply.action, None))
    live.decisions += decisions
    faulty = [decision.seat for decision in decisions if decision.action is None]
    if faulty:
        for asked in decisions:  # nothing that was said here was played: no event of it exists to be left unread
            live.read[asked.seat] = len(asked.information_state)
        # Where both fault at once a fair coin says who forfeits: a fixed seat would be favoured.
        loser = faulty[0] if len(faulty) == 1 else faulty[int(live.stream.random() * len(faulty))]
        live.move(live.state.forfeit(loser))
        return
    live.move(live.state.child({decision.seat: decision.action for decision in decisions}))


def _decide(game: Game, session: Session, asked: Sequence[tuple[_Live, Request]], rule: FaultRule) -> list[Decision]:
    """One decision per request: the reply parsed, and the fault rule applied where it names no legal action."""
    requests = [request for _, request in asked]
    replies = session.replies(requests)
    read = _read(game, replies, requests)
    attempts: dict[int, list[tuple[Reply, Fault]]] = {}
    if rule == "resample":
        for _ in range(MAX_ATTEMPTS - 1):
            faulty = [i for i, result in enumerate(read) if isinstance(result, Fault)]
            if not faulty:
                break
            again = [requests[i] for i in faulty]
            session.retract(again)
            answers = session.replies(again)
            for i, reply, result in zip(faulty, answers, _read(game, answers, again), strict=True):
                fault = read[i]
                assert isinstance(fault, Fault)
                attempts.setdefault(i, []).append((replies[i], fault))
                replies[i], read[i] = reply, result
    forced = _forced(session, requests, read) if rule == "constrained" else {}
    decisions = []
    for i, (live, request) in enumerate(asked):
        result = read[i]
        if not isinstance(result, Fault):
            decision = live.record(request, replies[i], result, None)
        elif rule == "random_legal":
            chosen = request.legal[int(request.stream.random() * len(request.legal))]
            played = SILENCE if isinstance(chosen, AnyText) else chosen
            decision = live.record(request, replies[i], played, result)
        else:
            decision = live.record(request, replies[i], forced.get(i), result)
        decisions.append(replace(decision, attempts=tuple(attempts[i])) if i in attempts else decision)
    return decisions


def _forced(session: Session, requests: Sequence[Request], read: Sequence[Action | Fault]) -> dict[int, Action]:
    """What faulty replies play instead. The probabilities of all texts cannot be compared: a player is silent then."""
    faulty = [i for i, result in enumerate(read) if isinstance(result, Fault)]
    listed = [i for i in faulty if not text_limit(requests[i].legal)]
    chosen = session.constrained([requests[i] for i in listed]) if listed else []
    return {**dict.fromkeys(faulty, SILENCE), **dict(zip(listed, chosen, strict=True))}


def _read(game: Game, replies: Sequence[Reply], requests: Sequence[Request]) -> list[Action | Fault]:
    """What each reply plays, or the fault it is; equal replies are read once."""
    known: dict[tuple[Action | None, str, bool, tuple[Action, ...]], Action | Fault] = {}
    results: list[Action | Fault] = []
    for reply, request in zip(replies, requests, strict=True):
        key = (reply.action, reply.text, reply.truncated, request.legal)
        if key not in known:
            known[key] = _meaning(game, reply, request.legal)
        results.append(known[key])
    return results


def _meaning(game: Game, reply: Reply, legal: tuple[Action, ...]) -> Action | Fault:
    if reply.action is not None:
        if is_legal(reply.action, legal):
            return reply.action
        return Fault("illegal", f"{reply.action!r} is not allowed here; allowed: {legal}")
    if reply.truncated:
        return Fault("truncated", "the reply hit the token limit before it ended")
    return parse(game, reply.text, legal)
