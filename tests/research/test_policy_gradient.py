"""The policy gradient as a vector is the one written out by hand, whatever the batching and padding."""

import numpy as np
import pytest
import torch

from equipoise.policies.language_model import LanguageModelPolicy, Sampling
from equipoise.training.play import Experience
from equipoise.training.rows import NOT_OURS, Row
from research import model_gradients
from research.model_gradients import policy_gradient

ROWS = [
    Row((5, 6, 7), (8, 9, 10, 11), (0, NOT_OURS, 1, 1)),
    Row((5, 6), (12,), (0,)),
    Row((20, 21, 22, 23, 24), (8, 30), (0, 0)),
]
WEIGHTS = [np.array([0.5, 99.0, -1.0, 2.0]), np.array([-3.0]), np.array([0.25, 0.75])]
"""The token that is not ours has a weight too: it must not count."""


def experience(rows=ROWS, weights=WEIGHTS, episodes=7):
    return Experience(list(rows), list(weights), np.ones(len(rows)), episodes)


def by_hand(model, temperature):
    """(1/7) * sum of weight * grad log-probability, one row and one token at a time."""
    model.zero_grad()
    total = torch.zeros(())
    for row, weights in zip(ROWS, WEIGHTS, strict=True):
        ids = row.prompt + row.completion
        for place, (token, turn, weight) in enumerate(zip(row.completion, row.turn, weights, strict=True)):
            if turn != NOT_OURS:
                logits = model(input_ids=torch.tensor([ids[: len(row.prompt) + place]])).logits[0, -1]
                total = total + float(weight) * torch.log_softmax(logits / temperature, dim=-1)[token]
    (total / 7).backward()
    flat = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    model.zero_grad()
    return flat.numpy()


@pytest.mark.parametrize("temperature", [1.0, 0.6])
@pytest.mark.parametrize("most", [1, 20, 10_000])
def test_it_is_the_hand_written_gradient(new_model, tokenizer, monkeypatch, temperature, most):
    cut = model_gradients.passes
    monkeypatch.setattr(model_gradients, "passes", lambda model, examples, _: cut(model, examples, most))
    model = new_model()
    found = policy_gradient(LanguageModelPolicy("agent", model, tokenizer, Sampling(temperature)), experience())
    expected = by_hand(model, temperature)
    assert np.linalg.norm(expected) > 1e-2
    assert np.allclose(found, expected, atol=1e-5 * np.linalg.norm(expected))


def test_it_is_linear_in_the_weights_and_leaves_no_gradient_behind(new_model, tokenizer):
    model = new_model()
    policy = LanguageModelPolicy("agent", model, tokenizer)
    once = policy_gradient(policy, experience())
    twice = policy_gradient(policy, experience(weights=[2 * w for w in WEIGHTS]))
    assert np.allclose(twice, 2 * once, atol=1e-6 * np.linalg.norm(once))
    assert all(parameter.grad is None for parameter in model.parameters())
