"""What a tournament keeps of one ordered pair of agents: a few numbers per match, enough for every figure of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import BeforeValidator, ConfigDict, PlainSerializer, model_validator

from equipoise.core import Episode
from equipoise.errors import UserError
from equipoise.games.domain import Cooperation, Talk
from equipoise.lab.results import MatchRecord, Number, Value
from equipoise.metrics.cooperation import BEFORE, cooperation_counts, joint_pay
from equipoise.metrics.faults import first_fault
from equipoise.metrics.payoff import rounds_played
from equipoise.metrics.talk import FIGURES, talk_counts

SEATS = (0, 1)


def _rows(value: Any) -> np.ndarray:
    try:
        return np.asarray(value, dtype=float)
    except TypeError:
        raise ValueError("got what are no numbers") from None


Rows = Annotated[np.ndarray, BeforeValidator(_rows), PlainSerializer(lambda rows: rows.tolist())]
"""Numbers by match, [B, ...], which come back from a file exactly."""


class Meeting(Value):
    """The matches of one agent in the first seat and one in the second, the same agent in self-play.

    Attributes:
        seats: The agents' names by seat.
        deals: The deal of each match, [B]; equal deals are the same luck in every meeting of a tournament.
        pay: Pay per played round by seat, [B, 2], in the game's unit.
        decisions: Decisions by seat, [B, 2].
        faults: Decisions whose first reply was a fault, by seat, [B, 2].
        joint: Joint pay and best joint pay in points, [B, 2]; None in games that do not say what the best is.
        cooperation: By what was before (see `metrics.cooperation`): rounds in which the player of each seat cooperated,
            and rounds that asked it, [B, 2 seats, 2]; empty in games without cooperation.
        talk: By figure (see `metrics.talk`): what is above and below its line, [B, 2 seats, 2]; empty in games without
            talk.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    seats: tuple[str, str]
    deals: tuple[int, ...]
    pay: Rows
    decisions: Rows
    faults: Rows
    joint: Rows | None
    cooperation: dict[str, Rows]
    talk: dict[str, Rows]

    @model_validator(mode="after")
    def _shaped(self) -> Meeting:
        matches = len(self.deals)
        joint = () if self.joint is None else (self.joint,)
        if any(rows.shape != (matches, 2) for rows in (self.pay, self.decisions, self.faults, *joint)):
            raise ValueError(f"got figures that are not 2 for each of {matches} matches")
        for counts, known in ((self.cooperation, BEFORE), (self.talk, FIGURES)):
            if not set(counts) <= set(known) or any(rows.shape != (matches, 2, 2) for rows in counts.values()):
                raise ValueError(f"got counts that are not 2 x 2 for each of {matches} matches, by {', '.join(known)}")
        return self


class PlayedPair(Value):
    """A tournament's file of one ordered pair: its meeting, matches to read, and how long it took to play."""

    meeting: Meeting
    shown: tuple[MatchRecord, ...]
    seconds: Number


def meeting_of(episodes: Sequence[Episode], cooperation: Cooperation | None, talk: Talk | None = None) -> Meeting:
    """What a tournament keeps of the episodes of one ordered pair.

    Args:
        episodes: Episodes of the same two agents in the same seats.
        cooperation: What cooperating means in the game, where it says so.
        talk: How messages are judged, in games with talk.

    Raises:
        ValueError: For no episodes, or episodes of different pairs.
    """
    pairs = {episode.policies for episode in episodes}
    if len(pairs) != 1 or len(next(iter(pairs))) != 2:
        raise UserError(f"got episodes of {len(pairs)} pairs of agents; allowed: the same two in the same seats")
    first, second = next(iter(pairs))
    played = np.array([max(rounds_played(episode), 1) for episode in episodes], dtype=float)
    taken = [[[d for d in episode.decisions if d.seat == seat] for seat in SEATS] for episode in episodes]
    seats = [[seat] * len(episodes) for seat in SEATS]
    answers = [{} if cooperation is None else cooperation_counts(episodes, own, cooperation) for own in seats]
    words = [{} if talk is None else talk_counts(episodes, own, talk) for own in seats]
    return Meeting(
        seats=(first, second),
        deals=tuple(episode.deal for episode in episodes),
        pay=np.array([episode.returns for episode in episodes], dtype=float) / played[:, None],
        decisions=np.array([[len(own) for own in both] for both in taken]),
        faults=np.array([[sum(first_fault(d) is not None for d in own) for own in both] for both in taken]),
        joint=None if cooperation is None else joint_pay(episodes, cooperation),
        cooperation=_by_seat(answers),
        talk=_by_seat(words),
    )


def _by_seat(counts: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.stack([own[name] for own in counts], axis=1) for name in counts[0]}
