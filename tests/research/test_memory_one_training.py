import json
from dataclasses import replace

import numpy as np
import pytest

from equipoise.objectives import (
    AlignmentRule,
    AlignmentWeights,
    advantage_alignment_inclusive,
    naive,
    sum_of_rewards,
)
from research.memory_one import (
    ALWAYS_COOPERATE,
    ALWAYS_DEFECT,
    cooperation_rate,
    joint_actions,
    mixed_groups,
    one_group,
    payoffs,
    play,
    shared_groups,
)
from research.memory_one_training import (
    RECIPROCAL,
    TabularResult,
    TabularSettings,
    alignment_table,
    objective_arms,
    policy_gradient,
    raw_returns,
    train_memory_one,
)
from research.tabular import sigmoid

TIT_FOR_TAT = np.array([1.0, 1.0, 0.0, 1.0, 0.0])
LOGITS = np.array([0.4, 0.8, -0.6, 0.3, -1.0])
OPPONENT = np.array([0.7, 0.9, 0.3, 0.6, 0.2])
EVERYONE = np.ones(128, dtype=np.bool_)
ONE_GROUP = np.zeros(128, dtype=np.int64)


def test_tit_for_tat_loses_one_round_to_always_defect() -> None:
    # Ten rounds: 0 then nine times 1 against 5 then nine times 1.
    assert payoffs(TIT_FOR_TAT, ALWAYS_DEFECT, 10) == pytest.approx((0.9, 1.4))
    assert payoffs(TIT_FOR_TAT, ALWAYS_COOPERATE, 10) == pytest.approx((3.0, 3.0))


def test_tit_for_tat_echoes_a_first_defection_for_ever() -> None:
    suspicious = np.array([0.0, 1.0, 0.0, 1.0, 0.0])
    assert payoffs(suspicious, TIT_FOR_TAT, 10) == pytest.approx((2.5, 2.5))  # 5, 0, 5, 0, ... and 0, 5, 0, 5, ...
    joint = joint_actions(suspicious, TIT_FOR_TAT, 3)
    assert joint[:, 0, 1].tolist() == [1.0, 0.0, 1.0]  # first's action, second's action


def test_the_reciprocal_policy_cooperates_between_80_and_93_percent_of_ten_rounds() -> None:
    assert 0.80 < cooperation_rate(np.array(RECIPROCAL), 10) < 0.93


@pytest.mark.parametrize(
    ("policy", "reciprocal", "conditional"),
    [
        (RECIPROCAL, True, True),
        (TIT_FOR_TAT, False, True),  # it atones after DC
        ((1.0, 0.89, 0.0, 0.0, 0.0), True, False),  # 0.98 - 0.89 < 0.1
        ((0.89, 1.0, 0.0, 0.0, 0.0), False, False),
        ((1.0, 1.0, 0.12, 0.0, 0.0), False, False),
        ((1.0, 1.0, 0.0, 0.0, 0.2), False, False),
        (ALWAYS_COOPERATE, False, False),
        (ALWAYS_DEFECT, False, False),
    ],
)
def test_who_is_reciprocal_and_who_is_conditional(policy: np.ndarray, reciprocal: bool, conditional: bool) -> None:
    result = TabularResult(tuple(policy), 0.0, 0.0, 0.0, 0.0, (), ())
    assert (result.reciprocal, result.conditional) == (reciprocal, conditional)


def test_games_drawn_agree_with_the_exact_chain() -> None:
    policy = sigmoid(LOGITS)
    games = play(policy, np.tile(OPPONENT, (40_000, 1)), 4, np.random.default_rng(0))
    exact = joint_actions(policy, OPPONENT, 4)
    for own, other in np.ndindex(2, 2):
        share = ((games.cooperated[0] == own) & (games.cooperated[1] == other)).mean(axis=0)
        np.testing.assert_allclose(share, exact[:, own, other], atol=4 * 0.5 / np.sqrt(40_000))
    assert games.rewards.mean(axis=(1, 2)) == pytest.approx(payoffs(policy, OPPONENT, 4), abs=0.03)


def test_pairings_say_who_shares_an_opponent_and_a_group() -> None:
    def draw(size: int) -> np.ndarray:
        return np.arange(size) + 100

    assert [array.tolist() for array in one_group(draw, 3)] == [[100, 101, 102], [0, 0, 0]]
    opponent, group = mixed_groups(draw, 10)
    assert opponent.tolist() == list(range(100, 110))
    assert group.tolist() == [0] * 8 + [1] * 2
    opponent, group = shared_groups(draw, 10)
    assert opponent.tolist() == [100] * 8 + [101] * 2
    assert group.tolist() == [0] * 8 + [1] * 2


@pytest.mark.parametrize(("rule", "both"), [(naive, 0.0), (sum_of_rewards, 1.0)])
def test_the_sampled_gradient_is_the_exact_one(rule: AlignmentRule, both: float) -> None:
    settings = TabularSettings(
        rule=rule, weights=AlignmentWeights(discount=1.0), entropy=0.0, reward_divisor=2.0, seats=1
    )
    second = np.tile(OPPONENT, (128, 1))
    draws = [
        policy_gradient(
            play(sigmoid(LOGITS), second, 10, np.random.default_rng([0, number])),
            LOGITS,
            settings,
            ONE_GROUP,
            EVERYONE,
        )
        for number in range(1000)
    ]

    def value(logits: np.ndarray) -> float:
        own, other = payoffs(sigmoid(logits), OPPONENT, 10)
        return (own + both * other) / 2.0

    # The chain is smooth in every logit: central differences are exact to about 1e-9.
    exact = np.array([(value(LOGITS + h) - value(LOGITS - h)) / 2e-5 for h in 1e-5 * np.eye(5)])
    error = np.std(draws, axis=0, ddof=1) / np.sqrt(len(draws))
    assert np.linalg.norm(error) < 0.05 * np.linalg.norm(exact)
    assert (np.abs(np.mean(draws, axis=0) - exact) < 4 * error).all()


def test_the_entropy_bonus_is_the_slope_of_the_entropy_of_the_states_visited() -> None:
    games = play(sigmoid(LOGITS), np.tile(OPPONENT, (128, 1)), 10, np.random.default_rng(1))
    settings = TabularSettings(entropy=0.5, reward_divisor=1e15, seats=1)
    visited = np.bincount(games.information[0].ravel(), minlength=5) / games.information[0].size

    def entropy(logits: np.ndarray) -> float:
        p = sigmoid(logits)
        return float(visited @ -(p * np.log(p) + (1 - p) * np.log(1 - p)))

    slope = [(entropy(LOGITS + h) - entropy(LOGITS - h)) / 2e-5 for h in 1e-5 * np.eye(5)]
    np.testing.assert_allclose(
        policy_gradient(games, LOGITS, settings, ONE_GROUP, EVERYONE), 0.5 * np.array(slope), atol=1e-9
    )


def test_a_past_self_is_never_trained() -> None:
    games = play(sigmoid(LOGITS), np.tile(OPPONENT, (128, 1)), 10, np.random.default_rng(2))
    first, both = TabularSettings(seats=1), TabularSettings(seats=2)
    alone = policy_gradient(games, LOGITS, first, ONE_GROUP, EVERYONE)
    np.testing.assert_array_equal(policy_gradient(games, LOGITS, both, ONE_GROUP, ~EVERYONE), alone)
    assert np.abs(policy_gradient(games, LOGITS, both, ONE_GROUP, EVERYONE) - alone).max() > 1e-3


def test_training_is_keyed_by_its_seed() -> None:
    settings = TabularSettings(steps=20, past_probability=0.5)
    assert train_memory_one(settings, 3) == train_memory_one(settings, 3)
    assert train_memory_one(settings, 3) != train_memory_one(settings, 4)


def test_alignment_with_beta_zero_trains_what_naive_trains() -> None:
    short = TabularSettings(steps=20)
    arms = objective_arms(short)
    assert train_memory_one(arms["advantage_alignment, beta 0"], 0) == train_memory_one(arms["naive"], 0)
    assert train_memory_one(arms["advantage_alignment, beta 1"], 0) != train_memory_one(arms["naive"], 0)


def test_past_selves_are_met_from_the_first_snapshot_on() -> None:
    alone, company = (TabularSettings(steps=20, past_probability=p) for p in (0.0, 1.0))
    without, with_past = train_memory_one(alone, 0), train_memory_one(company, 0)
    assert without.history[0] == with_past.history[0]  # ten steps: nobody but the policy itself yet
    assert without.history[1] != with_past.history[1]
    assert len(without.history) == len(without.curve) == 2


def test_naive_self_play_learns_to_defect_within_150_steps() -> None:
    result = train_memory_one(TabularSettings(rule=naive, steps=150), 0)
    assert result.cooperation < 0.1
    assert result.curve[0] > 0.3


def test_the_table_is_json_and_counts_seeds() -> None:
    short = TabularSettings(steps=10)
    table = alignment_table({"naive": replace(short, rule=naive), "none": replace(short, baseline=raw_returns)}, (0, 1))
    assert json.loads(json.dumps(table)) == table
    first, second = table["rows"]
    assert (first["arm"], first["rule"], first["baseline"], first["n"]) == ("naive", "naive", "leave_one_out", 2)
    assert second["baseline"] == "raw_returns"
    learned = [train_memory_one(replace(short, rule=naive), seed).cooperation for seed in (0, 1)]
    assert first["cooperation"] == {"median": np.mean(learned), "low": min(learned), "high": max(learned)}
    assert first["reciprocal"] == first["conditional"] == first["defects"] == first["cooperates"] == 0.0
    assert len(first["probabilities"]) == len(table["states"]) == 5
    assert first["settings"]["beta"] == 1.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"start": (0.0,) * 4}, "start has 4 logits; it must have 5: start, after CC"),
        ({"games": 1}, r"games 1, rounds 10; allowed: at least 1 step, 2 games"),
        ({"reward_divisor": 0.0}, "reward_divisor is 0.0; it must be above 0"),
        ({"past_probability": 1.5}, r"past_probability is 1.5; it must lie in \[0, 1\]"),
        ({"seats": 3}, "seats is 3; it must be 1"),
    ],
)
def test_mistakes_in_the_settings_are_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TabularSettings(**changes)


def test_a_table_of_no_seeds_is_refused() -> None:
    with pytest.raises(ValueError, match="got no seeds; give at least one"):
        alignment_table({"naive": TabularSettings()}, ())


@pytest.mark.slow
@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("past_probability", [0.0, 0.5])
def test_alignment_learns_to_reciprocate(beta: float, past_probability: float) -> None:
    settings = TabularSettings(weights=AlignmentWeights(beta=beta), past_probability=past_probability)
    results = [train_memory_one(settings, seed) for seed in range(10)]
    assert sum(result.reciprocal for result in results) >= 9
    assert min(result.cooperation for result in results) > 0.75
    assert min(result.against_defector for result in results) > 0.88  # tit for tat earns 0.9


@pytest.mark.slow
def test_the_other_rules_do_not_reciprocate() -> None:
    base = TabularSettings()
    arms = {
        "naive": replace(base, rule=naive),
        "zero": replace(base, weights=AlignmentWeights(beta=0.0)),
        "sum": replace(base, rule=sum_of_rewards),
        "raw": replace(base, baseline=raw_returns),
        "inclusive": replace(base, rule=advantage_alignment_inclusive),
    }
    learned = {name: [train_memory_one(arm, seed) for seed in range(5)] for name, arm in arms.items()}
    for name in ("naive", "zero"):
        assert max(result.cooperation for result in learned[name]) < 0.1
    # Sum of rewards cooperates with everyone, and so does alignment without a baseline after the first round.
    assert min(result.cooperation for result in learned["sum"]) > 0.95
    assert min(result.cooperation for result in learned["raw"]) > 0.85
    for name in ("sum", "raw"):
        assert max(result.against_defector for result in learned[name]) < 0.2
    assert not any(result.reciprocal for result in learned["inclusive"])
