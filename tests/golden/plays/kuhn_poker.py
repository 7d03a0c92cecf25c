"""Kuhn poker: one hand and six; a deal, then one reply a turn."""

PLAYS = {
    "kuhn_poker_1.txt": (
        {},
        (
            (("K", "Q"), "check", "check"),
            (("J", "K"), "bet", "fold"),
            (("Q", "J"), "bet", "Call!"),
            (("Q", "K"), "check", "Action: bet", "fold"),
            (("K", "J"), "I have the king.\ncheck", "bet", "call"),
            (("K", "J"), "check", "bet or check"),
            (("J", "Q"), "call"),
        ),
    ),
    "kuhn_poker_6.txt": (
        {"hands": 6},
        (
            (
                *(("K", "Q"), "check", "check"),
                *(("J", "K"), "bet", "fold"),
                *(("Q", "J"), "bet", "I would never fold here"),
                *(("Q", "K"), "check", "bet", "call"),
                *(("K", "J"), "fold"),
                *(("J", "Q"), "check", "bet", "fold"),
            ),
        ),
    ),
}
