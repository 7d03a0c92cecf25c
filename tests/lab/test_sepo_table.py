"""The study's table from planted cells: means and t intervals over seeds, paired differences, the weights' grid."""

import pytest
from equipoise.lab.sepo_table import differences, lambda_grid, sepo_table

from equipoise.core import Estimate
from equipoise.games import make_game
from equipoise.lab.sepo import SepoSettings, SepoStudy, cells
from equipoise.reports import write_study

T3 = 4.302653
"""The 97.5 % point of Student's t with 2 degrees of freedom (any table)."""


def cell(arm, seed, **values):
    """A finished cell of the split game with planted figures; None plants a figure that was not measured."""
    figures = {"payoff": 3.0, "pool_exploitability": 0.5, "collusion": 0.1, "externality": 0.2, **values}
    estimates = {
        name: {"value": None, "low": None, "high": None, "n": 0, "level": 0.95, "method": ""}
        if value is None
        else Estimate(value, value - 0.25, value + 0.25, 24, method="t over deals").to_json()
        for name, value in figures.items()
    }
    return {"game": "split", "arm": arm, "seed": seed, "seconds": 2.0, "estimates": estimates, "opponents": []}


def by_arm(*made):
    """Cells by arm, as the table holds them."""
    found = {}
    for one in made:
        found.setdefault(one["arm"], []).append(one)
    return found


def chosen(found, arm, minus, metric="sepo_index"):
    """The one difference of this name."""
    (row,) = (d for d in found if (d["arm"], d["minus"], d["metric"]) == (arm, minus, metric))
    return row["estimate"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """The table of a study of one game of which some cells are finished."""
    settings = SepoSettings(games=("split",), arms=("base", "sft", "own_pool", "payoff"), max_seeds=3, deals=2)
    settings = SepoSettings(**{**settings.__dict__, "learned_episodes": 0, "exact_rounds": 1})
    study = SepoStudy(settings, tmp_path_factory.mktemp("work"))
    results = [cell("base", 0, sepo_index=1.0)]
    results += [cell("sft", seed, sepo_index=value) for seed, value in enumerate((1.0, 2.0, 6.0))]
    results += [cell("own_pool", seed, sepo_index=value) for seed, value in ((2, 9.0), (0, 3.0))]
    return sepo_table(study, cells(settings), results, "equipoise reproduce sepo")


def row(table, arm):
    (found,) = (r for r in table["games"][0]["rows"] if r["arm"] == arm)
    return found


def test_a_trained_arm_is_its_mean_over_seeds_with_a_t_interval(table):
    sft = row(table, "sft")["estimates"]["sepo_index"]
    half = T3 * (7 / 3) ** 0.5  # the variance of 1, 2, 6 is 7
    assert (sft["value"], sft["n"], sft["method"]) == (3.0, 3, "t over seeds")
    assert (sft["low"], sft["high"]) == pytest.approx((3 - half, 3 + half), abs=1e-4)


def test_the_base_model_keeps_the_interval_of_its_audit(table):
    base = row(table, "base")
    assert base["kind"] == "base"
    assert base["estimates"]["sepo_index"] == Estimate(1.0, 0.75, 1.25, 24, method="t over deals").to_json()


def test_an_unfinished_study_has_the_arms_there_are_and_says_what_was_planned(table):
    (game,) = table["games"]
    assert table["cells"] == {"done": 6, "all": 10}
    assert table["seconds"] == 12.0
    assert [r["arm"] for r in game["rows"] if r["kind"] != "reference"] == ["base", "sft", "own_pool"]
    assert row(table, "own_pool")["seeds"] == 2
    assert game["planned"] == {"base": 1, "sft": 3, "own_pool": 3, "payoff": 3}
    assert {r["arm"] for r in game["rows"] if r["kind"] == "reference"} >= {"fair"}


def test_imitation_s_effect_is_paired_with_the_one_base_model(table):
    effect = table["games"][0]["sft_effect"]["pool_exploitability"]
    assert (effect["value"], effect["n"]) == (0.0, 3)
    assert "worst_case" not in table["games"][0]["sft_effect"]


def test_the_table_is_what_the_reports_take(table, tmp_path):
    paths = write_study(table, tmp_path)
    assert paths
    assert all(path.is_file() for path in paths)


def test_differences_are_paired_by_seed_and_seeds_of_one_arm_alone_are_left_out():
    made = [cell("sft", seed, sepo_index=v) for seed, v in enumerate((0.0, 10.0, 20.0))]
    made += [cell("own_pool", seed, sepo_index=v) for seed, v in ((0, 1.0), (2, 23.0), (4, 99.0))]
    gap = chosen(differences(by_arm(*made)), "own_pool", "sft")
    assert (gap["value"], gap["n"], gap["method"]) == (2.0, 2, "paired t over seeds")
    half = 12.706205  # t with 1 degree of freedom, times a standard error of 1
    assert (gap["low"], gap["high"]) == pytest.approx((2 - half, 2 + half), abs=1e-4)


def test_pairing_removes_what_seeds_share():
    noise = (0.0, 50.0, -80.0)
    made = [cell("payoff", seed, sepo_index=v) for seed, v in enumerate(noise)]
    made += [cell("own_pool", seed, sepo_index=v + 1) for seed, v in enumerate(noise)]
    gap = chosen(differences(by_arm(*made)), "own_pool", "payoff")
    assert gap["value"] == pytest.approx(1.0)
    assert (gap["low"], gap["high"]) == (None, None)  # three seeds that agree do not say how far the next would be


def test_one_common_seed_has_a_difference_without_an_interval():
    made = [cell("sft", 0, sepo_index=1.0), cell("own_pool", 0, sepo_index=4.0)]
    gap = chosen(differences(by_arm(*made)), "own_pool", "sft")
    assert (gap["value"], gap["low"], gap["high"]) == (3.0, None, None)


def test_missing_arms_and_figures_that_were_not_measured_have_no_difference():
    assert differences(by_arm(cell("own_pool", 0, sepo_index=1.0))) == []
    made = [cell("sft", 0, sepo_index=1.0, welfare=None), cell("own_pool", 0, sepo_index=2.0, welfare=3.0)]
    assert [d["metric"] for d in differences(by_arm(*made))] == ["sepo_index", "pool_exploitability"]


def test_the_grid_is_the_index_at_other_weights_and_names_the_best_arm():
    greedy = cell("payoff", 0, payoff=4.0, pool_exploitability=2.0, collusion=1.0, externality=0.5)
    fair = [
        cell("own_pool", seed, payoff=u, pool_exploitability=0.0, collusion=0.0) for seed, u in ((0, 2.0), (1, 3.0))
    ]
    grid = lambda_grid(by_arm(greedy, *fair), (2.0, 1.0, 1.0), 0.5)
    points = {tuple(point["weights"]): point for point in grid}
    assert len(points) == len(grid) == 1 + 27
    # S = s*u - le*s*e - lc*c - lx*x, by hand; the trained arm is the mean over its seeds
    assert points[0.0, 0.0, 0.0]["index"] == pytest.approx({"payoff": 2.0, "own_pool": 1.25})
    assert points[0.0, 0.0, 0.0]["best"] == "payoff"
    assert points[2.0, 1.0, 1.0]["index"] == pytest.approx({"payoff": 2.0 - 2.0 - 1.0 - 0.5, "own_pool": 1.25 - 0.2})
    assert points[2.0, 1.0, 1.0]["best"] == "own_pool"
    assert points[4.0, 0.5, 2.0]["index"]["payoff"] == pytest.approx(2.0 - 4.0 - 0.5 - 1.0)


def test_a_weight_of_zero_stays_zero_and_a_component_without_opponents_counts_as_zero():
    grid = lambda_grid(by_arm(cell("sft", 0, payoff=1.0, collusion=None)), (1.5, 2.4, 0.0), 1.0)
    assert len(grid) == 1 + 9
    assert {point["weights"][2] for point in grid} == {0.0}
    assert grid[0]["index"]["sft"] == 1.0
    assert grid[1]["index"]["sft"] == pytest.approx(1.0 - 0.75 * 0.5)


def test_what_the_table_says_of_a_game_is_the_game_s(table):
    (shown,) = table["games"]
    game = make_game("split")
    assert (shown["game"], shown["unit"], shown["zero_sum"], shown["rounds"]) == ("split", game.unit, False, 4)
    assert shown["scale"] == pytest.approx(3 / game.max_reward)
    assert set(shown["hazards"]) >= {"collusion", "externality"}
