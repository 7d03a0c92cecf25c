"""Holds scripts and pools to their claims: legal, repeatable, mixing, memory, reasons, and no strategy twice."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from functools import lru_cache

import numpy as np

from equipoise.core import CHANCE, Action, Fault, Game, Opponent, Pools, State
from equipoise.games.domain import Profile
from equipoise.games.free_text import AnyText, is_legal, text_limit
from equipoise.games.text import parse, render_reply
from equipoise.seeds import Seed, Use
from equipoise.testing.play import PLAYS, Decisions, decisions, play, possible, random_moves

MAX_REASON_CHARACTERS = 160
"""The longest reason of a script: one short sentence."""


def check_opponent(game: Game, opponent: Opponent, seed: int = 0) -> None:
    """Asserts that a script gives legal distributions everywhere, is repeatable and sourced, and mixes as it claims.

    A `memory` must be all that the script uses, and go on by itself: where it is equal the script plays alike, and
    after equal events it is equal again. Together with the game's payoff state it must also settle what the script
    will remember, or dynamic programming would merge states that differ. A `reason` must be one short line for every
    action the script may take, must play nothing by itself (unless any text is legal), and must leave the action
    readable below it.

    States are those of random episodes: all of them in small games.

    Args:
        game: The game it plays.
        opponent: The script.
        seed: Keys the random episodes.
    """
    _check_script(game, opponent, decisions(game, seed), seed)


def _check_script(game: Game, opponent: Opponent, asked: Decisions, seed: int) -> tuple[Hashable, ...]:
    """The script's distribution at every state met, in a form that is equal where two scripts play alike."""
    name = f"{game.name}/{opponent.name}"
    assert re.fullmatch(r"[a-z][a-z0-9_]*", opponent.name), f"{name}: names are lower case words joined by underscores"
    assert opponent.source.strip(), f"{name}: say where the strategy comes from"
    strategy, reasons = list[Hashable](), set[tuple[str, Action, tuple[Action, ...]]]()
    mixed = ""
    for information_state, legal in asked:
        probabilities = dict(opponent.behaviour(information_state, legal))
        wrong = _wrong(probabilities, legal)
        assert not wrong, f"{name} at {information_state}: {probabilities} {wrong}"
        if not mixed and max(probabilities.values()) < 1:
            mixed = f"{name} at {information_state}: {probabilities}"
        again = dict(opponent.behaviour(information_state, legal))
        assert again == probabilities, (
            f"{name} at {information_state}: {probabilities} answered {again} when asked again; scripts keep no state"
        )
        strategy.append(frozenset((action, round(p, 9)) for action, p in probabilities.items() if p > 0))
        if opponent.reason is not None:
            for action in (a for a, p in probabilities.items() if p > 0):
                reason = opponent.reason(information_state, action)
                if (reason, action, legal) not in reasons:
                    _check_reason(game, f"{name} at {information_state}", legal, action, reason)
                    reasons.add((reason, action, legal))
    if opponent.stochastic:
        assert mixed, f"{name} claims stochastic=True but never mixes"
    else:
        assert not mixed, f"{mixed} mixes, but the script claims stochastic=False"
    if opponent.memory is not None:
        _check_memory(game, opponent, Seed(seed).at(Use.CHECKS).generator())
    return tuple(strategy)


@lru_cache(maxsize=256)
def _named_and_texts(legal: tuple[Action, ...]) -> tuple[frozenset[Action], tuple[Action, ...]]:
    """The actions that a script may name, and what stands for any text among the legal ones."""
    texts = tuple(action for action in legal if isinstance(action, AnyText))
    return frozenset(legal) - frozenset(texts), texts


def _wrong(probabilities: Mapping[Action, float], legal: tuple[Action, ...]) -> str:
    """What is wrong with a distribution, in words; empty where nothing is."""
    named, texts = _named_and_texts(legal)
    if not all(is_legal(action, texts) for action in probabilities.keys() - named):
        return f"names an action outside {legal}"
    if any(p < 0 for p in probabilities.values()):
        return "has a negative probability"
    return "" if abs(sum(probabilities.values()) - 1) < 1e-9 else "does not sum to one"


def check_pools(game: Game, pools: Pools, seed: int = 0) -> None:
    """Asserts that every script passes `check_opponent` and that no two scripts of the pools are one strategy.

    Two names for one strategy would let a held-out opponent be trained on. Where pools overlap, one name may be in
    several of them.

    Args:
        game: The game they play.
        pools: Its opponents by purpose.
        seed: Keys the random episodes.
    """
    _check_pools(game, pools, decisions(game, seed), seed)


def _check_pools(game: Game, pools: Pools, asked: Decisions, seed: int) -> None:
    assert pools.train, f"{game.name}: the train pool is empty"
    assert pools.held_out, f"{game.name}: the held-out pool is empty; audits need opponents that training never met"
    seen: dict[Hashable, str] = {}
    for pool, opponent in pools.all():
        strategy = _check_script(game, opponent, asked, seed)
        twin = seen.setdefault(strategy, f"{pool}/{opponent.name}")
        again = pools.overlapping and twin.split("/")[1] == opponent.name
        assert again or twin == f"{pool}/{opponent.name}", (
            f"{game.name}: {pool}/{opponent.name} plays exactly as {twin} does"
        )


def check_profile(game: Game, profile: Profile, seed: int = 0) -> None:
    """Asserts `check_pools` for the pools of a profile, and `check_opponent` for the players beside them.

    Args:
        game: The game they play.
        profile: Its opponents, demonstrators and references.
        seed: Keys the random episodes.
    """
    asked = decisions(game, seed)
    _check_pools(game, profile.pools, asked, seed)
    for player in profile.players:
        _check_script(game, player, asked, seed)


def _check_reason(game: Game, name: str, legal: tuple[Action, ...], action: Action, reason: str) -> None:
    where = f"{name} gives the reason {reason!r} for {action!r}"
    assert reason, f"{where}; it must be a sentence"
    assert reason == reason.strip(), f"{where}; it must have no spaces around it"
    assert len(reason.splitlines()) == 1, f"{where}; it must be one line"
    assert len(reason) <= MAX_REASON_CHARACTERS, f"{where}; at most {MAX_REASON_CHARACTERS} characters are allowed"
    alone = parse(game, reason, legal)
    assert isinstance(alone, Fault) or text_limit(legal), f"{where}; by itself it plays {alone!r}"
    read = parse(game, render_reply(game, action, reason), legal)
    assert read == action, f"{where}; before the action it is read as {read!r}"


def _check_memory(game: Game, opponent: Opponent, rng: np.random.Generator) -> None:
    """Random states at which the script decides and remembers the same are played on side by side."""
    assert opponent.memory is not None
    alike: dict[Hashable, State] = {}
    merged: dict[Hashable, State] = {}
    for _ in range(PLAYS // 2):
        for step in play(game, rng):
            for seat in step.before.players_to_move:
                if seat == CHANCE:
                    continue
                memory = opponent.memory(step.before.information_state(seat))
                legal = step.before.legal_actions(seat)
                twin = alike.setdefault((seat, memory, legal), step.before)
                if twin is not step.before:
                    _check_plays_alike(game, opponent, seat, twin, step.before)
                    _check_remembers(game, opponent, seat, (twin, step.before), rng, same_events=True)
                replier = game.payoff_state(step.before, 1 - seat) if game.num_players == 2 else step.before
                twin = merged.setdefault((seat, memory, step.before.players_to_move, replier), step.before)
                if twin is not step.before:
                    _check_remembers(game, opponent, seat, (twin, step.before), rng, same_events=False)


def _check_plays_alike(game: Game, opponent: Opponent, seat: int, one: State, other: State) -> None:
    seen = [state.information_state(seat) for state in (one, other)]
    played = [dict(opponent.behaviour(i, one.legal_actions(seat))) for i in seen]
    differ = [a for a in {**played[0], **played[1]} if abs(played[0].get(a, 0.0) - played[1].get(a, 0.0)) > 1e-9]
    assert not differ, (
        f"{game.name}/{opponent.name} remembers the same at {seen[0]} and {seen[1]}, "
        f"but plays {played[0]} and {played[1]}"
    )


def _check_remembers(
    game: Game,
    opponent: Opponent,
    seat: int,
    twins: tuple[State, State],
    rng: np.random.Generator,
    same_events: bool,
) -> None:
    """Plays two states of one memory on by the same moves; the memory must be equal when the seat decides again.

    Args:
        game: The game.
        opponent: The script.
        seat: Where it sits.
        twins: The states.
        rng: Draws the moves.
        same_events: Whether the promise is for equal events alone; else also for states of one payoff state.
    """
    assert opponent.memory is not None
    starts = [state.information_state(seat) for state in twins]
    one, other = twins
    while True:
        moves = random_moves(game, one, rng)
        if one.players_to_move != other.players_to_move or not possible(other, moves):
            return
        one, other = one.child(moves), other.child(moves)
        if one.is_terminal or other.is_terminal:
            return
        if seat in one.players_to_move and seat in other.players_to_move:
            break
    ends = [state.information_state(seat) for state in (one, other)]
    events = [end[len(start) :] for start, end in zip(starts, ends, strict=True)]
    if same_events and events[0] != events[1]:
        return
    memories = [opponent.memory(end) for end in ends]
    assert memories[0] == memories[1], (
        f"{game.name}/{opponent.name} remembers the same at {starts[0]} and {starts[1]}, "
        f"but {memories[0]} after {events[0]} and {memories[1]} after {events[1]}"
    )
