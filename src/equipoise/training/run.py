"""One training run in one folder: demonstrations, supervised training, reinforcement learning, resume.

    recipe.toml  versions.json  sft.jsonl  sft/ (where reinforcement starts)  metrics.jsonl  checkpoints/
    selection.json  model/ (the result, with the second of two agents in model/second/)

Every step's randomness is keyed by (seed, step) alone, so a run that is killed and resumed ends, on a CPU, with the
same weights as an unbroken one, bit for bit.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from safetensors import SafetensorError
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK, get_available_reporting_integrations
from transformers.utils.import_utils import is_bitsandbytes_available

from equipoise.engines.engine import Ids, Resting
from equipoise.engines.exactness import token_log_probs
from equipoise.errors import UserError
from equipoise.models.load import load_merged
from equipoise.models.serving import Service, opened
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.seeds import Seed, Use
from equipoise.training.adapters import adapted_modules, add_second, own_weights
from equipoise.training.callbacks import CheapSaves, Counted, RunCallback
from equipoise.training.checkpoints import newest, sweep
from equipoise.training.curve import Curve, indices
from equipoise.training.demonstrations import expert_rows
from equipoise.training.folder import open_folder
from equipoise.training.importance import by_trainer, corrected
from equipoise.training.joint import JointPlay
from equipoise.training.loss import Reference
from equipoise.training.play import AGENT, Experience, trained_model
from equipoise.training.plays import plays_of
from equipoise.training.progress import counting
from equipoise.training.ranks import dividable, joined, ranks, take_up
from equipoise.training.recipe import Recipe, load_recipe
from equipoise.training.rows import Row
from equipoise.training.selection import Selection
from equipoise.training.sft import fit
from equipoise.training.signals import Interrupted, hearing, stopping
from equipoise.training.tables import check_known
from equipoise.training.trainer import EpisodeTrainer, StepSettings, TwoAgentTrainer
from equipoise.training.two_agents import has_two_agents

TINKER = "tinker"
"""The engine whose server trains the model."""
BESIDE = "../sft"
"""Where `model/` finds what supervised training made."""
PACKAGES = ("equipoise", "numpy", "torch", "transformers", "peft", "accelerate", "tokenizers")


def versions() -> dict[str, str]:
    """Installed versions of the packages that decide a run."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def train(
    recipe: Recipe | str | Path, out: Path | str, *, resume: bool = False, force: bool = False, label: str = "training"
) -> Path:
    """Runs a recipe and returns the folder of the trained model.

    Args:
        recipe: What to do, or the name or file of a recipe.
        out: The run folder; must not exist yet unless `resume` or `force`.
        resume: Continue from the newest whole checkpoint.
        force: Start over where a run folder exists.
        label: Shown beside the progress bar.

    Raises:
        ValueError: The folder exists (or, with `resume`, does not), or holds another recipe; or the recipe asks for
            two agents and for what two agents cannot have, for a log target that is not installed, or for an
            adversary or an exact gradient in a game that is too large.
        Interrupted: Ctrl-C, SIGTERM or SIGHUP; everything up to the last step is saved, but for what supervised
            training had learned.
    """
    recipe = recipe if isinstance(recipe, Recipe) else load_recipe(recipe)
    out = Path(out)
    has_two_agents(recipe)  # refused before there is a folder
    if recipe.hardware.engine == TINKER:
        from equipoise.training.tinker_run import check

        check(recipe)
    _check_log_targets(recipe.rl.report_to)
    _check_optimizer(recipe.hardware.optimizer)
    plays = plays_of(recipe, out / "population")
    with joined(recipe.hardware.place(), recipe.hardware.engine) as all_of_us:
        if all_of_us.first:
            if note := open_folder(recipe, out, versions(), resume=resume, force=force):
                print(note, file=sys.stderr)
            sweep(out)
        all_of_us.wait()
        return _trained(recipe, plays, out, label)


def _trained(recipe: Recipe, plays: JointPlay, out: Path, label: str) -> Path:
    """The folder of the model after what is left to do of an opened run."""
    done = (out / "model" / "config.json").exists() or (out / "model" / "adapter_config.json").exists()
    ranks().wait()  # or the first process might be done before another looks
    if done:
        return out / "model"
    with hearing(stopping("stopped", out)):
        if recipe.hardware.engine == TINKER:
            from equipoise.training.tinker_run import reinforce

            reinforce(recipe, plays, out, label)
            return out / "model"
        model, tokenizer = _start(recipe, out)
        if recipe.rl.steps > 0:
            policy = _agent(recipe, model, tokenizer, out)
            with closing(policy.engine):
                _reinforce(recipe, plays, policy, out, label)
        elif ranks().first:
            _save(model, tokenizer, out / "model", _base(recipe))
    return out / "model"


def _check_log_targets(names: Sequence[str]) -> None:
    """Nothing where the Trainer can log to all of these; one line names the first that it cannot."""
    for name in names:
        check_known("log target in rl.report_to", name, INTEGRATION_TO_CALLBACK)
        if name not in get_available_reporting_integrations():
            raise UserError(f"rl.report_to names {name!r}, which is not installed; install it, or leave it out")


def _check_optimizer(name: str) -> None:
    """Nothing where the optimizer's package is installed."""
    if name != "adamw" and not is_bitsandbytes_available():
        raise UserError(
            f"hardware.optimizer is {name!r}, whose package is not installed; pip install bitsandbytes, or use 'adamw'"
        )


def _started(recipe: Recipe, out: Path) -> str | Path:
    """The model that reinforcement learning starts from, by name."""
    return out / "sft" if recipe.imitates else recipe.model


def _base(recipe: Recipe) -> str:
    """What an adapter in `model/` names as its base."""
    return BESIDE if recipe.imitates else recipe.model


def _loaded(recipe: Recipe, source: str | Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A model on the recipe's device, in its precision; an adapter is merged into its base."""
    return load_merged(source, **recipe.hardware.loading())


def _start(recipe: Recipe, out: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The model reinforcement learning starts from: the base model, or what supervised training made of it."""
    folder = out / "sft"
    if not recipe.imitates:
        return _loaded(recipe, recipe.model)
    missing = not folder.exists()
    ranks().wait()
    if missing:
        with hearing(stopping("stopped during supervised training, which begins again", out)):
            _imitate(recipe, out, folder)
    return _loaded(recipe, folder)  # an adapter trained on it must name this folder as its base


def _imitate(recipe: Recipe, out: Path, folder: Path) -> None:
    """Trains the base model on demonstrations and saves it; what a stopped run had learned of them is lost."""
    model, tokenizer = _loaded(recipe, recipe.model)
    chat = LanguageModelPolicy(AGENT, model, tokenizer, recipe.sampling).chat
    learned: list[Row] = []
    validation: list[Row] = []
    for number, task in enumerate(recipe.tasks):
        if task.demonstrations.experts:
            key = Seed(recipe.seed).at(Use.DEMONSTRATIONS, number)
            rows = expert_rows(task.game, task.profile, task.demonstrations, chat, recipe.sampling.reasoning, key)
            learned, validation = learned + rows[0], validation + rows[1]
    trained = _adapted(recipe, model)
    with counting("supervised") as tell:
        fit(
            trained,
            learned,
            recipe.sft,
            out,
            validation=validation,
            callbacks=[Counted(tell)],
            gradient_checkpointing=recipe.hardware.gradient_checkpointing,
            optimizer=recipe.hardware.optimizer,
        )
    if recipe.lora.rank:
        trained = trained.merge_and_unload()
    if ranks().first:
        _save(trained, tokenizer, folder)
    ranks().wait()


def _adapted(recipe: Recipe, model: PreTrainedModel) -> Any:
    """The model with a fresh adapter where the recipe asks for one."""
    if not recipe.lora.rank:
        return model
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=recipe.lora.rank,
        lora_alpha=recipe.lora.alpha,
        lora_dropout=0.0,
        target_modules=adapted_modules(model, recipe.lora.targets),
        task_type="CAUSAL_LM",
    )
    torch.manual_seed(Seed(recipe.seed).at(Use.WEIGHTS).integer())  # the adapter's start is the same after a resume
    return get_peft_model(model, config)


def _agent(
    recipe: Recipe, start: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, out: Path
) -> LanguageModelPolicy:
    """The policy that is trained, whose engine follows its model; the second of two agents is an adapter beside it."""
    model: PreTrainedModel = _adapted(recipe, start)
    if has_two_agents(recipe):
        add_second(model)
    engine = opened(Service(str(_started(recipe, out)), recipe.hardware, model))
    if not (engine.can.updates and engine.can.log_probs):
        engine.close()
        raise UserError(
            f"the engine {engine.name!r} takes no new weights, or tells no log-probabilities of what it drew, and "
            "training needs both; use --engine local or vllm"
        )
    return LanguageModelPolicy(AGENT, engine, tokenizer, recipe.sampling)


def _reinforce(recipe: Recipe, plays: JointPlay, policy: LanguageModelPolicy, out: Path, label: str) -> None:
    """Takes the steps that are left and puts the chosen policy into `model/`."""
    model, tokenizer, all_of_us = trained_model(policy), policy.tokenizer, ranks()
    moved = dividable(model)
    reference = _reference(recipe, out, model)
    curve = Curve(recipe, policy)
    checkpoints = out / "checkpoints"
    resumed, left = newest(checkpoints, out / "metrics.jsonl", plays.restore)
    if left and all_of_us.first:
        start_at = f"going on from {resumed.folder.name}" if resumed else "beginning again"
        print(f"{'; '.join(left)}; {start_at}", file=sys.stderr)
    selection = Selection(
        out,
        lambda: indices(recipe, policy),
        lambda folder: _save(model, tokenizer, folder, _base(recipe)),
        resumed.step if resumed else 0,
    )

    def synchronise() -> None:
        take_up(model, moved)
        policy.engine.put("", own_weights(model))

    def collect(step: int) -> Experience:
        synchronise()
        if recipe.selection.every and step and step % recipe.selection.every == 0 and all_of_us.first:
            selection.consider(step)
        experience = plays.collect(policy, Seed(recipe.seed).at(Use.STEP, step), step)
        if not policy.engine.can.as_trained:
            experience = corrected(experience, by_trainer(model, recipe.sampling.temperature), recipe.rl.ratio_cap)
        if step % recipe.rl.exact_every == 0 and all_of_us.first:
            experience.metrics.update(curve.figures())
        if policy.engine.can.rests:
            cast(Resting, policy.engine).rest()
        return experience

    callback = RunCallback(out, lambda: trainer.last_metrics, plays.state, label)
    trainer = (TwoAgentTrainer if has_two_agents(recipe) else EpisodeTrainer)(
        moved,
        tokenizer,
        replace(steps_of(recipe), save_every=0) if all_of_us.sharded else steps_of(recipe),
        checkpoints,
        collect,
        reference=reference,
        kl=recipe.objective.kl,
        kl_every=recipe.rl.exact_every,
        callbacks=[callback, *([] if recipe.rl.save_every or all_of_us.sharded else [CheapSaves()])],
    )
    try:
        trainer.train(resume_from_checkpoint=str(resumed.folder) if resumed else None)
    except (OSError, RuntimeError, SafetensorError) as error:
        if not trainer.control.should_save:
            raise
        raise UserError(
            f"cannot save a checkpoint in {checkpoints}: {error}; free some space and use --resume"
        ) from error
    finally:
        callback.close()
    model.eval()
    if callback.interrupted:
        go_on = "start over with --force" if all_of_us.sharded else f"continue with --resume --out {out}"
        stopped = f"stopped after step {trainer.state.global_step}; {go_on}"
        raise Interrupted(stopped, callback.interrupted)
    synchronise()
    if all_of_us.first:
        _choose(recipe, policy, curve, selection, out)
    all_of_us.wait()


def _choose(recipe: Recipe, policy: LanguageModelPolicy, curve: Curve, selection: Selection, out: Path) -> None:
    """Writes the figures after the last step, and puts the policy that is chosen into `model/`."""
    _append(out / "metrics.jsonl", {"step": recipe.rl.steps + 1, **curve.figures()})
    if recipe.selection.every:
        selection.consider(recipe.rl.steps)
        selection.choose().replace(out / "model")
        selection.clear()
    else:
        _save(trained_model(policy), policy.tokenizer, out / "model", _base(recipe))


def steps_of(recipe: Recipe) -> StepSettings:
    """How a recipe's reinforcement learning takes its steps."""
    return StepSettings(
        steps=recipe.rl.steps,
        learning_rate=recipe.rl.learning_rate,
        warmup_steps=recipe.rl.warmup_steps,
        pass_tokens=recipe.rl.pass_tokens,
        temperature=recipe.sampling.temperature,
        seed=recipe.seed,
        save_every=recipe.rl.save_every,
        log_every=recipe.rl.exact_every,
        report_to=recipe.rl.report_to,
        on_cpu=recipe.hardware.place() == "cpu",
        gradient_checkpointing=recipe.hardware.gradient_checkpointing,
        optimizer=recipe.hardware.optimizer,
    )


def _reference(recipe: Recipe, out: Path, model: Any) -> Reference:
    """Log-probabilities under the model that reinforcement learning starts from.

    With an adapter that is `model` with the adapter switched off; without one it takes a frozen copy.
    """
    temperature = recipe.sampling.temperature
    if not recipe.lora.rank:
        frozen, _ = _loaded(recipe, _started(recipe, out))
        return lambda pairs: token_log_probs(frozen, pairs, temperature)

    def unadapted(pairs: list[tuple[Ids, Ids]]) -> list[np.ndarray]:
        training = model.training
        model.eval()
        with model.disable_adapter():
            found = token_log_probs(model, pairs, temperature)
        model.train(training)
        return found

    return unadapted


def _save(model: Any, tokenizer: Any, folder: Path, base: str = "") -> None:
    """Saves a model so that a crash leaves either nothing or the whole folder.

    Args:
        model: What to save; the second of two adapters goes into a folder inside.
        tokenizer: Its tokenizer.
        folder: Where to.
        base: What an adapter names as its base: a folder beside `folder`, or what `load` knows.
    """
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    kept = model.config.use_cache
    try:
        model.config.use_cache = True  # the trainer switches it off
        model.save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        for written in partial.rglob("adapter_config.json"):  # a name that stays true when the run folder moves
            up = "../" if base == BESIDE and written.parent != partial else ""
            text = {**json.loads(written.read_text(encoding="utf-8")), "base_model_name_or_path": up + base}
            written.write_text(json.dumps(text, indent=1) + "\n", encoding="utf-8")
    except (OSError, RuntimeError, SafetensorError) as error:
        raise UserError(f"cannot save the model to {folder}: {error}; free some space and use --resume") from error
    finally:
        model.config.use_cache = kept
    partial.replace(folder)


def _append(path: Path, record: dict[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
