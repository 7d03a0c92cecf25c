"""A study's sentences: decided by paired intervals, ties called ties, gaps named."""

import re
from typing import Any

import pytest

from equipoise.reports import study_markdown
from equipoise.reports.study_arms import arm_slots, danger_metric, danger_name, missing
from equipoise.reports.study_claims import claims, progress, signed, verdict

Table = dict[str, Any]


def interval(value: float | None, low: float | None, high: float | None) -> dict[str, Any]:
    return {"value": value, "low": low, "high": high, "n": 5, "level": 0.95, "method": "paired t over seeds"}


def set_difference(table: Table, game: int, pair: tuple[str, str], estimate: dict[str, Any]) -> None:
    """Replaces the index difference of a pair of arms in one game."""
    entries = table["games"][game]["differences"]
    entry = next(e for e in entries if (e["arm"], e["minus"], e["metric"]) == (*pair, "sepo_index"))
    entry["estimate"] = estimate


def sentence(table: Table, start: str) -> str:
    return next(text for text in claims(table) if text.startswith(start))


@pytest.mark.parametrize(
    ("estimate", "expected"),
    [
        (interval(0.3, 0.1, 0.5), "above"),
        (interval(-0.3, -0.5, -0.1), "below"),
        (interval(0.3, -0.1, 0.7), "tie"),
        (interval(0.3, 0.0, 0.6), "tie"),
        (interval(0.3, None, None), "undecided"),
        (interval(None, 0.1, 0.2), "undecided"),
    ],
)
def test_only_an_interval_that_excludes_zero_decides(estimate: dict[str, Any], expected: str) -> None:
    assert verdict(estimate) == expected


def test_a_win_counts_only_with_its_interval_above_zero(table: Table) -> None:
    set_difference(table, 1, ("own_pool", "base"), interval(2.0, -0.1, 4.1))
    assert sentence(table, "SEPO, own pool is above Base") == (
        "SEPO, own pool is above Base on the SEPO index in 1 of 2 games (Kuhn poker), interval of the paired "
        "difference above zero; a tie in auction."
    )
    set_difference(table, 0, ("own_pool", "base"), interval(-2.0, -3.0, -1.0))
    assert sentence(table, "SEPO, own pool is above Base") == (
        "SEPO, own pool is above Base on the SEPO index in none of 2 games; a tie in auction; below in Kuhn poker."
    )


def test_payoff_does_as_well_exactly_where_the_paired_interval_contains_zero(table: Table) -> None:
    assert "Payoff alone does as well as SEPO, own pool in Kuhn poker and auction" in "".join(claims(table))
    set_difference(table, 0, ("own_pool", "payoff"), interval(0.4, 0.1, 0.7))
    set_difference(table, 1, ("own_pool", "payoff"), interval(-0.4, -0.7, -0.1))
    text = "".join(claims(table))
    assert "does as well" not in text
    assert "The penalties help in Kuhn poker (+0.40 [0.10, 0.70])" in text
    assert "Payoff alone is ahead in auction (\N{MINUS SIGN}0.40 [\N{MINUS SIGN}0.70, \N{MINUS SIGN}0.10])" in text


def test_one_seed_decides_nothing(table: Table) -> None:
    for game in (0, 1):
        set_difference(table, game, ("own_pool", "sft"), interval(3.0, None, None))
        set_difference(table, game, ("own_pool", "payoff"), interval(3.0, None, None))
    pair = "SEPO, own pool and SFT have no paired interval of the SEPO index yet in Kuhn poker and auction."
    assert pair in claims(table)
    set_difference(table, 0, ("own_pool", "sft"), interval(3.0, 2.0, 4.0))
    found = sentence(table, "SEPO, own pool is above SFT")
    assert "in 1 of 1 game (Kuhn poker)" in found
    assert found.endswith("no interval yet in auction.")
    assert "Payoff alone and SEPO, own pool have no paired interval yet in Kuhn poker and auction." in claims(table)


def test_what_imitation_did_is_told_by_game(table: Table) -> None:
    table["games"][1]["sft_effect"]["pool_exploitability"] = interval(-0.2, -0.3, -0.1)
    found = sentence(table, "Against the base model, SFT")
    assert "raised pool exploitability in Kuhn poker (+0.40 [0.30, 0.50])" in found
    assert "lowered pool exploitability in auction" in found
    assert "made no difference to the worst case beyond its interval" in found


def test_safety_against_the_supervised_model_is_read_from_the_strongest_metric(table: Table) -> None:
    assert [danger_metric(game) for game in table["games"]] == ["nash_conv", "worst_case_lower_bound"]
    entry = {
        "arm": "own_pool",
        "minus": "sft",
        "metric": "worst_case_lower_bound",
        "estimate": interval(-1, -1.5, -0.5),
    }
    table["games"][1]["differences"].append(entry)
    assert sentence(table, "SEPO, own pool is less exploitable") == (
        "SEPO, own pool is less exploitable than SFT in 1 of 1 game (auction)."
    )


def test_exact_figures_of_some_rounds_do_not_speak_for_the_whole_game(table: Table) -> None:
    game = table["games"][0] | {"zero_sum": False, "exact": "the first round of 6"}
    for row in game["rows"]:
        row["estimates"].pop("nash_conv")
    assert danger_metric(game) == "pool_exploitability"
    assert danger_metric(game | {"exact": "the whole game"}) == "worst_case_advantage"
    for row in table["games"][1]["rows"]:
        row["estimates"]["worst_case_lower_bound"]["value"] = 0.0
    assert danger_metric(table["games"][1]) == "pool_exploitability"


def test_hands_of_a_zero_sum_game_are_exact_and_say_which(table: Table) -> None:
    game = table["games"][0] | {"exact": "the first round of 6"}
    assert danger_metric(game) == "nash_conv"
    assert danger_name(game, "nash_conv") == "exact NashConv, the first round of 6"
    assert danger_name(game, "pool_exploitability") == "scripted exploiters, a lower bound"


def test_a_pool_that_reads_zero_is_set_against_the_exact_value(table: Table) -> None:
    for row in table["games"][0]["rows"][:2]:
        row["estimates"]["pool_exploitability"]["value"] = 0.0
        row["estimates"]["nash_conv"]["value"] = 0.25
    found = sentence(table, "In Kuhn poker pool exploitability reads 0.000")
    assert found.endswith("for Base (0.250) and SFT (0.250), in brackets their exact NashConv.")


def test_defection_against_a_cooperator_is_told_where_the_dilemma_is_there(table: Table) -> None:
    assert not any("Defection" in text for text in claims(table))
    table["games"][1]["game"] = "prisoners_dilemma"
    found = sentence(table, "Defection against a player that always cooperates in the dilemma")
    values = [r["estimates"]["collusion"]["value"] for r in table["games"][1]["rows"] if r["arm"] == "own_pool"]
    assert f"SEPO, own pool {values[0]:.2f} [" in found


def test_a_complete_study_has_nothing_left_to_run(table: Table) -> None:
    assert missing(table) == []
    assert progress(table) == []


def test_missing_arms_and_seeds_are_listed_by_game(table: Table) -> None:
    game = table["games"][1]
    game["rows"] = [row for row in game["rows"] if row["arm"] != "welfare"]
    game["rows"][1]["seeds"] = 2
    table["cells"]["done"] = 54
    assert progress(table) == [
        "This study is not finished: 54 of 60 cells are done.",
        "Not run yet: Auction: SFT (2 of 5 seeds); Welfare.",
    ]
    assert "Not run yet: Auction: SFT (2 of 5 seeds); Welfare." in study_markdown(table)


def test_what_was_planned_decides_what_is_missing(table: Table) -> None:
    table["planned"] = {"base": 1, "own_pool": 7}
    assert missing(table) == ["Kuhn poker: SEPO, own pool (5 of 7 seeds)", "Auction: SEPO, own pool (5 of 7 seeds)"]


def test_no_two_arms_of_the_study_share_a_colour() -> None:
    assert len(set(arm_slots(()).values())) == 8


def test_differences_carry_their_sign() -> None:
    assert signed(interval(0.31, 0.1, 0.52)) == "+0.31 [0.10, 0.52]"
    assert signed(interval(0.001, None, None)) == "<0.01"
    assert signed(interval(-0.5, None, None)) == "\N{MINUS SIGN}0.50"


def test_an_empty_study_claims_nothing(table: Table) -> None:
    table["games"] = []
    assert claims(table) == []
    assert not re.search(r"\bNone\b|nan", study_markdown(table))
