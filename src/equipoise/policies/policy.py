"""What a policy is: something that answers requests, many at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from equipoise.core import Action, Event, Game, InformationState, Reply
from equipoise.errors import UserError
from equipoise.games.text import Wording
from equipoise.seeds import Seed, Stream


@dataclass(frozen=True, slots=True)
class Request:
    """One decision a policy has to take.

    Attributes:
        episode: Index of the episode within the session.
        seat: Who decides.
        information_state: All the seat has seen.
        unread: The part of it the seat's transcript does not hold yet (its own last action is left out when its own
            reply already said it).
        legal: The legal actions.
        stream: The episode's random numbers.
    """

    episode: int
    seat: int
    information_state: InformationState
    unread: tuple[Event, ...]
    legal: tuple[Action, ...]
    stream: Stream


class Session(ABC):
    """A policy at work on a batch of episodes; it may keep transcripts and caches between their turns."""

    @abstractmethod
    def replies(self, requests: Sequence[Request]) -> list[Reply]:
        """One reply per request, in order."""

    def retract(self, requests: Sequence[Request]) -> None:
        """Forgets the last reply to each request, as if it had not been asked (fault rule `resample`)."""
        raise UserError(f"{type(self).__name__} has no fault rule 'resample'; use forfeit or random_legal")

    def constrained(self, requests: Sequence[Request]) -> list[Action]:
        """One legal action per request, drawn from the policy's own probabilities renormalised over legal words."""
        raise UserError(f"{type(self).__name__} has no fault rule 'constrained'; use forfeit, resample or random_legal")


class Policy(ABC):
    """A player. `immediate` policies answer inside the arena's inner loop; the others are asked in batches."""

    name: str
    immediate: bool = False

    @property
    def wording(self) -> Wording:
        """How it is asked for its move; a player that reads no words is shown on a page as if it was asked in full."""
        return "full"

    @abstractmethod
    def session(self, game: Game, seed: Seed) -> Session:
        """A fresh session for a batch of episodes of `game`; `seed` keys the policy's own randomness."""


def sample(probabilities: Mapping[Action, float], uniform: float) -> Action:
    """The action at `uniform` in [0, 1) on the cumulative distribution."""
    total = 0.0
    chosen: Action | None = None
    for action, p in probabilities.items():
        if p > 0.0:
            total += p
            chosen = action
            if uniform < total:
                break
    assert chosen is not None, "a distribution needs a positive probability"
    return chosen
