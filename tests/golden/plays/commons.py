"""The commons: greed, shortage, faults and forfeits; two replies a round."""

PLAYS = {
    "commons.txt": (
        {"rounds": 5},
        (
            (*("2", "4"), *("3.", "4"), *("Action: 4", "4"), *("0", "4"), *("1", "2")),
            (
                *("2", "The stock is full.\n2"),
                *("5", "2"),
                *("4", "two"),
                *("2 or 3", "-1"),
                *("4", "4"),
            ),
        ),
    ),
}
