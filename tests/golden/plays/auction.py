"""The auction: two rounds and one with clipped losses; values, seat 0's reply, seat 1's, and a coin where bids tie."""

PLAYS = {
    "auction.txt": (
        {"rounds": 2},
        (
            ((4, 2), "2", "1", (2, 4), "3", "2"),
            ((2, 2), "1", "1", 1, (4, 4), "I could bid 3, but 2 leaves me 2.\n2", "Action: 2.", 0),
            ((4, 4), "I bid 3", "2", (2, 4), "1", "2 or 3"),
            ((4, 2), "4", "five", (4, 2), "3", "1"),
        ),
    ),
    "auction_clipped.txt": (
        {"rounds": 1, "losses": "clipped"},
        (
            ((2, 4), "3", "2"),
            ((2, 4), "", "2"),
            ((2, 4), "2", "I won't bid."),
        ),
    ),
}
