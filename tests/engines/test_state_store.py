"""States of recurrent layers: how large they are, how many are held at a time, and that figures do not depend on it."""

import gc

import numpy as np
import pytest
import torch
from transformers import AutoConfig

from equipoise.engines import decoder, state_store
from equipoise.engines.engine import Context, Decoding
from equipoise.engines.exactness import STATES, way_of
from equipoise.engines.kept import KeptDecoder
from equipoise.engines.local import LocalEngine
from equipoise.engines.plain_scoring import token_log_probs
from equipoise.engines.state_store import States, state_bytes
from tests.engines.trees import each, tiny

NAMES = ("olmo_hybrid", "qwen3_5_moe_text", "qwen3_5_text", "qwen3_next")
RULES = tuple(range(10, 40))
DECODING = Decoding(1.0, 3, frozenset({7}))


@pytest.fixture
def held(monkeypatch):
    """The most states that were ever held at a time, and their store's room."""
    most = []
    take = States.take

    def watched(self, count):
        states = take(self, count)
        most.append((self.size - 1 - len(self._free), self.most))
        return states

    monkeypatch.setattr(States, "take", watched)
    return most


def room_for(monkeypatch, model, states):
    monkeypatch.setattr(state_store, "STATE_BYTES", states * state_bytes(model.config, model.dtype))


def play(engine, turns=4, conversations=6):
    """Conversations over one beginning whose replies are checked against plain passes; the last contexts."""
    root = Context(RULES)
    contexts = [root.then((40 + number,)) for number in range(conversations)]
    for turn in range(turns):
        prompts = [context.then(tuple(range(50, 52 + turn + number % 3))) for number, context in enumerate(contexts)]
        samples = [sample for (sample,) in engine.sample(prompts, each([1] * len(prompts), turn), DECODING)]
        plain = token_log_probs(engine.model, [(p.ids, s.tokens) for p, s in zip(prompts, samples, strict=True)])
        np.testing.assert_allclose(
            np.concatenate([sample.log_probs for sample in samples]), np.concatenate(plain), atol=1e-4
        )
        contexts = [sample.after for sample in samples]
    return contexts


def test_a_text_of_qwen3_5_4b_has_states_of_49_and_a_half_mib_in_bfloat16():
    config = AutoConfig.for_model(
        "qwen3_5_text",
        num_hidden_layers=32,
        linear_num_key_heads=16,
        linear_num_value_heads=32,
        linear_key_head_dim=128,
        linear_value_head_dim=128,
        linear_conv_kernel_dim=4,
    )
    config._attn_implementation = "sdpa"
    assert state_bytes(config, torch.bfloat16) / 2**20 == 24 * (2 + 8_192 * 4 * 2 / 2**20) == 49.5


@pytest.mark.parametrize("name", NAMES)
def test_states_are_as_large_as_is_said(name):
    model = tiny(name)
    decoder = KeptDecoder(model)
    decoder.feed([Context(RULES)])
    states = decoder._reader.states
    lying = [space.at_least(0, torch.zeros(0))[0] for spaces in states.layers.values() for space in spaces]
    assert sum(tensor.nbytes for tensor in lying) == state_bytes(model.config, model.dtype)


@pytest.mark.parametrize("room", [4, 7, 16, 60])
def test_more_states_than_there_is_room_for_are_never_held_and_figures_stay(monkeypatch, held, room):
    model = tiny("qwen3_5_text")
    assert way_of(model) is STATES
    room_for(monkeypatch, model, room)
    engine = LocalEngine(model)
    held.clear()
    contexts = play(engine)
    assert all(count <= most == room for count, most in held)
    assert max(count for count, _ in held) > min(room, 24) / 2
    prompts, replies = contexts, [((8, 9), (9, 8, 7))] * len(contexts)
    scores = engine.score(prompts, replies)
    plain = token_log_probs(model, [(p.ids, r) for p, some in zip(prompts, replies, strict=True) for r in some])
    np.testing.assert_allclose(np.ravel(scores), [row.sum() for row in plain], atol=1e-4)
    assert all(count <= most for count, most in held)


def test_what_is_kept_while_few_rows_run_at_a_time_leaves_room_for_many_later(monkeypatch, held):
    model = tiny("qwen3_5_text")
    room_for(monkeypatch, model, 16)
    engine = LocalEngine(model)
    with monkeypatch.context() as few:
        few.setattr(decoder, "ROWS", 1)
        contexts = play(engine)
    prompts = [context.then((row,)) for context in contexts for row in (5, 6, 8, 9)]
    engine.sample(prompts, each([1] * len(prompts), 9), DECODING)
    assert all(count <= most for count, most in held)


RNG = np.random.default_rng(0)
TANGLED = sorted({tuple(RNG.integers(1, 4, size=RNG.integers(3, 12)).tolist()) for _ in range(60)})
COMB = [(1, 1) * teeth + (2, 9) for teeth in range(8)]


@pytest.mark.parametrize("replies", [TANGLED, COMB], ids=["tangled", "comb"])
def test_scores_along_many_branches_keep_no_more_than_a_state_for_each(monkeypatch, held, replies):
    model = tiny("qwen3_next")
    assert way_of(model) is STATES
    room_for(monkeypatch, model, 4)
    held.clear()
    (scores,) = STATES.reply_log_probs(model, [Context(RULES)], [replies], 1.0)
    plain = token_log_probs(model, [(RULES, reply) for reply in replies])
    for tokens, expected in zip(scores, plain, strict=True):
        np.testing.assert_allclose(tokens, expected, atol=1e-4)
    assert max(most for _, most in held) <= max(map(len, replies))  # one at each branching on a line, at most
    assert all(count <= most for count, most in held)


def test_a_conversation_that_went_on_gives_up_the_state_of_an_earlier_turn_first(monkeypatch):
    model = tiny("qwen3_5_text")
    room_for(monkeypatch, model, 16)  # 4 for the rows that run, 4 for those before: 8 are kept
    decoder = KeptDecoder(model)
    contexts = [Context((*RULES, 40 + row)) for row in range(3)]
    turns = [contexts]
    for turn in range(4):
        decoder.feed(contexts)
        followed = [context.then((50 + turn,)) for context in contexts]
        for row, context in enumerate(followed):
            decoder.remember(context, row)
        turns.append(followed)
        contexts = followed
    kept = [[c.memory is not None and c.memory.reading is not None for c in turn] for turn in turns[1:]]
    assert kept == [[False] * 3, [False, True, True], [True] * 3, [True] * 3]


def test_states_are_free_again_when_no_context_needs_them(monkeypatch):
    model = tiny("qwen3_next")
    room_for(monkeypatch, model, 60)
    decoder = KeptDecoder(model)
    states = decoder._reader.states
    root = Context(RULES)
    for _ in range(3):
        decoder.feed([root.then((turn,)) for turn in (5, 6, 8)])
        ends = [root.then((turn,)).then((9,)) for turn in (5, 6, 8)]
        for row, end in enumerate(ends):
            decoder.remember(end, row)
        decoder._front = []
        assert states.kept == states.size - 1 - len(states._free) == 4
        del ends, end
        assert states.kept == states.size - 1 - len(states._free) == 1
    root.memory = None
    assert states.kept == 0
    assert len(states._free) == states.size - 1


def test_a_decoder_is_gone_with_the_last_context_that_needs_it():
    engine = LocalEngine(tiny("qwen3_5_text"))
    contexts = play(engine, turns=2)
    gc.disable()
    try:
        assert len(engine._decoders) == 1
        del contexts
        assert len(engine._decoders) == 0
    finally:
        gc.enable()
