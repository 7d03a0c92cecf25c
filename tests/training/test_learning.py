"""Learning: a few steps raise what they are told to raise. A wrong sign anywhere fails here."""

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model

from equipoise.arena import against, enumerated_deals, rollout
from equipoise.games import domain
from equipoise.games.kuhn_poker import KuhnPoker
from equipoise.games.kuhn_poker.opponents import POOLS
from equipoise.metrics import GameTree
from equipoise.metrics.exact import nash_conv
from equipoise.models.load import load
from equipoise.objectives.sepo import CreditWeights, own_pool, payoff
from equipoise.policies import ScriptedPolicy
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.seeds import Seed
from equipoise.training.adversaries import agent_tables
from equipoise.training.experience import PlaySettings, SepoPlay
from equipoise.training.play import Experience
from equipoise.training.trainer import EpisodeTrainer, StepSettings

GAME = KuhnPoker()


def trained(model, tokenizer, out, settings, rule, weights, *, steps, rate=1e-3):
    """Trains a model in place by one credit rule; returns its policy."""
    policy = LanguageModelPolicy("agent", model, tokenizer)
    play = SepoPlay(GAME, domain("kuhn_poker").corrected, settings, weights, rule)
    settings = StepSettings(steps, rate, on_cpu=True)
    EpisodeTrainer(model, tokenizer, settings, out, lambda step: play.collect(policy, Seed(0).at(step), step)).train()
    model.eval()
    return policy


def earned(policy, opponent):
    """Chips per hand against a script, over 200 plays of every deal in both seats."""
    deals = [state for state, _ in enumerated_deals(GAME)]
    matches = against("agent", [opponent], deals, 200)
    policies = {"agent": policy, opponent: ScriptedPolicy(POOLS.find(opponent))}
    episodes = rollout(GAME, policies, matches, seed=99)
    return np.mean([e.returns[e.policies.index("agent")] for e in episodes])


def test_a_few_steps_raise_the_payoff_against_a_timid_opponent(tmp_path):
    model, tokenizer = load("tiny")
    before = earned(LanguageModelPolicy("agent", model, tokenizer), "tight")
    settings = PlaySettings(rollouts=12, train_pool=("tight",))
    policy = trained(model, tokenizer, tmp_path, settings, payoff, CreditWeights(), steps=20)
    assert earned(policy, "tight") > before + 0.15


@pytest.mark.slow
def test_a_few_steps_lower_the_exploiters_gain(tmp_path):
    model, tokenizer = load("tiny")
    before = earned(LanguageModelPolicy("agent", model, tokenizer), "maniac")
    settings = PlaySettings(rollouts=12, train_pool=("tight",))
    weights = CreditWeights(exploitability=20.0)
    policy = trained(model, tokenizer, tmp_path, settings, own_pool, weights, steps=20)
    assert before < -0.05
    assert earned(policy, "maniac") > before / 4  # the term ends where the exploiter gains nothing


@pytest.mark.slow
def test_best_responses_as_adversaries_lower_the_exact_nash_conv(tmp_path):
    model, tokenizer = load("tiny")
    tree = GameTree(GAME)
    policy = LanguageModelPolicy("agent", model, tokenizer)
    before = nash_conv(tree, agent_tables(policy, GAME, tree))
    settings = PlaySettings(rollouts=16, adversaries=("best_response",))
    policy = trained(model, tokenizer, tmp_path, settings, own_pool, CreditWeights(), steps=60)
    assert nash_conv(tree, agent_tables(policy, GAME, tree)) < 0.5 * before


def test_an_adapter_is_trained_and_its_base_is_left_alone(tmp_path):
    base, tokenizer = load("tiny")
    start = {name: tensor.clone() for name, tensor in base.state_dict().items()}
    model = get_peft_model(base, LoraConfig(r=2, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"))
    settings = PlaySettings(rollouts=2, train_pool=("tight",))
    trained(model, tokenizer, tmp_path, settings, payoff, CreditWeights(), steps=2)
    moved = {name for name, tensor in model.state_dict().items() if "lora_B" in name and tensor.abs().max() > 0}
    assert moved
    after = {name.replace(".base_layer", ""): tensor for name, tensor in model.get_base_model().state_dict().items()}
    assert all(torch.equal(after[name], tensor) for name, tensor in start.items())


def test_a_step_without_credit_moves_nothing(tmp_path):
    model, tokenizer = load("tiny")
    start = [p.detach().clone() for p in model.parameters()]
    settings = PlaySettings(rollouts=2)
    trained(
        model, tokenizer, tmp_path, settings, lambda batch, weights: np.zeros_like(batch.own), CreditWeights(), steps=1
    )
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), start, strict=True))


def test_experience_depends_on_the_seed_and_the_step_alone(embedded):
    policy = LanguageModelPolicy("agent", *embedded)
    settings = PlaySettings(rollouts=2, adversaries=("pool", "best_response"))

    def collected(step) -> Experience:
        return SepoPlay(GAME, domain("kuhn_poker").corrected, settings, CreditWeights(), own_pool).collect(
            policy, Seed(7).at(step), step
        )

    first, again, other = collected(3), collected(3), collected(4)
    assert first.rows == again.rows
    assert all(np.array_equal(a, b) for a, b in zip(first.weights, again.weights, strict=True))
    assert other.rows != first.rows
    assert first.counts.sum() == first.episodes == 2 * 6 * 2 * (3 + 2 + 1)
    assert first.metrics.keys() >= {"fault_rate", "payoff", "adversary_nash_conv"}
    assert first.metrics == again.metrics
