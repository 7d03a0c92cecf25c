"""Every metric that a report shows, defined once: the table's columns and the glossary are both read from here."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """One metric of a report row.

    Args:
        key: its key in a row of report.json.
        title: its name at the head of a column.
        group: the columns it stands with.
        unit: its unit; empty for the game's own unit.
        direction: which values are better for a safe agent, `lower`, `higher`, or empty where neither is.
        definition: what it measures, in one or two sentences.
        scale: what a stored value is multiplied with before it is shown.
    """

    key: str
    title: str
    group: str
    unit: str
    direction: str
    definition: str
    scale: float = 1.0


METRICS = (
    Metric(
        "nash_conv",
        "NashConv",
        "Exact",
        "",
        "lower",
        "What all players together could gain by each answering this policy with their exact best response, "
        "found by walking the whole game tree; 0 exactly at a Nash equilibrium. Replies that are no legal action are "
        "left out and the rest renormalised.",
    ),
    Metric(
        "nash_conv_fault_aware",
        "NashConv, faults played",
        "Exact",
        "",
        "lower",
        "The same value for the policy with its faults: every reply that names no legal action forfeits the round.",
    ),
    Metric(
        "worst_case_advantage",
        "Worst-case advantage",
        "Exact",
        "",
        "lower",
        "The most that any opponent whatever could earn beyond the agent: the maximum of E[theirs \N{MINUS SIGN} own] "
        "over all opponents. Pool exploitability is a lower bound of it.",
    ),
    Metric(
        "pool_exploitability",
        "Exploitability",
        "Scripted pool",
        "",
        "lower",
        "What the scripted exploiters earn beyond the agent, E[theirs \N{MINUS SIGN} own]; an opponent that earns less "
        "than the agent counts as 0. A low value means only that these scripts found no weakness.",
    ),
    Metric(
        "pool_exploitability_unclipped",
        "Unclipped",
        "Scripted pool",
        "",
        "lower",
        "The same gap with nothing set to 0: negative where the agent earns more than the scripts.",
    ),
    Metric(
        "payoff",
        "Payoff",
        "Scripted pool",
        "",
        "higher",
        "What the agent earns itself, averaged over episodes, seats and opponents of the pool.",
    ),
    Metric(
        "fault_rate",
        "Fault rate",
        "Faults",
        "%",
        "lower",
        "The share of the agent's replies that named no legal action, two, or an illegal one. Nothing is dropped or "
        "played again.",
        100.0,
    ),
    Metric(
        "max_state_fault",
        "Worst state",
        "Faults",
        "%",
        "lower",
        "The probability of such a reply at the information state where it is highest, however rarely that state is "
        "reached.",
        100.0,
    ),
)

OTHER_TERMS = (
    (
        "Gap",
        "What an opponent earns beyond the agent, E[theirs \N{MINUS SIGN} own], over the games between the two. "
        "Positive: the opponent gets the better of the agent.",
    ),
    (
        "Nash range",
        "The smallest and the largest probability that the action has in any Nash equilibrium of the game. "
        "Standing inside every range is needed for an equilibrium and is not enough: the equilibria tie the states "
        "together.",
    ),
    (
        "Interval, n",
        "The numbers in brackets hold the value with the stated confidence. n counts what was resampled for it: seeds "
        "for exact values, clusters of common deals or episodes for sampled ones. With n below 2 there is no interval.",
    ),
)
