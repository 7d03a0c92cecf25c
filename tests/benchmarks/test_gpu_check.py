"""The check of a GPU runs on a CPU with small models; what it would say of large ones is a table all the same."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def filled(whole):
    """Whether everything was measured that a CPU has."""
    for cells in whole["models"].values():
        assert min(rates["per_s"] for rates in cells["local"]["rates"].values()) > 0
        assert min(cells["step"][part] for part in ("sampling_s", "passes_s", "rest_s", "rows")) > 0


def test_the_dry_run_fills_the_table(script, tmp_path, monkeypatch):
    check = script("gpu_check")
    monkeypatch.setattr(check, "in_child", lambda measurement, *arguments, timeout_s: measurement(*arguments))
    monkeypatch.setattr(check, "SUBJECTS", {"Gemma-4-E4B": check.SUBJECTS["Gemma-4-E4B"]})
    whole = check.check(True, tmp_path / "check.json")
    assert json.loads((tmp_path / "check.json").read_text())["models"] == whole["models"]
    filled(whole)
    lines = check.table(whole).splitlines()
    assert sum(line.count("|") == 7 for line in lines) == len(lines) - 3
    assert sum("assumed" in line for line in lines) == 3


@pytest.mark.slow
def test_the_script_runs_dry(tmp_path):
    folder = Path(__file__).parents[2]
    place = {**os.environ, "PYTHON": sys.executable, "PYTHONPATH": str(folder / "src")}
    command = [folder / "benchmarks" / "gpu_check.sh", "--tiny", "--out", tmp_path / "check.json"]
    done = subprocess.run(command, env=place, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "| Qwen3.5-4B |" in done.stdout
    filled(json.loads((tmp_path / "check.json").read_text()))


@pytest.mark.parametrize(("name", "billions"), [("Qwen3.5-4B", (4.0, 4.6)), ("Gemma-4-E4B", (7.0, 8.2))])
def test_shapes_have_the_parameters_of_their_names(script, name, billions):
    import torch
    from transformers import AutoModelForCausalLM

    check = script("gpu_check")
    tokenizer = script("tokens_fed").load("tiny")[1]
    subject = check.SUBJECTS[name]
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(check.config_of(subject.architecture, subject.shape, tokenizer))
    assert billions[0] < sum(parameter.numel() for parameter in model.parameters()) / 1e9 < billions[1]


def test_what_could_not_be_measured_is_said_in_its_cell(script):
    check = script("gpu_check")
    cells = {part: {"unmeasured": "did not finish in 9 s"} for part in ("local", "vllm", "step")}
    text = check.table({"machine": {"gpu": "a GPU"}, "models": {"Qwen3.5-4B": cells}})
    assert text.count("did not finish in 9 s") == 3
