"""The engine `vllm` keeps the promises of the seam for every kind of model and of weights, also where keys are kept."""

import math

import numpy as np
import pytest
import torch
from plain import move, moved, off, plainly, replies, under
from scipy.stats import chisquare

from equipoise.engines.engine import Context, Decoding
from equipoise.engines.local import LocalEngine
from equipoise.seeds import Seed, keys
from equipoise.testing import EngineCase, check_engine
from equipoise.training.adapters import own_weights

FREE = Decoding(1.0, 4, frozenset())
LONG = Context(tuple(range(20, 320)))
"""A prompt whose keys are kept between calls: vLLM keeps whole blocks, of 128 tokens on a CPU."""


def case(engine, model):
    adapters = {name: (weights, under(model, weights)) for name in "ab" for weights in [moved(model, ord(name))]}
    return EngineCase(engine, plainly(model), adapters)


@pytest.mark.parametrize("architecture", ["qwen3", "gemma3", "gemma4"])
def test_it_keeps_the_promises_with_past_selves_of_all_weights(started, new_served, architecture):
    model = new_served(architecture)  # Gemma's windows are shorter than the prompts
    engine = started(model)
    assert engine.difference < 1e-4
    check_engine(case(engine, model))


def test_it_keeps_the_promises_for_the_embedded_model(started, embedded):
    engine = started(embedded[0].requires_grad_(False))
    embedded[0].requires_grad_(True)
    assert engine.model is None
    check_engine(EngineCase(engine, plainly(embedded[0])))


@pytest.mark.parametrize("architecture", ["qwen3", "gemma4"])
def test_it_keeps_the_promises_with_two_adapters_beside_the_model_s_own(started, new_served, adapted, architecture):
    model = adapted(new_served(architecture))
    check_engine(case(started(model), model))


def test_bfloat16_is_within_its_own_rounding(started, new_served):
    model = new_served().to(torch.bfloat16)
    check_engine(EngineCase(started(model), plainly(model), tolerance=0.5, repeats=False))


def test_a_model_that_also_sees_is_served_as_the_text_model_it_holds(started, seeing, adapted):
    check_engine(EngineCase(started(seeing), plainly(seeing)))
    move(seeing, 1)
    model = adapted(seeing, r"model\.language_model.*\.(q_proj|down_proj)")
    check_engine(case(started(model), model))


@pytest.fixture
def seeing(tokenizer):
    """A small random Gemma 4 that sees: its text model is a part of it."""
    from transformers import Gemma4Config, Gemma4ForConditionalGeneration

    sizes = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, head_dim=32)
    text = dict(
        sizes,
        vocab_size=len(tokenizer),
        vocab_size_per_layer_input=len(tokenizer),
        hidden_size_per_layer_input=8,
        num_key_value_heads=1,
        global_head_dim=32,
        sliding_window=16,
        layer_types=["sliding_attention", "full_attention"],
        max_position_embeddings=1024,
        initializer_range=0.2,
        pad_token_id=tokenizer.pad_token_id,
    )
    # placeholders of what is seen, out of reach: one that is drawn is no token of a text any more
    named = {f"{what}_token_id": len(tokenizer) + i for i, what in enumerate(("image", "video", "audio", "boi"))}
    vision = dict(sizes, num_hidden_layers=1, num_key_value_heads=2, head_dim=16)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = Gemma4Config(text_config=text, vision_config=vision, audio_config=None, **named)
        return Gemma4ForConditionalGeneration(config).eval()


@pytest.mark.parametrize("architecture", ["llama", "gemma4"])
def test_after_new_weights_nothing_old_answers_not_even_what_was_kept_of_a_prompt(started, new_served, architecture):
    model, other = new_served(architecture), new_served(architecture, seed=1)
    engine = started(model)
    for seed in range(2):  # the second time from what was kept
        assert off(replies(engine, LONG, 3, FREE, seed), LONG, plainly(model)) < 1e-4
    engine.put("", dict(other.named_parameters()))
    assert off(replies(engine, LONG, 3, FREE, 2), LONG, plainly(other)) < 1e-4


def test_weights_that_were_put_are_copies(started, new_served):
    model = new_served()
    engine, weights = started(model), moved(model, 1)
    first = {name: value.clone() for name, value in weights.items()}
    for name in ("past", ""):
        engine.put(name, weights)
    for value in weights.values():
        value.mul_(2.0)
    for name in ("past", "", "past"):
        assert off(replies(engine, LONG, 2, FREE, 0, name), LONG, under(model, first)) < 1e-4


def test_the_model_and_a_past_self_answer_in_turn(started, new_served):
    model = new_served("gemma4")
    engine, past = started(model), moved(model, 1)
    engine.put("past", past)
    for name, plain in (("past", under(model, past)), ("", plainly(model))) * 2:
        assert off(replies(engine, LONG, 2, FREE, 0, name), LONG, plain) < 1e-4
        (score,) = engine.score([LONG], [[(5, 6)]], 0.7, adapter=name)[0]
        assert score == pytest.approx(sum(plain(LONG.ids, (5, 6), 0.7)), abs=2e-4)
    engine.put("past", dict(model.named_parameters()))  # another self under a name that answered last
    assert off(replies(engine, LONG, 2, FREE, 0, "past"), LONG, plainly(model)) < 1e-4


def test_weights_that_an_optimizer_moved_answer_once_they_are_put(started, new_served):
    model = new_served()
    engine, old = started(model), new_served()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    model(input_ids=torch.tensor([LONG.ids])).logits.square().mean().backward()
    before = plainly(model)(LONG.ids, (5, 6, 7), 1.0)
    optimizer.step()
    assert off(replies(engine, LONG, 2, FREE), LONG, plainly(old)) < 1e-4  # a copy answers, and not the model
    engine.put("", dict(model.named_parameters()))
    assert np.abs(before - plainly(model)(LONG.ids, (5, 6, 7), 1.0)).max() > 1e-2
    assert off(replies(engine, LONG, 2, FREE, 0), LONG, plainly(model)) < 1e-4


def test_versions_of_an_adapter_do_not_answer_for_one_another(started, new_served, adapted):
    model = adapted(new_served())
    engine = started(model)
    versions = [moved(model, seed, share=1.0) for seed in range(8)]  # more than are held on the device
    for version in versions:
        engine.put("past", version)
        assert off(replies(engine, LONG, 2, FREE, 0, "past"), LONG, under(model, version)) < 1e-4
    for i, version in enumerate(versions):
        engine.put(f"past-{i}", version)
    for i in (*range(8), 0, 7):
        plain = under(model, versions[i])
        assert off(replies(engine, LONG, 2, FREE, 0, f"past-{i}"), LONG, plain) < 1e-4
    move(model, 9)
    engine.put("", own_weights(model))
    assert off(replies(engine, LONG, 2, FREE, 0), LONG, plainly(model)) < 1e-4


def test_first_tokens_are_drawn_as_often_as_their_probabilities_say(started, new_served):
    engine, prompt, draws = started(new_served()), Context((30, 40, 50)), 6_000
    drawn = [s.tokens[0] for s in replies(engine, prompt, draws, Decoding(0.5, 1, frozenset()))]
    scores = np.exp(engine.score([prompt], [[(token,) for token in range(engine.vocabulary)]], 0.5)[0])
    likely = np.argsort(scores)[-20:]
    counts = np.array([drawn.count(token) for token in likely])
    expected = np.append(scores[likely], 1 - scores[likely].sum()) * draws
    assert chisquare(np.append(counts, draws - counts.sum()), expected * draws / expected.sum()).pvalue > 1e-3


def test_what_was_sampled_is_what_is_scored(started, new_served):
    engine, decoding = started(new_served("gemma4")), Decoding(0.7, 6, frozenset({4}))
    prompts = [LONG, Context(LONG.ids[:200]), Context((9, 8))]
    drawn = engine.sample(prompts, [keys(Seed(1), [i] * 4, range(4)) for i in range(3)], decoding)
    scores = engine.score(prompts, [[s.tokens for s in samples] for samples in drawn], 0.7)
    sums = [[math.fsum(s.log_probs) for s in samples] for samples in drawn]
    np.testing.assert_allclose(scores, sums, atol=2e-4)


def test_more_than_a_step_reads_is_read_in_several_and_draws_are_the_same(started, new_served):
    engine = started(new_served())
    prompts = [Context(tuple(range(i, i + 400))) for i in range(15)]  # 6,000 tokens
    own = [keys(Seed(0), [i] * 2, range(2)) for i in range(15)]
    whole, alone = (engine.sample(prompts[k:], own[k:], FREE) for k in (0, 14))
    assert [s.tokens for s in whole[14]] == [s.tokens for s in alone[0]]


def test_of_equal_tokens_the_greedy_one_has_the_lowest_id(started, new_served):
    model = new_served(tie_word_embeddings=False)
    with torch.no_grad():
        model.lm_head.weight.zero_()
        model.lm_head.weight[[7, 300, 900]] = 1.0
    prompt, greedy = Context((30, 40, 50)), Decoding(0.0, 3, frozenset())
    here, local = (replies(engine, prompt, 2, greedy) for engine in (started(model), LocalEngine(model)))
    assert [s.tokens for s in here] == [s.tokens for s in local]
    assert here[0].log_probs == (0.0, 0.0, 0.0)
