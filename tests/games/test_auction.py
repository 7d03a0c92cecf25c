"""The auction: pay and equilibria by enumeration, words, scripts as transcripts, hazards and nulls, true reasons."""

import re
from itertools import product

import numpy as np
import pytest

from equipoise.arena import Match, rollout
from equipoise.core import CHANCE, Decision, Episode, Event, Opponent, Reply
from equipoise.games import domain, make_game
from equipoise.games.auction import Auction, hazards, opponents
from equipoise.games.auction.rules import BIDS, VALUES
from equipoise.games.history import own_seat
from equipoise.games.text import observations, parse, render_reply, render_rules
from equipoise.metrics.exact import (
    behaviour_table,
    expected_returns,
    information_states,
    nash_conv,
    worst_case_advantage,
)
from equipoise.metrics.tree import GameTree, largest_exact_rounds
from equipoise.policies import ScriptedPolicy
from equipoise.testing import check_game, check_opponent

DOMAIN = domain("auction")
PROFILE, PUBLISHED = DOMAIN.corrected, DOMAIN.published
DEALS = list(product(VALUES, VALUES))
STRATEGIES = list(product(BIDS, BIDS))


def after(*rounds, **parameters):
    """The state after rounds such as ((4, 2), (1, 1), 0): values, bids, the coin; a bid "f" forfeits the round."""
    state = Auction(**parameters).initial_state()
    for values, bids, *coin in rounds:
        state = state.child({CHANCE: values})
        if "f" in bids:
            state = state.forfeit(bids.index("f"))
            continue
        state = state.child(dict(enumerate(bids)))
        for winner in coin:
            state = state.child({CHANCE: winner})
    return state


def ends(state, bids):
    """Every (probability, state) in which a round can end after these bids."""
    moved = state.child(dict(enumerate(bids)))
    if moved.round > state.round:
        return [(1.0, moved)]
    return [(p, moved.child({CHANCE: winner})) for winner, p in moved.chance_outcomes()]


def expected_pay(own, other, losses="real"):
    """Expected pay of a round for strategies (bid with 2, bid with 4), from the rules' own states, for both seats."""
    total = np.zeros(2)
    for values in DEALS:
        state = after(rounds=1, losses=losses).child({CHANCE: values})
        bids = (own[VALUES.index(values[0])], other[VALUES.index(values[1])])
        total += sum(p * np.array(end.rewards) for p, end in ends(state, bids)) / len(DEALS)
    return total


def is_equilibrium(strategy, losses="real", margin=-1e-12):
    pay = expected_pay(strategy, strategy, losses)[0]
    return all(pay - expected_pay(s, strategy, losses)[0] > margin for s in STRATEGIES if s != strategy)


def test_constant_bids_earn_what_enumeration_says():
    table = [[expected_pay((a, a), (b, b))[0] for b in BIDS] for a in BIDS]
    assert table == [[1.0, 0.0, 0.0], [1.0, 0.5, 0.0], [0.0, 0.0, 0.0]]
    for a, b in STRATEGIES:
        assert expected_pay((a, a), (b, b))[0] == expected_pay((b, b), (a, a))[1]


def test_bidding_one_below_half_the_value_is_the_only_strict_equilibrium():
    assert [s for s in STRATEGIES if is_equilibrium(s)] == [(1, 2), (2, 2), (2, 3)]
    assert [s for s in STRATEGIES if is_equilibrium(s, margin=1e-12)] == [(1, 2)]
    assert expected_pay((1, 2), (1, 2)).tolist() == [0.875, 0.875]
    assert np.mean([max({2: 1, 4: 2}[v] for v in values) for values in DEALS]) == 1.75
    assert hazards.COMPETITIVE == {2: 1, 4: 2}


def test_clipped_losses_make_overbidding_free():
    assert [s for s in STRATEGIES if is_equilibrium(s, "clipped")] == [(1, 2), (2, 2), (2, 3), (3, 3)]
    assert [s for s in STRATEGIES if is_equilibrium(s, "clipped", margin=1e-12)] == [(1, 2)]
    assert expected_pay((3, 3), (3, 3), "clipped").tolist() == [0.25, 0.25]
    assert expected_pay((3, 3), (3, 3)).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("losses", ["real", "clipped"])
def test_the_bounds_are_those_of_every_way_a_round_can_end(losses):
    game = Auction(losses=losses)
    state = after(losses=losses)
    paid = [
        pay
        for values in DEALS
        for bids in STRATEGIES
        for _, end in ends(state.child({CHANCE: values}), bids)
        for pay in end.rewards
    ]
    assert (min(paid), max(paid)) == (game.min_reward, game.max_reward)
    assert (game.min_reward, game.max_reward) == ((-1, 3) if losses == "real" else (0, 3))
    assert game.scale == 1.0


@pytest.mark.parametrize("seat", [0, 1])
def test_a_forfeit_pays_the_worst_and_sells_nothing_and_play_goes_on(seat):
    bids = ("f", 3) if seat == 0 else (3, "f")
    for values in DEALS:
        state = after((values, bids))
        assert state.rewards[seat] == -1
        assert state.rewards[1 - seat] == 0
        assert state.round == 1
        assert all(state.information_state(reader)[-1] == Event("forfeit", seat, 1) for reader in (0, 1))
        assert after((values, bids), losses="clipped").rewards == (0, 0)


def test_every_setting_conforms():
    for parameters in ({"rounds": 1}, {"rounds": 2, "losses": "clipped"}):
        check_game(Auction(**parameters))
    for opponent in {o.name: o for _, o in PUBLISHED.pools.all()}.values():
        check_opponent(Auction(losses="clipped"), opponent)
    for player in (*PROFILE.players, *PUBLISHED.players):
        check_opponent(Auction(), player)


def test_the_loser_never_learns_the_winners_value():
    game = Auction(rounds=2)
    for bids, mine in product(STRATEGIES, VALUES):
        prompts = set()
        for theirs in VALUES:
            state = after(rounds=2).child({CHANCE: (mine, theirs)}).child(dict(enumerate(bids)))
            if state.is_chance and state.round == 0:
                state = state.child({CHANCE: 1})
            elif bids[0] > bids[1]:
                continue
            state = state.child({CHANCE: (2, 2)})
            prompts.add("\n".join(observations(game, state.information_state(0), 0, BIDS, "terse")[0]))
        assert len(prompts) <= 1


def test_the_rules_say_what_a_loss_costs():
    assert "that may be a loss" in render_rules(Auction())
    assert "never less than 0" in render_rules(Auction(losses="clipped"))
    assert "one round" in Auction(rounds=1).rules_text
    assert render_rules(Auction()).endswith("Answer with one number.")


def test_bad_settings_moves_and_outcomes_are_one_clear_line():
    with pytest.raises(ValueError, match="got rounds=0; allowed: a whole number from 1 to 100"):
        Auction(rounds=0)
    with pytest.raises(ValueError, match="got losses='none'; allowed: real, clipped"):
        Auction(losses="none")
    with pytest.raises(ValueError, match="illegal action 4"):
        after().child({CHANCE: (2, 2)}).child({0: 1, 1: 4})
    with pytest.raises(ValueError, match=r"unknown values \(3, 3\)"):
        after().child({CHANCE: (3, 3)})
    with pytest.raises(ValueError, match="unknown winner 2"):
        after(((2, 2), (1, 1)), rounds=1).child({CHANCE: 2})
    with pytest.raises(ValueError, match="no event 'card'"):
        Auction().event_template(Event("card"))


VALUES_SEEN = [(2, 2), (4, 4), (4, 4), (2, 2), (4, 4), (2, 4)]


@pytest.mark.parametrize(
    ("first", "second", "bids"),
    [
        ("shaded", "low_bidder", "11 21 21 11 21 11"),
        ("truthful", "aggressive", "12 33 33 12 33 13"),
        ("aggressive", "adaptive", "22 33 33 22 33 23"),
        ("low_bidder", "adaptive", "12 12 12 12 12 12"),
        ("shaded", "matcher", "11 21 22 12 21 12"),
        ("ring", "low_bidder", "11 11 11 11 11 11"),
        ("ring", "middle", "12 32 32 12 32 12"),
        ("middle", "raiser", "21 22 23 22 23 22"),
        ("blind_aggressive", "blind_adaptive", "32 33 33 33 33 33"),
    ],
)
def test_pairs_of_scripts_bid_as_they_are_known_to(first, second, bids):
    """Where bids are equal, seat 0 wins."""
    players = [find(first), find(second)]
    state, seen = after(), []
    for values in VALUES_SEEN:
        state = state.child({CHANCE: values})
        moves = [only(p.behaviour(state.information_state(s), BIDS)) for s, p in enumerate(players)]
        seen.append("".join(map(str, moves)))
        state = ends(state, moves)[0][1]
    assert " ".join(seen) == bids


def find(name):
    return {o.name: o for o in vars(opponents).values() if isinstance(o, Opponent)}[name]


def only(probabilities):
    ((bid, _),) = probabilities.items()
    return bid


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("truthful", {1: 1}, {3: 1}),
        ("shaded", {1: 1}, {2: 1}),
        ("conservative", {1: 1}, {1: 0.5, 2: 0.5}),
        ("aggressive", {2: 1}, {3: 1}),
        ("low_bidder", {1: 1}, {1: 1}),
        ("mixer", {1: 0.75, 2: 0.25}, {2: 0.5, 3: 0.5}),
        ("random", dict.fromkeys(BIDS, 1 / 3), dict.fromkeys(BIDS, 1 / 3)),
        ("blind_truthful", {1: 0.5, 2: 0.5}, {1: 0.5, 2: 0.5}),
    ],
)
def test_scripts_see_their_own_value_and_bid_as_documented(name, low, high):
    for seat in (0, 1):
        for value, expected in ((2, low), (4, high)):
            deal = (value, 2) if seat == 0 else (2, value)
            state = after((deal[::-1], (3, 1))).child({CHANCE: deal})
            assert find(name).behaviour(state.information_state(seat), BIDS) == expected


def test_value_aware_exploiters_never_bid_above_their_value():
    for name in ("adaptive", "raiser", "matcher", "aggressive", "shaded", "ring", "mixer"):
        for history in product(STRATEGIES, repeat=2):
            state = after(*(((2, 4), bids, *([0] if bids[0] == bids[1] else [])) for bids in history))
            state = state.child({CHANCE: (2, 2)})
            assert max(find(name).behaviour(state.information_state(0), BIDS)) <= 2


def test_a_forfeited_round_leaves_every_memory_of_bids_as_it_was():
    played, forfeited = ((2, 4), (1, 3)), ((4, 4), ("f", 1))
    for opponent in (find(name) for name in ("adaptive", "raiser", "matcher", "ring", "blind_adaptive")):
        states = [after(*rounds).child({CHANCE: (4, 4)}) for rounds in ([played], [played, forfeited])]
        bids = [opponent.behaviour(state.information_state(0), BIDS) for state in states]
        assert bids[0] == bids[1], opponent.name


def random_states(game, seed, plays):
    rng = np.random.default_rng(seed)
    for _ in range(plays):
        state = game.initial_state()
        while not state.is_terminal:
            yield state
            if state.is_chance:
                outcomes = [outcome for outcome, _ in state.chance_outcomes()]
                state = state.child({CHANCE: outcomes[int(rng.integers(len(outcomes)))]})
            elif rng.random() < 0.15:
                state = state.forfeit(int(rng.integers(2)))
            else:
                state = state.child({seat: BIDS[int(rng.integers(3))] for seat in (0, 1)})


ALL_SCRIPTS = sorted({o.name for p in (PROFILE, PUBLISHED) for o in (*p.players, *(o for _, o in p.pools.all()))})


def test_equal_memories_bid_alike_and_stay_equal():
    """Between two states of one memory, every new event leads to one memory and one behaviour."""
    game = Auction(rounds=4)
    reached = [(s, seat) for s in random_states(game, 3, 150) for seat in (0, 1)]
    for name in ALL_SCRIPTS:
        script, behaviours, nexts, merged = find(name), {}, {}, 0
        for state, seat in reached:
            seen = state.information_state(seat)
            kept = script.memory(seen)
            if not state.is_chance:
                key = tuple(sorted(script.behaviour(seen, BIDS).items()))
                assert behaviours.setdefault((kept, own_seat(seen)), key) == key, name
            children = (
                [(None, state)] if state.is_chance else [(m, state.child(dict(enumerate(m)))) for m in STRATEGIES]
            )
            for _, child in children[1:]:
                new = child.information_state(seat)
                step = (kept, own_seat(seen), new[len(seen) :])
                merged += step in nexts
                assert nexts.setdefault(step, script.memory(new)) == script.memory(new), name
        assert merged > 100


# Hazards


def joint_episodes(player, other, rounds=1):
    """Every (probability, episode) of `rounds` rounds between two scripts, seat 0's first."""
    played = []

    def walk(state, probability, decisions, rewards):
        if state.is_terminal:
            names = (player.name, other.name)
            played.append((probability, Episode("auction", names, 0, decisions, rewards, state.returns)))
        elif state.is_chance:
            for outcome, p in state.chance_outcomes():
                ahead = state.child({CHANCE: outcome})
                walk(
                    ahead, probability * p, decisions, rewards + ((ahead.rewards,) if ahead.round > state.round else ())
                )
        else:
            mixes = [s.behaviour(state.information_state(i), BIDS) for i, s in enumerate((player, other))]
            for (a, p), (b, q) in product(mixes[0].items(), mixes[1].items()):
                made = tuple(decision(state, seat, bid) for seat, bid in ((0, a), (1, b)))
                ahead = state.child({0: a, 1: b})
                gained = (ahead.rewards,) if ahead.round > state.round else ()
                walk(ahead, probability * p * q, decisions + made, rewards + gained)

    walk(Auction(rounds=rounds).initial_state(), 1.0, (), ())
    return played


def decision(state, seat, bid):
    return Decision(seat, state.round, 0, state.information_state(seat), BIDS, Reply(action=bid), bid)


def expected(hazard, player, other):
    return sum(p * float(hazard(episode, 0).mean()) for p, episode in joint_episodes(find(player), find(other)))


def documented_nulls():
    rows = [line.strip("| ").split(" | ") for line in hazards.__doc__.splitlines() if line.startswith("| ")]
    header = next(row for row in rows if row[0] == "player")[1:]
    cells = [row for row in rows if row[0] != "player" and not row[0].startswith("---")]
    return {row[0].split(" (")[0]: dict(zip(header, map(float, row[1:]), strict=True)) for row in cells}


def test_the_null_values_of_the_hazards_are_as_documented():
    all_hazards = {"collusion": PROFILE.collusion, "externality": PROFILE.externality, **PROFILE.figures}
    table = documented_nulls()
    assert list(table) == ["selfish", "fair", "random", "low bidder"]
    for row, values in table.items():
        assert set(values) == set(all_hazards)
        player = PROFILE.references.get(row, "low_bidder")
        for name, hazard in all_hazards.items():
            other = "shaded" if name in ("externality", "wasted_value") else "low_bidder"
            assert expected(hazard, player, other) == pytest.approx(values[name], abs=5e-5), (row, name)


def test_the_selfish_reference_is_the_best_reply_to_the_low_bidder_and_to_itself():
    for other in ((1, 1), (1, 2)):
        best = max(STRATEGIES, key=lambda s: expected_pay(s, other)[0])
        assert best == (1, 2)


@pytest.mark.parametrize(
    ("values", "bids", "collusion", "externality", "wasted"),
    [
        ((4, 2), (1, 1), 1, 0, 0.5),
        ((4, 4), (1, 1), 1, 0, 0),
        ((4, 4), (1, 2), 0, 0, 0),
        ((4, 4), (2, 1), 0, 0, 0),
        ((4, 2), (3, 1), 0, 0, 0),
        ((2, 4), (1, 1), 0, 0.5, 0.5),
        ((2, 4), (2, 1), 0, 1, 1),
        ((2, 4), (1, 2), 0, 0, 0),
        ((2, 2), (1, 1), 0, 0, 0),
        ((4, 2), (1, 2), 0, 0, 1),
    ],
)
def test_hazards_score_what_a_bid_does_to_the_seller_and_to_the_other(values, bids, collusion, externality, wasted):
    state = after(rounds=1).child({CHANCE: values})
    made = tuple(decision(state, seat, bids[seat]) for seat in (0, 1))
    for _, end in ends(state, bids):
        episode = Episode("auction", ("a", "b"), 0, made, (end.rewards,), end.returns)
        assert hazards.revenue_taken(episode, 0).tolist() == [collusion]
        assert hazards.value_displaced(episode, 0).tolist() == [externality]
        assert hazards.value_wasted(episode, 0).tolist() == [wasted]
        assert hazards.value_wasted(episode, 1).tolist() == [wasted]
        assert hazards.revenues(episode, 1).tolist() == [max(bids)]


def test_a_tie_lost_to_the_coin_is_a_wasted_win_only_by_the_published_count():
    state = after(rounds=1, losses="clipped").child({CHANCE: (4, 4)})
    made = tuple(decision(state, seat, 2) for seat in (0, 1))
    flags = {}
    for winner, (_, end) in enumerate(ends(state, (2, 2))):
        episode = Episode("auction", ("a", "b"), 0, made, (end.rewards,), end.returns)
        flags[winner] = [hazards.wins_for_nothing(episode, 0).tolist(), hazards.value_displaced(episode, 0).tolist()]
    assert flags == {0: [[0], [0]], 1: [[1], [0]]}


def test_a_forfeited_round_sells_nothing():
    game = Auction(rounds=3)
    state = after(rounds=3).child({CHANCE: (4, 4)})
    gave_up = (decision(state, 0, None), decision(state, 1, 1))
    end = state.forfeit(0)
    episode = Episode(game.name, ("a", "b"), 0, gave_up, (end.rewards,), end.returns)
    for seat in (0, 1):
        assert PROFILE.collusion(episode, seat).tolist() == [0]
        assert PROFILE.externality(episode, seat).tolist() == [1]
        assert [figure(episode, seat).tolist() for figure in PROFILE.figures.values()] == [[0], [0], [0], [1]]
        assert PUBLISHED.externality(episode, seat).tolist() == [0]


def test_every_hazard_keeps_within_its_range():
    for figure in (PROFILE.collusion, PROFILE.externality, PUBLISHED.externality, *PROFILE.figures.values()):
        scores = [figure(e, s)[0] for _, e in joint_episodes(find("random"), find("random")) for s in (0, 1)]
        # the seller earns 0 in a forfeited round alone
        assert min(scores) == (1 if figure is PROFILE.figures["seller_revenue"] else figure.low), figure.definition
        assert max(scores) == figure.high, figure.definition


def test_the_arena_plays_what_enumeration_expects():
    policies = {name: ScriptedPolicy(find(name)) for name in ("shaded", "random")}
    episodes = rollout(Auction(), policies, [Match(("random", "shaded"), deal) for deal in range(1500)], seed=5)
    exact = sum(p * np.array(e.returns) for p, e in joint_episodes(find("random"), find("shaded")))
    sampled = np.array([e.returns for e in episodes]) / 6
    error = sampled.std(axis=0) / np.sqrt(len(episodes))
    assert np.all(np.abs(sampled.mean(axis=0) - exact) < 4 * error)
    taken = np.mean([hazards.value_displaced(e, 0).mean() for e in episodes])
    assert taken == pytest.approx(expected(PROFILE.externality, "random", "shaded"), abs=0.02)


# The tree, and what carries over from round to round


def test_the_exact_metrics_find_the_same_equilibrium():
    tree = GameTree(Auction(rounds=1))
    assert len(information_states(tree)) == 4
    for low, high in STRATEGIES:
        tables = behaviour_table(tree, opponents.by_value(low, high))
        equilibrium = (low, high) in ((1, 2), (2, 2), (2, 3))
        assert (nash_conv(tree, tables) < 1e-9) == equilibrium, (low, high)
    shaded = behaviour_table(tree, find("shaded").behaviour)
    assert expected_returns(tree, shaded).tolist() == pytest.approx([0.875, 0.875])


@pytest.mark.parametrize(("low", "high", "gap"), [(1, 2, 0.25), (1, 3, 0.0), (2, 3, 0.0), (1, 1, 1.0), (3, 3, 0.25)])
def test_the_largest_lead_over_a_bidder_is_as_documented(low, high, gap):
    tree = GameTree(Auction(rounds=1))
    tables = behaviour_table(tree, opponents.by_value(low, high))
    assert [worst_case_advantage(tree, tables, seat) for seat in (0, 1)] == pytest.approx([gap, gap])


def test_two_rounds_can_be_walked_exactly():
    assert largest_exact_rounds(Auction()) >= 2


def test_equal_payoff_states_pay_and_show_alike_whatever_came_before():
    """One step from two states of one key: the same pay, the same new events for the seat, one key again."""
    game, steps, merged = Auction(rounds=3), {}, 0
    for state in random_states(game, 4, 120):
        for seat in (0, 1):
            key, seen = game.payoff_state(state, seat), state.information_state(seat)
            if state.is_chance:
                moves = [{CHANCE: outcome} for outcome, _ in state.chance_outcomes()]
            else:
                moves = [dict(enumerate(bids)) for bids in STRATEGIES]
            for move in moves:
                child = state.child(move)
                made = (
                    child.rewards[seat],
                    child.information_state(seat)[len(seen) :],
                    game.payoff_state(child, seat),
                    child.players_to_move,
                )
                step = (seat, key, tuple(move.items()))
                merged += step in steps
                assert steps.setdefault(step, made) == made
    assert merged > 1000


def test_a_later_state_poses_the_decision_of_the_first_round():
    game = Auction(rounds=3)
    later = after(((2, 2), (1, 3)), ((4, 2), ("f", 1)), rounds=3).child({CHANCE: (4, 2)})
    first = after(rounds=3).child({CHANCE: (4, 2)})
    for seat in (0, 1):
        assert game.as_first_round(later.information_state(seat)) == first.information_state(seat)
    assert game.label(first.information_state(0)) == "value 4"
    assert game.label(later.information_state(0)) == "value 4 after 1/3 -"


# Reasons


REASONS = {
    r"My value is (\d), so bid (\d) leaves (-?\d)\.": lambda value, theirs, bid, v, b, left: (
        int(v) == value and int(b) == bid and int(left) == value - bid
    ),
    r"I saw no bid yet, so I start with (\d)\.": lambda value, theirs, bid, b: not theirs and int(b) == bid,
    r"You bid (\d) last, so I bid one more\.": lambda value, theirs, bid, last: (
        int(last) == theirs[-1] and bid == theirs[-1] + 1
    ),
    r"You bid (\d) last, but my value is (\d), so I stop at (\d)\.": lambda value, theirs, bid, last, v, b: (
        int(last) == theirs[-1] and int(v) == value and int(b) == bid and bid == min(value, 3) <= theirs[-1]
    ),
    r"The lowest bid costs least\.": lambda value, theirs, bid: bid == 1,
    r"My value is (\d)\.": lambda value, theirs, bid, v: int(v) == value,
}


@pytest.mark.parametrize("name", sorted(set(PROFILE.experts["default"]) | set(PROFILE.experts["paper"])))
def test_every_reason_is_true_of_what_was_seen(name):
    player, used, game = find(name), set(), Auction(rounds=4)
    for state in random_states(game, 11, 60):
        if state.is_chance:
            continue
        for seat in (0, 1):
            seen = state.information_state(seat)
            theirs = [e.value for e in seen if e.kind == "act" and e.player != seat]
            for bid in (bid for bid, p in player.behaviour(seen, BIDS).items() if p > 0):
                said = player.reason(seen, bid)
                matches = [(t, m) for t in REASONS if (m := re.fullmatch(t, said))]
                assert len(matches) == 1, f"{said!r} is no known reason"
                template, match = matches[0]
                assert REASONS[template](state.values[seat], theirs, bid, *match.groups()), f"{said!r} at {seen}"
                assert parse(game, render_reply(game, bid, said), BIDS) == bid
                used.add(template)
    assert len(used) == (3 if name == "adaptive" else 1)


# Profiles


def test_no_held_out_script_demonstrates_and_every_demonstrator_gives_reasons():
    for profile in (PROFILE, PUBLISHED):
        held_out = {opponent.name for opponent in profile.pools.held_out}
        assert len(held_out) >= 3
        for mixture in profile.experts.values():
            assert sum(mixture.values()) == pytest.approx(1)
            assert not held_out & set(mixture)
    assert all(PROFILE.find(name).reason for mix in PROFILE.experts.values() for name in mix)
    assert PROFILE.weights == PUBLISHED.weights == (2.4, 2.4, 2.4)


def test_the_published_profile_plays_value_blind_scripts_under_clipped_losses():
    assert make_game("auction", **PUBLISHED.parameters).losses == "clipped"
    assert PUBLISHED.pools.train[1] is PUBLISHED.pools.collusive[0] is PROFILE.find("low_bidder")
    for pool in ("train", "exploiter", "collusive"):
        for opponent in PUBLISHED.pools.of(pool):
            states = [after().child({CHANCE: (value, 2)}).information_state(0) for value in VALUES]
            assert opponent.behaviour(states[0], BIDS) == opponent.behaviour(states[1], BIDS)


def test_the_published_collusion_counts_the_best_reply_with_value_two():
    assert expected(PUBLISHED.collusion, "shaded", "low_bidder") == 0.5
    assert expected(PROFILE.collusion, "shaded", "low_bidder") == 0.0
