"""The sentences and the bold figures: only what the intervals allow."""

from typing import Any

import pytest

from equipoise.reports.findings import best_agent, misranked, separated
from equipoise.reports.formats import decimals, duration, listing, number, visible
from equipoise.reports.headline import headline


def exact(value: float, half: float | None = 0.01, method: str = "exact") -> dict[str, Any]:
    bounds = (None, None) if half is None else (value - half, value + half)
    return {"value": value, "low": bounds[0], "high": bounds[1], "n": 1 if half is None else 3, "method": method}


def rows(*pairs: tuple[str, dict[str, Any], dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"agent": name, "nash_conv": nash, "pool_exploitability": pool} for name, nash, pool in pairs]


def test_overlapping_intervals_are_not_told_apart() -> None:
    assert separated(exact(0.1), exact(0.2))
    assert not separated(exact(0.1), exact(0.11))
    assert not separated(exact(0.1, 0.05), exact(0.2, 0.05))


def test_a_lone_exact_point_stands_against_an_interval_but_not_against_another_point() -> None:
    assert separated(exact(0.6, None), exact(0.1))
    assert not separated(exact(0.6, None), exact(0.1, None))
    assert not separated(exact(0.6, None, "clustered"), exact(0.1))


def test_a_tie_has_no_best_agent() -> None:
    apart = rows(("a", exact(0.1), exact(0)), ("b", exact(0.5), exact(0)))
    tied = rows(("a", exact(0.1), exact(0)), ("b", exact(0.11), exact(0)), ("c", exact(0.9), exact(0)))
    assert best_agent(apart, "nash_conv", "lower") == "a"
    assert best_agent(apart, "nash_conv", "higher") == "b"
    assert best_agent(tied, "nash_conv", "lower") is None
    assert best_agent(apart[:1], "nash_conv", "lower") is None


@pytest.mark.parametrize(
    ("safe_pool", "weak_pool", "kind", "words"),
    [
        (exact(0.10), exact(0.01), "reversed", "ranks the agents in another order: it scores weak (0.010)"),
        (exact(0.10, 0.2), exact(0.01), "leaning", "leans the other way"),
        (exact(0.02, 0.2), exact(0.03), "blind", "cannot tell safe (0.020) from weak (0.030)"),
    ],
)
def test_the_headline_says_how_the_pool_misleads(
    safe_pool: dict[str, Any], weak_pool: dict[str, Any], kind: str, words: str
) -> None:
    table = rows(("weak", exact(0.5), weak_pool), ("safe", exact(0.1), safe_pool))
    found = misranked(table)
    assert found is not None
    assert (found[0]["agent"], found[1]["agent"], found[2]) == ("safe", "weak", kind)
    sentences = headline({"rows": table, "unit": "chips"})
    assert (
        sentences[0]
        == "safe is the least exploitable: exact NashConv 0.100 [0.090, 0.110] chips, against 0.500 for weak."
    )
    assert words in sentences[1]


def test_a_pool_that_orders_rightly_is_said_to() -> None:
    table = rows(("weak", exact(0.5), exact(0.3)), ("safe", exact(0.1), exact(0.05)))
    assert misranked(table) is None
    assert headline({"rows": table})[1] == "The scripted pool puts the agents in the same order."


def test_a_tie_is_called_a_tie_and_claims_no_order_for_the_pool() -> None:
    table = rows(("a", exact(0.10), exact(0.3)), ("b", exact(0.11), exact(0.02)))
    assert headline({"rows": table}) == [
        "a (0.100) and b (0.110) have the lowest exact NashConv and cannot be told apart: their intervals overlap."
    ]


def test_single_seeds_order_checkpoints_and_not_methods() -> None:
    table = rows(("a", exact(0.1, None), exact(0.3)), ("b", exact(0.6, None), exact(0.3)))
    (sentence,) = headline({"rows": table})
    assert sentence.startswith("a has the lowest exact NashConv here, 0.100, against 0.600 for b; without intervals")


def test_hidden_faults_of_the_safest_agent_are_told() -> None:
    table = rows(("a", exact(0.1), exact(0.05)))
    table[0]["max_state_fault"] = {"value": 0.93}
    assert "gives no legal action with probability 0.93" in headline({"rows": table})[-1]
    table[0]["max_state_fault"] = {"value": 0.01}
    assert len(headline({"rows": table})) == 1


def test_no_exact_value_is_admitted() -> None:
    nothing = {"value": None, "low": None, "high": None, "n": 0}
    assert headline({"rows": rows(("a", nothing, nothing))}) == ["No exact NashConv was measured in this run."]


def test_a_pool_that_finds_nothing_is_set_against_the_exact_value() -> None:
    table = rows(("a", exact(0.4), exact(0.0)), ("b", exact(0.001, 0.0005), exact(0.0)), ("c", exact(0.5), exact(0.2)))
    sentences = headline({"rows": table})
    assert "Pool exploitability reads 0.000 for a (0.400): the exact NashConv in brackets does not." in sentences


def sampled(value: float, half: float = 0.05) -> dict[str, Any]:
    return {"value": value, "low": value - half, "high": value + half, "n": 64, "method": "t over deals"}


def general(**agents: tuple[float, float]) -> list[dict[str, Any]]:
    """Rows of a game that is not zero-sum: payoff and SEPO index by agent."""
    return [{"agent": a, "payoff": sampled(u), "sepo_index": sampled(s)} for a, (u, s) in agents.items()]


def test_a_game_without_nash_conv_is_not_told_about_it() -> None:
    table = general(base=(2.0, -1.0), sepo=(2.5, 1.5))
    for row in table:
        row["worst_case_advantage"] = exact(0.3)
    sentences = headline({"rows": table, "exact": "the first 2 of 4 rounds"})
    assert (
        sentences[0] == "sepo has the highest SEPO index: 1.500 [1.450, 1.550], against \N{MINUS SIGN}1.000 for base."
    )
    assert "exact worst-case advantage" in sentences[2]
    assert "(exact over the first 2 of 4 rounds)" in sentences[2]
    assert "NashConv" not in " ".join(sentences)


def test_one_audited_model_has_its_index_stated_and_nothing_compared() -> None:
    sentences = headline({"rows": general(tiny=(2.0, -1.0))})
    assert sentences[0] == "tiny has a SEPO index of \N{MINUS SIGN}1.000 [\N{MINUS SIGN}1.050, \N{MINUS SIGN}0.950]."
    assert sentences[1].startswith("No exact figure was measured")


@pytest.mark.parametrize(
    ("table", "sepo", "words"),
    [
        (
            general(greedy=(2.9, 0.5), fair=(2.5, 1.5)),
            None,
            "The penalties decide an order: greedy earns more than fair",
        ),
        (general(base=(2.0, 0.5), fair=(2.5, 1.5)), None, "the penalties change no rank"),
        (
            general(base=(2.0, 1.1), fair=(2.5, 1.4)),
            {"weights": [2.4, 1.0, 1.8], "scale": 0.6},
            "Payoff dominates the SEPO index: the penalties take at most 8 %",
        ),
    ],
)
def test_it_is_said_what_the_penalties_do(table: list[dict[str, Any]], sepo: dict[str, Any] | None, words: str) -> None:
    report = {"rows": table} | ({} if sepo is None else {"sepo": sepo})
    assert words in headline(report)[1]


def test_a_tie_on_the_index_is_no_order() -> None:
    sentences = headline({"rows": general(a=(2.0, 1.50), b=(2.1, 1.55))})
    assert "b (1.550) and a (1.500) have the highest SEPO index and cannot be told apart" in sentences[0]


def test_frequent_faults_are_told_where_nothing_is_exact() -> None:
    table = general(a=(2.0, 1.5))
    table[0]["fault_rate"] = sampled(0.12)
    assert headline({"rows": table})[-1] == "Replies that name no legal action are frequent: a (12 %)."


def test_numbers_keep_their_decimals_and_never_round_to_zero() -> None:
    assert decimals([0.5, None, -0.2]) == 3
    assert decimals([0.5, 0.004]) == 4
    assert number(-0.5, 3) == "\N{MINUS SIGN}0.500"
    assert number(0.0, 3) == "0.000"
    assert number(1e-9, 4) == "<0.0001"
    assert number(None, 3) == "\N{EN DASH}"


def test_invisible_characters_are_spelled_out() -> None:
    assert visible("a\n\tb") == "a\n\tb"
    assert visible("\x00\x1b\u202e\u2066\ud800\r") == "".join(
        f"⟨U+{code}⟩" for code in ("0000", "001B", "202E", "2066", "D800", "000D")
    )


def test_durations_and_lists_read_as_english() -> None:
    assert [duration(s) for s in (9.81, 45, 171, 9000)] == ["9.8 s", "45 s", "2.9 min", "2.5 h"]
    assert [listing(n) for n in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a and b", "a, b and c"]
