"""Split items: each round a draw of both players' values, then two replies; between rounds a draw where it can stop."""

TIES_LOW = ((10, 1, 1), (1, 10, 1))
TIES_HIGH = ((1, 10, 10), (10, 10, 1))

PLAYS = {
    "split_items.txt": (
        {"rounds": 4},
        (
            (
                *(TIES_LOW, "10 0 5", "0 10 5"),
                *(TIES_HIGH, "10 10 10", "Each item goes to whom it is worth more.\n10 5 0"),
                *(TIES_HIGH, "Action: 0 5 10", "10 10 10."),
                *(TIES_LOW, "1 0 0", "0 0 0"),
            ),
            (
                *(TIES_LOW, "11 0 0", "0 10 5"),
                *(TIES_LOW, "7 7 7", "10, 0, 5"),
                *(TIES_HIGH, "10 5", "all of the hats"),
                *(TIES_HIGH, "10 0 5 or 5 5 5", "-1 0 5"),
            ),
        ),
    ),
    "split_items_stop.txt": (
        {"rounds": 3, "values": "one_to_twenty", "stop": 0.25},
        (
            (
                *(7, 12, 3, 1, 5, "5 10 0", "0 0 10"),
                *("play on", 20, 1, 1, 2, 10, "10 5 5", "half"),
                *("play on", 4, 4, 4, 5, 4, "2.5 5 10", "5 5 5"),
            ),
            (*(7, 12, 3, 1, 5, "10 10 10", "9 9 9"), "stop"),
        ),
    ),
}
