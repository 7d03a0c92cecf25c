"""Random instances of real architectures go through play, scoring and a training step like the embedded model."""

import numpy as np
import pytest
import torch

from equipoise.arena import Match, rollout
from equipoise.games.kuhn_poker import KuhnPoker
from equipoise.policies.decoding import keeps_plain_cache
from equipoise.policies.language_model import LanguageModelPolicy, Sampling, token_log_probs
from equipoise.training.play import Experience
from equipoise.training.rows import NOT_OURS, merged, transcript_row
from equipoise.training.trainer import EpisodeTrainer, StepSettings

ARCHITECTURES = {"llama": True, "qwen3": True, "gemma3": False, "gemma4": False, "qwen3_5": False}
"""Whether masked holes in a plain key-value cache are exact for it."""


def self_play(model, tokenizer, episodes, temperature=1.0):
    policy = LanguageModelPolicy("agent", model, tokenizer, Sampling(temperature, 5))
    matches = [Match(("agent", "agent"), deal) for deal in range(episodes)]
    return rollout(KuhnPoker(hands=6), {"agent": policy}, matches, seed=3, fault_rule="constrained")


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_six_hands_are_recorded_as_one_plain_forward_pass_scores_them(new_model, tokenizer, name):
    model, temperature = new_model(name), 0.7
    assert keeps_plain_cache(model) == ARCHITECTURES[name]
    episodes = self_play(model, tokenizer, 4, temperature)
    rows = [transcript_row(episode, seat) for episode in episodes for seat in (0, 1)]
    assert min(len(row.prompt + row.completion) for row in rows) > 64
    scored = token_log_probs(model, [(row.prompt, row.completion) for row in rows], temperature)
    recorded = [[p for d in e.of(seat) for p in d.reply.tokens.log_probs] for e in episodes for seat in (0, 1)]
    for row, score, record in zip(rows, scored, recorded, strict=True):
        np.testing.assert_allclose(score[np.array(row.turn) != NOT_OURS], record, atol=1e-4)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_one_training_step_raises_the_probability_of_what_is_rewarded(new_model, tokenizer, name, tmp_path):
    model = new_model(name)
    episodes = self_play(model, tokenizer, 3)
    played = [transcript_row(episode, seat) for episode in episodes for seat in (0, 1)]
    rows, weights, counts = merged(played, [np.array(row.turn) * 0.0 + 1.0 for row in played], [1] * len(played))
    weights[0] = weights[0] * -1.0
    weights = [np.where(np.array(row.turn) == NOT_OURS, 0.0, w) for row, w in zip(rows, weights, strict=True)]
    pairs = [(row.prompt, row.completion) for row in rows]

    def objective():
        return sum(float((w * s).sum()) for w, s in zip(weights, token_log_probs(model, pairs), strict=True))

    before, start = objective(), [p.detach().clone() for p in model.parameters()]
    experience = Experience(rows, weights, counts, len(played))
    EpisodeTrainer(model, tokenizer, StepSettings(1, 1e-3, on_cpu=True), tmp_path, lambda step: experience).train()
    model.eval()
    assert any(not torch.equal(p, q) for p, q in zip(model.parameters(), start, strict=True))
    assert objective() > before + 1.0
