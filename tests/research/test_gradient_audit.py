import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from equipoise.objectives import SepoWeights, own_pool, sepo_index
from research.gradient_audit import AuditResult, audit_table, gradient_audit, write_audit
from research.tabular import TabularProblem, sigmoid
from research.tabular_dilemma import Dilemma
from research.tabular_kuhn import Kuhn, best_response


@pytest.fixture(scope="module")
def audit() -> AuditResult:
    return gradient_audit(draws=120, seed=1)


def per_round(problem: TabularProblem) -> dict[str, float]:
    return {term: value / problem.rounds for term, value in problem.exact()[0].items()}


def test_tit_for_tat_has_its_hand_worked_values() -> None:
    values = per_round(Dilemma(logits=np.array([40.0, 40.0, -40.0, 40.0, -40.0])))
    # Against the coin: 1.5 in round 1, 2.25 after; the others always cooperate back.
    assert values["u"] == pytest.approx((3 + 3 + 3 + (1.5 + 7 * 2.25) / 8) / 4)
    assert values["e"] == pytest.approx((5 / 8 + 0) / 2)
    assert values["c"] == pytest.approx(0.0)
    assert sepo_index(**values, weights=SepoWeights()) == pytest.approx(1.74, abs=0.005)


def test_unconditional_defection_has_its_hand_worked_values() -> None:
    values = per_round(Dilemma(logits=np.full(5, -40.0)))
    # TFT and Grim pay 5 once and 1 after; generous TFT 5, then 2 on average; the coin 3.
    assert values["u"] == pytest.approx((12 / 8 + (5 + 7 * 2) / 8 + 3 + 12 / 8) / 4)
    assert values["e"] == 0.0
    assert values["c"] == pytest.approx(1.0)
    assert sepo_index(**values, weights=SepoWeights()) == pytest.approx(0.13, abs=0.005)


def test_kuhn_equilibrium_is_unexploitable_on_average_over_seats() -> None:
    nash = np.array([1 / 3, 0, 1, 0, 2 / 3, 1, 1 / 3, 0, 1, 0, 1 / 3, 1])
    logits = np.log(np.clip(nash, 1e-12, 1 - 1e-12)) - np.log(1 - np.clip(nash, 1e-12, 1 - 1e-12))
    values, _ = Kuhn(logits=logits).exact()
    # Kuhn (1950): the equilibrium is worth -1/18 to the first player, so 0 over both seats.
    assert values["e"] == pytest.approx(0.0, abs=1e-9)


def test_best_response_to_always_passing_is_to_bet_what_would_lose_a_showdown() -> None:
    response = best_response(np.zeros(12))
    # Against folding to every bet, bets earn 1 always; a passed king earns 1 as well.
    assert response[[0, 1, 6, 7]].tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("problem", [Dilemma(), Kuhn()], ids=lambda problem: problem.name)
def test_exact_gradients_equal_finite_differences(problem: TabularProblem) -> None:
    _, gradients = problem.exact()
    step = 1e-6
    for index in range(len(problem.states)):
        shift = step * (np.arange(len(problem.states)) == index)
        up, _ = replace(problem, logits=problem.logits + shift).exact()  # Kuhn's best response is computed anew
        down, _ = replace(problem, logits=problem.logits - shift).exact()
        for term, gradient in gradients.items():
            assert gradient[index] == pytest.approx((up[term] - down[term]) / (2 * step), abs=1e-7)


@pytest.mark.parametrize("problem", [Dilemma(), Kuhn()], ids=lambda problem: problem.name)
def test_sampled_values_agree_with_exact_ones(problem: TabularProblem) -> None:
    batches = [problem.draw(np.random.default_rng([5, number])).batch for number in range(200)]
    train = batches[0].pool == "train"
    means = np.array([batch.own[train].sum(axis=1).mean() for batch in batches])
    error = means.std(ddof=1) / np.sqrt(len(means))
    assert abs(means.mean() - problem.exact()[0]["u"]) < 4 * error


def test_scores_are_derivatives_of_the_log_probability() -> None:
    problem = Kuhn()
    draw = problem.draw(np.random.default_rng(0))
    bet = sigmoid(problem.logits)[draw.information]
    allowed = np.isclose(draw.score, 1 - bet) | np.isclose(draw.score, -bet)
    assert allowed[draw.batch.mask].all()
    assert not draw.score[~draw.batch.mask].any()


@pytest.mark.parametrize("game", [0, 1])
def test_own_pool_estimates_payoff_without_bias(audit: AuditResult, game: int) -> None:
    row = audit.problems[game].row("own pool", "u")
    assert row.ratio == pytest.approx(1.0, abs=2 * (row.ratio_high - row.ratio_low))
    assert row.cosine is not None
    assert row.cosine > 0.98


@pytest.mark.parametrize("term", ["e", "c", "x", "J"])
def test_own_pool_estimates_every_penalty_of_the_dilemma_without_bias(audit: AuditResult, term: str) -> None:
    row = audit.problems[0].row("own pool", term)
    assert row.ratio == pytest.approx(1.0, abs=2 * (row.ratio_high - row.ratio_low))
    assert row.right_way is not None
    assert row.right_way > 0.97


@pytest.mark.parametrize("term", ["e", "c", "x"])
def test_published_penalties_move_nothing_in_the_dilemma(audit: AuditResult, term: str) -> None:
    shared, independent = (audit.problems[0].row(rule, term) for rule in ("shared penalty", "independent penalty"))
    assert shared.ratio == pytest.approx(0.0, abs=1e-12)
    assert shared.right_way is None
    assert abs(independent.ratio) < 0.02
    assert independent.right_way is not None
    assert 0.3 < independent.right_way < 0.7


def test_immediate_payoff_teaches_the_opposite_of_the_payoff_gradient(audit: AuditResult) -> None:
    row = audit.problems[0].row("own pool, immediate", "u")
    assert row.cosine is not None
    assert -0.75 < row.cosine < -0.6
    assert row.right_way is not None
    assert row.right_way < 0.05


def test_kuhn_exploitability_is_unbiased_once_the_gates_are_certain() -> None:
    problem = Kuhn()
    gradient = problem.exact()[1]["e"]
    nothing = replace(problem.weights, exploitability=0.0)
    ratios = []
    for number in range(300):
        draw = problem.draw(np.random.default_rng([2, number]))
        batch = replace(draw.batch, always_open=frozenset({3, 4, 5}))
        credits = own_pool(batch, problem.weights) - own_pool(batch, nothing)
        estimate = -draw.estimate(credits) / (problem.weights.exploitability * problem.weights.scale)
        ratios.append(estimate @ gradient / (gradient @ gradient))
    assert np.mean(ratios) == pytest.approx(1.0, abs=4 * np.std(ratios) / np.sqrt(len(ratios)))


def test_the_same_seed_gives_the_same_audit() -> None:
    assert gradient_audit(draws=3, seed=4) == gradient_audit(draws=3, seed=4)
    assert gradient_audit(draws=3, seed=4) != gradient_audit(draws=3, seed=5)


def test_a_single_draw_is_refused() -> None:
    with pytest.raises(ValueError, match="draws is 1; at least 2"):
        gradient_audit(draws=1)


def test_unknown_rows_are_named(audit: AuditResult) -> None:
    with pytest.raises(KeyError, match=r"no row own pool / y; known: .*own pool / J"):
        audit.problems[0].row("own pool", "y")


def test_the_table_fits_a_terminal_and_shows_every_row(audit: AuditResult) -> None:
    lines = audit_table(audit).splitlines()
    assert max(map(len, lines)) <= 80
    shown = [line for line in lines if line.startswith("| ") and line[2] in "uecxJ"]
    assert len(shown) == sum(len(problem.rows) for problem in audit.problems)
    assert {len(line) for line in shown} == {80}


def test_files_are_written_and_hold_the_rows(audit: AuditResult, tmp_path: Path) -> None:
    paths = write_audit(audit, tmp_path / "out")
    assert [path.name for path in paths] == ["gradient-audit.json", "gradient-audit.md", "gradient-audit.svg"]
    stored = json.loads(paths[0].read_text(encoding="utf-8"))
    assert stored["draws"] == 120
    assert len(stored["problems"][0]["rows"]) == len(audit.problems[0].rows)
    assert paths[1].read_text(encoding="utf-8") == audit_table(audit)
    assert paths[2].read_text(encoding="utf-8").count("<svg") == 1
