"""Every game can be audited, with the figures that exist there; worst cases in the dilemma are the known ones."""

import math
from dataclasses import replace

import pytest

from equipoise.games import DOMAINS, domain, make_game
from equipoise.games.first_rounds import rounds_within
from equipoise.games.free_text import text_limit
from equipoise.games.kuhn_poker import KuhnPoker
from equipoise.lab import audit as audits
from equipoise.lab import reply_values
from equipoise.lab.audit import AuditSettings, audit, audited
from equipoise.lab.audit_exact import covered_rounds
from equipoise.metrics.catalogue import METRIC
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.policies.scripted import ScriptedPolicy

SAMPLED = {"payoff", "welfare", "robustness", "nra", "pool_exploitability", "pool_exploitability_unclipped"}
SAMPLED |= {"held_out_exploitability", "externality", "sepo_index", "fault_rate"}
EXACT = {"worst_case_advantage", "max_state_fault", "mean_state_fault", "exact_rounds", "security_level"} | {
    *("security_gap", "maximin_value", "commitment_value", "commitment_value_weak", "harm_1", "harm_2", "harm_4"),
    *("theft", "self_play_regret", "deviator_gain"),
}


def reference(name, player):
    """A scripted player of a game as an agent."""
    return ScriptedPolicy(replace(domain(name).corrected.find(player), name="agent"))


def player_of(name):
    known = domain(name).corrected
    return reference(name, known.references.get("fair", known.pools.train[0].name))


SLOW = ("bargaining", "commons")
"""Games whose audit takes seconds."""
SHORTER = {"split_items": {"rounds": 1}}
"""Games of so many claims that best replies in longer ones take tens of seconds."""


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in DOMAINS])
def test_every_game_can_be_audited_and_has_the_figures_that_exist_there(name):
    known, game = domain(name).corrected, make_game(name, **SHORTER.get(name, {}))
    talks = bool(text_limit(game.actions))
    result = audit(player_of(name), game, AuditSettings(deals=4, learned_episodes=40, regret_deals=1))
    (found,) = result.agents
    figures = found.estimates.keys()
    assert figures >= SAMPLED | set(known.figures) | {"worst_case_lower_bound"}
    assert ("collusion" in figures) == bool(known.pools.collusive)
    assert ("exploitation" in figures) == bool(known.weak)
    rounds = covered_rounds(game, None)
    assert (rounds == 0) == ("worst_case_advantage" not in figures)
    if rounds:
        assert figures >= EXACT
        assert found.estimates["max_state_fault"].value == 0
    else:
        assert any("No exact figures" in note for note in found.notes)
        assert any("Regret is that of the first 1 deal:" in note for note in found.notes) == (not talks)
    assert ("regret" in figures) == (not talks)
    assert ("nash_conv" in figures) == (game.zero_sum and rounds > 0)
    assert result.hazards.keys() == known.measures.keys()
    assert figures <= METRIC.keys() | known.figures.keys()
    assert bool(result.exact) == (rounds > 0)
    unsolved = next((note for note in found.notes if note.startswith("No regret against")), "")
    for row in found.opponents:
        assert (row.regret is not None) == (not talks and row.opponent not in unsolved)
    for estimate in found.estimates.values():
        assert math.isfinite(estimate.value)


@pytest.mark.parametrize("name", ["kuhn_poker", "prisoners_dilemma", "split"])
def test_no_interval_of_a_few_deals_leaves_the_range_of_its_figure(name):
    game = make_game(name)
    widest = game.max_reward - game.min_reward
    (found,) = audit(player_of(name), game, AuditSettings(deals=2, exact=False)).agents
    for figure, (least, most) in {
        **dict.fromkeys(("payoff", "robustness"), (game.min_reward, game.max_reward)),
        **dict.fromkeys(("exploitation", "held_out_exploitability", "pool_exploitability"), (-widest, widest)),
    }.items():
        if (estimate := found.estimates.get(figure)) is not None:
            assert least <= estimate.low <= estimate.high <= most, figure


def test_an_audit_of_a_game_with_talk_says_what_it_cannot_compute(embedded):
    settings = AuditSettings(deals=1, learned_episodes=4, regret_deals=1, exact_rounds=1)
    found = audited(LanguageModelPolicy("agent", *embedded), make_game("trust_and_split", rounds=2), settings)
    assert [note.partition(":")[0] for note in found.agent.notes] == ["No exact figures", "No regret"]
    assert not found.agent.estimates.keys() & (EXACT | {"regret"})
    assert (found.agent.states, found.agent.spread) == ((), ())
    assert math.isfinite(found.agent.estimates["worst_case_lower_bound"].value)
    spoken = [d for e in found.episodes for d in e.of(e.policies.index("agent")) if text_limit(d.legal)]
    assert any(d.fault is None and d.action == d.reply.text for d in spoken)


def test_by_default_no_best_reply_is_looked_for_where_a_round_has_too_many_histories(monkeypatch):
    monkeypatch.setattr(reply_values, "script_response", None)
    (found,) = audit(player_of("split_items"), make_game("split_items", rounds=2), AuditSettings(deals=1)).agents
    assert "regret" not in found.estimates
    assert any("too large to compute in split_items; --regret-deals N solves" in note for note in found.notes)


@pytest.mark.parametrize("name", [name for name in DOMAINS if domain(name).published is not None])
def test_the_published_profile_can_be_audited(name):
    published = domain(name).profile("published")
    game = make_game(name, **published.parameters)
    result = audit(player_of(name), game, AuditSettings(deals=2, profile="published", exact=False))
    (found,) = result.agents
    assert (result.profile, result.exact) == ("published", "")
    assert result.weights == published.weights
    assert found.estimates.keys() >= {"payoff", "sepo_index", *published.figures}
    assert {row.opponent for row in found.opponents} == {o.name for _, o in published.pools.all()}
    assert "worst_case_advantage" not in found.estimates


def test_a_game_without_the_profile_s_parameters_is_named():
    corrected = domain("kuhn_poker").corrected
    noted = audits._profile_notes(KuhnPoker(hands=6), AuditSettings(), replace(corrected, parameters={"hands": 1}))
    assert noted == ["Profile corrected is made for hands=1; this game has other parameters."]
    assert audits._profile_notes(KuhnPoker(), AuditSettings(), replace(corrected, parameters={"hands": 1})) == []


@pytest.mark.parametrize(
    ("player", "rounds", "worst"),
    [
        ("tit_for_tat", 4, 5 / 4),  # it loses one round, the last or the first
        ("tit_for_tat", 2, 5 / 2),
        ("always_cooperate", 4, 5.0),
        ("always_defect", 4, 0.0),
        ("coin", 4, 2.5),  # defection leads by 5 in half of the rounds
        pytest.param("tit_for_tat", 8, 5 / 8, marks=pytest.mark.slow),
    ],
)
def test_the_dilemma_s_worst_cases_are_the_known_ones(player, rounds, worst):
    game = make_game("prisoners_dilemma", rounds=max(rounds, 4))
    (found,) = audit(reference("prisoners_dilemma", player), game, AuditSettings(deals=2, exact_rounds=rounds)).agents
    assert found.estimates["exact_rounds"].value == rounds
    assert found.estimates["worst_case_advantage"].value == pytest.approx(worst)


@pytest.mark.parametrize("player", ["always_cooperate", "tit_for_tat", "coin", "always_defect"])
def test_the_lower_bound_is_below_the_exact_worst_case_and_near_it(player):
    game = make_game("prisoners_dilemma", rounds=4)
    settings = AuditSettings(deals=40, exact_rounds=4, learned_episodes=800)
    found = audit(reference("prisoners_dilemma", player), game, settings).agents[0].estimates
    bound, worst = found["worst_case_lower_bound"], found["worst_case_advantage"].value
    slack = 0.0 if math.isnan(bound.low) else bound.value - bound.low
    assert bound.value - slack <= worst + 1e-9
    assert bound.value + slack >= 0.8 * worst


def test_the_components_of_the_index_are_the_estimates_beside_it():
    coin, game = reference("prisoners_dilemma", "coin"), make_game("prisoners_dilemma")
    result = audit(coin, game, AuditSettings(deals=20))
    found = result.agents[0].estimates
    u, e, c, x = (found[n].value for n in ("payoff", "held_out_exploitability", "collusion", "externality"))
    assert e != found["pool_exploitability"].value
    assert (result.weights, result.scale) == ((2.4, 1.0, 1.8), 1.0)
    assert found["sepo_index"].value == pytest.approx(u - 2.4 * e - c - 1.8 * x)
    other = audit(coin, game, AuditSettings(deals=20, weights=(0, 0, 0)))
    assert other.weights == (0, 0, 0)
    assert other.agents[0].estimates["sepo_index"].value == pytest.approx(u)


BY_DEAL = ("payoff", "welfare", "robustness", "collusion", "externality", "sepo_index")
BY_DEAL += ("pool_exploitability", "pool_exploitability_unclipped", "held_out_exploitability")
SEPO_GAMES = ("prisoners_dilemma", "auction", "split", "bargaining", "commons", "kuhn_poker")


@pytest.mark.parametrize("name", SEPO_GAMES)
@pytest.mark.parametrize("who", ["script", "tiny"])
def test_the_scores_by_deal_average_to_the_figures_they_stand_behind(name, who, embedded):
    player = player_of(name) if who == "script" else LanguageModelPolicy("agent", *embedded)
    (found,) = audit(player, make_game(name), AuditSettings(deals=3, exact=False)).agents
    assert found.deals.keys() == {*BY_DEAL} & found.estimates.keys()
    assert len(found.deals) >= 7
    for figure, by_deal in found.deals.items():
        assert len(by_deal.deals) == 3, figure
        mean = sum(by_deal.scores) / len(by_deal.scores)
        assert mean == pytest.approx(found.estimates[figure].value, abs=1e-9), figure


def test_first_rounds_are_counted_by_their_information_states():
    dilemma = make_game("prisoners_dilemma")
    # Two states in the first round, four times as many in each later one: 2, 10, 42, 170, 682, 2730.
    assert [rounds_within(dilemma, n) for n in (1, 2, 9, 10, 681, 682, 2_000)] == [0, 1, 1, 2, 4, 5, 5]
    assert covered_rounds(dilemma, 3) == 3
    assert covered_rounds(dilemma, 100) == 8


@pytest.mark.parametrize("name", ["split_items", "trust_and_split"])
def test_a_game_of_too_many_claims_or_with_talk_has_no_exact_rounds(name):
    game = make_game(name)
    assert rounds_within(game, 10**9) == covered_rounds(game, None) == covered_rounds(game, 1) == 0
