"""A tournament of a game with talk: honesty and promises of every ordered pair, stored, tabled and shown."""

import json

import pytest

from equipoise.games import domain, make_game
from equipoise.lab.crossplay import CrossplaySettings, crossplay, met, ordered_pairs, talk_in
from equipoise.lab.crossplay_agents import agents_of
from equipoise.lab.crossplay_meeting import meeting_from_json, meeting_of
from equipoise.lab.crossplay_run import Tournament, key_of
from equipoise.metrics.talk import FIGURES, honesty, promise_keeping
from equipoise.policies import ScriptedPolicy
from equipoise.reports.crossplay_page import render_crossplay
from equipoise.reports.crossplay_schema import validate_crossplay
from equipoise.reports.crossplay_terminal import crossplay_text
from equipoise.reports.formats import MISSING

NAMES = ("honest_cooperative", "liar", "promise_breaker", "promise_keeper", "silent_greedy")
DOMAIN = domain("trust_and_split")


def scripts(*names):
    return {name: ScriptedPolicy(DOMAIN.corrected.find(name)) for name in names}


@pytest.fixture(scope="module")
def game():
    return make_game("trust_and_split", rounds=4)


@pytest.fixture(scope="module")
def figures(game):
    return crossplay(game, scripts(*NAMES), matches=24)


def shares(figures, agent, opponent):
    return {figure: estimate.value for figure, estimate in figures.cells[agent, opponent].talk.items()}


def test_every_pair_has_the_talk_of_its_agent_and_a_share_of_nothing_is_left_out(figures):
    honest = {"honesty": 1.0, "statement_rate": 1.0, "promise_rate": 0.0}
    assert shares(figures, "honest_cooperative", "liar") == honest
    assert shares(figures, "liar", "liar") == honest | {"honesty": 0.0}
    breaks = {"statement_rate": 0.0, "promise_keeping": 0.0, "promise_rate": 1.0}
    assert shares(figures, "promise_breaker", "promise_keeper") == breaks
    assert shares(figures, "silent_greedy", "liar") == {"statement_rate": 0.0, "promise_rate": 0.0}
    assert shares(figures, "promise_keeper", "promise_breaker")["promise_rate"] == 0.0  # it never hears a hand
    assert shares(figures, "promise_keeper", "honest_cooperative")["promise_keeping"] == 1.0


def test_a_cell_s_talk_is_the_metric_over_the_matches_of_both_seats(game, figures):
    players = scripts("liar", "honest_cooperative", "promise_keeper")
    settings = CrossplaySettings(matches=24)
    for agent, opponent, metric in (
        ("liar", "honest_cooperative", honesty),
        ("promise_keeper", "liar", promise_keeping),
    ):
        episodes = [*met(game, players, (agent, opponent), settings), *met(game, players, (opponent, agent), settings)]
        expected = metric(episodes, [0] * 24 + [1] * 24, DOMAIN.talk)
        assert figures.cells[agent, opponent].talk[metric.__name__] == expected
    liar = figures.cells["liar", "honest_cooperative"].talk["honesty"]
    assert liar.low < 0.25 < liar.high  # the truth in a quarter of its messages: second to speak, with the upper hand


@pytest.mark.parametrize(("name", "parameters"), [("trust_and_split", {"talk": False}), ("split", {})])
def test_a_game_without_messages_has_no_figures_of_talk(name, parameters):
    silent = make_game(name, **parameters)
    assert talk_in(silent) is None
    names = [opponent.name for _, opponent in domain(name).pools.all()[:2]]
    players = {n: ScriptedPolicy(domain(name).corrected.find(n)) for n in names}
    found = crossplay(silent, players, matches=2)
    assert {len(cell.talk) for cell in found.cells.values()} == {0}
    assert {len(cell["talk"]) for cell in found.to_json()["cells"]} == {0}


def test_a_stored_meeting_keeps_its_talk_and_one_stored_without_is_read(game):
    episodes = met(game, scripts(*NAMES[:2]), NAMES[:2], CrossplaySettings(matches=5))
    meeting = meeting_of(episodes, DOMAIN.cooperation, DOMAIN.talk)
    record = json.loads(json.dumps(meeting.to_json()))
    again = meeting_from_json(record, "here")
    assert again.to_json() == meeting.to_json()
    assert set(again.talk) == set(FIGURES)
    assert again.talk["honesty"].shape == (5, 2, 2)
    without = {key: value for key, value in record.items() if key != "talk"}
    assert meeting_from_json(without, "here").talk == {}
    for wrong in ({"talk": {"tact": record["talk"]["honesty"]}}, {"talk": {"honesty": [[[1, 1]]]}}):
        with pytest.raises(ValueError, match=r"here is no stored pair \(pair\.talk: got counts that are not 2 x 2"):
            meeting_from_json(record | wrong, "here")


@pytest.fixture(scope="module")
def table(game, tmp_path_factory):
    """The stored table of a whole tournament."""
    folder = tmp_path_factory.mktemp("talk")
    agents = agents_of(NAMES, game, {})
    tournament = Tournament("trust_and_split", {"rounds": 4}, agents, CrossplaySettings(24), folder)
    store = tournament.open()
    for seats in tournament.seatings:
        store.put(key_of(seats), tournament(key_of(seats)))
    return tournament.report()


def test_a_tournament_s_json_holds_the_talk_of_every_ordered_pair(table, figures):
    validate_crossplay(table)
    found = {(c["agent"], c["opponent"]): c["talk"] for c in table["cells"]}
    assert set(found) == set(ordered_pairs(NAMES))
    for pair, talk in found.items():
        assert talk == {name: estimate.to_json() for name, estimate in figures.cells[pair].talk.items()}


def test_the_terminal_shows_who_is_honest_and_who_keeps_promises_in_80_columns(table):
    text = crossplay_text(table)
    assert max(map(len, text.splitlines())) <= 80
    true, kept = text.split("How often what the row's agent states is true")[1].split("keeps its promises")
    rows = {line.split()[1]: line.split()[2:] for line in true.splitlines() if line[:1].isdigit()}
    assert rows["honest_cooperative"] == ["1.00-0.14"] * 5
    assert rows["promise_breaker"] == [MISSING] * 5
    rows = {line.split()[1]: line.split()[2:] for line in kept.splitlines() if line[:1].isdigit()}
    assert rows["promise_breaker"] == ["0.00+0.14"] * 5
    assert rows["liar"] == [MISSING] * 5


def test_the_page_shows_talk_with_how_often_it_applies_and_how_to_read_it(table):
    page = render_crossplay(table)
    section = page.split('<section id="talk">')[1].split("</section>")[0]
    for caption in ("Honesty of every agent", "Promises kept by every agent", "Talk of every agent"):
        assert caption in section
    assert section.count("promise_breaker against liar") == 1
    for head in ("true statements", "messages that state", "kept promises", "messages that promise"):
        assert head in section
    assert "<dt>Honesty</dt>" in page
    assert "<dt>Promises kept</dt>" in page


def test_a_table_without_talk_shows_none_of_it(table):
    silent = {**table, "cells": [{k: v for k, v in cell.items() if k != "talk"} for cell in table["cells"]]}
    validate_crossplay(silent)
    page, text = render_crossplay(silent), crossplay_text(silent)
    assert 'id="talk"' not in page
    assert "<dt>Honesty</dt>" not in page
    assert "is true" not in text
    assert "promises" not in text
