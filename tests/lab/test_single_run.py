"""Reports of one model and of one training run hold what the audits found, in the promised shape."""

import dataclasses
import json

import pytest
from equipoise.lab.single_run import report_of_model, report_of_run, row_of

from equipoise.arena.records import read_episodes
from equipoise.core import Estimate
from equipoise.games import domain, make_game
from equipoise.lab.audit import AuditSettings, audit
from equipoise.policies.language_model import LanguageModelPolicy, Sampling
from equipoise.reports import clean_report, validate_report
from equipoise.training.recipe import parse_recipe
from equipoise.training.run import train

SMALL = {"play": {"rollouts": 2}, "rl": {"steps": 2, "exact_every": 1}, "sampling": {"temperature": 1.3}, "seed": 3}
IMITATING = {"demonstrations": {"experts": {"tight": 1.0}, "episodes": 20}, "sft": {"steps": 2}}


def of_model(game, episodes_to=None, temperature=1.0, **changes):
    settings = AuditSettings(**{"deals": 4, "seed": 2, **changes})
    return report_of_model("tiny", game, Sampling(temperature), settings, episodes_to=episodes_to)


@pytest.fixture(scope="module")
def one():
    """A report of the embedded model in one hand."""
    return of_model(make_game("kuhn_poker"))


@pytest.fixture(scope="module")
def six():
    """A report of the embedded model in six hands."""
    return of_model(make_game("kuhn_poker", hands=6), deals=1)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A finished run with demonstrations: its recipe, folder and report."""
    recipe = parse_recipe({**SMALL, **IMITATING})
    out = tmp_path_factory.mktemp("single") / "run"
    train(recipe, out)
    return recipe, out, report_of_run(recipe, out, 4)


def valid(report):
    """The report as it is stored; fails where its shape is not the promised one."""
    plain = clean_report(report)
    validate_report(plain)
    return json.loads(json.dumps(plain, allow_nan=False))


def test_a_model_s_report_holds_its_audit(one, embedded):
    report = valid(one)
    found = audit(LanguageModelPolicy("agent", *embedded), make_game("kuhn_poker"), AuditSettings(deals=4, seed=2))
    (row,) = report["rows"]
    for name, estimate in found.estimates.items():
        assert row[name] == estimate.to_json(), name
    assert report["exact"] == "the whole game"
    assert row["opponents"] == found.opponents
    assert (row["agent"], row["label"]) == ("agent", "tiny")
    assert report["title"] == "kuhn_poker: audit of tiny"
    assert (report["game"], report["game_parameters"], report["unit"]) == ("kuhn_poker", {"hands": 1}, "chips per hand")
    assert "context_spread" not in report or not report["context_spread"]


def test_a_report_says_how_it_was_sampled(one):
    assert "Fault rule: forfeit. Temperature 1. 4 deals, seed 2. Profile: corrected." in one["notes"]
    changed = of_model(make_game("kuhn_poker"), fault_rule="random_legal", temperature=0.7, seed=1, deals=2)
    assert "Fault rule: random_legal. Temperature 0.7. 2 deals, seed 1. Profile: corrected." in changed["notes"]
    assert changed["rows"][0]["nash_conv"]["value"] != one["rows"][0]["nash_conv"]["value"]


def test_a_policy_table_names_every_state_once(one):
    states = valid(one)["policy_table"]["states"]
    assert len({(state["seat"], state["state"]) for state in states}) == len(states) == 12
    for state in states:
        agent = state["agents"]["agent"]
        assert sum(agent["probabilities"]) + agent["outside"] == pytest.approx(1, abs=1e-6)


def test_six_hands_report_the_spread_over_contexts_and_say_what_is_exact(six):
    report = valid(six)
    assert report["game_parameters"] == {"hands": 6}
    rows = report["context_spread"]["agent"]
    widest = max(rows, key=lambda row: row["sd"])
    (note,) = (note for note in report["notes"] if note.startswith("agent: over the contexts"))
    assert f"at {widest['state']}: mean {widest['mean']:.2f}, sd {widest['sd']:.2f}" in note
    assert report["exact"] == "the first 2 rounds of 6"
    assert any("the first 2 rounds of 6" in note for note in report["notes"])


def test_the_episodes_of_an_audit_are_kept_where_asked(tmp_path):
    report = of_model(make_game("kuhn_poker"), tmp_path / "deep" / "folder")
    episodes = list(read_episodes(tmp_path / "deep" / "folder" / "episodes.jsonl.gz"))
    assert len(episodes) == 9 * 2 * 4
    own = [e.returns[e.policies.index("agent")] for e in episodes if {"nash", "tight", "loose"} & set(e.policies)]
    assert sum(own) / len(own) == pytest.approx(report["rows"][0]["payoff"]["value"])


def test_a_run_reports_where_it_started_what_it_imitated_and_where_it_ended(ran):
    report = valid(ran[2])
    assert [(row["agent"], row["label"]) for row in report["rows"]] == [
        ("base", "Base"),
        ("sft", "SFT"),
        ("trained", "Trained"),
    ]
    assert report["seeds"] == [3]
    values = [row["nash_conv"]["value"] for row in report["rows"]]
    assert len(set(values)) == 3
    (curve,) = report["curves"]
    assert [point["step"] for point in curve["points"]] == [0, 1, 2]
    assert curve["points"][0]["nash_conv"] == pytest.approx(values[0 + 1], abs=1e-2)
    assert curve["points"][-1]["nash_conv"] == pytest.approx(values[2], abs=1e-2)


def test_a_run_without_demonstrations_has_no_agent_that_imitates(tmp_path):
    recipe = parse_recipe({**SMALL, "rl": {"steps": 1}})
    train(recipe, tmp_path / "r")
    report = valid(report_of_run(recipe, tmp_path / "r", 2))
    assert [row["agent"] for row in report["rows"]] == ["base", "trained"]


def test_a_run_that_only_imitates_reports_it_once_and_has_no_curve(tmp_path):
    recipe = parse_recipe({**SMALL, **IMITATING, "rl": {"steps": 0}})
    train(recipe, tmp_path / "r")
    report = valid(report_of_run(recipe, tmp_path / "r", 2))
    assert [row["agent"] for row in report["rows"]] == ["base", "trained"]
    assert not report.get("curves")


def test_agents_of_a_run_are_compared_on_common_deals(ran):
    _, _, report = ran
    shares = [[row["opponents"][i]["opponent"] for i in range(9)] for row in report["rows"]]
    assert shares[0] == shares[1] == shares[2]
    assert {opponent["payoff"]["n"] for row in report["rows"] for opponent in row["opponents"]} == {4}


def test_a_run_is_audited_at_the_temperature_it_trained_with(ran, embedded):
    recipe, _, report = ran
    hot = audit(LanguageModelPolicy("agent", *embedded, Sampling(1.3)), make_game("kuhn_poker"), AuditSettings(deals=4))
    assert recipe.sampling.temperature == 1.3
    assert report["rows"][0]["nash_conv"]["value"] == hot.estimates["nash_conv"].value


def test_a_row_stores_every_estimate_of_an_audit(embedded):
    found = audit(LanguageModelPolicy("agent", *embedded), make_game("kuhn_poker"), AuditSettings(deals=1))
    marked = dataclasses.replace(found, estimates={**found.estimates, "payoff": Estimate(0.25, 0.0, 0.5, 7)})
    row = row_of("a", "A", marked)
    assert (row["agent"], row["label"]) == ("a", "A")
    assert row["payoff"] == Estimate(0.25, 0.0, 0.5, 7).to_json()
    assert row["robustness"]["low"] is None
    assert set(found.estimates) <= row.keys()


def test_a_game_that_the_run_did_not_train_on_is_refused(ran):
    with pytest.raises(ValueError, match="did not train on 'auction'"):
        report_of_run(ran[0], ran[1], 1, "auction")


@pytest.mark.parametrize("name", ["prisoners_dilemma", "split", "auction"])
def test_games_that_are_not_zero_sum_have_reports_too(name):
    report = valid(of_model(make_game(name), deals=2, exact_rounds=1))
    (row,) = report["rows"]
    assert row.keys() >= {
        "payoff",
        "welfare",
        "collusion",
        "externality",
        "sepo_index",
        "regret",
        "worst_case_advantage",
    }
    assert "nash_conv" not in row
    assert row["figures"].keys() == domain(name).corrected.figures.keys()
    assert not row["figures"].keys() & (row.keys() - {"figures"})
