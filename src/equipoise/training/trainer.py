"""Optimizer steps on our own rows: transformers' Trainer with the loss of `passes.py` in the place of the model's own.

The Trainer keeps the optimizer, the schedule, checkpoints, logging and the device. We own what a step trains on: an
item of the data is a whole step, played when the Trainer asks for it, and its rows run in as many passes as memory
needs. One on-policy step per batch means that no ratio to an older policy is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate.data_loader import BatchSamplerShard
from torch.utils.data import DataLoader, Dataset
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_callback import PrinterCallback

from equipoise.engines.memory import fitting, ran_out, within
from equipoise.errors import UserError
from equipoise.models.hardware import Optimizer
from equipoise.seeds import Seed, Use
from equipoise.training.adapters import FIRST, SECOND, train_both, weights_of
from equipoise.training.kept_pass import KeptPass
from equipoise.training.loss import Example, Reference, examples_of, less_divergence
from equipoise.training.passes import Pass, Unfelt, felt, passes
from equipoise.training.play import Experience
from equipoise.training.ranks import ranks, score_together
from equipoise.training.settings import PASS_TOKENS

Collect = Callable[[int], Experience]

_RECOMPUTING = next(
    name for name in ("activation_checkpointing", "gradient_checkpointing") if hasattr(TrainingArguments, name)
)
"""What transformers calls it: the first since 5.23, the second before."""
_OPTIMIZERS = {
    "adamw_8bit": "adamw_bnb_8bit",
    "paged_adamw": "paged_adamw_32bit",
    "paged_adamw_8bit": "paged_adamw_8bit",
}
"""What transformers calls them; all are bitsandbytes'."""
_RECOMPUTED: dict[str, Any] = {_RECOMPUTING: True, f"{_RECOMPUTING}_kwargs": {"use_reentrant": False}}


@dataclass(frozen=True)
class StepSettings:
    """How optimizer steps are taken.

    Attributes:
        steps: How many.
        learning_rate: Peak learning rate of AdamW without weight decay, falling linearly to zero.
        warmup_steps: First steps over which it rises linearly.
        beta2: AdamW's second beta; the first is 0.9.
        clip: Largest norm of a step's gradient; 0 leaves it as it is.
        pass_tokens: Most tokens of one forward and backward pass; a step takes as many passes as it needs.
        temperature: Divides the logits.
        seed: Keys what torch draws.
        save_every: Steps between checkpoints; 0 saves none.
        log_every: Steps between lines in the log targets.
        report_to: The log targets.
        on_cpu: Whether to leave a GPU alone.
        gradient_checkpointing: Computes activations twice to save memory.
        optimizer: Where AdamW keeps its moments; see `models.hardware.Hardware`.
    """

    steps: int
    learning_rate: float
    warmup_steps: int = 0
    beta2: float = 0.99
    clip: float = 1.0
    pass_tokens: int = PASS_TOKENS
    temperature: float = 1.0
    seed: int = 0
    save_every: int = 0
    log_every: int = 1
    report_to: tuple[str, ...] = ()
    on_cpu: bool = False
    gradient_checkpointing: bool = False
    optimizer: Optimizer = "adamw"

    def rate(self, step: int) -> float:
        """Share of the learning rate that a step is taken with, counted from 0: never 0 but after the last."""
        return min((step + 1) / (self.warmup_steps + 1), max(0.0, (self.steps - step) / max(1, self.steps)))

    def arguments(self, out: Path, **changes: Any) -> TrainingArguments:
        """The Trainer's own form of these settings, with other values for some of them."""
        arguments = TrainingArguments(
            **{
                "output_dir": str(out),
                "max_steps": self.steps,
                "learning_rate": self.learning_rate,
                "adam_beta1": 0.9,
                "adam_beta2": self.beta2,
                "weight_decay": 0.0,
                **({"optim": _OPTIMIZERS[self.optimizer]} if self.optimizer != "adamw" else {}),
                "max_grad_norm": self.clip,
                "per_device_train_batch_size": 1,
                "bf16": False,
                "use_cpu": self.on_cpu or not torch.cuda.is_available(),
                "seed": self.seed,
                "data_seed": self.seed,
                "logging_steps": self.log_every,
                "logging_strategy": "steps" if self.report_to else "no",
                "report_to": list(self.report_to),
                "save_strategy": "steps" if self.save_every else "no",
                "save_steps": self.save_every or self.steps,
                "disable_tqdm": True,
                "dataloader_pin_memory": False,
                "remove_unused_columns": False,
                "label_names": [],
                **(_RECOMPUTED if self.gradient_checkpointing else {}),
                **changes,
            }
        )
        if arguments.n_gpu > 1:
            arguments._n_gpu = 1  # else one process would copy the model to every device it sees at every pass
        return arguments


class WeightedTrainer(Trainer):
    """Trainer that minimises the loss of `passes`; a batch is {"examples": the rows of one optimizer step}.

    With {"kept": a pass} beside them its forward pass is done already.
    """

    def __init__(self, settings: StepSettings, **given: Any) -> None:
        """Args: settings: How steps are taken. given: What `Trainer` takes."""
        super().__init__(**given)
        self.settings = settings
        self.remove_callback(PrinterCallback)

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> torch.optim.lr_scheduler.LRScheduler:
        """The learning rate of every step, by `StepSettings.rate`."""
        if self.lr_scheduler is None:
            chosen = self.optimizer if optimizer is None else optimizer
            assert chosen is not None
            self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(chosen, lambda step: self.settings.rate(step))
            self._created_lr_scheduler = True  # else a second `train` would go on from the end
        return self.lr_scheduler

    def training_step(
        self, model: torch.nn.Module, inputs: dict[str, Any], num_items_in_batch: torch.Tensor | int | None = None
    ) -> torch.Tensor:
        """The loss of one step's rows, whose gradient is added up over processes and the passes they are split into.

        Where memory runs out the step begins again in smaller passes. With several processes it ends in one line,
        because the others wait in the pass that one of them could not take.

        Raises:
            UserError: Where memory runs out, however small the passes.
        """
        if ranks().count == 1:
            return fitting(lambda: self._step(model, inputs), "training")
        try:
            return self._step(model, inputs)
        except (torch.OutOfMemoryError, RuntimeError) as error:
            if not ran_out(error):
                raise
            raise UserError(
                f"out of memory while training with passes of {self.settings.pass_tokens} tokens; set rl.pass_tokens "
                "(sft.pass_tokens) to less in the run's recipe.toml and train by that file with --resume"
            ) from error

    def _step(self, model: torch.nn.Module, inputs: dict[str, Any]) -> torch.Tensor:
        """The loss of one step's rows, whose gradient takes the place of whatever was there."""
        model.zero_grad()
        total = torch.zeros((), device=self.args.device)
        kept: KeptPass | None = inputs.pop("kept", None)  # for one attempt: its activations are gone after it
        examples = inputs["examples"]
        parts = [kept.backwards(examples)] if kept is not None else self._passes(model, examples)
        for number, part in enumerate(parts, start=1):
            # the gradients of several processes meet after the last pass
            with nullcontext() if number == len(parts) else self.accelerator.no_sync(model):
                total += super().training_step(model, {"pass": part})
        return total

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """The loss of one pass; what averages gradients over processes then gives their sum."""
        loss: torch.Tensor = inputs["pass"].loss(model, self.settings.temperature)
        return loss * ranks().count

    def get_train_dataloader(self) -> DataLoader[Any]:
        """The loader of whole steps: each process takes its rows of every step, and not steps of its own."""
        loader: DataLoader[Any] = super().get_train_dataloader()
        if isinstance(loader.batch_sampler, BatchSamplerShard):
            loader.batch_sampler.num_processes, loader.batch_sampler.process_index = 1, 0
        return loader

    def _passes(self, model: torch.nn.Module, examples: Sequence[Example]) -> list[Pass]:
        """This process's passes over a step's rows; every process has as many, for each meets the others in them."""
        most, all_of_us = within(self.settings.pass_tokens), ranks()
        if all_of_us.count == 1:
            return passes(model, examples, most)
        examples = felt(examples)  # before the work is divided
        mine = all_of_us.divided([example.tokens for example in examples])[all_of_us.rank]
        parts = passes(model, [examples[i] for i in mine], most)
        missing = int(all_of_us.largest(len(parts))) - len(parts)
        shortest = min(examples, key=lambda example: len(example.tokens))
        return parts + [Unfelt(part) for part in passes(model, [shortest], most)] * missing


class EpisodeTrainer(WeightedTrainer):
    """Trainer whose every step plays episodes and trains on their rows.

    Attributes:
        last_metrics: What the last step's experience told, with the divergence from the reference as `kl`.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        settings: StepSettings,
        out: Path,
        collect: Collect,
        *,
        reference: Reference | None = None,
        kl: float = 0.0,
        kl_every: int = 1,
        callbacks: Sequence[TrainerCallback] = (),
        **changes: Any,
    ) -> None:
        """Sets up the steps; `train()` takes them.

        Args:
            model: What is trained, in place.
            tokenizer: Saved beside its checkpoints.
            settings: How steps are taken.
            out: Folder of checkpoints and logs.
            collect: Plays the episodes of a step, given its number.
            reference: Log-probabilities of rows under the reference policy, or None without a KL term.
            kl: Coefficient of the KL penalty.
            kl_every: Steps between two measurements of the divergence while the coefficient is 0.
            callbacks: Of the Trainer.
            changes: Values of `TrainingArguments` that are other than `settings` says.
        """
        if kl > 0 and reference is None:
            raise UserError(f"got kl={kl} without a reference policy; pass one, or set kl to 0")
        self._collect, self._kl, self._kl_every = collect, kl, kl_every
        self._reference = None if reference is None else score_together(reference)
        self._model, self._steps = model, _Steps(settings.steps, self._played)
        self._unlogged: list[dict[str, float]] = []
        self.last_metrics: dict[str, float] = {}
        super().__init__(
            settings,
            model=model,
            args=settings.arguments(out, **changes),
            train_dataset=self._steps,
            processing_class=tokenizer,
            callbacks=list(callbacks),
        )

    def get_train_dataloader(self) -> DataLoader[Any]:
        """The steps in order, each played when it is asked for and not before: it needs the weights of the last one."""
        return DataLoader(self._steps, batch_size=1, collate_fn=lambda steps: steps[0])

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Sends a line to the log targets, with the means of what the steps since the last line told of their play."""
        names = dict.fromkeys(name for metrics in self._unlogged for name in metrics)
        means = {f"play/{n}": float(np.mean([m[n] for m in self._unlogged if n in m])) for n in names}
        self._unlogged.clear()
        super().log({**logs, **means}, start_time)

    def _played(self, step: int) -> dict[str, Any]:
        # for models that drop out: the same after a resume
        torch.manual_seed(Seed(self.args.seed).at(Use.TORCH, step).integer())
        self._model.eval()  # a training step switches it back
        experience = self._collect(step)
        self.last_metrics = dict(experience.metrics)
        if self._reference is not None and (self._kl > 0 or step % self._kl_every == 0):
            experience, self.last_metrics["kl"] = less_divergence(experience, self._reference, self._kl)
        self._unlogged.append(self.last_metrics)
        return {"examples": examples_of(experience), "kept": experience.kept}


class TwoAgentTrainer(EpisodeTrainer):
    """EpisodeTrainer of a model with two adapters, each trained on its own rows as if the other were not there.

    A row goes through its adapter alone, gradients are clipped for each adapter by itself, and an adapter without rows
    in a step is left as it is.
    """

    def __init__(self, *given: Any, callbacks: Sequence[TrainerCallback] = (), **named: Any) -> None:
        """As `EpisodeTrainer`."""
        each = _EachAdapter()
        super().__init__(*given, callbacks=[*callbacks, each], max_grad_norm=0.0, **named)
        each.clip = self.settings.clip

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """An optimizer of both adapters; a checkpoint that was loaded before has left one of them switched off."""
        train_both(self.model)
        return super().create_optimizer(model)


class _EachAdapter(TrainerCallback):
    """Keeps both adapters trainable and clips the gradient of each by itself."""

    clip = 0.0

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        train_both(kwargs["model"])  # a reference without adapters has switched them off

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        parameters = dict(kwargs["model"].named_parameters())
        for adapter in (FIRST, SECOND) if self.clip else ():
            torch.nn.utils.clip_grad_norm_(weights_of(parameters, adapter).values(), self.clip)


class _Steps(Dataset[dict[str, Any]]):
    def __init__(self, count: int, play: Callable[[int], dict[str, Any]]) -> None:
        self._count, self._play = count, play

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, step: int) -> dict[str, Any]:
        return self._play(step)
