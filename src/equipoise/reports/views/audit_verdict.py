"""What an audit says in words: every sentence is computed from the agents' figures.

What the intervals do not tell apart is called a tie, and a figure that was not measured is not mentioned. Where most
replies name no legal action, that is said first: every other figure then describes what faults play.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

from equipoise.core import Estimate
from equipoise.lab.results import AgentAudit, AuditResult
from equipoise.metrics.catalogue import METRIC
from equipoise.reports.formats import decimals, interval, known, listing, number
from equipoise.reports.views.grounds import has_interval, separated, unseen

_MOSTLY_FAULTS = 0.5
_FAULT_WORTH_SAYING = 0.05
_SMALL_PENALTY = 0.25
_NAMED = 3


@dataclass(frozen=True)
class _Ranking:
    """How a figure's order is put into words: which end is safe, and how a winner and a leader are called."""

    metric: str
    name: str
    superlative: str
    winner: str
    exact: bool = True

    @property
    def called(self) -> str:
        return f"exact {self.name}" if self.exact else self.name


_NASH_CONV = _Ranking("nash_conv", "NashConv", "lowest", "is the least exploitable: exact NashConv")
_SECURITY = _Ranking("security_gap", "security gap", "lowest", "can be made to lose the least: exact security gap")
_COMMITMENT = _Ranking(
    "commitment_value", "commitment value", "highest", "keeps the most against a selfish best response: exact value"
)
_WORST_CASE = _Ranking("worst_case_advantage", "worst-case advantage", "lowest", "has the lowest worst-case advantage:")
_INDEX = _Ranking("sepo_index", "SEPO index", "highest", "has the highest SEPO index:", exact=False)


def exact_metric(result: AuditResult) -> str:
    """The figure that says how exploitable the agents exactly are: NashConv where there is one, else the worst case."""
    held = any("nash_conv" in agent.estimates for agent in result.agents)
    return "nash_conv" if held else "worst_case_advantage"


def verdict(result: AuditResult) -> list[str]:
    """The findings as sentences, most important first.

    With NashConv: the exact order, the pool's disagreement, hidden faults. Else what each agent can be made to lose and
    what a selfish world leaves it, then the order by SEPO index and what its penalties do to it.
    """
    agents, unit = result.agents, result.game.unit
    if exact_metric(result) == "nash_conv":
        found = [_best(agents, _NASH_CONV, unit, result.exact) or "No exact NashConv was measured."]
    else:
        exact = [_best(agents, ranking, unit, result.exact) for ranking in (_SECURITY, _COMMITMENT)]
        if not any(exact):
            exact = [_best(agents, _WORST_CASE, unit, result.exact)]
        unknown = "No exact figure was measured: a weakness that no script found is not ruled out."
        found = [*(exact if any(exact) else [unknown]), _best(agents, _INDEX, "", ""), _penalties(result)]
    sentences = [_mostly_faults(agents), *found, _pool(result), _blind(result), _faults(result)]
    return [sentence for sentence in sentences if sentence]


def _ordered(agents: Sequence[AgentAudit], *metrics: str) -> list[AgentAudit]:
    """The agents that have all of these figures, lowest last one first."""
    held = [a for a in agents if all(m in a.estimates and known(a.estimates[m].value) for m in metrics)]
    return sorted(held, key=lambda agent: agent.estimates[metrics[-1]].value)


def _mostly_faults(agents: Sequence[AgentAudit]) -> str:
    """That an agent does not play the game, where it does not."""
    often = [a for a in _ordered(agents, "fault_rate") if a.estimates["fault_rate"].value >= _MOSTLY_FAULTS]
    if not often:
        return ""
    shares = listing(f"{a.label} ({number(100 * a.estimates['fault_rate'].value, 0)} %)" for a in often)
    return f"Most replies name no legal action: {shares}. The figures below describe what faults play, not a strategy."


def _best(agents: Sequence[AgentAudit], ranking: _Ranking, unit: str, reach: str) -> str:
    """Who is best on the figure, or that nobody can be called so; empty where nobody has a value."""
    order = _ordered(agents, ranking.metric)
    if not order:
        return ""
    if ranking.superlative == "highest":
        order.reverse()
    of = {agent.name: agent.estimates[ranking.metric] for agent in order}
    digits = decimals(estimate.value for estimate in of.values())
    first, others = order[0], order[1:]
    best = of[first.name]
    value = " ".join(filter(None, (number(best.value, digits), interval(best, digits), unit)))
    over = f" (exact over {reach})" if ranking.exact and reach and reach != "the whole game" else ""
    if not others:
        return f"{first.label} has {'an' if ranking.exact else 'a'} {ranking.called} of {value}{over}."
    tied = [agent for agent in others if not separated(best, of[agent.name])]
    if not tied:
        rival = number(of[others[0].name].value, digits)
        return f"{first.label} {ranking.winner} {value}, against {rival} for {others[0].label}{over}."
    if not all(has_interval(of[agent.name]) for agent in (first, *tied)):
        rest = listing(f"{number(of[agent.name].value, digits)} for {agent.label}" for agent in tied)
        return (
            f"{first.label} has the {ranking.superlative} {ranking.called} here, {value}, against {rest}; without "
            f"intervals over several seeds this orders these checkpoints, not the ways they were trained{over}."
        )
    group = listing(f"{agent.label} ({number(of[agent.name].value, digits)})" for agent in (first, *tied))
    return (
        f"{group} have the {ranking.superlative} {ranking.called} and cannot be told apart: their intervals "
        f"overlap{over}."
    )


def misranked(result: AuditResult) -> tuple[AgentAudit, AgentAudit, str] | None:
    """The pair (safer, weaker) on which the scripted pool misleads most, and how; None where every pair is in order.

    Only pairs whose exact value differs beyond its intervals count. "reversed": the pool ranks them the other way
    beyond its own intervals; "leaning": the other way, within them; "blind": the right way, within them.
    """
    exact, found = exact_metric(result), []
    kinds = ("blind", "leaning", "reversed")
    for safer, weaker in permutations(_ordered(result.agents, "pool_exploitability", exact), 2):
        harm = weaker.estimates[exact].value - safer.estimates[exact].value
        if harm <= 0 or not separated(safer.estimates[exact], weaker.estimates[exact]):
            continue
        pool = [agent.estimates["pool_exploitability"] for agent in (safer, weaker)]
        wrong, clear = pool[0].value > pool[1].value, separated(*pool)
        if wrong or not clear:
            found.append((2 if wrong and clear else int(wrong), harm, safer, weaker))
    if not found:
        return None
    kind, _, safer, weaker = max(found, key=lambda item: item[:2])
    return safer, weaker, kinds[kind]


def _pool(result: AuditResult) -> str:
    """Where the scripted pool's order and the exact one part."""
    exact = exact_metric(result)
    order = _ordered(result.agents, "pool_exploitability", exact)
    pair = misranked(result)
    if pair is None:
        apart = [separated(a.estimates[exact], b.estimates[exact]) for a, b in permutations(order, 2)]
        return "The scripted pool puts the agents in the same order." if apart and all(apart) else ""
    safer, weaker, kind = pair
    truth = _against(order, exact, weaker, safer)
    digits = decimals(agent.estimates["pool_exploitability"].value for agent in order)
    pool = [number(agent.estimates["pool_exploitability"].value, digits) for agent in (safer, weaker)]
    if kind == "reversed":
        return (
            f"The scripted pool ranks the agents in another order: it scores {weaker.label} ({pool[1]}) as less "
            f"exploitable than {safer.label} ({pool[0]}), although the exact values are {truth}."
        )
    if kind == "leaning":
        return (
            f"The scripted pool leans the other way: it scores {weaker.label} {pool[1]} and {safer.label} {pool[0]}, "
            f"within its intervals, although the exact values are {truth}."
        )
    return (
        f"The scripted pool cannot tell {safer.label} ({pool[0]}) from {weaker.label} ({pool[1]}): its intervals "
        f"overlap, although the exact values are {truth}."
    )


def _against(order: Sequence[AgentAudit], metric: str, first: AgentAudit, second: AgentAudit) -> str:
    digits = decimals(agent.estimates[metric].value for agent in order)
    values = [number(agent.estimates[metric].value, digits) for agent in (first, second)]
    return f"{values[0]} against {values[1]}"


def _blind(result: AuditResult) -> str:
    """Agents against which the scripts found nothing at all although an opponent exists that earns more than they."""
    exact = exact_metric(result)
    blind = [
        agent
        for agent in _ordered(result.agents, "pool_exploitability", exact)
        if unseen(agent.estimates["pool_exploitability"].value, agent.estimates[exact].value)
    ]
    if not blind:
        return ""
    worst = sorted(blind, key=lambda agent: -agent.estimates[exact].value)[:_NAMED]
    named = listing(f"{agent.label} ({number(agent.estimates[exact].value, 3)})" for agent in worst)
    more = f" and {len(blind) - _NAMED} more" if len(blind) > _NAMED else ""
    name = METRIC[exact].title
    return f"Pool exploitability reads 0.000 for {named}{more}: the exact {name} in brackets does not."


def _penalties(result: AuditResult) -> str:
    """What the penalties of the SEPO index do to the order of the agents, or that payoff decides the index alone."""
    order = _ordered(result.agents, "payoff", "sepo_index")
    for better, worse in permutations(order, 2):
        pairs = [(better.estimates[m], worse.estimates[m]) for m in ("payoff", "sepo_index")]
        (paid, more_paid), (index, lower_index) = pairs
        if all(separated(*pair) for pair in pairs) and index.value > lower_index.value and paid.value < more_paid.value:
            return (
                f"The penalties decide an order: {worse.label} earns more than {better.label} "
                f"({number(more_paid.value, 3)} against {number(paid.value, 3)}) and has the lower SEPO index."
            )
    if order and known(result.scale):
        terms = [(result.scale * a.estimates["payoff"].value, a.estimates["sepo_index"].value) for a in order]
        if all(payoff > 0 and payoff - index <= _SMALL_PENALTY * payoff for payoff, index in terms):
            share = max((payoff - index) / payoff for payoff, index in terms)
            return (
                f"Payoff dominates the SEPO index: the penalties take at most {number(100 * share, 0)} % of the "
                "scaled payoff in any row."
            )
    by_payoff = [agent.name for agent in _ordered(order, "payoff")]
    if len(order) > 1 and [agent.name for agent in order] == by_payoff:
        return "The order by SEPO index is the order by payoff: the penalties change no rank."
    return ""


def _faults(result: AuditResult) -> str:
    exact = exact_metric(result)
    order = _ordered(result.agents, exact)
    worst = order[0].estimates.get("max_state_fault") if order else None
    if worst is not None and worst.value >= _FAULT_WORTH_SAYING:
        read = ": read the fault-aware value beside it" if exact == "nash_conv" else ""
        return (
            f"At one information state {order[0].label} gives no legal action with probability "
            f"{number(worst.value, 2)}, which exact {METRIC[exact].title} does not count{read}."
        )
    often = [a for a in _ordered(result.agents, "fault_rate") if _often(a.estimates["fault_rate"])]
    if order or not often:
        return ""
    shares = listing(f"{a.label} ({number(100 * a.estimates['fault_rate'].value, 0)} %)" for a in often)
    return f"Replies that name no legal action are frequent: {shares}."


def _often(rate: Estimate) -> bool:
    return _FAULT_WORTH_SAYING <= rate.value < _MOSTLY_FAULTS
