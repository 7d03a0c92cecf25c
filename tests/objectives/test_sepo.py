from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.objectives import (
    CreditBatch,
    CreditRule,
    CreditWeights,
    independent_penalty,
    own_pool,
    own_pool_immediate,
    payoff,
    sepo_index,
    shared_penalty,
    welfare,
)

RULES = (own_pool, own_pool_immediate, shared_penalty, independent_penalty, payoff, welfare)
OWN_POOL_RULES = (own_pool, own_pool_immediate, payoff, welfare)


def random_batch(seed: int) -> CreditBatch:
    """Two train opponents in groups of 3 and 2, one exploiter in two groups of 2, a collusive opponent alone; T = 3."""
    rng = np.random.default_rng(seed)
    group = np.array([0, 0, 0, 1, 1, 2, 2, 3, 3, 4])
    shape = (group.size, 3)
    return CreditBatch(
        own=rng.normal(size=shape),
        other=rng.normal(size=shape) + 2.0,
        collusion=rng.random(shape),
        externality=rng.random(shape),
        mask=rng.random(shape) < 0.7,
        pool=np.array(["train"] * 5 + ["exploiter"] * 4 + ["collusive"]),
        opponent=np.array([0, 0, 0, 1, 1, 0, 0, 0, 0, 7]),
        group=group,
    )


def two_by_two(**changes: object) -> CreditBatch:
    """Two train, two exploiter and two collusive episodes of two steps, all of it readable by hand."""
    arrays: dict[str, object] = {
        "own": np.array([[1.0, 2.0], [3.0, 0.0], [0.0, 0.0], [0.0, 1.0], [5.0, 5.0], [5.0, 5.0]]),
        "other": np.array([[0.0, 0.0], [0.0, 0.0], [5.0, 0.0], [3.0, 0.0], [0.0, 0.0], [0.0, 0.0]]),
        "collusion": np.array([[9.0, 9.0], [9.0, 9.0], [9.0, 9.0], [9.0, 9.0], [1.0, 1.0], [0.0, 1.0]]),
        "externality": np.array([[0.0, 1.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [9.0, 9.0], [8.0, 8.0]]),
        "mask": np.ones((6, 2), dtype=np.bool_),
        "pool": np.array(["train", "train", "exploiter", "exploiter", "collusive", "collusive"]),
        "opponent": np.array([0, 0, 1, 1, 2, 2]),
        "group": np.array([0, 0, 1, 1, 2, 2]),
    }
    return CreditBatch(**{**arrays, **changes})


ONLY_E = CreditWeights(exploitability=2.0, collusion=0.0, externality=0.0)


def test_own_pool_by_hand() -> None:
    weights = CreditWeights(exploitability=2.0, collusion=3.0, externality=0.0)
    # Every pool has one opponent with 2 of the 6 episodes, so rewards count 3 times.
    train = 3.0 * np.array([[3.0, 2.0], [3.0, 0.0]])  # reward-to-go
    exploiter = -3.0 * 2.0 * np.array([[5.0, 0.0], [2.0, -1.0]])
    collusive = -3.0 * 3.0 * np.array([[2.0, 1.0], [1.0, 1.0]])
    expected = np.concatenate([pair - pair[::-1] for pair in (train, exploiter, collusive)])
    np.testing.assert_allclose(own_pool(two_by_two(), weights), expected)


def test_own_pool_immediate_by_hand() -> None:
    train, exploiter = 3.0 * np.array([[1.0, 2.0], [3.0, 0.0]]), -6.0 * np.array([[5.0, 0.0], [3.0, -1.0]])
    expected = np.concatenate([pair - pair[::-1] for pair in (train, exploiter)])
    credits = own_pool_immediate(two_by_two(), ONLY_E)
    np.testing.assert_allclose(credits[:4], expected)
    assert not credits[4:].any()


def test_externality_is_averaged_over_its_pools_and_no_other() -> None:
    weights = CreditWeights(exploitability=0.0, collusion=0.0, externality=2.0, scale=0.0)
    # Two opponents (train, exploiter) of 2 episodes: 6 / (2 * 2) = 1.5 each; the collusive 8s and 9s are ignored.
    expected = np.zeros((6, 2))
    expected[:2] = [[-3.0, -3.0], [3.0, 3.0]]
    np.testing.assert_allclose(own_pool(two_by_two(), weights), expected)
    alone = replace(weights, externality_pools=("train",))
    np.testing.assert_allclose(own_pool(two_by_two(), alone), 2.0 * expected)


def test_reward_after_the_last_decision_is_credited_to_that_decision() -> None:
    mask = np.ones((6, 2), dtype=np.bool_)
    mask[:2, 1] = False
    weights = CreditWeights(0.0, 0.0, 0.0)
    np.testing.assert_allclose(own_pool(two_by_two(mask=mask), weights)[:2], [[0.0, 0.0], [0.0, 0.0]])
    myopic = own_pool_immediate(two_by_two(mask=mask), weights)[:2]
    np.testing.assert_allclose(myopic, [[-6.0, 0.0], [6.0, 0.0]])


def test_the_gate_uses_the_mean_gap_of_the_opponent_not_of_the_episode() -> None:
    other = two_by_two().other.copy()
    other[2:4] = [[0.0, 4.0], [0.0, 0.0]]  # gaps +4 and -1: mean above 0
    credits = own_pool(two_by_two(other=other), ONLY_E)
    np.testing.assert_allclose(credits[2:4], [[-30.0, -30.0], [30.0, 30.0]])


def test_an_exploiter_that_loses_on_average_earns_no_credit() -> None:
    other = two_by_two().other.copy()
    other[2:4] = [[0.0, 0.5], [0.0, 0.0]]  # gaps +0.5 and -1: mean below 0
    assert not own_pool(two_by_two(other=other), ONLY_E)[2:4].any()


def test_an_exact_best_response_is_credited_even_when_it_lost_by_chance() -> None:
    other = two_by_two().other.copy()
    other[2:4] = [[0.0, 0.5], [0.0, 0.0]]
    credits = own_pool(two_by_two(other=other, always_open=frozenset({1})), ONLY_E)
    np.testing.assert_allclose(credits[2:4], [[-9.0, -9.0], [9.0, 9.0]])


def test_a_number_used_in_two_pools_is_two_opponents() -> None:
    renamed = two_by_two(opponent=np.array([0, 0, 0, 0, 0, 0]))
    np.testing.assert_array_equal(own_pool(renamed, CreditWeights()), own_pool(two_by_two(), CreditWeights()))


def test_payoff_and_welfare_by_hand() -> None:
    other = two_by_two().other.copy()
    other[0] = [0.0, 4.0]
    weights = CreditWeights(scale=0.5)
    np.testing.assert_allclose(payoff(two_by_two(other=other), weights)[:2], [[0.0, 3.0], [0.0, -3.0]])
    np.testing.assert_allclose(welfare(two_by_two(other=other), weights)[:2], [[6.0, 9.0], [-6.0, -9.0]])
    assert not payoff(two_by_two(), weights)[2:].any()
    assert not welfare(two_by_two(), weights)[2:].any()


def test_constant_penalty_trains_nothing() -> None:
    batch = two_by_two()
    np.testing.assert_allclose(
        shared_penalty(batch, CreditWeights(50.0, 50.0, 50.0)),
        shared_penalty(batch, CreditWeights(0, 0, 0)),
        atol=1e-10,
    )


def test_shared_penalty_shows_where_there_is_no_baseline() -> None:
    lone = two_by_two(group=np.array([0, 9, 1, 1, 2, 2]))
    without, penalised = (shared_penalty(lone, w) for w in (CreditWeights(0.0, 0.0, 0.0), ONLY_E))
    # Mean gap (5 + 2) / 2 = 3.5, times 2, over 2 steps, times the batch weight 3.
    np.testing.assert_allclose(without[:2] - penalised[:2], np.full((2, 2), 10.5))


def test_independent_penalty_takes_the_penalty_of_another_episode() -> None:
    without, penalised = (independent_penalty(two_by_two(), w) for w in (CreditWeights(0.0, 0.0, 0.0), ONLY_E))
    # Gaps 5 and 2 over 2 steps: 2 * 2.5 and 2 * 1 per step; their difference of 3 counts 3 times.
    np.testing.assert_allclose(without[:2] - penalised[:2], [[9.0, 9.0], [-9.0, -9.0]])
    np.testing.assert_allclose(without[:2], [[-6.0, 6.0], [6.0, -6.0]])


@pytest.mark.parametrize("rule", [shared_penalty, independent_penalty])
def test_published_rules_credit_train_episodes_alone(rule: CreditRule) -> None:
    credits = rule(random_batch(0), CreditWeights())
    assert credits[:5].any()
    assert not credits[5:].any()


@pytest.mark.parametrize("rule", RULES)
@given(seed=st.integers(0, 10_000))
def test_credits_are_zero_where_the_agent_did_not_decide(rule: CreditRule, seed: int) -> None:
    batch = random_batch(seed)
    credits = rule(batch, CreditWeights())
    assert credits.shape == batch.own.shape
    assert not credits[~batch.mask].any()


@pytest.mark.parametrize("rule", OWN_POOL_RULES)
@given(seed=st.integers(0, 10_000))
def test_credits_move_with_their_episodes(rule: CreditRule, seed: int) -> None:
    batch = random_batch(seed)
    order = np.random.default_rng(seed + 1).permutation(len(batch.pool))
    names = ("own", "other", "collusion", "externality", "mask", "pool", "opponent", "group")
    moved = replace(batch, **{name: getattr(batch, name)[order] for name in names})
    np.testing.assert_allclose(rule(moved, CreditWeights()), rule(batch, CreditWeights())[order], atol=1e-10)


@pytest.mark.parametrize("rule", [own_pool, own_pool_immediate, shared_penalty, payoff, welfare])
@given(seed=st.integers(0, 10_000), constant=st.floats(0.0, 5.0))
def test_credits_ignore_a_constant_paid_to_a_whole_group(rule: CreditRule, seed: int, constant: float) -> None:
    batch = replace(random_batch(seed), mask=np.ones((10, 3), dtype=np.bool_))
    raised = replace(batch, own=batch.own + constant * (batch.group == 1)[:, None])
    np.testing.assert_allclose(rule(raised, CreditWeights()), rule(batch, CreditWeights()), atol=1e-9)


@given(seed=st.integers(0, 10_000))
def test_copying_every_episode_into_new_groups_leaves_credits_as_they_are(seed: int) -> None:
    batch = random_batch(seed)
    names = ("own", "other", "collusion", "externality", "mask", "pool", "opponent")
    doubled = {name: np.concatenate([getattr(batch, name)] * 2) for name in names}
    twice = replace(batch, **doubled, group=np.concatenate([batch.group, batch.group + 100]))
    once = own_pool(batch, CreditWeights())
    np.testing.assert_allclose(own_pool(twice, CreditWeights()), np.concatenate([once, once]), atol=1e-10)


class TinyGame:
    """Two steps, two actions, two logits; the second decision is skipped after action 1. Opponents are pay tables."""

    pools = np.array(["train", "train", "train", "exploiter", "exploiter", "collusive"])
    opponent = np.array([0, 1, 1, 0, 0, 0])
    logits = np.array([0.3, -0.7])
    weights = CreditWeights(exploitability=2.4, collusion=1.3, externality=1.8, scale=0.6)

    def __init__(self) -> None:
        rng = np.random.default_rng(3)
        self.tables = {("train", 0): 0, ("train", 1): 1, ("exploiter", 0): 2, ("collusive", 0): 3}
        self.table = rng.normal(size=(4, 3, 4, 2))  # [opponent, line, signal, step]
        self.table[:, 1, :, 0] = self.table[:, 0, :, 0]  # the first step cannot depend on the second action
        self.table[2, :, 1] += 6.0  # the gap is above 0 on every line, so the gate of e is certain
        act = 1.0 / (1.0 + np.exp(-self.logits))
        self.prob = np.array([(1 - act[0]) * (1 - act[1]), (1 - act[0]) * act[1], act[0]])
        self.score = np.zeros((3, 2, 2))  # [line, step, logit]; lines: 0 then 0, 0 then 1, 1 then no decision
        self.score[:, 0, 0] = np.array([0, 0, 1]) - act[0]
        self.score[:2, 1, 1] = np.array([0, 1]) - act[1]
        self.mask = np.array([[True, True], [True, True], [True, False]])

    def exact_gradient(self) -> np.ndarray:
        """Gradient of J by the definition of its terms."""
        score = self.score.sum(axis=1)
        mean = np.einsum("l,klst,lp->ksp", self.prob, self.table, score)  # [opponent, signal, logit]
        w = self.weights
        u = (mean[0, 0] + mean[1, 0]) / 2
        e, c = mean[2, 1] - mean[2, 0], mean[3, 2]
        x = (mean[0, 3] + mean[1, 3] + mean[2, 3]) / 3
        return w.scale * u - w.exploitability * w.scale * e - w.collusion * c - w.externality * x

    def expected_estimate(self, rule: CreditRule) -> np.ndarray:
        """Mean of (1/B) * sum of credit * score over all 3^6 batches."""
        opponents = [self.tables[pool, number] for pool, number in zip(self.pools, self.opponent.tolist(), strict=True)]
        total = np.zeros(2)
        for lines in product(range(3), repeat=6):
            signals = np.stack([self.table[k, line] for k, line in zip(opponents, lines, strict=True)], axis=1)
            picked = list(lines)
            batch = CreditBatch(
                *signals, mask=self.mask[picked], pool=self.pools, opponent=self.opponent, group=np.array(opponents)
            )
            estimate = np.einsum("bt,btp->p", rule(batch, self.weights), self.score[picked]) / 6
            total += self.prob[picked].prod() * estimate
        return total


def test_own_pool_estimates_exactly_the_gradient_of_the_objective() -> None:
    game = TinyGame()
    np.testing.assert_allclose(game.expected_estimate(own_pool), game.exact_gradient(), atol=1e-12)


@pytest.mark.parametrize("rule", [own_pool_immediate, shared_penalty, independent_penalty, payoff])
def test_the_other_rules_do_not_estimate_the_gradient_of_the_objective(rule: CreditRule) -> None:
    game = TinyGame()
    assert np.abs(game.expected_estimate(rule) - game.exact_gradient()).max() > 0.05


def test_a_penalty_independent_of_the_train_actions_has_no_expected_gradient() -> None:
    game = TinyGame()
    expected = game.expected_estimate(independent_penalty)
    game.weights = CreditWeights(0.0, 0.0, 0.0, scale=0.6)
    np.testing.assert_allclose(game.expected_estimate(independent_penalty), expected, atol=1e-12)


def test_the_index_of_tit_for_tat() -> None:
    # 8 rounds against the published pools: 2.789 - 2.4 * 0.3125 - 1.8 * 1/6.
    assert sepo_index(2.789, 0.3125, 0.0, 1 / 6, CreditWeights()) == pytest.approx(1.739)
    assert sepo_index(10.0, 2.0, 0.5, 0.25, CreditWeights(2.4, 2.4, 2.4, scale=0.3)) == pytest.approx(-0.24)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"own": np.zeros((6, 0))}, ValueError, r"own has shape \(6, 0\); at least one episode and one time step"),
        ({"other": np.zeros((6, 3))}, ValueError, r"other has shape \(6, 3\)"),
        ({"externality": np.full((6, 2), np.inf)}, ValueError, r"externality\[0, 0\] is inf"),
        ({"mask": np.ones((6, 2))}, TypeError, "must be boolean"),
        ({"pool": np.array(["train"] * 5 + ["shift"])}, ValueError, "unknown pool 'shift'; known: train, exploiter"),
        ({"opponent": np.zeros(6)}, TypeError, "must hold integers"),
        ({"group": np.array([0, 0, 0, 1, 2, 2])}, ValueError, "group 0 holds several opponents or pools"),
        (
            {"always_open": frozenset({4})},
            ValueError,
            r"always_open names \[4\]; the exploiters in this batch are \[1\]",
        ),
    ],
)
def test_mistakes_in_a_batch_are_named(changes: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        two_by_two(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"exploitability": -1.0}, "exploitability is -1.0; it must be finite and at least 0"),
        ({"scale": float("nan")}, "scale is nan"),
        ({"discount": 1.5}, r"discount is 1.5; it must lie in \[0, 1\]"),
        ({"externality_pools": ("shift",)}, "it must name some of train, exploiter, collusive"),
        ({"externality_pools": ()}, "it must name some of"),
    ],
)
def test_mistakes_in_the_weights_are_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CreditWeights(**changes)
