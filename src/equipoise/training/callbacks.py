"""What a run does beside its steps: progress, metrics.jsonl, checkpoints that are known to be whole, Ctrl-C."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from equipoise.training.checkpoints import cut_back, rotate, seal
from equipoise.training.progress import Progress

SHOWN = {
    "nash_conv": "NashConv",
    "worst_case_advantage": "worst case",
    "payoff": "payoff",
    "pool_exploitability": "pool e",
    "kl": "KL",
    "fault_rate": "faults",
}
"""Figures of the bar, the most important first."""

STOPPING = ("SIGINT", "SIGTERM", "SIGHUP")
"""Signals that save and stop a run; a system has some or all of them."""


class RunCallback(TrainerCallback):
    """Shows progress, writes metrics, seals checkpoints, and turns Ctrl-C, SIGTERM and SIGHUP into a save.

    Attributes:
        interrupted: The signal that stopped the run, 0 for none.
    """

    def __init__(
        self, folder: Path, metrics: Callable[[], dict[str, float]], state: Callable[[], Any], label: str
    ) -> None:
        """Prepares a run.

        Args:
            folder: The run folder.
            metrics: The step's metrics, asked after each step.
            state: What to store beside a checkpoint (the adversary).
            label: Shown beside the progress bar.
        """
        self._folder, self._metrics, self._extra, self._label = folder, metrics, state, label
        self._progress: Progress | None = None
        self._previous: dict[int, Any] = {}
        self.interrupted = 0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        cut_back(self._folder / "metrics.jsonl", state.global_step)
        self._progress = Progress(self._label, state.max_steps, done=state.global_step)
        for number in (getattr(signal, name) for name in STOPPING if name in signal.__dict__):
            before = signal.getsignal(number)
            if before is signal.SIG_IGN:  # as under nohup, or in a shell's background
                continue
            try:
                signal.signal(number, self._interrupt)
                self._previous[number] = before
            except ValueError:  # not the main thread: leave signals alone
                return

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        values = self._metrics()
        with (self._folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": state.global_step, **values}) + "\n")
        if self._progress is not None:
            self._progress.advance({label: values[key] for key, label in SHOWN.items() if key in values})
        if self.interrupted:
            control.should_save = True
            control.should_training_stop = True

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        checkpoints = Path(str(args.output_dir))
        seal(checkpoints / f"checkpoint-{state.global_step}", state.global_step, self._extra())
        rotate(checkpoints, state.global_step)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the progress bar's line and gives the signals back; safe to call twice."""
        if self._progress is not None:
            self._progress.close()
        for number, before in self._previous.items():
            signal.signal(number, before)
        self._previous = {}

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self.interrupted:  # asked twice: at once
            before = self._previous.get(number)
            if callable(before):
                before(number, frame)
            raise KeyboardInterrupt
        self.interrupted = number
