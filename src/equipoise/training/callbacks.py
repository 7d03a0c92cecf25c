"""What a run does beside its steps: progress, metrics.jsonl, checkpoints that are known to be whole, Ctrl-C."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

WHOLE = "whole.json"
"""Written into a checkpoint last: a folder without it was cut off while being saved."""

SHOWN = {
    "payoff": "payoff",
    "pool_exploitability": "pool e",
    "nash_conv": "NashConv",
    "kl": "KL",
    "fault_rate": "faults",
}


class RunCallback(TrainerCallback):
    """Shows progress, writes metrics, marks whole checkpoints, and turns Ctrl-C into a save.

    Args:
        folder: The run folder.
        metrics: The step's metrics, asked after each step.
        state: What to store beside a checkpoint (the adversary).
        label: Shown beside the progress bar.
    """

    def __init__(
        self, folder: Path, metrics: Callable[[], dict[str, float]], state: Callable[[], Any], label: str
    ) -> None:
        self._folder, self._metrics, self._extra = folder, metrics, state
        self._label = label
        self._bar: tqdm[Any] | None = None
        self._shown: dict[str, str] = {}
        self._previous: Any = None
        self.interrupted = False

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        cut_back(self._folder / "metrics.jsonl", state.global_step)
        self._bar = tqdm(total=state.max_steps, initial=state.global_step, desc=self._label, dynamic_ncols=True)
        try:
            self._previous = signal.signal(signal.SIGINT, self._interrupt)
        except ValueError:  # not the main thread: leave signals alone
            self._previous = None

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        values = self._metrics()
        with (self._folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": state.global_step, **values}) + "\n")
        if self._bar is not None:
            self._shown |= {label: f"{values[key]:.3g}" for key, label in SHOWN.items() if key in values}
            self._bar.set_postfix(self._shown, refresh=False)
            self._bar.update(1)
        if self.interrupted:
            control.should_save = True
            control.should_training_stop = True

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        checkpoint = Path(str(args.output_dir)) / f"checkpoint-{state.global_step}"
        write_whole(checkpoint / WHOLE, json.dumps({"step": state.global_step, "state": self._extra()}))

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the progress bar's line and gives Ctrl-C back; safe to call twice."""
        if self._bar is not None:
            self._bar.close()
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)
            self._previous = None

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self.interrupted:
            raise KeyboardInterrupt
        self.interrupted = True


def last_whole_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that was saved completely, or None."""
    whole = [path for path in folder.glob("checkpoint-*") if (path / WHOLE).is_file()]
    return max(whole, key=step_of, default=None)


def step_of(checkpoint: Path) -> int:
    """The step a checkpoint was saved after."""
    return int(checkpoint.name.rsplit("-", 1)[1])


def cut_back(path: Path, step: int) -> None:
    """Drops the metric lines after `step`: those steps will be run again."""
    if path.is_file():
        lines = path.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= step]
        write_whole(path, "".join(line + "\n" for line in kept))


def write_whole(path: Path, text: str) -> None:
    """Writes a file so that a crash leaves the old one or the new one."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
