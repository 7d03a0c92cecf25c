"""How a player is asked for its move: tersely, or in full with examples of replies."""

import pytest

from equipoise.core import CHANCE, Fault
from equipoise.games import DOMAINS, make_game
from equipoise.games.examples import LEAD, MESSAGE, examples, render_opening
from equipoise.games.kuhn_poker import KuhnPoker
from equipoise.games.text import REASONING, observations, parse, render_question, render_rules

HAND = KuhnPoker()


def first_decision(game):
    """The first state in which a player moves, and who it is."""
    state = game.initial_state()
    while state.is_chance:
        state = state.child({CHANCE: state.chance_outcomes()[0][0]})
    return state, state.players_to_move[0]


@pytest.mark.parametrize(
    ("name", "terse", "full"),
    [
        ("kuhn_poker", "check or bet?", 'Choose one: "check" or "bet".'),
        ("auction", "1 or 2 or 3?", 'Choose one: "1" or "2" or "3".'),
        ("split", "1 to 9?", 'Choose one: "1" to "9".'),
        ("split_items", "0 0 0 to 10 10 10?", 'Choose one: "0 0 0" to "10 10 10".'),
        (
            "trust_and_split",
            "A message of at most 500 characters?",
            "Write a message of at most 500 characters.",
        ),
    ],
)
def test_the_closing_line_names_what_is_open(name, terse, full):
    game = make_game(name)
    state, seat = first_decision(game)
    legal = state.legal_actions(seat)
    assert render_question(game, legal, "terse") == terse
    assert render_question(game, legal, "full") == full
    for wording, end in (("terse", f" {terse}"), ("full", f"\n{full}")):
        (text,), _ = observations(game, state.information_state(seat), seat, legal, wording)
        assert text.endswith(end)
        assert text.count("\n") == end.count("\n")


def test_one_hand_of_poker_has_an_example_of_each_action():
    opening, facing = (f'{LEAD}Choose one: "{a}" or "{b}".' for a, b in (("check", "bet"), ("fold", "call")))
    assert examples(HAND, "full") == ((opening, "check"), (opening, "bet"), (facing, "fold"), (facing, "call"))


def test_long_lists_have_three_examples_and_messages_one():
    assert [reply for _, reply in examples(make_game("split"), "full")] == ["3", "5", "7"]
    assert [reply for _, reply in examples(make_game("trust_and_split"), "full")] == [MESSAGE, "2", "5", "8"]


@pytest.mark.parametrize("name", DOMAINS)
def test_every_example_is_a_reply_of_the_game_to_its_question_and_shows_no_play(name):
    game = make_game(name)
    found = examples(game, "full")
    assert found
    asked = {}
    for question, reply in found:
        assert not isinstance(parse(game, reply, game.actions), Fault)
        assert question.startswith(LEAD)
        asked.setdefault(question, []).append(reply)
    assert all(len(set(replies)) == len(replies) for replies in asked.values())
    assert examples(make_game(name), "full") == found


@pytest.mark.parametrize("name", DOMAINS)
def test_the_terse_wording_and_replies_with_reasons_have_no_examples(name):
    game = make_game(name)
    assert examples(game, "terse") == ()
    assert all(examples(game, "full", reasoning) == () for reasoning in REASONING if reasoning != "none")
    assert render_opening(game, "terse") == render_rules(game)


def test_a_page_shows_the_examples_below_the_rules():
    rules, *lines = render_opening(HAND, "full").split("\n")
    assert rules == render_rules(HAND)
    assert lines[0] == 'For example: Choose one: "check" or "bet". Reply: check'
    assert len(lines) == 4
