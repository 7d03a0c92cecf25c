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


def _general_row(agent: str, number: int) -> dict[str, Any]:
    """A row of a game that is not zero-sum: no NashConv, but hazards, an index and a figure of the game's own."""
    row = {"agent": agent, "label": AGENTS[agent], "seeds": 1}
    metrics = (
        ("payoff", 2.1), ("welfare", 4.6), ("robustness", 2.2), ("nra", 0.04), ("pool_exploitability", 0.9),
        ("held_out_exploitability", 0.7), ("collusion", 0.2), ("externality", 0.3), ("exploitation", 0.5),
        ("regret", 0.8), ("sepo_index", -0.4), ("worst_case_lower_bound", 0.9), ("fault_rate", 0.01),
    )  # fmt: skip
    sign = -1 if number else 1
    for name, value in metrics:
        row[name] = estimate(value + sign * 0.3 * number * value, 0.02, 64, "t over deals")
    row["worst_case_advantage"] = estimate(1.5 - number, method="exact", n=1)
    row["figures"] = {"cooperation_rate": estimate(0.6, 0.02, 64, "t over deals")}
    return row


def _make_general() -> dict[str, Any]:
    meaning = {"definition": "share of rounds in which the player cooperates", "unit": "share of rounds"}
    return {
        "schema": 1,
        "title": "Prisoner's dilemma, eight rounds",
        "game": "prisoners_dilemma",
        "seconds": 12.0,
        "unit": "points per round",
        "exact": "the first 2 of 8 rounds",
        "hazards": {"cooperation_rate": meaning, "collusion": {"definition": "defection against a cooperator"}},
        "sepo": {"weights": [2.4, 1.0, 1.8], "scale": 0.6},
        "rows": [_general_row("base", 0), _general_row("sepo_pool", 1)],
    }


_REPORT = _make()
_GENERAL = _make_general()


@pytest.fixture
def report() -> dict[str, Any]:
    """A complete report that the test may change."""
    return copy.deepcopy(_REPORT)


@pytest.fixture
def general_report() -> dict[str, Any]:
    """A report of a game that is not zero-sum, which the test may change."""
    return copy.deepcopy(_GENERAL)


STUDY_ARMS = {
    "base": ("Base", "base", 1),
    "sft": ("SFT", "sft", 5),
    "payoff": ("Payoff alone", "trained", 5),
    "own_pool": ("SEPO, own pool", "trained", 5),
    "own_pool_best_response": ("SEPO, own pool + adversary", "trained", 5),
    "welfare": ("Welfare", "trained", 3),
    "shared_penalty": ("Shared penalty", "trained", 3),
    "independent_penalty": ("Independent penalty", "trained", 3),
}
LEVELS = {"base": -1.2, "sft": -2.0, "payoff": 1.4, "own_pool": 1.45, "own_pool_best_response": 1.5, "welfare": 0.2}
REFERENCES = {"always_defect": "always defect", "tit_for_tat": "tit for tat", "coin": "coin"}


def spread(value: float, half: float | None, n: int, method: str = "t over seeds") -> dict[str, Any]:
    """An estimate with a symmetric interval, or with none."""
    low, high = (None, None) if half is None else (value - half, value + half)
    return {"value": value, "low": low, "high": high, "n": n, "level": 0.95, "method": method}


def _study_estimates(rng: np.random.Generator, index: float, seeds: int, zero_sum: bool) -> dict[str, Any]:
    half = None if seeds == 1 else 0.1
    danger = max(0.0, 1.0 - index / 2 + float(rng.normal(0, 0.1)))
    values = {
        "payoff": 2.0 + index / 4,
        "welfare": 0.0 if zero_sum else 4.0 + index / 2,
        "robustness": 2.1 + index / 5,
        "pool_exploitability": danger / 2,
        "held_out_exploitability": danger / 3,
        "regret": danger / 4,
        "exploitation": 0.3,
        "sepo_index": index,
        "nra": 0.05,
        "fault_rate": 0.02,
    }
    if zero_sum:
        values |= {"nash_conv": danger, "worst_case_advantage": danger}
    else:
        values |= {"worst_case_lower_bound": danger, "collusion": 0.3, "externality": 0.2, "low_bid_rate": 0.4}
    return {name: spread(value + float(rng.normal(0, 0.01)), half, seeds) for name, value in values.items()}


def _study_game(name: str, seed: int, zero_sum: bool) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    rows, levels = [], {}
    for arm, (label, kind, seeds) in STUDY_ARMS.items():
        levels[arm] = LEVELS.get(arm, 0.1) + float(rng.normal(0, 0.02))
        estimates = _study_estimates(rng, levels[arm], seeds, zero_sum)
        rows.append({"arm": arm, "label": label, "seeds": seeds, "kind": kind, "estimates": estimates})
    for arm, label in REFERENCES.items():
        estimates = _study_estimates(rng, float(rng.normal(0.5, 0.4)), 2, zero_sum)
        rows.append({"arm": arm, "label": label, "seeds": 0, "kind": "reference", "estimates": estimates})
    pairs = [("own_pool", minus) for minus in ("base", "sft", "payoff", "welfare", "independent_penalty")]
    pairs += [("own_pool_best_response", "own_pool"), ("payoff", "sft")]
    return {
        "game": name,
        "unit": "points per round",
        "zero_sum": zero_sum,
        "rounds": 1 if zero_sum else 6,
        "scale": 0.6,
        "weights": [2.4, 1.0, 1.8],
        "exact": "the whole game" if zero_sum else None,
        "hazards": {
            hazard: {
                "definition": f"share of rounds with {hazard}",
                "unit": "share of rounds",
                "low": 0.0,
                "high": 1.0,
                "null": {who: spread(value, 0.02, 64) for who, value in zip(("selfish", "fair"), (1, 0), strict=True)},
            }
            for hazard in ("collusion", "externality", "low_bid_rate")
        },
        "rows": rows,
        "differences": [
            {
                "arm": arm,
                "minus": minus,
                "metric": "sepo_index",
                "estimate": spread(levels[arm] - levels[minus], 0.3, 5, "paired t over seeds"),
            }
            for arm, minus in pairs
        ],
        "lambda_grid": [
            {
                "weights": [k, k, k],
                "index": {a: v - k for a, v in levels.items()},
                "best": max(levels, key=levels.__getitem__),
            }
            for k in (0.0, 1.0, 2.0)
        ],
        "sft_effect": {"pool_exploitability": spread(0.4, 0.1, 5), "worst_case": spread(0.02, 0.1, 5)},
    }


def study_table() -> dict[str, Any]:
    """The table of a complete study."""
    rules = ("own_pool", "payoff", "shared_penalty", "independent_penalty")
    return {
        "schema": 1,
        "study": "sepo",
        "title": "SEPO in miniature",
        "created": "2026-01-31T12:00:00+00:00",
        "command": "equipoise reproduce sepo",
        "versions": {"equipoise": "0.2.0"},
        "seconds": 5400.0,
        "cells": {"done": 60, "all": 60},
        "settings": {"deals": 64},
        "notes": ["The unit of a trained arm's interval is the seed."],
        "games": [_study_game("kuhn_poker", 0, zero_sum=True), _study_game("auction", 1, zero_sum=False)],
        "gradients": {
            "game": "prisoners_dilemma",
            "batches": 8,
            "episodes": 1040,
            "rules": [
                {"rule": r, "cosine": spread(0.9 - k / 3, 0.1, 40), "ratio": spread(1.0, 0.1, 40)}
                for k, r in enumerate(rules)
            ],
        },
    }


_STUDY = study_table()


@pytest.fixture
def table() -> dict[str, Any]:
    """The table of a complete study of two games, made of seeded random numbers, which the test may change."""
    return copy.deepcopy(_STUDY)
