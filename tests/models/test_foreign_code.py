"""A model folder is data: the code that comes with it never runs, whoever says yes to whatever is asked."""

import json
import shutil
import subprocess
import sys

import pytest

LOADS = """
import sys
from equipoise.errors import UserError
from equipoise.models.load import load
try:
    load(sys.argv[1])
    print("loaded")
except UserError as error:
    print("refused:", error)
"""
FOREIGN = """
from pathlib import Path
Path(__file__).with_name("ran").write_text("yes")
Path(r"{mark}").write_text("yes")
from transformers import {base}
class {name}({base}):
    model_type = "foreign"
"""


@pytest.fixture(scope="module")
def folder(random_model, tokenizer, tmp_path_factory):
    """A saved random two-layer Llama."""
    path = tmp_path_factory.mktemp("base")
    random_model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.fixture
def made(folder, tmp_path):
    """Makes a copy of that folder with code of its own: for its weights, or for its tokenizer."""

    def make(kind, model_type):
        path = shutil.copytree(folder, tmp_path / "made")
        mark = tmp_path / "mark"
        for name, base in (("Config", "LlamaConfig"), ("Model", "LlamaForCausalLM"), ("Words", "TokenizersBackend")):
            (path / f"{name.lower()}.py").write_text(FOREIGN.format(mark=mark, base=base, name=name))
        if kind == "tokenizer":
            changes = {"auto_map": {"AutoTokenizer": [None, "words.Words"]}, "tokenizer_class": "Words"}
            edit(path / "tokenizer_config.json", **changes)
        else:
            auto = {"AutoConfig": "config.Config", "AutoModelForCausalLM": "model.Model"}
            edit(path / "config.json", auto_map=auto, model_type=model_type)
        return path

    return make


def edit(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def said(path, tmp_path):
    """What a process prints that loads a folder while "y" is typed, and whether foreign code ran in it."""
    done = subprocess.run(
        [sys.executable, "-c", LOADS, str(path)],
        input="y\n" * 10,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "mark").exists()
    assert not list(path.rglob("ran"))
    assert "[y/N]" not in done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("kind", ["weights", "tokenizer"])
def test_a_folder_that_needs_its_own_code_is_refused_in_one_line(made, kind, tmp_path):
    (line,) = said(made(kind, "foreign"), tmp_path).splitlines()
    assert line.startswith("refused:")
    assert "auto_map" in line


def test_an_adapter_on_such_a_folder_is_refused_in_one_line(made, tmp_path):
    base = made("weights", "foreign")
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    settings = {"base_model_name_or_path": str(base), "peft_type": "LORA", "auto_mapping": {"parent_library": "ran"}}
    (adapter / "adapter_config.json").write_text(json.dumps(settings))
    (adapter / "adapter_model.safetensors").write_bytes(b"")
    (line,) = said(adapter, tmp_path).splitlines()
    assert line.startswith("refused:")
    assert "auto_map" in line


def test_a_folder_that_transformers_knows_loads_and_its_code_lies_still(made, tmp_path):
    assert said(made("weights", "llama"), tmp_path) == "loaded\n"
