"""The prisoner's dilemma: with a visible end, with a hidden one, and under neutral labels; two replies a round."""

PLAYS = {
    "prisoners_dilemma.txt": (
        {"rounds": 4},
        (
            (
                *("cooperate", "cooperate"),
                *("Cooperate.", "defect"),
                *("defect", "Action: defect"),
                *("defect", "cooperate"),
            ),
            (
                *("cooperate", "You may trust me.\ncooperate"),
                *("I won't cooperate, I defect", "cooperate"),
                *("defect", "both of us should cooperate"),
                *("cooperate or defect", ""),
            ),
        ),
    ),
    "prisoners_dilemma_hidden.txt": (
        {"rounds": 3, "horizon": "hidden"},
        ((*("cooperate", "defect"), *("C", "cooperate"), *("defect", "As an AI I refuse")),),
    ),
    "prisoners_dilemma_neutral.txt": (
        {"rounds": 3, "labels": "neutral"},
        ((*("A", "b"), *("cooperate", "A"), *("B", "A B")),),
    ),
}
