"""A tiny game of simultaneous moves, to show that arena, exact values and checks are not made for Kuhn poker alone."""

from dataclasses import dataclass

import numpy as np
import pytest

from equipoise.arena import Match, rollout
from equipoise.core import Event, Game, Opponent, Reply, State
from equipoise.metrics import (
    GameTree,
    StatePolicy,
    behaviour_table,
    best_response,
    expected_returns,
    exploitability,
    fault_aware_nash_conv,
    fault_aware_returns,
    information_states,
    mean_worst_case_advantage,
    nash_conv,
    regret,
    worst_case_advantage,
)
from equipoise.policies import Policy, ScriptedPolicy, Session
from equipoise.testing import check_game, check_opponent

PENNIES = {
    ("heads", "heads"): (1, -1),
    ("heads", "tails"): (-1, 1),
    ("tails", "heads"): (-1, 1),
    ("tails", "tails"): (1, -1),
}
DILEMMA = {("keep", "keep"): (3, 3), ("keep", "break"): (0, 5), ("break", "keep"): (5, 0), ("break", "break"): (1, 1)}


@dataclass(frozen=True, slots=True)
class MatrixState(State):
    game: "MatrixGame"
    seen: tuple[tuple[Event, ...], tuple[Event, ...]] = ((), ())
    round: int = 0
    rewards: tuple[float, ...] = (0.0, 0.0)
    returns: tuple[float, ...] = (0.0, 0.0)

    @property
    def players_to_move(self):
        return (0, 1) if self.round < self.game.num_rounds else ()

    def legal_actions(self, seat):
        return self.game.actions if self.players_to_move else ()

    def information_state(self, seat):
        return self.seen[seat]

    def chance_outcomes(self):
        return ()

    def child(self, actions):
        if any(actions[seat] not in self.game.actions for seat in (0, 1)):
            raise ValueError(f"illegal actions {actions}")
        acts = [Event("act", seat, actions[seat]) for seat in (0, 1)]
        return self._after(self.game.payoffs[actions[0], actions[1]], ((acts[0], acts[1]), (acts[1], acts[0])))

    def forfeit(self, seat):
        worst = min(self.game.payoffs.values(), key=lambda rewards: rewards[seat])
        return self._after(worst, ((Event("forfeit", seat),),) * 2)

    def _after(self, rewards, gained):
        seen = (self.seen[0] + gained[0], self.seen[1] + gained[1])
        returns = tuple(a + b for a, b in zip(self.returns, rewards, strict=True))
        return MatrixState(self.game, seen, self.round + 1, rewards, returns)


class MatrixGame(Game):
    name = "matrix"

    def __init__(self, payoffs, rounds=1):
        self.payoffs, self.num_rounds = payoffs, rounds
        self.max_reward = max(max(r) for r in payoffs.values())
        self.min_reward = min(min(r) for r in payoffs.values())
        self.zero_sum = all(sum(r) == 0 for r in payoffs.values())

    actions = property(lambda self: tuple(dict.fromkeys(action for action, _ in self.payoffs)))
    rules_text = "A game in words."

    def initial_state(self):
        return MatrixState(self)

    def event_template(self, event):
        return "{Player} {forfeits|forfeit}." if event.kind == "forfeit" else f"{{Player}} {{says|say}} {event.value}."

    def action_text(self, action):
        return action

    def legal_at(self, information_state, seat):
        return self.actions


def constant(action):
    return lambda information_state, legal: {a: float(a == action) for a in legal}


def uniform(information_state, legal):
    return dict.fromkeys(legal, 1 / len(legal))


def tit_for_tat(information_state, legal):
    theirs = [e.value for i, e in enumerate(information_state) if i % 2 == 1]
    return {a: float(a == (theirs[-1] if theirs else "keep")) for a in legal}


PENNIES_GAME, DILEMMA_GAME, TWICE = MatrixGame(PENNIES), MatrixGame(DILEMMA), MatrixGame(DILEMMA, rounds=2)


@pytest.mark.parametrize("game", [PENNIES_GAME, DILEMMA_GAME, MatrixGame(DILEMMA, rounds=3)])
def test_the_shipped_checks_pass_a_game_of_simultaneous_moves(game):
    check_game(game, seed=0)
    check_opponent(game, Opponent("uniform", uniform, True, "uniformly random"))


def test_matching_pennies_has_its_equilibrium_at_even_odds():
    tree = GameTree(PENNIES_GAME)
    assert nash_conv(tree, behaviour_table(tree, uniform)) == pytest.approx(0)
    heads = behaviour_table(tree, constant("heads"))
    assert regret(tree, heads) == pytest.approx([0, 2])
    assert exploitability(tree, heads) == pytest.approx(1)
    assert mean_worst_case_advantage(tree, heads) == pytest.approx(2)


def test_a_seat_does_not_see_the_others_simultaneous_move():
    assert information_states(PENNIES_GAME) == [(0, (), ("heads", "tails")), (1, (), ("heads", "tails"))]
    # Besides the start a seat has four histories of the first round; seat 1 comes after seat 0 in each.
    assert [seat for seat, _, _ in information_states(TWICE)] == [0, 1, *[0] * 4, *[1] * 4]


def test_the_dilemma_has_its_textbook_values():
    tree = GameTree(DILEMMA_GAME)
    keep, defect = behaviour_table(tree, constant("keep")), behaviour_table(tree, constant("break"))
    assert regret(tree, keep) == pytest.approx([2, 2])
    assert nash_conv(tree, defect) == pytest.approx(0)
    assert worst_case_advantage(tree, keep, 0) == pytest.approx(5)
    assert worst_case_advantage(tree, defect, 1) == pytest.approx(0)


def test_the_best_response_to_tit_for_tat_breaks_in_the_last_round():
    tree = GameTree(TWICE)
    tables = behaviour_table(tree, tit_for_tat)
    reply = best_response(tree, tables, 0)
    assert reply.value == pytest.approx(3 + 5)
    assert reply.table[()] == {"keep": 1.0, "break": 0.0}
    assert expected_returns(tree, tables) == pytest.approx([6, 6])
    assert worst_case_advantage(tree, tables, 1) == pytest.approx(5)  # the first break is never paid back in full


def test_exploitability_is_refused_where_it_has_no_meaning():
    with pytest.raises(ValueError, match="not two-player zero-sum"):
        exploitability(DILEMMA_GAME, behaviour_table(DILEMMA_GAME, uniform))


def test_a_fault_forfeits_a_simultaneous_round():
    tree = GameTree(PENNIES_GAME)
    tables = [{(): StatePolicy({"heads": 0.5 * (1 - f), "tails": 0.5 * (1 - f)}, f)} for f in (0.2, 0.5)]
    # Seat 0 faults first (-1), else seat 1 does (+1), else an even game: -0.2 + 0.8 * 0.5.
    assert fault_aware_returns(tree, tables) == pytest.approx([0.2, -0.2])
    # Best responders never fault: 0.5 from the other's faults, and 0.2.
    assert fault_aware_nash_conv(tree, tables) == pytest.approx(0.5 + 0.2)


class Speaker(Policy):
    def __init__(self, name, text):
        self.name, self.text, self.calls = name, text, []

    def session(self, game, seed):
        return SpeakerSession(self)


class SpeakerSession(Session):
    def __init__(self, speaker):
        self.speaker = speaker

    def replies(self, requests):
        self.speaker.calls.append([request.information_state for request in requests])
        return [Reply(self.speaker.text) for _ in requests]


def test_the_arena_asks_both_seats_before_it_moves():
    same = Speaker("same", "heads")
    (episode,) = rollout(PENNIES_GAME, {"same": same}, [Match(("same", "same"), 0)], seed=0)
    assert same.calls == [[(), ()]]
    assert [(d.seat, d.action) for d in episode.decisions] == [(0, "heads"), (1, "heads")]
    assert episode.returns == (1, -1)


def test_a_speaker_and_a_script_move_together():
    script = ScriptedPolicy(Opponent("tails", constant("tails"), False, "says tails"))
    policies = {"speaker": Speaker("speaker", "heads"), "tails": script}
    for seats, returns in ((("speaker", "tails"), (-1, 1)), (("tails", "speaker"), (-1, 1))):
        (episode,) = rollout(PENNIES_GAME, policies, [Match(seats, 0)], seed=0)
        assert episode.returns == returns
        assert sorted(d.seat for d in episode.decisions) == [0, 1]


def test_when_both_fault_at_once_a_fair_coin_says_who_forfeits_and_both_faults_are_recorded():
    policies = {name: Speaker(name, "?") for name in ("a", "b")}
    episodes = rollout(PENNIES_GAME, policies, [Match(("a", "b"), deal) for deal in range(1000)], seed=0)
    assert {episode.returns for episode in episodes} == {(-1, 1), (1, -1)}
    assert np.mean([episode.returns[0] for episode in episodes]) == pytest.approx(0, abs=0.1)  # three standard errors
    assert {d.fault.kind for episode in episodes for d in episode.decisions} == {"unparsable"}


def test_the_arena_and_the_tree_agree_on_repeated_play():
    policies = {"tft": ScriptedPolicy(Opponent("tft", tit_for_tat, False, "Axelrod 1984"))}
    policies["coin"] = ScriptedPolicy(Opponent("coin", uniform, True, "uniformly random"))
    episodes = rollout(TWICE, policies, [Match(("tft", "coin"), deal) for deal in range(2000)], seed=0)
    mean = np.mean([episode.returns for episode in episodes], axis=0)
    exact = expected_returns(TWICE, [behaviour_table(TWICE, tit_for_tat)[0], behaviour_table(TWICE, uniform)[1]])
    assert mean == pytest.approx(exact, abs=0.2)
