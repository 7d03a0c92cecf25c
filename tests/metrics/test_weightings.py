"""Agents at many weightings of the SEPO index: the front, and the share each one wins."""

import numpy as np
import pytest

from equipoise.metrics import index_over_grid, pareto_front, share_of_weightings_won, weightings

AGENTS = {
    "earner": (3.0, 1.0, 0.5, 0.5),
    "safe": (2.0, 0.0, 0.5, 0.5),
    "beaten": (2.0, 0.5, 0.5, 0.5),
    "same as safe": (2.0, 0.0, 0.5, 0.5),
}


def test_the_front_holds_whom_nobody_beats_in_every_term():
    assert pareto_front(AGENTS) == ("earner", "safe", "same as safe")
    assert pareto_front({"only": (0.0, 9.0, 9.0, 9.0)}) == ("only",)


def test_the_share_won_is_the_part_of_the_range_where_the_index_is_highest():
    # earner beats safe where s * (3 - 2) > le * s * 1, so below le = 1; le is log-uniform in [0.3, 10].
    shares = share_of_weightings_won(AGENTS, scale=0.7)
    below_one = np.log(1 / 0.3) / np.log(10 / 0.3)
    assert shares["earner"] == pytest.approx(below_one, abs=2e-3)
    assert shares["safe"] == shares["same as safe"] == pytest.approx((1 - below_one) / 2, abs=2e-3)
    assert shares["beaten"] == 0
    assert sum(shares.values()) == pytest.approx(1)


def test_who_wins_is_who_has_the_highest_index():
    rng = np.random.default_rng(0)
    agents = {str(i): tuple(rng.random(4)) for i in range(5)}
    drawn = weightings(200, seed=3)
    indices = np.array([index_over_grid(*terms, 0.5, drawn) for terms in agents.values()])
    counts = np.bincount(indices.argmax(axis=0), minlength=5) / 200
    assert list(share_of_weightings_won(agents, 0.5, drawn).values()) == pytest.approx(counts.tolist())


def test_weightings_repeat_and_fill_the_declared_range():
    drawn = weightings()
    assert drawn.shape == (10_000, 3)
    assert (drawn == weightings()).all()
    assert (drawn[:16] != weightings(16, seed=1)).any()
    assert 0.3 <= drawn.min() < 0.31
    assert 9.9 < drawn.max() <= 10
    assert np.log(drawn).mean(axis=0) == pytest.approx(np.log(0.3 * 10) / 2 * np.ones(3), abs=1e-3)


@pytest.mark.parametrize(
    "call",
    [
        lambda: weightings(0),
        lambda: weightings(8, least=0.0),
        lambda: weightings(8, least=2.0, most=1.0),
        lambda: share_of_weightings_won({}, 1.0),
        lambda: pareto_front({"a": (1.0, 2.0, 3.0)}),
        lambda: pareto_front({"a": (1.0, 2.0, 3.0, float("nan"))}),
    ],
)
def test_impossible_input_is_refused(call):
    with pytest.raises(ValueError, match="got"):
        call()
