"""Matching pennies, from the rules to a checked game: the code that docs/adding-a-game.md walks through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from equipoise.core import Action, Behaviour, Event, Game, InformationState, Opponent, Pools, State
from equipoise.games import Domain, Profile
from equipoise.metrics import behaviour_table, nash_conv
from equipoise.testing import check_game, check_pools

SIDES: tuple[Action, ...] = ("heads", "tails")
GOALS = ((Event("goal", 0, "match"),), (Event("goal", 1, "differ"),))


@dataclass(frozen=True, slots=True)
class PenniesState(State):
    """Before or after the pennies are shown: what each seat has seen, and what the round paid."""

    over: bool = False
    seen: tuple[InformationState, InformationState] = GOALS
    rewards: tuple[float, float] = (0.0, 0.0)

    @property
    def players_to_move(self) -> tuple[int, ...]:
        return () if self.over else (0, 1)

    @property
    def round(self) -> int:
        return int(self.over)

    @property
    def returns(self) -> tuple[float, float]:
        return self.rewards

    def legal_actions(self, seat: int) -> tuple[Action, ...]:
        return () if self.over else SIDES

    def information_state(self, seat: int) -> InformationState:
        return self.seen[seat]

    def chance_outcomes(self) -> tuple[tuple[Action, float], ...]:
        return ()

    def child(self, actions: Mapping[int, Action]) -> PenniesState:
        if not set(actions.values()) <= set(SIDES):
            raise ValueError(f"illegal actions {dict(actions)} in matching pennies; allowed: {SIDES}")
        first, second = Event("act", 0, actions[0]), Event("act", 1, actions[1])
        seen = ((*self.seen[0], first, second), (*self.seen[1], second, first))
        paid = 1.0 if actions[0] == actions[1] else -1.0
        return PenniesState(True, seen, (paid, -paid))

    def forfeit(self, seat: int) -> PenniesState:
        event = Event("forfeit", seat)
        seen = ((*self.seen[0], event), (*self.seen[1], event))
        return PenniesState(True, seen, (-1.0, 1.0) if seat == 0 else (1.0, -1.0))


class MatchingPennies(Game):
    """Both players show a side at once; seat 0 wins a chip if the sides match, seat 1 if they differ."""

    name = "matching_pennies"
    max_reward = 1.0
    min_reward = -1.0
    zero_sum = True
    unit = "chips per round"

    def initial_state(self) -> PenniesState:
        return PenniesState()

    @property
    def actions(self) -> tuple[Action, ...]:
        return SIDES

    @property
    def rules_text(self) -> str:
        return (
            "Game: matching pennies for two players, one round. Both players show heads or tails at the same time. "
            "If the sides match, one player wins 1 chip from the other; if they differ, the other way round."
        )

    def event_template(self, event: Event) -> str:
        if event.kind == "goal":
            return f"{{Player}} {{wins|win}} if the sides {event.value}."
        if event.kind == "act":
            return f"{{Player}} {{shows|show}} {event.value}."
        return "{Player} {forfeits|forfeit} the round and {loses|lose} 1 chip."

    def action_text(self, action: Action) -> str:
        return str(action)

    def legal_at(self, information_state: InformationState, seat: int) -> tuple[Action, ...]:
        return SIDES


def always(heads: float) -> Behaviour:
    """A script that shows heads with one probability."""
    return lambda information_state, legal: {"heads": heads, "tails": 1.0 - heads}


POOLS = Pools(
    train=(Opponent("coin", always(0.5), True, "the equilibrium: either side with probability 1/2"),),
    exploiter=(Opponent("heads", always(1.0), False, "always the same side"),),
    held_out=(Opponent("tails", always(0.0), False, "the other side"),),
)
DOMAIN = Domain(MatchingPennies, Profile(pools=POOLS))


def main() -> None:
    """Runs the shipped checks, then solves the game against each script in both seats."""
    game = MatchingPennies()
    check_game(game, seed=0)
    check_pools(game, POOLS)
    print("check_game and check_pools pass")
    for _, opponent in POOLS.all():
        value = nash_conv(game, behaviour_table(game, opponent.behaviour))
        print(f"NashConv of {opponent.name} in both seats: {value:.3f} chips")


if __name__ == "__main__":
    main()
