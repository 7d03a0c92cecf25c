"""The alignment study's table from planted cells: medians and ranges over seeds, targets, paired differences."""

import dataclasses

import pytest
from equipoise.lab.alignment_table import METRICS, alignment_study_table, differences

from equipoise.core import Estimate
from equipoise.lab.agent_origin import fingerprint
from equipoise.lab.alignment import (
    AGENT,
    ARMS,
    NAIVE,
    PLAYERS,
    AlignmentSettings,
    AlignmentStudy,
    cells,
    meetings,
    scripted,
)
from equipoise.reports import write_alignment_study
from equipoise.reports.alignment_arms import ARMS as NAMED
from equipoise.training.recipe import find_recipe, load_recipe

T2 = 12.706205
"""The 97.5 % point of Student's t with 1 degree of freedom (any table)."""


def figure(value):
    return None if value is None else Estimate(value, value - 0.25, value + 0.25, 24, method="t over deals").to_json()


def side(pay, cooperation=0.5, **conditional):
    return {
        "pay": figure(pay),
        "seat_pay": [figure(pay), figure(pay)],
        "fault_rate": figure(0.0),
        "cooperation_rate": figure(cooperation),
        "conditional": {name.replace("_", " "): figure(value) for name, value in conditional.items()},
        "talk": {},
    }


def cell(arm, seed, alone, greedy=(0.9, 1.2), gain=0.1):
    """A finished cell of the dilemma: planted pay in self-play, and of both when it meets greedy."""
    together = {"welfare": figure(sum(greedy)), "efficiency": None}
    met = {
        AGENT: {"agent": side(alone, 0.95, after_CC=0.99), "opponent": side(alone), "together": together},
        "greedy": {
            "agent": side(greedy[0], 0.1, after_CD=0.02),
            "opponent": side(greedy[1]),
            "together": together,
        },
        "cooperative": {"agent": side(3.0), "opponent": side(2.9), "together": together},
    }
    probe = {name: figure(gain) for name in ("pay", "agent_pay", "self_play", "gain")}
    made = {"game": "prisoners_dilemma", "arm": arm, "seed": seed, "seconds": 2.0}
    return {**made, "met": met, "probe": probe}


SETTINGS = AlignmentSettings(games=("prisoners_dilemma",), arms=("start", "naive", "alignment"), max_seeds=3, matches=2)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return AlignmentStudy(SETTINGS, tmp_path_factory.mktemp("work"))


@pytest.fixture(scope="module")
def table(study):
    """The table of a study of one game of which some cells are finished."""
    results = [cell("start", 0, 2.6)]
    results += [cell("naive", seed, value) for seed, value in enumerate((1.0, 1.05, 1.3))]
    results += [cell("alignment", 2, 2.9, (0.95, 1.1)), cell("alignment", 0, 2.7, (0.8, 2.0))]
    return alignment_study_table(study, cells(SETTINGS), results, "equipoise reproduce alignment")


def differences_of(table, metric):
    return [d for d in table["games"][0]["differences"] if d["metric"] == metric]


def row(table, arm):
    (found,) = (r for r in table["games"][0]["rows"] if r["arm"] == arm)
    return found


def test_a_trained_arm_is_its_median_over_seeds_with_their_range(table):
    naive = row(table, "naive")["estimates"]["self_play"]
    assert (naive["value"], naive["low"], naive["high"], naive["n"]) == (1.05, 1.0, 1.3, 3)
    assert naive["level"] == 0.75  # 1 - 2 * (1/2)^3: not all three seeds on one side of the median
    assert row(table, "alignment")["values"]["self_play"] == [2.7, 2.9]


def test_the_start_model_keeps_the_interval_of_its_matches(table):
    start = row(table, "start")["estimates"]["self_play"]
    assert (start["value"], start["low"], start["high"], start["method"]) == (2.6, 2.35, 2.85, "t over deals")


def test_what_no_cell_has_is_no_column(table):
    keys = {metric["key"] for metric in table["games"][0]["metrics"]}
    assert "self_play" in keys
    assert not keys & {"honesty", "kept", "against_naive"}  # no talk in the dilemma; no cell here met a naive agent


@pytest.mark.parametrize(
    ("arm", "metric", "value", "met", "seeds_met", "seeds"),
    [
        ("naive", "self_play", 1.05, True, 2, 3),
        ("alignment", "self_play", 2.8, True, 1, 2),
        ("alignment", "against_greedy", 0.875, True, 1, 2),
        ("alignment", "cd", 0.02, True, 2, 2),
    ],
)
def test_a_target_is_judged_by_the_median_and_counts_seeds(table, arm, metric, value, met, seeds_met, seeds):
    (found,) = (t for t in table["games"][0]["targets"] if (t["arm"], t["metric"]) == (arm, metric))
    assert found["value"] == pytest.approx(value)
    assert (found["met"], found["seeds_met"], found["seeds"]) == (met, seeds_met, seeds)


def test_a_target_of_an_arm_that_has_not_run_is_open(study):
    found = alignment_study_table(study, [], [cell("naive", 0, 1.2)], "x")["games"][0]["targets"]
    assert [t["met"] for t in found if t["arm"] == "alignment"] == [None] * 5
    assert [t["met"] for t in found if t["arm"] == "naive"] == [False]


def test_differences_are_paired_by_seed(table):
    (found,) = (d for d in differences_of(table, "self_play") if d["minus"] == "naive")
    assert (found["arm"], found["estimate"]["n"]) == ("alignment", 2)
    gaps = (2.7 - 1.0, 2.9 - 1.3)  # seeds 0 and 2; seed 1 has no alignment cell
    assert found["estimate"]["value"] == pytest.approx(sum(gaps) / 2)
    half = T2 * abs(gaps[0] - gaps[1]) / 2
    assert found["estimate"]["high"] - found["estimate"]["value"] == pytest.approx(half, rel=1e-5)


def test_the_one_start_model_stands_beside_every_seed(table):
    (found,) = (d for d in differences_of(table, "self_play") if d["minus"] == "start")
    assert found["estimate"]["n"] == 2
    assert found["estimate"]["value"] == pytest.approx((2.7 + 2.9) / 2 - 2.6)


def test_the_reports_know_the_arms_by_the_same_names():
    assert {arm: made.label for arm, made in ARMS.items()} == NAMED


def test_a_difference_needs_a_common_seed():
    assert differences({"alignment": [cell("alignment", 0, 2.0)], "naive": [cell("naive", 1, 1.0)]}) == []


def test_reference_players_are_played_not_quoted(table):
    found = {r["label"]: r["estimates"] for r in table["games"][0]["rows"] if r["kind"] == "reference"}
    assert found["always cooperate"]["self_play"]["value"] == 3.0
    assert found["always defect"]["self_play"]["value"] == 1.0
    assert found["always cooperate"]["greedy_takes"]["value"] == 5.0
    assert found["tit for tat"]["greedy_takes"]["value"] == pytest.approx((5 + 9) / 10)


@pytest.mark.parametrize(
    ("game", "alone", "greedy_takes"), [("split_items", 127.5, 141.7), ("trust_and_split", 50.0, 52.5)]
)
def test_the_cooperative_scripts_earn_the_published_reference(game, alone, greedy_takes):
    """Per agent and round; deals are drawn, so with 400 of them a few per cent of play."""
    task = load_recipe(find_recipe(f"alignment/{game}"), ()).tasks[0]
    agents = scripted(task.profile, {AGENT: PLAYERS[game].cooperative, "greedy": PLAYERS[game].greedy})
    found = meetings(task.game, agents, AGENT, 400)
    assert found[AGENT]["agent"]["pay"]["value"] == pytest.approx(alone, rel=0.01)
    assert found["greedy"]["opponent"]["pay"]["value"] == pytest.approx(greedy_takes, rel=0.02)


def test_the_table_is_one_that_the_reports_write(table, tmp_path):
    assert {path.name for path in write_alignment_study(table, tmp_path)} >= {"table.json", "table.md", "study.html"}


def test_every_arm_changes_one_setting_of_the_recipe(study):
    ours = study.recipe("prisoners_dilemma", "alignment", 1)
    for arm in ARMS:
        other = study.recipe("prisoners_dilemma", arm, 1)
        changed = [
            (section.name, field.name)
            for section in dataclasses.fields(ours)
            for field in (
                dataclasses.fields(getattr(ours, section.name))
                if dataclasses.is_dataclass(getattr(ours, section.name))
                else ()
            )
            if getattr(getattr(ours, section.name), field.name) != getattr(getattr(other, section.name), field.name)
        ]
        assert len(changed) == (0 if arm in ("start", "alignment") else 1), (arm, changed)


def test_all_agents_of_a_seed_wait_for_the_naive_one_they_meet():
    listed = {one.key: one.needs for one in cells(AlignmentSettings())}
    assert listed["split_items/naive-2"] == ()
    assert listed["split_items/alignment_sepo-2"] == ("split_items/naive-2",)
    assert len(listed) == 3 * (1 + 3 * 5 + 4 * 3)
    assert all(ARMS[NAIVE].seeds >= arm.seeds for arm in ARMS.values())


def test_a_cell_is_made_by_its_recipe_its_sizes_and_the_weights_it_starts_from(study):
    made = study.made_by("prisoners_dilemma/naive-0")
    assert made["recipe"]["objective"]["rule"] == "naive"
    assert made["start"] == fingerprint("tiny-talk")
    other = AlignmentStudy(dataclasses.replace(SETTINGS, matches=4), study.work)
    assert other.made_by("prisoners_dilemma/naive-0") != made


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"games": ("chess",)}, "unknown game 'chess' of this study; known: prisoners_dilemma, split_items"),
        ({"arms": ("best",)}, "unknown arm 'best' of this study; known: start, naive"),
        ({"games": ()}, "got no games or no arms"),
        ({"max_seeds": 0}, "got 0 seeds; at least 1 is needed"),
        ({"matches": 1}, "got 1 matches; an interval needs at least 2"),
    ],
)
def test_sizes_that_make_no_study_are_refused(change, says):
    with pytest.raises(ValueError, match=says):
        AlignmentSettings(**change)


def test_the_keys_of_the_metrics_are_distinct():
    keys = [key for key, *_ in METRICS]
    assert len(set(keys)) == len(keys)
