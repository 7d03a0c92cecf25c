"""The sentences and the bold figures: only what the intervals allow."""

from typing import Any

import pytest

from equipoise.reports.findings import best_agent, headline, misranked, separated
from equipoise.reports.formats import decimals, duration, listing, number, visible


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
    table = rows(("a", exact(0.10), exact(0.3)), ("b", exact(0.11), exact(0.0)))
    assert headline({"rows": table}) == [
        "a (0.100) and b (0.110) have the lowest exact NashConv and cannot be told apart: their intervals overlap."
    ]


def test_single_seeds_order_checkpoints_and_not_methods() -> None:
    table = rows(("a", exact(0.1, None), exact(0.3)), ("b", exact(0.6, None), exact(0.3)))
    (sentence,) = headline({"rows": table})
    assert sentence.startswith("a has the lowest exact NashConv here, 0.100, against 0.600 for b; without intervals")


def test_hidden_faults_of_the_safest_agent_are_told() -> None:
    table = rows(("a", exact(0.1), exact(0)))
    table[0]["max_state_fault"] = {"value": 0.93}
    assert "gives no legal action with probability 0.93" in headline({"rows": table})[-1]
    table[0]["max_state_fault"] = {"value": 0.01}
    assert len(headline({"rows": table})) == 1


def test_no_exact_value_is_admitted() -> None:
    nothing = {"value": None, "low": None, "high": None, "n": 0}
    assert headline({"rows": rows(("a", nothing, nothing))}) == ["No exact NashConv was measured in this run."]


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
