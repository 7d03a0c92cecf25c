"""What a player did in each round of an episode of trust and split, for hazards and metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from equipoise.core import Episode
from equipoise.games.free_text import text_limit
from equipoise.games.trust_and_split.deal import BEATS
from equipoise.games.trust_and_split.seen import current


@dataclass(frozen=True, slots=True)
class Played:
    """One round, by what was played in it.

    Attributes:
        hand: The player's hand; None where it had nothing to decide before the round was over.
        message: What it said; None where it said nothing, or the game has no talk.
        claim: What it claimed; None where a player forfeited the round.
        upper: Whether it had the upper hand; None where a player forfeited the round.
    """

    hand: str | None = None
    message: str | None = None
    claim: int | None = None
    upper: bool | None = None


def played_rounds(episode: Episode, seat: int) -> list[Played | None]:
    """What the player in `seat` did in each round, [R]; None for rounds that were not played."""
    hands: list[list[str | None]] = [[None, None] for _ in episode.rewards]
    messages: list[Any] = [None for _ in episode.rewards]
    claims: list[list[Any]] = [[None, None] for _ in episode.rewards]
    met = set()
    for decision in episode.decisions:
        met.add(decision.round)
        hands[decision.round][decision.seat != seat] = current(decision.information_state).hand
        if not text_limit(decision.legal):
            claims[decision.round][decision.seat != seat] = decision.action
        elif decision.seat == seat:
            messages[decision.round] = decision.action
    rounds = zip(hands, messages, claims, strict=True)
    return [_played(*what) if number in met else None for number, what in enumerate(rounds)]


def _played(hands: list[str | None], message: str | None, claims: list[int | None]) -> Played:
    own, other = hands
    if own is None or other is None or None in claims:
        return Played(own, message)
    return Played(own, message, claims[0], BEATS[own] == other)
