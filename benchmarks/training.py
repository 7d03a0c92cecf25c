"""Where the time of a training step goes, and what merging identical rows saves.

Runs shipped recipes as `equipoise train` does, checkpoints, logs and exact curve included, with timers around the
parts: `kuhn_poker/best_response`, whose merged steps are short, and `kuhn_poker/six_hands`, whose steps are long. A
part's time excludes the parts inside it. All that is neither sampling nor a forward or backward pass is overhead; the
passes that measure the divergence are forward passes.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import io
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from common import WIDTH, in_child, machine, peak_mib, prepare_children, spread, store

RECIPES = ("kuhn_poker/best_response.toml", "kuhn_poker/six_hands.toml")
STEPS = {
    RECIPES[0]: {"merged": 30, "unmerged": 6},
    RECIPES[1]: {"merged": 6},
}
"""Steps measured of each recipe, by how its rows are trained."""
WARM_UP = 3
TARGET = 0.10
WORK = ("sampling", "forward", "backward")
PARTS = (*WORK, "optimizer", "best response", "rows and credits", "trainer and the rest")


class Timers:
    """Seconds of nested parts, each without the parts inside it, from the first step after the warm-up on."""

    def __init__(self, clock: Callable[[], float] = time.process_time) -> None:
        """Args: clock: Tells the seconds; those of the CPU by default."""
        self.seconds: Counter[str] = Counter()
        self._clock, self._open = clock, list[str]()
        self._timed: list[tuple[Any, str, Any]] = []
        self._since = clock()

    def enter(self, part: str) -> None:
        self._book()
        self._open.append(part)

    def leave(self) -> None:
        self._book()
        self._open.pop()

    def restart(self) -> None:
        self._book()
        self.seconds.clear()

    def _book(self) -> None:
        now = self._clock()
        self.seconds[self._open[-1] if self._open else PARTS[-1]] += now - self._since
        self._since = now

    def around(self, owner: Any, name: str, part: str) -> None:
        """Times every call of a function or method, until `undo`."""
        inner: Callable[..., Any] = getattr(owner, name)
        self._timed.append((owner, name, inner))

        @functools.wraps(inner)
        def timed(*args: Any, **kwargs: Any) -> Any:
            self.enter(part)
            try:
                return inner(*args, **kwargs)
            finally:
                self.leave()

        setattr(owner, name, timed)

    def undo(self) -> None:
        """Leaves everything as it was."""
        while self._timed:
            setattr(*self._timed.pop())


class _Enough(Exception):
    """All steps were measured; the run need not go on."""


def stepped(recipe: Any, timers: Timers, warm_up: int, steps: int) -> tuple[dict[str, float], list[int]]:
    """Runs a recipe of SEPO in a folder that is gone afterwards, timed.

    Args:
        recipe: What to run; it takes as many steps as are measured.
        timers: What its parts are booked in.
        warm_up: Steps that are not measured.
        steps: Steps that are.

    Returns:
        Seconds of a step's parts (`PARTS`), and the rows of every step, the warm-up's too.
    """
    from accelerate import Accelerator
    from accelerate.optimizer import AcceleratedOptimizer

    from equipoise.policies.language_model import LanguageModelPolicy
    from equipoise.training import adversaries, experience, run
    from equipoise.training.trainer import EpisodeTrainer

    timers.around(experience, "play_together", "sampling")
    timers.around(LanguageModelPolicy, "action_probabilities", "forward")
    timers.around(EpisodeTrainer, "compute_loss", "forward")
    timers.around(run, "token_log_probs", "forward")
    timers.around(Accelerator, "backward", "backward")
    timers.around(AcceleratedOptimizer, "step", "optimizer")
    timers.around(adversaries.ExactAdversary, "refresh", "best response")
    timers.around(experience.SepoPlay, "collect", "rows and credits")
    collect, rows, booked = experience.SepoPlay.collect, list[int](), Counter[str]()

    def marked(self: Any, policy: Any, key: Any, step: int) -> Any:
        if step == warm_up:
            timers.restart()
        if step == warm_up + steps:
            timers.enter("end")
            timers.leave()
            booked.update(timers.seconds)
            raise _Enough
        result = collect(self, policy, key, step)
        rows.append(len(result.rows))
        return result

    recipe = dataclasses.replace(recipe, rl=dataclasses.replace(recipe.rl, steps=warm_up + steps + 1))
    try:
        with (
            mock.patch.object(experience.SepoPlay, "collect", marked),
            tempfile.TemporaryDirectory() as folder,
            _quiet(),
            contextlib.suppress(_Enough),
        ):
            run.train(recipe, Path(folder) / "run")
    finally:
        timers.undo()
    return {part: booked[part] / steps for part in PARTS}, rows


def measure(name: str, merge: bool, steps: int, model: str, seed: int) -> dict[str, Any]:
    """CPU seconds per step of every part, rows per step, and growth of the peak memory in MiB."""
    from equipoise.training import experience
    from equipoise.training.recipe import load_recipe

    torch.set_num_threads(1)
    recipe = load_recipe(Path(str(files("equipoise.recipes") / name)))
    if not merge:
        experience.credited_rows = _unshared(experience.credited_rows)
        experience.merged = _unmerged
    before = peak_mib()
    seconds, rows = stepped(dataclasses.replace(recipe, model=model, seed=seed), Timers(), WARM_UP, steps)
    step_seconds = sum(seconds.values())
    return {
        "seconds": seconds,
        "step_seconds": step_seconds,
        "overhead": 1.0 - sum(seconds[part] for part in WORK) / step_seconds,
        "rows": float(np.mean(rows[WARM_UP:])),
        "memory_mib": peak_mib() - before,
    }


def _unshared(credited_rows: Callable[..., Any]) -> Callable[..., Any]:
    """A row for every episode."""

    def one_by_one(sides: Any, credits: np.ndarray, slots: int, entropy: float) -> Any:
        each = [credited_rows([side], credits[b : b + 1], slots, entropy) for b, side in enumerate(sides)]
        return [row for rows, _, _ in each for row in rows], [w for _, ws, _ in each for w in ws], None

    return one_by_one


def _unmerged(rows: list[Any], weights: list[Any], _: None) -> tuple[list[Any], list[Any], np.ndarray]:
    return rows, weights, np.ones(len(rows))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def show(results: dict[str, list[dict[str, Any]]]) -> None:
    """Prints the table."""
    print(f"  {'CPU milliseconds per step':24}" + "".join(f"{name + ' rows':>27}" for name in results))
    for part in PARTS:
        cells = [spread([1e3 * r["seconds"][part] for r in runs]) for runs in results.values()]
        print(f"  {part:24}" + "".join(f"{cell:>27}" for cell in cells))
    for name, unit, scale in (("step_seconds", "whole step", 1e3), ("overhead", "overhead, %", 100.0)):
        cells = [spread([scale * r[name] for r in runs]) for runs in results.values()]
        print(f"  {unit:24}" + "".join(f"{cell:>27}" for cell in cells))
    for name, unit in (("rows", "rows trained on"), ("memory_mib", "growth of memory, MiB")):
        cells = [spread([r[name] for r in runs]) for runs in results.values()]
        print(f"  {unit:24}" + "".join(f"{cell:>27}" for cell in cells))
    print(f"  target: overhead of merged rows at most {100 * TARGET:.0f} %")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="tiny", help="model name or folder (default: tiny)")
    parser.add_argument("--quick", action="store_true", help="one repeat of few steps")
    options = parser.parse_args()
    repeats = 1 if options.quick else 3
    prepare_children()
    stored: dict[str, Any] = {}
    for recipe, steps in STEPS.items():
        print(f"\nTraining benchmark: {recipe.removesuffix('.toml')}, median [range]"[: WIDTH + 1])
        results: dict[str, list[dict[str, Any]]] = {name: [] for name in steps}
        for repeat in range(repeats):
            for name, count in steps.items():
                measured = max(2, count // 3) if options.quick else count
                results[name].append(in_child(measure, recipe, name == "merged", measured, options.model, repeat))
        show(results)
        stored[recipe] = results
    store("training", {"machine": machine(1), "target": TARGET, "recipes": stored})


if __name__ == "__main__":
    main()
