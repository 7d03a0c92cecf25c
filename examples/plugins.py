"""One file with an opponent, a metric, a hazard and a credit rule: the code that docs/plugins.md walks through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from equipoise import (
    AuditSettings,
    CreditBatch,
    CreditWeights,
    Episode,
    Estimate,
    Opponent,
    Rule,
    ScriptedPolicy,
    audit,
    crossplay,
    find,
    make_game,
)
from equipoise.core import Action, InformationState
from equipoise.games.domain import Hazard
from equipoise.metrics import clustered_mean


def stubborn(information_state: InformationState, legal: tuple[Action, ...]) -> Mapping[Action, float]:
    """Plays the last of its legal actions, whatever it has seen."""
    return {legal[-1]: 1.0}


STUBBORN = Opponent("stubborn", stubborn, stochastic=False, source="an example")


def best_deal(episodes: Sequence[Episode], agent: str) -> Estimate:
    """The mean over deals of the agent's best return on a deal, whoever it met there."""
    best: dict[int, float] = {}
    for episode in episodes:
        own = episode.returns[episode.policies.index(agent)]
        best[episode.deal] = max(own, best.get(episode.deal, own))
    return clustered_mean(list(best.values()), list(best))


def _ahead(episode: Episode, seat: int) -> np.ndarray:
    return np.array([float(rewards[seat] == max(rewards)) for rewards in episode.rewards])


AHEAD = Hazard(_ahead, "rounds in which nobody was paid more than the agent")


def cautious(batch: CreditBatch, weights: CreditWeights) -> np.ndarray:
    """Credits own advantages, losses twice, [B, T]."""
    own, _ = batch.advantages(weights.discount)
    return np.where(own < 0, 2 * own, own)


CAUTIOUS = Rule(cautious, "self_play")


def main() -> None:
    """Finds each by the name of this file, as every command does, and uses it."""
    here = Path(__file__)
    game = make_game("kuhn_poker")
    player = ScriptedPolicy(find("opponent", f"{here}:STUBBORN"))
    table = crossplay(game, {"stubborn": player, "uniform": ScriptedPolicy(find("opponent", "uniform"))}, matches=50)
    print(f"stubborn earns {table.cell('stubborn', 'uniform').pay} chips a hand from uniform")
    settings = AuditSettings(deals=50, metrics=(f"{here}:best_deal",), hazards=(f"{here}:AHEAD",))
    figures = audit(player, game, settings).agents[0].estimates
    print(f"best deal: {figures['best_deal']}; ahead: {figures['AHEAD']}")
    print(f"the rule credits {find('credit_rule', f'{here}:CAUTIOUS').play}")


if __name__ == "__main__":
    main()
