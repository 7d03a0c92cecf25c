"""What of the Tinker engine needs no server: refusals, rows, and what a server's arithmetic makes of them."""

import sys

import numpy as np
import pytest

from equipoise.engines.tinker_arithmetic import Arithmetic
from equipoise.engines.tinker_model import TokenRow
from equipoise.engines.tinker_server import ServerFailed, TinkerServer
from equipoise.errors import UserError
from equipoise.models.hardware import Hardware
from equipoise.models.load import load, tokenizer_of, words_of
from equipoise.models.serving import served
from equipoise.training.loss import examples_of
from equipoise.training.play import Experience
from equipoise.training.recipe import load_recipe
from equipoise.training.rows import NOT_OURS, Row
from equipoise.training.run import train
from equipoise.training.tinker_trainer import token_rows

NOWHERE = "http://127.0.0.1:9"


def experience(log_probs=(-0.5, 0.0, -0.25), adapter=""):
    row = Row((1, 2), (3, 4, 5), (0, NOT_OURS, 1), log_probs, adapter)
    return Experience([row], [np.array([2.0, 7.0, -4.0])], np.array([3]), 8)


def test_without_the_client_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tinker", None)
    with pytest.raises(UserError, match=r"pip install 'equipoise\[tinker\]'"):
        TinkerServer(NOWHERE)


def test_without_a_server_one_line_says_where_none_is(monkeypatch):
    monkeypatch.setenv("TINKER_BASE_URL", NOWHERE)
    with pytest.raises(ServerFailed, match=f"no Tinker server answers at {NOWHERE}"):
        served("tiny", Hardware(engine="tinker"))


def test_a_model_is_known_without_its_weights():
    model, tokenizer = load("tiny")
    assert words_of("tiny") == (model.config.vocab_size, (tokenizer.eos_token_id,))
    assert tokenizer_of("tiny").eos_token_id == tokenizer.eos_token_id


def test_rows_keep_weights_and_sampled_log_probabilities_at_their_tokens():
    (row,) = token_rows(experience())
    assert row.tokens == (1, 2, 3, 4, 5)
    assert row.advantages.tolist() == [0.0, 0.0, 0.25, 0.0, -0.5]
    assert row.advantages.tolist() == examples_of(experience())[0].weights.tolist()
    assert row.log_probs.tolist() == [0.0, 0.0, -0.5, 0.0, -0.25]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (experience(log_probs=()), "a row has no log-probabilities"),
        (experience(log_probs=(-0.5, 0.0, float("nan"))), "a row has no log-probabilities"),
        (experience(adapter="second"), "train them with --engine local"),
    ],
)
def test_rows_that_a_server_cannot_train_on_are_refused(given, said):
    with pytest.raises(UserError, match=said):
        token_rows(given)


@pytest.mark.parametrize("tokens", [False, True])
@pytest.mark.parametrize("rows", [False, True])
def test_whatever_a_server_averages_its_gradient_is_the_sum(tokens, rows):
    given = [TokenRow(tuple(range(n)), np.full(n, float(n)), np.zeros(n)) for n in (3, 5, 9)]
    sent = Arithmetic(tokens, rows).summed(given)
    per_row = [row.advantages[1:].mean() if tokens else row.advantages[1:].sum() for row in sent]
    total = np.mean(per_row) if rows else np.sum(per_row)
    assert total == pytest.approx(sum(row.advantages[1:].sum() for row in given))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (["demonstrations.experts={nash=1.0}"], r"set demonstrations\.experts"),
        (["hardware.optimizer=adamw_8bit"], r"^got hardware.optimizer = 'adamw_8bit', .* leave it at 'adamw'$"),
        (["rl.steps=0"], r"got rl\.steps = 0"),
    ],
)
def test_recipes_that_a_server_cannot_train_are_refused_before_there_is_a_folder(tmp_path, changes, said):
    recipe = load_recipe("kuhn_poker/best_response", ["hardware.engine=tinker", *changes])
    with pytest.raises(UserError, match=said):
        train(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()
