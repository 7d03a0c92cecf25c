import json

import numpy as np
import pytest

from equipoise.objectives import AlignmentRule, advantage_alignment, naive
from research.baseline_variance import SCENES, BaselineComparison, compare_baselines, variance_table
from research.memory_one import ALWAYS_COOPERATE, ALWAYS_DEFECT
from research.memory_one_training import TabularSettings
from research.tabular import sigmoid

APART = np.array([ALWAYS_COOPERATE, ALWAYS_DEFECT])
RECIPROCATING = np.array([1.0, 2.0, -2.0, 0.0, -2.0])


def compare(
    rule: AlignmentRule, opponents: np.ndarray, balanced: bool = True, rounds: int = 10, draws: int = 300, seed: int = 0
) -> BaselineComparison:
    logits = np.zeros(5) if rounds == 1 else RECIPROCATING
    settings = TabularSettings(rule=rule, rounds=rounds, reward_divisor=1.0)
    return compare_baselines(logits, opponents, settings, balanced=balanced, draws=draws, seed=seed)


@pytest.mark.parametrize(
    ("balanced", "mixed", "shared"),
    [
        # One round, p = 1/2, groups of n = 8. A game pays m - d*s with s = +-1/2: (m, d) = (4, 2) against always
        # cooperate, (0.5, 1) against always defect. A group's sum of advantage * s has variance d^2 * n / (8 * (n-1))
        # when shared; mixed it has n/4 * var(m) * n/(n-1) + n / (32 * (n-1)) * E(d_i + d_j)^2, with var(m) = 1.75^2.
        # Independent draws add the variance of its mean, -1/4 * (sum of d), where var(d) = 1/4.
        (True, 2 * 1.75**2 * 128 / 127 * 8 / 7 + 8 / 224 * (5 + 2 * (2.25 - 0.25 / 127)), 2.5 / 7),
        (False, 2 * 1.75**2 * 8 / 7 + 8 / 224 * 9.5 + 8 * 0.25 / 16, 2.5 / 7 + 64 * 0.25 / 16),
    ],
)
def test_the_ratio_of_variances_is_the_one_worked_by_hand(balanced: bool, mixed: float, shared: float) -> None:
    ratio = compare(naive, APART, balanced, rounds=1, draws=1000).ratio
    assert mixed / shared == pytest.approx(20.7 if balanced else 5.5, abs=0.01)
    assert abs(ratio.value - mixed / shared) < ratio.high - ratio.low < 0.4 * ratio.value  # four standard errors
    assert ratio.n == 1000


def test_groups_of_one_and_the_same_opponent_are_alike() -> None:
    opponents = np.tile(sigmoid(RECIPROCATING), (4, 1))
    same = [compare(advantage_alignment, opponents, seed=seed) for seed in range(12)]
    for figure in ("ratio", "length"):  # 12 intervals of 95 %: fewer than 10 hold one time in fifty
        assert sum(each.low < 1.0 < each.high for each in (getattr(found, figure) for found in same)) >= 10
    assert all(found.cosine.value > 0.99 for found in same)


def test_mixing_opponents_leaves_the_naive_direction_and_turns_that_of_alignment() -> None:
    plain, aligned = compare(naive, APART), compare(advantage_alignment, APART)
    assert plain.cosine.high > 0.99
    assert plain.length.low < 1.0 < plain.length.high
    assert aligned.cosine.high < 0.95


def test_the_table_is_json_with_a_row_per_scene_arm_and_draw() -> None:
    table = variance_table({"naive": TabularSettings(rule=naive)}, draws=20)
    assert len(table["rows"]) == 2 * len(SCENES)
    assert json.loads(json.dumps(table))["rows"][1]["balanced"] is True


def test_too_few_draws_for_an_interval_are_refused() -> None:
    with pytest.raises(ValueError, match="draws is 19; at least 20"):
        compare(naive, APART, draws=19)
