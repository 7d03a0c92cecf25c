"""What a player of trust and split has seen, round by round."""

from __future__ import annotations

from dataclasses import dataclass

from equipoise.core import Event, InformationState


@dataclass(frozen=True, slots=True)
class Now:
    """The round being played, as one player sees it.

    Attributes:
        hand: Its own hand; "" before one is dealt.
        said: Its own message; None before it spoke, and without talk.
        heard: The other's message; None before the other spoke, and without talk.
    """

    hand: str = ""
    said: str | None = None
    heard: str | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """A round that was played to its end, as one player saw it.

    Attributes:
        hand: Its own hand.
        said: Its own message; None without talk.
        heard: The other's message; None without talk.
        own: Its own claim.
        upper: Whether the other had the upper hand.
        other: The other's claim.
    """

    hand: str
    said: str | None
    heard: str | None
    own: int
    upper: bool
    other: int


def current(information_state: InformationState) -> Now:
    """The round being played; an empty one between rounds."""
    start = len(information_state) - 1
    while start >= 0 and information_state[start].kind == "act":
        start -= 1
    if start < 0 or information_state[start].kind != "hand":
        return Now()
    dealt = information_state[start]
    said, heard = _messages(dealt, information_state[start + 1 :])
    return Now(dealt.value, said, heard)


def finished(information_state: InformationState) -> list[Past]:
    """Every round that was played to its end, oldest first; forfeited rounds are left out."""
    rounds = []
    start = 0
    for end, event in enumerate(information_state):
        if event.kind == "hand":
            start = end
        elif event.kind == "shown":
            dealt, acts = information_state[start], information_state[start + 1 : end]
            said, heard = _messages(dealt, acts)
            upper, other = event.value
            rounds.append(Past(dealt.value, said, heard, acts[-1].value, upper, other))
    return rounds


def _messages(dealt: Event, acts: InformationState) -> tuple[str | None, str | None]:
    """(own, other's) message of a round among the acts that followed the deal."""
    said = heard = None
    for act in acts:
        if isinstance(act.value, str):
            if act.player == dealt.player:
                said = act.value
            else:
                heard = act.value
    return said, heard
