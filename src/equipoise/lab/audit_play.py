"""The play behind an audit: who meets whom, on which common deals, under seeds that no training uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from equipoise.arena import Match, against, rollout
from equipoise.core import Episode, FaultRule, Game, Opponent, Pools
from equipoise.errors import UserError
from equipoise.metrics.opponents import opponents
from equipoise.policies.policy import Policy
from equipoise.policies.scripted import ScriptedPolicy
from equipoise.seeds import Seed


def played(
    policy: Policy,
    game: Game,
    others: Sequence[Opponent],
    deals: int,
    *,
    seed: Seed,
    fault_rule: FaultRule = "forfeit",
    progress: Callable[[int], object] | None = None,
) -> list[Episode]:
    """The policy's episodes against each of `others`, in every seat, on the same `deals` deals.

    Args:
        policy: The agent.
        game: The game; with more than two players an opponent takes all other seats.
        others: Scripted opponents; one that is named twice is met once.
        deals: Common deals.
        seed: Keys all play: equal seeds deal the same cards.
        fault_rule: What a fault plays.
        progress: Told how many episodes more are finished.

    Raises:
        ValueError: When an opponent has the agent's name.
    """
    scripts = {opponent.name: ScriptedPolicy(opponent) for opponent in others}
    if policy.name in scripts:
        raise UserError(
            f"the agent is named {policy.name!r} like one of its opponents; give it another name, for example "
            "ScriptedPolicy(dataclasses.replace(opponent, name='agent'))"
        )
    matches = against(policy.name, list(scripts), [None] * deals, players=game.num_players)
    players: dict[str, Policy] = {**scripts, policy.name: policy}
    return rollout(game, players, matches, seed=seed, fault_rule=fault_rule, progress=progress)


def alone(
    policy: Policy,
    game: Game,
    deals: int,
    *,
    seed: Seed,
    fault_rule: FaultRule = "forfeit",
    progress: Callable[[int], object] | None = None,
) -> list[Episode]:
    """The policy's episodes against itself: one on each deal, with the policy in all seats.

    Args:
        policy: The agent.
        game: The game.
        deals: Deals, the same as those of `played` under the same seed.
        seed: Keys all play.
        fault_rule: What a fault plays.
        progress: Told how many episodes more are finished.
    """
    matches = [Match((policy.name,) * game.num_players, deal) for deal in range(deals)]
    return rollout(game, {policy.name: policy}, matches, seed=seed, fault_rule=fault_rule, progress=progress)


def by_opponent(episodes: Sequence[Episode], agent: str) -> dict[str, list[Episode]]:
    """The episodes by the other player's name, in order of first meeting."""
    found: dict[str, list[Episode]] = {}
    for episode, opponent in zip(episodes, opponents(episodes, agent), strict=True):
        found.setdefault(opponent, []).append(episode)
    return found


def by_pool(met: Mapping[str, Sequence[Episode]], pools: Pools) -> dict[str, list[Episode]]:
    """The episodes against the opponents of each pool; overlapping pools share episodes."""
    return {pool: [e for o in pools.of(pool) for e in met.get(o.name, ())] for pool in pools.names}
