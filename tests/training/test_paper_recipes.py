"""The recipes for 4B models, on tiny random instances of the real architectures with their chat templates."""

import dataclasses
import json
from importlib.resources import files

import pytest
import torch
import transformers

from equipoise.games.text import render_rules
from equipoise.models import tiny
from equipoise.models.load import load
from equipoise.policies.chat import ChatFormat
from equipoise.training.recipe import find_recipe, load_recipe
from equipoise.training.run import _adapted, train

TEXT = dict(
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=1,
    head_dim=16,
    initializer_range=0.2,
)
SEES = dict(
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=1,
    num_attention_heads=2,
    num_key_value_heads=2,
    head_dim=16,
    position_embedding_size=16,
)
HEARS = dict(
    hidden_size=32, num_hidden_layers=1, num_attention_heads=2, output_proj_dims=32, subsampling_conv_channels=[8, 4]
)
SMALL = (
    "rl.steps=1",
    "rl.pass_tokens=500",
    "rl.report_to=[]",
    "selection.every=0",
    "sft.steps=1",
    "demonstrations.episodes=4",
    "demonstrations.validation=0.5",
    "sft.batch_size=4",
    "play.rollouts=4",
    "play.fault_rule=random_legal",  # a random model says no legal word, and forfeits alike carry no credit
    "play.seats=[0]",
    "game_parameters.rounds=1",
    'play.train_pool=["tit_for_tat"]',
    "sampling.max_new_tokens=2",
    "hardware.device=cpu",
    "hardware.dtype=float32",
    "hardware.gradient_checkpointing=false",  # the libraries still call each other's deprecated names for it
)


def gemma4(words):
    sizes = dict(vocab_size=words, vocab_size_per_layer_input=words, hidden_size_per_layer_input=8, sliding_window=16)
    text = {**TEXT, **sizes, "layer_types": ["sliding_attention", "full_attention"]}
    config = transformers.Gemma4Config(text_config=text, vision_config=SEES, audio_config=HEARS)
    return transformers.Gemma4ForConditionalGeneration(config)


def qwen3_5(words):
    linear = dict(linear_num_key_heads=2, linear_num_value_heads=2, linear_key_head_dim=8, linear_value_head_dim=8)
    kinds = ["linear_attention", "full_attention"]
    config = transformers.Qwen3_5TextConfig(**TEXT, **linear, vocab_size=words, layer_types=kinds)
    return transformers.Qwen3_5ForCausalLM(config)


CHATS = files("trl") / "chat_templates"
MODELS = {
    "sepo/gemma4-e4b": (gemma4, "gemma4", ("<bos>", "<|turn>", "<turn|>", "<|channel>", "<channel|>", "<|think|>"), 2),
    "sepo/qwen3.5-4b": (qwen3_5, "qwen3_5_nothink", ("<|im_start|>", "<|im_end|>", "<think>", "</think>"), 1),
}
"""Recipe -> the model, its chat template, its control tokens, and where among them replies end."""


def with_template(template, controls, end):
    """The embedded tokenizer with another model's control tokens and chat template."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny.FOLDER)
    tokenizer.add_special_tokens({"additional_special_tokens": list(controls)})
    tokenizer.eos_token = controls[end]
    tokenizer.bos_token = controls[0]
    tokenizer.chat_template = (CHATS / f"{template}.jinja").read_text(encoding="utf-8")
    return tokenizer


@pytest.fixture(scope="module", params=MODELS)
def started(request, tmp_path_factory):
    """A recipe with a saved tiny model of its architecture in place of the real one."""
    build, template, controls, end = MODELS[request.param]
    folder = tmp_path_factory.mktemp("model") / "model"
    tokenizer = with_template(template, controls, end)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        build(len(tokenizer)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return load_recipe(find_recipe(request.param), [*SMALL, f"model={json.dumps(str(folder))}"])


@pytest.mark.parametrize("name", MODELS)
def test_a_recipe_has_the_papers_settings(name):
    recipe = load_recipe(find_recipe(name))
    (task,) = recipe.tasks
    weights = task.weights
    assert (weights.exploitability, weights.collusion, weights.externality, weights.scale) == (2.4, 1.0, 1.8, 1.0)
    assert (recipe.lora.rank, recipe.lora.alpha, recipe.rl.learning_rate, recipe.objective.kl) == (16, 32.0, 1e-5, 0.1)
    assert (recipe.rl.steps, task.play.rollouts, task.demonstrations.experts) == (100, 4, "paper")
    assert recipe.sampling == dataclasses.replace(
        recipe.sampling, temperature=0.8, max_new_tokens=512, reasoning="brief"
    )


def test_an_adapter_goes_on_the_language_model_s_attention_alone(started):
    model, _ = load(started.model)
    towers = {name.split(".")[1] for name, _ in model.named_modules() if "tower" in name}
    adapted = _adapted(started, model)
    touched = {name.split(".lora_A")[0] for name, _ in adapted.named_modules() if name.endswith("lora_A")}
    assert {name.split(".")[-1] for name in touched} == {"q_proj", "k_proj", "v_proj", "o_proj"}
    assert not any("tower" in name or "vision" in name or "audio" in name for name in touched)
    assert towers == ({"vision_tower", "audio_tower"} if "Gemma4" in type(model).__name__ else set())
    trained = {name for name, p in adapted.named_parameters() if p.requires_grad}
    assert all("lora_" in name for name in trained)
    (config,) = adapted.peft_config.values()
    assert (config.r, config.lora_alpha, config.lora_dropout) == (16, 32.0, 0.0)
    assert all(isinstance(m, torch.nn.Identity) for n, m in adapted.named_modules() if ".lora_dropout." in n)


@pytest.mark.slow
def test_a_recipe_imitates_and_takes_a_step(started, tmp_path):
    folder = train(started, tmp_path / "run")
    first, second = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert {"payoff", "fault_rate", "kl"} <= json.loads(first).keys()
    assert json.loads(second) == {"step": 2}  # no exact figures of a policy that reasons
    assert json.loads((tmp_path / "run" / "sft.jsonl").read_text().splitlines()[0])["validation_loss"] > 0
    model, _ = load(folder)
    moved = [name for name, p in model.named_parameters() if "lora_B" in name and p.abs().max() > 0]
    assert moved
    assert "language_model" in moved[0] or "Qwen3_5" in type(model.get_base_model()).__name__


TEMPLATES = {
    "gemma4": (("<bos>", "<|turn>", "<turn|>", "<|channel>", "<channel|>", "<|think|>"), 2, ""),
    "qwen3_5_nothink": (("<|im_start|>", "<|im_end|>", "<think>", "</think>"), 1, "<think>\n\n</think>\n\n"),
    "qwen3_5_think": (("<|im_start|>", "<|im_end|>", "<think>", "</think>"), 1, "<think>\n\n</think>\n\n"),
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_rules_reach_the_system_turn_and_thinking_is_off_by_default(name):
    controls, end, opening = TEMPLATES[name]
    tokenizer = with_template(name, controls, end)
    chat = ChatFormat.of(tokenizer)
    from equipoise.games.kuhn_poker import KuhnPoker

    before, reply = tokenizer.decode(chat.before_rules), tokenizer.decode(chat.before_reply)
    assert "system" in before
    assert reply.endswith(f"assistant\n{opening}" if opening else "model\n")
    assert chat.end == tokenizer.convert_tokens_to_ids(controls[end])
    assert render_rules(KuhnPoker()) in tokenizer.decode(chat.prefix(render_rules(KuhnPoker())))
