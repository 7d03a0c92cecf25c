"""One agent's score on each deal: small enough to keep in a result, and enough for any interval later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from equipoise.errors import UserError


@dataclass(frozen=True)
class DealScores:
    """One agent's mean score on each deal.

    Attributes:
        deals: The deals, each once.
        scores: The mean over the agent's episodes of each deal (both seats, all opponents), in the same order.
    """

    deals: tuple[int, ...]
    scores: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.deals) != len(self.scores) or len(set(self.deals)) != len(self.deals):
            raise UserError(
                f"got {len(self.deals)} deals, {len(set(self.deals))} different, and {len(self.scores)} scores; "
                "allowed: one score for each deal, each deal once"
            )
        if not np.isfinite(self.scores).all():
            raise UserError("got a score that is not finite; leave deals without a score out")

    def to_json(self) -> dict[str, list[Any]]:
        """The deals and their scores as lists."""
        return {"deals": list(self.deals), "scores": list(self.scores)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> DealScores:
        """What `to_json` wrote.

        Raises:
            ValueError: For data that is no such value.
        """
        try:
            return cls(tuple(int(d) for d in data["deals"]), tuple(float(s) for s in data["scores"]))
        except (KeyError, TypeError) as error:
            raise UserError(f"got {type(data).__name__} that holds no deals with scores: {error!r}") from error


def deal_scores(scores: ArrayLike, deals: Sequence[int]) -> DealScores:
    """The mean of an agent's scores [B] on each of its deals, in order of first appearance.

    Where opponents should count equally, weight the scores first (the functions named `..._scores` do).

    Raises:
        ValueError: For unequal lengths or no episodes.
    """
    values = np.asarray(scores, dtype=float)
    if values.shape != (len(deals),) or not len(deals):
        raise UserError(f"got scores of shape {values.shape} and {len(deals)} deals; allowed: one deal for each score")
    columns = {deal: column for column, deal in enumerate(dict.fromkeys(deals))}
    index = np.array([columns[deal] for deal in deals])
    means = np.bincount(index, values) / np.bincount(index)
    return DealScores(tuple(columns), tuple(means.tolist()))


def seed_by_deal(tables: Sequence[DealScores]) -> np.ndarray:
    """The scores of several seeds' agents, one table each, as a matrix [S, D]; NaN where a seed has not met a deal.

    Raises:
        ValueError: For no table.
    """
    if not tables:
        raise UserError("got no tables of deal scores; give one for each seed")
    columns = {deal: column for column, deal in enumerate(dict.fromkeys(d for table in tables for d in table.deals))}
    matrix = np.full((len(tables), len(columns)), np.nan)
    for row, table in enumerate(tables):
        matrix[row, [columns[deal] for deal in table.deals]] = table.scores
    return matrix
