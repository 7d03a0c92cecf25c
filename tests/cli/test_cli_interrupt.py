"""Ctrl-C, SIGTERM and SIGHUP in a real process: what was trained is saved, and the run goes on."""

import json
import signal
import subprocess
import sys
import time

import pytest

ARGUMENTS = ["kuhn_poker/pool", "--set", "rl.steps=30", "--set", "play.rollouts=2", "--deals", "2"]


SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]


def start(folder, *extra):
    command = [sys.executable, "-m", "equipoise.cli.main", "train", "--out", "r", *extra]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(condition, child):
    deadline = time.monotonic() + 120
    while not condition():
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_signal_during_training_saves_and_resuming_ends_the_run(number, code, tmp_path):
    metrics = tmp_path / "r" / "metrics.jsonl"
    child = start(tmp_path, *ARGUMENTS)
    wait_for(lambda: metrics.is_file() and metrics.read_text().count("\n") >= 3, child)
    child.send_signal(number)
    out, err = child.communicate(timeout=60)
    assert child.returncode == code
    assert out == ""
    assert "\r" not in err
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("equipoise: stopped after step ")
    assert "--resume" in err.splitlines()[-1]
    done = metrics.read_text().splitlines()

    child = start(tmp_path, "--resume", "--deals", "2")
    out, err = child.communicate(timeout=120)
    assert child.returncode == 0, err
    lines = metrics.read_text().splitlines()
    assert lines[: len(done)] == done
    assert [json.loads(line)["step"] for line in lines] == list(range(1, 32))
    assert "Trained" in out


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_signal_before_the_first_step_stops_and_the_run_can_still_be_resumed(number, code, tmp_path):
    child = start(tmp_path, *ARGUMENTS)
    wait_for(lambda: (tmp_path / "r" / "recipe.toml").is_file(), child)
    child.send_signal(number)
    _, err = child.communicate(timeout=60)
    assert child.returncode == code
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("equipoise: stopped")
    child = start(tmp_path, "--resume", "--no-audit")
    _, err = child.communicate(timeout=120)
    assert child.returncode == 0, err


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_signal_in_supervised_training_is_one_line_that_says_how_to_go_on(number, code, tmp_path):
    log = tmp_path / "r" / "sft.jsonl"
    child = start(tmp_path, "kuhn_poker/sft", "--set", "sft.steps=60", "--set", "sft.validate_every=1")
    wait_for(lambda: log.is_file() and log.read_text().count("\n") >= 3, child)
    child.send_signal(number)
    out, err = child.communicate(timeout=60)
    assert (child.returncode, out) == (code, "")
    said = "stopped during supervised training, which begins again; continue with --resume --out r"
    assert err == f"equipoise: {said}\n"

    child = start(tmp_path, "--resume", "--no-audit")
    out, err = child.communicate(timeout=120)
    assert (child.returncode, out) == (0, "model: r/model\n"), err
    assert log.read_text().count("\n") == 61


def test_ctrl_c_within_code_made_from_text_exits_with_130_too(tmp_path):
    # As while an import defines a dataclass: Python would end the process by the signal, caught or not.
    script = """
import signal, sys
from equipoise.cli import main, train
text = "signal.raise_signal(signal.SIGINT)"
train.train = lambda options: exec(text)
sys.exit(main.main(["train", "kuhn_poker"]))
"""
    (tmp_path / "stopped.py").write_text(script)
    child = subprocess.run([sys.executable, "-m", "stopped"], capture_output=True, text=True, cwd=tmp_path)
    assert (child.returncode, child.stderr) == (130, "equipoise: stopped\n")
