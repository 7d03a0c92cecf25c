"""Splitting a pie: deals, breakdowns, points that nobody demands, faults and forfeits; two replies a round."""

PLAYS = {
    "split.txt": (
        {},
        (
            (
                *("5", "5"),
                *("7", "3"),
                *("Action: 6", "You take too much.\n6."),
                *("4", "4"),
            ),
            (
                *("9", "1"),
                *("I demand 12", "5"),
                *("8", "5 or 6"),
                *("", "3.5"),
            ),
        ),
    ),
    "split_1.txt": ({"rounds": 1}, ((*("12", "5"),), (*("5", "I will not answer"),))),
}
