"""Scripted Kuhn players and their pools.

A strategy is the probability of the aggressive action (bet, call) by card, at four kinds of decision: opening, facing a
check, facing a bet, and calling after one's own check. The Nash family (Kuhn 1950): the first player bets J with
probability a in [0, 1/3], K with 3a, never Q, and calls with Q with probability a + 1/3; the second player is unique.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from equipoise.core import Action, InformationState, Opponent, Pools
from equipoise.errors import UserError
from equipoise.games.kuhn_poker.rules import hand_view

KUHN = "H. W. Kuhn, A simplified two-person poker, 1950"


@dataclass(frozen=True)
class Style:
    """Probability of the aggressive action with (J, Q, K).

    Attributes:
        opening: Bet as the first to act.
        after_check: Bet when the other player checked.
        facing_bet: Call a bet as the second to act.
        calling: Call a bet after one's own check.
    """

    opening: tuple[float, float, float]
    after_check: tuple[float, float, float]
    facing_bet: tuple[float, float, float]
    calling: tuple[float, float, float]

    def aggression(self, card: str, history: tuple[str, ...]) -> float:
        """Probability of bet or call with `card` after `history` of the hand."""
        row = {
            (): self.opening,
            ("check",): self.after_check,
            ("bet",): self.facing_bet,
            ("check", "bet"): self.calling,
        }
        return row[history]["JQK".index(card)]

    @property
    def mixes(self) -> bool:
        """Whether any probability is strictly between 0 and 1."""
        rows = (*self.opening, *self.after_check, *self.facing_bet, *self.calling)
        return any(0 < p < 1 for p in rows)

    def __call__(self, information_state: InformationState, legal: tuple[Action, ...]) -> Mapping[Action, float]:
        """Probabilities of the legal actions, as `core.Behaviour`."""
        p = self.aggression(*hand_view(information_state))
        passive, aggressive = legal
        return {passive: 1.0 - p, aggressive: p}


def nash(alpha: float) -> Style:
    """The Nash strategy of parameter `alpha` in [0, 1/3], in both seats."""
    if not 0 <= alpha <= 1 / 3 + 1e-12:
        raise UserError(f"got alpha={alpha}; the Nash family of Kuhn poker has alpha in [0, 1/3]")
    return Style((alpha, 0, 3 * alpha), (1 / 3, 0, 1), (0, 1 / 3, 1), (0, alpha + 1 / 3, 1))


def nash_range(card: str, history: tuple[str, ...]) -> tuple[float, float]:
    """Lowest and highest probability of the aggressive action over the Nash family."""
    low, high = nash(0.0).aggression(card, history), nash(1 / 3).aggression(card, history)
    return min(low, high), max(low, high)


def equilibrium_range(information_state: InformationState) -> tuple[float, float]:
    """`nash_range` at an information state, as `games.Domain.equilibrium`."""
    return nash_range(*hand_view(information_state))


UNIFORM = Style((0.5,) * 3, (0.5,) * 3, (0.5,) * 3, (0.5,) * 3)
TIGHT = Style((0, 0, 1), (0, 0, 1), (0, 0.1, 1), (0, 0.1, 1))
LOOSE = Style((0.4, 0.5, 0.9), (0.4, 0.5, 1), (0.25, 0.8, 1), (0.25, 0.8, 1))
MANIAC = Style((1, 1, 1), (1, 1, 1), (1, 1, 1), (1, 1, 1))
NIT = Style((0, 0, 1), (0, 0, 1), (0, 0, 1), (0, 0, 1))
ALWAYS_PASS = Style((0, 0, 0), (0, 0, 0), (0, 0, 0), (0, 0, 0))
CALLING_STATION = Style((0, 0, 0), (0, 0, 0), (0, 1, 1), (0, 1, 1))
BLUFFER = Style((1, 0, 1), (1, 0, 1), (0, 0, 1), (0, 0, 1))
POT_CONTROL = Style((0, 0, 1), (0, 0, 1), (0, 0.5, 1), (0, 0.5, 1))
TRAPPER = Style((0, 0, 0), (0.5, 0, 1), (0, 0.5, 1), (0, 0.5, 1))


def script(name: str, style: Style, source: str) -> Opponent:
    """A style as a named opponent, with the hand in play as its memory."""
    return Opponent(name, style, style.mixes, source, memory=hand_view)


POOLS = Pools(
    train=(
        script("nash", nash(1 / 6), KUHN),
        script("tight", TIGHT, "SEPO's TightPassive in kind (arXiv 2605.30854)"),
        script("loose", LOOSE, "SEPO's LooseAggressive in kind (arXiv 2605.30854)"),
    ),
    exploiter=(
        script("maniac", MANIAC, "bets and calls with every card: punishes folding"),
        script("nit", NIT, "bets and calls with the king alone: punishes thin bets and calls"),
    ),
    held_out=(
        script("always_pass", ALWAYS_PASS, "never puts a second chip in"),
        script("calling_station", CALLING_STATION, "never bets, calls with Q and K"),
        script("bluffer", BLUFFER, "bets J and K, folds everything but K"),
        script("trapper", TRAPPER, "checks every first hand, then attacks"),
    ),
)
