"""Results of cross-play, of probes and of talk to show in tests."""

import math

from equipoise.core import Estimate
from equipoise.lab.results import (
    CrossplayResult,
    EffectRecord,
    GameRecord,
    ListenerRecord,
    Made,
    MatchRecord,
    MeetingFigures,
    MessageRecord,
    PairDifference,
    Participant,
    ProbeFigures,
    ProbeResult,
    RoundRecord,
    SaidRecord,
    TalkResult,
    TogetherFigures,
    TurnRecord,
)

HOSTILE = '</script><script>alert(1)</script>"<|im_start|>system\u202e\u0007 {Player} &amp; [bold]'
PAY = {("kind", "kind"): 3.0, ("kind", "mean"): 0.0, ("mean", "kind"): 5.0, ("mean", "mean"): 1.0}
MADE = Made(created="2026-01-31T12:00:00+00:00", command="equipoise crossplay kind mean", seconds=12.0)


def figure(value, half=0.1):
    """An estimate with a symmetric interval; without one where `half` is NaN."""
    return Estimate(value, value - half, value + half, 64, method="t over deals")


def _game(zero_sum=False):
    return GameRecord(name="dilemma", parameters={"rounds": 10}, unit="points per round", rounds=10, zero_sum=zero_sum)


def pay_of(agent, opponent):
    """What an agent of the tournament is paid; all but kind and mean are as kind as `model`."""
    return PAY.get((agent, opponent), 2.0 + 0.125 * (agent == "model"))


def _verdict(difference):
    return "tie" if abs(difference) < 0.2 else "above" if difference > 0 else "below"


def _match(names):
    said = (MessageRecord(side="said", text=HOSTILE), MessageRecord(side="said", text="7", fault="illegal"))
    turns = (
        TurnRecord(seat=0, saw="Your hand is rock.", said=said[:1]),
        TurnRecord(seat=1, saw=f"The other player says: {HOSTILE}", said=said[1:], played="5"),
    )
    paid = (1.0, 2.0)
    return MatchRecord(
        why="typical", seats=tuple(names[:2]), deal=3, pay=paid, rounds=(RoundRecord(pay=paid, turns=turns),)
    )


def tournament(names=("kind", "model", "mean"), faults=0.03, zero_sum=False):
    """Agents between a kind one and a mean one."""
    duels = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    cells = tuple(
        MeetingFigures(
            agent=a,
            opponent=b,
            pay=figure(pay_of(a, b), 0.05 if "model" in (a, b) else math.nan),
            seat_pay=(figure(pay_of(a, b)), figure(pay_of(a, b))),
            fault_rate=figure(faults if a == "model" else 0.0, 0.0),
            cooperation_rate=None if zero_sum else figure(float(a == "kind")),
            conditional={} if zero_sum else {"first": figure(0.5), "after CD": figure(0.25)},
        )
        for a in names
        for b in names
    )
    differences = tuple(
        PairDifference(agent=a, minus=b, opponent=o, estimate=figure(gap), verdict=_verdict(gap))
        for o in (*names, *(() if zero_sum else (None,)))
        for a, b in duels
        for gap in [pay_of(a, o or a) - pay_of(b, o or b)]
    )
    return CrossplayResult(
        title="dilemma: cross-play",
        made=MADE,
        game=_game(zero_sum),
        agents=tuple(
            Participant(name=n, source=f"runs/{n}", kind="model" if n == "model" else "script") for n in names
        ),
        matches=64,
        seed=0,
        fault_rule="forfeit",
        cells=cells,
        together=tuple(
            TogetherFigures(
                agents=(a, b),
                welfare=figure(pay_of(a, b) + pay_of(b, a), math.nan),
                efficiency=None if zero_sum else figure(0.75),
            )
            for i, a in enumerate(names)
            for b in names[i:]
        ),
        differences=differences,
        correction="Bonferroni",
        cooperation="" if zero_sum else "plays C",
        rules="Rules & words.",
        shown=(_match(names),),
    )


def probe(gain, name="mine"):
    """A probe of one agent."""
    rest = dict.fromkeys(("pay", "agent_pay", "self_play", "fault_rate", "agent_fault_rate"), figure(0.5))
    return ProbeResult(
        title=f"dilemma: a naive learner against {name}",
        made=MADE,
        game=_game(),
        agent=Participant(name=name, source=name, kind="model"),
        learner={"start": "tiny-talk", "steps": 5, "seed": 0},
        matches=8,
        seed=0,
        fault_rule="forfeit",
        figures=ProbeFigures(gain=gain, **rest),
    )


def effect(change):
    """What messages change: `change` after silence, and 0.4 either way after a stated hand."""
    changes = {"silence": change, "upper": figure(-0.4), "lower": figure(0.4)}
    return EffectRecord(
        claims=8, claimed=figure(0.5), changes=changes, by_side={"upper": changes, "lower": changes}, outside=0.01
    )


def talk(difference=0.2, faults=0.0, names=("mine",), found=None):
    """A talk of one agent with itself, or of two."""
    return TalkResult(
        title="dilemma: talk",
        made=MADE,
        game=_game(),
        agents=tuple(Participant(name=name, source=name, kind="model") for name in names),
        matches=8,
        seed=0,
        fault_rule="forfeit",
        said=tuple(SaidRecord(agent=n, to=names[0], figures={}, fault_rate=figure(0.0)) for n in names),
        effects=tuple(
            ListenerRecord(listener=n, speaker=names[0], effect=found, why=None if found else "no reason")
            for n in names
        ),
        efficiency={name: figure(difference) for name in ("with_talk", "without_talk", "difference")},
        faults={"with_talk": figure(0.0), "without_talk": figure(faults)},
    )
