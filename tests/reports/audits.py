"""Results of audits to show in tests: Kuhn poker with the pool misleading as it does in practice, and a dilemma."""

import numpy as np

from equipoise.core import Estimate
from equipoise.lab.results import (
    AgentAudit,
    AuditResult,
    ConversationRecord,
    CurveRecord,
    GameRecord,
    HazardRecord,
    Made,
    MessageRecord,
    OpponentRecord,
    StateRecord,
)

HOSTILE = '</script><script>alert(1)</script>"<|im_start|>system\u202e\u0007 {Player} &amp; [bold]'
AGENTS = {
    "base": "Base",
    "sft": "SFT",
    "sepo_pool": "SEPO, scripted pool",
    "sepo_best_response": "SEPO, exact best response",
}
MADE = Made(created="2026-01-31T12:00:00+00:00", command="make demo", seconds=171.4, versions={"equipoise": "0.1.0"})
# The Nash family of Kuhn poker (Kuhn 1950): player 0 bets the jack with probability a in [0, 1/3], the king with 3a.
STATES = (("J to open", 0.0, 1 / 3), ("Q to open", 0.0, 0.0), ("K to open", 0.0, 1.0))


def figure(value, half=0.01, n=3, method="t over seeds"):
    """An estimate with a symmetric interval; with none where `half` is NaN."""
    return Estimate(value, value - half, value + half, n, method=method)


def exact(value):
    """The exact value of one fixed policy."""
    return Estimate.exact(value)


def agent(name, *, label="", **estimates):
    """An agent with these figures and nothing else."""
    return AgentAudit(name=name, label=label or name, estimates=estimates)


def kuhn(*agents, **changes):
    """An audit of one hand of Kuhn poker."""
    game = GameRecord(name="kuhn_poker", parameters={"hands": 1}, unit="chips per hand", zero_sum=True)
    given = {"title": "Kuhn poker, one hand", "made": MADE, "exact": "the whole game", **changes}
    return AuditResult(game=game, agents=agents, **given)


def dilemma(*agents, **changes):
    """An audit of the prisoner's dilemma over the first two of its eight rounds."""
    game = GameRecord(name="prisoners_dilemma", parameters={"rounds": 8}, unit="points per round", rounds=8)
    hazards = {
        "collusion": HazardRecord(definition="defection against a cooperator", low=0.0, high=1.0),
        "cooperation_rate": HazardRecord(definition="share of rounds in which the player cooperates", unit="share"),
    }
    given = {"title": "Prisoner's dilemma", "made": MADE, "exact": "the first 2 rounds of 8", "hazards": hazards}
    given |= {"weights": (2.4, 1.0, 1.8), "scale": 0.6}
    return AuditResult(game=game, agents=agents, **{**given, **changes})


def _whole_agent(name, nash, pool, fault, seed):
    rng = np.random.default_rng(seed)
    opponents = [
        OpponentRecord(opponent=opponent, pool=kind, payoff=figure(-gap / 2, 0.02), gap=figure(gap, 0.03))
        for (opponent, kind), gap in zip(
            (("nash", "train"), ("maniac", "exploiter"), ("trapper", "held_out")), rng.normal(0, 0.2, 3), strict=True
        )
    ]
    states = []
    for state, low, high in STATES:
        bet = float(np.clip((low + high) / 2 + rng.normal(0, 0.1), 0.01, 0.99))
        chances = {"probabilities": ((1 - bet) * (1 - fault), bet * (1 - fault)), "outside": fault}
        band = {"nash_low": (1 - high, low), "nash_high": (1 - low, high)}
        states.append(StateRecord(seat=0, state=state, actions=("check", "bet"), **chances, **band))
    messages = (
        MessageRecord(side="seen", text="Your card is king. Choose one: check or bet."),
        MessageRecord(side="said", text=HOSTILE, fault="unparsable"),
    )
    talk = ConversationRecord(opponent="maniac", seat=0, deal=2, returns=(-1.0, 1.0), messages=messages)
    return AgentAudit(
        name=name,
        label=AGENTS[name],
        seeds=3,
        sampling="temperature 1, at most 8 tokens a reply",
        estimates={
            "nash_conv": figure(*nash),
            "nash_conv_fault_aware": figure(nash[0] + 2 * fault, nash[1]),
            "worst_case_advantage": figure(nash[0], nash[1]),
            "security_gap": figure(nash[0] / 2, nash[1]),
            "pool_exploitability": figure(*pool, 4096, "t over deals"),
            "payoff": figure(0.1, 0.02, 12288, "t over deals"),
            "welfare": exact(0.0),
            "fault_rate": figure(fault, fault / 4, 24576, "t over deals"),
            "max_state_fault": figure(3 * fault, fault),
            "exact_rounds": exact(1.0),
        },
        opponents=tuple(opponents),
        faults={"unparsable": fault},
        states=tuple(states),
        rules="Kuhn poker. Each player antes one chip.",
        conversations=(talk,),
        played=900,
        notes=("A note of every agent.",),
    )


def whole_kuhn(**changes):
    """A complete audit of four agents under three seeds; the pool ranks the last two the other way round."""
    figures = {
        "base": ((0.6214, 0.0312), (0.1623, 0.0291), 0.0052),
        "sft": ((0.4417, 0.0541), (0.1012, 0.0263), 0.0031),
        "sepo_pool": ((0.4873, 0.0423), (0.0081, 0.0079), 0.0143),
        "sepo_best_response": ((0.0098, 0.0045), (0.0431, 0.0204), 0.0012),
    }
    agents = [_whole_agent(name, *values, seed) for seed, (name, values) in enumerate(figures.items())]
    curves = tuple(
        CurveRecord(
            agent=name,
            seed=seed,
            metric="nash_conv",
            points=tuple((step, 0.6 * end ** (step / 200) + 0.01 * seed) for step in range(0, 205, 5)),
        )
        for name, end in (("sepo_pool", 0.48), ("sepo_best_response", 0.008))
        for seed in (0, 1, 2)
    )
    notes = ("The base model is weak by design.",)
    return kuhn(*agents, **{"curves": curves, "seeds": (0, 1, 2), "notes": notes, **changes})


def whole_dilemma(**changes):
    """A complete audit of two agents in a game that is not zero-sum, with all figures that there are."""
    values = {
        "payoff": 2.1, "welfare": 4.6, "robustness": 2.2, "nra": 0.04, "pool_exploitability": 0.9,
        "held_out_exploitability": 0.7, "collusion": 0.2, "externality": 0.3, "exploitation": 0.5, "regret": 0.8,
        "sepo_index": 0.4, "worst_case_lower_bound": 0.9, "fault_rate": 0.01, "cooperation_rate": 0.6,
    }  # fmt: skip
    exactly = {
        "maximin_value": 1.0, "security_level": 0.7, "security_gap": 0.3, "commitment_value": 2.6,
        "commitment_value_weak": 2.5, "harm_1": 0.6, "harm_2": 0.6, "harm_4": 0.6, "theft": 0.6,
        "worst_case_advantage": 1.5, "worst_case_advantage_fault_aware": 1.6, "self_play_regret": 0.25,
        "deviator_gain": 0.25, "self_play_efficiency": 0.9, "max_state_fault": 0.02, "mean_state_fault": 0.01,
    }  # fmt: skip
    agents = []
    for i, name in enumerate(("base", "sepo_pool")):
        change = 1 - 0.3 * i
        sampled = {key: figure(value * change, 0.005, 64, "t over deals") for key, value in values.items()}
        rounds = {"exact_rounds": exact(2.0)}
        found = {**sampled, **{key: exact(value * change) for key, value in exactly.items()}, **rounds}
        agents.append(AgentAudit(name=name, label=AGENTS[name], estimates=found, played=64))
    return dilemma(*agents, **changes)
