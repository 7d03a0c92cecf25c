"""What all results share: numbers that may be unknown, how a result came to be, what was played.

Numbers that are not known are NaN here and null in a file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from equipoise.core import Estimate, Game


def _number(value: Any) -> Any:
    return math.nan if value is None else value


def _null(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _estimate(value: Any) -> Any:
    if isinstance(value, Estimate) or not isinstance(value, Mapping):
        return value
    unknown = sorted(set(value) - {"value", "low", "high", "n", "level", "method"})
    if unknown:
        raise ValueError(f"an estimate has no {unknown[0]!r}")
    return Estimate(**{**value, **{key: _number(value.get(key)) for key in ("value", "low", "high")}})


Number = Annotated[float, BeforeValidator(_number), PlainSerializer(_null)]
"""A number that may be unknown: NaN, null in a file."""

Figure = Annotated[Estimate, BeforeValidator(_estimate), PlainSerializer(Estimate.to_json)]
"""An `Estimate` that goes into a file with null for NaN."""

Settings = dict[str, Any]
"""What decides a result, as JSON: parameters of a game, a recipe's changed keys."""


class Value(BaseModel):
    """A frozen part of a result; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Made(Value):
    """How a result came to be.

    Attributes:
        created: When, in UTC.
        command: What makes it again; empty where it was made from Python.
        seconds: Computing time of all its parts.
        versions: Installed packages that decide it.
        by: Settings that decide it; a stored result of other settings is not taken for this one.
    """

    created: str
    command: str = ""
    seconds: Number = math.nan
    versions: dict[str, str] = Field(default_factory=dict)
    by: Settings = Field(default_factory=dict)


def now() -> str:
    """This moment in UTC, as results say when they were made."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class GameRecord(Value):
    """What was played.

    Attributes:
        name: The game.
        parameters: Its parameters.
        unit: Of its payoffs.
        players: Seats.
        rounds: Of one episode, at most.
        zero_sum: Whether all payoffs sum to zero.
    """

    name: str
    parameters: Settings = Field(default_factory=dict)
    unit: str = ""
    players: int = 2
    rounds: int = 1
    zero_sum: bool = False

    @classmethod
    def of(cls, game: Game) -> GameRecord:
        """What is played when `game` is."""
        return cls(
            name=game.name,
            parameters=dict(game.parameters),
            unit=game.unit,
            players=game.num_players,
            rounds=game.num_rounds,
            zero_sum=game.zero_sum,
        )


class HazardRecord(Value):
    """What a game means by a hazard or a figure of its own, and what reference players get."""

    definition: str
    unit: str = "per round"
    low: Number = math.nan
    high: Number = math.nan
    references: dict[str, Figure] = Field(default_factory=dict)
