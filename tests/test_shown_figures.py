"""Every figure in the README's and the log's tables of results is the one in the stored result."""

import re
from pathlib import Path

import pytest

from equipoise.lab.alignment import ALIGNMENT
from equipoise.lab.results import load_result
from equipoise.lab.sepo import SEPO
from equipoise.lab.study_run import StudyRun
from equipoise.metrics import index_over_grid

ROOT = Path(__file__).parents[1]
GAMES = {
    "dilemma": "prisoners_dilemma",
    "split of items": "split_items",
    "trust and split": "trust_and_split",
    "Kuhn poker": "kuhn_poker",
    "split": "split",
    "commons": "commons",
    "bargaining": "bargaining",
    "auction": "auction",
}
ARMS = {
    "base": "base",
    "SFT": "sft",
    "payoff alone": "payoff",
    "own pool": "own_pool",
    "own pool + adversary": "own_pool_best_response",
    "shared penalty": "shared_penalty",
    "independent penalty": "independent_penalty",
    "naive": "naive",
    "sum of rewards": "sum_of_rewards",
    "advantage alignment": "alignment",
    "alignment + SEPO": "alignment_sepo",
}
_NUMBER = re.compile(r"-?\d+\.?\d*")


def table_of(document, first):
    """The head that starts with ``first`` and the rows under it, as cells without emphasis."""
    head, rows = None, []
    for line in (ROOT / document).read_text(encoding="utf-8").splitlines():
        if line.startswith(f"| {first} |") and head is None:
            head = _cells(line)
        elif head is not None and line.startswith("|"):
            if not line.startswith("| ---"):
                rows.append(_cells(line))
        elif head is not None:
            break
    assert head
    assert rows
    return head, rows


def _cells(line):
    return [cell.strip() for cell in line.replace("**", "").strip().strip("|").split("|")]


def is_shown(text, values):
    """Whether the numbers of a cell are these, each to the digits that it is shown with."""
    shown = _NUMBER.findall(text)
    assert len(shown) == len(values), text
    for figure, value in zip(shown, values, strict=True):
        digits = len(figure.partition(".")[2])
        assert abs(float(figure) - value) <= 0.5 * 10**-digits + 1e-9, (text, values)


def estimates_of(study):
    result = load_result(ROOT / "results" / study)
    return {(found.game.name, row.arm): row.estimates for found in result.games for row in found.rows}


def test_the_readme_s_table_of_advantage_alignment():
    found = estimates_of("alignment")
    head, rows = table_of("README.md", "game")
    assert head[1:] == ["objective", "self-play", "against greed", "greed earns", "a probe earns", "and leaves"]
    keys = ["self_play", "against_greedy", "greedy_takes", "probe_pay", "under_probe"]
    game = ""
    for named, objective, *shown in rows:
        game = named or game
        estimates = found[GAMES[game], ARMS[objective]]
        for text, key in zip(shown, keys, strict=True):
            is_shown(text, [estimates[key].value])
    assert len(rows) == 12


@pytest.mark.parametrize(("has", "key"), [("base", "sepo_index"), ("SFT", "worst_case_advantage")])
def test_the_log_s_tables_of_sepo(has, key):
    found = estimates_of("sepo")
    head, rows = table_of("docs/experiments.md", f"game | {has}")
    for named, *shown in rows:
        for arm, text in zip(head[1:], shown, strict=True):
            estimate = found[GAMES[named] if named != "dilemma" else "prisoners_dilemma", ARMS[arm]][key]
            is_shown(text, [estimate.value, estimate.low, estimate.high])
    assert len(rows) >= 5


def index_by(exploitability, figures, game):
    """The SEPO index of an arm's mean terms, with exploitability by one of the pools; linear, so the mean index."""
    u, e, c, x = (
        figures[name].value if name in figures else 0.0
        for name in ("payoff", exploitability, "collusion", "externality")
    )
    (index,) = index_over_grid(u, e, c, x, game.scale, [game.weights])
    return index


def test_the_log_s_table_of_the_index_by_either_pool():
    games = {game.game.name: game for game in load_result(ROOT / "results" / "sepo").games}
    found = estimates_of("sepo")
    head, rows = table_of("docs/experiments.md", "by exploiters, by held-out")
    for named, *shown in rows:
        name = GAMES[named]
        for arm, text in zip(head[1:], shown, strict=True):
            figures = found[name, ARMS[arm]]
            by_exploiters = index_by("pool_exploitability", figures, games[name])
            is_shown(text, [by_exploiters, figures["sepo_index"].value])
    assert len(rows) == 6


def test_the_index_of_every_stored_agent_of_sepo_counts_held_out_players():
    for game in load_result(ROOT / "results" / "sepo").games:
        for row in game.rows:
            index = index_by("held_out_exploitability", row.estimates, game)
            assert row.estimates["sepo_index"].value == pytest.approx(index, abs=1e-9), (game.game.name, row.arm)


def confirmed():
    """In how many games each hypothesis of SEPO's study is confirmed: corrected, and on the side that it expects."""
    result = load_result(ROOT / "results" / "sepo")
    side = {hypothesis.name: 1 if hypothesis.expected == "above" else -1 for hypothesis in result.hypotheses}
    counts = dict.fromkeys(side, 0)
    for difference in (each for game in result.games for each in game.differences if each.hypothesis):
        name = difference.hypothesis
        counts[name] += difference.adjusted < 0.05 and side[name] * difference.estimate.value > 0
    return counts


def test_the_log_s_table_of_hypotheses():
    head, rows = table_of("docs/experiments.md", "hypothesis")
    assert head[1:] == ["by exploiters", "by held-out"]
    assert {name: int(now) for name, _, now in rows} == confirmed()


@pytest.mark.parametrize("study", [SEPO, ALIGNMENT], ids=lambda study: study.name)
def test_the_stored_cells_are_those_of_the_study_as_it_is_declared(study, tmp_path):
    run = StudyRun(study, study.size(), ROOT / "results" / study.name, tmp_path)
    keys = [cell.key for cell in [*run.references(), *run.cells()]]
    assert len(run.store.finished(keys)) == len(keys)


def test_the_readme_s_claims_about_sepo():
    above = {name: count for name, count in confirmed().items() if name.startswith("SEPO above")}
    assert [above[f"SEPO above {other}"] for other in ("base", "SFT", "payoff alone")] == [6, 4, 0]
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert "base model's in six of six games and above the imitator's in four, above payoff alone in none" in text
    found = estimates_of("sepo")
    claim = re.search(
        r"NashConv is (.*?) without and (.*?) with it, while the index is (\S+) without and (\S+) with", text
    )
    without, with_it = (found["kuhn_poker", arm] for arm in ("own_pool", "own_pool_best_response"))
    for shown, estimates in zip(claim.groups()[:2], (without, with_it), strict=True):
        estimate = estimates["nash_conv"]
        is_shown(shown, [estimate.value, estimate.low, estimate.high])
    for shown, estimates in zip(claim.groups()[2:], (without, with_it), strict=True):
        is_shown(shown.rstrip("."), [estimates["sepo_index"].value])


@pytest.mark.parametrize("document", ["README.md", "docs/experiments.md"])
def test_the_tables_of_the_demo(document):
    result = load_result(ROOT / "results" / "demo")
    agents = {agent.name: agent.estimates for agent in result.agents}
    head, rows = table_of(document, "agent")
    keys = {
        "exact NashConv": "nash_conv",
        "fault-aware NashConv": "nash_conv_fault_aware",
        "scripted pool exploitability": "pool_exploitability",
        "pool exploitability": "pool_exploitability",
        "payoff against the train pool": "payoff",
        "payoff, train pool": "payoff",
    }
    assert len(rows) == 4
    for (_, *shown), estimates in zip(rows, agents.values(), strict=False):
        for column, text in zip(head[1:], shown, strict=True):
            if column == "faults":
                is_shown(text.removesuffix("%").strip(), [100 * estimates["fault_rate"].value])
                continue
            estimate = estimates[keys[column]]
            shown_interval = "[" in text
            is_shown(text, [estimate.value, *([estimate.low, estimate.high] if shown_interval else [])])
