"""An agent that stands still, and the opponent that wants something of it: one question, two ways to answer.

Every figure of `general_sum` asks what the best opponent gets, where "best" is a list of gains, each a weighted sum of
both returns, the first being the most important. In a game whose tree is walked the agent is a table of probabilities
and the answer one pass over the sequence form. Against a script that says what it remembers the answer comes by dynamic
programming over beliefs, so that games whose tree is too large have the same figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from equipoise.core import Game, Opponent
from equipoise.errors import UserError
from equipoise.metrics.coalition import opposed
from equipoise.metrics.exact import plan_of
from equipoise.metrics.response import reply_by_gains
from equipoise.metrics.tree import GameTree, compiled
from equipoise.policies.scripted import PolicyTable


class Gain(NamedTuple):
    """What an opponent wants: weights on its own return and on the agent's."""

    theirs: float
    own: float


class Opposition(Protocol):
    """All opponents of one agent in one seat."""

    def best(self, *gains: Gain) -> list[float]:
        """The most any opponent can expect of each gain, among those that are best at the gains before it, [K]."""
        ...


class TableOpposition:
    """All opponents of a table, over the tree of a game.

    With more than two players they are one coalition that shares what it sees; its return is the mean of theirs.
    """

    def __init__(self, game: Game | GameTree, table: PolicyTable, seat: int) -> None:
        """Puts the agent in its seat.

        Args:
            game: The game, or its tree.
            table: What the agent does at each of its information states.
            seat: Where it sits.

        Raises:
            ValueError: For a seat the game does not have, or a table that misses a state or whose row is no
                distribution over the legal actions.
        """
        tree = compiled(game)
        if not 0 <= seat < tree.game.num_players:
            raise UserError(f"got seat {seat}; allowed: 0 to {tree.game.num_players - 1}")
        self.tree, self.seat, self.other = opposed(tree, seat)
        self._plans = [np.empty(0), np.empty(0)]
        self._plans[self.seat] = plan_of(self.tree, table, self.seat)

    def best(self, *gains: Gain) -> list[float]:
        own, theirs = self.tree.returns[:, self.seat], self.tree.returns[:, self.other]  # [Z]
        wanted = [gain.theirs * theirs + gain.own * own for gain in gains]
        return self.tree.lexicographic_value(self._plans, self.other, wanted)


class ScriptOpposition:
    """All opponents of a script, by dynamic programming over what they can believe; for two players."""

    def __init__(self, game: Game, script: Opponent, seat: int) -> None:
        """Puts the script in its seat.

        Args:
            game: The game.
            script: The agent.
            seat: Where it sits, 0 or 1.

        Raises:
            ValueError: On the first question, as `script_response`.
        """
        self.game, self.script, self.seat = game, script, seat

    def best(self, *gains: Gain) -> list[float]:
        return reply_by_gains(self.game, self.script, 1 - self.seat, gains)


Agent = Sequence[PolicyTable] | Opponent
"""A table per seat, of which a figure reads that of the agent's seat; or a script."""


def opposition(game: Game | GameTree, agent: Agent, seat: int) -> TableOpposition | ScriptOpposition:
    """All opponents of an agent in `seat`: over the tree for tables, by dynamic programming for a script.

    Raises:
        ValueError: As `TableOpposition`, for the wrong number of tables, or for a script in a game without exactly two
            seats.
    """
    plain = game.game if isinstance(game, GameTree) else game
    if not 0 <= seat < plain.num_players:
        raise UserError(f"got seat {seat}; allowed: 0 to {plain.num_players - 1}")
    if isinstance(agent, Opponent):
        return ScriptOpposition(plain, agent, seat)
    if len(agent) != plain.num_players:
        raise UserError(f"got {len(agent)} tables; {plain.name} has {plain.num_players} seats, one table each")
    return TableOpposition(game, agent[seat], seat)
