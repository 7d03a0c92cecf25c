"""Audits of models by their names: as their runs played, or as they are told to, and then said so."""

import json
import math
from dataclasses import replace

import pytest

from equipoise.arena.records import read_episodes
from equipoise.errors import UserError
from equipoise.games import domain, make_game
from equipoise.games.kuhn_poker import KuhnPoker
from equipoise.lab import model_audit
from equipoise.lab.audit import AuditSettings, audit, audited
from equipoise.lab.model_audit import EPISODES, audit_model, audit_run, curves_of, own_parameters, own_way
from equipoise.models.hardware import Hardware
from equipoise.models.load import load
from equipoise.models.serving import served
from equipoise.policies.language_model import LanguageModelPolicy, Sampling, usual_reply_tokens
from equipoise.training.recipe import parse_recipe
from equipoise.training.run import train

SMALL = {"play": {"rollouts": 2}, "rl": {"steps": 3, "exact_every": 1}, "seed": 3}
IMITATING = {"demonstrations": {"experts": {"tight": 1.0}, "episodes": 20}, "sft": {"steps": 2}}
COOL = {"temperature": 0.3, "max_new_tokens": 5}
HAND = KuhnPoker()


def of_tiny(game, changes=None, out=None, **settings):
    way = own_way("tiny", game, changes or {}, {})
    return audit_model("tiny", game, way, AuditSettings(**{"deals": 4, "seed": 2, **settings}), out=out)


def nash_conv(result, agent=-1):
    return result.agents[agent].estimates["nash_conv"].value


def at(source, game=HAND, **sampling):
    """NashConv of a model that is told by hand how to reply."""
    policy = LanguageModelPolicy("agent", *load(source), Sampling(**sampling))
    return audit(policy, game, AuditSettings(deals=1)).agents[0].estimates["nash_conv"].value


@pytest.fixture(scope="module")
def one():
    """An audit of the embedded model in one hand."""
    return of_tiny(HAND)


@pytest.fixture(scope="module")
def cool(tmp_path_factory):
    """A run of three steps at temperature 0.3, with short replies, in two hands: its recipe and folder."""
    out = tmp_path_factory.mktemp("cool") / "run"
    recipe = parse_recipe({**SMALL, "sampling": COOL, "game_parameters": {"hands": 2}})
    train(recipe, out)
    return recipe, out


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A finished run with demonstrations at temperature 1.3: its recipe, folder and audit."""
    recipe = parse_recipe({**SMALL, **IMITATING, "sampling": {"temperature": 1.3}})
    out = tmp_path_factory.mktemp("single") / "run"
    train(recipe, out)
    return recipe, out, audit_run(recipe, out, AuditSettings(deals=4))


# One model


def test_a_model_s_result_holds_its_audit(one, embedded):
    (by_hand,) = audit(LanguageModelPolicy("agent", *embedded), HAND, AuditSettings(deals=4, seed=2)).agents
    (agent,) = one.agents
    assert agent.estimates == by_hand.estimates
    assert agent.deals == by_hand.deals
    assert agent.opponents == by_hand.opponents
    assert (agent.name, agent.label) == ("agent", "tiny")
    assert (one.game.name, one.game.parameters, one.game.unit) == ("kuhn_poker", {"hands": 1}, "chips per hand")
    assert (one.exact, one.profile, agent.spread) == ("the whole game", "corrected", ())
    assert one.made.seconds > 0


def test_a_policy_table_names_every_state_once(one):
    states = one.agents[0].states
    assert len({(state.seat, state.state) for state in states}) == len(states) == 12
    for state in states:
        assert sum(state.probabilities) + state.outside == pytest.approx(1, abs=1e-6)


def test_the_changes_reach_the_audit_and_what_no_run_made_has_nothing_to_deviate_from(one):
    changed = of_tiny(HAND, {"temperature": 0.7}, fault_rule="random_legal", seed=1, deals=2)
    assert "temperature 0.7" in changed.agents[0].sampling
    assert any("2 deals, seed 1" in note and "random_legal" in note for note in changed.notes)
    assert nash_conv(changed) == pytest.approx(at("tiny", temperature=0.7), abs=1e-12)
    assert nash_conv(changed) != nash_conv(one)
    assert own_way("tiny", HAND, {"temperature": 0.7}, {}).notes == ()
    assert own_parameters("tiny", "kuhn_poker") == {}


def test_temperature_zero_says_that_it_is_deterministic_and_is():
    settings = AuditSettings(deals=1)
    greedy = of_tiny(HAND, {"temperature": 0.0})
    assert "deterministic" in greedy.agents[0].sampling
    assert "deterministic" not in of_tiny(HAND, {"temperature": 0.01}, deals=1).agents[0].sampling
    for state in greedy.agents[0].states:
        assert max(*state.probabilities, state.outside) == 1
    policy = LanguageModelPolicy("agent", *load("tiny"), Sampling(0.0))
    assert audited(policy, HAND, settings).agent.sampling == greedy.agents[0].sampling


def test_six_hands_hold_the_spread_over_contexts_and_say_what_is_exact():
    six = of_tiny(KuhnPoker(hands=6), deals=1)
    widest = max(six.agents[0].spread, key=lambda row: row.sd)
    (note,) = (note for note in six.notes if "over the contexts" in note)
    assert widest.state in note
    assert f"sd {widest.sd:.2f}" in note
    assert six.exact == "the first 2 rounds of 6"


def test_the_episodes_of_an_audit_are_kept_where_asked(tmp_path):
    result = of_tiny(HAND, out=tmp_path / "deep" / "folder", exact=False)
    episodes = list(read_episodes(tmp_path / "deep" / "folder" / EPISODES))
    assert len(episodes) == result.agents[0].played == 9 * 2 * 4
    own = [e.returns[e.policies.index("agent")] for e in episodes if {"nash", "tight", "loose"} & set(e.policies)]
    assert sum(own) / len(own) == pytest.approx(result.agents[0].estimates["payoff"].value)


@pytest.mark.parametrize("name", ["prisoners_dilemma", "split", "auction"])
def test_games_that_are_not_zero_sum_have_audits_too(name):
    result = of_tiny(make_game(name), deals=2, exact_rounds=1)
    figures = result.agents[0].estimates.keys()
    assert figures >= {"payoff", "welfare", "collusion", "externality", "sepo_index", "regret", "worst_case_advantage"}
    assert figures >= {"security_gap", "commitment_value", "theft", *domain(name).corrected.figures}
    assert "nash_conv" not in figures
    assert result.hazards.keys() == domain(name).corrected.measures.keys()
    assert len(result.weights) == 3
    assert math.isfinite(result.scale)


def test_changes_that_make_no_sense_are_refused():
    with pytest.raises(UserError, match="max_new_tokens 0"):
        own_way("tiny", HAND, {"max_new_tokens": 0}, {})
    with pytest.raises(UserError, match="unknown dtype"):
        own_way("tiny", HAND, {}, {"dtype": "int1"})


# What a run made


@pytest.mark.parametrize("where", ["", "model"])
def test_what_a_run_made_is_audited_as_the_run_played(cool, where):
    recipe, out = cool
    source = str(out / where)
    game = make_game("kuhn_poker", **own_parameters(source, "kuhn_poker"))
    assert game.parameters == {"hands": 2}
    way = own_way(source, game, {}, {})
    assert (way.sampling, way.hardware, way.notes) == (Sampling(**COOL), recipe.hardware, ())
    found = audit_model(source, game, way, AuditSettings(deals=1))
    assert nash_conv(found) == pytest.approx(at(source, game, **COOL), abs=1e-12)
    assert nash_conv(found) != pytest.approx(at(source, game), abs=1e-3)
    assert found.agents[0].sampling == "temperature 0.3, at most 5 tokens a reply"


def test_a_deviation_from_the_run_is_noted_in_the_result(cool):
    _, out = cool
    way = own_way(str(out), HAND, {"temperature": 1.0}, {})
    assert way.sampling == Sampling(**{**COOL, "temperature": 1.0})
    found = audit_model(str(out), HAND, way, AuditSettings(deals=1))
    noted = " ".join(found.notes)
    assert "temperature 1.0 (its run: 0.3)" in noted
    assert "max_new_tokens" not in noted
    assert "{'hands': 2}" in noted
    assert nash_conv(found) == pytest.approx(at(str(out), temperature=1.0), abs=1e-12)


def test_a_game_that_the_run_did_not_train_on_is_noted_and_reasoning_is_the_run_s_own(tmp_path):
    recipe = parse_recipe({**SMALL, "rl": {"steps": 0}, "sampling": {"reasoning": "brief", "max_new_tokens": 12}})
    train(recipe, tmp_path / "r")
    way = own_way(str(tmp_path / "r"), make_game("split"), {}, {})
    assert (way.sampling.reasoning, way.sampling.max_new_tokens) == ("brief", 12)
    assert own_parameters(str(tmp_path / "r"), "split") == {}
    assert len(way.notes) == 1
    assert "split" in way.notes[0]
    assert "kuhn_poker" in way.notes[0]
    found = audit_model(str(tmp_path / "r"), HAND, own_way(str(tmp_path / "r"), HAND, {}, {}), AuditSettings(deals=1))
    assert "nash_conv" not in found.agents[0].estimates  # a policy that reasons has no exact probabilities
    assert "reasoning brief" in found.agents[0].sampling


def test_what_no_run_made_replies_as_long_as_the_game_s_words_need():
    talk = make_game("trust_and_split")
    assert own_way("tiny", talk, {}, {}).sampling.max_new_tokens == usual_reply_tokens(talk) > 8


def test_the_device_and_the_precision_are_the_run_s_own_unless_told_otherwise(tmp_path, monkeypatch):
    recipe = parse_recipe({**SMALL, "rl": {"steps": 0}, "hardware": {"device": "cpu", "dtype": "bfloat16"}})
    train(recipe, tmp_path / "r")
    asked = []

    def watched(source, hardware):
        asked.append((hardware.dtype, hardware.device))
        return served(source, hardware)

    monkeypatch.setattr(model_audit, "served", watched)
    source = str(tmp_path / "r")
    own = own_way(source, HAND, {}, {})
    told = own_way(source, HAND, {}, {"dtype": "float32"})
    assert own.hardware == Hardware("cpu", "bfloat16")
    assert told.hardware == Hardware("cpu", "float32")
    for way in (own, told):
        audit_model(source, HAND, way, AuditSettings(deals=1))
    audit_run(recipe, tmp_path / "r", AuditSettings(deals=1))
    assert asked == [("bfloat16", "cpu"), ("float32", "cpu"), *[("bfloat16", "cpu")] * 2]


# A whole run


def test_a_run_is_audited_where_it_started_what_it_imitated_and_where_it_ended(ran):
    result = ran[2]
    assert [(a.name, a.label) for a in result.agents] == [("base", "Base"), ("sft", "SFT"), ("trained", "Trained")]
    assert result.seeds == (3,)
    values = [nash_conv(result, i) for i in range(3)]
    assert len(set(values)) == 3
    (curve,) = result.curves
    assert (curve.agent, curve.seed, curve.metric) == ("trained", 3, "nash_conv")
    assert [step for step, _ in curve.points] == [0, 1, 2, 3]
    assert curve.points[0][1] == pytest.approx(values[1], abs=1e-4)
    assert curve.points[-1][1] == pytest.approx(values[2], abs=1e-4)
    kept = list(read_episodes(ran[1] / EPISODES))
    assert len(kept) == result.agents[-1].played


def test_a_run_is_audited_at_the_temperature_it_trained_with(ran):
    recipe, _, result = ran
    assert recipe.sampling.temperature == 1.3
    assert nash_conv(result, 0) == pytest.approx(at("tiny", temperature=1.3), abs=1e-12)


def test_agents_of_a_run_are_compared_on_common_deals(ran):
    met = [{(talk.opponent, talk.seat, talk.deal) for talk in agent.conversations} for agent in ran[2].agents]
    assert met[0] == met[1] == met[2]
    assert len(met[0]) == 9 * 2 * 4
    assert {agent.estimates["fault_rate"].n for agent in ran[2].agents} == {4}


def test_a_run_without_demonstrations_has_no_agent_that_imitates(cool):
    recipe, out = cool
    result = audit_run(recipe, out, AuditSettings(deals=2))
    assert [agent.name for agent in result.agents] == ["base", "trained"]
    assert result.game.parameters == {"hands": 2}


def test_a_run_that_only_imitates_has_one_trained_agent_and_no_curve(tmp_path):
    recipe = parse_recipe({**SMALL, **IMITATING, "rl": {"steps": 0}})
    train(recipe, tmp_path / "r")
    result = audit_run(recipe, tmp_path / "r", AuditSettings(deals=2))
    assert [agent.name for agent in result.agents] == ["base", "trained"]
    assert result.curves == ()


def test_a_game_that_the_run_did_not_train_on_is_refused(ran):
    with pytest.raises(UserError, match="did not train on 'auction'"):
        audit_run(ran[0], ran[1], AuditSettings(deals=1), "auction")


def test_a_joint_run_is_audited_one_game_at_a_time(tmp_path):
    recipe = parse_recipe(
        {
            "games": ["kuhn_poker", "prisoners_dilemma"],
            "game": "",
            "play": {"rollouts": 2, "deals": 1},
            "rl": {"steps": 1, "exact_every": 1},
            "selection": {"every": 0},
            "sampling": {"temperature": 0.8},
            "by_game": {"prisoners_dilemma": {"parameters": {"rounds": 5}}},
        }
    )
    out = tmp_path / "r"
    train(recipe, out)
    poker = audit_run(recipe, out, AuditSettings(deals=1))
    dilemma = audit_run(recipe, out, AuditSettings(deals=1, exact_rounds=1), "prisoners_dilemma")
    assert (poker.game.name, dilemma.game.name) == ("kuhn_poker", "prisoners_dilemma")
    assert dilemma.game.parameters["rounds"] == 5
    assert [curve.metric for curve in poker.curves] == ["nash_conv"]
    assert poker.curves[0].points[-1][1] == pytest.approx(nash_conv(poker), abs=1e-4)
    for name in recipe.names:
        assert len(list(read_episodes(out / name / EPISODES))) > 0
        assert own_parameters(str(out), name) == recipe.tasks[recipe.names.index(name)].game.parameters
    assert own_way(str(out), recipe.tasks[1].game, {}, {}).notes == ()


# Curves


def test_a_curve_s_value_belongs_to_the_policy_before_the_update(tmp_path):
    lines = [{"step": 1, "nash_conv": 0.5}, {"step": 2, "payoff": 1.0}, {"step": 3, "nash_conv": 0.25}]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (curve,) = curves_of(tmp_path / "metrics.jsonl", "trained", 7)
    assert (curve.agent, curve.seed, curve.metric, curve.points) == ("trained", 7, "nash_conv", ((0, 0.5), (2, 0.25)))
    assert curves_of(tmp_path / "nowhere.jsonl", "trained", 7) == []


def test_a_curve_of_a_run_of_several_games_is_read_one_game_at_a_time(tmp_path):
    line = {"step": 1, "kuhn_poker/nash_conv": 0.5, "split/worst_case_advantage": 4.0, "split/payoff": 1.0}
    (tmp_path / "metrics.jsonl").write_text(json.dumps(line) + "\n")
    found = {
        game: [(curve.metric, curve.points) for curve in curves_of(tmp_path / "metrics.jsonl", "trained", 0, game)]
        for game in ("kuhn_poker", "split", "auction", "")
    }
    assert found["kuhn_poker"] == [("nash_conv", ((0, 0.5),))]
    assert found["split"] == [("worst_case_advantage", ((0, 4.0),))]
    assert found["auction"] == found[""] == []


def test_the_settings_of_a_run_s_audit_take_the_recipe_s_profile(cool):
    recipe, out = cool
    published = replace(recipe, profile="published")
    assert audit_run(published, out, AuditSettings(deals=1, exact=False)).profile == "published"
