"""What a run does beside its steps: progress, metrics.jsonl, checkpoints that are known to be whole, signals."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from equipoise.training.checkpoints import cut_back, rotate, seal
from equipoise.training.progress import Counting, Progress
from equipoise.training.ranks import ranks
from equipoise.training.signals import hearing

SHOWN = {
    "nash_conv": "NashConv",
    "worst_case_advantage": "worst case",
    "payoff": "payoff",
    "pool_exploitability": "pool e",
    "kl": "KL",
    "fault_rate": "faults",
}
"""Figures of the bar, the most important first."""

_FORWARDED_S = 5.0
"""What starts several processes sends each of them the Ctrl-C that the terminal sent them, too: one signal, not two."""

SHARE = 0.02
"""How much of a run's time may go into checkpoints where the recipe does not say when to save."""


class Counted(TrainerCallback):
    """Tells of optimizer steps as they are taken."""

    def __init__(self, tell: Counting) -> None:
        """Args: tell: What is told."""
        self._tell = tell

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._tell(0, state.max_steps)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self._tell(1, state.max_steps)


class CheapSaves(TrainerCallback):
    """Saves after the last step, and after every step by which a checkpoint is no more than `SHARE` of the time.

    A killed process then loses one step where steps are long beside a checkpoint, and else as much time as some fifty
    checkpoints take. It stands after the callback that seals checkpoints, whose time it counts.
    """

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._saved, self._asked, self._took = time.monotonic(), 0.0, 0.0

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self._asked = time.monotonic()
        cheap = self._took <= SHARE * (self._asked - self._saved)
        if state.global_step >= state.max_steps or ranks().of_first(cheap):  # clocks differ, and all save together
            control.should_save = True

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self._saved = time.monotonic()
        self._took = self._saved - self._asked


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
        self._signals = ExitStack()
        self._previous: Mapping[int, Any] = {}
        self.interrupted = 0
        self._asked = -_FORWARDED_S

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if ranks().first:
            cut_back(self._folder / "metrics.jsonl", state.global_step)
        self._progress = Progress(self._label, state.max_steps, done=state.global_step)
        self._previous = self._signals.enter_context(hearing(self._interrupt))

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        values = self._metrics()
        if ranks().first:
            with (self._folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps({"step": state.global_step, **values}) + "\n")
        if self._progress is not None:
            self._progress.advance({label: values[key] for key, label in SHOWN.items() if key in values})
        self.interrupted = int(ranks().largest(self.interrupted))  # a signal may reach one process before another
        if self.interrupted:
            control.should_save = not ranks().sharded
            control.should_training_stop = True

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        checkpoints = Path(str(args.output_dir))
        ranks().wait()  # each process has put its part into the checkpoint
        if not ranks().first:
            return
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
        self._signals.close()

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if ranks().count > 1 and time.monotonic() - self._asked < _FORWARDED_S:
            return
        self._asked = time.monotonic()
        if self.interrupted:  # asked twice: at once
            before = self._previous.get(number)
            if callable(before):
                before(number, frame)
            raise KeyboardInterrupt
        self.interrupted = number
