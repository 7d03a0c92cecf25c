"""A tournament of a game with talk: honesty and promises of every ordered pair, stored, tabled and shown."""

import json

import pytest

from equipoise.games import domain, make_game
from equipoise.lab.crossplay import CrossplaySettings, crossplay, met, ordered_pairs, talk_in
from equipoise.lab.crossplay_agents import agents_of
from equipoise.lab.crossplay_meeting import Meeting, meeting_of
from equipoise.lab.crossplay_run import Tournament, key_of
from equipoise.lab.store import ValueCodec
from equipoise.metrics.talk import FIGURES, honesty, promise_keeping
from equipoise.policies import ScriptedPolicy
from equipoise.reports.formats import MISSING
from equipoise.reports.terminal import terminal_text
from equipoise.reports.views import crossplay_document

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
    return {figure: estimate.value for figure, estimate in figures.cell(agent, opponent).talk.items()}


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
        assert figures.cell(agent, opponent).talk[metric.__name__] == expected
    liar = figures.cell("liar", "honest_cooperative").talk["honesty"]
    assert liar.low < 0.25 < liar.high  # the truth in a quarter of its messages: second to speak, with the upper hand


@pytest.mark.parametrize(("name", "parameters"), [("trust_and_split", {"talk": False}), ("split", {})])
def test_a_game_without_messages_has_no_figures_of_talk(name, parameters):
    silent = make_game(name, **parameters)
    assert talk_in(silent) is None
    names = [opponent.name for _, opponent in domain(name).pools.all()[:2]]
    players = {n: ScriptedPolicy(domain(name).corrected.find(n)) for n in names}
    found = crossplay(silent, players, matches=2)
    assert {len(cell.talk) for cell in found.cells} == {0}
    titles = [section.title for section in crossplay_document(found).sections]
    assert "Who tells the truth, and who keeps promises" not in titles


def test_a_stored_meeting_keeps_its_talk(game):
    episodes = met(game, scripts(*NAMES[:2]), NAMES[:2], CrossplaySettings(matches=5))
    codec = ValueCodec(Meeting)
    text = codec.dump(meeting_of(episodes, DOMAIN.cooperation, DOMAIN.talk), {})
    again, record = codec.load(text), json.loads(text)
    assert set(again.talk) == set(FIGURES)
    assert again.talk["honesty"].shape == (5, 2, 2)
    for wrong in ({"talk": {"tact": record["talk"]["honesty"]}}, {"talk": {"honesty": [[[1, 1]]]}}):
        with pytest.raises(ValueError, match="got counts that are not 2 x 2"):
            codec.load(json.dumps(record | wrong))


@pytest.fixture(scope="module")
def result(game, tmp_path_factory):
    """The result of a whole tournament in a folder."""
    folder = tmp_path_factory.mktemp("talk")
    agents = agents_of(NAMES, game, {})
    tournament = Tournament("trust_and_split", {"rounds": 4}, agents, CrossplaySettings(24), folder)
    store = tournament.open()
    for seats in tournament.seatings:
        store.put(key_of(seats), tournament(key_of(seats)))
    return tournament.result()


def test_a_tournament_in_a_folder_holds_the_talk_of_every_ordered_pair(result, figures):
    for pair in ordered_pairs(NAMES):
        assert result.cell(*pair).talk == figures.cell(*pair).talk


def test_the_page_shows_who_is_honest_and_who_keeps_promises(result):
    document = crossplay_document(result)
    (section,) = [found for found in document.sections if found.title == "Who tells the truth, and who keeps promises"]
    true, kept = section.parts
    rows = {row.label: [(cell.value, cell.below) for cell in row.cells] for row in true.rows}
    assert list(rows) == list(NAMES)
    assert rows["honest_cooperative"] == [("1.00", "[0.86, 1.00]")] * 5
    assert rows["promise_breaker"] == [(MISSING, "")] * 5
    rows = {row.label: [cell.value for cell in row.cells] for row in kept.rows}
    assert rows["promise_breaker"] == ["0.00"] * 5
    assert rows["liar"] == [MISSING] * 5
    (often,) = section.sections
    assert often.folded
    assert len(often.parts[0].rows) == 25
    assert [len(row.cells) for row in often.parts[0].rows] == [4] * 25


def test_the_terminal_shows_talk_in_80_columns(result):
    text = terminal_text(crossplay_document(result))
    assert max(map(len, text.splitlines())) <= 80
    assert "Who tells the truth, and who keeps promises" in text
