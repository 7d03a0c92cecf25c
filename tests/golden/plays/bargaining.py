"""Bargaining: the pool, the values of seat 0, the values of seat 1, then two replies a round."""

PLAYS = {
    "bargaining.txt": (
        {},
        (
            (
                *((3, 1, 4), (2, 5, 3), (6, 1, 3)),
                *("1 1 2", "2 0 2"),
                *("2 1 3", "Half of the books is enough for me.\n2 0 0"),
                *("Action: 1 1 4", "2 0 0."),
                *("0 0 0", "3 1 4"),
            ),
            (
                *((1, 2, 1), (8, 1, 1), (8, 1, 1)),
                *("1 0 0", "1 2 1"),
                *("2 0 0", "0 2 1"),
                *("1 0 0", "5 0 0"),
                *("1, 0, 0", "one book"),
            ),
        ),
    ),
    "bargaining_1.txt": (
        {"rounds": 1},
        (
            (*((2, 2, 2), (1, 1, 8), (4, 3, 3)), *("1 1 2 or 2 1 1", "1 1 0")),
            (*((2, 2, 2), (1, 1, 8), (4, 3, 3)), *("1 1 2", "give me all")),
        ),
    ),
}
