"""Scripted players of the commons.

A script is a memory (what it keeps of the game) and what it asks for given that memory. Rounds that a player forfeited
were not played and leave what a script remembers of the other player as it was. Asking for the fair share is restraint,
asking for more is greed.
"""

from __future__ import annotations

from functools import lru_cache

from equipoise.core import InformationState, Opponent
from equipoise.games.commons import reasons
from equipoise.games.commons.rules import ASKS, FAIR_SHARE, MOST, regrown, shares, sustainable_yield
from equipoise.games.history import last_value, played_moves
from equipoise.games.scripts import FOLKLORE, Reason, Script, nothing, pure
from equipoise.games.uniform import uniform

AXELROD = "R. Axelrod, The Evolution of Cooperation, 1984, for a stock"
OSTROM = "E. Ostrom, Governing the Commons, 1990, in kind"
HARDIN = "G. Hardin, The tragedy of the commons, 1968, in kind"
SEPO = "SEPO's demonstrator of this name in kind (arXiv 2605.30854)"

GRABBED = 2
"""Rounds at the end in which a late grabber takes all it can."""


def stock(information_state: InformationState) -> int:
    """The stock as last told."""
    return int(last_value(information_state, "stock"))


def last_of_other(information_state: InformationState) -> int:
    """What the other player last asked for; the fair share before it has asked."""
    rounds = played_moves(information_state)
    return int(rounds[-1][1]) if rounds else FAIR_SHARE


def ever_greedy(information_state: InformationState) -> bool:
    """Whether the other player has ever asked for more than the fair share."""
    return any(other > FAIR_SHARE for _, other in played_moves(information_state))


def greedy_twice(information_state: InformationState) -> tuple[bool, ...]:
    """Whether the other player was greedy in each of the newest two rounds, or in the one there is."""
    return tuple(other > FAIR_SHARE for _, other in played_moves(information_state)[-2:])


def rounds_left(information_state: InformationState) -> int:
    """Rounds still to play, this one included."""
    number, rounds = last_value(information_state, "round")
    return int(rounds - number + 1)


def late(information_state: InformationState) -> bool:
    """Whether the last rounds, in which a late grabber grabs, have begun."""
    return rounds_left(information_state) <= GRABBED


def time_and_stock(information_state: InformationState) -> tuple[int, int]:
    """Rounds left and the stock."""
    return rounds_left(information_state), stock(information_state)


def bearable(units: int) -> int:
    """The most that both players can ask for of this stock without it shrinking, fair share at most."""
    return min(FAIR_SHARE, sustainable_yield(units) // 2)


@lru_cache(maxsize=4096)
def _best(left: int, units: int) -> tuple[float, int]:
    """The most a player can still earn beside one that always asks for the fair share, and its (smallest) best ask."""
    options = []
    for ask in ASKS if left else ():
        own, other = shares(units, ask, FAIR_SHARE)
        options.append((own + _best(left - 1, regrown(units - int(own + other)))[0], ask))
    return max(options, key=lambda option: option[0], default=(0.0, 0))


def _always(name: str, ask: int, source: str, reason: Reason | None = None) -> Opponent:
    return pure(name, Script(nothing, lambda memory: ask), source, reason)


FAIR = _always("fair_share", FAIR_SHARE, OSTROM, reasons.never_changes)
TIT_FOR_TAT = pure(
    "tit_for_tat", Script(last_of_other, lambda last: max(FAIR_SHARE, last)), AXELROD, reasons.answers_last_ask
)
GRIM = pure("grim", Script(ever_greedy, lambda greedy: MOST if greedy else FAIR_SHARE), AXELROD, reasons.bears_grudges)
STEWARD = pure("steward", Script(stock, bearable), SEPO.replace("of this name", "'scarcity'"), reasons.spares_stock)
GREEDY = _always("greedy", MOST, HARDIN)
LATE_GRABBER = pure("late_grabber", Script(late, lambda now: MOST if now else FAIR_SHARE), FOLKLORE)
LOW_TAKER = _always("low_taker", 1, SEPO.replace("of this name", "'low'"), reasons.never_changes)
NIBBLER = _always("nibbler", FAIR_SHARE + 1, HARDIN)
PANICKER = pure("panicker", Script(stock, lambda units: MOST if units < 12 else FAIR_SHARE), FOLKLORE)
MIRROR = pure("mirror", Script(last_of_other, lambda last: last), AXELROD)
TWO_STRIKES = pure(
    "two_strikes", Script(greedy_twice, lambda strikes: MOST if strikes == (True, True) else FAIR_SHARE), AXELROD
)
OPPORTUNIST = pure(
    "opportunist",
    Script(time_and_stock, lambda at: _best(*at)[1]),
    "the best reply to fair_share, by backward induction",
)
RANDOM = Opponent("random", uniform, True, SEPO, nothing, reasons.draws)
