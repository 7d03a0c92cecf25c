"""Plays many episodes in lock-step: one batched call per policy per tick.

Scripts and tables answer at once inside an episode's own loop, so that at every tick all live episodes wait for
language models, and each model answers all of them in one call. A reply that names no legal action is a fault: it is
recorded, and what is played then is the run's declared fault rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from equipoise.arena.matchups import Match
from equipoise.core import (
    CHANCE,
    FAULT_RULES,
    Action,
    Decision,
    Episode,
    Fault,
    FaultRule,
    Game,
    Reply,
    State,
)
from equipoise.games.text import parse
from equipoise.policies.policy import Policy, Request, Session, Stream, sample

MAX_ATTEMPTS = 3
"""Replies asked for at one decision under the fault rule `resample`; then the round is forfeited."""

_CHANCE_KEY, _MOVES_KEY, _POLICY_KEY = 0, 1, 2


class _Live:
    """One episode being played."""

    __slots__ = ("chance", "decisions", "index", "match", "read", "rewards", "state", "stream")

    def __init__(self, index: int, match: Match, game: Game, seed: Sequence[int]) -> None:
        self.index = index
        self.match = match
        self.state: State = match.start if match.start is not None else game.initial_state()
        self.stream = Stream((*seed, _MOVES_KEY, index))
        self.chance = Stream((*seed, _CHANCE_KEY, match.deal))
        self.decisions: list[Decision] = []
        self.rewards = [[0.0] * game.num_players for _ in range(game.num_rounds)]
        self.read = [0] * game.num_players

    def move(self, state: State) -> None:
        """Advances to `state` and books its rewards to the round that was played."""
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
    seed: int | Sequence[int],
    fault_rule: FaultRule = "forfeit",
    max_live: int = 1024,
) -> list[Episode]:
    """The episodes of `matches`, in their order.

    Args:
        game: The game all matches play.
        policies: The players by name.
        matches: Who sits where on which deal.
        seed: Keys all randomness: chance by (seed, deal), scripted moves by (seed, episode), models by (seed, wave).
        fault_rule: What a fault plays.
        max_live: Episodes alive at once; bounds memory.

    Raises:
        ValueError: For an unknown policy name, fault rule, or no matches.
    """
    if not matches:
        raise ValueError("got 0 episodes to play; ask for at least 1")
    if fault_rule not in FAULT_RULES:
        raise ValueError(f"unknown fault rule {fault_rule!r}; known: {', '.join(FAULT_RULES)}")
    unknown = {name for match in matches for name in match.seats} - set(policies)
    if unknown:
        raise ValueError(f"no policy named {', '.join(sorted(unknown))}; got: {', '.join(policies)}")
    key = (seed,) if isinstance(seed, int) else tuple(seed)
    episodes: list[Episode] = []
    for start in range(0, len(matches), max_live):
        wave = [_Live(start + i, match, game, key) for i, match in enumerate(matches[start : start + max_live])]
        sessions = {name: policy.session(game, (*key, _POLICY_KEY, start)) for name, policy in policies.items()}
        _play(game, policies, sessions, wave, fault_rule)
        episodes += [live.episode(game) for live in wave]
    return episodes


def _play(
    game: Game,
    policies: Mapping[str, Policy],
    sessions: Mapping[str, Session],
    wave: Sequence[_Live],
    fault_rule: FaultRule,
) -> None:
    live = list(wave)
    while live:
        waiting: dict[str, list[tuple[_Live, Request]]] = {}
        going: list[_Live] = []
        for episode in live:
            requests = _advance(policies, sessions, episode)
            if requests:
                going.append(episode)
            for request in requests:
                waiting.setdefault(episode.match.seats[request.seat], []).append((episode, request))
        chosen: dict[int, list[Decision]] = {}
        for name, asked in waiting.items():
            for (episode, _), decision in zip(asked, _decide(game, sessions[name], asked, fault_rule), strict=True):
                chosen.setdefault(episode.index, []).append(decision)
        for episode in going:
            _apply(episode, sorted(chosen[episode.index], key=lambda d: d.seat), policies, sessions)
        live = going


def _advance(policies: Mapping[str, Policy], sessions: Mapping[str, Session], live: _Live) -> list[Request]:
    """Plays chance and immediate policies until someone must be waited for; their requests, or [] at the end."""
    while True:
        state = live.state
        seats = state.players_to_move
        if not seats:
            return []
        if seats[0] == CHANCE:
            outcome = sample(dict(state.chance_outcomes()), live.chance.random())
            live.move(state.child({CHANCE: outcome}))
            continue
        waiting = [seat for seat in seats if not policies[live.match.seats[seat]].immediate]
        if waiting:
            return [live.request(seat) for seat in waiting]
        _apply(live, [], policies, sessions)


def _apply(
    live: _Live, decided: list[Decision], policies: Mapping[str, Policy], sessions: Mapping[str, Session]
) -> None:
    """Adds the immediate policies' decisions to those already taken and moves to the next state."""
    state = live.state
    decisions = list(decided)
    for seat in state.players_to_move:
        name = live.match.seats[seat]
        if policies[name].immediate:
            request = live.request(seat)
            (reply,) = sessions[name].replies([request])
            decisions.append(live.record(request, reply, reply.action, None))
    live.decisions += decisions
    for decision in decisions:
        if decision.action is None:
            live.move(state.forfeit(decision.seat))
            return
    live.move(state.child({d.seat: d.action for d in decisions}))


def _decide(game: Game, session: Session, asked: Sequence[tuple[_Live, Request]], rule: FaultRule) -> list[Decision]:
    """One decision per request: the reply parsed, and the fault rule applied where it names no legal action."""
    requests = [request for _, request in asked]
    replies = session.replies(requests)
    read = [_read(game, reply, request) for reply, request in zip(replies, requests, strict=True)]
    attempts: dict[int, list[tuple[Reply, Fault]]] = {}
    if rule == "resample":
        for _ in range(MAX_ATTEMPTS - 1):
            faulty = [i for i, result in enumerate(read) if isinstance(result, Fault)]
            if not faulty:
                break
            again = [requests[i] for i in faulty]
            session.retract(again)
            for i, reply in zip(faulty, session.replies(again), strict=True):
                fault = read[i]
                assert isinstance(fault, Fault)
                attempts.setdefault(i, []).append((replies[i], fault))
                replies[i], read[i] = reply, _read(game, reply, requests[i])
    forced = _forced(session, requests, read) if rule == "constrained" else {}
    decisions = []
    for i, (live, request) in enumerate(asked):
        result = read[i]
        if not isinstance(result, Fault):
            decision = live.record(request, replies[i], result, None)
        elif rule == "random_legal":
            chosen = request.legal[int(request.stream.random() * len(request.legal))]
            decision = live.record(request, replies[i], chosen, result)
        else:
            decision = live.record(request, replies[i], forced.get(i), result)
        if i in attempts:
            decision = Decision(
                decision.seat,
                decision.round,
                decision.slot,
                decision.information_state,
                decision.legal,
                decision.reply,
                decision.action,
                decision.fault,
                tuple(attempts[i]),
            )
        decisions.append(decision)
    return decisions


def _forced(session: Session, requests: Sequence[Request], read: Sequence[Action | Fault]) -> dict[int, Action]:
    faulty = [i for i, result in enumerate(read) if isinstance(result, Fault)]
    if not faulty:
        return {}
    return dict(zip(faulty, session.constrained([requests[i] for i in faulty]), strict=True))


def _read(game: Game, reply: Reply, request: Request) -> Action | Fault:
    if reply.action is not None:
        if reply.action in request.legal:
            return reply.action
        return Fault("illegal", f"{reply.action!r} is not allowed here; allowed: {request.legal}")
    result = parse(game, reply.text, request.legal)
    if reply.truncated:
        return Fault("truncated", "the reply hit the token limit before it ended")
    return result
