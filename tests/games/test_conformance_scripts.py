"""The shipped checks fail every way in which a script can break what it claims."""

from dataclasses import replace

import pytest

from equipoise.core import Opponent, Pools
from equipoise.games import domain
from equipoise.games.history import joint_moves
from equipoise.games.kuhn_poker import KuhnPoker
from equipoise.games.kuhn_poker.opponents import MANIAC, NIT, POOLS, nash
from equipoise.games.prisoners_dilemma import DOMAIN as DILEMMA
from equipoise.testing import MAX_REASON_CHARACTERS, check_opponent, check_pools, check_profile


def opponent(behaviour, stochastic=False, name="x", source="here", memory=None, reason=None):
    return Opponent(name, behaviour, stochastic, source, memory, reason)


def passive(information_state, legal):
    return {legal[0]: 1.0}


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (opponent(passive, stochastic=True), "never mixes"),
        (opponent(nash(0.1)), "claims stochastic=False"),
        (opponent(lambda i, legal: {"check": 1.0}), "outside"),
        (opponent(lambda i, legal: {legal[0]: 0.5}), "does not sum to one"),
        (opponent(lambda i, legal: {legal[0]: 1.5, legal[1]: -0.5}), "negative"),
        (opponent(passive, source=" "), "where the strategy comes from"),
        (opponent(passive, name="Nit Picker"), "lower case"),
    ],
)
def test_a_script_that_breaks_its_claims_fails(script, message):
    with pytest.raises(AssertionError, match=message):
        check_opponent(KuhnPoker(), script)


def test_a_script_that_remembers_fails():
    calls = []

    def moody(information_state, legal):
        calls.append(1)
        return {legal[len(calls) % 2]: 1.0}

    with pytest.raises(AssertionError, match="when asked again"):
        check_opponent(KuhnPoker(), opponent(moody))


def test_a_held_out_script_that_is_a_training_script_renamed_fails():
    pools = Pools(train=(opponent(MANIAC, name="a"),), held_out=(opponent(NIT, name="b"), opponent(MANIAC, name="c")))
    with pytest.raises(AssertionError, match="held_out/c plays exactly as train/a"):
        check_pools(KuhnPoker(), pools)


def test_empty_pools_fail():
    with pytest.raises(AssertionError, match="train pool is empty"):
        check_pools(KuhnPoker(), Pools(held_out=POOLS.held_out))
    with pytest.raises(AssertionError, match="held-out pool is empty"):
        check_pools(KuhnPoker(), Pools(train=POOLS.train))


COOPERATE, DEFECT = DILEMMA.make().actions


def moves_of_other(information_state):
    return [other for _, other in joint_moves(information_state) if other is not None]


def last_of_other(information_state):
    return (moves_of_other(information_state) or [None])[-1]


def answers(information_state, legal):
    return {DEFECT if last_of_other(information_state) == DEFECT else COOPERATE: 1.0}


def defects_from_the_third(information_state, legal):
    return {DEFECT if len(moves_of_other(information_state)) >= 2 else COOPERATE: 1.0}


def at_most_two_and_parity(information_state):
    """Tells whether two rounds were played, and something of older rounds that it does not keep up."""
    moves = moves_of_other(information_state)
    return len(moves) >= 2, moves[-2] if len(moves) == 3 else None


@pytest.mark.parametrize(
    ("behaviour", "memory", "message"),
    [
        (answers, lambda seen: None, "but plays"),
        (defects_from_the_third, last_of_other, "but plays"),
        (defects_from_the_third, at_most_two_and_parity, "after"),
    ],
)
def test_a_memory_that_forgets_what_the_script_uses_fails(behaviour, memory, message):
    with pytest.raises(AssertionError, match=f"remembers the same .* {message}"):
        check_opponent(DILEMMA.make(), opponent(behaviour, memory=memory))


@pytest.mark.parametrize("memory", [last_of_other, lambda seen: tuple(moves_of_other(seen)), lambda seen: seen])
def test_a_memory_that_holds_what_the_script_uses_passes(memory):
    check_opponent(DILEMMA.make(), opponent(answers, memory=memory))


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        (lambda seen, action: "", "must be a sentence"),
        (lambda seen, action: " So it is.", "no spaces around it"),
        (lambda seen, action: "You began.\nSo do I.", "must be one line"),
        (lambda seen, action: "x" * (MAX_REASON_CHARACTERS + 1), "at most 160 characters"),
        (lambda seen, action: f"{action}.", "by itself it plays"),
        (lambda seen, action: "You began." if seen and moves_of_other(seen) else "", "must be a sentence"),
    ],
)
def test_a_reason_that_is_no_short_line_or_plays_by_itself_fails(reason, message):
    with pytest.raises(AssertionError, match=f"gives the reason .*{message}"):
        check_opponent(DILEMMA.make(), opponent(answers, reason=reason))


def test_a_reason_of_one_short_line_passes():
    check_opponent(DILEMMA.make(), opponent(answers, reason=lambda seen, action: f"It pays, so I {action}."))


def test_one_script_in_two_pools_passes_only_where_pools_overlap_under_one_name():
    first, last = opponent(MANIAC, name="a"), opponent(NIT, name="b")
    check_pools(KuhnPoker(), Pools(train=(first,), exploiter=(first,), held_out=(last,), overlapping=True))
    renamed = replace(first, name="c")
    with pytest.raises(AssertionError, match="exploiter/c plays exactly as train/a"):
        check_pools(KuhnPoker(), Pools(train=(first,), exploiter=(renamed,), held_out=(last,), overlapping=True))


def test_a_player_beside_the_pools_is_checked_too():
    sound = domain("kuhn_poker").corrected
    profile = replace(sound, players=(*sound.players, opponent(nash(0.1), name="odd")))
    with pytest.raises(AssertionError, match="claims stochastic=False"):
        check_profile(KuhnPoker(), profile)
