"""A run whose engine is a Tinker server learns what the local one learns, and outlives its server."""

import json
import threading
import time

import numpy as np
import pytest

from equipoise.engines.tinker_server import ServerFailed
from equipoise.models import serving
from equipoise.models.load import load
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.training import tinker_trainer
from equipoise.training.adversaries import ExactCurve
from equipoise.training.recipe import load_recipe
from equipoise.training.run import train

STEPS = 32
SETTINGS = [  # exact gradients: both learn the same where nothing is drawn, and not only the same on average
    *[f"rl.steps={STEPS}", "rl.learning_rate=2e-3", "rl.exact_every=8", "rl.report_to=[]", "rl.gradient=exact"],
    *["objective.legal=0.1", "objective.legal_entropy=0.3", "lora.rank=8", "lora.alpha=32", "lora.targets=[]"],
]


def lines(out):
    """The run's metrics."""
    path = out / "metrics.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def nash_conv(folder, recipe):
    """The exact NashConv of a trained model, played by this process."""
    model, tokenizer = load(folder)
    curve = ExactCurve(recipe.tasks[0].game, 1, ())
    return curve.figures(LanguageModelPolicy("agent", model, tokenizer, recipe.sampling))["nash_conv"]


def after(out, step, act):
    """A thread that acts once a run has taken so many steps."""

    def wait():
        while len(lines(out)) < step:
            time.sleep(0.1)
        act()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


@pytest.mark.timeout(2400)
def test_kuhn_poker_is_learned_as_locally_though_the_server_is_killed_twice(skyrl, tmp_path, monkeypatch):
    """Once it stays dead until the run has given up and is resumed; once it is started again under the run."""
    recipe, here = (
        load_recipe("kuhn_poker/best_response", [*SETTINGS, f"hardware.engine={name}"]) for name in ("tinker", "local")
    )
    local = nash_conv(train(here, tmp_path / "local"), here)

    monkeypatch.setenv("TINKER_BASE_URL", skyrl.url)
    monkeypatch.setattr(tinker_trainer, "_LONGEST_WAIT_S", 1.0)
    out = tmp_path / "run"
    killing = after(out, 8, skyrl.kill)
    with pytest.raises(ServerFailed, match=r"steps are saved: --resume --out"):
        train(recipe, out)
    killing.join()
    done = len(lines(out))
    assert 8 <= done < STEPS
    skyrl.start()

    monkeypatch.setattr(tinker_trainer, "_LONGEST_WAIT_S", 30.0)

    def restart():
        skyrl.kill()
        skyrl.start()

    restarting = after(out, 20, restart)
    folder = train(recipe, out, resume=True)
    restarting.join()
    found = lines(out)
    assert [line["step"] for line in found] == list(range(1, STEPS + 2))
    served = nash_conv(folder, recipe)
    print("local", local, "server", served, [line["nash_conv"] for line in found if "nash_conv" in line])
    assert found[-1]["nash_conv"] == pytest.approx(
        served, abs=1e-3
    )  # the server's own figures are those of its adapter
    assert max(line["ratio_max"] for line in found[:-1]) == pytest.approx(1.0, abs=0.01)
    assert served < 0.1
    assert served == pytest.approx(local, abs=0.02)
    assert np.isfinite(local)

    engine, tokenizer = serving.served(str(folder), recipe.hardware)  # as an audit of the run opens it
    curve = ExactCurve(recipe.tasks[0].game, 1, ())
    asked = curve.figures(LanguageModelPolicy("agent", engine, tokenizer, recipe.sampling))
    assert asked["nash_conv"] == pytest.approx(served, abs=1e-3)
    engine.close()
