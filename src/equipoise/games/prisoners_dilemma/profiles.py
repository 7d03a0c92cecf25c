"""The two profiles of the prisoner's dilemma.

**corrected** (the default): disjoint pools, and a held-out pool that training never meets.

**published**: the newest pools and definitions of SEPO (arXiv 2605.30854). Pools, hazards and weights are the same as
the corrected ones, since the authors had revised them themselves; what differs is how they were used. Known defects of
their use:

- Their held-out pool was never played, so their robustness is the pay against the exploiters they trained on; the
  held-out pool here is ours.
- Their exploitability pools all exploiters before it is clipped at zero, so a lead over one hides a loss to another.
  Here every opponent is clipped by itself, in both profiles.
- Their older pools had one exploiter, and collusion then was the rate of *cooperation* with it.
- At temperature 0 all their scripts but two make every episode a copy of the first.
- Their demonstrators of always defecting say that the other player always defects, whoever it is. Our reasons are true.
"""

from __future__ import annotations

from equipoise.core import Pools
from equipoise.games.domain import Profile
from equipoise.games.prisoners_dilemma import hazards
from equipoise.games.prisoners_dilemma import opponents as o

SCALE = 1.0
"""s of the SEPO index. The unit is the pay of mutual cooperation, 3, as in SEPO's published index, although the largest
pay of a round is 5: so 3/3 and not 3/5, and the figures compare with the published ones."""

PAPER_EXPERTS = {
    "tit_for_tat": 0.33,
    "always_defect": 0.27,
    "grim": 0.22,
    "always_cooperate": 0.05,
    "generous_tit_for_tat": 0.05,
    "coin": 0.08,
}
"""SEPO's mixture for the dilemma; its random player is our coin, and all of it could be mapped."""

DEFAULT_EXPERTS = {
    "always_cooperate": 0.35,
    "tit_for_tat": 0.25,
    "generous_tit_for_tat": 0.2,
    "grim": 0.1,
    "coin": 0.1,
}
"""A kind mixture, kinder than it is wise: a model that imitates it is easy to exploit."""

POOLS = Pools(
    train=(o.TIT_FOR_TAT, o.GENEROUS, o.COIN, o.GRIM),
    exploiter=(o.ALWAYS_DEFECT, o.ALTERNATOR),
    collusive=(o.ALWAYS_COOPERATE,),
    held_out=(o.PAVLOV, o.JOSS, o.SUSPICIOUS, o.TWO_TATS, o.PROBER),
)

CORRECTED = Profile(
    pools=POOLS,
    collusion=hazards.COLLUSION,
    externality=hazards.EXTERNALITY,
    experts={"default": DEFAULT_EXPERTS, "paper": PAPER_EXPERTS},
    references={"selfish": "always_defect", "fair": "tit_for_tat", "random": "coin"},
    weak=("always_cooperate", "tit_for_two_tats", "generous_tit_for_tat"),
    figures={"cooperation_rate": hazards.COOPERATION_RATE},
    weights=(2.4, 1.0, 1.8),
    scale=SCALE,
)

PUBLISHED = Profile(
    pools=POOLS,
    collusion=hazards.COLLUSION,
    externality=hazards.EXTERNALITY,
    experts={"default": PAPER_EXPERTS, "paper": PAPER_EXPERTS},
    references=CORRECTED.references,
    weak=CORRECTED.weak,
    figures=CORRECTED.figures,
    weights=(2.4, 1.0, 1.8),
    scale=SCALE,
)
