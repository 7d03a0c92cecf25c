"""Plain scoring: the same log-probabilities however many rows a pass holds, and no pass too large for memory."""

import math

import numpy as np
import pytest

from equipoise.engines import plain_scoring
from equipoise.engines.plain_scoring import token_log_probs


def rows_of(model, count, longest):
    """Random (prompt, completion) rows of all lengths up to `longest`."""
    rng = np.random.default_rng(0)
    words = model.config.vocab_size
    lengths = rng.integers(1, longest // 2, size=(count, 2))
    return [tuple(tuple(map(int, rng.integers(words, size=n))) for n in pair) for pair in lengths]


@pytest.fixture
def shapes(random_model, monkeypatch):
    """The shape of every forward pass that is made."""
    seen = []
    forward = random_model.forward

    def watched(*args, **kwargs):
        seen.append(tuple(kwargs["input_ids"].shape))
        return forward(*args, **kwargs)

    monkeypatch.setattr(random_model, "forward", watched)
    return seen


@pytest.mark.parametrize("bound", ["_PASS_TOKENS", "_PASS_LOGITS"])
@pytest.mark.parametrize("tokens", [1, 50, 120])
def test_small_passes_find_what_one_large_pass_finds(random_model, shapes, monkeypatch, bound, tokens):
    rows = rows_of(random_model, 40, 24)
    whole = token_log_probs(random_model, rows)
    assert len(shapes) == 1
    shapes.clear()
    words = random_model.config.vocab_size
    monkeypatch.setattr(plain_scoring, bound, tokens * (words if bound == "_PASS_LOGITS" else 1))
    parts = token_log_probs(random_model, rows)
    assert len(shapes) > 5
    assert sum(count for count, _ in shapes) == len(rows)
    assert all(count == 1 or count * width <= tokens for count, width in shapes)
    for one, other, (_, completion) in zip(whole, parts, rows, strict=True):
        assert one.shape == other.shape == (len(completion),)
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_the_logits_of_long_rows_over_a_large_vocabulary_stay_within_the_bound():
    rows = [((0,) * 300, (0,) * 212)] * 40
    passes = plain_scoring._passes(rows, 262_144)
    assert [len(part) for part in passes] == [1] * 40  # two such rows would be 2 ** 28 logits
    assert math.prod((len(passes[0]), 512, 262_144)) <= plain_scoring._PASS_LOGITS
    assert [len(part) for part in plain_scoring._passes(rows, 4_096)] == [40]


def test_no_rows_make_no_pass(random_model):
    assert token_log_probs(random_model, []) == []
