"""Histories of simultaneous games are read the same for both seats, forfeits included."""

import pytest

from equipoise.core import Decision, Episode, Event, Fault, Reply
from equipoise.games.history import joint_moves, last_value, moves_of, own_seat, played_moves


def seen(seat):
    """One round of up against down, one that seat 1 forfeits, one of down against up."""
    other = 1 - seat
    first, last = ("up", "down") if seat == 0 else ("down", "up"), ("down", "up") if seat == 0 else ("up", "down")
    return (
        *(Event("seat", seat), Event("act", seat, first[0]), Event("act", other, first[1]), Event("paid", seat, 1)),
        *(Event("forfeit", 1), Event("paid", seat, 0)),
        *(Event("act", seat, last[0]), Event("act", other, last[1]), Event("paid", seat, 2)),
    )


def test_joint_moves_put_the_reader_first():
    assert joint_moves(seen(0)) == [("up", "down"), (None, None), ("down", "up")]
    assert joint_moves(seen(1)) == [("down", "up"), (None, None), ("up", "down")]
    assert own_seat(seen(1)) == 1


def test_played_moves_leave_forfeited_rounds_out():
    assert played_moves(seen(0)) == [("up", "down"), ("down", "up")]


def test_a_state_that_does_not_open_with_its_seat_is_refused():
    for events in ((), (Event("act", 0, "up"),), (Event("seat"),)):
        with pytest.raises(ValueError, match="opens with its seat"):
            joint_moves(events)


def test_the_newest_value_of_a_kind_is_found():
    assert last_value(seen(0), "paid") == 2
    with pytest.raises(ValueError, match="no event 'bid'"):
        last_value(seen(0), "bid")


def test_an_episode_tells_the_moves_of_either_seat_and_no_move_of_a_forfeited_round():
    def decision(seat, round_, action):
        fault = None if action else Fault("unparsable", "empty reply")
        return Decision(seat, round_, 0, (), ("up", "down"), Reply(), action, fault)

    moves = [("up", "down"), ("up", None), ("down", "down")]
    decisions = tuple(decision(seat, r, pair[seat]) for r, pair in enumerate(moves) for seat in (0, 1))
    episode = Episode("toy", ("a", "b"), 0, decisions, ((0, 0),) * 4, (0, 0))
    assert moves_of(episode, 0) == [("up", "down"), (None, None), ("down", "down"), (None, None)]
    assert moves_of(episode, 1) == [("down", "up"), (None, None), ("down", "down"), (None, None)]
