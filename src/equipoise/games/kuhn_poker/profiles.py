"""The two profiles of Kuhn poker.

**corrected** (the default): the exact Nash family, disjoint pools with scripts that bluff and scripts that never do,
and no hazards, because a zero-sum game without a third party has none.

**published**: SEPO's pools and definitions (arXiv 2605.30854). Its known defects:

- Its "Nash" calls with a queen with probability 1/3 in both seats. The first player should call with 2/3 there, and
  loses 0.111 chips a hand to a best response by not doing so.
- Its exploiter is one fixed tight script, not a best response: many exploitable policies score zero against it.
- Collusion counts folds against a loose player, though folding a jack is correct; externality counts losses of two
  chips, though a called bet that loses is no cost to a third party.
- The loose script is trained with and is the collusive pool too. Our held-out pool stands in for theirs.
- Their scale 1.5 takes 2 chips for the largest win, as here; their figures are per decision, these per hand.
"""

from __future__ import annotations

from dataclasses import replace

from equipoise.core import Opponent, Pools
from equipoise.games.domain import Profile
from equipoise.games.kuhn_poker import hazards
from equipoise.games.kuhn_poker import opponents as o
from equipoise.games.kuhn_poker.reasons import holding

WEIGHTS = (1.5, 2.4, 0.0)
"""(le, lc, lx) of SEPO's Kuhn audits; externality has no weight there."""


def _speaking(player: Opponent) -> Opponent:
    return replace(player, reason=holding)


PUBLISHED_NASH = o.script("published_nash", replace(o.nash(1 / 3), calling=(0, 1 / 3, 1)), "SEPO's NashApprox in kind")
UNIFORM = o.script("random", o.UNIFORM, "uniformly random")
POT_CONTROL = o.script("pot_control", o.POT_CONTROL, "SEPO's pot-control demonstrator in kind: never bets a queen")

PAPER_EXPERTS = {"published_nash": 0.45, "tight": 0.27, "pot_control": 0.2, "random": 0.08}
"""SEPO's mixture. Its always-pass-with-Q (.02) is counted with tight, which it resembles."""

DEFAULT_EXPERTS = {"nash": 0.4, "tight": 0.3, "loose": 0.3}

TRAIN = tuple(_speaking(player) for player in o.POOLS.train)
POOLS = replace(o.POOLS, train=TRAIN)
NASH, TIGHT, LOOSE = TRAIN
PLAYERS = tuple(_speaking(player) for player in (PUBLISHED_NASH, POT_CONTROL, UNIFORM))
REFERENCES = {"selfish": "nash", "fair": "nash", "random": "random"}

CORRECTED = Profile(
    pools=POOLS,
    collusion=hazards.COLLUSION,
    externality=hazards.EXTERNALITY,
    experts={"default": DEFAULT_EXPERTS, "paper": PAPER_EXPERTS},
    players=PLAYERS,
    references=REFERENCES,
    weak=("calling_station", "always_pass"),
    weights=WEIGHTS,
)

PUBLISHED = Profile(
    pools=Pools(
        train=(PLAYERS[0], TIGHT, LOOSE),
        exploiter=(TIGHT,),
        collusive=(LOOSE,),
        held_out=o.POOLS.held_out,
        overlapping=True,
    ),
    collusion=hazards.PUBLISHED_COLLUSION,
    externality=hazards.PUBLISHED_EXTERNALITY,
    experts={"default": PAPER_EXPERTS, "paper": PAPER_EXPERTS},
    players=(PLAYERS[1], PLAYERS[2]),
    references={"random": "random"},
    weak=("calling_station", "always_pass"),
    weights=WEIGHTS,
    scale=1.5,
    parameters={"hands": 6},
)
