"""Holds a game to what `equipoise.core` promises, on random episodes."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import fields, is_dataclass

import numpy as np

from equipoise.arena import Match, rollout
from equipoise.core import CHANCE, Action, Event, Game, InformationState, Opponent, State
from equipoise.errors import UserError
from equipoise.games.free_text import AnyText, text_limit
from equipoise.policies import ScriptedPolicy
from equipoise.seeds import Seed, Use
from equipoise.testing.play import PLAYS, Step, options, play, possible, random_moves
from equipoise.testing.words import check_event, check_parsing, check_words, prompt_of


def check_game(game: Game, seed: int = 0, plays: int = PLAYS) -> None:
    """Asserts that a game keeps the promises of `core.Game` and `core.State` on random episodes.

    Checked: legality, immutability, seeding, rewards and returns, zero sum and bounds as claimed, append-only
    information states of perfect recall, chance, forfeits, parsing, words for every event and reader, that states of
    one payoff state go on alike, and no hidden information in a prompt (a chance outcome a seat could not see never
    changes what it sees or reads before the round ends). Where a state allows any text, players say hostile lines:
    each must be read as it stands and shown between quotation marks.

    Args:
        game: The game.
        seed: Keys the random episodes.
        plays: How many of them are behind each check.
    """
    rng = Seed(seed).at(Use.CHECKS).generator()
    assert len(set(game.actions)) == len(game.actions), f"{game.name}: actions repeat: {game.actions}"
    prompts: dict[tuple[int, InformationState], str] = {}
    parsed: set[tuple[Action, ...]] = set()
    for _ in range(plays):
        totals = np.zeros(game.num_players)
        for step in play(game, rng):
            _check_state(game, step.before, rng)
            _check_step(game, step)
            totals += step.after.rewards
            assert np.allclose(totals, step.after.returns, atol=1e-9), (
                f"{game.name}: returns {step.after.returns} are not the sum of the rewards {tuple(totals)}"
            )
            for seat in step.before.players_to_move:
                if seat != CHANCE:
                    check_words(game, step.before, seat, prompts)
                    legal = step.before.legal_actions(seat)
                    if legal not in parsed:
                        check_parsing(game, legal)
                        parsed.add(legal)
        _check_hidden(game, rng)
    _check_rounds(game, rng, plays)
    _check_payoff_state(game, rng, plays)
    _check_seeded(game, seed)


FEW_PLAYS = 12
"""Random episodes behind each check of `first_failure`."""


def first_failure(game: Game) -> str:
    """The first line of what `check_game` finds wrong on a few episodes; "" where it finds nothing.

    A game that raises something else is wrong, too.
    """
    try:
        check_game(game, seed=0, plays=FEW_PLAYS)
    except Exception as error:  # a stranger's game may do anything
        said = str(error).strip().splitlines()
        line = said[0] if said else "no message"
        return line if isinstance(error, AssertionError | UserError) else f"{type(error).__name__}: {line}"
    return ""


def _snapshot(game: Game, state: State) -> tuple[Hashable, ...]:
    seats = range(game.num_players)
    return (
        *(state.players_to_move, state.round, state.rewards, state.returns),
        *(state.information_state(seat) for seat in seats),
        *(state.legal_actions(seat) for seat in seats),
    )


def _check_state(game: Game, state: State, rng: np.random.Generator) -> None:
    movers = state.players_to_move
    assert movers == (CHANCE,) or movers == tuple(sorted(set(movers) & set(range(game.num_players)))), (
        f"{game.name}: players_to_move is {movers}; allowed: (CHANCE,), or distinct seats in order"
    )
    for seat in range(game.num_players):
        legal = state.legal_actions(seat)
        assert bool(legal) == (seat in movers), f"{game.name}: seat {seat} has actions {legal} while {movers} move"
        open_now = set(legal)
        order = [action for action in game.actions if action in open_now]
        assert list(legal) == order, f"{game.name}: legal {legal} leaves the order or the set of game.actions {order}"
    if state.is_chance:
        outcomes = state.chance_outcomes()
        assert len({o for o, _ in outcomes}) == len(outcomes), f"{game.name}: chance outcomes repeat: {outcomes}"
        assert all(p > 0 for _, p in outcomes), f"{game.name}: a chance outcome has no probability: {outcomes}"
        total = sum(p for _, p in outcomes)
        assert abs(total - 1) < 1e-9, f"{game.name}: chance sums to {total}, not one: {outcomes}"
    _check_immutable(game, state, rng)
    for seat in range(game.num_players) if not state.is_chance else ():
        _check_forfeit(game, state, seat, rng)


def _check_immutable(game: Game, state: State, rng: np.random.Generator) -> None:
    before, number = _snapshot(game, state), hash(state)
    moves = random_moves(game, state, rng)
    assert state.child(moves) == state.child(moves), f"{game.name}: child({moves}) gave two different states"
    assert (_snapshot(game, state), hash(state)) == (before, number), f"{game.name}: child({moves}) changed its parent"
    names = [field.name for field in fields(state)] if is_dataclass(state) else ["rewards", "returns", *_own(state)]
    for name in [*names, "rewards"]:
        try:
            setattr(state, name, getattr(state, name))
        except (AttributeError, TypeError):
            continue
        raise AssertionError(f"{game.name}: the attribute {name!r} of a state can be set; states are immutable")
    for seat in moves:
        for foreign in _illegal(game, state.legal_actions(seat)) if seat != CHANCE else ():
            try:
                state.child({**moves, seat: foreign})
            except ValueError:
                continue
            raise AssertionError(f"{game.name}: the illegal action {foreign!r} of seat {seat} was played")


def _illegal(game: Game, legal: tuple[Action, ...]) -> list[Action]:
    """Actions that are not open: one of the game's, where there is one, and what is no text where any text is."""
    open_now = set(legal)
    foreign = next((action for action in game.actions if action not in open_now), None)
    limit = text_limit(legal)
    texts = ["", " ", " a", "a\nb", "\ud800", "x" * (limit + 1), AnyText(limit)] if limit else []
    return [*([] if foreign is None else [foreign]), *texts]


def _own(state: State) -> list[str]:
    return list(getattr(state, "__dict__", ()))


def _check_forfeit(game: Game, state: State, seat: int, rng: np.random.Generator) -> None:
    after = state.forfeit(seat)
    assert after.is_terminal or after.round == state.round + 1, (
        f"{game.name}: a forfeit by {seat} did not end the round"
    )
    for reader in range(game.num_players):
        _check_appended(game, state, after, reader)
    for _ in range(4):
        end, earned = state, np.zeros(game.num_players)
        while not end.is_terminal and end.round == state.round:
            end = end.child(random_moves(game, end, rng))
            earned += end.rewards
        assert after.rewards[seat] <= earned[seat] + 1e-9, (
            f"{game.name}: forfeiting pays seat {seat} {after.rewards[seat]}, more than {earned[seat]} from playing on"
        )


def _check_appended(game: Game, before: State, after: State, seat: int) -> None:
    old, new = before.information_state(seat), after.information_state(seat)
    assert new[: len(old)] == old, (
        f"{game.name}: the information state of seat {seat} was rewritten: {old} became {new}"
    )


def _check_step(game: Game, step: Step) -> None:
    assert len(step.after.rewards) == game.num_players, f"{game.name}: rewards {step.after.rewards}: one per seat"
    if game.zero_sum:
        assert abs(sum(step.after.rewards)) < 1e-9, f"{game.name} claims zero sum but paid {step.after.rewards}"
    for seat in range(game.num_players):
        _check_appended(game, step.before, step.after, seat)
        old, new = step.before.information_state(seat), step.after.information_state(seat)
        gained = new[len(old) :]
        if seat in step.moves:
            own = Event("act", seat, step.moves[seat])
            assert gained[:1] == (own,), f"{game.name}: seat {seat} played {own} but first saw {gained[:1]}"
        said = [event for event in gained[seat in step.moves :] if event.kind == "act" and event.player == seat]
        assert not said, f"{game.name}: seat {seat} saw an action of its own that it did not play: {said}"
        for event in gained:
            check_event(game, event)


def _check_hidden(game: Game, rng: np.random.Generator) -> None:
    """Plays a random episode beside its twin, in which one chance outcome differs, until the round ends."""
    steps = [step for step in play(game, rng) if step.moves]
    chance = [step for step in steps if step.before.is_chance and len(step.before.chance_outcomes()) > 1]
    if not chance:
        return
    step = chance[int(rng.integers(len(chance)))]
    others = [o for o, _ in step.before.chance_outcomes() if o != step.moves[CHANCE]]
    here, twin = step.after, step.before.child({CHANCE: others[int(rng.integers(len(others)))]})
    seats = range(game.num_players)
    blind = [seat for seat in seats if here.information_state(seat) == twin.information_state(seat)]
    while blind and here.round == twin.round == step.after.round and not (here.is_terminal or twin.is_terminal):
        for seat in blind:
            assert here.information_state(seat) == twin.information_state(seat), (
                f"{game.name}: seat {seat} saw a chance outcome hidden from it: "
                f"{here.information_state(seat)} against {twin.information_state(seat)}"
            )
            if seat in here.players_to_move:
                ours, theirs = prompt_of(game, here, seat), prompt_of(game, twin, seat)
                assert ours == theirs, (
                    f"{game.name}: hidden chance changes a prompt of seat {seat}: {ours!r}, {theirs!r}"
                )
        moves = random_moves(game, here, rng)
        if here.players_to_move != twin.players_to_move or not possible(twin, moves):
            return
        here, twin = here.child(moves), twin.child(moves)


def _check_rounds(game: Game, rng: np.random.Generator, plays: int) -> None:
    for _ in range(plays):
        earned = np.zeros((game.num_rounds, game.num_players))
        slots = np.zeros((game.num_rounds, game.num_players), dtype=int)
        reached = 0
        for step in play(game, rng):
            assert reached <= step.before.round < game.num_rounds, (
                f"{game.name}: round {step.before.round} after round {reached} of {game.num_rounds}"
            )
            reached = step.before.round
            earned[reached] += step.after.rewards
            for seat in step.moves:
                slots[reached, seat] += seat != CHANCE
        assert slots.max() <= game.max_slots, (
            f"{game.name}: {slots.max()} decisions in a round, max_slots {game.max_slots}"
        )
        assert game.min_reward - 1e-9 <= earned.min(), f"{game.name}: a round paid {earned.min()} < {game.min_reward}"
        assert earned.max() <= game.max_reward + 1e-9, f"{game.name}: a round paid {earned.max()} > {game.max_reward}"


def _check_payoff_state(game: Game, rng: np.random.Generator, plays: int) -> None:
    """States met at random that a seat's payoff state calls equal must go on alike for that seat."""
    if type(game).payoff_state is Game.payoff_state:
        return  # the state itself: equal states go on alike because they are equal
    first: dict[Hashable, State] = {}
    for _ in range(2 * plays):
        for step in play(game, rng):
            for seat in range(game.num_players):
                twin = first.setdefault((seat, game.payoff_state(step.before, seat)), step.before)
                if twin is not step.before:
                    _check_twins(game, seat, twin, step.before, rng)


def _check_twins(game: Game, seat: int, one: State, other: State, rng: np.random.Generator) -> None:
    where = f"{game.name}: two states of one payoff state {game.payoff_state(one, seat)} of seat {seat}"
    options = [
        (state.players_to_move, state.chance_outcomes(), *(state.legal_actions(s) for s in range(game.num_players)))
        for state in (one, other)
    ]
    assert options[0] == options[1], f"{where} offer different moves or chance: {options[0]} and {options[1]}"
    moves = random_moves(game, one, rng)
    after = [state.child(moves) for state in (one, other)]
    paid = [state.rewards[seat] for state in after]
    assert abs(paid[0] - paid[1]) < 1e-9, f"{where} pay it {paid[0]} and {paid[1]} after {moves}"
    pairs = zip((one, other), after, strict=True)
    shown = [new.information_state(seat)[len(old.information_state(seat)) :] for old, new in pairs]
    assert shown[0] == shown[1], f"{where} show it {shown[0]} and {shown[1]} after {moves}"
    values = [game.payoff_state(state, seat) for state in after]
    assert values[0] == values[1], f"{where} become {values[0]} and {values[1]} after {moves}"


def _uniform(information_state: InformationState, legal: tuple[Action, ...]) -> Mapping[Action, float]:
    open_now = options(legal)
    return dict.fromkeys(open_now, 1 / len(open_now))


def _check_seeded(game: Game, seed: int) -> None:
    policies = {"uniform": ScriptedPolicy(Opponent("uniform", _uniform, True, "uniformly random"))}
    matches = [Match(("uniform",) * game.num_players, deal) for deal in range(8)]
    first, again = (rollout(game, policies, matches, seed=seed) for _ in range(2))
    assert first == again, f"{game.name}: the same seed played two different episodes"
