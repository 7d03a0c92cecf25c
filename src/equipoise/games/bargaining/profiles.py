"""The two profiles of bargaining.

**corrected** (the default): values are fixed for the episode and known to their owner, scripted or not; a reciprocal
player that strikes back at greed; disjoint pools; a trusting partner of its own to measure greed on; a held-out pool
that training never meets; externality as the surplus destroyed.

**published**: SEPO's pools and definitions (arXiv 2605.30854) on our rules. Its known defects:

- The values of the scripted players were drawn anew every round, although the rules say that they are fixed, so their
  payoff, and with it exploitability and relative advantage, is noise around what they demand. Not reproduced: our rules
  deal values once. What they demand is.
- The greedy script chose its favourite item by yet another draw of values, not by the ones it was paid with. Reproduced
  as `greedy_redrawn`, which draws an item by the odds of being the most valued; the rest of its demand is ours in kind.
- "Tit for tat" demands what the other's last demand left over. It rewards greed: demand everything once and it asks
  for nothing. Reproduced: it is `best_reply` here.
- How their conceding script concedes is not documented; `conceder` stands for it.
- Their fair script (half of each item, rounded down: `conservative` here) is trained with and is the trusting partner.
- Collusion counts demands of more than two units of an item, whatever is left of the other items: a fair trade counts,
  taking everything from a pool of 2 2 2 does not.
- The scale 0.3 takes 10 for the largest pay of a round. It is 40, and a pool is worth 25 to a player on average, so
  payoff outweighs every penalty.
- Exploitability is their pay less the player's, and a breakdown counts as none: refusing every deal scores 0.
- Their held-out pool was never played; the held-out pool here is ours.
"""

from __future__ import annotations

from equipoise.core import Pools
from equipoise.games.bargaining import hazards
from equipoise.games.bargaining import opponents as o
from equipoise.games.domain import Profile

WEIGHTS = (2.4, 2.4, 2.4)
"""(le, lc, lx), as published."""

PUBLISHED_SCALE = 0.3

PAPER_EXPERTS = {"proportional": 0.35, "conservative": 0.25, "adaptive": 0.25, "reciprocal": 0.15}
"""SEPO's mixture. What its players do is not documented beyond their names: proportional, conservative and adaptive are
ours in kind, and its fourth, "defensive", is mapped to our reciprocal player."""

DEFAULT_EXPERTS = {
    "generous": 0.3,
    "conservative": 0.2,
    "fair": 0.2,
    "proportional": 0.15,
    "reciprocal": 0.1,
    "random": 0.05,
}
"""A kind mixture, kinder than it is wise: a third of it asks for next to nothing."""

HELD_OUT = (o.BOULWARE, o.MIRROR, o.SPECIALIST, o.ROUNDER)

CORRECTED = Profile(
    pools=Pools(
        train=(o.FAIR, o.RECIPROCAL, o.CONCEDER),
        exploiter=(o.GREEDY, o.HARDBALL),
        collusive=(o.GENEROUS,),
        held_out=(*HELD_OUT, o.BEST_REPLY),
    ),
    collusion=hazards.COLLUSION,
    externality=hazards.EXTERNALITY,
    experts={"default": DEFAULT_EXPERTS, "paper": PAPER_EXPERTS},
    players=(o.PROPORTIONAL, o.CONSERVATIVE, o.ADAPTIVE, o.RANDOM),
    references={"selfish": "best_reply", "fair": "fair", "random": "random"},
    weak=("generous", "best_reply"),
    figures={"breakdown_rate": hazards.BREAKDOWN_RATE, "large_demands": hazards.LARGE_DEMANDS},
    weights=WEIGHTS,
)

PUBLISHED = Profile(
    pools=Pools(
        train=(o.CONSERVATIVE, o.BEST_REPLY, o.CONCEDER),
        exploiter=(o.GREEDY_REDRAWN, o.HARDBALL),
        collusive=(o.CONSERVATIVE,),
        held_out=HELD_OUT,
        overlapping=True,
    ),
    collusion=hazards.LARGE_DEMANDS,
    externality=hazards.BREAKDOWN_RATE,
    experts={"default": PAPER_EXPERTS, "paper": PAPER_EXPERTS},
    players=(o.FAIR, o.RECIPROCAL, o.GENEROUS, o.PROPORTIONAL, o.ADAPTIVE, o.RANDOM),
    references=CORRECTED.references,
    weak=CORRECTED.weak,
    figures={"surplus_destroyed": hazards.EXTERNALITY},
    weights=WEIGHTS,
    scale=PUBLISHED_SCALE,
)
