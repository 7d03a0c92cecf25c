"""The pass that scores a step's words is the pass that is trained, wherever one pass holds them all."""

import numpy as np
import pytest
import torch

from equipoise.engines.token_tree import places, trees
from equipoise.games import domain, make_game
from equipoise.models.load import load
from equipoise.objectives.rules import rule
from equipoise.objectives.sepo import CreditWeights
from equipoise.policies.language_model import LanguageModelPolicy, Sampling
from equipoise.seeds import Seed
from equipoise.training import kept_pass
from equipoise.training.exact_play import Bonuses, ExactPlay
from equipoise.training.experience import PlaySettings
from equipoise.training.loss import examples_of
from equipoise.training.passes import passes
from equipoise.training.settings import Fading
from equipoise.training.trainer import EpisodeTrainer, StepSettings

GAME, PROFILE = make_game("kuhn_poker"), domain("kuhn_poker").corrected
SETTINGS = PlaySettings(adversaries=("pool", "best_response"))
BONUSES = Bonuses(Fading(0.1), legal=0.2, legal_entropy=Fading(0.3, 2.0, 4))


def play(**given):
    return ExactPlay(GAME, PROFILE, SETTINGS, CreditWeights(), rule("own_pool").expectation, BONUSES, **given)


@pytest.fixture
def policy():
    return LanguageModelPolicy("agent", *load("tiny"), Sampling(temperature=1.3))


def gradient(model, loss):
    model.zero_grad()
    loss.backward()
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def test_its_gradient_is_that_of_the_rows(policy):
    found, model = play().collect(policy, Seed(0), 0), policy.engine.model
    examples = examples_of(found)
    ours = gradient(model, found.kept.backwards(examples).loss(model))
    theirs = gradient(model, sum(part.loss(model, 1.3) for part in passes(model, examples, 2048)))
    assert theirs.norm() > 1e-3
    assert (ours - theirs).norm() / theirs.norm() < 1e-5


def test_what_is_not_kept_has_the_same_rows_and_weights(policy):
    kept, split = play().collect(policy, Seed(0), 0), play(pass_tokens=64).collect(policy, Seed(0), 0)
    assert split.kept is None
    assert kept.rows == split.rows
    for one, other in zip(kept.rows, split.rows, strict=True):
        np.testing.assert_allclose(one.log_probs, other.log_probs, atol=1e-5)
    for one, other in zip(kept.weights, split.weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def without_memory(*args, **given):
    raise torch.OutOfMemoryError("tried to allocate 9 GiB")


def test_a_pass_that_cannot_be_kept_is_taken_again_in_parts(policy, monkeypatch):
    whole = play().collect(policy, Seed(0), 0)
    monkeypatch.setattr(kept_pass, "log_probs", without_memory)
    parts = play().collect(policy, Seed(0), 0)
    assert whole.kept is not None
    assert parts.kept is None
    for one, other in zip(whole.weights, parts.weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_nothing_is_kept_where_activations_are_to_be_computed_twice(policy):
    model = policy.engine.model
    getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)()
    assert play().collect(policy, Seed(0), 0).kept is None


@pytest.mark.parametrize(("pass_tokens", "expected"), [(2048, 2), (64, 6)])
def test_two_steps_run_the_model_twice_where_one_pass_holds_all_words(policy, tmp_path, pass_tokens, expected):
    """In parts each step scores the words once, and trains them in two passes."""
    model, runs = policy.engine.model, []
    game = play(pass_tokens=pass_tokens)
    game.collect(policy, Seed(0), 0)  # a model is tried once
    handle = model.register_forward_hook(lambda *seen: runs.append(seen))
    settings = StepSettings(2, 1e-3, pass_tokens=pass_tokens, temperature=1.3, on_cpu=True)
    EpisodeTrainer(
        model, policy.tokenizer, settings, tmp_path, lambda step: game.collect(policy, Seed(0), step)
    ).train()
    handle.remove()
    assert len(runs) == expected


def test_a_sequence_of_other_trees_is_told():
    found = trees([(1, 2, 3), (1, 2, 4)], [np.array([0.0, 0.0, 1.0])] * 2, 100, 100.0)
    assert places(found, {(1, 2, 4): np.array([0.0, 0.0, 1.0])})[1, 2, 4].tolist() == [1]
    with pytest.raises(ValueError, match="in none of the trees"):
        places(found, {(1, 5, 3): np.array([0.0, 0.0, 1.0])})
