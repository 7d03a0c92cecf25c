"""The three objectives of self-play, from the same start model by the same recipe, end where the theory says."""

import pytest

from equipoise.games import domain
from equipoise.lab.crossplay import CrossplaySettings, met
from equipoise.metrics.cooperation import conditional_cooperation, cooperation_rate
from equipoise.metrics.payoff import payoff
from equipoise.models.load import load
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.policies.scripted import ScriptedPolicy
from equipoise.training.recipe import find_recipe, load_recipe
from equipoise.training.run import train

pytestmark = pytest.mark.slow
DILEMMA = domain("prisoners_dilemma")
# a seed under which naive players do not learn to take turns at forfeiting, which pays more (docs/experiments.md)
SHORT = ("seed=1", "rl.steps=80", "rl.exact_rounds=0", "rl.report_to=[]", "rl.save_every=1000")


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """What the dilemma's recipe made of the start model under a rule, as a function of the opponent's name."""

    def under(rule):
        recipe = load_recipe(find_recipe("alignment/prisoners_dilemma"), (f"objective.rule={rule}", *SHORT))
        model, tokenizer = load(train(recipe, tmp_path_factory.mktemp("learned") / rule))
        agent = LanguageModelPolicy("agent", model, tokenizer, recipe.sampling)
        game = recipe.tasks[0].game

        def against(opponent):
            players = {"agent": agent, opponent: agent if opponent == "agent" else script(opponent)}
            return met(game, players, ("agent", opponent), CrossplaySettings(matches=64))

        return against

    return under


def script(name):
    return ScriptedPolicy(DILEMMA.corrected.find(name))


def pay(episodes):
    return payoff(episodes, "agent").value


def cooperation(episodes):
    return cooperation_rate(episodes, [0] * len(episodes), DILEMMA.cooperation).value


def test_naive_self_play_ends_in_mutual_defection(learned):
    against = learned("naive")
    assert pay(against("agent")) < 1.2
    assert cooperation(against("agent")) < 0.1
    assert pay(against("always_cooperate")) > 4.5  # and takes what it can from who lets it


def test_the_sum_of_rewards_cooperates_and_is_exploited(learned):
    against = learned("sum_of_rewards")
    assert cooperation(against("agent")) > 0.9
    assert pay(against("always_defect")) < 0.3


def test_advantage_alignment_cooperates_and_is_not_exploited(learned):
    against = learned("advantage_alignment")
    assert pay(against("agent")) > 2.2
    exploiting = against("always_defect")
    assert pay(exploiting) > 0.85
    after = conditional_cooperation(exploiting, [0] * len(exploiting), DILEMMA.cooperation)
    assert after["after CD"].value < 0.1
    trusting = against("always_cooperate")
    after = conditional_cooperation(trusting, [0] * len(trusting), DILEMMA.cooperation)
    assert after["after CC"].value > 0.9
