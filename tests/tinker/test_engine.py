"""The engine of a Tinker server answers as a plain pass of the same model does."""

import numpy as np
import pytest

from equipoise.engines.engine import Context, Decoding
from equipoise.engines.plain_scoring import token_log_probs
from equipoise.errors import UserError
from equipoise.games import make_game
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.seeds import Seed
from equipoise.training.adversaries import ExactCurve


def contexts(tokenizer):
    """Two prompts of a game, in tokens."""
    end = tokenizer.eos_token_id
    return [Context((3, 45, 300, 22)), Context((3, 45)).then((700, 8, 99, 2)), Context((3, end, 17))]


def test_sampled_log_probabilities_are_those_of_a_plain_pass(engine, embedded, tokenizer):
    prompts, decoding = contexts(tokenizer), Decoding(1.0, 6, frozenset({tokenizer.eos_token_id}))
    drawn = engine.sample(prompts, [5, 2, 1], decoding, Seed(3))
    assert [len(samples) for samples in drawn] == [5, 2, 1]
    rows = [(p.ids, s.tokens) for p, samples in zip(prompts, drawn, strict=True) for s in samples]
    plain = token_log_probs(embedded[0], rows)
    told = [s.log_probs for samples in drawn for s in samples]
    assert max(np.abs(np.array(a) - b).max() for a, b in zip(told, plain, strict=True)) < 1e-4
    for prompt, samples in zip(prompts, drawn, strict=True):
        for sample in samples:
            assert sample.stopped == (sample.tokens[-1] == tokenizer.eos_token_id)
            assert sample.stopped or len(sample.tokens) == decoding.max_new_tokens
            assert sample.after.ids == prompt.ids + sample.tokens


def test_equal_seeds_draw_the_same_and_replies_of_one_call_are_independent(engine, tokenizer):
    prompts, decoding = contexts(tokenizer)[:1] * 2, Decoding(1.0, 6, frozenset({tokenizer.eos_token_id}))
    first, second, other = (engine.sample(prompts, [8, 8], decoding, Seed(seed)) for seed in (1, 1, 2))
    words = [[s.tokens for s in samples] for samples in first]
    assert words == [[s.tokens for s in samples] for samples in second]
    assert words != [[s.tokens for s in samples] for samples in other]
    assert words[0] != words[1]
    assert len(set(words[0])) > 1


def test_a_greedy_reply_is_the_likeliest_and_certain(engine, embedded, tokenizer):
    import torch

    (prompt, *_) = contexts(tokenizer)
    ((sample,),) = engine.sample([prompt], [1], Decoding(0.0, 3, frozenset()), Seed(0))
    ids = list(prompt.ids)
    for token in sample.tokens:
        with torch.inference_mode():
            assert token == int(embedded[0](torch.tensor([ids])).logits[0, -1].argmax())
        ids.append(token)
    assert sample.log_probs == (0.0,) * 3
    assert not sample.stopped


def test_a_reply_at_another_temperature_has_no_log_probabilities_and_no_score(engine, tokenizer):
    (prompt, *_) = contexts(tokenizer)
    ((sample,),) = engine.sample([prompt], [1], Decoding(0.5, 2, frozenset()), Seed(0))
    assert sample.log_probs == ()
    with pytest.raises(UserError, match="temperature 1 alone"):
        engine.score([prompt], [[(5,)]], 0.5)


def test_scores_are_those_of_a_plain_pass(engine, embedded, tokenizer):
    prompts = contexts(tokenizer)
    replies = [[(5,), (5, 6), (900, 4)], [(7, 8, 9)], [(5,)]]
    found = engine.score(prompts, replies)
    for prompt, options, scores in zip(prompts, replies, found, strict=True):
        plain = token_log_probs(embedded[0], [(prompt.ids, option) for option in options])
        assert np.allclose(scores, [p.sum() for p in plain], atol=1e-4)


def test_exact_figures_of_the_served_model_are_the_local_ones(engine, embedded, tokenizer):
    game = make_game("kuhn_poker", hands=1)
    curve = ExactCurve(game, 1, ())
    served = curve.figures(LanguageModelPolicy("agent", engine, tokenizer))["nash_conv"]
    local = curve.figures(LanguageModelPolicy("agent", embedded[0], tokenizer))["nash_conv"]
    assert served == pytest.approx(local, abs=1e-4)


def test_an_unknown_name_is_refused_in_one_line(engine, tokenizer):
    with pytest.raises(UserError, match=r"got the adapter 'past-3'; .* known: none"):
        engine.sample(contexts(tokenizer)[:1], [1], Decoding(1.0, 2, frozenset()), Seed(0), adapter="past-3")
