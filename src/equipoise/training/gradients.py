"""The policy gradient of one step as a vector, for audits of credit rules; training leaves it to the optimizer."""

from __future__ import annotations

import numpy as np
import torch

from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.training.loss import examples_of, padded, weighted_loss
from equipoise.training.play import Experience

_ROWS_AT_ONCE = 64


def policy_gradient(policy: LanguageModelPolicy, experience: Experience) -> np.ndarray:
    """(1/episodes) * sum over rows and tokens of weight * grad log-probability, over all trained parameters, [P].

    Args:
        policy: Whose parameters; it must be the policy that played.
        experience: Its credited rows.
    """
    model, examples = policy.model, examples_of(experience)
    model.zero_grad(set_to_none=True)
    with torch.enable_grad():
        for start in range(0, len(examples), _ROWS_AT_ONCE):
            batch = padded(examples[start : start + _ROWS_AT_ONCE])
            weighted_loss(model, batch, policy.sampling.temperature).neg().backward()
    flat = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
    model.zero_grad(set_to_none=True)
    gradient: np.ndarray = torch.cat(flat).numpy()
    return gradient
