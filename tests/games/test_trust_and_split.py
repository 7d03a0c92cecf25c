"""Trust and split: pay by enumeration, deals, words, hidden hands, faults, settings."""

import re
from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest
from trust_and_split_states import CLAIMING, CLAIMS, DOMAIN, PAIRS, PROFILE, SCRIPTS, SPEAKING, after, reads, upper

from equipoise.arena import Match, rollout
from equipoise.core import CHANCE, Event, Fault, Reply
from equipoise.games import make_game
from equipoise.games.random_length import RandomLength
from equipoise.games.text import observations, parse, render_question, render_rules
from equipoise.games.trust_and_split import TrustAndSplit, hazards
from equipoise.games.trust_and_split.deal import HANDS
from equipoise.games.trust_and_split.played import played_rounds
from equipoise.games.trust_and_split.seen import Now, Past, current, finished
from equipoise.policies import Policy, ScriptedPolicy, Session
from equipoise.testing import check_game, check_opponent, check_profile


def pays(claim_of):
    """Mean pay per round and seat over the six deals; `claim_of(seat, has_upper)` claims."""
    rewards = []
    for hands in PAIRS:
        sides = (upper(*hands), upper(*hands[::-1]))
        claims = tuple(claim_of(seat, sides[seat]) for seat in (0, 1))
        rewards.append(after((hands, "Hi.", "Hi.", claims), rounds=1).rewards)
    return np.mean(rewards, axis=0).tolist()


def cooperative(seat, has_upper):
    return 10 if has_upper else 0


def greedy(seat, has_upper):
    return 10


def test_reference_pay_is_what_enumeration_says():
    """arXiv 2511.19405's game: both cooperative, both greedy, one of each, and always half."""
    assert pays(cooperative) == [50, 50]
    assert pays(greedy) == [27.5, 27.5]
    assert pays(lambda seat, has_upper: (greedy, cooperative)[seat](seat, has_upper)) == [52.5, 25]
    assert pays(lambda seat, has_upper: 5) == [27.5, 27.5]


def test_scripts_that_speak_the_truth_earn_the_reference_pay():
    policies = {name: ScriptedPolicy(SCRIPTS[name]) for name in ("honest_cooperative", "honest_greedy", "honest_half")}
    expected = {
        ("honest_cooperative", "honest_cooperative"): ({100}, {0}),
        ("honest_greedy", "honest_greedy"): ({50}, {5}),
        ("honest_greedy", "honest_cooperative"): ({100, 50}, {5, 0}),
        ("honest_half", "honest_half"): ({50}, {5}),
    }
    for pair, (uppers, lowers) in expected.items():
        (episode,) = rollout(TrustAndSplit(rounds=40), policies, [Match(pair, 3)], seed=0)
        paid = {True: set(), False: set()}
        for played, row in zip(played_rounds(episode, 0), episode.rewards, strict=True):
            paid[played.upper].add(row[0])
            paid[not played.upper].add(row[1])
        assert (paid[True], paid[False]) == (uppers, lowers), pair


def test_a_claim_of_all_coins_is_dominant_in_every_round():
    for hands, other in product(PAIRS, CLAIMS):
        paid = [after((hands, "Hi.", "Hi.", (own, other)), rounds=1).rewards[0] for own in CLAIMS]
        assert all(more > less for less, more in pairwise(paid))


def test_claims_beyond_the_coins_are_scaled_and_what_nobody_claims_is_lost():
    rewards = after((("rock", "paper"), "Hi.", "Hi.", (10, 5))).rewards
    assert rewards == pytest.approx((10 * 2 / 3, 10 * 10 / 3))
    assert after((("rock", "scissors"), "Hi.", "Hi.", (3, 2))).rewards == (30, 2)
    assert after((("rock", "scissors"), "Hi.", "Hi.", (0, 0))).rewards == (0, 0)


def test_the_bounds_are_those_of_every_way_a_round_can_end():
    paid = [
        points
        for hands, claims in product(PAIRS, product(CLAIMS, CLAIMS))
        for points in after((hands, "Hi.", "Hi.", claims)).rewards
    ]
    game = TrustAndSplit()
    assert (min(paid), max(paid)) == (game.min_reward, game.max_reward) == (0, 100)
    assert game.scale == 0.03
    assert (game.max_slots, TrustAndSplit(talk=False).max_slots) == (2, 1)


@pytest.mark.parametrize("seat", [0, 1])
def test_a_forfeit_gives_all_coins_to_the_other_before_and_after_the_messages(seat):
    for hands in PAIRS:
        worth = 100 if upper(hands[1 - seat], hands[seat]) else 10
        for said in ((), ("Hi.",), ("Hi.", "Hi.")):
            state = after((hands, *said, f"f{seat}"))
            assert (state.rewards[seat], state.rewards[1 - seat]) == (0, worth)
            assert (state.round, state.is_chance) == (1, True)
            assert all(state.information_state(reader)[-1] == Event("forfeit", seat) for reader in (0, 1))
            assert state.child({CHANCE: hands}).rewards == (0, 0)


def test_the_speaker_alternates_whoever_speaks_first_and_whoever_forfeits():
    for first in (0, 1):
        spoke = []
        state = after(first=first)
        for ending in ("claims", "f0", "f1", "claims"):
            state = state.child({CHANCE: ("rock", "paper")})
            spoke.append(state.players_to_move[0])
            if ending != "claims":
                state = state.forfeit(int(ending[1]))
                continue
            for _ in range(2):
                state = state.child({state.players_to_move[0]: "Hi."})
            assert state.players_to_move == (0, 1)
            state = state.child({0: 1, 1: 1})
        assert spoke == [first, 1 - first, first, 1 - first]
    assert TrustAndSplit().initial_state().chance_outcomes() == ((0, 0.5), (1, 0.5))


def test_the_six_deals_are_equally_likely_and_alternate_sides_where_asked():
    deals = after().chance_outcomes()
    assert dict(deals) == pytest.approx(dict.fromkeys(PAIRS, 1 / 6))
    state = after(hands="alternating")
    assert dict(state.chance_outcomes()) == pytest.approx(dict.fromkeys(PAIRS, 1 / 6))
    for hands in PAIRS:
        for ending in (("Hi.", "Hi.", (1, 2)), ("f1",)):
            following = after((hands, *ending), hands="alternating").chance_outcomes()
            assert len(following) == 3
            assert all(p == pytest.approx(1 / 3) for _, p in following)
            assert {upper(*pair) for pair, _ in following} == {not upper(*hands)}


@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param({"rounds": 10}, marks=pytest.mark.slow),
        {"rounds": 3, "hands": "alternating"},
        {"rounds": 3, "talk": False},
        {"rounds": 3, "talk": False, "hands": "alternating"},
        {"rounds": 4, "stop": 0.4},
        {"rounds": 2, "limit": 40},
    ],
)
def test_every_setting_conforms(parameters):
    check_game(make_game("trust_and_split", **parameters))


@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param({"rounds": 5, "hands": "alternating"}, marks=pytest.mark.slow),
        {"rounds": 4, "stop": 0.2, "limit": 40},
    ],
)
def test_every_script_conforms_in_every_setting_with_talk(parameters):
    check_profile(make_game("trust_and_split", **parameters), PROFILE)


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_plays_without_talk_where_it_cannot_vary_its_words(name):
    mixes = name in ("random", "honest_generous")
    check_opponent(TrustAndSplit(rounds=3, talk=False), replace(SCRIPTS[name], stochastic=mixes))


def test_parameters_make_the_same_game_again():
    for parameters in ({}, {"rounds": 3, "limit": 60, "hands": "alternating", "talk": False}, {"stop": 0.25}):
        game = make_game("trust_and_split", **parameters)
        again = make_game("trust_and_split", **game.parameters)
        assert type(game) is (RandomLength if "stop" in parameters else TrustAndSplit)
        assert (type(again), again.parameters) == (type(game), game.parameters)


def test_a_game_of_random_length_ends_early_and_never_says_so():
    game = make_game("trust_and_split", rounds=16, stop=0.5)
    policies = {"liar": ScriptedPolicy(SCRIPTS["liar"])}
    episodes = rollout(game, policies, [Match(("liar", "liar"), deal) for deal in range(200)], seed=0)
    lengths = [len(episode.decisions) // 4 for episode in episodes]
    assert np.mean(lengths) == pytest.approx(2, abs=0.4)
    assert all(
        DOMAIN.cooperation.best_joint(e).tolist() == [100] * n + [0] * (16 - n)
        for e, n in zip(episodes, lengths, strict=True)
    )
    assert all(hazards.shortfalls(e, 0)[n:].tolist() == [0] * (16 - n) for e, n in zip(episodes, lengths, strict=True))


def test_words_of_a_whole_round_for_both_players():
    state = after((("rock", "scissors"), "My hand is rock.", "...", (10, 0)), first=1)
    state = state.child({CHANCE: ("paper", "rock")})
    assert reads(state, 0) == (
        "The other player had the lower hand and claimed 0. Round 2. Your hand is paper. "
        "A message of at most 500 characters?"
    )
    assert observations(TrustAndSplit(), state.information_state(1), 1, SPEAKING, "terse")[0][:2] == [
        "Round 1. Your hand is scissors. A message of at most 500 characters?",
        'The other player says: "..." 0 to 10?',
    ]
    assert TrustAndSplit().event_template(Event("act", 0, 1)) == "{Player} {claims|claim} 1 coin."


@pytest.mark.parametrize("parameters", [{}, {"talk": False}, {"hands": "alternating"}])
def test_no_text_says_how_many_rounds_there_are(parameters):
    short, long = (make_game("trust_and_split", rounds=rounds, **parameters) for rounds in (7, 93))
    assert render_rules(short) == render_rules(long)
    assert not {"7", "93"} & set(re.findall(r"\d+", render_rules(short)))
    sides = []
    for game in (short, long):
        state = game.initial_state()
        while state.is_chance:
            state = state.child({CHANCE: state.chance_outcomes()[0][0]})
        sides.append([state.information_state(seat) for seat in (0, 1)])
    assert sides[0] == sides[1]


def test_the_rules_say_what_is_asked_for():
    both, alone = render_rules(TrustAndSplit()), render_rules(TrustAndSplit(talk=False))
    assert both.endswith("Answer with the message or the whole number asked for.")
    assert alone.endswith("Answer with one whole number.")
    assert "message" not in alone
    assert "changes sides" in render_rules(TrustAndSplit(hands="alternating"))
    assert "changes sides" not in both
    assert all(hand in both for hand in HANDS)
    assert render_question(
        TrustAndSplit(limit=60), after(limit=60).child({CHANCE: ("rock", "paper")}).legal_actions(0), "terse"
    ) == ("A message of at most 60 characters?")


@pytest.mark.parametrize("seat", [0, 1])
def test_no_prompt_shows_the_others_hand_unless_it_says_it(seat):
    for own in HANDS:
        shown = set()
        for other in set(HANDS) - {own}:
            hands = (own, other) if seat == 0 else (other, own)
            for stage in ((), ("Hi.",), ("Hi.", "Good day.")):
                state = after((hands, *stage))
                if seat in state.players_to_move:
                    shown.add((len(stage), reads(state, seat)))
        assert len(shown) == len({stage for stage, _ in shown}) >= 2
        assert not any(hand in text for _, text in shown for hand in set(HANDS) - {own})


def test_what_one_learns_after_a_round_is_the_others_side_and_claim_alone():
    state = after((("rock", "scissors"), "Hi.", "Hi.", (10, 7)))
    assert state.information_state(0)[-1] == Event("shown", 1, (False, 7))
    assert state.information_state(1)[-1] == Event("shown", 0, (True, 10))
    assert not any("scissors" in str(event.value) for event in state.information_state(0))


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        *(("11", "illegal"), ("100", "illegal"), ("-1", "unparsable"), ("2.5", "unparsable"), ("5/2", "ambiguous")),
        *(("ten", "unparsable"), ("all", "unparsable"), ("I claim 3", "unparsable"), ("3 coins", "unparsable")),
        *(("3 or 4", "ambiguous"), ("10 0 5", "ambiguous"), ("10 hats", "unparsable"), ("", "unparsable")),
        *(("I refuse to claim", "refusal"), ("\u0661", "unparsable"), ("07", "unparsable"), ("1e1", "unparsable")),
    ],
)
def test_what_is_no_claim_is_a_typed_fault(said, kind):
    fault = parse(TrustAndSplit(), said, CLAIMING)
    assert isinstance(fault, Fault)
    assert fault.kind == kind


@pytest.mark.parametrize(
    ("said", "kind"),
    [("", "unparsable"), (" \t\n\r\n", "unparsable"), ("x" * 501, "illegal"), ("hi\ud800", "unparsable")],
)
def test_what_is_no_message_is_a_typed_fault(said, kind):
    fault = parse(TrustAndSplit(), said, SPEAKING)
    assert isinstance(fault, Fault)
    assert fault.kind == kind


def test_the_last_line_is_the_message_and_numbers_are_read_where_they_are_asked_for():
    game = TrustAndSplit()
    assert parse(game, "I will lie.\n  I have rock. \n\n", SPEAKING) == "I have rock."
    assert [parse(game, words, SPEAKING) for words in ("10", "Action: 10", "x" * 500)] == [
        "10",
        "Action: 10",
        "x" * 500,
    ]
    assert [parse(game, words, CLAIMING) for words in ("10", "Action: 0", "7.")] == [10, 0, 7]


class Talker(Policy):
    """Says and claims what it is given, in turn, in words."""

    def __init__(self, *words):
        self.name, self.words = "talker", list(words)

    def session(self, game, seed):
        return TalkerSession(list(self.words))


class TalkerSession(Session):
    def __init__(self, words):
        self.words = words

    def replies(self, requests):
        return [Reply(self.words.pop(0)) for _ in requests]


@pytest.mark.parametrize("rule", ["forfeit", "random_legal"])
def test_a_faulty_message_is_forfeited_or_silence(rule):
    policies = {"talker": Talker("", "10", "Hello.", "3"), "liar": ScriptedPolicy(SCRIPTS["liar"])}
    (episode,) = rollout(TrustAndSplit(rounds=1), policies, [Match(("talker", "liar"), 1)], seed=0, fault_rule=rule)
    (first, *_) = episode.of(0)
    assert first.fault.kind == "unparsable"
    assert first.action == (None if rule == "forfeit" else "...")
    assert (episode.returns[0] == 0) == (rule == "forfeit")
    assert played_rounds(episode, 0)[0].claim == (None if rule == "forfeit" else 10)


def test_bad_settings_moves_and_outcomes_are_one_clear_line():
    for bad, line in (
        ({"rounds": 0}, "got rounds=0; allowed"),
        ({"limit": 39}, "got limit=39; allowed: a whole number from 40 to 4000"),
        ({"limit": 4001}, "got limit=4001; allowed"),
        ({"hands": "fixed"}, "got hands='fixed'; allowed: random, alternating"),
        ({"talk": 1}, "got talk=1; allowed: true or false"),
        ({"stop": 1.0}, r"got stop=1\.0; allowed"),
    ):
        with pytest.raises(ValueError, match=line):
            make_game("trust_and_split", **bad)
    speaking, claiming = after((("rock", "paper"),)), after((("rock", "paper"), "Hi.", "Hi."))
    for message in ("", " Hi.", "a\nb", "x" * 501, 3, "\udc80"):
        with pytest.raises(ValueError, match=r"illegal message .*; allowed: one line of 1 to 500 characters"):
            speaking.child({0: message})
    for claim in (11, -1, 2.5, "3", None):
        with pytest.raises(ValueError, match=r"illegal claim .*; allowed: a whole number from 0 to 10"):
            claiming.child({0: 3, 1: claim})
    with pytest.raises(ValueError, match="got the chance outcome 2; allowed here: 0, 1"):
        TrustAndSplit().initial_state().child({CHANCE: 2})
    with pytest.raises(ValueError, match=r"got the chance outcome \('rock', 'rock'\); allowed here"):
        after().child({CHANCE: ("rock", "rock")})


def test_equal_payoff_states_forget_what_was_said_and_claimed():
    game = TrustAndSplit()
    here = after((("rock", "paper"), "I have rock.", "Hi.", (10, 3)), (("paper", "rock"),))
    there = after((("rock", "scissors"), "f0"), (("paper", "rock"),))
    assert game.payoff_state(here, 0) == game.payoff_state(there, 0)
    moved = here.child({here.players_to_move[0]: "Hi."})
    assert game.payoff_state(moved, 0) == game.payoff_state(there.child({1: "Ho."}), 0) != game.payoff_state(here, 0)
    other = after((("rock", "scissors"), "f0"), (("paper", "scissors"),))
    assert game.payoff_state(other, 0) != game.payoff_state(there, 0)


def test_a_later_round_poses_the_decision_of_a_first_one():
    game = TrustAndSplit()
    later = after((("rock", "paper"), "Hi.", "Ho.", (1, 2)), (("paper", "rock"), "Rock!"), first=0)
    first = after((("paper", "rock"), "Rock!"), first=1)
    for seat in (0, 1):
        assert game.as_first_round(later.information_state(seat)) == first.information_state(seat)
    assert game.as_first_round(after().information_state(0)) == after().information_state(0)
    alternating = TrustAndSplit(hands="alternating")
    assert alternating.as_first_round(later.information_state(0)) == later.information_state(0)
    quiet = after((("rock", "paper"), (1, 2)), (("paper", "rock"),), talk=False)
    assert TrustAndSplit(talk=False).as_first_round(quiet.information_state(1)) == (
        after((("paper", "rock"),), talk=False).information_state(1)
    )
    assert game.label(later.information_state(0)) == "paper, heard a message, after 1:upper 2"
    assert game.label(first.information_state(1)) == "rock"


def test_what_a_player_has_seen_is_read_back_round_by_round():
    state = after(
        (("rock", "paper"), "Hi.", "Ho.", (1, 2)), (("paper", "rock"), "Me?", "f0"), (("scissors", "rock"), "Now.")
    )
    assert finished(state.information_state(0)) == [Past("rock", "Hi.", "Ho.", 1, True, 2)]
    assert finished(state.information_state(1)) == [Past("paper", "Ho.", "Hi.", 2, False, 1)]
    assert current(state.information_state(0)) == Now("scissors", "Now.", None)
    assert current(state.information_state(1)) == Now("rock", None, "Now.")
    assert current(after((("rock", "paper"), "f0")).information_state(0)) == Now()
    assert current(after().information_state(0)) == Now()
