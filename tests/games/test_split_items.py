"""Splitting items: values, pay, published reference pay, words, faults, settings."""

from itertools import product

import numpy as np
import pytest
from split_items_states import EVERY_CLAIM, GAME, ONE, PROFILE, TWO, after, dealt, fair, pay, script, values_drawn

from equipoise.core import CHANCE, Event, Fault
from equipoise.games.split_items import SplitItems, split_items
from equipoise.games.split_items.claims import CLAIMS, EVERYTHING, HALF, best_joint, welfare_claim
from equipoise.games.text import observations, parse, render_event, render_rules
from equipoise.testing import check_game, check_opponent, check_pools


def test_there_are_twelve_equally_likely_pairs_of_values_with_equal_sums():
    deals = values_drawn(GAME)
    assert len(deals) == 12
    assert set(deals.values()) == {1 / 12}
    expected = {
        (a, b)
        for a, b in product(product((1, 10), repeat=3), repeat=2)
        if sum(a) == sum(b) and any(map(int.__ne__, a, b))
    }
    assert set(deals) == expected
    for a, b in deals:
        assert sorted(np.sign(np.subtract(a, b))) == [-1, 0, 1]


def test_exclusive_values_give_each_player_an_item_or_two():
    deals = values_drawn(SplitItems(values="exclusive"))
    assert len(deals) == 6
    assert set(deals.values()) == {1 / 6}
    for a, b in deals:
        assert all({v, w} == {1, 10} for v, w in zip(a, b, strict=True))
        assert {sum(a), sum(b)} == {21, 12}
    assert np.mean([sum(a) for a, _ in deals]) == np.mean([sum(b) for _, b in deals])


def test_every_pair_of_values_from_one_to_twenty_is_as_likely_as_every_other():
    ways = np.convolve(np.convolve(np.ones(20), np.ones(20)), np.ones(20))
    pairs = int((ways**2 - ways).sum())  # equal sums, without the pairs in which no item differs
    rng, seen = np.random.default_rng(0), set()
    for _ in range(200):
        state, probability = SplitItems(values="one_to_twenty").initial_state(), 1.0
        while state.is_chance:
            options = state.chance_outcomes()
            assert len(options) <= 20
            outcome, p = options[rng.integers(len(options))]
            state, probability = state.child({CHANCE: outcome}), probability * p
        first, second = state.values
        assert sum(first) == sum(second)
        assert first != second
        assert set(first) | set(second) <= set(range(1, 21))
        assert probability == pytest.approx(1 / pairs)
        seen.add(first)
    assert len(seen) > 100


def test_values_are_drawn_anew_each_round_and_seen_by_both():
    state = after("10 0 5 : 0 10 5")
    assert state.values == ONE
    again = dealt(SplitItems().initial_state(), ONE).child({0: HALF, 1: HALF})
    assert again.is_chance
    assert dict(again.chance_outcomes()) == values_drawn(GAME)
    shown = dealt(again, TWO)
    assert [e.value for e in shown.information_state(0)[-3:]] == [2, *TWO]
    assert [e.value for e in shown.information_state(1)[-3:]] == [2, *TWO[::-1]]


def test_pay_is_units_times_values_for_claims_of_every_kind():
    rng = np.random.default_rng(0)
    for deal in [*values_drawn(GAME), ((20, 1, 3), (4, 19, 1)), ((10, 10, 1), (1, 1, 10))]:
        rule = "one_to_twenty" if 20 in deal[0] else "exclusive" if sum(deal[0]) != sum(deal[1]) else "one_or_ten"
        state = dealt(SplitItems(values=rule).initial_state(), deal)
        for _ in range(100):
            claims = [EVERY_CLAIM[i] for i in rng.integers(len(EVERY_CLAIM), size=2)]
            assert state.child(dict(enumerate(claims))).rewards == pytest.approx(pay(*claims, deal))


def test_the_published_reference_pay_follows_by_enumeration():
    # Reference: arXiv 2511.19405, its game of splits without talk; means over the 12 pairs of values.
    kind, fight, takes, gives, shares, uneven = [], [], [], [], [], []
    for deal in values_drawn(GAME):
        state = dealt(SplitItems().initial_state(), deal)
        kind += state.child({0: fair(deal, 0), 1: fair(deal, 1)}).rewards
        war = state.child({0: EVERYTHING, 1: EVERYTHING}).rewards
        fight += war
        shares.append(sum(war) / best_joint(deal))
        for greedy in (0, 1):
            rewards = state.child({greedy: EVERYTHING, 1 - greedy: fair(deal, 1 - greedy)}).rewards
            takes.append(rewards[greedy])
            gives.append(rewards[1 - greedy])
            uneven.append(sum(rewards) / best_joint(deal))
    best = np.mean([best_joint(deal) for deal in values_drawn(GAME)])
    assert best == 255
    assert np.mean(kind) == 127.5
    assert np.mean(fight) == 82.5
    assert (round(np.mean(takes), 1), round(np.mean(gives), 1)) == (141.7, 68.3)
    assert (round(np.mean(shares), 3), {round(s, 3) for s in shares}) == (0.636, {0.571, 0.7})
    assert round(np.mean(uneven), 3) == 0.818


def test_the_fair_claims_are_paid_the_best_joint_pay_there_is():
    for deal in [*values_drawn(GAME), *values_drawn(SplitItems(values="exclusive")), ((20, 1, 3), (4, 19, 1))]:
        by_unit = sum(10 * max(pair) for pair in zip(*deal, strict=True))
        assert best_joint(deal) == by_unit == sum(pay(fair(deal, 0), fair(deal, 1), deal))
        assert [welfare_claim(*deal), welfare_claim(*deal[::-1])] == [fair(deal, 0), fair(deal, 1)]


def test_claiming_everything_is_the_best_reply_to_every_claim_of_a_round():
    for other in EVERY_CLAIM[::37]:
        most = max(EVERY_CLAIM, key=lambda own: (pay(own, other, TWO)[0], own))
        assert most == EVERYTHING


@pytest.mark.parametrize(
    ("rule", "most"), [("one_or_ten", 10 * 21), ("exclusive", 10 * 21), ("one_to_twenty", 10 * (20 + 20 + 19))]
)
def test_the_bounds_are_those_of_the_best_values(rule, most):
    game = SplitItems(values=rule)
    assert (game.max_reward, game.min_reward) == (most, 0)
    rich = {"one_or_ten": TWO, "exclusive": ((10, 10, 1), (1, 1, 10)), "one_to_twenty": ((20, 20, 19), (20, 19, 20))}
    state = dealt(game.initial_state(), rich[rule])
    assert state.child({0: EVERYTHING, 1: (0, 0, 0)}).rewards == (most, 0)
    assert game.scale == pytest.approx(3 / most)


@pytest.mark.parametrize("seat", [0, 1])
def test_a_forfeit_gives_all_units_to_the_other_and_play_goes_on(seat):
    state = after("10 5 0 : 0 5 10", f"f{seat}", deal=TWO)
    assert state.returns[seat] == 150
    assert state.returns[1 - seat] == 150 + 210
    texts = observations(GAME, state.information_state(seat), seat, CLAIMS, "terse")[0]
    assert "You forfeit the round. You get 0 points. The other player gets 210 points. Round 3." in texts[1]
    texts = observations(GAME, state.information_state(1 - seat), 1 - seat, CLAIMS, "terse")[0]
    assert "The other player forfeits the round. You get 210 points. The other player gets 0 points." in texts[1]


def test_all_claims_are_legal_always_and_are_one_object():
    game, state = SplitItems(), after()
    assert list(game.actions) == EVERY_CLAIM
    assert state.legal_actions(0) is state.legal_actions(1) is game.actions is CLAIMS
    assert game.legal_at(state.information_state(1), 1) is CLAIMS
    assert split_items(stop=0.5).initial_state().child({CHANCE: ONE}).legal_actions(0) is CLAIMS
    root = game.initial_state()
    assert root.legal_actions(0) == game.legal_at(root.information_state(0), 0) == ()


def test_the_legal_claims_are_the_plain_tuple_to_everything_but_the_clock():
    plain = tuple(EVERY_CLAIM)
    assert plain == CLAIMS
    assert hash(plain) == hash(CLAIMS)
    assert {plain: 1}[CLAIMS] == 1
    for thing in ((0, 0, 0), (10, 10, 10), (11, 0, 0), (-1, 0, 0), (1, 2), (0.5, 0, 0), "0 0 0", None, 3):
        assert (thing in CLAIMS) == (thing in plain)


def test_rules_state_all_that_is_paid_and_never_how_long_it_goes_on():
    for rule in ("one_or_ten", "one_to_twenty", "exclusive"):
        short, long = (split_items(rounds, rule, stop) for rounds, stop in ((3, 0), (97, 0.3)))
        assert render_rules(short) == render_rules(long)
    rules = render_rules(SplitItems())
    assert "10 hats, 10 books and 10 balls" in rules
    assert "If the claims to an item exceed 10, it is divided in proportion to the claims" in rules
    assert "one or more rounds" in rules
    assert rules.endswith("Answer with three numbers, for example 10 0 5.")
    assert "1 or 10" in rules
    assert "1 to 20" in render_rules(SplitItems(values="one_to_twenty"))
    assert "10 to one player and 1 to the other" in render_rules(SplitItems(values="exclusive"))


def test_a_round_reads_as_documented():
    texts, _ = observations(GAME, after("10 0 5 : 10 10 10").information_state(0), 0, CLAIMS, "terse")
    assert texts == [
        "Round 1. Your values are 10 1 1. The other player's values are 1 10 1. 0 0 0 to 10 10 10?",
        "The other player claims 10 10 10. You get 53.3 points. The other player gets 111.7 points. "
        "Round 2. Your values are 10 1 1. The other player's values are 1 10 1. 0 0 0 to 10 10 10?",
    ]
    texts, _ = observations(GAME, after("1 0 0 : 0 0 1").information_state(1), 1, CLAIMS, "terse")
    assert "The other player claims 1 0 0. You get 1 point. The other player gets 10 points. Round 2." in texts[1]


def test_pay_is_shown_with_one_decimal_and_booked_in_full():
    state = after("10 0 5 : 10 10 10")
    exact = (50 + 10 / 3, 5 + 100 + 20 / 3)
    assert state.returns == pytest.approx(exact, abs=1e-12)
    paid = [[e.value for e in state.information_state(seat) if e.kind == "paid"] for seat in (0, 1)]
    assert paid == [[53.3, 111.7], [111.7, 53.3]]


def test_draws_of_single_numbers_have_no_words():
    game = SplitItems(values="one_to_twenty")
    state = dealt(game.initial_state(), ((20, 1, 3), (4, 19, 1)))
    texts, _ = observations(game, state.information_state(1), 1, CLAIMS, "terse")
    assert texts == ["Round 1. Your values are 4 19 1. The other player's values are 20 1 3. 0 0 0 to 10 10 10?"]


@pytest.mark.parametrize("text", ["10 0 5", "10 0 5.", "Action: 10 0 5", "Books are yours.\n10 0 5", " 10 0 5 "])
def test_three_numbers_are_a_claim(text):
    assert parse(GAME, text, CLAIMS) == (10, 0, 5)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("11 0 0", "illegal"),
        ("10 0 500", "illegal"),
        ("-1 0 5", "unparsable"),
        ("10 0 -5", "unparsable"),
        ("2.5 0 5", "unparsable"),
        ("10 0 5.5", "unparsable"),
        ("1/2 0 5", "unparsable"),
        ("10 5", "unparsable"),
        ("7", "unparsable"),
        ("1 2 3 4", "unparsable"),
        ("10, 0, 5", "unparsable"),
        ("010 0 5", "unparsable"),
        ("ten zero five", "unparsable"),
        ("all of the hats", "unparsable"),
        ("10 apples 0 pears 5 plums", "unparsable"),
        ("10 hats 0 books 5 balls", "unparsable"),
        ("", "unparsable"),
        ("10 0 5 or 5 5 5", "ambiguous"),
        ("I refuse to claim 10 0 5", "refusal"),
    ],
)
def test_anything_else_is_a_typed_fault(text, kind):
    read = parse(GAME, text, CLAIMS)
    assert isinstance(read, Fault)
    assert read.kind == kind
    assert read.detail == "empty reply" if not text else read.detail.endswith(": 0 0 0 to 10 10 10")
    assert len(read.detail) < 120


@pytest.mark.parametrize(
    "parameters",
    [{}, {"values": "one_to_twenty"}, {"values": "exclusive"}, {"stop": 0.3, "rounds": 5}],
)
def test_every_setting_conforms(parameters):
    check_game(split_items(**{"rounds": 2, **parameters}))


@pytest.mark.parametrize(
    "parameters", [{}, {"values": "one_to_twenty"}, {"values": "exclusive"}, {"stop": 0.1, "rounds": 5}]
)
def test_the_pools_conform_under_every_setting(parameters):
    check_pools(split_items(**{"rounds": 3, **parameters}), PROFILE.pools)


def test_the_random_player_conforms():
    check_opponent(split_items(rounds=1), script("random"))


def test_bad_settings_and_moves_are_one_clear_line():
    with pytest.raises(ValueError, match="got rounds=0; allowed"):
        split_items(0)
    with pytest.raises(ValueError, match="got values='ten'; allowed: one_or_ten, one_to_twenty, exclusive"):
        split_items(values="ten")
    with pytest.raises(ValueError, match=r"got stop=1\.5; allowed: a probability"):
        split_items(stop=1.5)
    with pytest.raises(ValueError, match=r"illegal claim \(11, 0, 0\); allowed: three whole numbers from 0 to 10"):
        after().child({0: (11, 0, 0), 1: HALF})
    with pytest.raises(ValueError, match=r"got the draw \(\(1, 1, 1\), \(1, 1, 1\)\) of values; allowed"):
        SplitItems().initial_state().child({CHANCE: ((1, 1, 1), (1, 1, 1))})


def test_a_game_without_a_stop_is_the_plain_one():
    assert isinstance(split_items(), SplitItems)
    assert split_items().parameters == {"rounds": 10, "values": "one_or_ten"}
    assert split_items(stop=0.2).parameters == {"rounds": 10, "values": "one_or_ten", "stop": 0.2}


def test_payoff_states_hold_what_pays_and_nothing_that_was_played():
    game = SplitItems()
    one = game.payoff_state(after("10 0 5 : 5 5 5"), 0)
    assert one == game.payoff_state(after("f1"), 0) != game.payoff_state(after(), 0)
    assert one != game.payoff_state(after("f1", deal=TWO), 0)


def test_a_later_state_poses_the_decision_of_the_first_round():
    for rule, deal in (("one_or_ten", ONE), ("one_to_twenty", ((20, 1, 3), (4, 19, 1)))):
        game = SplitItems(values=rule)
        for seat in (0, 1):
            later = after("10 0 5 : 5 5 5", "f0", game=game, deal=deal).information_state(seat)
            first = after(game=game, deal=deal).information_state(seat)
            assert game.as_first_round(later) == first == game.as_first_round(first)


def test_labels_name_the_values_and_the_claims():
    game = SplitItems()
    assert game.label(after().information_state(1)) == "values 1 10 1 against 10 1 1"
    later = after("10 0 5 : 5 5 5", "f0").information_state(1)
    assert game.label(later) == "values 1 10 1 against 10 1 1, after 5 5 5:10 0 5, -:-"
    assert game.label(game.initial_state().information_state(0)) == "values still to come"
    assert render_event(game, Event("seat", 0), 0) == ""
