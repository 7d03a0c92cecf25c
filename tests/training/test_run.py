"""Run folders: what is killed goes on as if it had not been, and what is saved is what was trained."""

import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from equipoise.engines.plain_scoring import token_log_probs
from equipoise.errors import UserError
from equipoise.games.kuhn_poker import KuhnPoker
from equipoise.metrics import GameTree
from equipoise.metrics.exact import nash_conv
from equipoise.models.load import load
from equipoise.models.tiny import FOLDER
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.training import progress, run
from equipoise.training.adversaries import agent_tables
from equipoise.training.callbacks import Counted
from equipoise.training.checkpoints import MANIFEST, newest
from equipoise.training.joint import JointPlay
from equipoise.training.recipe import load_recipe, parse_recipe
from equipoise.training.run import _adapted, _reference, train
from equipoise.training.signals import Interrupted

STEPS = 7
BASE = {
    "play": {"rollouts": 2, "train_pool": ["tight"]},
    "rl": {"steps": STEPS, "save_every": 2, "learning_rate": 1e-3, "exact_every": 3},
}
SFT = {"demonstrations": {"experts": {"tight": 1.0}, "episodes": 10}, "sft": {"steps": 2, "learning_rate": 1e-3}}
CASES = {
    "full": {},
    "adapter": {
        "lora": {"rank": 4, "alpha": 64.0},
        "objective": {"kl": 0.05},
        "rl": {**BASE["rl"], "warmup_steps": 3},
    },
    "adversary": {"play": {**BASE["play"], "adversaries": ["best_response"], "refresh": 3}},
    "exact gradients": {
        "play": {**BASE["play"], "adversaries": ["pool", "best_response"], "refresh": 3},
        "rl": {**BASE["rl"], "gradient": "exact"},
        "objective": {"kl": 0.05, "entropy": 0.01, "legal": 0.1, "legal_entropy": 0.1},
    },
    "learned": {"play": {**BASE["play"], "adversaries": ["pool", "learned"], "refresh": 3, "learned_episodes": 20}},
    "two hands": {
        "game_parameters": {"hands": 2},
        "play": {**BASE["play"], "deals": 2},
        "sampling": {"temperature": 1.2},
    },
    "past selves": {
        "game": "prisoners_dilemma",
        "game_parameters": {"rounds": 2},
        "objective": {"rule": ["advantage_alignment", "sepo"], "entropy": 0.01},
        "self_play": {"deals": 2, "rollouts": 4, "baseline": "mixed"},
        "past": {"every": 2},
        "play": {"rollouts": 2, "train_pool": ["tit_for_tat"]},
    },
    "selection": {"selection": {"every": 3, "deals": 1}},
    "demonstrations and an adapter": {**SFT, "lora": {"rank": 4, "alpha": 64.0}, "objective": {"kl": 0.05}},
}


class Killed(BaseException):
    """Stands in for a kill: nothing in the run may catch it."""


def recipe_of(case):
    return parse_recipe({**BASE, **CASES[case]})


def at_step(monkeypatch, number, act):
    """Makes `act()` happen when step `number` is about to be played."""
    collect = JointPlay.collect

    def watched(self, policy, seed, step):
        if step == number:
            act()
        return collect(self, policy, seed, step)

    monkeypatch.setattr(JointPlay, "collect", watched)


def kill():
    raise Killed


def broken(case, out, step, act=kill, expected=Killed):
    """A run that ended early, at `step`."""
    with pytest.MonkeyPatch.context() as patch:
        at_step(patch, step, act)
        with pytest.raises(expected) as caught:
            train(recipe_of(case), out)
    return caught.value


def resumed_at(out):
    """The step that a resumed run would go on from, None for the beginning."""
    checkpoint, _ = newest(out / "checkpoints", out / "metrics.jsonl")
    return checkpoint and checkpoint.step


def weights(folder):
    (path,) = folder.glob("*.safetensors")
    return load_file(path)


def assert_same_run(left, right):
    """Bit for bit the same weights, and the same curve."""
    first, second = weights(left / "model"), weights(right / "model")
    assert first.keys() == second.keys()
    for name in first:
        assert torch.equal(first[name], second[name]), name
    for name in ("metrics.jsonl", "selection.json"):
        assert (left / name).exists() == (right / name).exists()
        assert not (left / name).exists() or (left / name).read_text() == (right / name).read_text()


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """Unbroken runs by case, each made once; they must not be changed."""
    made = {}

    def run(case):
        if case not in made:
            made[case] = tmp_path_factory.mktemp("unbroken") / "run"
            train(recipe_of(case), made[case])
        return made[case]

    return run


@pytest.mark.parametrize(
    "case",
    [
        "full",
        *(
            pytest.param(c, marks=pytest.mark.slow)
            for c in ("adapter", "adversary", "exact gradients", "learned", "past selves", "selection", "two hands")
        ),
    ],
)
def test_a_killed_run_resumes_to_the_same_weights_and_curve(case, unbroken, tmp_path):
    broken(case, tmp_path / "run", 5)
    assert resumed_at(tmp_path / "run") == 4
    train(recipe_of(case), tmp_path / "run", resume=True)
    assert_same_run(tmp_path / "run", unbroken(case))


@pytest.mark.parametrize("case", ["full", pytest.param("demonstrations and an adapter", marks=pytest.mark.slow)])
def test_a_run_killed_before_its_first_checkpoint_resumes_to_the_same_weights(case, unbroken, tmp_path):
    broken(case, tmp_path / "run", 1)
    assert resumed_at(tmp_path / "run") is None
    train(recipe_of(case), tmp_path / "run", resume=True)
    assert_same_run(tmp_path / "run", unbroken(case))


def test_training_changes_the_weights_and_another_seed_gives_others(unbroken, tmp_path):
    trained, start = weights(unbroken("full") / "model"), weights(FOLDER)
    assert any(not torch.equal(trained[name], start[name]) for name in start)
    train(parse_recipe({**BASE, "seed": 1}), tmp_path / "run")
    other = weights(tmp_path / "run" / "model")
    assert any(not torch.equal(trained[name], other[name]) for name in other)


def test_a_checkpoint_and_a_metrics_line_cut_off_while_being_written_are_ignored(unbroken, tmp_path):
    broken("full", tmp_path / "run", 5)
    half = tmp_path / "run" / "checkpoints" / "checkpoint-4"
    (half / MANIFEST).unlink()
    (half / "model.safetensors").write_bytes(b"cut")
    with (tmp_path / "run" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 6, "pay')
    assert resumed_at(tmp_path / "run") == 2
    train(recipe_of("full"), tmp_path / "run", resume=True)
    assert_same_run(tmp_path / "run", unbroken("full"))


def test_a_run_killed_after_its_last_step_only_saves(unbroken, tmp_path):
    shutil.copytree(unbroken("full"), tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "model")
    train(recipe_of("full"), tmp_path / "run", resume=True)
    assert_same_run(tmp_path / "run", unbroken("full"))


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_saves_and_says_how_to_go_on(name, unbroken, tmp_path):
    number = getattr(signal, name)
    before = signal.getsignal(number)
    stopped = broken("full", tmp_path / "run", 2, lambda: signal.raise_signal(number), Interrupted)
    assert signal.getsignal(number) is before
    assert str(stopped) == f"stopped after step 3; continue with --resume --out {tmp_path / 'run'}"
    assert stopped.number == number
    assert resumed_at(tmp_path / "run") == 3
    train(recipe_of("full"), tmp_path / "run", resume=True)
    assert_same_run(tmp_path / "run", unbroken("full"))


def test_a_run_that_saves_when_it_is_cheap_ends_as_one_that_saves_by_number(unbroken, tmp_path):
    recipe = parse_recipe({**BASE, "rl": {**BASE["rl"], "save_every": 0}})
    with pytest.MonkeyPatch.context() as patch:
        at_step(patch, 5, kill)
        with pytest.raises(Killed):
            train(recipe, tmp_path / "run")
    assert resumed_at(tmp_path / "run") >= 1
    train(recipe, tmp_path / "run", resume=True)
    assert_same_run(tmp_path / "run", unbroken("full"))
    kept = {path.name for path in (tmp_path / "run" / "checkpoints").glob("checkpoint-*")}
    assert f"checkpoint-{STEPS}" in kept
    assert len(kept) == 2


@pytest.fixture(scope="module")
def imitated(tmp_path_factory):
    """What supervised training alone makes, and the recipe of it; it must not be changed."""
    recipe = parse_recipe({**SFT, "sft": {**SFT["sft"], "steps": 3}, "rl": {"steps": 0}})
    return recipe, train(recipe, tmp_path_factory.mktemp("imitated") / "run").parent


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_in_supervised_training_says_that_it_begins_again_and_it_does(name, imitated, tmp_path, monkeypatch):
    recipe, unbroken = imitated
    out, number = tmp_path / "run", getattr(signal, name)
    before = signal.getsignal(number)

    class Signalled(Counted):
        def on_step_end(self, args, state, control, **kwargs):
            super().on_step_end(args, state, control, **kwargs)
            if state.global_step == 2:
                signal.raise_signal(number)

    with monkeypatch.context() as patched:
        patched.setattr(run, "Counted", Signalled)
        with pytest.raises(Interrupted) as caught:
            train(recipe, out)
    said = "stopped during supervised training, which begins again"
    assert str(caught.value) == f"{said}; continue with --resume --out {out}"
    assert caught.value.number == number
    assert signal.getsignal(number) is before
    assert not (out / "sft").exists()
    train(recipe, out, resume=True)
    for folder in ("sft", "model"):
        first, second = weights(out / folder), weights(unbroken / folder)
        assert all(torch.equal(first[key], second[key]) for key in second)


def test_supervised_training_shows_its_steps(imitated, tmp_path, monkeypatch, capsys):
    recipe, _ = imitated
    train(recipe, tmp_path / "piped")
    assert re.fullmatch(r"supervised 3/3, \d+:\d\d\n", capsys.readouterr().err)
    shown = functools.partialmethod(progress.Progress.__init__, width=80)
    monkeypatch.setattr(progress.Progress, "__init__", shown)
    train(recipe, tmp_path / "terminal")
    err = capsys.readouterr().err
    assert err.startswith("\rsupervised 0/3 ")
    assert err.endswith("\n")
    assert max(len(line) for line in err.split("\r")) <= 80


def test_a_signal_that_is_ignored_stays_ignored(tmp_path):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        broken("full", tmp_path / "run", 2, lambda: (signal.raise_signal(signal.SIGHUP), kill()))
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_what_a_killed_writer_left_is_swept_at_the_next_start(unbroken, tmp_path):
    out = tmp_path / "run"
    broken("full", out, 3)
    (out / "model.partial").mkdir()
    for name in ("model.partial/model.safetensors", "metrics.jsonl.partial", ".report.json.x1.tmp"):
        (out / name).write_text("half")
    (out / "population").mkdir()
    (out / "population" / "step-000002.partial").write_text("half")
    train(recipe_of("full"), out, resume=True)
    assert not [path for path in out.rglob("*") if path.suffix in (".partial", ".tmp")]
    assert_same_run(out, unbroken("full"))


def test_a_full_disk_while_saving_is_one_line_and_other_errors_are_themselves(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise RuntimeError("PytorchStreamWriter failed writing file")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(UserError, match=r"cannot save a checkpoint in .*checkpoints: .*free some space"):
        train(recipe_of("full"), tmp_path / "full")

    def starved():
        raise RuntimeError("out of memory")

    assert str(broken("full", tmp_path / "other", 1, starved, RuntimeError)) == "out of memory"


def test_there_is_one_line_of_metrics_per_step_and_one_for_the_end(unbroken):
    lines = [json.loads(line) for line in (unbroken("full") / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [*range(1, STEPS + 1), STEPS + 1]
    assert [line["step"] for line in lines if "nash_conv" in line] == [1, 4, 7, STEPS + 1]


@pytest.mark.parametrize("case", ["full", "adapter", "demonstrations and an adapter"])
def test_the_saved_model_is_the_one_that_was_trained(case, unbroken):
    last = json.loads((unbroken(case) / "metrics.jsonl").read_text().splitlines()[-1])
    model, tokenizer = load(unbroken(case))
    tree = GameTree(KuhnPoker())
    tables = agent_tables(LanguageModelPolicy("agent", model, tokenizer), KuhnPoker(), tree)
    assert nash_conv(tree, tables) == pytest.approx(last["nash_conv"], abs=1e-5)


@pytest.mark.parametrize("case", ["adapter", "demonstrations and an adapter"])
def test_the_divergence_starts_at_zero_and_grows(case, unbroken):
    found = [json.loads(line).get("kl") for line in (unbroken(case) / "metrics.jsonl").read_text().splitlines()]
    assert found[0] == pytest.approx(0.0, abs=1e-8)
    assert found[STEPS - 1] > 1e-5


def test_an_adapter_run_saves_an_adapter_and_nothing_else(unbroken):
    saved = weights(unbroken("adapter") / "model")
    assert saved
    assert all("lora_" in name for name in saved)
    assert any("lora_B" in name and tensor.abs().max() > 0 for name, tensor in saved.items())


def test_an_adapter_can_be_trained_on_top_of_another(unbroken, tmp_path):
    table = {**BASE, **CASES["adapter"], "model": str(unbroken("adapter")), "rl": {**BASE["rl"], "steps": 1}}
    train(parse_recipe(table), tmp_path / "run")
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    last = json.loads((unbroken("adapter") / "metrics.jsonl").read_text().splitlines()[-1])
    assert lines[0]["nash_conv"] == pytest.approx(last["nash_conv"], abs=1e-5)
    model, tokenizer = load(tmp_path / "run")
    tree = GameTree(KuhnPoker())
    tables = agent_tables(LanguageModelPolicy("agent", model, tokenizer), KuhnPoker(), tree)
    assert nash_conv(tree, tables) == pytest.approx(lines[-1]["nash_conv"], abs=1e-5)


@pytest.mark.parametrize("case", ["adapter", "selection"])
def test_the_reference_stays_the_model_that_was_started_from(case, tmp_path):
    recipe = recipe_of(case)
    start, _ = load("tiny")
    rows = [((1, 2, 3), (4, 5, 6)), ((7,), (8, 9))]
    plain = token_log_probs(start, rows)
    model = _adapted(recipe, start)
    reference = _reference(recipe, tmp_path, model)
    before = reference(rows)
    np.testing.assert_allclose(np.concatenate(before), np.concatenate(plain), atol=1e-5)  # by another pass
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.requires_grad and ("lora_B" in name or case == "selection"):
                weight += 0.1
    assert np.abs(token_log_probs(model, rows)[0] - before[0]).max() > 0.01
    assert all(np.array_equal(a, b) for a, b in zip(reference(rows), before, strict=True))


def test_the_chosen_policy_becomes_the_model_and_the_others_are_removed(unbroken):
    record = json.loads((unbroken("selection") / "selection.json").read_text())
    assert [c["step"] for c in record["candidates"]] == [3, 6, STEPS]
    best = max(record["candidates"], key=lambda c: (c["sepo_index"], c["step"]))
    assert record["chosen"] == best["step"]
    assert not (unbroken("selection") / "selection").exists()
    same = torch.equal(*(weights(unbroken(c) / "model")["model.norm.weight"] for c in ("full", "selection")))
    assert same == (best["step"] == STEPS)


def test_resuming_a_finished_run_changes_nothing(unbroken):
    before = {path: path.stat().st_mtime_ns for path in unbroken("full").rglob("*")}
    assert train(recipe_of("full"), unbroken("full"), resume=True) == unbroken("full") / "model"
    assert {path: path.stat().st_mtime_ns for path in unbroken("full").rglob("*")} == before


def test_a_folder_that_exists_is_one_line(unbroken, tmp_path):
    with pytest.raises(ValueError, match=r"run folder .* exists; continue it with --resume, start over with --force"):
        train(recipe_of("full"), unbroken("full"))
    with pytest.raises(ValueError, match=r"nothing to resume in .*nowhere"):
        train(recipe_of("full"), tmp_path / "nowhere", resume=True)
    with pytest.raises(ValueError, match="was started with another recipe"):
        train(parse_recipe({**BASE, "seed": 1}), unbroken("full"), resume=True)


@pytest.mark.parametrize(
    "table", [{"model": "/no/such/folder"}, {"play": {"rollouts": 2}, "lora": {"rank": 2, "targets": ["x"]}}]
)
def test_a_run_that_could_not_start_leaves_the_folder_free(table, tmp_path):
    with pytest.raises(ValueError, match=r"no model folder|target modules"):
        train(parse_recipe({**BASE, **table}), tmp_path / "run")
    train(parse_recipe({**BASE, "rl": {"steps": 0}}), tmp_path / "run")


@pytest.mark.parametrize(
    ("target", "said"),
    [("nosuch", "unknown log target .*'nosuch'; known: .*tensorboard"), ("wandb", "'wandb', which is not installed")],
)
def test_a_log_target_that_is_not_there_is_one_line_and_leaves_no_folder(target, said, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "get_available_reporting_integrations", lambda: ["tensorboard"])
    with pytest.raises(UserError, match=said):
        train(parse_recipe({**BASE, "rl": {"report_to": [target]}}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_names_and_folders_may_be_strings(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "_reinforce", lambda *given: None)
    assert train("kuhn_poker/best_response", str(tmp_path / "run")) == tmp_path / "run" / "model"
    assert load_recipe(tmp_path / "run" / "recipe.toml") == load_recipe("kuhn_poker/best_response")


def test_force_starts_over(unbroken, tmp_path):
    out = tmp_path / "run"
    broken("full", out, 5)
    (out / "model").mkdir()
    train(recipe_of("full"), out, force=True)
    assert_same_run(out, unbroken("full"))


def test_a_run_folder_says_what_made_it(unbroken):
    versions = json.loads((unbroken("full") / "versions.json").read_text())
    assert versions["torch"] == torch.__version__
    assert parse_recipe({**BASE}).to_toml() == (unbroken("full") / "recipe.toml").read_text()


_CHILD = """
import sys
from pathlib import Path
import torch
from equipoise.training.recipe import load_recipe
from equipoise.training.run import _adapted, _reference, train
from equipoise.training.signals import Interrupted
torch.set_num_threads(1)
try:
    train(load_recipe(Path(sys.argv[1])), Path(sys.argv[2]))
except Interrupted as stopped:
    print(stopped)
    sys.exit(3)
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("case", ["adapter", "adversary"])
def test_a_process_that_is_signalled_resumes_to_the_same_weights(case, number, tmp_path):
    table = {**BASE, **CASES[case], "rl": {**BASE["rl"], "steps": 40}}
    recipe = parse_recipe(table)
    (tmp_path / "recipe.toml").write_text(recipe.to_toml())
    out, metrics = tmp_path / "run", tmp_path / "run" / "metrics.jsonl"
    command = [sys.executable, "-W", "ignore", "-c", _CHILD, str(tmp_path / "recipe.toml"), str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as child:
        deadline = time.monotonic() + 120
        while not (metrics.is_file() and metrics.read_text().count("\n") >= 5):
            assert child.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        child.send_signal(number)
        said, _ = child.communicate(timeout=60)
    assert child.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 3)
    assert ("continue with --resume" in said) == (number == signal.SIGTERM)
    assert not (out / "model").exists()
    train(recipe, out, resume=True)
    train(recipe, tmp_path / "unbroken")
    assert_same_run(out, tmp_path / "unbroken")
