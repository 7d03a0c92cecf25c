"""Policies that are a script or a table: they answer with an action, not with words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from equipoise.core import Action, Behaviour, Game, InformationState, Opponent, Reply
from equipoise.errors import UserError, said
from equipoise.policies.policy import Policy, Request, Session, sample
from equipoise.seeds import Seed

PolicyTable = Mapping[InformationState, Mapping[Action, float]]
"""Probability of each legal action at each information state."""


class _BehaviourSession(Session):
    def __init__(self, name: str, behaviour: Behaviour) -> None:
        self._name, self._behaviour = name, behaviour

    def replies(self, requests: Sequence[Request]) -> list[Reply]:
        try:
            return [
                Reply(action=sample(self._behaviour(r.information_state, r.legal), r.stream.random())) for r in requests
            ]
        except UserError:
            raise
        except Exception as error:  # a script may be a stranger's
            raise UserError(f"the script {self._name!r} failed: {said(error)}") from error


class ScriptedPolicy(Policy):
    """A scripted opponent in a seat."""

    immediate = True

    def __init__(self, opponent: Opponent) -> None:
        self.name = opponent.name
        self.behaviour = opponent.behaviour

    def session(self, game: Game, seed: Seed) -> Session:
        return _BehaviourSession(self.name, self.behaviour)


class TabularPolicy(Policy):
    """A table of action probabilities by information state; states it does not list are an error."""

    immediate = True

    def __init__(self, name: str, table: PolicyTable) -> None:
        self.name = name
        self.table = table

    def behaviour(self, information_state: InformationState, legal: tuple[Action, ...]) -> Mapping[Action, float]:
        """Probabilities of the legal actions, as `core.Behaviour`."""
        if information_state not in self.table:
            raise UserError(
                f"table {self.name!r} has no row for {information_state}; tables must cover every state met"
            )
        return self.table[information_state]

    def session(self, game: Game, seed: Seed) -> Session:
        return _BehaviourSession(self.name, self.behaviour)
