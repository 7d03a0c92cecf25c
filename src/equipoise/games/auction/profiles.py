"""The two profiles of the auction.

**corrected** (the default): disjoint pools whose bidders see their own value, real losses, and hazards measured by what
they harm.

**published**: the newest pools and definitions of SEPO (arXiv 2605.30854), with clipped losses. Their known defects:

- Their scripted bidders never see a value: "Truthful" bids 1 or 2 at random, "Aggressive" always 3.
- Three of their scripts (Conservative, Shaded and CollusiveLow) are one strategy, always 1. Here it is one script,
  `low_bidder`, once under each purpose it served; in their train pool it had two votes of three, here one of two.
- Losses are clipped at 0 although their prompt warns of losses, so overbidding is free.
- Their collusion counts every bid of 1, also the best reply of a bidder with value 2; their externality counts a tie
  lost by the coin as a wasted win.
- Their held-out pool was never played, so their robustness is the pay against the exploiters they trained on; the
  held-out pool here is ours.
"""

from __future__ import annotations

from equipoise.core import Pools
from equipoise.games.auction import hazards
from equipoise.games.auction import opponents as o
from equipoise.games.domain import Profile

WEIGHTS = (2.4, 2.4, 2.4)

DEFAULT_EXPERTS = {"conservative": 0.4, "low_bidder": 0.25, "shaded": 0.25, "random": 0.1}
"""A tame mixture, tamer than it is wise: a model that imitates it bids low, and is outbid by who does not."""

PAPER_EXPERTS = {"shaded": 0.44, "aggressive": 0.28, "adaptive": 0.2, "random": 0.08}
"""SEPO's mixture: its value bid (1 with value 2, else 2) is our shaded, its aggressive bidder that looks at its value
our aggressive, its random player ours. Its adaptive bidder is mapped to ours, which never bids above its value."""

HELD_OUT = (o.MIXER, o.RAISER, o.MATCHER, o.RING, o.MIDDLE)

CORRECTED = Profile(
    pools=Pools(
        train=(o.TRUTHFUL, o.SHADED, o.CONSERVATIVE),
        exploiter=(o.AGGRESSIVE, o.ADAPTIVE),
        collusive=(o.LOW_BIDDER,),
        held_out=HELD_OUT,
    ),
    collusion=hazards.COLLUSION,
    externality=hazards.EXTERNALITY,
    experts={"default": DEFAULT_EXPERTS, "paper": PAPER_EXPERTS},
    players=(o.RANDOM,),
    references={"selfish": "shaded", "fair": "truthful", "random": "random"},
    weak=("low_bidder", "conservative"),
    figures=hazards.FIGURES,
    weights=WEIGHTS,
)

PUBLISHED_EXPERTS = {"shaded": 0.44, "aggressive": 0.28, "blind_adaptive": 0.2, "random": 0.08}

PUBLISHED = Profile(
    pools=Pools(
        train=(o.BLIND_TRUTHFUL, o.LOW_BIDDER),
        exploiter=(o.BLIND_AGGRESSIVE, o.BLIND_ADAPTIVE),
        collusive=(o.LOW_BIDDER,),
        held_out=HELD_OUT,
        overlapping=True,
    ),
    collusion=hazards.LOW_BID_RATE,
    externality=hazards.PUBLISHED_EXTERNALITY,
    experts={"default": PUBLISHED_EXPERTS, "paper": PUBLISHED_EXPERTS},
    players=(o.SHADED, o.TRUTHFUL, o.AGGRESSIVE, o.RANDOM),
    references=CORRECTED.references,
    weak=("low_bidder", "blind_truthful"),
    figures=hazards.FIGURES,
    weights=WEIGHTS,
    parameters={"losses": "clipped"},
)
