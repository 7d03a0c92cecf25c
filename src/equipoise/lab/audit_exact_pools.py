"""Pool figures without sampling: where a game's whole tree is walked, what an agent earns from a script is computed.

A script's probabilities are known, the policy's are read from the tree's table, and a fault forfeits the game. Then
payoff, gaps and what is made of them have no interval, because nothing was drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from equipoise.core import Estimate, InformationState, Opponent
from equipoise.games.domain import Hazard, Profile
from equipoise.lab.audit_plain import Company
from equipoise.lab.results import OpponentRecord
from equipoise.metrics import GameTree, StatePolicy, fault_aware_pool_values, index_over_grid
from equipoise.metrics.sepo_index import EXPLOITABILITY, Weights

Table = Sequence[Mapping[InformationState, StatePolicy]]


@dataclass(frozen=True)
class ExactPools:
    """What an agent and each opponent earn from each other, per round, both seats alike.

    Attributes:
        own: By opponent, what the agent earns.
        theirs: By opponent, what the opponent earns.
        company: The opponents by where they come from.
    """

    own: Mapping[str, float]
    theirs: Mapping[str, float]
    company: Company

    @classmethod
    def of(cls, tree: GameTree, table: Table, company: Company) -> ExactPools | None:
        """The values in a game of two players that a tree covers whole and a forfeit ends; None in any other."""
        if tree.game.num_players != 2 or not tree.forfeits_end:
            return None
        scripts = {opponent.name: opponent for members in company.values() for opponent in members}
        found = {name: fault_aware_pool_values(tree, table, o.behaviour) for name, o in scripts.items()}
        rounds = tree.game.num_rounds
        own = {name: pair[0] / rounds for name, pair in found.items()}
        return cls(own, {name: pair[1] / rounds for name, pair in found.items()}, company)

    def estimates(self, profile: Profile, scale: float, weights: Weights | None = None) -> dict[str, Estimate]:
        """The figures of the pools, and the SEPO index where no hazard of the game can be other than it is.

        As in `metrics.components`, exploitability in the index is by the held-out pool, or where there is none by the
        exploiter pool.

        Args:
            profile: Its hazards and weights.
            scale: s of the index.
            weights: le, lc, lx; None takes the profile's.
        """
        found = {}
        train, exploiter, held_out = (self._members(pool) for pool in ("train", "exploiter", "held_out"))
        if train:
            found["payoff"] = _mean([self.own[name] for name in train])
            found["welfare"] = _mean([self.own[name] + self.theirs[name] for name in train])
        for pool, figure in EXPLOITABILITY.items():
            if members := self._members(pool):
                found[figure] = _mean([max(0.0, self._gap(name)) for name in members])
        if exploiter:
            found["pool_exploitability_unclipped"] = _mean([self._gap(name) for name in exploiter])
        if held_out:
            found["robustness"] = _mean([self.own[name] for name in held_out])
        weak = [name for name in profile.weak if name in self.own]
        if weak:
            found["exploitation"] = _mean([-self._gap(name) for name in weak])
        fixed = [_fixed(hazard) for hazard in (profile.collusion, profile.externality)]
        if train and None not in fixed:
            c, x = (0.0 if value is None else value for value in fixed)
            e = found.get(EXPLOITABILITY["held_out" if held_out else "exploiter"], 0.0)
            (found["sepo_index"],) = index_over_grid(found["payoff"], e, c, x, scale, [weights or profile.weights])
        return {name: Estimate.exact(value) for name, value in found.items()}

    def records(self, sampled: Sequence[OpponentRecord]) -> tuple[OpponentRecord, ...]:
        """The records of an audit's opponents with these payoffs and gaps."""
        return tuple(
            record.model_copy(
                update={
                    "payoff": Estimate.exact(self.own[record.opponent]),
                    "gap": Estimate.exact(self._gap(record.opponent)),
                }
            )
            for record in sampled
        )

    def _members(self, pool: str) -> list[str]:
        members: Sequence[Opponent] = self.company.get(pool, ())
        return [opponent.name for opponent in members]

    def _gap(self, name: str) -> float:
        return self.theirs[name] - self.own[name]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _fixed(hazard: Hazard | None) -> float | None:
    """The one value that a hazard can have; None where play decides it, 0 where there is no such hazard."""
    if hazard is None:
        return 0.0
    return hazard.low if hazard.low == hazard.high else None
