"""More than two players: one seat against all others as one, and figures of two players say that they are."""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_games import OpenSpielGame, Plain, RandomGame, pure_plans, random_table

from equipoise.core import CHANCE, Episode, Event, Opponent, State
from equipoise.lab.audit_exact import exact_estimates
from equipoise.metrics import (
    GameTree,
    StatePolicy,
    commitment_value,
    expected_returns,
    exploitability,
    fault_aware_worst_case_advantage,
    general_sum_figures,
    harm_curve,
    maximin_value,
    mean_worst_case_advantage,
    nra,
    pool_exploitability,
    pool_values,
    regret,
    script_response,
    security_level,
    worst_case_advantage,
)
from equipoise.metrics.coalition import Coalition
from equipoise.metrics.exact import plan_of


def tables_of(tree, seed):
    return [random_table(tree, seat, np.random.default_rng([seed, 9, seat])) for seat in range(tree.game.num_players)]


@given(seed=st.integers(0, 10**6), seat=st.integers(0, 2))
@settings(max_examples=25, deadline=None)
def test_a_coalition_plays_the_best_joint_action_at_what_its_members_saw_together(seed, seat):
    game = RandomGame(seed, players=3, stages=1)
    tree = GameTree(game)
    tables = tables_of(tree, seed)
    members = [s for s in range(3) if s != seat]
    held = {}  # by what the members saw and do: (own, theirs), weighted by chance and the agent's mixture
    for bits, chance in game.deals:
        start = game.initial_state().child({CHANCE: bits})
        mine = tables[seat][start.information_state(seat)]
        for joint in product((0, 1), repeat=2):
            for action, p in mine.items():
                returns = start.child({seat: action, **dict(zip(members, joint, strict=True))}).returns
                pair = np.array([returns[seat], sum(returns[m] for m in members) / 2])
                seen = tuple(bits[m] for m in members)
                group = held.setdefault(seen, {})
                group[joint] = group.get(joint, np.zeros(2)) + chance * p * pair
    least = sum(min(own for own, _ in group.values()) for group in held.values())
    lead = sum(max(theirs - own for own, theirs in group.values()) for group in held.values())
    assert security_level(tree, tables, seat) == pytest.approx(least, abs=1e-9)
    assert harm_curve(tree, tables, seat, [0.0]) == pytest.approx([lead], abs=1e-9)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=15, deadline=None)
def test_a_coalition_holds_a_seat_at_least_as_low_as_others_who_do_not_share(seed):
    tree = GameTree(RandomGame(seed, players=3, stages=1))
    tables = tables_of(tree, seed)
    mine = plan_of(tree, tables[0], 0)
    alone = [tree.expected_returns([mine, *rest]) for rest in product(*(pure_plans(tree, s) for s in (1, 2)))]
    assert security_level(tree, tables, 0) <= min(returns[0] for returns in alone) + 1e-9
    most = max((returns[1] + returns[2]) / 2 - returns[0] for returns in alone)
    assert harm_curve(tree, tables, 0, [0.0])[0] >= most - 1e-9
    assert security_level(tree, tables, 0) <= maximin_value(tree, 0) + 1e-7


def test_with_two_players_the_coalition_is_the_other_player():
    for seed in range(8):
        game = RandomGame(seed)
        tree = GameTree(game)
        tables = tables_of(tree, seed)
        joined = GameTree(Coalition(game, 1))  # the agent's seat comes first in it
        assert security_level(joined, [tables[1], {}], 0) == pytest.approx(security_level(tree, tables, 1))
        assert commitment_value(joined, [tables[1], {}], 0) == pytest.approx(commitment_value(tree, tables, 1))


@dataclass(frozen=True, slots=True)
class Turns(State):
    """Chance says, to nobody, which of seats 1 and 2 moves first; seat 0 wins unless the first mover plays 1."""

    order: tuple = ()
    moves: tuple = ()

    round = 0
    rewards = (0.0, 0.0, 0.0)

    @property
    def players_to_move(self):
        return (CHANCE,) if not self.order else (self.order[len(self.moves)],) if len(self.moves) < 2 else ()

    @property
    def returns(self):
        lost = self.moves and self.moves == (1, 0)
        return (0.0, 1.0, 1.0) if lost else (1.0, 0.0, 0.0)

    def chance_outcomes(self):
        return (((1, 2), 0.5), ((2, 1), 0.5)) if not self.order else ()

    def legal_actions(self, seat):
        return (0, 1)

    def information_state(self, seat):
        return tuple(Event("act", s, m) for s, m in zip(self.order, self.moves, strict=False) if s == seat)

    def child(self, actions):
        (action,) = actions.values()
        return Turns(self.order, (*self.moves, action)) if self.order else Turns(action)

    def forfeit(self, seat):
        return Turns(self.order, (0, 0))


class TurnsGame(Plain):
    """Two seats against one that never moves, in an order that only moving shows."""

    name, num_players, actions = "turns", 3, (0, 1)

    def initial_state(self):
        return Turns()


def test_a_coalition_knows_who_moves_and_remembers_in_which_order_it_moved():
    tree = GameTree(TurnsGame())
    # Alone, one of the two would have to know that it is first. Together they do, and win always.
    assert security_level(tree, [{}, {}, {}], 0) == 0
    coalition = GameTree(Coalition(TurnsGame(), 0))
    assert len(coalition.by_seat[1]) == 2 + 4
    alone = [tree.expected_returns([np.ones(1), *rest])[0] for rest in product(*(pure_plans(tree, s) for s in (1, 2)))]
    assert min(alone) == pytest.approx(0.5)


@dataclass(frozen=True, slots=True)
class Whisper(State):
    """Seat 2 hears a bit before seat 1 moves or after it; seat 1 wins against seat 0 by playing the bit."""

    dealt: tuple = ()
    moves: tuple = ()

    round = 0
    rewards = (0.0, 0.0, 0.0)

    @property
    def players_to_move(self):
        return ((1,), (2,), ())[len(self.moves)] if self.dealt else (CHANCE,)

    @property
    def returns(self):
        lost = self.moves and self.moves[0] == self.dealt[1]
        return (0.0, 1.0, 1.0) if lost else (1.0, 0.0, 0.0)

    def chance_outcomes(self):
        return tuple((deal, 0.25) for deal in product(("early", "late"), (0, 1)))

    def legal_actions(self, seat):
        return (0, 1)

    def information_state(self, seat):
        when, bit = self.dealt
        if seat == 1:
            return tuple(Event("act", 1, move) for move in self.moves[:1])
        return (Event("bit", None, bit),) if when == "early" or self.moves else ()

    def child(self, actions):
        (action,) = actions.values()
        return Whisper(self.dealt, (*self.moves, action)) if self.dealt else Whisper(action)

    def forfeit(self, seat):
        return Whisper(self.dealt, (0, 0))


class WhisperGame(Plain):
    name, num_players, actions = "whisper", 3, (0, 1)

    def initial_state(self):
        return Whisper()


def test_a_coalition_remembers_what_it_knew_when_it_moved():
    # Early bits are always played, late ones half the time. At seat 2's move both orders look alike but for the past.
    tree = GameTree(WhisperGame())
    assert security_level(tree, [{}, {}, {}], 0) == pytest.approx(0.25)
    assert maximin_value(tree, 0) == pytest.approx(0.25)


@pytest.mark.parametrize("name", ["random", "kuhn_poker(players=3)"])
def test_figures_of_three_players_hang_together(name):
    game = RandomGame(3, players=3) if name == "random" else OpenSpielGame(name)
    tree = GameTree(game)
    uniform = [{p.information_state: dict.fromkeys(p.legal, 1 / len(p.legal)) for p in seat} for seat in tree.by_seat]
    figures = general_sum_figures(tree, uniform)
    assert figures["security_gap"] == pytest.approx(figures["maximin_value"] - figures["security_level"])
    assert figures["security_gap"] > 0
    assert figures["commitment_value_weak"] <= figures["commitment_value"] + 1e-9
    assert figures["theft"] <= figures["harm_4"] + 1e-9 <= figures["harm_2"] + 2e-9 <= figures["harm_1"] + 3e-9
    gains = regret(tree, uniform)
    assert figures["deviator_gain"] == pytest.approx(gains.max())
    assert figures["self_play_regret"] == pytest.approx(gains.mean())
    own = expected_returns(tree, uniform)
    levels = [security_level(tree, uniform, seat) for seat in range(3)]
    assert all(level <= value + 1e-9 for level, value in zip(levels, own, strict=True))


def test_an_audit_of_three_players_has_all_exact_figures_but_those_of_two():
    estimates = exact_estimates(THREE, FAULTLESS)
    assert {"security_gap", "theft", "deviator_gain", "max_state_fault"} <= estimates.keys()
    assert "worst_case_advantage" not in estimates
    assert {estimate.method for estimate in estimates.values()} == {"exact"}


THREE = GameTree(RandomGame(1, players=3, stages=1))
TABLES = tables_of(THREE, 1)
IDLE = Opponent("idle", lambda seen, legal: {0: 1.0}, False, "plays 0")
EPISODE = Episode("random", ("me", "a", "b"), 0, (), ((1.0, 2.0, 3.0),), (1.0, 2.0, 3.0))
FAULTLESS = [{seen: StatePolicy(row) for seen, row in table.items()} for table in TABLES]


@pytest.mark.parametrize(
    "figure",
    [
        lambda: worst_case_advantage(THREE, TABLES, 0),
        lambda: mean_worst_case_advantage(THREE, TABLES),
        lambda: fault_aware_worst_case_advantage(THREE.game, FAULTLESS),
        lambda: exploitability(THREE, TABLES),
        lambda: pool_values(THREE, TABLES, TABLES),
        lambda: script_response(THREE.game, IDLE, 0),
        lambda: security_level(THREE.game, replace(IDLE, name="script"), 0),
        lambda: pool_exploitability([EPISODE], "me"),
        lambda: nra([EPISODE], "me"),
    ],
)
def test_a_figure_of_two_players_refuses_three(figure):
    with pytest.raises(ValueError, match=r"two|3 seats"):
        figure()
