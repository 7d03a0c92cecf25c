"""A study's result from planted cells: seeds, deals, paired differences, corrected hypotheses, targets, weightings."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_study import Counted, cell, changed, hypothesis, run_of

from equipoise.core import Estimate
from equipoise.errors import UserError
from equipoise.lab.alignment import ALIGNMENT
from equipoise.lab.results import StudyResult, StudyTarget, load_result, parse_result, result_json
from equipoise.lab.sepo import SEPO, AuditMeasure
from equipoise.lab.study_run import StudyRun
from equipoise.lab.study_table import CREDITS, arms_of, difference, study_result, summed
from equipoise.metrics.comparisons import holm
from equipoise.metrics.deal_scores import seed_by_deal
from equipoise.metrics.two_way import difference_to_base, two_way

T2, T3 = 12.706205, 4.302653
"""The 97.5 % points of Student's t with 1 and 2 degrees of freedom (any table)."""


def rows(result, game=0):
    """The rows of a game by arm, reference players apart."""
    return {row.arm: row for row in result.games[game].rows if row.kind != "reference"}


def gap(cells, arm="ours", minus="sft", metric="pay", level=0.95):
    """The difference of two arms of planted cells, at a level."""
    run = run_of()
    found = difference(run, arms_of(run, cells), arm, minus, metric)
    return None if found is None else found(level)


@pytest.fixture(scope="module")
def result():
    """The result of an unfinished study of one game, without scores by deal."""
    run = run_of(games=["split"], arms=["base", "sft", "ours"])
    cells = [cell("base", pay=1.0)]
    cells += [cell("sft", seed, pay=value) for seed, value in enumerate((1.0, 2.0, 6.0))]
    cells += [cell("ours", seed, pay=value) for seed, value in ((2, 9.0), (0, 3.0))]
    return study_result(run, [*cells, cell("nash", reference=True, pay=7.0)], "equipoise reproduce small")


def test_a_trained_arm_is_its_mean_over_seeds_with_a_t_interval(result):
    sft = rows(result)["sft"].estimates["pay"]
    half = T3 * (7 / 3) ** 0.5  # the variance of 1, 2, 6 is 7
    assert (sft.value, sft.n, sft.method) == (3.0, 3, "t over seeds")
    assert (sft.low, sft.high) == pytest.approx((3 - half, 3 + half), abs=1e-4)


def test_a_model_as_it_is_keeps_the_interval_of_its_measurement(result):
    base = rows(result)["base"]
    assert (base.kind, base.seeds) == ("start", 1)
    assert base.estimates["pay"] == Estimate(1.0, 0.75, 1.25, 24, method="t over deals")


def test_an_unfinished_study_has_the_arms_there_are_and_says_what_was_planned(result):
    assert result.cells == (6, 7)
    assert result.planned == {"base": 1, "sft": 3, "ours": 3}
    assert result.made.seconds == 14.0  # the script's cell among them
    assert list(rows(result)) == ["base", "sft", "ours"]
    assert rows(result)["ours"].values["pay"] == (3.0, 9.0)
    assert result.settings == {"seeds": 3, "overrides": [], "matches": 4, "game": "split"}


def test_scripted_players_stand_below_the_arms_whatever_they_are_called():
    cells = [cell("sft", pay=1.0), cell("sft", reference=True, pay=9.0)]
    found = study_result(run_of(games=["split"]), cells)
    assert [(row.arm, row.kind, row.estimates["pay"].value) for row in found.games[0].rows] == [
        ("sft", "trained", 1.0),
        ("sft", "reference", 9.0),
    ]
    assert found.cells[0] == 1


def test_games_without_an_agent_are_left_out_and_settings_that_differ_by_game_too():
    found = study_result(run_of(), [cell("sft", pay=1.0), cell("nash", game="kuhn_poker", reference=True, pay=2.0)])
    assert [game.game.name for game in found.games] == ["split"]
    assert "game" not in found.settings


def test_a_result_reads_back_as_it_was(result):
    again = parse_result(result_json(result), "it")
    assert result_json(again) == result_json(result)
    assert rows(again)["ours"].values == rows(result)["ours"].values


def test_a_figure_that_some_seeds_lack_is_summed_over_the_others():
    cells = [cell("sft", 0, pay=1.0, danger=2.0), cell("sft", 1, pay=3.0), cell("sft", 2, pay=5.0, danger=None)]
    row = rows(study_result(run_of(games=["split"]), cells))["sft"]
    assert (row.estimates["danger"].value, row.estimates["danger"].n) == (2.0, 1)
    assert row.values["danger"][0] == 2.0
    assert [math.isnan(value) for value in row.values["danger"]] == [False, True, True]
    assert math.isnan(summed(cells[2:], "danger", "mean").value)


def test_a_share_keeps_within_its_range():
    cells = [cell("sft", seed, pay=1.0, rate=value) for seed, value in enumerate((0.0, 0.0, 0.02))]
    rate = rows(study_result(run_of(games=["split"]), cells))["sft"].estimates["rate"]
    assert rate.low == 0.0
    assert rate.high > 0.02
    assert summed(cells, "rate", "mean").low < 0


# intervals over seeds and deals


def simulated(seed, seeds=3, deals=40, arm=0.0, spread=0.3):
    """Scores [S, D] of an arm and of the one below it, and of a base model [D]: noise of seeds, deals and the rest."""
    rng = np.random.default_rng(seed)
    common, own = rng.normal(0, 1, deals), rng.normal(0, spread, (seeds, 1))
    first = common + own + arm + rng.normal(0, 0.5, (seeds, deals))
    second = common + own + rng.normal(0, 0.5, (seeds, deals))
    return first, second, common + rng.normal(0, 0.5, deals)


def cells_of(first, second, base):
    """The cells of those scores."""
    found = [cell("base", deals=base)]
    found += [cell("sft", seed, deals=scores) for seed, scores in enumerate(second)]
    return found + [cell("ours", seed, deals=scores) for seed, scores in enumerate(first)]


def test_scores_by_deal_give_an_interval_over_seeds_and_deals():
    scores = simulated(0)
    row = rows(study_result(run_of(games=["split"]), cells_of(*scores)))["ours"].estimates["pay"]
    assert row == two_way(scores[0])
    assert "seeds and deals" in row.method
    alone = summed([cell("ours", s, pay=float(v)) for s, v in enumerate(scores[0].mean(axis=1))], "pay", "mean")
    assert alone.value == pytest.approx(row.value)
    assert row.high - row.low > alone.high - alone.low


def test_one_seed_without_scores_by_deal_leaves_the_interval_to_seeds():
    cells = [cell("ours", 0, deals=[1.0, 2.0]), cell("ours", 1, pay=3.0)]
    assert rows(study_result(run_of(games=["split"]), cells))["ours"].estimates["pay"].method == "t over seeds"


def test_a_difference_to_the_base_counts_the_base_s_own_noise():
    scores = simulated(1, arm=0.4)
    found = gap(cells_of(*scores), minus="base")
    expected = difference_to_base(scores[0], scores[2])
    assert (found.value, found.low, found.high) == pytest.approx((expected.value, expected.low, expected.high))
    assert found.method == expected.method
    seeds_alone = gap([c.model_copy(update={"deals": {}}) for c in cells_of(*scores)], minus="base")
    assert "base model's noise not counted" in seeds_alone.method
    assert seeds_alone.value == pytest.approx(found.value)
    assert found.high - found.low > seeds_alone.high - seeds_alone.low


def test_differences_to_the_base_hold_the_truth_as_often_as_they_say():
    """The base was measured once on 20 deals; an interval over seeds alone would hold the truth far too rarely."""
    truth, held, held_by_seeds = 0.3, 0, 0
    for seed in range(300):
        cells = cells_of(*simulated(seed, seeds=5, deals=20, arm=truth, spread=0.05))
        found = gap(cells, minus="base")
        over_seeds = gap([c.model_copy(update={"deals": {}}) for c in cells], minus="base")
        held += found.low <= truth <= found.high
        held_by_seeds += over_seeds.low <= truth <= over_seeds.high
    assert held >= 0.93 * 300
    assert held_by_seeds < 0.85 * 300


def test_paired_arms_are_compared_deal_by_deal_whatever_the_order_of_their_deals():
    first, second, base = simulated(2, arm=0.2)
    cells = cells_of(first, second, base)
    turned = [cell("sft", seed, deals=dict(reversed(list(enumerate(scores))))) for seed, scores in enumerate(second)]
    assert gap([c for c in cells if c.arm != "sft"] + turned) == gap(cells)
    # with what deals share taken out, the interval is narrower than either arm's own
    own = two_way(first)
    assert gap(cells).high - gap(cells).low < own.high - own.low


def test_deals_that_one_arm_alone_met_are_left_out():
    ours = [cell("ours", seed, deals={0: 3.0 + seed, 1: 5.0, 9: 100.0}) for seed in (0, 1)]
    sft = [cell("sft", seed, deals={7: -100.0, 1: 1.0, 0: 1.0}) for seed in (0, 1)]
    assert gap([*ours, *sft]).value == pytest.approx((2.0 + 4.0 + 3.0 + 4.0) / 4)
    assert seed_by_deal([c.deals["pay"] for c in ours]).shape == (2, 3)


# differences over seeds


def test_differences_are_paired_by_seed_and_seeds_of_one_arm_alone_are_left_out():
    cells = [cell("sft", seed, pay=v) for seed, v in enumerate((0.0, 10.0, 20.0))]
    cells += [cell("ours", seed, pay=v) for seed, v in ((0, 1.0), (2, 23.0), (4, 99.0))]
    found = gap(cells)
    assert (found.value, found.n, found.method) == (2.0, 2, "paired t over seeds")
    assert (found.low, found.high) == pytest.approx((2 - T2, 2 + T2), abs=1e-4)  # a standard error of 1


def test_pairing_removes_what_seeds_share():
    noise = (0.0, 50.0, -80.0)
    cells = [cell("sft", seed, pay=v) for seed, v in enumerate(noise)]
    cells += [cell("ours", seed, pay=v + 1) for seed, v in enumerate(noise)]
    found = gap(cells)
    assert found.value == pytest.approx(1.0)
    assert math.isnan(found.low)  # three seeds that agree do not say how far the next would be


def test_one_common_seed_has_a_difference_without_an_interval():
    found = gap([cell("sft", pay=1.0), cell("ours", pay=4.0)])
    assert found.value == 3.0
    assert math.isnan(found.low)


def test_the_one_base_model_stands_beside_every_seed():
    found = gap([cell("base", pay=2.6), cell("ours", 0, pay=2.7), cell("ours", 2, pay=2.9)], minus="base")
    assert (found.n, found.value) == (2, pytest.approx((2.7 + 2.9) / 2 - 2.6))


@pytest.mark.parametrize(
    "cells",
    [
        [cell("ours", pay=1.0)],
        [cell("ours", 0, pay=1.0), cell("sft", 1, pay=1.0)],
        [cell("ours", pay=1.0), cell("sft", danger=1.0)],
        [cell("ours", pay=1.0), cell("sft", pay=None)],
    ],
)
def test_what_was_not_measured_of_both_has_no_difference(cells):
    assert gap(cells) is None


def test_hypotheses_come_first_and_a_pair_that_is_one_is_not_exploratory_too(result):
    (game,) = result.games
    named = [(d.arm, d.minus, d.hypothesis) for d in game.differences]
    assert named == [("ours", "sft", "ours above sft"), ("ours", "base", "ours above base")]


def test_what_is_not_a_hypothesis_is_exploratory_and_not_corrected():
    cells = [cell(arm, seed, pay=float(seed) + len(arm) ** seed) for arm in ("sft", "fewer") for seed in (0, 1)]
    ((found,),) = (game.differences for game in study_result(run_of(games=["split"]), cells).games)
    assert (found.arm, found.hypothesis) == ("fewer", "")
    assert math.isnan(found.p)
    assert math.isnan(found.adjusted)


def test_hypotheses_of_all_games_are_corrected_together():
    cells = [
        cell(arm, seed, game, pay=level * len(arm) + noise * seed * (1 + len(arm) / 10))
        for game, level in (("split", 3.0), ("kuhn_poker", 0.2))
        for arm, noise in (("sft", 1.0), ("ours", 1.3))
        for seed in range(3)
    ] + [cell("base", game=game, pay=-1.0) for game in ("split", "kuhn_poker")]
    found = [d for game in study_result(run_of(), cells).games for d in game.differences if d.hypothesis]
    assert len(found) == 4
    assert [d.adjusted for d in found] == pytest.approx(holm([d.p for d in found]))
    assert max(d.adjusted for d in found) > max(d.p for d in found) or max(d.p for d in found) == 1
    assert min(d.adjusted for d in found) == pytest.approx(4 * min(d.p for d in found))


def test_a_study_that_names_no_hypotheses_corrects_nothing():
    found = study_result(run_of(changed(hypotheses=()), games=["split"]), [cell("sft", pay=1.0)])
    assert found.correction == ""


# medians and targets


def median_study(*targets):
    return changed(central="median", targets={"split": targets})


def target(arm, relation, bound, metric="pay"):
    return StudyTarget(arm=arm, metric=metric, relation=relation, bound=bound)


def test_a_study_of_medians_gives_the_range_over_seeds_and_how_surely_it_holds_the_median():
    cells = [cell("sft", seed, pay=value) for seed, value in enumerate((1.0, 1.05, 1.3))]
    found = rows(study_result(run_of(median_study(), games=["split"]), cells))["sft"].estimates["pay"]
    assert (found.value, found.low, found.high, found.n) == (1.05, 1.0, 1.3, 3)
    assert found.level == 0.75  # 1 - 2 * (1/2)^3: not all three seeds on one side of the median


@pytest.mark.parametrize(
    ("bound", "median", "met", "seeds_met"),
    [
        (target("sft", "at most", 1.1), 1.05, True, 2),
        (target("sft", "at most", 1.0), 1.05, False, 1),
        (target("ours", "at least", 2.8), 2.8, True, 1),
        (target("ours", "at least", 2.81), 2.8, False, 1),
    ],
)
def test_a_target_is_judged_by_the_median_and_counts_seeds(bound, median, met, seeds_met):
    cells = [cell("sft", seed, pay=value) for seed, value in enumerate((1.0, 1.05, 1.3))]
    cells += [cell("ours", 0, pay=2.7), cell("ours", 2, pay=2.9), cell("ours", 1, pay=None)]
    ((found,),) = (game.targets for game in study_result(run_of(median_study(bound), games=["split"]), cells).games)
    assert (found.value, found.met, found.seeds_met) == (pytest.approx(median), met, seeds_met)
    assert found.seeds == (3 if bound.arm == "sft" else 2)


def test_a_target_of_an_arm_that_has_not_run_is_open():
    run = run_of(median_study(target("ours", "at least", 1.0), target("sft", "at least", 2.0)), games=["split"])
    first, second = study_result(run, [cell("sft", pay=1.2)]).games[0].targets
    assert (first.met, first.seeds) == (None, 0)
    assert second.met is False


# what stands beside the cells


def test_a_credit_audit_beside_the_cells_is_part_of_the_result(tmp_path):
    run, cells = run_of(folder=tmp_path, games=["split"]), [cell("sft", pay=1.0)]
    assert study_result(run, cells).credits is None
    worth = Estimate(0.9, 0.8, 1.0, 24).to_json()
    rule = {"rule": "own_pool", "cosine": worth, "ratio": worth}
    (tmp_path / CREDITS).write_text(json.dumps({"game": "split", "batches": 24, "episodes": 9, "rules": [rule]}))
    found = study_result(run, cells).credits
    assert (found.game, found.rules[0].cosine.value) == ("split", 0.9)
    (tmp_path / CREDITS).write_text('{"game": 3}')
    with pytest.raises(UserError, match=r"gradients\.json is no credit audit .*; make it again, or remove it"):
        study_result(run, cells)


# our studies


def planted(arm, seed=0, **figures):
    """A finished cell of the split game in SEPO's study."""
    terms = {"payoff": 3.0, "held_out_exploitability": 0.5, "collusion": 0.1, "externality": 0.2, **figures}
    return cell(arm, seed, **terms)


@pytest.fixture(scope="module")
def sepo(tmp_path_factory):
    return StudyRun(SEPO, SEPO.size(["split"]), tmp_path_factory.mktemp("sepo"), tmp_path_factory.mktemp("work"))


def test_the_grid_is_the_index_at_other_weights_and_names_the_best_arm(sepo):
    greedy = planted("payoff", payoff=4.0, held_out_exploitability=2.0, collusion=1.0, externality=0.5)
    none = {"held_out_exploitability": 0.0, "collusion": 0.0}
    fair = [planted("own_pool", s, payoff=u, **none) for s, u in ((0, 2.0), (1, 3.0))]
    (game,) = study_result(sepo, [greedy, *fair]).games
    points = {point.weights: point for point in game.weightings}
    assert len(points) == len(game.weightings) == 1 + 27
    s, (le, lc, lx) = game.scale, game.weights
    # S = s*u - le*s*e - lc*c - lx*x, by hand; the trained arm is the mean over its seeds
    assert points[0.0, 0.0, 0.0].index == pytest.approx({"payoff": 4 * s, "own_pool": 2.5 * s})
    assert points[0.0, 0.0, 0.0].best == "payoff"
    at = points[le, lc, lx].index
    assert at["payoff"] == pytest.approx(4 * s - le * s * 2 - lc - lx * 0.5)
    assert at["own_pool"] == pytest.approx(2.5 * s - lx * 0.2)
    assert points[2 * le, lc / 2, 2 * lx].index["payoff"] == pytest.approx(4 * s - 4 * le * s - lc / 2 - lx)
    assert set(game.front) == {"payoff", "own_pool"}
    assert sum(game.shares.values()) == pytest.approx(1.0)


def test_what_is_made_of_the_terms_takes_exploiters_that_no_training_met_where_there_are_some(sepo):
    """Own pool looks safe to the exploiters it trained against, and is not."""
    safe = planted("welfare", payoff=3.0, pool_exploitability=1.0, held_out_exploitability=0.1)
    blind = planted("own_pool", payoff=3.0, pool_exploitability=0.0, held_out_exploitability=0.9)
    (game,) = study_result(sepo, [safe, blind]).games
    assert game.front == ("welfare",)
    assert {point.best for point in game.weightings if point.weights[0]} == {"welfare"}
    assert game.shares == {"welfare": 1.0, "own_pool": 0.0}
    exploiters = {"welfare": 1.0, "own_pool": 0.0}  # all that a profile without a held-out pool has
    cells = [planted(arm, held_out_exploitability=None, pool_exploitability=e) for arm, e in exploiters.items()]
    assert study_result(sepo, cells).games[0].front == ("own_pool",)


def test_a_component_without_opponents_counts_as_zero(sepo):
    (game,) = study_result(sepo, [planted("sft", collusion=None)]).games
    point = next(point for point in game.weightings if point.weights == game.weights)
    le, _, lx = game.weights
    assert point.index["sft"] == pytest.approx(3.0 * game.scale - le * game.scale * 0.5 - lx * 0.2)


def test_what_the_result_says_of_a_game_is_the_game_s(sepo):
    cells = [planted("sft"), cell("fair", reference=True, collusion=0.25, breakdown_rate=0.5)]
    (game,) = study_result(sepo, cells).games
    assert (game.game.name, game.game.rounds, game.game.zero_sum) == ("split", 4, False)
    assert game.scale == pytest.approx(3 / 9)
    assert game.hazards["collusion"].definition
    assert {role: e.value for role, e in game.hazards["collusion"].references.items()} == {"fair": 0.25}
    assert game.hazards["breakdown_rate"].references["fair"].value == 0.5
    assert [column.key for column in game.columns][:3] == ["sepo_index", "payoff", "welfare"]
    assert {"breakdown_rate", "inequality"} <= {column.key for column in game.columns}


def test_titles_that_two_groups_share_name_their_group(sepo):
    titles = [column.title for column in study_result(sepo, [planted("sft")]).games[0].columns]
    assert len(set(titles)) == len(titles)


def test_what_no_cell_has_is_no_column_of_the_alignment_study(tmp_path):
    run = StudyRun(ALIGNMENT, ALIGNMENT.size(["prisoners_dilemma"]), tmp_path, tmp_path)
    cells = [cell("naive", seed, "prisoners_dilemma", self_play=1.0 + seed / 10) for seed in range(2)]
    (game,) = study_result(run, cells).games
    assert [column.key for column in game.columns] == ["self_play"]
    assert game.players == {"greedy": "always_defect", "cooperative": "always_cooperate"}


@pytest.mark.parametrize(
    ("player", "alone", "greedy_takes"),
    [("always_cooperate", 3.0, 5.0), ("always_defect", 1.0, 1.0), ("tit_for_tat", 3.0, (5 + 9) / 10)],
)
def test_reference_players_of_the_dilemma_are_played_not_quoted(player, alone, greedy_takes, tmp_path):
    run = StudyRun(ALIGNMENT, ALIGNMENT.size(["prisoners_dilemma"]), tmp_path, tmp_path)
    assert f"prisoners_dilemma/reference-{player}" in {cell.key for cell in run.references()}
    figures = run(f"prisoners_dilemma/reference-{player}").figures
    assert figures["self_play"].value == pytest.approx(alone)
    assert figures["greedy_takes"].value == pytest.approx(greedy_takes)
    assert "fault_rate" not in figures


def test_unused_scripts_and_hypotheses_do_not_get_in_the_way():
    study = changed(measure=Counted(scripts=()), hypotheses=(hypothesis("h", "ours", "sft", "danger"),))
    run = run_of(study, games=["split"])
    assert run.references() == []
    assert study_result(run, [cell("sft", pay=1.0)]).games[0].differences == ()


def test_a_study_s_audit_takes_a_thousand_deals_where_nothing_is_said_and_ours_says_48():
    assert AuditMeasure().settings("split").deals == 1_000
    assert (SEPO.measure.deals, SEPO.quick_measure.deals) == (48, 24)


def test_a_game_without_held_out_players_says_whose_exploitability_its_index_counts(sepo, monkeypatch):
    def definition():
        return study_result(sepo, [planted("sft")]).games[0].columns[0].definition

    assert "exploiter pool" not in definition()
    task = sepo.task("split")
    profile = replace(task.profile, pools=replace(task.profile.pools, held_out=()), references={}, weak=())
    monkeypatch.setattr(StudyRun, "task", lambda run, game: replace(task, profile=profile))
    assert "exploiter pool" in definition()


@pytest.mark.parametrize("study", ["sepo", "alignment"])
def test_no_interval_of_a_landed_study_leaves_the_range_of_its_figure(study):
    result = load_result(Path(__file__).parents[2] / "results" / study, StudyResult)
    for game in result.games:
        ranges = {column.key: column.range for column in game.columns}
        for row in game.rows:
            for name, found in row.estimates.items():
                low, high = ranges.get(name) or (-math.inf, math.inf)
                outside = found.low < low - 1e-9 or found.high > high + 1e-9  # false where either is not known
                assert not outside, (game.game.name, row.arm, name)


def test_a_clipped_figure_s_interval_stays_in_its_range_though_its_scores_by_deal_do_not():
    cells = [cell("ours", seed, deals=[-3.0, 3.2] * 20) for seed in range(3)]  # the mean is 0.1
    found = summed(cells, "pay", "mean", (0.0, 4.0))
    assert found.low == 0.0 < found.value < found.high <= 4.0
