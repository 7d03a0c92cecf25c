"""What an audit found, agent by agent."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from equipoise.lab.results.values import Figure, GameRecord, HazardRecord, Made, Number, Value
from equipoise.metrics.deal_scores import DealScores


class MessageRecord(Value):
    """One message: "rules", "seen" by the player, or "said" by it; `fault` is the kind of fault that it is."""

    side: Literal["rules", "seen", "said"]
    text: str
    fault: str = ""


class ConversationRecord(Value):
    """One seat's side of one episode, word for word, the rules left out (they stand in `AgentAudit.rules`)."""

    opponent: str
    seat: int
    deal: int
    returns: tuple[Number, ...]
    messages: tuple[MessageRecord, ...]


class OpponentRecord(Value):
    """One agent against one opponent: its payoff, the opponent's lead over it (theirs - own), its regret; per round.

    Between more than two players there is no lead.
    """

    opponent: str
    pool: str
    payoff: Figure
    gap: Figure | None = None
    regret: Figure | None = None


class StateRecord(Value):
    """What a policy does at one information state.

    Attributes:
        seat: Whose state.
        state: Its short name.
        actions: The legal actions in words.
        probabilities: Of each action's words.
        outside: Of a reply that names none of them.
        nash_low: Where equilibria are known, the least probability of each action in any of them.
        nash_high: The largest.
    """

    seat: int
    state: str
    actions: tuple[str, ...]
    probabilities: tuple[Number, ...]
    outside: Number
    nash_low: tuple[Number, ...] = ()
    nash_high: tuple[Number, ...] = ()


class SpreadRecord(Value):
    """How far one decision differs between the contexts in which play posed it: of its last action's probability."""

    state: str
    contexts: int
    mean: Number
    sd: Number
    low: Number
    high: Number


class AgentAudit(Value):
    """One agent's audit.

    Attributes:
        name: Unique within the result.
        label: As it is shown.
        seeds: Training seeds behind it; 0 for an agent that is one model.
        sampling: How it replied, in words: temperature, reasoning, whether it is deterministic.
        estimates: Figures by metric name, the game's own among them.
        deals: Scores by deal behind the figures that studies sum up over seeds and deals.
        opponents: One for each opponent.
        faults: Share of all decisions by kind of fault.
        states: Its policy at the first information states.
        spread: In games whose rounds repeat.
        rules: The rules as it read them.
        conversations: Episodes to read; `played` counts all.
        played: Episodes behind the sampled figures.
        train_seconds: How long its training took.
        notes: What was left out and why.
    """

    name: str
    label: str
    seeds: int = 0
    sampling: str = ""
    estimates: dict[str, Figure]
    deals: dict[str, DealScores] = Field(default_factory=dict)
    opponents: tuple[OpponentRecord, ...] = ()
    faults: dict[str, Number] = Field(default_factory=dict)
    states: tuple[StateRecord, ...] = ()
    spread: tuple[SpreadRecord, ...] = ()
    rules: str = ""
    conversations: tuple[ConversationRecord, ...] = ()
    played: int = 0
    train_seconds: Number = math.nan
    notes: tuple[str, ...] = ()


class CurveRecord(Value):
    """One figure of one training run over its steps."""

    agent: str
    seed: int
    metric: str
    points: tuple[tuple[int, Number], ...]


class AuditResult(Value):
    """Agents audited in one game on common deals.

    Attributes:
        title: Of the page.
        made: How it came to be.
        game: What was played.
        profile: Whose pools and hazards: "corrected" or "published".
        exact: Over what the exact figures are: "the whole game", or which first rounds; empty where there are none.
        hazards: Of the game, by name.
        weights: le, lc, lx of the SEPO index; empty where the game has no hazards.
        scale: s of the SEPO index.
        agents: At least one.
        curves: Figures along training runs.
        seeds: Training seeds.
        notes: What holds for all agents.
    """

    kind: Literal["audit"] = "audit"
    version: Literal[2] = 2
    title: str
    made: Made
    game: GameRecord
    profile: str = "corrected"
    exact: str = ""
    hazards: dict[str, HazardRecord] = Field(default_factory=dict)
    weights: tuple[float, ...] = ()
    scale: Number = math.nan
    agents: tuple[AgentAudit, ...] = Field(min_length=1)
    curves: tuple[CurveRecord, ...] = ()
    seeds: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
