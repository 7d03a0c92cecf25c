"""The alignment study's sentences: targets as counted, comparisons decided by paired intervals, gaps named."""

import re
from typing import Any

import pytest
from alignment_example import alignment_table, unfinished_table

from equipoise.reports.alignment_arms import ARMS, coverage_text
from equipoise.reports.alignment_claims import claims, paired, progress, target_claims
from equipoise.reports.study_arms import arm_slots

Table = dict[str, Any]
GAMES = ("prisoner's dilemma", "split items", "trust and split")
MINUS = "\N{MINUS SIGN}"


@pytest.fixture
def table() -> Table:
    return alignment_table()


def interval(value: float | None, low: float | None, high: float | None) -> Table:
    return {"value": value, "low": low, "high": high, "n": 5, "level": 0.95, "method": "paired t over seeds"}


ABOVE, BELOW, TIE = interval(0.3, 0.1, 0.5), interval(-0.3, -0.5, -0.1), interval(30.0, -0.1, 60.1)
ONE_SEED = interval(3.0, None, None)


def put(table: Table, arm: str, minus: str, metric: str, estimates: list[Table | None]) -> None:
    """Makes these the games' only paired differences; None leaves a game without."""
    for game, estimate in zip(table["games"], estimates, strict=True):
        entry = {"arm": arm, "minus": minus, "metric": metric, "estimate": estimate}
        game["differences"] = [] if estimate is None else [entry]


def test_every_side_of_zero_is_told_with_its_games(table: Table) -> None:
    put(table, "alignment", "naive", "self_play", [ABOVE, BELOW, TIE])
    assert claims(table) == [
        "Advantage alignment earns more in self-play than Naive in 1 of 3 games: prisoner's dilemma (+0.30 [0.10, "
        f"0.50]); less in split items ({MINUS}0.30 [{MINUS}0.50, {MINUS}0.10]); a tie in trust and split."
    ]


def test_what_was_hoped_for_is_told_first_and_only_where_it_is_so(table: Table) -> None:
    put(table, "alignment", "sum_of_rewards", "greedy_takes", [ABOVE, BELOW, None])
    (found,) = claims(table)
    assert found.startswith(
        "Greedy takes less from Advantage alignment than from Sum of rewards in 1 of 2 games: split"
    )
    assert "; more in prisoner's dilemma (+0.30" in found
    put(table, "alignment", "sum_of_rewards", "greedy_takes", [ABOVE, ABOVE, ABOVE])
    assert claims(table)[0].startswith("Greedy takes more from Advantage alignment than from Sum of rewards in 3 of 3")


def test_medians_far_apart_decide_nothing_while_the_interval_contains_zero(table: Table) -> None:
    put(table, "alignment", "naive", "self_play", [TIE, TIE, TIE])
    assert claims(table) == [
        "Too close to call whether Advantage alignment earns more or less in self-play than Naive: prisoner's dilemma, "
        "split items and trust and split."
    ]


def test_one_seed_decides_nothing(table: Table) -> None:
    put(table, "alignment", "naive", "self_play", [ONE_SEED, None, ONE_SEED])
    assert claims(table) == ["No difference between arms has an interval yet: that takes two seeds of both."]
    put(table, "alignment", "naive", "self_play", [ABOVE, None, ONE_SEED])
    assert claims(table)[0].endswith("in prisoner's dilemma (+0.30 [0.10, 0.50]); no interval yet in trust and split.")


def test_a_difference_stored_the_other_way_round_is_turned(table: Table) -> None:
    put(table, "naive", "alignment", "self_play", [interval(-0.3, -0.5, -0.1), ONE_SEED, None])
    found = paired(table["games"][0], "alignment", "naive", "self_play")
    assert found is not None
    assert (found["value"], found["low"], found["high"], found["n"]) == (0.3, 0.1, 0.5, 5)
    turned = paired(table["games"][1], "alignment", "naive", "self_play")
    assert turned is not None
    assert (turned["value"], turned["low"], turned["high"]) == (-3.0, None, None)
    assert paired(table["games"][2], "alignment", "naive", "self_play") is None
    assert "Advantage alignment earns more in self-play than Naive in prisoner's dilemma (+0.30" in claims(table)[0]


def test_a_variant_tells_what_it_changes_and_gathers_its_ties(table: Table) -> None:
    put(table, "without_past", "alignment", "self_play", [BELOW, ABOVE, TIE])
    for metric, estimate in (("probe_gain", TIE), ("greedy_takes", TIE), ("against_greedy", ONE_SEED)):
        entry = {"arm": "without_past", "minus": "alignment", "metric": metric, "estimate": estimate}
        table["games"][2]["differences"].append(entry)
    assert claims(table) == [
        "Alignment without past selves against Advantage alignment: self-play pay is higher in split items (+0.30 "
        f"[0.10, 0.50]), lower in prisoner's dilemma ({MINUS}0.30 [{MINUS}0.50, {MINUS}0.10]); a tie for self-play "
        "pay, what greedy takes and the probe's gain in trust and split; no interval yet for pay against greedy in "
        "trust and split."
    ]


def probed(table: Table, left: list[list[float]]) -> str:
    """What is said when probes leave alignment these amounts per game and seed; it earns 1, 2 and 3 from itself."""
    for game, values in zip(table["games"], left, strict=True):
        game["differences"] = []
        row = next(row for row in game["rows"] if row["arm"] == "alignment")
        for metric, found in (("self_play", [1.0, 2.0, 3.0][: len(values)]), ("under_probe", values)):
            row["values"][metric] = found
            row["estimates"][metric] = {"value": sorted(found)[len(found) // 2], "n": len(found)}
    return " ".join(claims(table))


def test_a_probe_that_does_no_harm_is_told_from_one_that_does(table: Table) -> None:
    assert probed(table, [[1.5, 2.5, 3.5], [0.5, 1.5, 2.5], [1.5, 1.5, 3.5]]) == (
        "In every seed a probe leaves Advantage alignment more than it earns from itself in prisoner's dilemma (2.50 "
        "against 2.00); less in split items (1.50 against 2.00); seeds disagree in trust and split (1.50 against 2.00)."
    )
    assert probed(table, [[0.5, 1.5], [0.5, 1.5], [1.5]]).startswith(
        "In every seed a probe leaves Advantage alignment less than it earns from itself in prisoner's dilemma (1.50 "
        "against 2.00) and split items"
    )


def test_seeds_that_disagree_about_a_probe_or_equal_amounts_say_so(table: Table) -> None:
    assert probed(table, [[0.5, 2.5], [1.0, 2.0], [1.5, 1.5]]).startswith(
        "Seeds disagree whether a probe leaves Advantage alignment more or less than it earns from itself in "
        "prisoner's dilemma (2.50 against 2.00), split items"
    )
    assert probed(table, [[0.5], [1.0], [1.5]]) == ""


def test_an_arm_that_often_replies_with_no_legal_action_is_told(table: Table) -> None:
    assert "no legal action" not in " ".join(claims(table))
    row = next(row for row in table["games"][2]["rows"] if row["arm"] == "sum_of_rewards")
    row["values"]["fault_rate"] = [0.25, 0.02, 0.0, 0.17, None]
    assert claims(table)[-1] == (
        "Replies in self-play are often no legal action from Sum of rewards in trust and split (up to 25 % of the "
        "decisions of 2 of 4 seeds)."
    )


def test_the_digits_of_an_amount_are_those_of_its_column(table: Table) -> None:
    put(table, "alignment", "naive", "self_play", [ABOVE, None, None])
    table["games"][0]["metrics"][0]["digits"] = 4
    assert "(+0.3000 [0.1000, 0.5000])" in claims(table)[0]


def test_what_was_not_compared_is_not_mentioned(table: Table) -> None:
    for game in table["games"]:
        game["differences"] = []
    assert claims(table) == []


def test_the_example_tells_of_every_arm_that_is_compared(table: Table) -> None:
    text = " ".join(claims(table))
    for label in list(ARMS.values())[1:]:
        assert label in text
    assert all(game in text for game in GAMES)


def test_targets_are_counted_and_those_missed_are_told_with_their_seeds(table: Table) -> None:
    assert target_claims(table) == [
        "Targets met by the median of the seeds: 11 of 12.",
        "Missed: trust and split, Advantage alignment: joint, greedy at most 70 (median 74.18, 0 of 5 seeds meet it).",
    ]


def test_targets_of_an_unfinished_study_are_met_so_far_or_not_measured() -> None:
    table = unfinished_table()
    assert target_claims(table) == ["Targets met so far by the median of the seeds: 9 of 9; not measured yet: 3."]
    for game in table["games"][:2]:
        game["targets"] = []
    assert target_claims(table) == ["None of 3 targets is measured yet."]
    table["games"][2]["targets"] = []
    assert target_claims(table) == []


def test_a_complete_study_has_nothing_left_to_run(table: Table) -> None:
    assert progress(table) == []


def test_missing_arms_and_seeds_are_listed_by_game() -> None:
    text = "\n".join(progress(unfinished_table()))
    assert "This study is not finished: 31 of 84 cells are done." in text
    assert "Prisoner's dilemma: Alignment, k <= t (1 of 3 seeds); Alignment without groups; Alignment + SEPO." in text
    assert re.search(r"Trust and split: Naive; Sum of rewards; .*Alignment \+ SEPO\.$", text)


def test_the_range_holds_the_median_as_surely_as_coins_fall_on_both_sides(table: Table) -> None:
    # n seeds all fall on one side of the median with probability 2 / 2^n: 1/16 for 5 seeds, 1/4 for 3.
    text = "The range holds the true median with a probability of 94 % over 5 seeds and 75 % over 3 seeds"
    assert coverage_text(table["games"][0]) == text
    for row in table["games"][0]["rows"]:
        for estimate in row["estimates"].values():
            estimate["n"] = 1
    assert coverage_text(table["games"][0]) == ""


def test_no_two_arms_share_a_colour() -> None:
    assert len(set(arm_slots((), ARMS).values())) == len(ARMS) == 8
