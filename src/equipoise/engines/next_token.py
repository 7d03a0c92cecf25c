"""What a policy makes of a model's logits: the distribution its next token is drawn from, scored by and trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch


class NextToken(Protocol):
    """A distribution over the next token."""

    def log_probs(self, logits: torch.Tensor) -> torch.Tensor:
        """Log-probability of every token, float32, [..., V] as the logits."""
        ...

    def chosen(
        self, logits: torch.Tensor, row: torch.Tensor, column: torch.Tensor, token: torch.Tensor
    ) -> torch.Tensor:
        """Log-probabilities of `token[i]` at `logits[row[i], column[i]]`, float32; logits [U, Q, V]."""
        ...


@dataclass(frozen=True)
class Tempered:
    """Drawn with probability softmax(logits / temperature).

    Attributes:
        temperature: Above 0.
    """

    temperature: float

    def log_probs(self, logits: torch.Tensor) -> torch.Tensor:
        return torch.log_softmax(self._scaled(logits), dim=-1)

    def chosen(
        self, logits: torch.Tensor, row: torch.Tensor, column: torch.Tensor, token: torch.Tensor
    ) -> torch.Tensor:
        scaled = self._scaled(logits)
        return scaled[row, column, token] - torch.logsumexp(scaled, dim=-1)[row, column]

    def _scaled(self, logits: torch.Tensor) -> torch.Tensor:
        """A copy costs as much as the softmax, where there are many tokens: none is made at a temperature of 1."""
        return logits.float() if self.temperature == 1.0 else logits.float() / self.temperature


@dataclass(frozen=True)
class Greedy:
    """Always the token with the largest logit, of equal ones that with the lowest id."""

    def log_probs(self, logits: torch.Tensor) -> torch.Tensor:
        nothing = torch.full_like(logits, -torch.inf, dtype=torch.float32)
        return nothing.scatter_(-1, logits.argmax(dim=-1, keepdim=True), 0.0)

    def chosen(
        self, logits: torch.Tensor, row: torch.Tensor, column: torch.Tensor, token: torch.Tensor
    ) -> torch.Tensor:
        best = logits.argmax(dim=-1)[row, column]
        return torch.where(best == token, 0.0, -torch.inf)


def next_token(temperature: float) -> NextToken:
    """The distribution of a temperature: greedy at 0."""
    return Tempered(temperature) if temperature else Greedy()
