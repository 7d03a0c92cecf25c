"""A realistic report of one Kuhn poker run: four agents, three seeds, the pool misleading as it does in practice."""

import copy
import math
from typing import Any

import numpy as np
import pytest

AGENTS = {
    "base": "Base",
    "sft": "SFT",
    "sepo_pool": "SEPO, scripted pool",
    "sepo_best_response": "SEPO, exact best response",
}
OPPONENTS = (
    ("nash", "train"),
    ("tight", "train"),
    ("loose", "train"),
    ("maniac", "exploiter"),
    ("nit", "exploiter"),
    ("value-aware best response to the base model", "exploiter"),
    ("calling station", "held_out"),
    ("random", "held_out"),
)
# The Nash family of Kuhn poker (Kuhn 1950): player 0 bets the jack with probability a in [0, 1/3], the king with 3a.
STATES = (
    (0, "J", "Jack, first to act", ("check", "bet"), 0.0, 1 / 3),
    (0, "Q", "Queen, first to act", ("check", "bet"), 0.0, 0.0),
    (0, "K", "King, first to act", ("check", "bet"), 0.0, 1.0),
    (0, "Jcb", "Jack, checked, facing a bet", ("fold", "call"), 0.0, 0.0),
    (0, "Qcb", "Queen, checked, facing a bet", ("fold", "call"), 1 / 3, 2 / 3),
    (0, "Kcb", "King, checked, facing a bet", ("fold", "call"), 1.0, 1.0),
    (1, "Jc", "Jack, after a check", ("check", "bet"), 1 / 3, 1 / 3),
    (1, "Qc", "Queen, after a check", ("check", "bet"), 0.0, 0.0),
    (1, "Kc", "King, after a check", ("check", "bet"), 1.0, 1.0),
    (1, "Jb", "Jack, facing a bet", ("fold", "call"), 0.0, 0.0),
    (1, "Qb", "Queen, facing a bet", ("fold", "call"), 1 / 3, 1 / 3),
    (1, "Kb", "King, facing a bet", ("fold", "call"), 1.0, 1.0),
)


def estimate(value: float | None, half: float = 0.0, n: int = 3, method: str = "exact") -> dict[str, Any]:
    """An estimate with a symmetric interval, or without one where n is below 2."""
    known = value is not None and n > 1
    low, high = (value - half, value + half) if known and value is not None else (None, None)
    return {"value": value, "low": low, "high": high, "n": n, "level": 0.95, "method": method}


def _row(
    agent: str, nash: tuple[float, float], pool: tuple[float, float], payoff: float, fault: float
) -> dict[str, Any]:
    gaps = np.random.default_rng(len(agent)).normal(0.0, 0.2, len(OPPONENTS)).round(4).tolist()
    opponents = [
        {
            "opponent": name,
            "pool": kind,
            "payoff": estimate(-gap / 2, 0.02, 4096, "clustered"),
            "gap": estimate(gap, 0.03, 4096, "clustered"),
        }
        for (name, kind), gap in zip(OPPONENTS, gaps, strict=True)
    ]
    return {
        "agent": agent,
        "label": AGENTS[agent],
        "seeds": 3,
        "nash_conv": estimate(*nash),
        "nash_conv_fault_aware": estimate(nash[0] + 2 * fault, nash[1]),
        "worst_case_advantage": estimate(nash[0] * 0.8, nash[1]),
        "pool_exploitability": estimate(*pool, 4096, "clustered"),
        "pool_exploitability_unclipped": estimate(pool[0] - 0.05, pool[1], 4096, "clustered"),
        "payoff": estimate(payoff, 0.021, 12288, "clustered"),
        "fault_rate": estimate(fault, fault / 4, 24576, "clustered"),
        "max_state_fault": estimate(fault * 3, fault),
        "train_seconds": {"base": None, "sft": 14.2, "sepo_pool": 9.8}.get(agent, 11.3),
        "opponents": opponents,
        "faults": {"unparsable": fault * 0.8, "illegal": fault * 0.2},
    }


def _curve(agent: str, seed: int, end: float) -> dict[str, Any]:
    noise = np.random.default_rng([seed, len(agent)]).normal(0.0, 0.12, 41).cumsum() * 0.4
    points = []
    for index, step in enumerate(range(0, 205, 5)):
        level = math.log(0.62) + (math.log(end) - math.log(0.62)) * (1 - math.exp(-index / 11)) + float(noise[index])
        points.append({"step": step, "nash_conv": math.exp(level), "payoff": -0.1, "fault_rate": 0.004, "kl": 0.02})
    return {"agent": agent, "label": AGENTS[agent], "seed": seed, "points": points}


def _policy_table() -> dict[str, Any]:
    wander = {"base": 0.35, "sft": 0.2, "sepo_pool": 0.3, "sepo_best_response": 0.02}
    rng = np.random.default_rng(5)
    states = []
    for seat, state, text, actions, low, high in STATES:
        agents = {}
        for agent, width in wander.items():
            p = float(np.clip((low + high) / 2 + rng.normal(0.0, width), 0.005, 0.995))
            outside = float(rng.uniform(0.0, 0.006 if agent != "sepo_pool" else 0.04))
            agents[agent] = {"probabilities": [(1 - p) * (1 - outside), p * (1 - outside)], "outside": outside}
        row = {"seat": seat, "state": state, "text": text, "actions": list(actions), "agents": agents}
        states.append(row | {"nash_low": [1 - high, low], "nash_high": [1 - low, high]})
    return {"states": states}


def _transcripts() -> list[dict[str, Any]]:
    rules = "You play Kuhn poker. Each player antes one chip; the deck is jack, queen, king. Reply with one action."
    first = [("system", rules, None), ("user", "Your card: king. You act first.\nActions: check, bet", None)]
    good = [*first, ("assistant", "bet", None), ("user", "The other player calls and shows a queen.", None)]
    bad = [*first, ("assistant", "I will raise to <b>five</b> chips and then", "unparsable")]
    return [
        {
            "agent": agent,
            "opponent": opponent,
            "seat": 0,
            "payoff": payoff,
            "messages": [{"role": role, "text": text, "fault": fault} for role, text, fault in messages],
        }
        for agent, opponent, payoff, messages in (
            ("sepo_best_response", "tight", [2.0, -2.0], good),
            ("base", "maniac", [-1.0, 1.0], bad),
        )
    ]


def _make() -> dict[str, Any]:
    return {
        "schema": 1,
        "title": "Kuhn poker, one hand",
        "game": "kuhn_poker",
        "game_parameters": {"hands": 1},
        "seconds": 171.4,
        "created": "2026-01-31T12:00:00+00:00",
        "versions": {"equipoise": "0.1.0", "numpy": "2.4.6", "torch": "2.13.0", "transformers": "5.23.0"},
        "seeds": [0, 1, 2],
        "unit": "chips per hand",
        "command": "make demo",
        "rows": [
            _row("base", (0.6214, 0.0312), (0.1623, 0.0291), -0.1034, 0.0052),
            _row("sft", (0.4417, 0.0541), (0.1012, 0.0263), -0.0551, 0.0031),
            _row("sepo_pool", (0.4873, 0.0423), (0.0081, 0.0079), 0.1881, 0.0143),
            _row("sepo_best_response", (0.0098, 0.0045), (0.0431, 0.0204), 0.0734, 0.0012),
        ],
        "curves": [
            _curve(agent, seed, end)
            for agent, end in (("sepo_pool", 0.48), ("sepo_best_response", 0.008))
            for seed in (0, 1, 2)
        ],
        "policy_table": _policy_table(),
        "transcripts": _transcripts(),
        "notes": ["The base model was trained for 14 seconds on mixed-skill transcripts; it is weak by design."],
    }


_REPORT = _make()


@pytest.fixture
def report() -> dict[str, Any]:
    """A complete report that the test may change."""
    return copy.deepcopy(_REPORT)
