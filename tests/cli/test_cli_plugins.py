"""Somebody else's game, opponent, metric, hazard and credit rule through the commands, from files and packages."""

import json
import sys

import pytest

from equipoise.cli.new import write_game
from equipoise.lab.results import AuditResult, parse_result
from packages import GAME, install

RULES_BROKEN = """
from equipoise.games.kuhn_poker import KuhnPoker

class TooFewSlots(KuhnPoker):
    name = "too_few_slots"
    max_slots = 1
"""

THINGS = '''
from equipoise import Estimate
from equipoise.objectives.rules import Rule


def folds(seen, legal):
    """Folds or checks."""
    return {legal[0]: 1.0}


def decisions(episodes, agent):
    """Decisions of the agent in an episode."""
    counts = [sum(e.policies[d.seat] == agent for d in e.decisions) for e in episodes]
    return Estimate(sum(counts) / len(counts), float("nan"), float("nan"), len(counts))


def paid(episode, seat):
    """Rounds that paid."""
    return [float(rewards[seat] > 0) for rewards in episode.rewards]


def broken(episodes, agent):
    """Fails."""
    return 1 / 0


def own(batch, weights):
    """What each time step paid."""
    return batch.own


POOLED = Rule(lambda batch, weights: batch.own * batch.mask, "pools")
'''


@pytest.fixture
def game(tmp_path):
    """A file with a small game, as `equipoise new` writes it."""
    folder = write_game("hold_or_raise", tmp_path / "hold_or_raise")
    return f"{folder / 'hold_or_raise.py'}:HoldOrRaise"


@pytest.fixture
def things(tmp_path):
    """A file with an opponent, metrics, a hazard and credit rules."""
    (tmp_path / "things.py").write_text(THINGS)
    return f"{tmp_path / 'things.py'}"


@pytest.fixture
def site(tmp_path, monkeypatch):
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    yield folder
    for file in folder.glob("*.py"):
        sys.modules.pop(file.stem, None)


def test_a_game_of_rules_and_words_alone_is_shown(run, game):
    text = run("games", game)
    assert text.code == 0
    assert "no pools" in " ".join(text.out.split())
    record = json.loads(run("games", game, "--json").out)
    assert record["name"] == "hold_or_raise"
    assert record["hazards"] == record["demonstrators"] == {}
    assert not any(record["pools"].values())
    assert {prompt["seat"] for prompt in record["prompts"]} == {0, 1}


def test_it_is_audited_against_the_uniform_player_itself_and_whoever_is_named(run, game, things):
    extra = ["--opponent", f"{things}:folds", "--metric", f"{things}:decisions", "--hazard", f"{things}:paid"]
    ran = run("audit", "tiny", "--game", game, "--deals", 4, "--out", "a", "--json", *extra)
    assert ran.code == 0, ran.err
    result = parse_result(ran.out, "what was printed", AuditResult)
    (agent,) = result.agents
    figures = agent.estimates
    assert {"payoff", "welfare", "fault_rate", "nash_conv"} <= figures.keys()
    assert not {"sepo_index", "pool_exploitability", "robustness", "collusion", "externality"} & figures.keys()
    assert {(o.opponent, o.pool) for o in agent.opponents} == {("uniform", "reference"), ("folds", "given")}
    assert figures["decisions"].value == pytest.approx(1.0)
    assert 0 <= figures["paid"].value <= 1
    assert result.hazards["decisions"].definition == "Decisions of the agent in an episode."
    assert result.weights == ()
    assert any("no pools" in note for note in agent.notes)


def test_scripts_of_files_play_a_tournament_with_ours(run, game, things):
    folder = game.rpartition("/")[0]
    agents = [f"{things}:folds", f"{folder}/hold_or_raise.py:timid", "uniform"]
    ran = run("crossplay", *agents, "--game", game, "--matches", 6, "--out", "c", "--json")
    assert ran.code == 0, ran.err
    table = json.loads(ran.out)
    assert [agent["name"] for agent in table["agents"]] == ["folds", "timid", "uniform"]
    assert table["game"]["name"] == "hold_or_raise"
    again = run("crossplay", *agents, "--game", game, "--matches", 6, "--out", "c", "--json")
    assert json.loads(again.out)["cells"] == table["cells"]


def test_a_tournament_is_not_continued_with_another_game_in_the_file(mistake, run, game):
    command = ["crossplay", "uniform", "also=uniform", "--game", game, "--matches", 2, "--out", "c"]
    assert run(*command).code == 0
    path = game.rpartition(":")[0]
    with open(path, "a", encoding="utf-8") as file:
        file.write("\nCHANGED = True\n")
    assert "code" in mistake(*command)


def test_a_package_s_game_and_rule_are_known_by_name(run, site):
    install(site, "their_games", GAME.format(name="mine"), games={"theirs": "Mine"})
    rows = {row["name"]: row for row in json.loads(run("games", "--json").out)}
    assert rows["theirs"]["package"] == "their_games"
    assert run("games", "theirs").code == 0


def test_a_broken_package_is_a_line_of_the_list_and_stops_nothing(run, mistake, site):
    install(site, "unlucky", "import nothing_of_this_name", games={"theirs": "Mine"})
    ran = run("games")
    assert (ran.code, ran.err) == (0, "")
    (line,) = [line for line in ran.out.splitlines() if line.startswith("theirs")]
    assert "package 'unlucky'" in line
    assert "kuhn_poker" in ran.out
    told = mistake("audit", "tiny", "--game", "theirs")
    assert "package 'unlucky'" in told
    assert "nothing_of_this_name" in told


def test_a_package_that_takes_one_of_our_names_is_one_line_of_warning(run, site):
    install(site, "bold", GAME.format(name="mine"), games={"split": "Mine"})
    ran = run("games", "split")
    assert ran.code == 0
    (line,) = ran.err.splitlines()
    assert line.startswith("equipoise: warning: package 'bold'")


def test_a_game_that_breaks_a_rule_is_refused_unless_it_is_asked_for(run, mistake, tmp_path):
    (tmp_path / "broken.py").write_text(RULES_BROKEN)
    line = mistake("games", "broken.py:TooFewSlots")
    assert "2 decisions in a round, max_slots 1" in line
    assert "--unchecked" in line
    assert run("games", "broken.py:TooFewSlots", "--unchecked").code == 0
    for command in (["audit", "tiny"], ["crossplay", "uniform", "also=uniform"]):
        assert "max_slots 1" in mistake(*command, "--game", "broken.py:TooFewSlots")


def test_what_cannot_be_found_is_one_line_everywhere(mistake, game, things, tmp_path):
    assert "Did you mean 'uniform'?" in mistake("crossplay", "uniforn", "uniform", "--game", game)
    assert "no 'nothing'" in mistake("audit", "tiny", "--game", game, "--opponent", f"{things}:nothing")
    assert "ZeroDivisionError" in mistake("audit", "tiny", "--game", game, "--deals", 1, "--metric", f"{things}:broken")
    assert "unknown metric 'payof'" in mistake("audit", "tiny", "--game", game, "--metric", "payof")
    (tmp_path / "mine.toml").write_text(f'game = "{game}"\n')
    assert "has no pools for objective.rule" in mistake("train", "mine.toml")
    assert "unknown credit rule" in mistake("train", "kuhn_poker/pool", "--set", "objective.rule=selfish")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "rule", "rounds"),
    [("alignment/prisoners_dilemma", "own", ()), ("kuhn_poker/pool", "POOLED", ("--set", "play.rollouts=2"))],
)
def test_training_by_a_rule_of_a_file(run, things, recipe, rule, rounds):
    small = ["--set", "rl.steps=1", "--set", "self_play.deals=1", "--set", "self_play.rollouts=2", "--deals", 1]
    ran = run("train", recipe, "--set", f"objective.rule={things}:{rule}", *small, *rounds, "--out", "r")
    assert ran.code == 0, ran.err


@pytest.mark.slow
def test_a_game_of_rules_and_words_alone_is_trained_on_by_self_play(run, game, tmp_path):
    recipe = tmp_path / "mine.toml"
    recipe.write_text(f'game = "{game}"\n[objective]\nrule = "naive"\n[self_play]\ndeals = 2\nrollouts = 2\n')
    ran = run("train", recipe, "--set", "rl.steps=2", "--deals", 2, "--out", "r", "--json")
    assert ran.code == 0, ran.err
    assert parse_result(ran.out, "what was printed", AuditResult).game.name == "hold_or_raise"
    probed = run("probe", "r", "--steps", 1, "--matches", 4, "--out", "p", "--json")
    assert probed.code == 0, probed.err


def test_a_new_game_needs_a_name_of_its_own(run, mistake):
    for name in ("My_game", "2nd", "a", "class", "my-game", "with space", "kuhn_poker", "json", "numpy", "x_"):
        assert name in mistake("new", "game", name)
    assert run("new", "game", "my_game").code == 0
    assert mistake("new", "game", "my_game", "--out", "my_game").startswith("my_game exists")
