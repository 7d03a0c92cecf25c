"""Every figure in the README's and the log's tables of results is the one in the stored result."""

import re
from pathlib import Path

import pytest

from equipoise.lab.results import load_result

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


def test_the_readme_s_claims_about_sepo():
    result = load_result(ROOT / "results" / "sepo")
    above = {
        minus: sum(
            difference.adjusted < 0.05 and difference.estimate.low > 0
            for found in result.games
            for difference in found.differences
            if (difference.arm, difference.minus, difference.metric) == ("own_pool", minus, "sepo_index")
        )
        for minus in ("base", "sft", "payoff")
    }
    assert above == {"base": 6, "sft": 4, "payoff": 1}
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert "base model's in six of six games and above the imitator's in four, above payoff alone in one" in text
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
