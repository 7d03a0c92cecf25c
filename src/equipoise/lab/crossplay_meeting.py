"""What a tournament keeps of one ordered pair of agents: a few numbers per match, enough for every figure of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from equipoise.core import Episode
from equipoise.errors import UserError
from equipoise.games.domain import Cooperation, Talk
from equipoise.metrics.cooperation import BEFORE, cooperation_counts, joint_pay
from equipoise.metrics.faults import first_fault
from equipoise.metrics.payoff import rounds_played
from equipoise.metrics.talk import FIGURES, talk_counts
from equipoise.reports.checks import a_number, list_of, mapping_of, maybe, object_of, text, whole

SEATS = (0, 1)

_NUMBERS = list_of(list_of(a_number))
_SHAPE = object_of(
    {
        "seats": list_of(text),
        "deals": list_of(whole),
        "pay": _NUMBERS,
        "decisions": _NUMBERS,
        "faults": _NUMBERS,
        "joint": maybe(_NUMBERS),
        "cooperation": mapping_of(list_of(_NUMBERS)),
    },
    {"talk": mapping_of(list_of(_NUMBERS))},
)


@dataclass(frozen=True, eq=False)
class Meeting:
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

    seats: tuple[str, str]
    deals: tuple[int, ...]
    pay: np.ndarray
    decisions: np.ndarray
    faults: np.ndarray
    joint: np.ndarray | None
    cooperation: Mapping[str, np.ndarray]
    talk: Mapping[str, np.ndarray]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; numbers come back from it exactly."""
        return {
            "seats": list(self.seats),
            "deals": list(self.deals),
            "pay": self.pay.tolist(),
            "decisions": self.decisions.tolist(),
            "faults": self.faults.tolist(),
            "joint": None if self.joint is None else self.joint.tolist(),
            "cooperation": {before: counts.tolist() for before, counts in self.cooperation.items()},
            "talk": {figure: counts.tolist() for figure, counts in self.talk.items()},
        }


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
        (first, second),
        tuple(episode.deal for episode in episodes),
        np.array([episode.returns for episode in episodes], dtype=float) / played[:, None],
        np.array([[len(own) for own in both] for both in taken], dtype=float),
        np.array([[sum(first_fault(d) is not None for d in own) for own in both] for both in taken], dtype=float),
        None if cooperation is None else joint_pay(episodes, cooperation),
        _by_seat(answers),
        _by_seat(words),
    )


def _by_seat(counts: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.stack([own[name] for own in counts], axis=1) for name in counts[0]}


def meeting_from_json(record: Mapping[str, Any], where: str) -> Meeting:
    """The meeting that was stored as `record`.

    Raises:
        ValueError: For a record of another shape; the message says where and what to do.
    """
    try:
        _SHAPE(record, "pair")
        matches = len(record["deals"])
        arrays = {name: np.array(record[name], dtype=float) for name in ("pay", "decisions", "faults")}
        joint = None if record["joint"] is None else np.array(record["joint"], dtype=float)
        counts = _counts(record["cooperation"], BEFORE, matches, "cooperation")
        words = _counts(record.get("talk", {}), FIGURES, matches, "talk")
        if any(array.shape != (matches, 2) for array in (*arrays.values(), *(() if joint is None else (joint,)))):
            raise UserError(f"pair: got figures that are not 2 for each of {matches} matches")
        first, second = record["seats"]
    except ValueError as error:
        raise UserError(f"{where} is no stored pair ({error}); delete it to play the pair again") from None
    return Meeting((first, second), tuple(record["deals"]), **arrays, joint=joint, cooperation=counts, talk=words)


def _counts(record: Mapping[str, Any], names: Sequence[str], matches: int, where: str) -> dict[str, np.ndarray]:
    """Stored counts by name, [B, 2 seats, 2] each."""
    counts = {name: np.array(rows, dtype=float) for name, rows in record.items()}
    if any(array.shape != (matches, 2, 2) for array in counts.values()) or not set(counts) <= set(names):
        raise UserError(f"pair.{where}: got counts that are not 2 x 2 for each of {matches} matches")
    return counts
