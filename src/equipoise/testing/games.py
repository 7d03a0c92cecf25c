"""Holds a game to what `equipoise.core` promises, on random episodes."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from dataclasses import fields, is_dataclass

import numpy as np

from equipoise.arena import Match, rollout
from equipoise.core import CHANCE, Action, Event, Fault, Game, InformationState, Opponent, State
from equipoise.games.text import observations, parse, render_event
from equipoise.policies import ScriptedPolicy
from equipoise.testing.play import PLAYS, Step, play, random_moves

_SECOND_PERSON = re.compile(r"\b(?:you|your|yours|yourself)\b", re.IGNORECASE)
_HOLES = re.compile(r"\{[^{}]*\}")


def check_game(game: Game, seed: int = 0) -> None:
    """Asserts that a game keeps the promises of `core.Game` and `core.State` on random episodes.

    Checked: legality, immutability, seeding, rewards and returns, zero sum and bounds as claimed, append-only
    information states of perfect recall, chance, forfeits, parsing, words for every event and reader, that states of
    one payoff state go on alike, and no hidden information in a prompt (a chance outcome a seat could not see never
    changes what it sees or reads before the round ends).

    Args:
        game: The game.
        seed: Keys the random episodes.
    """
    rng = np.random.default_rng(seed)
    assert len(set(game.actions)) == len(game.actions), f"{game.name}: actions repeat: {game.actions}"
    prompts: dict[tuple[int, InformationState], str] = {}
    parsed: set[tuple[Action, ...]] = set()
    for _ in range(PLAYS):
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
                    _check_words(game, step.before, seat, prompts)
                    legal = step.before.legal_actions(seat)
                    if legal not in parsed:
                        _check_parsing(game, legal)
                        parsed.add(legal)
        _check_hidden(game, rng)
    _check_rounds(game, rng)
    _check_payoff_state(game, rng)
    _check_seeded(game, seed)


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
        order = [action for action in game.actions if action in legal]
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
    moves = random_moves(state, rng)
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
        foreign = [a for a in game.actions if seat != CHANCE and a not in state.legal_actions(seat)]
        if foreign:
            try:
                state.child({**moves, seat: foreign[0]})
            except ValueError:
                continue
            raise AssertionError(f"{game.name}: the illegal action {foreign[0]!r} of seat {seat} was played")


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
            end = end.child(random_moves(end, rng))
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
            _check_event(game, event)


def _check_event(game: Game, event: Event) -> None:
    template = game.event_template(event)
    outside = _HOLES.sub("", template)
    assert not _SECOND_PERSON.search(outside), (
        f"{game.name}: the sentence {template!r} says 'you'; use a {{player}} hole"
    )
    for reader in range(game.num_players):
        sentence = render_event(game, event, reader)
        assert not set("{}") & set(sentence), f"{game.name}: {event} for seat {reader} has a hole left: {sentence!r}"


def _check_words(game: Game, state: State, seat: int, prompts: dict[tuple[int, InformationState], str]) -> None:
    information_state, legal = state.information_state(seat), state.legal_actions(seat)
    known = game.legal_at(information_state, seat)
    assert known == legal, f"{game.name}: legal_at says {known}, legal_actions {legal} at {information_state}"
    prompt = _prompt(game, state, seat)
    first = prompts.setdefault((seat, information_state), prompt)
    assert prompt == first, f"{game.name}: two prompts for one information state: {first!r} and {prompt!r}"


def _check_parsing(game: Game, legal: tuple[Action, ...]) -> None:
    """What is read depends on the words and the legal actions alone, so each set of legal actions is checked once."""
    for action in game.actions:
        read = parse(game, game.action_text(action), legal)
        if action in legal:
            assert read == action, f"{game.name}: the words of {action!r} were read as {read!r}"
        else:
            assert isinstance(read, Fault), f"{game.name}: {action!r} is illegal here but was read as {read!r}"
            assert read.kind == "illegal", f"{game.name}: {action!r} is illegal here but a fault of kind {read.kind}"


def _prompt(game: Game, state: State, seat: int) -> str:
    texts, actions = observations(game, state.information_state(seat), seat, state.legal_actions(seat))
    return "\n".join([*texts, *(game.action_text(action) for action in actions)])


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
                ours, theirs = _prompt(game, here, seat), _prompt(game, twin, seat)
                assert ours == theirs, (
                    f"{game.name}: hidden chance changes a prompt of seat {seat}: {ours!r}, {theirs!r}"
                )
        moves = random_moves(here, rng)
        if here.players_to_move != twin.players_to_move or any(
            moves[seat] not in twin.legal_actions(seat) for seat in moves if seat != CHANCE
        ):
            return
        if here.is_chance and moves[CHANCE] not in dict(twin.chance_outcomes()):
            return
        here, twin = here.child(moves), twin.child(moves)


def _check_rounds(game: Game, rng: np.random.Generator) -> None:
    for _ in range(PLAYS):
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


def _check_payoff_state(game: Game, rng: np.random.Generator) -> None:
    """States met at random that a seat's payoff state calls equal must go on alike for that seat."""
    if type(game).payoff_state is Game.payoff_state:
        return  # the state itself: equal states go on alike because they are equal
    first: dict[Hashable, State] = {}
    for _ in range(2 * PLAYS):
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
    moves = random_moves(one, rng)
    after = [state.child(moves) for state in (one, other)]
    paid = [state.rewards[seat] for state in after]
    assert abs(paid[0] - paid[1]) < 1e-9, f"{where} pay it {paid[0]} and {paid[1]} after {moves}"
    pairs = zip((one, other), after, strict=True)
    shown = [new.information_state(seat)[len(old.information_state(seat)) :] for old, new in pairs]
    assert shown[0] == shown[1], f"{where} show it {shown[0]} and {shown[1]} after {moves}"
    values = [game.payoff_state(state, seat) for state in after]
    assert values[0] == values[1], f"{where} become {values[0]} and {values[1]} after {moves}"


def _uniform(information_state: InformationState, legal: tuple[Action, ...]) -> Mapping[Action, float]:
    return dict.fromkeys(legal, 1 / len(legal))


def _check_seeded(game: Game, seed: int) -> None:
    policies = {"uniform": ScriptedPolicy(Opponent("uniform", _uniform, True, "uniformly random"))}
    matches = [Match(("uniform",) * game.num_players, deal) for deal in range(8)]
    first, again = (rollout(game, policies, matches, seed=seed) for _ in range(2))
    assert first == again, f"{game.name}: the same seed played two different episodes"
