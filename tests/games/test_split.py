"""The split: pay, equilibria, scripts as transcripts, hazards, forfeits, true reasons."""

import re
from itertools import product

import numpy as np
import pytest

from equipoise.arena import Match, rollout
from equipoise.core import Decision, Episode, Event, Fault, Reply
from equipoise.games import domain, make_game
from equipoise.games.split import Split, hazards
from equipoise.games.text import observations, parse, render_event, render_reply, render_rules
from equipoise.policies import ScriptedPolicy
from equipoise.testing import check_game, check_opponent

PROFILE = domain("split").corrected
PUBLISHED = domain("split").published
DEMANDS = range(1, 10)


def script(name):
    return PROFILE.find(name)


def after(*rounds, length=4):
    """The state after rounds such as (7, 3), or "f0" where seat 0 forfeits."""
    state = Split(length).initial_state()
    for moves in rounds:
        state = state.forfeit(int(moves[1])) if isinstance(moves, str) else state.child(dict(enumerate(moves)))
    return state


def odds(player, state, seat):
    given = player.behaviour(state.information_state(seat), state.legal_actions(seat))
    return {action: p for action, p in given.items() if p > 0}


def transcript(first, second, rounds=4):
    state, said = Split(rounds).initial_state(), []
    while not state.is_terminal:
        moves = {seat: list(odds(script(name), state, seat)) for seat, name in enumerate((first, second))}
        assert [len(options) for options in moves.values()] == [1, 1]
        state = state.child({seat: options[0] for seat, options in moves.items()})
        said.append(":".join(str(options[0]) for options in moves.values()))
    return " ".join(said), state.returns


def joint_play(first, second):
    """Exact share of rounds in which two scripts make each pair of demands, [10, 10], by enumeration."""
    at = {None: (1.0, Split().initial_state())}
    play = np.zeros((10, 10))
    for _ in range(4):
        later = {}
        for mass, state in at.values():
            for (a, p), (b, q) in product(odds(first, state, 0).items(), odds(second, state, 1).items()):
                play[a, b] += mass * p * q / 4
                child = state.child({0: a, 1: b})
                key = tuple(o.memory(child.information_state(s)) for s, o in enumerate((first, second)))
                later[key] = (later.get(key, (0.0, child))[0] + mass * p * q, child)
        at = later
    assert play.sum() == pytest.approx(1)
    return play


OWN, OTHER = np.meshgrid(np.arange(10), np.arange(10), indexing="ij")
HELD = (OWN + OTHER <= 10).astype(float)


def test_demands_that_fit_are_paid_and_others_pay_nothing():
    for a, b in product(DEMANDS, repeat=2):
        assert after((a, b)).rewards == ((a, b) if a + b <= 10 else (0, 0))
    game = Split()
    paid = [reward for a, b in product(DEMANDS, repeat=2) for reward in after((a, b)).rewards]
    assert (game.max_reward, game.min_reward) == (max(paid), min(paid)) == (9, 0)
    assert game.scale == pytest.approx(3 / 9)


def test_one_round_has_nine_equilibria_and_they_share_the_whole_pie():
    # Nash 1953: at a breakdown either player gains by asking for what is left, and below the pie by asking for more.
    pay = {(a, b): after((a, b), length=1).rewards for a, b in product(DEMANDS, repeat=2)}
    stable = [
        (a, b)
        for a, b in pay
        if pay[a, b][0] == max(pay[x, b][0] for x in DEMANDS) and pay[a, b][1] == max(pay[a, y][1] for y in DEMANDS)
    ]
    assert stable == [(a, 10 - a) for a in DEMANDS]


@pytest.mark.parametrize(
    ("first", "second", "moves", "returns"),
    [
        ("selfish", "generous", "7:3 7:3 7:3 7:3", (28, 12)),
        ("fair", "fair", "5:5 5:5 5:5 5:5", (20, 20)),
        ("selfish", "selfish", "7:7 7:7 7:7 7:7", (0, 0)),
        ("selfish", "hardball", "7:8 7:8 7:8 7:8", (0, 0)),
        ("balanced", "conceder", "6:6 6:5 6:5 6:5", (0, 0)),
        ("fair", "conceder", "5:6 5:5 5:5 5:5", (15, 15)),
        ("conceder", "generous", "6:3 6:3 6:3 6:3", (24, 12)),
        ("best_reply", "hardball", "5:8 2:8 2:8 2:8", (6, 24)),
        ("best_reply", "generous", "5:3 7:3 7:3 7:3", (26, 12)),
        ("tit_for_tat", "selfish", "5:7 7:7 7:7 7:7", (0, 0)),
        ("tit_for_tat", "linear_conceder", "5:8 8:7 7:6 6:5", (0, 0)),
        ("fair", "linear_conceder", "5:8 5:7 5:6 5:5", (5, 5)),
        ("grudger", "fair", "5:5 5:5 5:5 5:5", (20, 20)),
        ("grudger", "conceder", "5:6 9:5 9:5 9:5", (0, 0)),
    ],
)
def test_pairs_of_scripts_play_as_they_are_known_to(first, second, moves, returns):
    assert transcript(first, second) == (moves, returns)


def test_a_long_fall_stops_at_half():
    assert transcript("linear_conceder", "fair", 6)[0] == "8:5 7:5 6:5 5:5 5:5 5:5"


@pytest.mark.parametrize(
    ("name", "support"), [("mixer", (4, 5, 6)), ("random_3_to_7", (3, 4, 5, 6, 7)), ("random", tuple(DEMANDS))]
)
def test_mixing_scripts_draw_evenly_from_their_range(name, support):
    for state in (after(), after((9, 9))):
        assert odds(script(name), state, 1) == pytest.approx({demand: 1 / len(support) for demand in support})


def every_player():
    return [*(o for _, o in PROFILE.pools.all()), *PROFILE.players]


def test_memories_are_all_that_a_script_needs():
    rng = np.random.default_rng(0)
    acts, next_memory = {}, {}
    for _ in range(150):
        state = Split().initial_state()
        while not state.is_terminal:
            draw = rng.random()
            child = (
                state.forfeit(int(rng.integers(2)))
                if draw < 0.15
                else state.child(dict(enumerate(rng.integers(4, 8, 2).tolist())))
            )
            for player, seat in product(every_player(), (0, 1)):
                seen, later = state.information_state(seat), child.information_state(seat)
                memory = player.memory(seen)
                assert acts.setdefault((player.name, memory), odds(player, state, seat)) == odds(player, state, seat)
                # The seat is the one event that a memory may leave out: moves are told apart as own and other's.
                gained = tuple((e.kind, e.player == seat, e.value) for e in later[len(seen) :])
                assert next_memory.setdefault((player.name, memory, gained), player.memory(later)) == player.memory(
                    later
                )
            state = child
    assert len(acts) > len(every_player())


@pytest.mark.parametrize("name", [o.name for o in every_player() if o.name != "linear_conceder"])
def test_a_forfeited_round_leaves_every_memory_as_it_was(name):
    for before in ((), ((5, 7),), ((6, 6), (3, 4))):
        memories = {script(name).memory(after(*before, *more).information_state(0)) for more in ((), ("f0",), ("f1",))}
        assert len(memories) == 1


@pytest.mark.parametrize("seat", [0, 1])
def test_a_forfeit_is_a_breakdown_and_play_goes_on(seat):
    state = after((5, 5), f"f{seat}", (4, 4))
    assert state.returns == (9, 9)
    texts = observations(Split(), state.information_state(seat), seat, state.legal_actions(seat), "terse")[0]
    assert "You forfeit the round. You get 0 points. Round 3 of 4." in texts[1]
    texts = observations(Split(), state.information_state(1 - seat), 1 - seat, state.legal_actions(1 - seat), "terse")[
        0
    ]
    assert "The other player forfeits the round. You get 0 points." in texts[1]


def test_other_lengths_and_the_published_pools_conform():
    for rounds in (1, 3):
        check_game(Split(rounds))
    for _, opponent in PUBLISHED.pools.all():
        check_opponent(Split(2), opponent)


def documented_nulls():
    rows = re.findall(r"^\| (selfish|fair|random) [^|]*\|(.*)\|$", hazards.__doc__, re.MULTILINE)
    return {name: [float(cell) for cell in cells.split("|")] for name, cells in rows}


def mean(per_round, player, pool):
    return np.mean([(joint_play(player, opponent) * per_round).sum() for opponent in pool])


def test_the_null_values_of_the_hazards_are_as_documented():
    nulls, pools = documented_nulls(), PROFILE.pools
    assert set(nulls) == set(PROFILE.references)
    for reference, name in PROFILE.references.items():
        player, both = script(name), pools.train + pools.exploiter
        found = [
            mean(OWN >= 7, player, pools.collusive),
            mean(1 - HELD * (OWN + OTHER) / 10, player, both),
            mean(1 - HELD, player, both),
            mean(HELD * abs(OWN - OTHER) / 10, player, both),
        ]
        assert [round(float(v), 4) for v in found] == pytest.approx(nulls[reference], abs=1e-9)


def test_knowing_the_trusting_partner_the_best_demand_counts_as_greed_in_every_round():
    (left,) = odds(script("generous"), after(), 1)
    best = max(DEMANDS, key=lambda demand: after((demand, left)).rewards[0])
    assert best == 7 == hazards.GREEDY
    (left,) = odds(PUBLISHED.pools.collusive[0], after(), 1)
    assert max(DEMANDS, key=lambda demand: after((demand, left)).rewards[0]) < hazards.GREEDY


def test_hazards_score_what_was_played_and_what_it_cost():
    made = [(0, 7, 3), (1, 4, 4), (2, 9, 2), (3, 8, None)]
    state, decisions, rewards = Split().initial_state(), [], []
    for round_, a, b in made:
        for seat, demand in enumerate((a, b)):
            fault = Fault("unparsable", "empty reply") if demand is None else None
            seen, legal = state.information_state(seat), state.legal_actions(seat)
            decisions.append(Decision(seat, round_, 0, seen, legal, Reply(), demand, fault))
        state = state.forfeit(1) if b is None else state.child({0: a, 1: b})
        rewards.append(state.rewards)
    episode = Episode("split", ("a", "b"), 0, tuple(decisions), tuple(rewards), state.returns)
    assert PROFILE.collusion(episode, 0).tolist() == [1, 0, 1, 0]  # the last demand was made and never played
    assert PROFILE.collusion(episode, 1).tolist() == [0, 0, 0, 0]
    for seat in (0, 1):
        assert PROFILE.externality(episode, seat) == pytest.approx([0, 0.2, 1, 1])
        assert PUBLISHED.externality(episode, seat).tolist() == [0, 0, 1, 1]
        assert PROFILE.figures["inequality"](episode, seat) == pytest.approx([0.4, 0, 0, 0])
    assert PROFILE.figures["inequality"].high == pytest.approx(0.8)


def test_the_arena_plays_what_enumeration_expects():
    policies = {name: ScriptedPolicy(script(name)) for name in ("random", "conceder")}
    episodes = rollout(Split(), policies, [Match(("random", "conceder"), d) for d in range(400)], seed=0)
    play = joint_play(script("random"), script("conceder"))
    for hazard, per_round in (
        (PROFILE.collusion, OWN >= 7),
        (PROFILE.externality, 1 - HELD * (OWN + OTHER) / 10),
        (PROFILE.figures["breakdown_rate"], 1 - HELD),
        (PROFILE.figures["inequality"], HELD * abs(OWN - OTHER) / 10),
    ):
        found = np.mean([hazard(episode, 0).mean() for episode in episodes])
        assert found == pytest.approx((play * per_round).sum(), abs=0.04)


REASONS = {
    r"Half of 10 is (\d)\.": lambda own, other, action, half: int(half) == action == 5,
    r"I always demand (\d)\.": lambda own, other, action, always: {*own, int(always)} == {action},
    r"I start with (\d)\.": lambda own, other, action, start: not own and int(start) == action,
    r"Our demands fit so far, so I demand (\d)\.": lambda own, other, action, said: (
        own and all(a + b <= 10 for a, b in zip(own, other, strict=True)) and int(said) == action
    ),
    r"Our demands went over 10, so I demand (\d)\.": lambda own, other, action, said: (
        any(a + b > 10 for a, b in zip(own, other, strict=True)) and int(said) == action
    ),
    r"You demanded (\d), so I demand (\d)\.": lambda own, other, action, theirs, said: (
        other[-1] == int(theirs) and int(said) == action
    ),
    r"I pick a number at random\.": lambda own, other, action: True,
}
DEMONSTRATORS = sorted({name for mix in PROFILE.experts.values() for name in mix})


@pytest.mark.parametrize("name", DEMONSTRATORS)
def test_every_reason_is_true_of_what_was_seen(name):
    player, game, used = script(name), Split(), set()
    for history in (h for n in range(4) for h in product([3, 5, 7, "f0", "f1"], repeat=n)):
        state, own, other = game.initial_state(), [], []
        for theirs in history:
            if isinstance(theirs, str):
                state = state.forfeit(int(theirs[1]))
                continue
            own.append(min(odds(player, state, 0)))
            other.append(theirs)
            state = state.child({0: own[-1], 1: theirs})
        seen, legal = state.information_state(0), state.legal_actions(0)
        for action in odds(player, state, 0):
            said = player.reason(seen, action)
            matches = [(t, m) for t in REASONS if (m := re.fullmatch(t, said))]
            assert len(matches) == 1, f"{said!r} is no known reason"
            template, match = matches[0]
            assert (name == "random_3_to_7") == ("random" in template)
            assert REASONS[template](own, other, action, *match.groups()), f"{said!r} after {history}"
            assert parse(game, render_reply(game, action, said), legal) == action
            used.add(template)
    assert len(used) == {"conceder": 3, "tit_for_tat": 2}.get(name, 1)


@pytest.mark.parametrize("said", ["12", "0", "10", "-2", "3.5", "5 or 6", "five", "I won't take 9, I take 1", ""])
def test_what_is_no_demand_is_a_fault(said):
    assert isinstance(parse(Split(), said, tuple(DEMANDS)), Fault)


def test_the_words_are_short_and_say_what_is_paid():
    assert "1 to 9 points" in render_rules(Split())
    assert render_rules(Split()).endswith("Answer with one number.")
    state = after((6, 4))
    texts, _ = observations(Split(), state.information_state(0), 0, state.legal_actions(0), "terse")
    assert texts == [
        "Round 1 of 4. 1 to 9?",
        "The other player demands 4. You get 6 points. Round 2 of 4. 1 to 9?",
    ]
    assert render_event(Split(), Event("seat", 0), 0) == ""


def test_a_later_state_is_worth_its_round_and_poses_the_decision_of_the_first():
    game = Split()
    assert game.payoff_state(after((5, 5)), 0) == game.payoff_state(after("f1"), 1) != game.payoff_state(after(), 0)
    assert game.as_first_round(after((5, 5)).information_state(1)) == game.initial_state().information_state(1)
    assert game.label(after((5, 6), "f0").information_state(1)) == "after 6:5 -:-"
    assert game.label(after().information_state(0)) == "first round"


def test_bad_settings_and_moves_are_one_clear_line():
    with pytest.raises(ValueError, match="got rounds=0; allowed"):
        Split(0)
    with pytest.raises(ValueError, match="illegal demand 10; allowed: a whole number from 1 to 9"):
        after((10, 1))
    assert make_game("split", rounds=2).parameters == {"rounds": 2}


def test_the_profiles_weigh_as_published_and_no_held_out_script_demonstrates():
    for profile in (PROFILE, PUBLISHED):
        assert profile.weights == (2.4, 2.4, 2.4)
        for mix in profile.experts.values():
            assert sum(mix.values()) == pytest.approx(1)
            assert not set(mix) & {o.name for o in profile.pools.held_out}
    assert PROFILE.scale is None
    assert PUBLISHED.scale == 0.6
    assert [[o.name for o in PUBLISHED.pools.of(p)] for p in ("train", "exploiter", "collusive")] == [
        ["fair", "balanced", "conceder", "hardball"],
        ["selfish", "hardball"],
        ["fair"],
    ]


def test_the_default_demonstrators_give_more_away_than_the_papers():
    lost = {
        name: sum(
            share * max(0.0, (joint_play(script(who), foe) * HELD * (OTHER - OWN)).sum()) / 2
            for who, share in mix.items()
            for foe in PROFILE.pools.exploiter
        )
        for name, mix in PROFILE.experts.items()
    }
    assert lost["default"] > 0.7 > 0.2 > lost["paper"]
