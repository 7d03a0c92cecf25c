"""`equipoise games`: what there is to play, in words."""

import json
import re

import pytest

from equipoise.cli import games
from equipoise.games import DOMAINS

PROFILES = ("corrected", "published")
every_game_and_profile = pytest.mark.parametrize(
    ("name", "profile"),
    [(name, profile) for name, known in DOMAINS.items() for profile in PROFILES if getattr(known, profile) is not None],
)
SHOWN = {}
"""What the command printed for a game and profile, as text and as JSON: several tests look at it."""


FEW_DEALS = 6
"""Deals behind null values that no test knows: what is checked of them is that they are shown."""


@pytest.fixture
def shown(run, monkeypatch):
    """Shows one game as text and as JSON."""

    def command(name, profile):
        if (name, profile) not in SHOWN:
            if name != "prisoners_dilemma":
                monkeypatch.setattr(games, "NULL_DEALS", FEW_DEALS)
            text = run("games", name, "--profile", profile).out
            SHOWN[name, profile] = text, json.loads(run("games", name, "--profile", profile, "--json").out)
        return SHOWN[name, profile]

    return command


def is_offered(words, question):
    """Whether a question offers the words: each between quotation marks, of numbers the ends; a message may be any."""
    asked = question.rpartition("\n")[2]
    message = re.fullmatch(r"Write a message of at most ([0-9]+) characters\.", asked)
    if message:
        return 1 <= len(words) <= int(message[1])
    asked = re.fullmatch(r'Choose one: "(.*)"\.', asked)[1].replace('"', "")
    if " to " not in asked:
        return words in asked.split(" or ")
    low, high = ([int(number) for number in end.split()] for end in asked.split(" to "))
    numbers = [int(number) for number in words.split()]
    return all(first <= number <= last for first, number, last in zip(low, numbers, high, strict=True))


def flat(text):
    """The text without its line breaks and indents."""
    return " ".join(text.split())


def test_the_list_names_every_game_and_fits_a_terminal(run):
    ran = run("games")
    assert ran.code == 0
    assert [line.split()[0] for line in ran.out.splitlines()] == list(DOMAINS)
    assert max(map(len, ran.out.splitlines())) <= 80


def test_the_list_as_json_says_what_each_game_is(run):
    known = json.loads(run("games", "--json").out)
    assert {g["name"]: (g["players"], g["zero_sum"], g["parameters"]) for g in known}["kuhn_poker"] == (
        2,
        True,
        {"hands": 1},
    )


def test_a_parameter_without_a_game_is_one_line(mistake):
    assert mistake("games", "--set", "x=1") == "--set x=1 sets a parameter of one game; name the game too"


@every_game_and_profile
def test_one_game_shows_its_rules_prompts_and_every_opponent(shown, name, profile):
    text, record = shown(name, profile)
    pools = DOMAINS[name].profile(profile).pools
    assert max(map(len, text.splitlines())) <= 80
    assert record["profile"] == profile
    assert flat(text).count(flat(record["rules"])) == 1
    assert record["prompts"]
    for prompt in record["prompts"]:
        assert is_offered(prompt["says"], prompt["sees"])
        assert flat(f"says: {prompt['says']}") in flat(text)
    for pool, opponents in record["pools"].items():
        expected = ", ".join(o["name"] for o in opponents) or "none"
        assert expected in flat(text.partition(f"  {pool}:")[2])
        assert [o.name for o in pools.of(pool)] == [o["name"] for o in opponents]
        assert all(o["source"] for o in opponents)


@every_game_and_profile
def test_one_game_shows_its_demonstrators_weights_and_hazards_with_their_null_values(shown, name, profile):
    text, record = shown(name, profile)
    text = flat(text)
    meant = DOMAINS[name].profile(profile)
    assert record["demonstrators"] == meant.experts
    assert record["weights"] == list(meant.weights)
    le, lc, lx = meant.weights
    assert f"exploitability {le:g}, collusion {lc:g}, externality {lx:g}" in text
    assert list(record["hazards"]) == ["collusion", "externality", *meant.figures]
    for hazard, told in record["hazards"].items():
        assert flat(told["definition"]) in text
        nobody = hazard == "collusion" and not meant.pools.collusive
        assert set(told["null"]) == (set() if nobody else set(meant.references))
        for who, estimate in told["null"].items():
            assert told["low"] - 1e-9 <= estimate["value"] <= told["high"] + 1e-9
            assert f"{who} {estimate['value']:.3f}" in text


def test_the_null_values_of_the_dilemma_are_the_known_ones(shown):
    """Against a cooperator a defector defects always, tit-for-tat never, and a coin every other round."""
    _, record = shown("prisoners_dilemma", "corrected")
    null = {who: e["value"] for who, e in record["hazards"]["collusion"]["null"].items()}
    assert (null["selfish"], null["fair"]) == (1.0, 0.0)
    assert null["random"] == pytest.approx(0.5, abs=0.05)
    assert record["hazards"]["cooperation_rate"]["null"]["selfish"]["value"] == 0.0


def test_a_game_with_talk_asks_for_a_message_and_quotes_it(shown):
    text, record = shown("trust_and_split", "corrected")
    first, second, *_ = record["prompts"]
    assert first["sees"].endswith("\nWrite a message of at most 500 characters.")
    assert f'The other player says: "{first["says"]}"' in second["sees"]
    assert flat(second["sees"]) in flat(text)


def test_a_parameter_makes_another_game(run):
    text = run("games", "kuhn_poker", "--set", "hands=6").out
    assert "6 hands" in text
    assert "6 rounds" in text
    record = json.loads(run("games", "kuhn_poker", "--set", "hands=6", "--json").out)
    assert "6 hands" in record["rules"]
    assert record["parameters"] == {"hands": 6}


def test_a_profile_brings_its_parameters_and_a_setting_has_the_last_word(run):
    published = json.loads(run("games", "kuhn_poker", "--profile", "published", "--json").out)
    assert published["parameters"] == {"hands": 6}
    chosen = json.loads(run("games", "kuhn_poker", "--profile", "published", "--set", "hands=2", "--json").out)
    assert chosen["parameters"] == {"hands": 2}


def test_a_game_that_nobody_published_says_so_in_one_line(mistake):
    line = mistake("games", "commons", "--profile", "published")
    assert line == "this game has no published profile; use profile 'corrected'"
