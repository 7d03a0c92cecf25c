"""A best-response probe: a fresh naive learner is trained against a frozen agent, and what it gains is measured.

The learner starts from an untrained model and maximises its own pay alone against the agent, which never changes. What
it then earns from the agent, less what the agent earns from itself, is a lower bound on the agent's exploitability in
self-play terms: a stronger learner, or a longer training, might earn more.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.core import Estimate, Game
from equipoise.errors import UserError
from equipoise.lab.crossplay import CrossplaySettings, cooperation_in, met, talk_in
from equipoise.lab.crossplay_meeting import Meeting, meeting_of
from equipoise.lab.results import ProbeFigures
from equipoise.metrics.cooperation import share_of
from equipoise.metrics.estimate import clustered_mean, paired_difference
from equipoise.metrics.payoff import payoff_bounds
from equipoise.policies.policy import Policy
from equipoise.training.progress import Counting
from equipoise.training.recipe import Recipe, parse_recipe
from equipoise.training.run import train

AGENT, PROBE = "agent", "probe"


def of_one_game(recipe: Recipe) -> Recipe:
    """The recipe with what it says in [by_game] of its one game said for the whole run.

    Raises:
        ValueError: For a recipe of several games.
    """
    if len(recipe.names) > 1:
        raise UserError(
            f"a probe plays one game, and the recipe has {len(recipe.names)}: {', '.join(recipe.names)}; "
            f"choose one, for example --set game={recipe.names[0]}"
        )
    (name,) = recipe.names
    table: dict[str, Any] = tomllib.loads(recipe.to_toml())
    own = table.pop("by_game").get(name, {})
    for section, changes in own.items():
        table["game_parameters" if section == "parameters" else section] |= changes
    return parse_recipe({**table, "game": name, "games": []})


def probe_recipe(recipe: Recipe, agent: Path | str, steps: int) -> Recipe:
    """The recipe of a probe of the agent in `agent`: as the agent's own, but naive and always against it.

    The last policy becomes the probe: a choice by the SEPO index would not be one by what it gains.

    Args:
        recipe: Of one game, for the game, the model to start from and every other setting.
        agent: The model to probe: its folder, or the name of an embedded one.
        steps: How long the probe learns.

    Raises:
        ValueError: For a recipe of several games.
    """
    table: dict[str, Any] = tomllib.loads(of_one_game(recipe).to_toml())
    table["objective"] |= {"rule": "naive"}
    table["selection"] |= {"every": 0}
    table["past"] |= {"probability": 1.0, "frozen": str(agent), "scripts": []}
    table["self_play"] |= {"trained": "one", "agents": "one"}
    table["rl"] |= {"steps": steps}
    return parse_recipe(table)


def train_probe(recipe: Recipe, agent: Path | str, steps: int, out: Path) -> Path:
    """Trains a probe of the agent in `agent` and returns its folder; an interrupted one is continued."""
    return train(probe_recipe(recipe, agent, steps), out, resume=(out / "recipe.toml").is_file(), label="probe")


def measure_probe(
    game: Game,
    agent: Policy,
    probe: Policy,
    settings: CrossplaySettings,
    progress: Counting = lambda more, total: None,
) -> ProbeFigures:
    """What a trained probe earns from the agent, on deals that no training sees, in both seats.

    Args:
        game: What is played.
        agent: The agent that was probed.
        probe: The learner, trained against it.
        settings: How much is played.
        progress: Told of the matches as they are played.
    """
    players: Mapping[str, Policy] = {AGENT: agent, PROBE: probe}
    cooperation, talk = cooperation_in(game), talk_in(game)
    pairs = ((PROBE, AGENT), (AGENT, PROBE), (AGENT, AGENT))
    total = len(pairs) * settings.matches
    progress(0, total)

    def meeting(seats: tuple[str, str]) -> Meeting:
        return meeting_of(met(game, players, seats, settings, lambda more: progress(more, total)), cooperation, talk)

    ahead, behind, itself = map(meeting, pairs)
    deals = [*ahead.deals, *behind.deals]
    probed = np.concatenate([ahead.pay[:, 0], behind.pay[:, 1]])
    probing = np.concatenate([ahead.pay[:, 1], behind.pay[:, 0]])
    alone = np.concatenate([itself.pay[:, 0], itself.pay[:, 1]])
    bounds = payoff_bounds(game)
    pay, agent_pay, self_play = (
        clustered_mean(scores, deals, method="t over deals", bounds=bounds) for scores in (probed, probing, alone)
    )
    return ProbeFigures(
        pay=pay,
        agent_pay=agent_pay,
        self_play=self_play,
        gain=paired_difference(probed, alone, deals, bounds=bounds),
        fault_rate=_faults(ahead, behind, 0),
        agent_fault_rate=_faults(ahead, behind, 1),
    )


def _faults(ahead: Meeting, behind: Meeting, seat: int) -> Estimate:
    """Faults of the player that sits in `seat` of `ahead` and in the other one of `behind`, by decision."""
    faulty = np.concatenate([ahead.faults[:, seat], behind.faults[:, 1 - seat]])
    taken = np.concatenate([ahead.decisions[:, seat], behind.decisions[:, 1 - seat]])
    found = share_of(faulty, taken, [*ahead.deals, *behind.deals])
    assert found is not None, "every match asks both players"
    return found
