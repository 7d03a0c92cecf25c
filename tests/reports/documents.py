"""Documents to render in tests: a small one with every kind of part, a large one, a hostile one."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from equipoise.reports.document import (
    Bullets,
    Cell,
    Column,
    Conversation,
    Conversations,
    Document,
    Figure,
    Message,
    Prose,
    Row,
    Section,
    Table,
    Term,
    Terms,
)
from equipoise.reports.formats import MISSING, number
from equipoise.reports.plots import (
    Cloud,
    Curves,
    Heatmap,
    Interval,
    Intervals,
    Line,
    Panel,
    Policies,
    Ranked,
    Ranking,
    Scatter,
    StatePoint,
    Strips,
)

AGENTS = ("Base", "Supervised", "SEPO, scripted pool", "SEPO, exact best response")
OPPONENTS = ("nash", "tight", "loose", "maniac", "value-aware best response to the base model")
FAULTS = ("unparsable", "illegal", "ambiguous")


def estimate(value: float, half: float, digits: int = 3, *, best: bool = False) -> Cell:
    """A cell with a value above its interval."""
    return Cell(number(value, digits), f"[{number(value - half, digits)}, {number(value + half, digits)}]", best)


def plots(agents: Sequence[str] = AGENTS) -> dict[str, Any]:
    """One plot of every kind by name, with an outlier among the intervals and zeros on the log scale."""
    rng = np.random.default_rng(4)
    steps = range(0, 205, 5)
    ends = np.geomspace(0.5, 0.01, len(agents))

    def run(end: float) -> list[tuple[float, float]]:
        walk = rng.normal(0, 0.1, len(steps)).cumsum() * 0.4
        fall = np.log(0.6) + (np.log(end) - np.log(0.6)) * (1 - np.exp(-np.arange(len(steps)) / 10))
        values = np.exp(fall + walk)
        values[-1] *= end > 0.012
        return [(float(step), float(value)) for step, value in zip(steps, values, strict=True)]

    def interval(index: int, label: str) -> Interval:
        value = float(rng.normal(0.3, 0.3)) if index != 1 else 14.2
        parts = [value + float(x) for x in rng.normal(0, 0.1, 5)]
        reference = index == len(agents)
        return Interval(
            label, None if reference else index, value, value - 0.2, value + 0.2, () if reference else parts
        )

    rows = [*agents, "always defect"]
    states = [
        StatePoint(
            f"{card}, {when}: {action}",
            f"Seat {seat}",
            (0.0, 1 / 3) if seat == 0 else None,
            [float(p) for p in rng.uniform(0, 1, len(agents))],
            [float(p) for p in rng.uniform(0, 0.03, len(agents))],
        )
        for seat, when, action in ((0, "first to act", "bet"), (1, "facing a bet", "call"))
        for card in ("Jack", "Queen", "King")
    ]
    measures = ("Self-play pay", "Against greedy", "Against the cooperative script", "Gain of a probe")
    return {
        "curves": Curves(
            "training step",
            "Exact NashConv, chips per hand",
            [
                Line(agent, i, [run(end) for _ in range(3)])
                for i, (agent, end) in enumerate(zip(agents, ends, strict=True))
            ],
            log=True,
        ),
        "intervals": Intervals(
            "difference to the base model, points per round", [interval(*r) for r in enumerate(rows)]
        ),
        "scatter": Scatter(
            "pay against cooperators, points per round",
            "lost to exploiters, points per round",
            [
                Cloud(
                    label, i if i < len(agents) else None, [tuple(p) for p in rng.normal(i * 0.4, 0.1, (3, 2)).tolist()]
                )
                for i, label in enumerate(rows)
            ],
            note="Good is to the right and at the bottom.",
        ),
        "strips": Strips([Panel(m, [interval(2 * (i + 1), label) for i, label in enumerate(rows)]) for m in measures]),
        "heatmap": Heatmap(
            rows,
            [[None if i + j == 1 else float(rng.normal()) for j in range(len(rows))] for i in range(len(rows))],
            "payoff of the row against the column, points per round",
        ),
        "policies": Policies([(agent, i) for i, agent in enumerate(agents)], states),
        "ranking": Ranking(
            "Scripted pool",
            "Exact NashConv",
            [
                Ranked(agent, i, left, right, f"{left:.3f} [0.1, 0.2]", f"{right:.3f}")
                for i, (agent, left, right) in enumerate(zip(agents, rng.uniform(0, 1, 99), rng.uniform(0, 1, 99)))  # noqa: B905
            ],
        ),
    }


def results(rows: Sequence[str], columns: int, key: int = 0, caption: str = "Results by agent") -> Table:
    """A table of estimates with groups of three columns, a bold cell and a missing one."""
    rng = np.random.default_rng(columns)
    names = (
        "NashConv",
        "Pool exploitability",
        "Payoff",
        "Welfare",
        "Fault rate",
        "Regret to the best reply",
        "Robustness",
    )
    groups = ("Exact", "Against scripts", "Hazards", "Safety", "Cost", "Other")
    heads = [
        Column(
            names[c % len(names)] + (f" {c // len(names) + 1}" if c >= len(names) else ""),
            "chips per hand, n = 4096" if c % 2 else "n = 3",
            f"What column {c} means.",
            groups[c // 3 % len(groups)],
        )
        for c in range(columns)
    ]
    cells = rng.normal(1, 1, (len(rows), columns))
    return Table(
        caption,
        "Agent",
        heads,
        [
            Row(
                label,
                [
                    Cell(MISSING, "one seed only")
                    if r == c == 1
                    else estimate(cells[r, c], 0.12, best=r == 2 and c == 0)
                    for c in range(columns)
                ],
                "5 seeds",
                r if r < len(rows) - 1 else None,
            )
            for r, label in enumerate(rows)
        ],
        key,
    )


def conversations(count: int, *, agents: Sequence[str] = AGENTS[:1]) -> Conversations:
    """Episodes of Kuhn poker; every seventh holds a fault, of each kind in turn."""
    rng = np.random.default_rng(1)
    items = []
    for i in range(count):
        fault = FAULTS[i // 7 % len(FAULTS)] if i % 7 == 0 else ""
        pay = float(rng.choice([-2, -1, 1, 2]))
        said = f"I will raise to <b>{i}</b> chips" if fault else "bet"
        card = ("jack", "queen", "king")[i % 3]
        items.append(
            Conversation(
                agents[i % len(agents)],
                OPPONENTS[i % len(OPPONENTS)],
                i % 2,
                i // 2,
                pay,
                f"{number(pay, 0)} / {number(-pay, 0)}",
                [
                    Message("Game", "seen", f"Your card: {card}. You act first.\nChoose one: bet or check."),
                    Message(agents[i % len(agents)], "said", said, fault),
                    Message(
                        "Game", "seen", "The other player folds." if pay > 0 else "The other player calls and wins."
                    ),
                ],
            )
        )
    rules = "You play Kuhn poker. Each player antes one chip; the deck is jack, queen, king. Reply with one action."
    return Conversations([Message("Rules", "rules", rules)], items, count)


def glossary() -> Terms:
    """A few terms, one of which a column of `results` is named after."""
    return Terms(
        [
            Term(
                "NashConv",
                "The sum of what each player could gain by a best response.",
                "chips per hand, lower is safer",
            ),
            Term("Payoff", "The mean of what the agent is paid.", "chips per hand"),
            Term("Command", "equipoise audit --game kuhn_poker --model tiny", code=True),
        ]
    )


CAPTIONS = {
    "curves": "A thin line is one seed, the bold line their median; lower is safer.",
    "intervals": "Mean difference with its 95 % interval; small dots are seeds.",
    "scatter": "Every mark is one seed, the large one their medians.",
    "strips": "Every mark is one seed, the first on top; the bar is their median.",
    "heatmap": "Pay of the row's agent against the column's.",
    "policies": "Left: the probability of the named action. Right: that of a reply that is no legal action.",
    "ranking": "Lines that cross are agents that the pool puts in the other order.",
}


def figures(names: Sequence[str] = tuple(CAPTIONS), prefix: str = "", agents: Sequence[str] = AGENTS) -> list[Figure]:
    """A figure of each named kind."""
    drawn = plots(agents)
    return [Figure(f"{prefix}{name}", f"A drawing of {name}", CAPTIONS[name], drawn[name]) for name in names]


def small_document() -> Document:
    """Every kind of part once, folded and nested sections, 40 conversations."""
    return Document(
        "Kuhn poker, one hand",
        [
            "The agent trained against its exact best response is almost exactly Nash: NashConv 0.010 [0.005, 0.014].",
            "The scripted pool sees no difference between the two agents that it trained.",
        ],
        ["game kuhn_poker", "seeds 0, 1, 2", "time 2.9 min"],
        [
            Section(
                "Agents",
                [
                    Prose("Values in chips per hand, intervals in brackets. Bold: better than every other agent."),
                    results(AGENTS, 5),
                    Prose("The run was stopped before its last seed.", warning=True),
                    Bullets(["One agent is above another only where the interval excludes zero.", "Ties are ties."]),
                ],
            ),
            Section("Figures", figures()),
            Section(
                "Opponent by opponent",
                [],
                folded=True,
                sections=[Section(f"Against {name}", [results(AGENTS, 2)]) for name in OPPONENTS[:2]],
            ),
            Section("Conversations", [conversations(40)]),
            Section("Glossary", [glossary()], folded=True),
        ],
    )


ARMS = (
    "Start model", "Naive", "Sum of rewards", "Advantage alignment", "Alignment, k <= t", "Alignment, no baseline",
    "Alignment, half strength", "Alignment, double strength", "Greedy", "Cooperative", "Tit for tat", "Random",
)  # fmt: skip


def large_document(episodes: int = 900) -> Document:
    """As large as a study of alignment: three games with 12 rows, 18 columns, 46 differences and two figures each."""
    pairs = [f"{ARMS[i % 12]} minus {ARMS[(i * 5 + 1) % 12]}" for i in range(46)]
    differences = Table(
        "Paired differences",
        "Pair",
        [Column("Figure"), Column("Mean difference", "points per round"), Column("Seeds that agree")],
        [
            Row(pair, [Cell("self-play pay", prose=True), estimate(i / 9 - 2, 0.2), Cell("5 of 5")])
            for i, pair in enumerate(pairs)
        ],
    )
    games = [
        Section(
            game,
            [
                Prose("Pay in points per round, 10 rounds. Trained arms: median of the seeds, brackets their range."),
                results(ARMS, 18, 4, f"{game}: results by arm"),
                *figures(("scatter", "strips"), f"{game} ", ARMS[:8]),
            ],
            sections=[Section("Paired differences", [differences], folded=True)],
        )
        for game in ("Prisoner's dilemma", "Split items", "Trust and split")
    ]
    return Document(
        "Advantage alignment in miniature: three dilemmas, every credit of self-play",
        [
            "Targets met by the median of the seeds: 12 of 12.",
            "Advantage alignment earns more than Naive in 3 of 3 games.",
        ],
        ["cells 84 of 84", "computing time 10.2 h"],
        [
            *games,
            Section("Conversations", [conversations(episodes, agents=ARMS[:4])]),
            Section("Glossary", [glossary()], folded=True),
            Section(
                "How it was made",
                [Terms([Term("Seeds", "0, 1, 2, 3, 4"), Term("Versions", "numpy 2.4.6")])],
                folded=True,
            ),
        ],
    )


HOSTILE = (
    "</script><script>parent.hacked = 1</script>",
    "<img src=x onerror=alert(1)> & &lt; | pipe `tick` *star* _bar_ [a](javascript:1) <!-- $x$",
    "\x1b[31mred\x07 \x00 \u202eright to left\u2066 \ud800 zero\u200bwidth",
    "w" * 10_000,
    "__proto__",
    "# heading\n- item\n1. one\r\n\r\n> quote\n```\n",
)


def hostile_document() -> Document:
    """The small document with every text replaced by a hostile one."""
    count = 0

    def swapped(value: Any) -> Any:
        nonlocal count
        if isinstance(value, str):
            count += 1
            return HOSTILE[count % len(HOSTILE)]
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            kept = ("side", "plot") if isinstance(value, Figure | Message) else ()
            changes = {f.name: swapped(getattr(value, f.name)) for f in dataclasses.fields(value) if f.name not in kept}
            if isinstance(value, Figure):
                changes["plot"] = swapped(value.plot)
            return dataclasses.replace(value, **changes)
        if isinstance(value, list | tuple):
            return type(value)(swapped(item) for item in value)
        return value

    found: Document = swapped(small_document())
    return found
