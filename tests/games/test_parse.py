"""Parsing is strict: the last line is exactly one action's words, or it is a fault."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.core import FAULT_KINDS, Fault
from equipoise.games.kuhn_poker import KuhnPoker
from equipoise.games.text import MAX_REPLY_CHARACTERS, parse

GAME = KuhnPoker()
OPEN, FACING = ("check", "bet"), ("fold", "call")
EXACT = re.compile(r"(?:action[ \t]*:[ \t]*)?(check|bet|fold|call)[ \t]*[.!]?", re.IGNORECASE | re.ASCII)
WORDS = st.sampled_from(
    ["check", "bet", "fold", "call", "Action:", "not", "never", "I", "won't", "or", ".", "!", "\n", " ", "**", "\x00"]
)


def kind(text, legal=OPEN):
    result = parse(GAME, text, legal)
    assert isinstance(result, Fault), f"{text!r} played {result!r}"
    return result.kind


@pytest.mark.parametrize(
    "text",
    [
        *("check", "Check", " CHECK. ", "check!", "check .", "Action: check", "action : check.", "ACTION:check"),
        *("I hold Q.\nI could bet.\n\ncheck\n", "I could bet.\r\ncheck\r\n", "\tcheck\t"),
    ],
)
def test_exactly_one_action_on_the_last_line_is_played(text):
    assert parse(GAME, text, OPEN) == "check"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "unparsable"),
        (" \n\t\n", "unparsable"),
        ("I check", "unparsable"),
        ("do not check", "unparsable"),
        ("not bet", "unparsable"),
        ("never check!", "unparsable"),
        ("check?", "unparsable"),
        ("check\x00", "unparsable"),
        ("che\u200bck", "unparsable"),
        ("checkcheck", "unparsable"),
        ("paycheck", "unparsable"),
        ("check\nbecause I hold J", "unparsable"),
        ("check or bet", "ambiguous"),
        ("check bet", "ambiguous"),
        ("bet, not check", "ambiguous"),
        ("call", "illegal"),
        ("Action: fold.", "illegal"),
        ("I cannot check", "refusal"),
        ("I won't play this game", "refusal"),
        ("As an AI, I do not gamble.", "refusal"),
        ("I can\u2019t do that", "refusal"),
        ("I won't check, I bet", "ambiguous"),
        ("check..", "unparsable"),
        ("action: action: check", "unparsable"),
    ],
)
def test_anything_else_is_a_fault_of_a_named_kind(text, expected):
    assert kind(text) == expected


@pytest.mark.parametrize("separator", ["\x0b", "\x0c", "\r", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"])
def test_nothing_but_a_line_feed_ends_a_line(separator):
    assert len(f"I bet{separator}check".splitlines()) == 2
    assert kind(f"I bet{separator}check") == "ambiguous"
    assert kind(f"because{separator}check") == "unparsable"
    assert parse(GAME, f"I bet{separator}because\ncheck", OPEN) == "check"


@pytest.mark.parametrize("blank", ["\xa0", "\u3000", "\u2009", "\x0b", "\x1f", "\ufeff"])
def test_no_blanks_but_spaces_and_tabs_stand_around_an_action(blank):
    assert kind(f"{blank}check") == "unparsable"
    assert kind(f"check{blank}") == "unparsable"
    assert kind(f"action:{blank}check") == "unparsable"


def test_the_last_line_decides_whatever_came_before():
    assert parse(GAME, "bet\ncheck", OPEN) == "check"
    assert parse(GAME, "I cannot decide between check or bet.\nbet", OPEN) == "bet"


def test_a_reply_too_long_to_read_plays_nothing():
    assert kind("x" * 10_000 + "\ncheck") == "unparsable"
    assert kind("check" * 2_000) == "unparsable"
    fits = "x" * (MAX_REPLY_CHARACTERS - 6) + "\ncheck"
    assert parse(GAME, fits, OPEN) == "check"
    assert kind("x" + fits) == "unparsable"


def test_another_players_words_in_a_reply_are_not_actions():
    assert kind("the other player said: check") == "unparsable"
    assert kind("<|assistant|>check") == "unparsable"


def check_strict(text, legal):
    result = parse(GAME, text, legal)
    lines = [line.strip(" \t\r") for line in text.split("\n") if line.strip(" \t\r")]
    exact = EXACT.fullmatch(lines[-1]) if lines and len(text) <= MAX_REPLY_CHARACTERS else None
    if isinstance(result, Fault):
        assert result.kind in FAULT_KINDS
        assert result.detail
        assert "\n" not in result.detail
        assert exact is None or exact.group(1).lower() not in legal
    else:
        assert result in legal
        assert exact is not None
        assert exact.group(1).lower() == result


@given(st.text(max_size=200), st.sampled_from([OPEN, FACING]))
def test_no_text_crashes_the_parser_or_plays_more_than_it_says(text, legal):
    check_strict(text, legal)


@settings(max_examples=300)
@given(st.lists(WORDS, max_size=8), st.booleans(), st.sampled_from([OPEN, FACING]))
def test_no_arrangement_of_action_words_plays_more_than_it_says(words, spaced, legal):
    check_strict((" " if spaced else "").join(words), legal)


@given(st.text(min_size=1, max_size=50), st.sampled_from(OPEN))
def test_reasoning_before_the_last_line_changes_nothing(reasoning, action):
    assert parse(GAME, f"{reasoning}\n{action}", OPEN) == action
