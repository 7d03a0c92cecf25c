"""What a Tinker server makes of a gradient: measured on a scratch adapter, because servers differ and none says it.

The API's document speaks of sums. SkyRL 0.3.0's JAX backend takes the mean over a row's tokens and then over rows, and
heeds no clipping; its other backends sum, and clip at a bound of their own settings. A factor that is the same for all
rows would hardly matter to Adam; one that differs between rows trains for another objective.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from equipoise.engines.engine import Ids
from equipoise.engines.tinker_model import Adam, RemoteModel, TokenRow
from equipoise.engines.tinker_server import ServerFailed, TinkerServer

_TOLERANCE = 0.1
_MOVED = 0.01
"""By how much the log-probability of a token is moved to see whether a step was clipped."""
_LARGE = 1e3
_TIGHT = 1e-3


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """How a server makes one gradient of many tokens' gradients, and one step of that.

    Attributes:
        tokens_averaged: Divides a row's sum over tokens by the number of all its tokens, weighed or not.
        rows_averaged: Divides the sum over rows by their number.
        clips: Heeds the bound on the gradient's norm.
    """

    tokens_averaged: bool = False
    rows_averaged: bool = False
    clips: bool = True

    def summed(self, rows: Sequence[TokenRow]) -> list[TokenRow]:
        """Rows of which the server makes the gradient of the plain sum over all tokens of all of `rows`."""
        by_rows = len(rows) if self.rows_averaged else 1
        return [row.scaled(by_rows * (len(row.tokens) - 1 if self.tokens_averaged else 1)) for row in rows]


def measured(server: TinkerServer, rank: int, text: Ids) -> Arithmetic | None:
    """How a server takes gradients; None for one that tells no gradient's norm, which must be believed.

    Args:
        server: The server; a scratch adapter is made on it and given back.
        rank: Of the adapters that will be trained, since some servers know one rank only.
        text: At least four tokens that the model may have read.

    Raises:
        ServerFailed: When what is measured is neither a sum nor a mean.
    """
    model = server.new_model(rank, 0)
    try:
        return _measured(model, text)
    finally:
        model.close()


def _measured(model: RemoteModel, text: Ids) -> Arithmetic | None:
    still = Adam(0.0, 0.0, 0.0, 1.0)
    nothing = np.zeros(len(text))
    (log_probs,) = model.step([TokenRow(text, nothing, nothing)], still).log_probs
    last = len(text) // 2
    weighed = np.where(np.arange(len(text)) == last, 1.0, 0.0)
    sampled = np.append(0.0, log_probs)
    short = TokenRow(text[: last + 1], weighed[: last + 1], sampled[: last + 1])
    long = TokenRow(text, weighed, sampled)
    alone = model.step([short], still).gradient_norm
    if not alone:
        return None
    beside = model.step([short, short.scaled(0.0)], still).gradient_norm or 0.0
    longer = model.step([long], still).gradient_norm or 0.0
    tokens = _either(longer / alone, (len(short.tokens) - 1) / (len(long.tokens) - 1), "tokens")
    rows = _either(beside / alone, 0.5, "rows")
    return Arithmetic(tokens, rows, _clips(model, short, alone))


def _either(found: float, mean: float, what: str) -> bool:
    """Whether a ratio of norms is that of a mean and not that of a sum."""
    if abs(found - 1.0) > _TOLERANCE and abs(found - mean) > _TOLERANCE * mean:
        raise ServerFailed(
            f"the Tinker server neither sums over {what} nor averages: a norm is {found:.3g} times another, expected 1 "
            f"or {mean:.3g}; equal gradients cannot be had from it"
        )
    return abs(found - mean) < abs(found - 1.0)


def _clips(model: RemoteModel, row: TokenRow, norm: float) -> bool:
    """Whether a bound on the norm makes a step smaller; Adam with a large epsilon is plain gradient descent."""
    epsilon = _LARGE * norm
    rate = _MOVED / norm**2 * epsilon
    before = _last(model, row, Adam(rate, 0.0, 0.0, epsilon))
    free = _last(model, row, Adam(rate, 0.0, 0.0, epsilon, clip=_TIGHT * norm))
    tight = _last(model, row, Adam(0.0, 0.0, 0.0, 1.0))
    return abs(tight - free) < 0.5 * abs(free - before)


def _last(model: RemoteModel, row: TokenRow, adam: Adam) -> float:
    """The log-probability of a row's last token before a step along it."""
    return float(model.step([row], adam).log_probs[0][-1])
