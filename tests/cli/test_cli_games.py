"""`equipoise games`: what there is to play, in words."""

import json

import pytest

from equipoise.games import DOMAINS


def test_the_list_names_every_game(run):
    ran = run("games")
    assert ran.code == 0
    assert [line.split()[0] for line in ran.out.splitlines()] == list(DOMAINS)


def test_the_list_as_json_says_what_each_game_is(run):
    known = json.loads(run("games", "--json").out)
    assert {g["name"]: (g["players"], g["zero_sum"], g["parameters"]) for g in known}["kuhn_poker"] == (
        2,
        True,
        {"hands": 1},
    )


@pytest.mark.parametrize("name", DOMAINS)
def test_one_game_shows_its_rules_prompts_and_every_opponent(run, name):
    text = run("games", name).out
    record = json.loads(run("games", name, "--json").out)
    assert " ".join(text.split()).count(" ".join(record["rules"].split())) == 1
    assert record["prompts"]
    for prompt in record["prompts"]:
        assert prompt["says"] in prompt["sees"]
        assert f"says: {prompt['says']}" in text
    for pool, opponents in record["pools"].items():
        expected = ", ".join(o["name"] for o in opponents) or "none"
        assert expected in " ".join(text.partition(f"  {pool}:")[2].split())
        assert [o.name for o in DOMAINS[name].pools.of(pool)] == [o["name"] for o in opponents]


@pytest.mark.parametrize("name", DOMAINS)
def test_one_game_fits_a_terminal(run, name):
    for arguments in (["games"], ["games", name]):
        for line in run(*arguments).out.splitlines():
            assert len(line) <= 80, line


def test_a_parameter_makes_another_game(run):
    assert "one hand" in run("games", "kuhn_poker").out
    text = run("games", "kuhn_poker", "--set", "hands=6").out
    assert "6 hands" in text
    assert "6 round(s)" in text
    record = json.loads(run("games", "kuhn_poker", "--set", "hands=6", "--json").out)
    assert "6 hands" in record["rules"]
    assert record["parameters"] == {"hands": 6}
