"""Scripted bidders of the auction.

A script is a memory (what it keeps of what it has seen) and what it bids with that memory: one bid, or several with
their probabilities. Its own value of the current round is part of the memory of every script that looks at it. Rounds
that a bidder forfeited leave the rest of the memory as it was.
"""

from __future__ import annotations

from collections.abc import Mapping

from equipoise.core import Action, InformationState
from equipoise.games.auction import reasons
from equipoise.games.auction.rules import BIDS
from equipoise.games.history import own_seat, played_moves
from equipoise.games.scripts import FOLKLORE, Odds, Script, mixed, nothing, pure

SEPO = "arXiv 2605.30854"
OURS = "ours"

Bids = int | Odds


def own_value(information_state: InformationState) -> int | None:
    """The bidder's own value in the round being bid for; None between rounds."""
    for event in reversed(information_state):
        if event.kind == "value":
            return int(event.value)
        if event.kind in ("act", "forfeit"):
            return None
    return None


def value_and_last_of_other(information_state: InformationState) -> tuple[int | None, int]:
    """The own value, and the other's newest bid; 0 before its first."""
    rounds = played_moves(information_state)
    return own_value(information_state), rounds[-1][1] if rounds else 0


def last_of_other(information_state: InformationState) -> int:
    """The other's newest bid; 0 before its first."""
    return value_and_last_of_other(information_state)[1]


def value_and_outcome(information_state: InformationState) -> tuple[int | None, int, bool]:
    """The own value, the own newest bid (0 before the first), and whether it won."""
    seat = own_seat(information_state)
    winners = [event.player for event in information_state if event.kind == "won"]
    rounds = played_moves(information_state)
    return own_value(information_state), rounds[-1][0] if rounds else 0, bool(winners) and winners[-1] == seat


def value_and_peace(information_state: InformationState) -> tuple[int | None, bool]:
    """The own value, and whether the other has never bid more than 1."""
    return own_value(information_state), all(other == 1 for _, other in played_moves(information_state))


def by_value(low: Bids, high: Bids) -> Script:
    """A script that looks at its value alone: what it bids with value 2 and with value 4."""
    return Script(own_value, {2: low, 4: high}.__getitem__)


def constant(bids: Bids) -> Script:
    """A script that always bids the same, whatever its value."""
    return Script(nothing, lambda memory: bids)


def _one_more(memory: tuple[int, int]) -> int:
    value, last = memory
    return min((last or 1) + 1, value, 3)


def _same(memory: tuple[int, int]) -> int:
    value, last = memory
    return min(last or 1, value)


def _raise_until_won(memory: tuple[int, int, bool]) -> int:
    value, last, won = memory
    return max(1, min(last - 1 if won else last + 1, value, 3))


def _ring(memory: tuple[int, bool]) -> int:
    value, peace = memory
    return 1 if peace else value - 1


EVENLY: Mapping[Action, float] = dict.fromkeys(BIDS, 1 / len(BIDS))

TRUTHFUL = pure("truthful", by_value(1, 3), f"SEPO's Truthful in kind ({SEPO}): 1 below its value", reasons.gain)
SHADED = pure("shaded", by_value(1, 2), "the competitive equilibrium; SEPO's value bid", reasons.gain)
CONSERVATIVE = mixed(
    "conservative", by_value(1, {1: 0.5, 2: 0.5}), f"SEPO's Conservative in kind ({SEPO})", reasons.gain
)
AGGRESSIVE = pure("aggressive", by_value(2, 3), f"SEPO's Aggressive in kind ({SEPO})", reasons.gain)
ADAPTIVE = pure(
    "adaptive",
    Script(value_and_last_of_other, _one_more),
    f"SEPO's Adaptive, never above its value ({SEPO})",
    reasons.outbids,
)
LOW_BIDDER = pure("low_bidder", constant(1), f"SEPO's CollusiveLow ({SEPO})", reasons.bids_low)
RANDOM = mixed("random", constant(EVENLY), FOLKLORE, reasons.tells_value)

MIXER = mixed("mixer", by_value({1: 0.75, 2: 0.25}, {2: 0.5, 3: 0.5}), OURS)
RAISER = pure("raiser", Script(value_and_outcome, _raise_until_won), OURS)
MATCHER = pure("matcher", Script(value_and_last_of_other, _same), FOLKLORE)
RING = pure("ring", Script(value_and_peace, _ring), "a bidding ring that ends at the first higher bid")
MIDDLE = pure("middle", constant(2), FOLKLORE)

BLIND_TRUTHFUL = mixed("blind_truthful", constant({1: 0.5, 2: 0.5}), f"SEPO's Truthful as released ({SEPO})")
BLIND_AGGRESSIVE = pure("blind_aggressive", constant(3), f"SEPO's Aggressive as released ({SEPO})")
BLIND_ADAPTIVE = pure(
    "blind_adaptive",
    Script(last_of_other, lambda last: min((last or 1) + 1, 3)),
    f"SEPO's Adaptive as released ({SEPO})",
)
