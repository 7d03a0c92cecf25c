"""Opponents made to measure: what plays the exploiter term of the objective beside the scripted pool.

An adversary is made anew from the policy as it is, every few steps. The exact one solves the game's first rounds; in
later rounds it plays as it would in the first round that poses the same decision (`Game.as_first_round`), so what it
takes there is what a repeated first-round exploiter takes, a lower bound on the true worst case.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from equipoise.arena import Match
from equipoise.core import Action, FaultRule, Game, InformationState, Opponent
from equipoise.errors import UserError
from equipoise.games.first_rounds import FirstRounds
from equipoise.metrics.exact import mean_worst_case_advantage, nash_conv, pool_values, worst_case_response
from equipoise.metrics.exact_faults import renormalised
from equipoise.metrics.learned import LearnedTable, explorer, mixing
from equipoise.metrics.policy_table import Scored, policy_table
from equipoise.metrics.tree import GameTree
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.policies.policy import Policy
from equipoise.policies.scripted import PolicyTable, ScriptedPolicy
from equipoise.seeds import Seed
from equipoise.training.ranks import play_together

BEST_RESPONSE = "best_response"
LEARNED = "learned"
KINDS = ("pool", BEST_RESPONSE, LEARNED)
"""What the exploiter term may be played against: the scripted pool, the exact adversary, the learned one."""

EXPLORATION = 0.25
"""How often the last learned response moves at random while the next one is being learned."""


class Adversary(Protocol):
    """An opponent that follows the policy.

    Attributes:
        exact: Whether it is a best response, so that its expected gain is at least 0 and its gate stays open.
    """

    exact: bool

    @property
    def ready(self) -> bool:
        """Whether there is an opponent to play."""
        ...

    def refresh(self, policy: LanguageModelPolicy, seed: Seed) -> None:
        """Makes the opponent anew against the policy as it is; randomness is keyed by `seed` alone."""
        ...

    def opponent(self) -> Opponent:
        """The opponent of the last refresh."""
        ...

    def metrics(self) -> dict[str, float]:
        """What to log about the last refresh."""
        ...

    def state(self) -> Any:
        """The opponent as JSON, so that a resumed run goes on against the same one; None before the first refresh."""
        ...

    def restore(self, state: Any) -> None:
        """Takes up the opponent of a `state`."""
        ...


def agent_tables(policy: Scored, game: Game, tree: GameTree) -> tuple[PolicyTable, ...]:
    """A model's probabilities at every information state of a tree, renormalised over legal words, per seat."""
    return tuple(renormalised(table) for table in policy_table(policy, game, tree))


def first_rounds_tree(game: Game, rounds: int) -> GameTree:
    """The tree of the game's first rounds; 0 means all of them.

    Raises:
        ValueError: When there are not that many rounds or the tree is too large.
    """
    return GameTree(FirstRounds(game, rounds or game.num_rounds))


class ExactAdversary:
    """The opponent that takes the most, exactly: it maximises E[its own - the policy's return] over the first rounds.

    In a zero-sum game that is the best response.
    """

    exact = True

    def __init__(self, game: Game, rounds: int = 1) -> None:
        """Compiles the first rounds.

        Args:
            game: What is played.
            rounds: How many first rounds are solved; 0 means all of them.

        Raises:
            ValueError: When the tree is too large, or later rounds pose decisions that no covered round poses.
        """
        self.game = game
        self.tree = first_rounds_tree(game, rounds)
        covered = self.tree.game.num_rounds
        if covered < game.num_rounds and type(game).as_first_round is Game.as_first_round:
            raise UserError(
                f"the best response covers the first {covered} of {game.num_rounds} rounds of {game.name}, whose later "
                "rounds differ from them; set play.rounds = 0 (all), or use another adversary"
            )
        self._choices: list[list[int]] = []
        self._moves: dict[InformationState, Action] = {}
        self._gain = float("nan")

    @property
    def ready(self) -> bool:
        return bool(self._choices)

    def refresh(self, policy: Scored, seed: Seed) -> None:
        tables = agent_tables(policy, self.game, self.tree)
        moves = [_moves(worst_case_response(self.tree, tables, seat).table) for seat in range(2)]
        choices = [
            [point.legal.index(seat_moves[point.information_state]) for point in points]
            for seat_moves, points in zip(moves, self.tree.by_seat, strict=True)
        ]
        self._take_up(choices, mean_gain(self.tree, tables))

    def opponent(self) -> Opponent:
        """The response as an opponent; beyond the covered rounds it plays as it would in the first."""
        if not self.ready:
            raise UserError("the adversary has not been refreshed yet; call refresh(policy, seed) first")
        moves, game = self._moves, self.game

        def behaviour(information_state: InformationState, legal: tuple[Action, ...]) -> Mapping[Action, float]:
            action = moves.get(information_state)
            return {moves[game.as_first_round(information_state)] if action is None else action: 1.0}

        return Opponent(BEST_RESPONSE, behaviour, False, "takes the most from the current policy, solved exactly")

    def metrics(self) -> dict[str, float]:
        return {"adversary_nash_conv" if self.game.zero_sum else "adversary_gain": self._gain}

    def state(self) -> Any:
        return {"choices": self._choices, "gain": self._gain} if self.ready else None

    def restore(self, state: Any) -> None:
        if state is not None:
            self._take_up(state["choices"], state["gain"])

    def _take_up(self, choices: list[list[int]], gain: float) -> None:
        """Plays the action of each number at each information state, seat by seat."""
        self._choices, self._gain = choices, gain
        self._moves = {
            point.information_state: point.legal[choice]
            for points, numbers in zip(self.tree.by_seat, choices, strict=True)
            for point, choice in zip(points, numbers, strict=True)
        }
        if len(self._moves) < sum(map(len, choices)):
            raise UserError(f"{self.game.name} shows both seats the same state; an event must tell them apart")


class LearnedAdversary:
    """An opponent fitted to watched play, for games whose tree is too large.

    Each refresh plays the policy against a uniform explorer and, from the second refresh on, in every other episode
    against the last response with some exploration, and fits a new one. What it takes is a lower bound on the worst
    case, so its gate opens only while it takes something.
    """

    exact = False

    def __init__(self, game: Game, episodes: int, fault_rule: FaultRule) -> None:
        """Args: game: What is played. episodes: Watched per refresh. fault_rule: What the policy's faults play."""
        self.game, self.episodes, self.fault_rule = game, episodes, fault_rule
        self._table: LearnedTable | None = None

    @property
    def ready(self) -> bool:
        return self._table is not None

    def refresh(self, policy: LanguageModelPolicy, seed: Seed) -> None:
        others = [explorer(self.game)]
        if self._table is not None:
            others.append(mixing(self._table.opponent(), EXPLORATION))
        matches = []
        for deal in range(self.episodes):
            names = (policy.name, others[deal // 2 % len(others)].name)
            matches.append(Match(names if deal % 2 == 0 else names[::-1], deal))
        policies: dict[str, Policy] = {other.name: ScriptedPolicy(other) for other in others}
        policies[policy.name] = policy
        watched = play_together(self.game, policies, matches, seed=seed, fault_rule=self.fault_rule)
        self._table = LearnedTable.fitted(self.game, watched, policy.name)

    def opponent(self) -> Opponent:
        if self._table is None:
            raise UserError("the adversary has not been refreshed yet; call refresh(policy, seed) first")
        return replace(self._table.opponent(), name=LEARNED)

    def metrics(self) -> dict[str, float]:
        return {}

    def state(self) -> Any:
        return None if self._table is None else self._table.to_json()

    def restore(self, state: Any) -> None:
        if state is not None:
            self._table = LearnedTable.from_json(self.game, state)


class ExactCurve:
    """The exact figures of a policy along a run, over the game's first rounds, per round."""

    def __init__(self, game: Game, rounds: int, exploiters: Sequence[Opponent]) -> None:
        """Compiles the first rounds, fewer where the tree of so many is too large; none switches the curve off."""
        self.game, self.exploiters = game, exploiters
        self.tree: GameTree | None = None
        if game.num_players != 2 and not game.zero_sum:
            return  # the worst case compares two players
        for fewer in range(min(rounds, game.num_rounds), 0, -1):
            try:
                self.tree = GameTree(FirstRounds(game, fewer))
                return
            except ValueError:
                continue

    def figures(self, policy: LanguageModelPolicy) -> dict[str, float]:
        """NashConv of a zero-sum game, else the worst-case advantage, and the exploiter pool's gain."""
        if self.tree is None:
            return {}
        rounds = self.tree.game.num_rounds
        tables = agent_tables(policy, self.game, self.tree)
        name = "nash_conv" if self.game.zero_sum else "worst_case_advantage"
        figures = {name: mean_gain(self.tree, tables) / rounds}
        if self.exploiters:
            values = [pool_values(self.tree, tables, opponent.behaviour) for opponent in self.exploiters]
            gaps = [max(0.0, theirs - own) for own, theirs in values]
            figures["pool_exploitability"] = float(np.mean(gaps)) / rounds
        return figures


def mean_gain(tree: GameTree, tables: Sequence[PolicyTable]) -> float:
    """What the strongest opponent takes per episode, averaged over seats; NashConv where the game is zero-sum."""
    return nash_conv(tree, tables) if tree.game.zero_sum else mean_worst_case_advantage(tree, tables)


def _moves(table: PolicyTable) -> dict[InformationState, Action]:
    """The action of each row of a table that never mixes."""
    return {state: max(row, key=row.__getitem__) for state, row in table.items()}
