"""Drawing by places in the cumulative probabilities, which are summed block by block where there are many."""

import numpy as np
import pytest
import torch

from equipoise.engines import drawing
from equipoise.engines.drawing import BLOCK, SMALL, draw


@pytest.fixture
def logits():
    """More tokens than are summed up at once, the last block not whole; in one row most are impossible."""
    rows = torch.randn(3, SMALL + 3 * BLOCK + 100, generator=torch.Generator().manual_seed(2)) * 3
    rows[1, torch.rand(rows.shape[1], generator=torch.Generator().manual_seed(3)) < 0.9] = -torch.inf
    return rows


def expected(row, place):
    """The token at a place, in double precision."""
    probabilities = torch.softmax(row.double(), dim=0).numpy()
    return int(np.searchsorted(np.cumsum(probabilities), place * probabilities.sum(), side="right"))


@pytest.mark.parametrize("vocabulary", [50, SMALL, SMALL + 1, SMALL + BLOCK, SMALL + 3 * BLOCK + 100])
@pytest.mark.parametrize("temperature", [0.7, 1.0])
def test_a_draw_is_the_token_at_its_place(logits, vocabulary, temperature):
    """Whether the vocabulary is small or large."""
    cut = logits[:, :vocabulary]
    rows = np.repeat([0, 1, 2], 40)
    places = np.random.default_rng(5).random(len(rows))
    tokens, log_probs = draw(cut, rows, places, temperature)
    assert tokens.tolist() == [expected(cut[r] / temperature, p) for r, p in zip(rows, places, strict=True)]
    scores = torch.log_softmax(cut.double() / temperature, dim=1)[rows, tokens]
    assert np.allclose(log_probs, scores.numpy(), atol=1e-5)


@pytest.mark.parametrize("place", [0.0, 1e-12, 1.0 - 1e-12, np.nextafter(1.0, 0.0)])
def test_the_ends_of_the_distribution_are_possible_tokens(logits, place):
    """Rounding leaves nothing to a token that cannot be."""
    for only in (logits, logits[:, :SMALL]):
        tokens, log_probs = draw(only, np.arange(3), np.full(3, place), 1.0)
        assert np.isfinite(log_probs).all()
        assert ((tokens >= 0) & (tokens < only.shape[1])).all()


def test_frequencies_are_the_probabilities():
    """Over many draws of a few likely tokens far apart, in a large vocabulary."""
    logits = torch.full((1, SMALL + 2_000), -torch.inf)
    chances = {0: 0.1, BLOCK - 1: 0.2, BLOCK: 0.3, SMALL + 1_999: 0.4}
    for token, chance in chances.items():
        logits[0, token] = np.log(chance)
    draws = 20_000
    tokens, _ = draw(logits, np.zeros(draws, dtype=int), np.random.default_rng(0).random(draws), 1.0)
    for token, chance in chances.items():
        assert np.mean(tokens == token) == pytest.approx(chance, abs=4 * np.sqrt(chance * (1 - chance) / draws))


def test_parts_draw_as_the_whole(logits, monkeypatch):
    """However many rows are held at a time."""
    rows, places = np.repeat([0, 1, 2], 5), np.random.default_rng(1).random(15)
    whole = draw(logits, rows, places, 1.0)
    monkeypatch.setattr(drawing, "PART", 1)
    parts = draw(logits, rows, places, 1.0)
    assert np.array_equal(whole[0], parts[0])
    assert np.array_equal(whole[1], parts[1])
