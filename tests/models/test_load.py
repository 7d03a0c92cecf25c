"""Loading: good folders load, and every bad one is one clear line."""

import json
import shutil

import pytest
import torch
from peft import LoraConfig, get_peft_model

from equipoise.errors import ModelWarning
from equipoise.models import load as loading
from equipoise.models.load import load
from equipoise.models.tiny import MAX_TOKEN_BYTES, train_tokenizer


@pytest.fixture(scope="module")
def folder(random_model, tokenizer, tmp_path_factory):
    """A saved random two-layer Llama."""
    path = tmp_path_factory.mktemp("base")
    random_model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.fixture
def copied(folder, tmp_path):
    """A copy of that folder to break."""
    return shutil.copytree(folder, tmp_path / "copy")


def adapter(base, source, path, *, value=0.5):
    """A saved LoRA adapter, trained on `base` and claiming to belong to the model in `source`."""
    base.name_or_path = base.config._name_or_path = str(source)
    adapted = get_peft_model(base, LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM"))
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.fill_(value)
    adapted.save_pretrained(path)
    return path


def edit(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def refused(path, match):
    """Asserts that loading raises one line."""
    with pytest.raises(ValueError, match=match) as caught:
        load(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def logits(model):
    with torch.inference_mode():
        return model(input_ids=torch.arange(5, 25)[None]).logits


def test_a_saved_model_loads_with_the_same_weights_in_evaluation_mode(folder, random_model):
    model, _ = load(folder)
    assert not model.training
    assert torch.equal(logits(model), logits(random_model))


def test_a_training_run_loads_its_model(folder, tmp_path, random_model):
    shutil.copytree(folder, tmp_path / "run" / "model")
    assert torch.equal(logits(load(tmp_path / "run")[0]), logits(random_model))


def test_an_adapter_folder_loads_over_its_base_and_changes_the_outputs(folder, new_model, tmp_path):
    changed, _ = load(adapter(new_model(), folder, tmp_path / "changed"))
    unchanged, _ = load(adapter(new_model(), folder, tmp_path / "unchanged", value=0.0))
    base = logits(load(folder)[0])
    assert not changed.training
    assert torch.equal(logits(unchanged), base)
    assert (logits(changed) - base).abs().max() > 0.01


def test_a_missing_folder_is_one_line(tmp_path):
    refused(tmp_path / "nowhere", "no model folder .*nowhere")
    refused("tinny", "no model folder 'tinny'; give one of tiny, ")


@pytest.mark.parametrize("name", ["runs/nowhere", "here/nowhere", "nowhere/"])
def test_a_missing_folder_is_told_without_asking_the_hub(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    monkeypatch.setattr(loading, "_from_pretrained", lambda *_: pytest.fail("the Hub was asked"))
    refused(name, f"no model folder '{name}'; give .* hub id owner/name whose owner is neither 'runs' nor a folder")


@pytest.mark.parametrize("kind", ["AutoConfig", "AutoTokenizer", "AutoModelForCausalLM"])
def test_a_hub_id_goes_to_the_hub_as_it_is(kind, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = []

    def hub(source, **_):
        asked.append(source)
        raise OSError("we couldn't connect")

    for before in ("AutoConfig", "AutoTokenizer"):  # asked for in this order
        if before == kind:
            break
        found = getattr(loading, before).from_pretrained(folder)
        monkeypatch.setattr(getattr(loading, before), "from_pretrained", lambda source, found=found, **_: found)
    monkeypatch.setattr(f"equipoise.models.load.{kind}.from_pretrained", hub)
    refused("owner/name", "cannot load a model from 'owner/name': we couldn't connect")
    assert asked == ["owner/name"]


def test_a_folder_without_a_model_is_one_line_that_says_what_it_holds(tmp_path):
    refused(tmp_path, "holds nothing; needed: config.json")
    (tmp_path / "notes.txt").write_text("hello")
    refused(tmp_path, "holds notes.txt")


def test_a_folder_without_weights_is_one_line(copied):
    (copied / "model.safetensors").unlink()
    refused(copied, r"no \*\.safetensors weights")


def test_pickled_weights_are_refused(copied):
    (copied / "model.safetensors").rename(copied / "pytorch_model.bin")
    refused(copied, r"no \*\.safetensors weights")


def test_truncated_weights_are_one_line(copied):
    weights = copied / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5_000])
    refused(copied, "cannot load a model")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_numbers_are_one_line_that_names_the_first(new_model, tokenizer, tmp_path, value):
    model = new_model()
    with torch.no_grad():
        model.model.layers[1].mlp.up_proj.weight[3, 2] = value
        model.model.norm.weight[0] = value
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    refused(tmp_path, r"NaN or infinite .*'model\.layers\.1\.mlp\.up_proj\.weight'")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_an_adapter_that_is_not_all_numbers_is_one_line_that_names_the_first(folder, new_model, tmp_path, dtype):
    base = new_model().to(dtype)
    path = adapter(base, folder, tmp_path / "adapter", value=float("nan"))
    refused(path, "NaN or infinite .*q_proj.lora_B")


def test_a_broken_config_is_one_line(copied):
    (copied / "config.json").write_text("{")
    refused(copied, "cannot read a JSON object from .*config.json")


DEEP = "[" * 100_000
JSON_FILES = ("config.json", "generation_config.json", "tokenizer_config.json", "tokenizer.json")


@pytest.mark.parametrize("name", JSON_FILES)
@pytest.mark.parametrize(
    "text",
    ["[1, 2]", "null", "3", '"llama"', DEEP, '{"a": ' * 5_000 + "1" + "}" * 5_000],
    ids=["list", "null", "number", "text", "deep list", "deep object"],
)
def test_a_file_that_holds_something_else_is_one_line(copied, name, text):
    (copied / name).write_text(text)
    refused(copied, "cannot (load a model|read a JSON object)|needed: a JSON object")


def test_weights_that_the_config_leaves_out_are_told_of(copied):
    config = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 1}))
    with pytest.warns(ModelWarning, match=r"9 weights in .* left out, first 'model\.layers\.1\."):
        load(copied)


def test_an_attention_kernel_of_the_hub_is_never_fetched(copied, monkeypatch):
    config = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps(config | {"attn_implementation": "owner/kernel"}))
    monkeypatch.setattr(loading, "AutoModelForCausalLM", None)  # nothing is loaded
    refused(copied, "asks for code from the Hub")


@pytest.mark.parametrize("name", JSON_FILES)
@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "cp1252"])
def test_a_file_of_another_encoding_is_one_line(copied, name, encoding):
    text = (copied / name).read_text(encoding="utf-8").replace("{", '{"caf\u00e9": 1, ', 1)
    (copied / name).write_bytes(text.encode(encoding, errors="replace"))
    refused(copied, "cannot (load a model|read a JSON object)")


@pytest.mark.parametrize(
    "changes",
    [
        {"num_attention_heads": 0},
        {"num_attention_heads": -2},
        {"num_key_value_heads": 0},
        {"num_attention_heads": "two"},
        {"vocab_size": -1},
        {"hidden_size": 0},
        {"hidden_act": "no_such_function"},
        {"num_hidden_layers": None},
    ],
    ids=str,
)
def test_a_config_of_impossible_values_is_one_line(copied, changes):
    edit(copied / "config.json", **changes)
    refused(copied, "cannot load a model|does not fit")


def test_an_unknown_architecture_is_one_line(copied):
    edit(copied / "config.json", model_type="no_such_model", architectures=["NoSuchForCausalLM"])
    refused(copied, "cannot load a model")


def test_weights_of_another_architecture_are_one_line(copied, new_model, tmp_path):
    new_model("qwen3").save_pretrained(tmp_path / "other")
    shutil.copy(tmp_path / "other" / "config.json", copied / "config.json")
    refused(copied, "does not fit its architecture Qwen3ForCausalLM.*is it a checkpoint of another model")


def test_weights_of_another_width_are_one_line(copied, new_model, tmp_path):
    new_model(intermediate_size=96).save_pretrained(tmp_path / "other")
    shutil.copy(tmp_path / "other" / "config.json", copied / "config.json")
    refused(copied, "cannot load a model|does not fit")


def test_a_model_without_a_tokenizer_is_one_line(copied):
    for path in copied.glob("tokenizer*"):
        path.unlink()
    refused(copied, "cannot load a model")


def test_an_adapter_of_another_width_is_one_line(folder, new_model, tmp_path):
    other = new_model(hidden_size=48, head_dim=24)
    refused(adapter(other, folder, tmp_path / "adapter"), "adapter in .* does not fit its base model")


def test_an_adapter_for_modules_the_base_does_not_have_is_one_line(folder, new_model, tmp_path):
    path = adapter(new_model(), folder, tmp_path / "adapter")
    edit(path / "adapter_config.json", target_modules=["no_such_proj"])
    refused(path, "adapter in .* does not fit its base model")


def test_an_adapter_with_fewer_layers_than_its_base_is_one_line(folder, new_model, tmp_path):
    path = adapter(new_model(num_hidden_layers=1), folder, tmp_path / "adapter")
    refused(path, "adapter in .* does not fit its base model")


def test_an_adapter_whose_base_is_gone_is_one_line(folder, new_model, tmp_path):
    path = adapter(new_model(), folder, tmp_path / "adapter")
    edit(path / "adapter_config.json", base_model_name_or_path=str(tmp_path / "gone"))
    refused(path, "no model folder .*gone")


@pytest.mark.parametrize("text", ["{", "{}", "[1]", "null", DEEP, "\udcff"], ids=lambda text: text[:3])
def test_a_broken_adapter_config_is_one_line(text, tmp_path):
    (tmp_path / "adapter_config.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    refused(tmp_path, "adapter")


@pytest.mark.parametrize(
    "base", [None, 3, "", ["a"], {"a": {}}, "a\nb", "a\0b", "x" * 5_000], ids=lambda base: repr(base)[:9]
)
def test_an_adapter_whose_base_is_no_name_is_one_line(folder, new_model, tmp_path, base):
    path = adapter(new_model(), folder, tmp_path / "adapter")
    edit(path / "adapter_config.json", base_model_name_or_path=base)
    refused(path, "base_model_name_or_path|no model folder")


def test_adapters_that_stand_on_themselves_or_each_other_are_one_line(folder, new_model, tmp_path):
    one, two = (adapter(new_model(), folder, tmp_path / name) for name in ("one", "two"))
    for base in (str(one), ".", "../one"):
        edit(one / "adapter_config.json", base_model_name_or_path=base)
        refused(one, "stands on itself")
    edit(one / "adapter_config.json", base_model_name_or_path=str(two))
    edit(two / "adapter_config.json", base_model_name_or_path="../one")
    refused(one, "stands on itself")


def test_an_adapter_on_an_adapter_adds_both(folder, new_model, tmp_path):
    one, two = (adapter(new_model(), folder, tmp_path / name) for name in ("one", "two"))
    edit(two / "adapter_config.json", base_model_name_or_path="../one")
    base, once, twice = (logits(load(path)[0]) for path in (folder, one, two))
    assert (once - base).abs().max() > 0.01
    assert (twice - once).abs().max() > 0.01


@pytest.mark.parametrize("kind", ["NO_SUCH_KIND", None, 7, ["LORA"], "PROMPT_TUNING", "XLORA"], ids=repr)
def test_an_adapter_of_an_unknown_kind_is_one_line(folder, new_model, tmp_path, kind):
    path = adapter(new_model(), folder, tmp_path / "adapter")
    edit(path / "adapter_config.json", peft_type=kind)
    refused(path, "unknown kind")


@pytest.mark.parametrize("changes", [{"r": 0}, {"r": "two"}, {"target_modules": None}, {"task_type": "NONE"}], ids=str)
def test_an_adapter_of_impossible_settings_is_one_line(folder, new_model, tmp_path, changes):
    path = adapter(new_model(), folder, tmp_path / "adapter")
    edit(path / "adapter_config.json", **changes)
    refused(path, "adapter in .* does not fit its base model")


def test_an_adapter_without_weights_or_with_pickled_ones_is_one_line(folder, new_model, tmp_path):
    path = adapter(new_model(), folder, tmp_path / "adapter")
    (path / "adapter_model.safetensors").rename(path / "adapter_model.bin")
    refused(path, r"no adapter_model\.safetensors")


def test_the_embedded_model_fits_its_tokenizer(embedded):
    model, tokenizer = embedded
    assert model.config.vocab_size == len(tokenizer)
    assert not model.training
    assert model.config.eos_token_id == tokenizer.eos_token_id


def test_no_token_is_longer_than_the_limit():
    texts = [f"The other player bets again and again and again, hand {i}. fold or call?" for i in range(200)]
    trained = train_tokenizer(texts, 400)
    longest = max(len(trained.decode([i]).encode()) for i in range(len(trained)))
    assert 8 < longest <= MAX_TOKEN_BYTES
