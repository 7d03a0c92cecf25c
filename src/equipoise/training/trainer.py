"""Policy-gradient steps on our own rows, through TRL's GRPOTrainer. The only module that imports trl.

TRL keeps the optimizer, accelerate, loss, checkpoints and logging. We own the episodes, the rows and the advantages:
`_generate_and_score_completions` hands TRL one pseudo-prompt per row and then overwrites the advantages with one number
per token. One on-policy step per batch means a probability ratio of 1, so the loss's gradient is the policy gradient

    -(1/episodes) * sum over rows and tokens of weight * grad log-probability.

Identical rows arrive merged, weights summed, which is exact because the gradient is linear in the weights. The k3
estimator of the KL divergence to the reference is linear in the same sense: its gradient at a sampled token is
(1 - pi_ref/pi) * grad log pi, so it is folded into the weights, once for every episode the row stands for.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from safetensors import SafetensorError
from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from equipoise.errors import UserError
from equipoise.training.adapters import FIRST, SECOND, routed, train_both, weights_of
from equipoise.training.play import Experience
from equipoise.training.rows import NOT_OURS, Row

Collect = Callable[[int], Experience]
Reference = Callable[[list[tuple[tuple[int, ...], tuple[int, ...]]]], list[np.ndarray]]


def grpo_config(
    out: Path,
    *,
    steps: int,
    learning_rate: float,
    temperature: float,
    micro_batches: int,
    seed: int,
    save_every: int,
    log_every: int = 1,
    report_to: tuple[str, ...],
    on_cpu: bool | None = None,
    gradient_checkpointing: bool = False,
) -> GRPOConfig:
    """TRL's configuration for one on-policy step per batch: no clipping in effect, no KL of TRL's own, token sums."""
    return GRPOConfig(
        output_dir=str(out),
        max_steps=steps,
        learning_rate=learning_rate,
        lr_scheduler_type="linear",
        adam_beta1=0.9,
        adam_beta2=0.99,
        weight_decay=0.0,
        max_grad_norm=1.0,
        temperature=temperature,
        loss_type="dapo",
        scale_rewards="none",
        beta=0.0,
        num_iterations=1,
        num_generations=2,
        per_device_train_batch_size=2,
        gradient_accumulation_steps=micro_batches,
        max_completion_length=None,
        mask_truncated_completions=False,
        bf16=False,
        gradient_checkpointing=gradient_checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False} if gradient_checkpointing else None,
        use_cpu=not torch.cuda.is_available() if on_cpu is None else on_cpu,
        seed=seed,
        data_seed=seed,
        logging_steps=log_every,
        save_strategy="steps",
        save_steps=save_every,
        save_total_limit=2,
        report_to=list(report_to),
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )


class EpisodeTrainer(GRPOTrainer):  # type: ignore[misc]
    """GRPOTrainer that trains on the rows of played episodes.

    Args:
        collect: Plays the episodes of a step, given the global step.
        reference: Log-probabilities of rows under the reference policy, or None without a KL term.
        kl: Coefficient of the k3 KL penalty.
        kl_every: Steps between two measurements of the divergence while the coefficient is 0.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        config: GRPOConfig,
        collect: Collect,
        *,
        reference: Reference | None = None,
        kl: float = 0.0,
        kl_every: int = 1,
        callbacks: list[TrainerCallback] | None = None,
    ) -> None:
        if kl > 0 and reference is None:
            raise UserError(f"got kl={kl} without a reference policy; pass one, or set kl to 0")
        self._collect, self._reference, self._kl, self._kl_every = collect, reference, kl, kl_every
        self._pending: list[Row] = []
        self.last_metrics: dict[str, float] = {}
        super().__init__(
            model=model,
            reward_funcs=[_no_reward],
            args=config,
            train_dataset=Dataset.from_dict({"prompt": ["-"] * _prompts(config)}),
            processing_class=tokenizer,
            rollout_func=self._rows_already_played,
            callbacks=callbacks,
        )

    def _rows_already_played(self, prompts: list[str], trainer: Any) -> dict[str, Any]:
        return {
            "prompt_ids": [list(row.prompt) for row in self._pending],
            "completion_ids": [list(row.completion) for row in self._pending],
            "logprobs": None,
            "env_mask": [[int(turn != NOT_OURS) for turn in row.turn] for row in self._pending],
        }

    def _calculate_rewards(self, inputs: Any, prompts: Any, completions: Any, completion_ids_list: Any) -> Any:
        return torch.zeros((len(prompts) * self.accelerator.num_processes, 1), device=self.accelerator.device)

    def _generate_and_score_completions(self, inputs: Any) -> Any:
        experience = self._played()
        rows, weights = self._with_kl(experience)
        rows, weights = _padded(rows, weights, 2 * self.args.steps_per_generation, self.processing_class)
        self._pending = rows
        output = super()._generate_and_score_completions([{"prompt": "-"} for _ in rows])
        trained = sum(turn != NOT_OURS for row in rows for turn in row.turn)
        advantages = torch.zeros(output["completion_ids"].shape, dtype=torch.float32)
        for i, weight in enumerate(weights):
            advantages[i, : len(weight)] = torch.from_numpy(weight).float()
        output["advantages"] = (advantages * (trained / experience.episodes)).to(output["completion_ids"].device)
        self._log_statistics(weights)
        return output

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        try:
            super()._save_checkpoint(model, trial)
        except (OSError, RuntimeError, SafetensorError) as error:
            folder = self.args.output_dir
            raise OSError(f"cannot save a checkpoint in {folder}: {error}; free some space and use --resume") from error

    def _played(self) -> Experience:
        torch.manual_seed(self.args.seed * 1_000_003 + self.state.global_step)  # row order, the same after a resume
        training = self.model.training
        self.model.eval()
        experience = self._collect(self.state.global_step)
        self.model.train(training)
        return experience

    def _with_kl(self, experience: Experience) -> tuple[list[Row], list[np.ndarray]]:
        """The rows' weights less kl * (1 - pi_ref/pi) per sampled token, times the episodes the row stands for."""
        self.last_metrics = dict(experience.metrics)
        measured = self._kl > 0 or self.state.global_step % self._kl_every == 0
        if self._reference is None or not measured:
            return experience.rows, experience.weights
        if any(len(row.log_probs) != len(row.completion) for row in experience.rows):
            raise UserError("a row has no log-probabilities; the KL penalty is for rows that the policy sampled")
        reference = self._reference([(row.prompt, row.completion) for row in experience.rows])
        current = [np.array(row.log_probs) for row in experience.rows]  # as sampled: the weights have not moved since
        weights, divergence, tokens = [], 0.0, 0.0
        for i, row in enumerate(experience.rows):
            ours = np.array(row.turn) != NOT_OURS
            log_ratio = np.where(ours, reference[i] - current[i], 0.0)
            ratio, count = np.exp(log_ratio), float(experience.counts[i])
            weights.append(experience.weights[i] - self._kl * count * (1.0 - ratio))
            divergence += count * float(np.sum(ratio - log_ratio - 1.0))
            tokens += count * int(ours.sum())
        self.last_metrics["kl"] = divergence / tokens
        return experience.rows, weights

    def _log_statistics(self, weights: list[np.ndarray]) -> None:
        """Replaces TRL's reward statistics, which here describe the dummy reward, by those of the episodes."""
        metrics = self._metrics["train"]
        for name in (
            "reward",
            "reward_std",
            "frac_reward_zero_std",
            "rewards/_no_reward/mean",
            "rewards/_no_reward/std",
        ):
            metrics.pop(name, None)
        for name, value in self.last_metrics.items():
            metrics[f"play/{name}"].append(value)
        self._logs["advantages"].clear()
        self._logs["advantages"].extend(float(weight.sum()) for weight in weights)


class TwoAgentTrainer(EpisodeTrainer):
    """EpisodeTrainer of a model with two adapters, each trained on its own rows as if the other were not there.

    A row goes through its adapter alone, gradients are clipped for each adapter by itself, and an adapter without rows
    in a step is left as it is.
    """

    def _generate_and_score_completions(self, inputs: Any) -> Any:
        output = super()._generate_and_score_completions(inputs)
        second = [row.adapter == SECOND for row in self._pending]
        output["second"] = torch.tensor(second, device=output["completion_ids"].device)  # split along with the rows
        train_both(self.accelerator.unwrap_model(self.model))  # a reference switched adapters off
        return output

    def _compute_loss(self, model: Any, inputs: Any) -> Any:
        self._adapters = [SECOND if second else FIRST for second in inputs["second"].tolist()]
        return super()._compute_loss(model, inputs)

    def _get_per_token_logps_and_entropies(self, model: Any, *args: Any, **kwargs: Any) -> Any:
        with routed(self.accelerator.unwrap_model(model), self._adapters):
            return super()._get_per_token_logps_and_entropies(model, *args, **kwargs)

    def _clip_grad_norm(self, model: Any) -> Any:
        parameters, norms = dict(model.named_parameters()), []
        for adapter in (FIRST, SECOND):
            part = torch.nn.ParameterList(weights_of(parameters, adapter).values())
            norms.append(super()._clip_grad_norm(part))
        return torch.linalg.vector_norm(torch.stack(norms))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        train_both(self.model)


def _prompts(config: GRPOConfig) -> int:
    """Pseudo-prompts that last the whole run as one epoch: TRL takes two per micro-batch, and epochs cost time."""
    return 2 * int(config.gradient_accumulation_steps) * max(1, int(config.max_steps))


def _no_reward(prompts: Any, completions: Any, **kwargs: Any) -> list[float]:
    """Stands in for TRL's mandatory reward function; rewards come from the episodes."""
    return [0.0] * len(prompts)


def _padded(
    rows: list[Row], weights: list[np.ndarray], multiple: int, tokenizer: Any
) -> tuple[list[Row], list[np.ndarray]]:
    """Rows filled up to a multiple with a masked dummy, which the token-sum loss ignores exactly."""
    missing = -len(rows) % multiple
    dummy = Row(rows[0].prompt, (int(tokenizer.eos_token_id),), (NOT_OURS,), adapter=rows[0].adapter)
    return [*rows, *[dummy] * missing], [*weights, *[np.zeros(1)] * missing]
