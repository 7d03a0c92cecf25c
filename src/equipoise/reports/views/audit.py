"""An audit as a page: who is how safe, what the scripts see of it, what the policies do, and every episode to read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from equipoise.core import Estimate
from equipoise.lab.results import AgentAudit, AuditResult, StateRecord
from equipoise.metrics.catalogue import GENERAL_SUM, METRIC, ZERO_SUM, Metric
from equipoise.reports.document import (
    Bullets,
    Cell,
    Column,
    Conversation,
    Conversations,
    Document,
    Figure,
    Message,
    Part,
    Prose,
    Row,
    Section,
    Table,
    Term,
    Terms,
    filled,
)
from equipoise.reports.formats import capital, counted, decimals, interval, known, number
from equipoise.reports.plots import Curves, Line, Policies, Ranked, Ranking, StatePoint
from equipoise.reports.views.audit_verdict import exact_metric, verdict
from equipoise.reports.views.cells import estimate_cell, scaled
from equipoise.reports.views.grounds import best, separated
from equipoise.reports.views.made import facts, made_section

WHOLE_GAME = "the whole game"
MAX_DRAWN_STATES, MAX_LISTED_STATES = 60, 400
"""The most information states of a policy that the page draws, and that it lists in numbers."""

GAP = Term(
    "Gap",
    "What an opponent earns beyond the agent, E[theirs − own], over the games between the two. Positive: the "
    "opponent gets the better of the agent.",
)
NASH = Term(
    "Nash range",
    "The smallest and the largest probability that the action has in any Nash equilibrium of the game. Standing "
    "inside every range is needed for an equilibrium and is not enough: the equilibria tie the states together.",
)
INTERVAL = Term(
    "Interval, n",
    "The numbers in brackets hold the value with 95 % confidence. n counts the common deals that were played, the "
    "units of the interval. With n below 2 there is no interval.",
)
RANGE = Term(
    "Range, n",
    "Of an agent trained under several seeds the value is the median of the seeds, and the brackets hold the smallest "
    "and the largest; n counts the seeds. With one seed the brackets are a 95 % interval over common deals.",
)


def audit_document(result: AuditResult) -> Document:
    """The page of an audit."""
    metrics, zero_sum = meanings(result), exact_metric(result) == "nash_conv"
    main = [key for key in (ZERO_SUM if zero_sum else GENERAL_SUM) if key in metrics]
    hidden = ("exact_rounds", *(("welfare",) if zero_sum else ()))
    further = [key for key in metrics if key not in main and key not in hidden]
    sections = [
        Section(
            "Agents", [*_how_to_read(result), *_tables(result, [metrics[key] for key in main], "Results by agent")]
        ),
        Section(
            "Further figures", _tables(result, [metrics[key] for key in further], "Further figures by agent"), True
        ),
        Section("Faults by kind", _faults(result), True),
        Section("Opponent by opponent", _opponents(result), True),
        Section("Exact values during training", _curves(result)),
        Section("What the scripted pool sees, and what is so", _ranking(result)),
        *_policies(result),
        *_episodes(result),
        Section(
            "What the words mean", [Terms([*(_term(metrics[key]) for key in [*main, *further]), *_terms(result)])], True
        ),
        Section("Notes", [Bullets(_notes(result))] if _notes(result) else [], True),
        made_section(result.made, _origin(result)),
    ]
    return Document(result.title, verdict(result), facts(result.game, result.seeds, result.made), filled(sections))


def _of_seeds(result: AuditResult) -> bool:
    """Whether figures are medians over training seeds, with their range."""
    return any(agent.seeds > 1 for agent in result.agents if agent.seeds)


def _how_to_read(result: AuditResult) -> list[Part]:
    """How the table of agents is read; bold compares agents, so one alone has none."""
    brackets = "medians of the seeds with their range in brackets" if _of_seeds(result) else "intervals in brackets"
    found = [f"Values in {result.game.unit}, {brackets}."] if result.game.unit else []
    if len(result.agents) > 1:
        held = "brackets" if _of_seeds(result) else "intervals"
        found.append(f"Bold: better than every other agent beyond the {held}; a column without bold is a tie.")
    return [Prose(" ".join(found))] if found else []


def _terms(result: AuditResult) -> list[Term]:
    """What the page's words mean beside its figures."""
    nash = any(state.nash_low for agent in result.agents for state in agent.states)
    return [GAP, *([NASH] if nash else []), RANGE if _of_seeds(result) else INTERVAL]


def meanings(result: AuditResult) -> dict[str, Metric]:
    """The figures that this result holds, as its game means them: hazards, and what exact figures cover."""
    held = dict.fromkeys(key for agent in result.agents for key in agent.estimates)
    metrics = {key: metric for key, metric in METRIC.items() if key in held}
    for key in held:
        if key not in metrics:
            metrics[key] = Metric(
                key, capital(key.replace("_", " ")), "Figures", "per round", "", "A figure of this game's own."
            )
    for key, hazard in result.hazards.items():
        if key in metrics:
            meaning = capital(hazard.definition).rstrip(".") + "."
            general = f"{METRIC[key].definition} Here: {meaning}" if key in METRIC else meaning
            metrics[key] = replace(metrics[key], definition=general, unit=hazard.unit)
    if result.exact and result.exact != WHOLE_GAME:
        for key, metric in metrics.items():
            if metric.group.startswith("Exact"):
                reach = metric.definition.replace("the whole game tree", "the tree")
                definition = f"{reach} Computed over {result.exact}."
                metrics[key] = replace(metric, group=f"{metric.group}, {result.exact}", definition=definition)
    return metrics


def _term(metric: Metric) -> Term:
    better = f", {metric.direction} is better" if metric.direction else ""
    return Term(metric.title, metric.definition, f"{metric.group}, {metric.unit or 'the unit of the game'}{better}")


def _tables(result: AuditResult, metrics: Sequence[Metric], caption: str) -> list[Part]:
    """The figures of all agents, those of one group side by side; what nobody has is left out."""
    held = [m for m in metrics if any(known(_estimate(agent, m.key).value) for agent in result.agents)]
    groups = {m.group: [other for other in held if other.group == m.group] for m in held}
    ordered = [metric for group in groups.values() for metric in group]
    if not ordered:
        return []
    digits = {name: _digits(result, group) for name, group in groups.items()}
    columns, cells = [], []
    for metric in ordered:
        note, column = _cells(result, metric, digits[metric.group])
        unit = f", {metric.unit}" if metric.unit else ""
        columns.append(Column(f"{metric.title}{unit}", note, metric.definition, metric.group))
        cells.append(column)
    rows = [
        Row(agent.label, [column[i] for column in cells], _seeds(agent), i) for i, agent in enumerate(result.agents)
    ]
    return [Table(caption, "Agent", columns, rows)]


def _seeds(agent: AgentAudit) -> str:
    return counted(agent.seeds, "seed") if agent.seeds else ""


def _estimate(agent: AgentAudit, key: str) -> Estimate:
    """The agent's estimate, or one that knows nothing where it has none or nothing was counted."""
    found = agent.estimates.get(key)
    return Estimate(float("nan"), float("nan"), float("nan"), 0) if found is None or found.n == 0 else found


def _digits(result: AuditResult, group: Sequence[Metric]) -> int:
    """The decimals that all columns of a group share, so that their values can be read against each other."""
    values = [_estimate(agent, m.key).value for agent in result.agents for m in group if m.scale == 1]
    return decimals(values) if values else 2


def _cells(result: AuditResult, metric: Metric, digits: int) -> tuple[str, list[Cell]]:
    """What stands under a column's head, and the column's cells."""
    found = [_estimate(agent, metric.key) for agent in result.agents]
    counts = {estimate.n for estimate in found if known(estimate.value) and estimate.method != "exact"}
    winner = best(found, metric.direction)
    cells = []
    for i, estimate in enumerate(found):
        shown = scaled(estimate, metric.scale)
        below = interval(shown, digits)
        if estimate.method == "exact":
            below = "exact"
        elif len(counts) > 1 and known(estimate.value):
            below = f"{below} n = {estimate.n}".strip()
        cells.append(Cell(number(shown.value, digits), below, i == winner))
    return (f"n = {counts.pop()}" if len(counts) == 1 else ""), cells


def _faults(result: AuditResult) -> list[Part]:
    kinds = list(dict.fromkeys(kind for agent in result.agents for kind in agent.faults))
    if not kinds:
        return []
    rows = [
        Row(kind, [Cell(number(100 * agent.faults.get(kind, 0.0), 2)) for agent in result.agents]) for kind in kinds
    ]
    return [Table("Share of replies, in percent", "Fault", [Column(a.label) for a in result.agents], rows)]


def _opponents(result: AuditResult) -> list[Part]:
    """Gap and payoff against every opponent, each as a table of opponents by agents."""
    pools = {o.opponent: o.pool.replace("_", "-") for agent in result.agents for o in agent.opponents}
    by_name = [{o.opponent: o for o in agent.opponents} for agent in result.agents]
    captions = {"gap": "Gap: what the opponent earns beyond the agent", "payoff": "Payoff of the agent"}
    captions["regret"] = "Regret: the best reply's exact value less what the agent earned"
    parts: list[Part] = []
    for key, caption in captions.items():
        found = {name: [getattr(own[name], key) if name in own else None for own in by_name] for name in pools}
        values = [e.value for line in found.values() for e in line if e is not None]
        if not values:
            continue
        digits = decimals(values)
        rows = [
            Row(
                name,
                [estimate_cell(e, digits) for e in line],
                pool,
            )
            for (name, pool), line in zip(pools.items(), found.values(), strict=True)
        ]
        parts.append(Table(caption, "Opponent", [Column(agent.label) for agent in result.agents], rows))
    return parts


def _curves(result: AuditResult) -> list[Part]:
    metric = exact_metric(result)
    lines = []
    for slot, agent in enumerate(result.agents):
        own = [curve for curve in result.curves if (curve.agent, curve.metric) == (agent.name, metric)]
        runs = [[(float(x), y) for x, y in curve.points if known(y)] for curve in own]
        if any(runs):
            lines.append(Line(agent.label, slot, runs))
    if not any(y > 0 for line in lines for run in line.runs for _, y in run):
        return []
    name = METRIC[metric].title
    reach = f"computed over {result.exact}" if result.exact else "computed by walking the tree"
    caption = f"A thin line is one seed, the bold line their median; lower is safer. {name}, {reach}, not sampled."
    plot = Curves("training step", f"Exact {name}, {result.game.unit}", lines, log=True)
    return [Figure("curves", f"Exact {name} over training steps", caption, plot)]


def _ranking(result: AuditResult) -> list[Part]:
    """The scripted pool's order beside the exact one; nothing where there is no pair to compare."""
    metric = exact_metric(result)
    pairs = [
        (i, agent.label, _estimate(agent, "pool_exploitability"), _estimate(agent, metric))
        for i, agent in enumerate(result.agents)
    ]
    pairs = [pair for pair in pairs if known(pair[2].value) and known(pair[3].value)]
    if len(pairs) < 2:
        return []
    pool_digits, exact_digits = decimals(p.value for _, _, p, _ in pairs), decimals(e.value for *_, e in pairs)
    shown = [(_reading(pool, pool_digits), _reading(exact, exact_digits)) for _, _, pool, exact in pairs]
    rows = [
        Ranked(label, slot, pool.value, exact.value, *texts)
        for (slot, label, pool, exact), texts in zip(pairs, shown, strict=True)
    ]
    crossed = [
        separated(a[2], b[2]) and separated(a[3], b[3]) and (a[2].value < b[2].value) != (a[3].value < b[3].value)
        for i, a in enumerate(pairs)
        for b in pairs[:i]
    ]
    name = METRIC[metric].title
    caption = (
        f"The same agents ranked twice, with pool exploitability on the left and exact {name} on the right. "
        f"{sum(crossed)} of {len(crossed)} pairs stand in another order beyond their intervals."
    )
    plot = Ranking("Scripted pool", f"Exact {name}", rows)
    return [Figure("ranking", f"Agents ranked by pool exploitability and by exact {name}", caption, plot)]


def _reading(estimate: Estimate, digits: int) -> str:
    return f"{number(estimate.value, digits)} {interval(estimate, digits)}".rstrip()


def _policies(result: AuditResult) -> list[Section]:
    """The policies state by state, drawn where they are few, else listed, else told to be in the file."""
    states = result.agents[0].states
    holders = [(i, agent) for i, agent in enumerate(result.agents) if len(agent.states) == len(states)]
    title = "The policies, state by state"
    if not states:
        return []
    if len(states) > MAX_LISTED_STATES:
        text = f"The policies at {len(states)} information states are in result.json; they are too many for a page."
        return [Section(title, [Prose(text)])]
    listed = Section("The same in numbers", [_policy_table([agent for _, agent in holders])], True)
    if len(states) > MAX_DRAWN_STATES:
        return [Section(title, [], sections=[replace(listed, title=f"{len(states)} information states in numbers")])]
    points = [
        StatePoint(
            f"{state.state}: {state.actions[-1]}",
            f"seat {state.seat}",
            (state.nash_low[-1], state.nash_high[-1]) if state.nash_low else None,
            [last_action(agent.states[i]) for _, agent in holders],
            [agent.states[i].outside for _, agent in holders],
        )
        for i, state in _by_seat(states)
    ]
    nash = any(point.band for point in points)
    caption = "Left: the probability of the named action, given that the reply is legal"
    caption += "; the grey band is the range over all Nash equilibria. " if nash else ". "
    caption += "Right: the probability of a reply that is no legal action, on its own scale."
    plot = Policies([(agent.label, i) for i, agent in holders], points)
    title = "The policies against the Nash equilibria" if nash else title
    return [
        Section(title, [Figure("policy", "Every agent's policy, state by state", caption, plot)], sections=[listed])
    ]


def _by_seat(states: Sequence[StateRecord]) -> list[tuple[int, StateRecord]]:
    return sorted(enumerate(states), key=lambda pair: pair[1].seat)


def last_action(state: StateRecord) -> float | None:
    """The probability of the last, most aggressive action given a legal reply; None where no reply ever is legal."""
    total = sum(state.probabilities)
    return state.probabilities[-1] / total if known(total) and total > 0 else None


def _policy_table(agents: Sequence[AgentAudit]) -> Table:
    nash = any(state.nash_low for state in agents[0].states)
    columns = [*([Column("Nash range")] if nash else []), *(Column(agent.label) for agent in agents)]
    rows = []
    for i, state in _by_seat(agents[0].states):
        cells = [Cell(number(last_action(a.states[i]), 3), f"{number(100 * a.states[i].outside, 2)} %") for a in agents]
        if nash:
            low, high = state.nash_low[-1], state.nash_high[-1]
            cells.insert(0, Cell(number(low, 3) if low == high else f"{number(low, 3)} to {number(high, 3)}"))
        rows.append(Row(f"{state.state}: {state.actions[-1]}", cells, f"seat {state.seat}"))
    return Table("Probability of the action; share of replies that are not legal beneath", "State", columns, rows)


def _episodes(result: AuditResult) -> list[Section]:
    """The conversations of all agents that kept some."""
    sections = []
    for agent in result.agents:
        if agent.conversations:
            speakers = {"rules": "Rules", "seen": "Game", "said": agent.label}
            items = [
                Conversation(
                    agent.label,
                    talk.opponent,
                    talk.seat,
                    talk.deal,
                    talk.returns[talk.seat],
                    " / ".join(number(paid, 2) for paid in talk.returns),
                    [Message(speakers[m.side], m.side, m.text, m.fault) for m in talk.messages],
                )
                for talk in agent.conversations
            ]
            opening = [Message("Rules", "rules", agent.rules)] if agent.rules else []
            sections.append(Section(agent.label, [Conversations(opening, items, agent.played)], True))
    text = "What an agent read and wrote, word for word. Characters that cannot be seen are spelled out as ⟨U+code⟩."
    return [Section("Episodes", [Prose(text)], sections=sections)] if sections else []


def _notes(result: AuditResult) -> list[str]:
    own = [(agent.label, note) for agent in result.agents for note in agent.notes]
    shared = dict.fromkeys(note for _, note in own)
    return [*result.notes, *shared]


def _origin(result: AuditResult) -> list[Term]:
    parameters = " ".join(f"{key}={value}" for key, value in result.game.parameters.items())
    sampling = "; ".join(f"{agent.label}: {agent.sampling}" for agent in result.agents if agent.sampling)
    pairs = [("Game", f"{result.game.name} {parameters}".rstrip()), ("Profile", result.profile), ("Replies", sampling)]
    return [Term(name, text) for name, text in pairs if text]
