"""A game of three players for the tests: all choose a side at once, and whoever stands alone wins.

Two rounds. Each player sees its own number and, after a round, what the others chose.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from equipoise.core import Action, Event, Game, InformationState, State

SIDES = ("left", "right")
ROUNDS = 2


@dataclass(frozen=True, slots=True)
class OddState(State):
    round: int = 0
    seen: tuple[InformationState, ...] = tuple((Event("number", seat, seat + 1),) for seat in range(3))
    rewards: tuple[float, ...] = (0.0, 0.0, 0.0)
    returns: tuple[float, ...] = (0.0, 0.0, 0.0)

    @property
    def players_to_move(self) -> tuple[int, ...]:
        return (0, 1, 2) if self.round < ROUNDS else ()

    def legal_actions(self, seat: int) -> tuple[Action, ...]:
        return SIDES if self.players_to_move else ()

    def information_state(self, seat: int) -> InformationState:
        return self.seen[seat]

    def chance_outcomes(self) -> tuple[tuple[Action, float], ...]:
        return ()

    def child(self, actions: Mapping[int, Action]) -> OddState:
        if not set(actions.values()) <= set(SIDES):
            raise ValueError(f"illegal sides {dict(actions)}; allowed: {', '.join(SIDES)}")
        sides = [actions[seat] for seat in range(3)]
        alone = [seat for seat in range(3) if sides.count(sides[seat]) == 1]
        acts = [Event("act", seat, sides[seat]) for seat in range(3)]
        order = [[acts[seat], *(act for act in acts if act.player != seat)] for seat in range(3)]
        return self._after(alone, [tuple(events) for events in order])

    def forfeit(self, seat: int) -> OddState:
        others = [other for other in range(3) if other != seat]
        return self._after(others, [(Event("forfeit", seat),)] * 3, share=1.0)

    def _after(self, winners: list[int], news: Any, share: float = 2.0) -> OddState:
        """Losers pay a point each; `winners` share what they lose."""
        rewards = tuple(0.0 if not winners else share if seat in winners else -1.0 for seat in range(3))
        if len(winners) == 2:
            rewards = tuple(1.0 if seat in winners else -2.0 for seat in range(3))
        returns = tuple(a + b for a, b in zip(self.returns, rewards, strict=True))
        seen = tuple(own + new for own, new in zip(self.seen, news, strict=True))
        return OddState(self.round + 1, seen, rewards, returns)


class OddOneOut(Game):
    """Three players; whoever stands alone takes a point from each of the others."""

    name = "odd_one_out"
    num_players, num_rounds = 3, ROUNDS
    max_reward, min_reward, zero_sum = 2.0, -2.0, True
    actions = SIDES
    rules_text = (
        "Game: odd one out for three players, two rounds. In each round all choose left or right at the same time. A "
        "player who stands alone on a side wins 1 point from each of the others."
    )

    def initial_state(self) -> OddState:
        return OddState()

    def action_text(self, action: Action) -> str:
        return str(action)

    def legal_at(self, information_state: InformationState, seat: int) -> tuple[Action, ...]:
        return SIDES

    def event_template(self, event: Event) -> str:
        if event.kind == "number":
            return f"{{Player}} {{is|are}} player {event.value}."
        if event.kind == "act":
            return f"{{Player}} {{goes|go}} {event.value}."
        return "{Player} {forfeits|forfeit} the round and {pays|pay} 2 points."
