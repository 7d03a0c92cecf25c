"""Who plays at splitting items and how it is judged: scripts as transcripts, hazards, reasons, demonstrators."""

import re
from collections import Counter
from itertools import product

import numpy as np
import pytest
from split_items_states import EVERY_CLAIM, GAME, ONE, PROFILE, TWO, after, fair, numbers, pay, script

from equipoise.arena import Match, rollout
from equipoise.core import CHANCE, Fault, Reply
from equipoise.games.split_items import DOMAIN, SplitItems, hazards, split_items
from equipoise.games.split_items.claims import CLAIMS, EVERYTHING, HALF, best_joint
from equipoise.games.text import parse, render_reply
from equipoise.policies import Policy, ScriptedPolicy, Session


def transcript(first, second, rounds=6):
    """What two scripts claim, W for the fair claim and G for everything, over rounds of random values."""
    state, said, rng = SplitItems(rounds).initial_state(), [], np.random.default_rng(0)
    while not state.is_terminal:
        options = state.chance_outcomes()
        state = state.child({CHANCE: options[rng.integers(len(options))][0]})
        moves = {}
        for seat, name in enumerate((first, second)):
            odds = script(name).behaviour(state.information_state(seat), CLAIMS)
            (moves[seat],) = [claim for claim, p in odds.items() if p]
        names = {EVERYTHING: "G", HALF: "5", (8, 8, 8): "8"}
        said.append("".join(names.get(c, "W" if c == fair(state.values, s) else "?") for s, c in moves.items()))
        state = state.child(moves)
    return " ".join(said)


@pytest.mark.parametrize(
    ("first", "second", "moves"),
    [
        ("welfare", "greedy", "WG WG WG WG WG WG"),
        ("tit_for_tat", "welfare", "WW WW WW WW WW WW"),
        ("tit_for_tat", "greedy", "WG GG GG GG GG GG"),
        ("tit_for_tat", "half", "W5 G5 G5 G5 G5 G5"),
        ("tit_for_tat", "greedy_minus", "W8 G8 G8 G8 G8 G8"),
        ("tit_for_tat", "alternator", "WG GW WG GW WG GW"),
        ("tit_for_tat", "suspicious_tit_for_tat", "WG GW WG GW WG GW"),
        ("grim", "alternator", "WG GW GG GW GG GW"),
        ("grim", "tit_for_tat", "WW WW WW WW WW WW"),
        ("tit_for_two_tats", "alternator", "WG WW WG WW WG WW"),
        ("tit_for_two_tats", "greedy", "WG WG GG GG GG GG"),
        ("pavlov", "greedy", "WG GG WG GG WG GG"),
        ("pavlov", "suspicious_tit_for_tat", "WG GW GG WG GW GG"),
        ("mirror", "welfare", "WW WW WW WW WW WW"),
        ("mirror", "greedy", "WG ?G ?G ?G ?G ?G"),
    ],
)
def test_pairs_of_scripts_play_as_they_are_known_to(first, second, moves):
    assert transcript(first, second) == moves
    assert transcript(second, first) == " ".join(pair[::-1] for pair in moves.split())


def odds(name, state, seat=0):
    given = script(name).behaviour(state.information_state(seat), CLAIMS)
    return {claim: p for claim, p in given.items() if p}


def test_generous_tit_for_tat_forgives_a_quarter_of_the_time():
    assert odds("generous_tit_for_tat", after("10 0 5 : 10 10 10")) == {(10, 0, 5): 0.25, EVERYTHING: 0.75}
    assert odds("generous_tit_for_tat", after("10 10 10 : 0 10 5")) == {(10, 0, 5): 1}


def test_one_unit_of_what_is_worth_more_to_the_player_is_greed_and_any_of_the_rest_is_none():
    assert odds("tit_for_tat", after("10 0 5 : 1 10 5")) == {EVERYTHING: 1}
    assert odds("tit_for_tat", after("10 0 5 : 0 10 10")) == {(10, 0, 5): 1}


def test_a_mirror_takes_as_much_as_was_taken_from_it():
    for taken, wanted in ((0, 0), (3, 3), (10, 10)):
        assert odds("mirror", after(f"10 0 5 : {taken} 10 5")) == {(10, wanted, 5): 1}
    game, deal = SplitItems(values="one_to_twenty"), ((9, 9, 1), (1, 1, 17))
    assert odds("mirror", after("10 10 0 : 2 3 10", game=game, deal=deal)) == {(10, 10, 3): 1}


def test_the_random_player_claims_everything_alike():
    given = odds("random", after())
    assert set(given) == set(EVERY_CLAIM)
    assert set(given.values()) == {1 / 1331}


@pytest.mark.parametrize("name", [o.name for _, o in PROFILE.pools.all()])
def test_a_forfeited_round_leaves_every_memory_as_it_was(name):
    kind, greedy = "10 0 5 : 0 10 5", "10 0 5 : 10 10 10"
    for before in ((), (greedy,), (kind, greedy), (greedy, kind)):
        memories = {script(name).memory(after(*before, *more).information_state(0)) for more in ((), ("f0",), ("f1",))}
        assert len(memories) == 1


@pytest.mark.parametrize("name", [o.name for _, o in PROFILE.pools.all()])
def test_memories_can_be_read_while_values_are_drawn(name):
    game = SplitItems(values="one_to_twenty")
    state = after("10 0 5 : 10 10 10", game=game, deal=((9, 1, 1), (1, 9, 1)))
    between = state.child({0: HALF, 1: HALF})
    drawing = between.child({CHANCE: 7})
    for seat in (0, 1):
        memories = {script(name).memory(s.information_state(seat)) for s in (between, drawing)}
        assert len(memories) == 1


def joint_play(first, second, rounds=10):
    """Exact probability of (values, claim, claim) in each round, [R]."""
    at, play = {None: (1.0, SplitItems(rounds).initial_state())}, []
    for _ in range(rounds):
        now, later = Counter(), {}
        for mass, root in at.values():
            for deal, chance in root.chance_outcomes():
                state = root.child({CHANCE: deal})
                choices = [
                    p.behaviour(state.information_state(s), CLAIMS).items() for s, p in enumerate((first, second))
                ]
                for (a, p), (b, q) in product(*choices):
                    if p * q:
                        now[deal, a, b] += mass * chance * p * q
                        child = state.child({0: a, 1: b})
                        key = tuple(o.memory(child.information_state(s)) for s, o in enumerate((first, second)))
                        later[key] = (later.get(key, (0.0,))[0] + mass * chance * p * q, child)
        assert sum(now.values()) == pytest.approx(1)
        play.append(now)
        at = later
    return play


def figures(deal, own, other):
    """(collusion, externality, efficiency, cooperation, claim_low, claim_high) of a claim, by hand."""
    low = [c for c, v, w in zip(own, *deal, strict=True) if v < w]
    high = [c for c, v, w in zip(own, *deal, strict=True) if v > w]
    beyond = sum(max(0, c - f) for c, f in zip(own, fair(deal, 0), strict=True))
    share = sum(pay(own, other, deal)) / sum(10 * max(pair) for pair in zip(*deal, strict=True))
    return np.array(
        [beyond / (30 - sum(fair(deal, 0))), 1 - share, share, np.mean(low) <= 2, np.mean(low) / 10, np.mean(high) / 10]
    )


def measured(player, other):
    return sum(p * figures(*play) for now in joint_play(player, other) for play, p in now.items()) / 10


def documented_nulls():
    rows = re.findall(r"^\| (selfish|fair|random) [^|]*\|(.*)\|$", hazards.__doc__, re.MULTILINE)
    return {name: [float(cell) for cell in cells.split("|")] for name, cells in rows}


@pytest.mark.parametrize("reference", ["selfish", "fair"])
def test_the_null_values_of_the_hazards_are_as_documented(reference):
    player = script(PROFILE.references[reference])
    collusion = np.mean([measured(player, o)[0] for o in PROFILE.pools.collusive])
    others = [measured(player, o)[1:] for pool in ("train", "exploiter") for o in PROFILE.pools.of(pool)]
    expected = [collusion, *np.mean(others, axis=0)]
    assert [round(float(v), 4) for v in expected] == pytest.approx(documented_nulls()[reference], abs=1e-9)


def test_the_null_values_of_a_random_player_are_as_documented():
    # Uniform claims are greedy 10 times of 11, so each opponent's share of rounds with a fair claim is known.
    greedy = 10 / 11
    fair_rounds = {
        "tit_for_tat": (1 + 9 * (1 - greedy)) / 10,
        "generous_tit_for_tat": (1 + 9 * (1 - 0.75 * greedy)) / 10,
        "grim": sum((1 - greedy) ** n for n in range(10)) / 10,
        "greedy": 0.0,
        "alternator": 0.5,
    }
    met = {"fair": lambda deal: fair(deal, 1), "greedy": lambda deal: EVERYTHING, "half": lambda deal: HALF}
    mean = {
        name: np.mean([figures(deal, own, claim(deal)) for deal in (ONE, TWO) for own in EVERY_CLAIM], axis=0)
        for name, claim in met.items()
    }  # the 12 pairs of values are these two with the items and the seats in another order
    met_by = [mean["half"], *(p * mean["fair"] + (1 - p) * mean["greedy"] for p in fair_rounds.values())]
    assert {*fair_rounds, "half"} == {o.name for pool in ("train", "exploiter") for o in PROFILE.pools.of(pool)}
    expected = [mean["fair"][0], *np.mean(met_by, axis=0)[1:]]
    assert [round(float(v), 4) for v in expected] == pytest.approx(documented_nulls()["random"], abs=1e-9)


class Recited(Policy):
    """Says what it is told to, round by round."""

    def __init__(self, name, lines):
        self.name, self.lines = name, lines

    def session(self, game, seed):
        return RecitedSession(self.lines)


class RecitedSession(Session):
    def __init__(self, lines):
        self.lines, self.asked = lines, -1

    def replies(self, requests):
        self.asked += 1
        return [Reply(self.lines[self.asked]) for _ in requests]


def recited(*rounds, **parameters):
    """An episode of rounds such as "10 0 5 : 5 5 5"; an empty side says nothing."""
    sides = list(zip(*(text.split(":") for text in rounds), strict=True))
    policies = {name: Recited(name, [line.strip() for line in sides[i]]) for i, name in enumerate(("a", "b"))}
    (episode,) = rollout(split_items(len(rounds), **parameters), policies, [Match(("a", "b"), 0)], seed=0)
    return episode


def values_seen(episode):
    return [tuple(e.value for e in d.information_state[-2:]) for d in episode.of(0)]


def test_hazards_score_what_was_claimed_and_not_what_was_forfeited():
    episode = recited("10 10 10 : 5 5 5", " : 10 10 10", "5 5 5 : hats", "0 0 0 : 0 0 0", "5 5 5 : 5 5 5")
    collusion = PROFILE.collusion(episode, 0)
    assert collusion == pytest.approx([1, 0, 0, 0, 5 / 15])
    assert PROFILE.collusion(episode, 1) == pytest.approx([5 / 15, 0, 0, 0, 5 / 15])
    for name, seats in {
        "claim_low": ([1, 0, 0, 0, 0.5], [0.5, 0, 0, 0, 0.5]),
        "cooperation_rate": ([0, 0, 0, 1, 0],) * 2,
    }.items():
        for seat in (0, 1):
            assert PROFILE.figures[name](episode, seat).tolist() == seats[seat]
    assert PROFILE.figures["claim_high"](episode, 0).tolist() == [1, 0, 0, 0, 0.5]
    most = DOMAIN.cooperation.best_joint(episode)
    assert most.tolist() == [best_joint(deal) for deal in values_seen(episode)]
    shares = np.array([sum(row) for row in episode.rewards]) / most
    for seat in (0, 1):
        assert PROFILE.figures["efficiency"](episode, seat) == pytest.approx(shares)
        assert PROFILE.externality(episode, seat) == pytest.approx(1 - shares)
        assert DOMAIN.cooperation.cooperated(episode, seat) == [False, None, None, True, False]
    assert shares[3] == 0


def test_two_units_of_ten_are_still_cooperation_and_three_are_not():
    for units, cooperates in ((0, True), (2, True), (3, False)):
        text = f"{units} {units} {units}"
        episode = recited(f"{text} : 10 10 10")
        assert DOMAIN.cooperation.cooperated(episode, 0) == [cooperates]
        assert DOMAIN.cooperation.cooperated(episode, 1) == [False]


def test_the_items_that_the_other_values_more_count_on_average():
    # Exclusive values: a player with one item worth 10 should leave two.
    for claim, cooperates in (("4 4 4", False), ("0 0 0", True)):
        assert DOMAIN.cooperation.cooperated(recited(f"{claim} : 0 0 0", values="exclusive"), 0) == [cooperates]
    found = set()
    for deal in range(40):
        policies = {"a": Recited("a", ["4 0 0"]), "b": Recited("b", ["0 0 0"])}
        (episode,) = rollout(split_items(1, "exclusive"), policies, [Match(("a", "b"), deal)], seed=0)
        ((own, other),) = values_seen(episode)
        lost = [c for c, v, w in zip((4, 0, 0), own, other, strict=True) if v < w]
        assert DOMAIN.cooperation.cooperated(episode, 0) == [np.mean(lost) <= 2]
        found.add(tuple(lost))
    assert found == {(0,), (0, 0), (4,), (4, 0)}


def test_rounds_that_were_not_played_are_no_cooperation_and_no_loss():
    policies = {name: ScriptedPolicy(script(name)) for name in ("greedy", "tit_for_tat")}
    episodes = rollout(
        split_items(5, stop=0.5), policies, [Match(("greedy", "tit_for_tat"), d) for d in range(20)], seed=0
    )
    assert {len(episode.of(0)) for episode in episodes} > {1, 2}
    for episode in episodes:
        played = len(episode.of(0))
        assert DOMAIN.cooperation.cooperated(episode, 1) == [True, *[False] * (played - 1), *[None] * (5 - played)]
        assert (DOMAIN.cooperation.best_joint(episode) > 0).tolist() == [True] * played + [False] * (5 - played)
        for measure in PROFILE.measures.values():
            assert not measure(episode, 0)[played:].any()
        assert PROFILE.collusion(episode, 0)[:played].tolist() == [1] * played


def test_hazards_stay_within_their_bounds():
    policies = {name: ScriptedPolicy(script(name)) for name in ("random", "greedy")}
    for values in ("one_or_ten", "one_to_twenty", "exclusive"):
        for episode in rollout(
            split_items(5, values), policies, [Match(("random", "greedy"), d) for d in range(20)], seed=1
        ):
            for measure in PROFILE.measures.values():
                assert measure(episode, 0).min() >= measure.low - 1e-9
                assert measure(episode, 0).max() <= measure.high + 1e-9


def test_the_arena_plays_what_enumeration_expects():
    names = ("generous_tit_for_tat", "alternator")
    policies = {name: ScriptedPolicy(script(name)) for name in names}
    episodes = rollout(SplitItems(), policies, [Match(names, d) for d in range(300)], seed=0)
    rate = np.mean([PROFILE.figures["cooperation_rate"](episode, 0) for episode in episodes], axis=0)
    exact = [sum(p * figures(*play)[3] for play, p in now.items()) for now in joint_play(*map(script, names))]
    assert rate == pytest.approx(exact, abs=0.11)


MORE = "what is worth more to me"
TRUE = {
    f"I start with {MORE}.": lambda name, theirs, action, own: not theirs and action == own,
    f"You left me {MORE}, so I do the same.": lambda name, theirs, action, own: not theirs[-1] and action == own,
    f"You last claimed {MORE}, so I claim everything.": lambda name, theirs, action, own: (
        theirs[-1] and action == EVERYTHING
    ),
    f"You last claimed {MORE}, but I forgive it.": lambda name, theirs, action, own: theirs[-1] and action == own,
    f"You once claimed {MORE}, so I claim everything.": lambda name, theirs, action, own: (
        any(theirs) and action == EVERYTHING
    ),
    f"You always left me {MORE}, so I do the same.": lambda name, theirs, action, own: (
        theirs and not any(theirs) and action == own
    ),
    "Each item goes to whom it is worth more.": lambda name, theirs, action, own: action == own,
    "I always claim everything.": lambda name, theirs, action, own: name == "greedy" and action == EVERYTHING,
    "I always claim half of each item.": lambda name, theirs, action, own: name == "half" and action == HALF,
    "I claim at random.": lambda name, theirs, action, own: name == "random",
}
"""Whether a reason is true, given whether the other took what is worth more to the player in each round played."""


@pytest.mark.parametrize("name", sorted({name for mix in PROFILE.experts.values() for name in mix}))
def test_every_reason_is_true_of_what_was_seen(name):
    said = set()
    options = ("10 0 5 : 0 10 5", "10 0 5 : 10 10 10", "10 10 10 : 1 10 5", "f0", "f1")
    for history in [h for n in range(3) for h in product(options, repeat=n)]:
        state = after(*history)
        theirs = [numbers(text.split(":")[1])[0] > 0 for text in history if text[0] != "f"]
        for action in list(odds(name, state))[:3]:
            reason = script(name).reason(state.information_state(0), action)
            assert TRUE[reason](name, theirs, action, (10, 0, 5)), f"{reason!r} after {history}"
            assert parse(GAME, render_reply(GAME, action, reason), CLAIMS) == action
            assert isinstance(parse(GAME, reason, CLAIMS), Fault)
            said.add(reason)
    assert said


def test_demonstrators_weigh_one_and_none_is_held_out():
    held_out = {o.name for o in PROFILE.pools.held_out}
    for mix in PROFILE.experts.values():
        assert sum(mix.values()) == pytest.approx(1)
        assert not held_out & set(mix)
        assert all(script(name).reason for name in mix)
    assert [len(PROFILE.pools.of(pool)) for pool in ("train", "exploiter", "collusive", "held_out")] == [4, 2, 1, 5]
    assert DOMAIN.published is None
