"""What vLLM is given of a model, and whether it is installed: all that can be known without it."""

import json
import sys

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file

from equipoise.engines.local import LocalEngine, wearing
from equipoise.engines.vllm_check import require_agreement
from equipoise.engines.vllm_model import Served, is_adapter
from equipoise.engines.vllm_settings import VllmSettings
from equipoise.errors import UserError
from equipoise.models.hardware import Hardware
from equipoise.models.serving import Service, opened
from equipoise.training.adapters import add_second, own_weights, weights_of

LORA = LoraConfig(r=4, lora_alpha=8.0, target_modules=["q_proj"], task_type="CAUSAL_LM", init_lora_weights=False)


@pytest.fixture
def seeing(tokenizer):
    """A small random Gemma 4 that sees: its text model is a part of it."""
    from transformers import Gemma4Config, Gemma4ForConditionalGeneration

    sizes = dict(hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, head_dim=16)
    text = dict(sizes, vocab_size=64, vocab_size_per_layer_input=64, hidden_size_per_layer_input=8)
    named = {f"{what}_token_id": 64 + i for i, what in enumerate(("image", "video", "audio", "boi"))}
    config = Gemma4Config(text_config=text, vision_config=sizes, audio_config=None, **named)
    return Gemma4ForConditionalGeneration(config).eval()


def test_all_weights_are_given_under_their_own_names_tied_ones_under_both(new_model):
    model = new_model("gemma4")
    served = Served.of(model)
    given = dict(served.weights(model))
    assert given.keys() == model.state_dict().keys()
    assert served.ties == {"lm_head.weight": "model.embed_tokens.weight"}
    assert given["lm_head.weight"] is not None
    completed = dict(served.complete({n: p for n, p in given.items() if n != "lm_head.weight"}))
    assert completed.keys() == given.keys()
    assert completed["lm_head.weight"] is given["model.embed_tokens.weight"]


def test_constants_that_are_no_parameters_are_given_too(new_model):
    model = new_model("gemma4")
    assert {n for n, _ in Served.of(model).weights(model)} - {n for n, _ in model.named_parameters()} == {
        "lm_head.weight",
        "model.layers.0.layer_scalar",
        "model.layers.1.layer_scalar",
    }


def test_an_adapter_s_base_is_given_as_if_it_bore_none(new_model):
    plain, adapted = new_model(), get_peft_model(new_model(), LORA)
    served = Served.of(adapted)
    given = dict(served.weights(adapted))
    assert given.keys() == plain.state_dict().keys()
    assert all(torch.equal(value, plain.state_dict()[name]) for name, value in given.items())
    assert served.config.architectures == ["LlamaForCausalLM"]
    assert served.rank == 8  # the least that vLLM makes room for and 4 fits into


def test_of_a_model_that_also_sees_the_text_is_given(seeing):
    served = Served.of(seeing)
    assert served.config.architectures == ["Gemma4ForCausalLM"]
    names = {name for name, _ in served.weights(seeing)}
    assert {"model.embed_tokens.weight", "model.layers.0.self_attn.q_proj.weight", "lm_head.weight"} <= names
    assert all(
        name.startswith(("model.layers.", "model.embed_tokens", "model.norm", "model.per_layer", "lm_head."))
        for name in names
    )


def test_an_adapter_is_written_as_peft_reads_it(new_model, tmp_path):
    model = get_peft_model(new_model(), LORA)
    Served.of(model).write_adapter(own_weights(model), tmp_path / "adapter")
    model.save_pretrained(str(tmp_path / "peft"))
    ours, theirs = (load_file(tmp_path / name / "adapter_model.safetensors") for name in ("adapter", "peft"))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())["r"] == 4


def test_an_adapter_on_the_text_of_a_model_that_sees_is_written_for_the_text(seeing, tmp_path):
    config = LoraConfig(r=4, target_modules=r"model\.language_model.*\.q_proj", task_type="CAUSAL_LM")
    model = get_peft_model(seeing, config)
    Served.of(model).write_adapter(own_weights(model), tmp_path / "adapter")
    names = set(load_file(tmp_path / "adapter" / "adapter_model.safetensors"))
    assert names == {f"base_model.model.model.layers.0.self_attn.q_proj.lora_{side}.weight" for side in "AB"}


def test_the_second_of_two_agents_is_an_adapter_like_the_first(new_model, tmp_path):
    model = get_peft_model(new_model(), LORA)
    add_second(model)
    served, everything = Served.of(model), {name: p.data for name, p in model.named_parameters()}
    assert served.own_adapter(model).keys() == own_weights(model).keys() == weights_of(everything, "default").keys()
    served.write_adapter(weights_of(everything, "second"), tmp_path / "second")
    written = load_file(tmp_path / "second" / "adapter_model.safetensors")
    assert all(torch.equal(written[n.replace(".default", "")], v) for n, v in weights_of(everything, "second").items())


@pytest.mark.parametrize(
    ("weights", "line"),
    [
        ({"base_model.model.lm_head.lora_embedding_A.default": torch.zeros(4, 32)}, "lora_embedding_A"),
        ({"x.lora_A.default.weight": torch.zeros(4, 32), "x.bias": torch.zeros(2)}, "'x.bias' beside an adapter"),
        ({"x.lora_B.default.weight": torch.zeros(32, 5)}, "rank 5; the engine was made for rank 4"),
    ],
)
def test_an_adapter_that_vllm_would_misread_is_one_line(new_model, tmp_path, weights, line):
    served = Served.of(get_peft_model(new_model(), LORA))
    assert is_adapter(weights)
    with pytest.raises(UserError, match=line):
        served.write_adapter(weights, tmp_path / "adapter")


def test_an_adapter_of_another_kind_is_one_line(new_model):
    from peft import IA3Config

    config = IA3Config(target_modules=["q_proj"], feedforward_modules=[], task_type="CAUSAL_LM")
    with pytest.raises(UserError, match="of the kind IA3; vLLM serves LORA alone"):
        Served.of(get_peft_model(new_model(), config))


def test_an_engine_is_tried_against_plain_passes_beyond_a_sliding_window(new_model):
    model, other = new_model("gemma4"), new_model("gemma4", seed=1)
    assert require_agreement(LocalEngine(model), model, 512) < 1e-4
    with pytest.raises(UserError, match="Gemma4ForCausalLM, which local does not run as transformers does"):
        require_agreement(LocalEngine(other), model, 512)
    wide = new_model("gemma4", sliding_window=64)  # the same weights: a difference is the window's
    with wearing(wide, dict(model.named_parameters())), pytest.raises(UserError, match="in the mean"):
        require_agreement(LocalEngine(wide), new_model("gemma4", sliding_window=60), 512)


def test_without_vllm_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(UserError, match=r"the engine vllm needs vLLM.*install") as caught:
        opened(Service("tiny", Hardware(engine="vllm")))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"gpu_memory_utilization": 0.0},
        {"gpu_memory_utilization": 1.0},
        {"cpu_cache_gib": 0.0},
        {"max_model_len": -1},
        {"max_num_seqs": 0},
        {"max_loras": 0},
    ],
)
def test_settings_that_leave_nothing_are_one_line(changes):
    with pytest.raises(UserError, match=next(iter(changes))):
        VllmSettings(**changes)
