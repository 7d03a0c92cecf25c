"""Kept keys and states of real architectures: what is drawn and scored has the figures of plain passes over whole rows.

Every transcript is longer than the windows of five tokens, and than the convolutions.
"""

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText

from equipoise.engines import exactness
from equipoise.engines.engine import Context, Decoding
from equipoise.engines.exactness import way_of
from equipoise.engines.local import LocalEngine
from equipoise.engines.plain_scoring import token_log_probs
from equipoise.testing import EngineCase, check_engine
from tests.engines.trees import each, tiny

KEYS = ("cohere2", "gemma2", "gemma3_text", "gemma3n_text", "gemma4_text", "gpt_oss", "llama", "mistral", "qwen2")
STATES = ("olmo_hybrid", "qwen3_5_moe_text", "qwen3_5_text", "qwen3_next")
RULES, TURNS = tuple(range(10, 40)), [tuple(range(40, 48)), tuple(range(50, 55)), (60,), (61, 62, 63, 64, 65, 66)]
DECODING = Decoding(1.3, 4, frozenset({7}))


@pytest.fixture(scope="module")
def engines():
    """The engine of each architecture, made once."""
    made = {}

    def engine(name):
        if name not in made:
            made[name] = LocalEngine(tiny(name))
        return made[name]

    return engine


@pytest.fixture
def fed(monkeypatch):
    """Watches a model: the shapes of what it is given from now on."""

    def watch(model):
        shapes, forward = [], model.forward

        def watched(*args, **kwargs):
            shapes.append(tuple(kwargs["input_ids"].shape))
            return forward(*args, **kwargs)

        monkeypatch.setattr(model, "forward", watched)
        return shapes

    return watch


def drawn(engine, prompts, seed, counts=None, adapter=""):
    """Samples of all prompts, each checked against one plain pass over its whole transcript."""
    counts = counts or [1] * len(prompts)
    samples = engine.sample(prompts, each(counts, seed), DECODING, adapter=adapter)
    for prompt, some in zip(prompts, samples, strict=True):
        for sample in some:
            assert sample.after.ids == prompt.ids + sample.tokens
            with engine._under(adapter):
                (plain,) = token_log_probs(engine.model, [(prompt.ids, sample.tokens)], DECODING.temperature)
            np.testing.assert_allclose(sample.log_probs, plain, atol=1e-4)
    return samples


def opened(engine, adapter=""):
    """Two conversations over one beginning, with three replies and one to their first turns."""
    root = Context(RULES)
    return drawn(engine, [root.then(TURNS[0]), root.then(TURNS[1])], 1, [3, 1], adapter)


@pytest.mark.parametrize("name", KEYS + STATES)
def test_turns_that_branch_and_go_on_have_the_figures_of_plain_passes(engines, name):
    engine = engines(name)
    assert way_of(engine.model).name == ("keys" if name in KEYS else "states")
    first, second = opened(engine)
    ends = [sample.after for sample in (*first, *second)]
    assert len({context.ids for context in ends}) > 2
    third = drawn(engine, [end.then(TURNS[2]) for end in ends], 2, [2] * len(ends))
    drawn(engine, [sample.after.then(TURNS[3]) for some in third for sample in some], 3)
    fourth = drawn(engine, [end.then(turn) for end in ends[::-1] for turn in (TURNS[3], TURNS[1])], 4)
    drawn(engine, [some[0].after.then(TURNS[0]) for some in (*fourth, *third)], 5)
    drawn(engine, [ends[0].then(TURNS[1]).then(TURNS[1]), Context(ends[0].ids).then(TURNS[2])], 6)


@pytest.mark.parametrize("name", KEYS + STATES)
@pytest.mark.parametrize("temperature", [1.0, 1.7, 0.0])
def test_scores_are_those_of_plain_passes(engines, name, temperature):
    engine = engines(name)
    deep = Context(RULES).then(TURNS[0]).then(TURNS[3])
    prompts = [Context(RULES), Context(RULES).then(TURNS[1]), deep, deep.then(TURNS[2]), Context((5,)), deep]
    replies = [[(9,), (9, 8, 7), (9, 8, 6), TURNS[0] + TURNS[3]], [(1, 2)], [(9,), (3,)], [(9,)], [(5, 5)], []]
    found = engine.score(prompts, replies, temperature)
    rows = [(prompt.ids, reply) for prompt, some in zip(prompts, replies, strict=True) for reply in some]
    plain = [scores for row in rows for scores in token_log_probs(engine.model, [row], temperature)]
    np.testing.assert_allclose([score for some in found for score in some], [one.sum() for one in plain], atol=1e-4)
    for tokens, expected in zip(exactness.token_log_probs(engine.model, rows, temperature), plain, strict=True):
        np.testing.assert_allclose(tokens, expected, atol=1e-4)
    assert [len(some) for some in found] == [len(some) for some in replies]


@pytest.mark.parametrize("name", ["gemma4_text", "mistral", "qwen3_5_text", "qwen3_next"])
def test_a_past_self_reads_with_its_own_weights_what_the_present_one_has_read(name):
    engine = LocalEngine(tiny(name))
    engine.put("past", {key: value.data for key, value in tiny(name, seed=1).named_parameters()})
    root = Context(RULES)
    drawn(engine, [root.then(turn) for turn in TURNS], 1)
    ends = [sample.after for (sample,) in drawn(engine, [root.then(turn) for turn in TURNS], 2, adapter="past")]
    mixed = [sample.after for (sample,) in drawn(engine, [end.then(TURNS[1]) for end in ends], 3)]
    drawn(engine, [end.then(TURNS[1]) for end in mixed], 4, adapter="past")
    with torch.no_grad():
        next(engine.model.parameters()).mul_(1.1)
    drawn(engine, [end.then(TURNS[1]) for end in mixed], 5)


@pytest.mark.parametrize("name", KEYS + STATES)
def test_a_turn_is_fed_its_own_tokens_alone(fed, name):
    engine = LocalEngine(tiny(name))
    way_of(engine.model)
    root = Context(RULES)
    (one,), (other,) = drawn(engine, [root.then(TURNS[0]), root.then(TURNS[0][:4])], 1)
    shapes = fed(engine.model)
    decoding = Decoding(1.0, 1, frozenset({7}))
    engine.sample([one.after.then(TURNS[0]), other.after.then(TURNS[0])], each([1, 1], 2), decoding)
    assert shapes == [(2, 1 + len(TURNS[0]))]  # the last token of the reply, and the turn


@pytest.mark.parametrize("name", STATES)
def test_recurrent_layers_are_given_no_padding_and_nothing_that_may_not_follow(fed, name):
    engine = LocalEngine(tiny(name))
    way_of(engine.model)
    shapes = fed(engine.model)
    decoding, root = Decoding(1.0, 1, frozenset({7})), Context(RULES)
    prompts = [root.then(turn) for turn in (*TURNS, TURNS[1][::-1])]
    engine.sample(prompts, each([1] * 5, 1), decoding, likely=[((8, 9, 7), (9, 7))] * 5)
    assert shapes == [(1, len(RULES)), (1, 1), (2, 5), (1, 6), (1, 8)]


@pytest.mark.parametrize("name", STATES)
def test_scoring_feeds_every_distinct_token_once(fed, name):
    engine = LocalEngine(tiny(name))
    way_of(engine.model)
    shapes = fed(engine.model)
    root = Context(RULES)
    replies = ((8, 9, 7), (8, 9, 6), (5, 4, 3))
    engine.score([root.then(turn) for turn in TURNS], [replies] * 4)
    distinct = len(RULES) + sum(map(len, TURNS)) + 4 * 4
    assert sum(rows * width for rows, width in shapes) == distinct
    assert len(shapes) < distinct / 4


def whole(name):
    """A random model of an architecture that also sees."""
    vision = dict(hidden_size=16, intermediate_size=16, image_size=28, patch_size=14)
    layers = dict(num_hidden_layers=1, num_attention_heads=1, head_dim=16)
    if name == "qwen3_5":
        layers = dict(depth=1, num_heads=1, out_hidden_size=32)
    text = tiny(f"{name}_text").config.to_dict()
    config = AutoConfig.for_model(name, text_config=text, vision_config=vision | layers, audio_config=None)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return AutoModelForImageTextToText.from_config(config).eval()


def assert_keeps_promises(model, way, **settings):
    assert way_of(model).name == way

    def plain(prompt, reply, heat):
        return token_log_probs(model, [(prompt, reply)], heat)[0]

    check_engine(EngineCase(LocalEngine(model), plain, **settings))


@pytest.mark.parametrize(("name", "way"), [("gemma3", "keys"), ("gemma4", "keys"), ("qwen3_5", "states")])
def test_models_that_also_see_are_kept_as_their_text_models_are(name, way):
    assert_keeps_promises(whole(name), way)


def test_the_text_model_of_a_checkpoint_that_also_sees_is_kept(tmp_path):
    whole("qwen3_5").save_pretrained(tmp_path)
    assert_keeps_promises(AutoModelForCausalLM.from_pretrained(tmp_path).eval(), "states")


@pytest.mark.parametrize(("name", "way"), [("gemma4_text", "keys"), ("gpt_oss", "keys"), ("qwen3_5_text", "states")])
def test_bfloat16_is_kept_within_its_own_rounding(name, way):
    assert_keeps_promises(tiny(name).to(torch.bfloat16), way, tolerance=0.3, repeats=False)
