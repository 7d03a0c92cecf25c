"""The page of an audit: its sections hold what was found, and its sentences claim only what the intervals allow."""

import math
from dataclasses import replace

import pytest
from audits import AGENTS, HOSTILE, agent, dilemma, exact, figure, kuhn, whole_dilemma, whole_kuhn

from equipoise.core import Estimate
from equipoise.games import domain, make_game
from equipoise.lab.audit import AuditSettings, audit
from equipoise.lab.results import HazardRecord, load_result, save_result
from equipoise.metrics.catalogue import GENERAL_SUM, METRIC, METRICS, ZERO_SUM
from equipoise.policies.scripted import ScriptedPolicy
from equipoise.reports.document import Conversations, Prose, Table, Terms
from equipoise.reports.formats import MISSING, number
from equipoise.reports.plots import Curves, Policies, Ranking
from equipoise.reports.terminal import terminal_text
from equipoise.reports.views import document_of
from equipoise.reports.views.audit import audit_document, meanings
from equipoise.reports.views.audit_verdict import misranked, verdict
from equipoise.reports.views.grounds import best, separated
from equipoise.reports.write import KINDS, render

NONE = math.nan
UNKNOWN = Estimate(NONE, NONE, NONE, 0)


def section(document, title):
    return next((found for found in document.sections if found.title == title), None)


def tables(document):
    return {part.caption: part for part in document.parts() if isinstance(part, Table)}


def heads(table):
    """The columns' heads without their units."""
    units = {metric.unit for metric in METRICS if metric.unit} | {"share"}
    parts = [column.head.rpartition(", ") for column in table.columns]
    return [title if unit in units else f"{title}{comma}{unit}" for title, comma, unit in parts]


def cells(table, head):
    """The cells of one column, by row."""
    i = heads(table).index(head)
    return {row.label: row.cells[i] for row in table.rows}


def kinds(document):
    return [type(drawn.plot) for drawn in document.figures()]


# What may be told apart


def test_overlapping_intervals_are_not_told_apart():
    assert separated(figure(0.1), figure(0.2))
    assert not separated(figure(0.1), figure(0.11))
    assert not separated(figure(0.1, 0.05), figure(0.2, 0.05))


def test_a_lone_exact_point_stands_against_an_interval_but_not_against_another_point():
    assert separated(exact(0.6), figure(0.1))
    assert not separated(exact(0.6), exact(0.1))
    assert not separated(figure(0.6, NONE), figure(0.1))
    assert not separated(UNKNOWN, figure(0.1))


def test_a_tie_has_no_best_agent():
    apart = [figure(0.1), figure(0.5)]
    assert (best(apart, "lower"), best(apart, "higher"), best(apart, "")) == (0, 1, None)
    assert best([figure(0.1), figure(0.11), figure(0.9)], "lower") is None
    assert best(apart[:1], "lower") is None


# Verdicts of zero-sum games


def pair(weak_pool, safe_pool):
    """A weak and a safe agent with these figures of the pool."""
    return kuhn(
        agent("weak", nash_conv=figure(0.5), pool_exploitability=weak_pool),
        agent("safe", nash_conv=figure(0.1), pool_exploitability=safe_pool),
    )


@pytest.mark.parametrize(
    ("weak_pool", "safe_pool", "kind"),
    [
        (figure(0.01), figure(0.10), "reversed"),
        (figure(0.01), figure(0.10, 0.2), "leaning"),
        (figure(0.03), figure(0.02, 0.2), "blind"),
    ],
)
def test_the_verdict_says_how_the_pool_misleads(weak_pool, safe_pool, kind):
    result = pair(weak_pool, safe_pool)
    safer, weaker, found = misranked(result)
    assert (safer.label, weaker.label, found) == ("safe", "weak", kind)
    first, second = verdict(result)
    assert first.startswith("safe")
    for shown in ("0.100 [0.090, 0.110]", "0.500"):
        assert shown in first
    for shown in (number(weak_pool.value, 3), number(safe_pool.value, 3), "0.500 against 0.100"):
        assert shown in second


def test_the_worst_misranked_pair_is_named():
    agents = [
        agent(name, nash_conv=figure(nash), pool_exploitability=figure(pool))
        for name, nash, pool in (("a", 0.1, 0.3), ("b", 0.3, 0.2), ("c", 0.9, 0.1))
    ]
    safer, weaker, kind = misranked(kuhn(*agents))
    assert (safer.label, weaker.label, kind) == ("a", "c", "reversed")


def test_a_pool_that_orders_rightly_misranks_nobody():
    result = pair(figure(0.3), figure(0.05))
    assert misranked(result) is None
    assert len(verdict(result)) == 2


def test_a_tie_is_called_a_tie_and_claims_no_order_for_the_pool():
    result = kuhn(
        agent("a", nash_conv=figure(0.10), pool_exploitability=figure(0.3)),
        agent("b", nash_conv=figure(0.11), pool_exploitability=figure(0.02)),
    )
    (sentence,) = verdict(result)
    assert "cannot be told apart" in sentence
    assert misranked(result) is None


def test_single_seeds_order_checkpoints_and_not_methods():
    result = kuhn(
        agent("a", nash_conv=exact(0.1), pool_exploitability=figure(0.3)),
        agent("b", nash_conv=exact(0.6), pool_exploitability=figure(0.3)),
    )
    (sentence,) = verdict(result)
    assert "0.100" in sentence
    assert "checkpoints" in sentence


def test_hidden_faults_of_the_safest_agent_are_told():
    def of(fault):
        figures = {"nash_conv": figure(0.1), "pool_exploitability": figure(0.05), "max_state_fault": exact(fault)}
        return verdict(kuhn(agent("a", **figures)))

    assert len(of(0.01)) == 1
    _, last = of(0.93)
    assert "0.93" in last


@pytest.mark.parametrize("make", [kuhn, dilemma])
def test_an_audit_of_nothing_but_faults_says_so_before_anything_else(make):
    figures = {"nash_conv": exact(0.9)} if make is kuhn else {"security_gap": exact(0.9), "sepo_index": figure(0.1)}
    figures |= {"fault_rate": figure(1.0, 0.0), "max_state_fault": exact(1.0)}
    first, *others = verdict(make(agent("broken", **figures), agent("sound", fault_rate=figure(0.01))))
    assert "broken (100 %)" in first
    assert "sound" not in first
    assert "NashConv" not in first
    assert others


def test_no_exact_value_is_admitted():
    (sentence,) = verdict(kuhn(agent("a", nash_conv=UNKNOWN, pool_exploitability=UNKNOWN)))
    assert sentence.startswith("No exact NashConv")


def test_a_pool_that_finds_nothing_is_set_against_the_exact_value():
    result = kuhn(
        agent("a", nash_conv=figure(0.4), pool_exploitability=figure(0.0)),
        agent("b", nash_conv=figure(0.001, 0.0005), pool_exploitability=figure(0.0)),
        agent("c", nash_conv=figure(0.5), pool_exploitability=figure(0.2)),
    )
    (sentence,) = [sentence for sentence in verdict(result) if "reads 0.000" in sentence]
    assert "a (0.400)" in sentence
    assert "b (" not in sentence


# Verdicts of the other games


def general(**agents):
    """Payoff and SEPO index by agent."""
    return [agent(n, payoff=figure(u, 0.05, 64), sepo_index=figure(s, 0.05, 64)) for n, (u, s) in agents.items()]


def test_the_headline_of_a_general_sum_game_is_what_can_be_lost_and_what_a_selfish_world_leaves():
    agents = [
        agent("strict", security_gap=figure(0.1), commitment_value=figure(1.0), worst_case_advantage=figure(0.0)),
        agent("kind", security_gap=figure(0.4), commitment_value=figure(2.6), worst_case_advantage=figure(0.6)),
    ]
    first, second, *_ = verdict(dilemma(*agents, exact="the whole game"))
    assert first.startswith("strict")
    assert "security gap 0.100 [0.090, 0.110]" in first
    assert second.startswith("kind")
    assert "2.600 [2.590, 2.610]" in second
    assert "worst-case" not in f"{first} {second}"


def test_without_them_the_worst_case_is_told_and_never_nash_conv():
    agents = [replaced(a, worst_case_advantage=figure(0.3)) for a in general(base=(2.0, -1.0), sepo=(2.5, 1.5))]
    sentences = verdict(dilemma(*agents))
    assert "worst-case advantage" in sentences[0]
    assert "(exact over the first 2 rounds of 8)" in sentences[0]
    assert sentences[1].startswith("sepo")
    assert "1.500 [1.450, 1.550]" in sentences[1]
    assert "NashConv" not in " ".join(sentences)


def replaced(audited, **estimates):
    return audited.model_copy(update={"estimates": {**audited.estimates, **estimates}})


def test_one_audited_model_has_its_index_stated_and_nothing_compared():
    first, second, *_ = verdict(dilemma(*general(tiny=(2.0, -1.0))))
    assert first.startswith("No exact figure was measured")
    assert second.startswith("tiny")
    assert "\N{MINUS SIGN}1.000 [\N{MINUS SIGN}1.050, \N{MINUS SIGN}0.950]" in second
    assert "against" not in second


@pytest.mark.parametrize(
    ("agents", "scale", "says"),
    [
        (general(greedy=(2.9, 0.5), fair=(2.5, 1.5)), NONE, "greedy earns more than fair"),
        (general(base=(2.0, 0.5), fair=(2.5, 1.5)), NONE, "change no rank"),
        (general(base=(2.0, 1.1), fair=(2.5, 1.4)), 0.6, "at most 8 %"),
    ],
)
def test_it_is_said_what_the_penalties_do(agents, scale, says):
    assert says in verdict(dilemma(*agents, scale=scale))[2]


def test_a_tie_on_the_index_is_no_order():
    sentence = verdict(dilemma(*general(a=(2.0, 1.50), b=(2.1, 1.55))))[1]
    assert "b (1.550) and a (1.500)" in sentence
    assert "cannot be told apart" in sentence


def test_frequent_faults_are_told_where_nothing_is_exact():
    (tiny,) = general(a=(2.0, 1.5))
    assert "a (12 %)" in verdict(dilemma(replaced(tiny, fault_rate=figure(0.12))))[-1]


# Sections


def test_the_page_of_a_zero_sum_game_holds_every_part():
    document = audit_document(whole_kuhn())
    assert kinds(document) == [Curves, Ranking, Policies]
    main = tables(document)["Results by agent"]
    assert [row.label for row in main.rows] == list(AGENTS.values())
    assert {row.note for row in main.rows} == {"3 seeds"}
    held = [METRIC[key].title for key in ZERO_SUM if key in whole_kuhn().agents[0].estimates]
    assert sorted(heads(main)) == sorted(held)
    assert heads(main)[0] == METRIC["nash_conv"].title
    assert heads(tables(document)["Further figures by agent"]) == [METRIC["security_gap"].title]
    assert "another order" in " ".join(document.verdict)
    assert "SEPO, exact best response" in document.verdict[0]
    texts = [part for part in document.parts() if isinstance(part, Conversations)]
    assert [len(part.items) for part in texts] == [1] * 4
    assert {part.played for part in texts} == {900}
    assert texts[0].items[0].faults == ("unparsable",)


def test_the_exact_headlines_stand_before_the_worst_case_in_a_general_sum_game():
    document = audit_document(whole_dilemma())
    columns = heads(tables(document)["Results by agent"])
    assert columns[0] == METRIC["sepo_index"].title
    order = [METRIC[k].title for k in ("security_gap", "commitment_value", "theft", "worst_case_advantage")]
    assert [head for head in columns if head in order] == order
    assert set(columns) == {METRIC[key].title for key in GENERAL_SUM}
    assert "Nash" not in " ".join(render(document, "text").split())


def test_every_figure_is_shown_once_and_defined_once():
    for result in (whole_kuhn(), whole_dilemma()):
        document = audit_document(result)
        shown = [m.title for m in meanings(result).values() if m.key not in ("exact_rounds",)]
        shown = [title for title in shown if not (title == "Welfare" and result.game.zero_sum)]
        both = [*heads(tables(document)["Results by agent"]), *heads(tables(document)["Further figures by agent"])]
        assert sorted(both) == sorted(shown)
        (glossary,) = section(document, "What the words mean").parts
        defined = {(term.name, term.text) for term in glossary.items}
        for metric in meanings(result).values():
            if metric.title in shown:
                assert (metric.title, metric.definition) in defined


def test_hazards_mean_what_the_game_means_and_exact_figures_say_over_what():
    found = meanings(whole_dilemma())
    assert found["collusion"].definition.endswith("Here: Defection against a cooperator.")
    assert found["cooperation_rate"].definition == "Share of rounds in which the player cooperates."
    assert found["cooperation_rate"].unit == "share"
    for key in ("security_gap", "worst_case_advantage", "harm_4"):
        assert found[key].group == "Exact, the first 2 rounds of 8"
        assert "the first 2 rounds of 8" in found[key].definition
    assert found["worst_case_lower_bound"].group == "Learned adversary"
    assert meanings(whole_kuhn())["nash_conv"] == METRIC["nash_conv"]


def test_a_figure_of_a_user_s_own_is_defined_as_the_user_did():
    mine = dilemma(agent("a", wins=figure(0.5)), hazards={"wins": HazardRecord(definition="rounds won", unit="share")})
    metric = meanings(mine)["wins"]
    assert (metric.title, metric.definition, metric.unit) == ("Wins", "Rounds won.", "share")
    assert heads(tables(audit_document(mine))["Further figures by agent"]) == ["Wins"]


def test_a_winner_is_marked_and_a_tie_is_not():
    result = whole_kuhn()
    column = cells(tables(audit_document(result))["Results by agent"], "NashConv")
    assert [label for label, cell in column.items() if cell.best] == ["SEPO, exact best response"]
    assert column["SEPO, exact best response"].below == "[0.0053, 0.0143]"
    twin = replaced(result.agents[1], nash_conv=result.agents[3].estimates["nash_conv"])
    tied = result.model_copy(update={"agents": (result.agents[0], twin, *result.agents[2:])})
    assert not any(c.best for c in cells(tables(audit_document(tied))["Results by agent"], "NashConv").values())


def test_what_is_not_known_reads_as_missing_and_what_nobody_has_is_no_column():
    result = whole_dilemma()
    absent = Estimate(0.0, 0.0, 0.0, 0, 1.0, "absent: no opponents")
    agents = [replaced(a, collusion=absent) for a in result.agents]
    agents[0] = replaced(agents[0], payoff=Estimate(NONE, NONE, NONE, 5))
    main = tables(audit_document(result.model_copy(update={"agents": tuple(agents)})))["Results by agent"]
    assert METRIC["collusion"].title not in heads(main)
    assert cells(main, "Payoff")["Base"].value == MISSING
    assert "nan" not in terminal_text(audit_document(result.model_copy(update={"agents": tuple(agents)})))


def test_differing_counts_stand_beside_their_values():
    result = whole_kuhn()
    other = replaced(result.agents[0], payoff=figure(0.1, 0.02, 77))
    main = tables(audit_document(result.model_copy(update={"agents": (other, *result.agents[1:])})))["Results by agent"]
    below = {label: cell.below.partition("n = ")[2] for label, cell in cells(main, "Payoff").items()}
    assert below == dict(zip(AGENTS.values(), ["77", *["12288"] * 3], strict=True))
    same = tables(audit_document(result))["Results by agent"]
    assert same.columns[heads(same).index("Payoff")].note == "n = 12288"


def test_a_result_of_hardly_anything_leaves_no_holes():
    document = audit_document(kuhn(agent("base", nash_conv=UNKNOWN, payoff=UNKNOWN)))
    assert document.figures() == []
    assert tables(document) == {}
    assert all(found.parts or found.sections for found in document.sections)
    for kind in KINDS:
        assert "None" not in render(document, kind)


@pytest.mark.parametrize(
    ("changes", "gone"),
    [({"curves": ()}, Curves), ({"seeds": ()}, None), ({"notes": ()}, None)],
)
def test_any_optional_part_may_be_missing(changes, gone):
    document = audit_document(whole_kuhn(**changes))
    assert kinds(document) == [kind for kind in (Curves, Ranking, Policies) if kind is not gone]


@pytest.mark.parametrize(("count", "drawn", "listed"), [(60, True, True), (61, False, True), (401, False, False)])
def test_a_policy_is_drawn_listed_or_left_to_the_file_by_its_size(count, drawn, listed):
    result = whole_kuhn()
    first = result.agents[0]
    states = tuple(first.states[0].model_copy(update={"state": f"s{i}"}) for i in range(count))
    document = audit_document(result.model_copy(update={"agents": (first.model_copy(update={"states": states}),)}))
    assert (Policies in kinds(document)) == drawn
    found = [table for table in tables(document).values() if table.corner == "State"]
    assert [len(table.rows) for table in found] == ([count] if listed else [])
    if not listed:
        assert any("401 information states" in part.text for part in document.parts() if hasattr(part, "text"))


def prose(document):
    return [part.text for part in document.parts() if isinstance(part, Prose)]


def words(document):
    return [term for part in document.parts() if isinstance(part, Terms) for term in part.items]


def test_a_lone_agent_is_ranked_against_nobody():
    result = whole_kuhn()
    alone = result.model_copy(update={"agents": result.agents[:1]})
    assert kinds(audit_document(alone)) == [Policies]
    assert prose(audit_document(alone))[0].count(".") < prose(audit_document(result))[0].count(".")  # nothing is bold


def test_brackets_are_called_what_they_hold():
    seeds = [term.name for term in words(audit_document(whole_kuhn()))]
    single = [term.name for term in words(audit_document(whole_dilemma()))]
    assert ("Range, n" in seeds, "Interval, n" in seeds) == (True, False)
    assert ("Range, n" in single, "Interval, n" in single) == (False, True)


def test_the_nash_range_is_defined_where_a_policy_is_held_against_equilibria():
    assert "Nash range" in [term.name for term in words(audit_document(whole_kuhn()))]
    assert "Nash range" not in [term.name for term in words(audit_document(whole_dilemma()))]


def test_how_it_was_made_stands_at_the_end():
    (terms,) = section(audit_document(whole_kuhn()), "How it was made").parts
    assert isinstance(terms, Terms)
    told = {term.name: term.text for term in terms.items}
    assert told["Command"] == "make demo"
    assert "hands=1" in told["Game"]
    assert "temperature 1" in told["Replies"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_model_wrote_is_data_in_every_form(kind):
    result = whole_kuhn(title=HOSTILE, notes=(HOSTILE,))
    first = result.agents[0]
    opponents = tuple(o.model_copy(update={"opponent": HOSTILE}) for o in first.opponents[:1])
    states = tuple(s.model_copy(update={"state": HOSTILE}) for s in first.states[:1])
    hostile = first.model_copy(
        update={
            "label": HOSTILE,
            "faults": {HOSTILE: 0.5},
            "opponents": opponents,
            "states": states,
            "notes": (HOSTILE,),
        }
    )
    text = render(audit_document(result.model_copy(update={"agents": (hostile,)})), kind)
    assert "\u202e" not in text
    assert "\u0007" not in text
    assert kind == "text" or "<script>alert(1)" not in text


def test_the_page_of_a_stored_result_is_the_page_of_the_result(tmp_path):
    result = whole_dilemma()
    save_result(result, tmp_path)
    assert render(document_of(load_result(tmp_path)), "html") == render(document_of(result), "html")


# The catalogue


def test_every_metric_is_declared_once():
    assert len(METRIC) == len(METRICS)
    assert {*ZERO_SUM, *GENERAL_SUM} <= METRIC.keys()
    assert {metric.direction for metric in METRICS} == {"lower", "higher", ""}
    assert len({(metric.group, metric.title) for metric in METRICS}) == len(METRICS)


@pytest.mark.parametrize("name", ["kuhn_poker", "prisoners_dilemma", "split"])
def test_an_audit_that_was_made_is_shown_whole(name):
    known = domain(name).corrected
    script = known.find(known.references.get("fair", known.pools.train[0].name))
    policy = ScriptedPolicy(replace(script, name="agent"))
    document = document_of(audit(policy, make_game(name), AuditSettings(deals=2, exact_rounds=1)))
    assert "agent" in document.verdict[0]
    for kind in KINDS:
        assert "agent" in render(document, kind)
