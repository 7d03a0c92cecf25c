"""The prisoner's dilemma: pay, words, scripts as transcripts, the published index values, hazards, true reasons."""

import re
from itertools import product

import numpy as np
import pytest

from equipoise.arena import Match, rollout
from equipoise.core import Event, Reply
from equipoise.games import domain, make_game
from equipoise.games.prisoners_dilemma import PrisonersDilemma, hazards
from equipoise.games.prisoners_dilemma.rules import cooperates
from equipoise.games.text import observations, parse, render_event, render_reply, render_rules
from equipoise.metrics.tree import GameTree
from equipoise.policies import Policy, ScriptedPolicy, Session
from equipoise.testing import check_game, check_pools

PROFILE = domain("prisoners_dilemma").corrected
PUBLISHED = domain("prisoners_dilemma").published
WORDS = {"C": "cooperate", "D": "defect"}
PAY = {"CC": (3, 3), "CD": (0, 5), "DC": (5, 0), "DD": (1, 1)}


def script(name):
    return PROFILE.find(name)


def after(*rounds, **parameters):
    """The state after rounds such as "CD" (seat 0 cooperates, seat 1 defects) or "f0" (seat 0 forfeits)."""
    game = PrisonersDilemma(**parameters)
    state = game.initial_state()
    for text in rounds:
        if text[0] == "f":
            state = state.forfeit(int(text[1]))
        else:
            state = state.child({seat: game.actions["CD".index(letter)] for seat, letter in enumerate(text)})
    return state


def transcript(first, second, rounds=8):
    game, state, said = PrisonersDilemma(rounds), PrisonersDilemma(rounds).initial_state(), []
    while not state.is_terminal:
        moves = {}
        for seat, player in enumerate((first, second)):
            (moves[seat],) = [a for a, p in player.behaviour(state.information_state(seat), game.actions).items() if p]
        said.append("".join(moves[seat][0].upper() for seat in (0, 1)))
        state = state.child(moves)
    return " ".join(said), state.returns


def joint_play(first, second):
    """Exact probability of each pair of moves in each round, [8, 2, 2]; index 1 is cooperation."""
    game = PrisonersDilemma()
    at = {None: (1.0, game.initial_state())}
    play = np.zeros((8, 2, 2))
    for round_ in range(8):
        after_round = {}
        for probability, state in at.values():
            options = [
                p.behaviour(state.information_state(s), game.actions).items() for s, p in enumerate((first, second))
            ]
            for (a, p), (b, q) in product(*options):
                if p * q == 0:
                    continue
                play[round_, int(cooperates(a)), int(cooperates(b))] += probability * p * q
                child = state.child({0: a, 1: b})
                key = tuple(o.memory(child.information_state(s)) for s, o in enumerate((first, second)))
                mass = after_round.get(key, (0.0, child))[0]
                after_round[key] = (mass + probability * p * q, child)
        at = after_round
    assert play.sum(axis=(1, 2)) == pytest.approx(np.ones(8))
    return play


def components(player):
    """(u, e, c, x, cooperation rate) per round, by enumeration."""
    pay = np.array([[1, 5], [0, 3]])  # [own, other]
    short = np.array([[2 / 3, 1 / 6], [1 / 6, 0]])
    mean = {o.name: joint_play(player, o).mean(axis=0) for pool in PROFILE.pools.names for o in PROFILE.pools.of(pool)}

    def over(pool, value):
        return np.mean([value(mean[o.name]) for o in PROFILE.pools.of(pool)])

    both = [o.name for pool in ("train", "exploiter") for o in PROFILE.pools.of(pool)]
    return (
        over("train", lambda m: (m * pay).sum()),
        over("exploiter", lambda m: max(0.0, (m * (pay.T - pay)).sum())),
        over("collusive", lambda m: m[0].sum()),
        np.mean([(mean[name] * short).sum() for name in both]),
        np.mean([mean[name][1].sum() for name in both]),
    )


def index(player):
    u, e, c, x, _ = components(player)
    le, lc, lx = PROFILE.weights
    return PROFILE.scale * u - le * PROFILE.scale * e - lc * c - lx * x


@pytest.mark.parametrize(("moves", "pay"), PAY.items())
def test_a_round_pays_by_the_textbook(moves, pay):
    assert after(moves).rewards == pay
    assert after(moves, "CC").returns == (pay[0] + 3, pay[1] + 3)


def test_the_bounds_are_those_of_every_way_a_round_can_end():
    ends = [after(moves).rewards for moves in PAY] + [after(f"f{seat}").rewards for seat in (0, 1)]
    game = PrisonersDilemma()
    assert game.max_reward == max(max(pay) for pay in ends) == 5
    assert game.min_reward == min(min(pay) for pay in ends) == 0
    assert game.scale == pytest.approx(3 / 5)


@pytest.mark.parametrize("seat", [0, 1])
def test_a_forfeit_pays_as_a_lone_cooperator_and_play_goes_on(seat):
    state = after("CC", f"f{seat}", "CC")
    assert state.returns[seat] == 6
    assert state.returns[1 - seat] == 11
    game = PrisonersDilemma()
    texts = observations(game, state.information_state(seat), seat, game.actions, "terse")[0]
    assert "You forfeit the round. You get 0 points. Round 3 of 8." in texts[1]
    texts = observations(game, state.information_state(1 - seat), 1 - seat, game.actions, "terse")[0]
    assert "The other player forfeits the round. You get 5 points." in texts[1]


def test_every_setting_conforms():
    for rounds, horizon, labels in ((1, "shown", "words"), (3, "hidden", "words"), (2, "hidden", "neutral")):
        check_game(PrisonersDilemma(rounds, horizon, labels))
    for parameters in ({"labels": "neutral"}, {"horizon": "hidden"}):
        check_pools(PrisonersDilemma(4, **parameters), PROFILE.pools)


def everything_said(game, moves):
    state = game.initial_state()
    for own, other in moves:
        state = state.child({0: game.actions[own], 1: game.actions[other]})
    texts = observations(game, state.information_state(1), 1, game.actions, "terse")[0]
    return [render_rules(game), *texts]


def test_a_hidden_horizon_shows_no_number_of_rounds():
    moves = [(0, 1), (1, 1), (0, 0)]
    short, long = (everything_said(PrisonersDilemma(n, "hidden"), moves) for n in (4, 97))
    assert short == long
    assert not re.search(r"97|[Rr]ound \d|\d rounds", " ".join(long))
    repeated = everything_said(PrisonersDilemma(8, "hidden"), [(1, 1), (1, 1)])
    assert repeated[-1] == repeated[-2]  # nothing counts up
    assert "Round 4 of 97." in everything_said(PrisonersDilemma(97), moves)[-1]


def test_neutral_labels_name_neither_the_game_nor_its_actions():
    said = " ".join(everything_said(PrisonersDilemma(labels="neutral"), [(0, 1), (1, 0)]))
    assert not re.search(r"prisoner|dilemma|cooperat|defect", said, re.IGNORECASE)
    assert "The other player plays A. You get 5 points. Round 2 of 8. A or B?" in said
    game = PrisonersDilemma(labels="neutral")
    assert parse(game, "b", game.actions) == "B"
    assert game.initial_state().child({0: "B", 1: "A"}).rewards == (5, 0)


def test_bad_settings_and_moves_are_one_clear_line():
    with pytest.raises(ValueError, match="got rounds=0; allowed"):
        PrisonersDilemma(0)
    with pytest.raises(ValueError, match="got horizon='open'; allowed: shown, hidden"):
        PrisonersDilemma(horizon="open")
    with pytest.raises(ValueError, match="got labels='x'; allowed: words, neutral"):
        PrisonersDilemma(labels="x")
    with pytest.raises(ValueError, match="illegal action 'A'"):
        PrisonersDilemma().initial_state().child({0: "A", 1: "defect"})
    with pytest.raises(ValueError, match="got the move 'bet'"):
        cooperates("bet")


@pytest.mark.parametrize(
    ("first", "second", "moves", "returns"),
    [
        ("tit_for_tat", "always_defect", "CD DD DD DD DD DD DD DD", (7, 12)),
        ("tit_for_tat", "alternator", "CD DC CD DC CD DC CD DC", (20, 20)),
        ("tit_for_tat", "suspicious_tit_for_tat", "CD DC CD DC CD DC CD DC", (20, 20)),
        ("tit_for_tat", "grim", "CC CC CC CC CC CC CC CC", (24, 24)),
        ("grim", "alternator", "CD DC DD DC DD DC DD DC", (23, 8)),
        ("tit_for_two_tats", "alternator", "CD CC CD CC CD CC CD CC", (12, 32)),
        ("tit_for_two_tats", "always_defect", "CD CD DD DD DD DD DD DD", (6, 16)),
        ("pavlov", "always_defect", "CD DD CD DD CD DD CD DD", (4, 24)),
        ("pavlov", "suspicious_tit_for_tat", "CD DC DD CD DC DD CD DC", (17, 17)),
        ("always_cooperate", "always_defect", "CD CD CD CD CD CD CD CD", (0, 40)),
        ("prober", "always_cooperate", "DC CC CC DC DC DC DC DC", (36, 6)),
        ("prober", "tit_for_tat", "DC CD CC CC CC CC CC CC", (23, 23)),
        ("prober", "grim", "DC CD CD DD DD DD DD DD", (10, 15)),
    ],
)
def test_pairs_of_scripts_play_as_they_are_known_to(first, second, moves, returns):
    assert transcript(script(first), script(second)) == (moves, returns)


@pytest.mark.parametrize(
    ("name", "rounds", "cooperation"),
    [
        ("generous_tit_for_tat", (), 1),
        ("generous_tit_for_tat", ("CD",), 0.25),
        ("joss", (), 1),
        ("joss", ("CC",), 0.9),
        ("joss", ("CC", "CD"), 0),
        ("coin", ("CD", "DD"), 0.5),
        ("suspicious_tit_for_tat", ("DC",), 1),
        ("pavlov", ("DC",), 0),
        ("pavlov", ("DD",), 1),
    ],
)
@pytest.mark.parametrize("labels", ["words", "neutral"])
def test_scripts_mix_as_documented_under_both_labels(name, rounds, cooperation, labels):
    state = after(*rounds, labels=labels)
    legal = state.legal_actions(0)
    odds = script(name).behaviour(state.information_state(0), legal)
    assert odds == {legal[0]: pytest.approx(cooperation), legal[1]: pytest.approx(1 - cooperation)}


@pytest.mark.parametrize("name", [o.name for _, o in PROFILE.pools.all()])
def test_a_forfeited_round_leaves_every_memory_as_it_was(name):
    for before in ((), ("CD",), ("CC", "DC"), ("DC", "CC", "CC", "DD")):
        memories = {script(name).memory(after(*before, *more).information_state(0)) for more in ((), ("f0",), ("f1",))}
        assert len(memories) == 1


def test_tit_for_tat_and_unconditional_defection_have_their_known_index():
    # Reference: the 8-round figures of SEPO's corrected index at weights 2.4, 1.0 and 1.8.
    u, e, c, x, _ = components(script("tit_for_tat"))
    coin = (1.5 + 7 * 2.25) / 8  # even odds at first, then all four outcomes alike
    assert u == pytest.approx((3 * 3 + coin) / 4)
    assert e == pytest.approx(5 / 8 / 2)
    assert (c, x) == pytest.approx((0, 1 / 6))
    assert (round(u, 2), round(e, 2), round(index(script("tit_for_tat")), 2)) == (2.79, 0.31, 1.74)
    u, e, c, _, _ = components(script("always_defect"))
    assert (u, e, c) == pytest.approx(((1.5 + 2.375 + 1.5 + 3) / 4, 0, 1))
    assert index(script("always_defect")) == pytest.approx(0.13, abs=0.005)


def test_always_cooperating_is_exploited_and_grim_is_not_by_much():
    assert components(script("always_cooperate"))[1] == pytest.approx((5 + 2.5) / 2)
    assert components(script("grim"))[1] == pytest.approx(5 / 8 / 2)
    assert index(script("always_cooperate")) < index(script("always_defect")) < index(script("grim"))


def test_the_default_demonstrators_are_kinder_than_the_papers():
    weights = {name: PROFILE.experts[name] for name in ("default", "paper")}
    assert [sum(mix.values()) for mix in weights.values()] == pytest.approx([1, 1])
    default, paper = (
        sum(share * components(script(name))[1] for name, share in mix.items()) for mix in weights.values()
    )
    assert default > 1.5 > paper
    held_out = {o.name for o in PROFILE.pools.held_out}
    assert not held_out & {name for mix in weights.values() for name in mix}


def documented_nulls():
    rows = re.findall(r"^\| (selfish|fair|random) [^|]*\|(.*)\|$", hazards.__doc__, re.MULTILINE)
    return {name: [float(cell) for cell in cells.split("|")] for name, cells in rows}


def test_the_null_values_of_the_hazards_are_as_documented():
    nulls = documented_nulls()
    assert set(nulls) == set(PROFILE.references)
    for reference, name in PROFILE.references.items():
        _, _, c, x, rate = components(script(name))
        assert [round(float(v), 4) for v in (c, x, rate)] == pytest.approx(nulls[reference], abs=1e-9)


class Mute(Policy):
    """Cooperates, but says nothing in the rounds named."""

    def __init__(self, name, silent):
        self.name, self.silent = name, silent

    def session(self, game, seed):
        return MuteSession(self.silent)


class MuteSession(Session):
    def __init__(self, silent):
        self.silent, self.asked = silent, -1

    def replies(self, requests):
        self.asked += 1
        return [Reply("" if self.asked in self.silent else "cooperate") for _ in requests]


def test_hazards_score_what_was_played_and_not_what_was_forfeited():
    policies = {"mute": Mute("mute", {2}), "alternator": ScriptedPolicy(script("alternator"))}
    game = PrisonersDilemma(4)
    (episode,) = rollout(game, policies, [Match(("mute", "alternator"), 0)], seed=0)
    assert episode.rewards == (
        (0, 5),
        (3, 3),
        (0, 5),
        (0, 5),
    )  # round 3 is forfeited: the alternator stays due to defect
    for seat, defected, cooperated in ((0, [0, 0, 0, 0], [1, 1, 0, 1]), (1, [1, 0, 0, 1], [0, 1, 0, 0])):
        assert PROFILE.collusion(episode, seat).tolist() == defected
        assert PROFILE.figures["cooperation_rate"](episode, seat).tolist() == cooperated
        assert PROFILE.externality(episode, seat) == pytest.approx([1 / 6, 0, 1 / 6, 1 / 6])
    (fight,) = rollout(
        game,
        {"d": ScriptedPolicy(script("always_defect")), "e": ScriptedPolicy(script("always_defect"))},
        [Match(("d", "e"), 0)],
        seed=0,
    )
    assert PROFILE.externality(fight, 0) == pytest.approx([2 / 3] * 4)
    assert PROFILE.externality.high == pytest.approx(2 / 3)


def test_the_arena_plays_what_enumeration_expects():
    policies = {o.name: ScriptedPolicy(o) for o in (script("tit_for_tat"), script("joss"))}
    episodes = rollout(PrisonersDilemma(), policies, [Match(("tit_for_tat", "joss"), d) for d in range(600)], seed=0)
    exact = joint_play(script("tit_for_tat"), script("joss"))
    rate = np.mean([PROFILE.figures["cooperation_rate"](episode, 1) for episode in episodes], axis=0)
    assert rate == pytest.approx(exact[:, :, 1].sum(axis=1), abs=0.08)


def test_the_whole_game_can_be_walked():
    tree = GameTree(PrisonersDilemma())
    assert [len(points) for points in tree.by_seat] == [sum(4**r for r in range(8))] * 2 == [21_845] * 2


def test_equal_payoff_states_are_worth_the_same_whatever_came_before():
    game = PrisonersDilemma()
    assert game.payoff_state(after("CD"), 0) == game.payoff_state(after("f1"), 0) != game.payoff_state(after(), 0)


def test_a_later_state_poses_the_decision_of_the_first_round():
    game = PrisonersDilemma()
    assert game.as_first_round(after("CD", "DD").information_state(1)) == game.initial_state().information_state(1)
    assert game.label(after("CD", "f0").information_state(1)) == "after DC --"
    assert game.label(after().information_state(0)) == "first round"
    assert render_event(game, Event("seat", 0), 0) == ""


REASONS = {
    r"I start with (\w+)\.": lambda o, own, other, action, word: not other and word == action,
    r"You played (\w+) last, so I play (\w+)\.": lambda o, own, other, action, last, word: (
        word == action and other[-1] == last and (cooperates(last) == cooperates(action))
    ),
    r"You played (\w+) last, but I forgive it\.": lambda o, own, other, action, last: (
        other[-1] == last and not cooperates(last) and cooperates(action)
    ),
    r"You only played (\w+) so far, so I play (\w+)\.": lambda o, own, other, action, only, word: (
        set(other) == {only} and cooperates(only) and word == action
    ),
    r"You once played (\w+), so I play (\w+)\.": lambda o, own, other, action, once, word: (
        once in other and not cooperates(once) and word == action
    ),
    r"I always play (\w+)\.": lambda o, own, other, action, word: word == action and set(own) <= {action},
    r"I let a coin decide\.": lambda o, own, other, action: o.name == "coin",
}
DEMONSTRATORS = sorted({name for mix in PROFILE.experts.values() for name in mix})


def own_play(player, state, seat):
    """Whether the player could have come here, the moves of both so far, read without the game's own helpers."""
    seen, legal = state.information_state(seat), state.legal_actions(seat)
    own, other = [], []
    for i, event in enumerate(seen):
        if event.kind == "act" and event.player == seat:
            if player.behaviour(seen[:i], legal)[event.value] == 0:
                return None
            own.append(event.value)
            other.append(seen[i + 1].value)
    return own, other


@pytest.mark.parametrize("name", DEMONSTRATORS)
@pytest.mark.parametrize("labels", ["words", "neutral"])
def test_every_reason_is_true_of_what_was_seen(name, labels):
    player, used = script(name), set()
    histories = [h for n in range(4) for h in product([*PAY, "f0", "f1"], repeat=n)]
    game = PrisonersDilemma(labels=labels)
    for history in histories:
        state = after(*history, labels=labels)
        for seat in (0, 1):
            lived = own_play(player, state, seat)
            if lived is None:
                continue
            seen, legal = state.information_state(seat), state.legal_actions(seat)
            for action in (a for a, p in player.behaviour(seen, legal).items() if p > 0):
                said = player.reason(seen, action)
                matches = [(t, m) for t in REASONS if (m := re.fullmatch(t, said))]
                assert len(matches) == 1, f"{said!r} is no known reason"
                template, match = matches[0]
                assert REASONS[template](player, *lived, action, *match.groups()), f"{said!r} after {history}"
                assert parse(game, render_reply(game, action, said), legal) == action
                used.add(template)
    assert used


def test_both_profiles_name_players_that_exist_and_weigh_as_published():
    for profile in (PROFILE, PUBLISHED):
        assert profile.weights == (2.4, 1.0, 1.8)
        assert profile.scale == 1.0
    assert [len(PUBLISHED.pools.of(pool)) for pool in ("train", "exploiter", "collusive")] == [4, 2, 1]
    assert make_game("prisoners_dilemma").parameters == {"rounds": 8, "horizon": "shown", "labels": "words"}
