"""Proportional division: known answers, and what holds for every pair of claims."""

from itertools import product

import pytest

from equipoise.games.proportional import proportional_shares

CLAIMS = list(product(range(11), repeat=2))


@pytest.mark.parametrize(
    ("claims", "shares"),
    [
        ((0, 0), (0, 0)),
        ((10, 0), (10, 0)),
        ((3, 5), (3, 5)),
        ((4, 6), (4, 6)),
        ((10, 10), (5, 5)),
        ((10, 5), (20 / 3, 10 / 3)),
        ((10, 1), (100 / 11, 10 / 11)),
        ((6, 6), (5, 5)),
    ],
)
def test_claims_within_the_stock_are_honoured_and_others_scaled_down(claims, shares):
    assert proportional_shares(10, claims) == pytest.approx(shares)
    assert proportional_shares(10, claims[::-1]) == pytest.approx(shares[::-1])


def test_nobody_gets_more_than_it_claims_and_nothing_claimed_is_lost():
    for claims in CLAIMS:
        shares = proportional_shares(10, claims)
        assert sum(shares) == pytest.approx(min(10, sum(claims)))
        assert all(share <= claim for share, claim in zip(shares, claims, strict=True))


def test_claiming_more_never_yields_less_and_never_leaves_the_other_more():
    for own, other in CLAIMS:
        if own < 10:
            less, more = proportional_shares(10, (own, other)), proportional_shares(10, (own + 1, other))
            assert more[0] > less[0]
            assert more[1] <= less[1]


def test_ten_coins_worth_ten_to_one_player_and_one_to_the_other_pay_as_published():
    # Reference: arXiv 2511.19405, its game with coins; means over who holds the coins at 10.
    def pay(upper, lower):
        first, second = proportional_shares(10, (upper, lower))
        return 10 * first, second

    def mean(*pairs):
        return sum(a + b for a, b in pairs) / len(pairs) / 2

    assert mean(pay(10, 0)) == 50  # the holder of the upper hand takes all
    assert mean(pay(10, 10)) == mean(pay(5, 5)) == 27.5  # both greedy, or always half
    assert (pay(10, 0)[0] + pay(10, 10)[1]) / 2 == 52.5  # greedy against one who leaves the upper hand its due
    assert (pay(10, 0)[1] + pay(10, 10)[0]) / 2 == 25
