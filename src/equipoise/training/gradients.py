"""The policy gradient of one step's experience as a vector, for audits of credit rules; training leaves it to TRL."""

from __future__ import annotations

import numpy as np
import torch

from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.training.play import Experience
from equipoise.training.rows import NOT_OURS

_ROWS_AT_ONCE = 64


def policy_gradient(policy: LanguageModelPolicy, experience: Experience) -> np.ndarray:
    """(1/episodes) * sum over rows and tokens of weight * grad log-probability, over all trained parameters, [P].

    Args:
        policy: Whose parameters; it must be the policy that played.
        experience: Its credited rows.
    """
    model = policy.model
    model.zero_grad(set_to_none=True)
    with torch.enable_grad():
        for start in range(0, len(experience.rows), _ROWS_AT_ONCE):
            tokens, mask, credit = _batch(experience, slice(start, start + _ROWS_AT_ONCE))
            logits = model(input_ids=tokens, attention_mask=mask).logits[:, :-1].float()
            scores = torch.log_softmax(logits / policy.sampling.temperature, dim=-1)
            chosen = scores.gather(2, tokens[:, 1:, None])[..., 0]  # [B, L - 1]
            (chosen * credit[:, 1:]).sum().div(experience.episodes).backward()
    flat = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
    model.zero_grad(set_to_none=True)
    gradient: np.ndarray = torch.cat(flat).numpy()
    return gradient


def _batch(experience: Experience, part: slice) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Token ids, attention mask and credit of some rows, padded on the right, each [B, L]."""
    rows, weights = experience.rows[part], experience.weights[part]
    width = max(len(row.prompt) + len(row.completion) for row in rows)
    tokens, mask = (torch.zeros((len(rows), width), dtype=torch.long) for _ in range(2))
    credit = torch.zeros((len(rows), width))
    for i, (row, weight) in enumerate(zip(rows, weights, strict=True)):
        length = len(row.prompt) + len(row.completion)
        tokens[i, :length], mask[i, :length] = torch.tensor(row.prompt + row.completion), 1
        ours = np.array(row.turn) != NOT_OURS
        credit[i, len(row.prompt) : length] = torch.from_numpy(np.where(ours, weight, 0.0)).float()
    return tokens, mask, credit
