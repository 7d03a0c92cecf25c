"""Self-play of two agents: seat 0 and seat 1 are played by adapters of their own, trained side by side.

What self-play says of "the other seat" holds here of the other agent: a group's learner (of group g the agent of seat
g mod 2) meets the present other agent, or that agent's past, or a script or frozen model in its seat. Where both
agents are present both are trained, each as if it were alone: with the mean over its own sides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from equipoise.core import Episode
from equipoise.errors import UserError
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.policies.policy import Policy
from equipoise.training.adapters import SECOND, weights_of
from equipoise.training.joint import weighted
from equipoise.training.play import AGENT, Experience, trained_model
from equipoise.training.population import past_name
from equipoise.training.recipe import Recipe
from equipoise.training.rows import Side
from equipoise.training.self_play import FROZEN, Drawn, SelfPlay, fault_rate

NAMES = {"": AGENT, SECOND: SECOND}
"""The agents' names by the adapter of their rows."""


class TwoAgentPlay(SelfPlay):
    """Plays two agents against each other and each other's past, and credits both by one rule."""

    def _players(self, policy: LanguageModelPolicy, past: Sequence[int]) -> dict[str, Policy]:
        players = super()._players(policy, past)
        present = weights_of({name: p.data for name, p in trained_model(policy).named_parameters()}, SECOND)
        players[SECOND] = self.population.under(SECOND, policy, present)
        for step in past:
            name, weights = _seconds(past_name(step)), weights_of(self.population.weights(step, policy), SECOND)
            players[name] = self.population.under(name, policy, weights)
        return players

    def _seats(self, learner: int, opponent: str) -> tuple[str, ...]:
        if opponent == AGENT:
            return AGENT, SECOND
        if learner == 1:
            return opponent, SECOND
        return AGENT, opponent if opponent in (*self.scripts, FROZEN) else _seconds(opponent)

    def _side(self, episode: Episode, seat: int) -> Side:
        return Side(episode, int(seat), episode.of(int(seat)), SECOND if seat else "")

    def _groups(self, drawn: Sequence[Drawn]) -> list[int]:
        # a mean over all learners would mix the pay of two agents
        return [d.learner for d in drawn] if self.settings.baseline == "batch" else super()._groups(drawn)

    def _experience(
        self, sides: Sequence[Side], credits: np.ndarray, entropy: float, paid: Mapping[str, float]
    ) -> Experience:
        parts = {}
        for adapter, name in NAMES.items():
            mine = [b for b, side in enumerate(sides) if side.adapter == adapter]
            if mine:  # an agent that only its past stands for learns nothing in this step
                own = [sides[b] for b in mine]
                rows = self._rows(own, credits[mine], entropy)
                parts[name] = Experience(*rows, len(own), {"fault_rate": fault_rate(own)})
        whole = weighted(parts, 1.0)
        whole.metrics.update(paid)
        return whole

    def _counted(self, one: Drawn) -> dict[int, str]:
        seats = (0, 1) if one.opponent == AGENT else (one.learner,)
        return {seat: f"{(AGENT, SECOND)[seat]}/" for seat in seats}


def has_two_agents(recipe: Recipe) -> bool:
    """Whether a run trains two agents.

    Raises:
        ValueError: Where it asks for two agents and for something that two agents cannot have; one line.
    """
    asked = {task.objective.self_play is not None and task.self_play.agents == "two" for task in recipe.tasks}
    if not any(asked):
        return False
    refused = (
        (
            any(task.game.num_players != 2 for task in recipe.tasks),
            "a game of other than two players: each agent has a seat of its own",
        ),
        (not recipe.lora.rank, "lora.rank = 0: each agent is an adapter; set lora.rank above 0"),
        (
            len(asked) > 1,
            "a game without: the agents are those of all games; set it for all, with a self-play rule each",
        ),
        (
            any(task.objective.pools is not None for task in recipe.tasks),
            "one of SEPO's rules: its pools train one policy; leave the rule out",
        ),
        (recipe.selection.every > 0, "selection.every above 0: a choice needs one policy's index; set it to 0"),
        (
            recipe.hardware.gradient_checkpointing,
            "hardware.gradient_checkpointing: a pass through two adapters cannot be repeated; set it to false",
        ),
    )
    for is_so, reason in refused:
        if is_so:
            raise UserError(f'got self_play.agents = "two" with {reason}')
    return True


def _seconds(name: str) -> str:
    """The second agent's player of a name that the first agent has too."""
    return f"{SECOND}-{name}"
