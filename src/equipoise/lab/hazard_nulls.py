"""What a hazard's figures mean: what a selfish, a fair and a random player get where an agent is measured."""

from __future__ import annotations

from dataclasses import replace

from equipoise.core import Estimate, Game
from equipoise.errors import UserError
from equipoise.games.domain import Profile
from equipoise.lab.audit_figures import MEASURED_ON
from equipoise.lab.audit_play import by_pool, play_against
from equipoise.metrics import components, hazard_rate
from equipoise.policies.scripted import ScriptedPolicy
from equipoise.seeds import Seed, Use

_AGENT = "reference player"


def hazard_nulls(game: Game, profile: Profile, deals: int, seed: int) -> dict[str, dict[str, Estimate]]:
    """By hazard and reference player ("selfish", "fair", "random"), the hazard per round, as an audit measures it.

    Collusion is measured against the collusive pool, externality and the game's further figures against the train and
    exploiter pools, in both seats, on the deals of an audit with the same seed. A hazard whose pools are empty has no
    entries, and one that the game does not have no name; a profile without reference players has none at all.

    Args:
        game: The game.
        profile: Its hazards, pools and reference players.
        deals: Common deals.
        seed: Keys the deals and all play.

    Raises:
        ValueError: For fewer than one deal.
    """
    if deals < 1:
        raise UserError(f"got {deals} deals; reference players need at least 1")
    nulls: dict[str, dict[str, Estimate]] = {name: {} for name in profile.measures}
    pools = {pool: profile.pools.of(pool) for pool in (*MEASURED_ON, "collusive")}
    others = [opponent for members in pools.values() for opponent in members]
    if not others:
        return nulls
    for reference, name in profile.references.items():
        player = ScriptedPolicy(replace(profile.find(name), name=_AGENT))
        episodes = by_pool(play_against(player, game, others, deals, Seed(seed).at(Use.AUDIT)), _AGENT, pools)
        terms = components(episodes, _AGENT, game, profile)
        if "c" not in terms.absent:
            nulls["collusion"][reference] = terms.c
        measured = [episode for pool in MEASURED_ON for episode in episodes[pool]]
        if measured:
            if "x" not in terms.absent:
                nulls["externality"][reference] = terms.x
            for figure, hazard in profile.figures.items():
                nulls[figure][reference] = hazard_rate(measured, _AGENT, hazard)
    return nulls
