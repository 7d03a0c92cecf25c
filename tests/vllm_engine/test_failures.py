"""Whatever the engine `vllm` cannot do, or dies of, is one line; and what it does to the process is undone."""

import os

import pytest
import torch
from plain import replies

from equipoise.engines.engine import Context, Decoding
from equipoise.errors import UserError
from equipoise.models.hardware import Hardware
from equipoise.models.serving import Service, opened

PROMPT, FREE = Context((5, 6, 7)), Decoding(1.0, 3, frozenset())


def line(call, match):
    with pytest.raises(UserError, match=match) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_what_it_cannot_do_is_one_line_and_it_goes_on(started, new_served):
    model = new_served()
    engine = started(model)

    def drawn(decoding, prompt=PROMPT):
        return replies(engine, prompt, 1, decoding)

    line(lambda: drawn(Decoding(0.005, 3, frozenset())), "temperature 0.005; vLLM draws at 0 and from 0.01 to 2.0")
    line(lambda: drawn(Decoding(2.5, 3, frozenset())), "temperature 2.5")
    line(lambda: engine.score([PROMPT], [[(1,)]], 2.5), "temperature 2.5")
    line(lambda: drawn(Decoding(1.0, 20, frozenset()), Context((5,) * 500)), "500 tokens with a reply of up to 20")
    line(lambda: engine.score([PROMPT], [[(1,) * 510]]), "3 tokens with a reply of up to 510")
    line(lambda: engine.put("x", {"model.nobody.weight": torch.zeros(2)}), "'model.nobody.weight'")
    line(lambda: engine.put("x", {"model.layers.0.self_attn.q_proj.lora_A.weight": torch.zeros(2, 2)}), "without one")
    assert len(drawn(FREE)[0].tokens) == 3


def test_an_adapter_engine_takes_adapters_of_its_own_rank_alone(started, new_served, adapted):
    model = adapted(new_served())
    engine = started(model)
    name = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.default.weight"
    line(lambda: engine.put("x", {name: torch.zeros(5, 32)}), "rank 5; the engine was made for rank 4")
    line(lambda: engine.put("x", dict(new_served().named_parameters())), "trained whole")
    line(lambda: engine.put("x", dict(model.named_parameters())), "beside an adapter's weights")
    assert len(replies(engine, PROMPT, 1, FREE)) == 1


def test_a_frozen_model_takes_no_new_weights(started, new_served):
    model = new_served().requires_grad_(False)
    line(lambda: started(model).put("", dict(model.named_parameters())), "do not require gradients")


def test_an_engine_that_dies_is_one_line_then_and_afterwards(started, new_served, monkeypatch):
    engine = started(new_served())

    def dies(*args, **kwargs):
        raise RuntimeError("the device\nis gone")

    monkeypatch.setattr(type(engine._runner._llm), "generate", dies)
    line(lambda: replies(engine, PROMPT, 1, FREE), "vLLM failed: RuntimeError: the device is gone")
    monkeypatch.undo()
    line(lambda: replies(engine, PROMPT, 1, FREE), "the device is gone")
    line(lambda: engine.put("", {}), "the device is gone")
    engine.close()
    line(lambda: replies(engine, PROMPT, 1, FREE), "was closed")


def test_an_engine_whose_insides_were_ended_is_one_line(started, new_served):
    engine = started(new_served())
    engine._runner._llm.llm_engine.engine_core.shutdown()
    line(lambda: replies(engine, PROMPT, 1, FREE), "vLLM failed: ")


def test_a_model_that_it_runs_otherwise_is_refused(started, new_served):
    from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM

    dense = new_served("qwen3").config.to_dict()
    mixed = Qwen3MoeForCausalLM(Qwen3MoeConfig(**dense, moe_intermediate_size=32, num_experts=4, num_experts_per_tok=2))
    line(lambda: started(mixed.eval()), "Qwen3MoeForCausalLM, which vllm does not run as transformers does")


def test_a_model_that_it_does_not_know_is_refused(started):
    from transformers import GPTNeoConfig, GPTNeoForCausalLM

    config = GPTNeoConfig(vocab_size=64, hidden_size=64, num_layers=1, num_heads=2, attention_types=[[["global"], 1]])
    line(lambda: started(GPTNeoForCausalLM(config).eval()), "vLLM does not start: .*GPTNeoForCausalLM")


def test_settings_that_leave_no_room_are_one_line(started, new_served):
    line(lambda: started(new_served(), cpu_cache_gib=0.0001), "vLLM does not start: ")


def test_the_process_is_left_as_it_was(started, new_served):
    environment, threads = {k: v for k, v in os.environ.items() if "VLLM" not in k}, torch.set_num_threads
    torch.manual_seed(3)
    state = torch.get_rng_state()
    engine = started(new_served())
    replies(engine, PROMPT, 5, FREE)
    assert torch.equal(state, torch.get_rng_state())
    assert {k: v for k, v in os.environ.items() if "VLLM" not in k} == environment
    assert torch.set_num_threads is threads
    folder = engine._folder
    assert folder.exists()
    engine.close()
    assert not folder.exists()


def test_a_service_without_a_model_in_this_process_loads_it():
    engine = opened(Service("tiny", Hardware(engine="vllm")))
    try:
        assert (engine.name, engine.vocabulary, engine.model) == ("vllm", 1_280, None)
    finally:
        engine.close()
