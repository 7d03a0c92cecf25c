"""One training run in one folder: demonstrations, supervised training, reinforcement learning, resume.

    recipe.toml  versions.json  metrics.jsonl  sft/ (where reinforcement starts)  checkpoints/  model/ (the result)

Every step's randomness is keyed by (seed, step) alone, so a run that is killed and resumed ends, on a CPU, with the
same weights as an unbroken one, bit for bit.
"""

from __future__ import annotations

import json
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.trainer_callback import PrinterCallback

from equipoise.core import Event, Game
from equipoise.games import Domain, domain, make_game
from equipoise.models.load import load
from equipoise.policies.language_model import LanguageModelPolicy, token_log_probs
from equipoise.training.callbacks import WHOLE, RunCallback, cut_back, last_whole_checkpoint, step_of
from equipoise.training.demonstrations import demonstrate, demonstration_rows
from equipoise.training.experience import AGENT, Adversary, Experience, SepoPlay
from equipoise.training.recipe import RULES, Recipe
from equipoise.training.sft import fit
from equipoise.training.trainer import EpisodeTrainer, Reference, grpo_config

PACKAGES = ("equipoise", "numpy", "torch", "transformers", "trl", "peft", "accelerate", "tokenizers")


class Interrupted(Exception):
    """Training was stopped by the user after saving; the message says how to continue."""


def versions() -> dict[str, str]:
    """Installed versions of the packages that decide a run."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def train(recipe: Recipe, out: Path, *, resume: bool = False, label: str = "training") -> Path:
    """Runs a recipe and returns the folder of the trained model.

    Args:
        recipe: What to do.
        out: The run folder; must not exist yet unless `resume`.
        resume: Continue from the last whole checkpoint.
        label: Shown beside the progress bar.

    Raises:
        ValueError: The folder exists (or, with `resume`, does not), or holds another recipe.
        Interrupted: Ctrl-C; everything up to the last step is saved.
    """
    _open_folder(recipe, out, resume)
    if (out / "model" / "config.json").exists() or (out / "model" / "adapter_config.json").exists():
        return out / "model"
    game = make_game(recipe.game, **recipe.game_parameters)
    model, tokenizer = _start(recipe, game, out)
    if recipe.rl.steps > 0:
        model = _reinforce(recipe, game, domain(recipe.game), model, tokenizer, out, label)
    base = "../sft" if recipe.demonstrations.experts else recipe.model
    _save(model, tokenizer, out / "model", base)
    return out / "model"


def _open_folder(recipe: Recipe, out: Path, resume: bool) -> None:
    written = out / "recipe.toml"
    if resume:
        if not written.is_file():
            raise ValueError(f"nothing to resume in {out}: it has no recipe.toml; start without --resume")
        if written.read_text(encoding="utf-8") != recipe.to_toml():
            raise ValueError(
                f"{out} was started with another recipe (see {written}); use it unchanged, or a new folder"
            )
        return
    if out.exists() and not out.is_dir():
        raise ValueError(f"--out {out} is a file; choose another folder")
    found = {path.name for path in out.iterdir()} if out.exists() else set()
    if found and found != {"recipe.toml", "versions.json"}:  # those two alone: a run that never started
        raise ValueError(f"run folder {out} exists; continue it with --resume, or choose another --out")
    out.mkdir(parents=True, exist_ok=True)
    written.write_text(recipe.to_toml(), encoding="utf-8")
    (out / "versions.json").write_text(json.dumps(versions(), indent=1) + "\n", encoding="utf-8")


def _start(recipe: Recipe, game: Game, out: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The model reinforcement learning starts from: the base model, or what supervised training made of it."""
    folder = out / "sft"
    if not recipe.demonstrations.experts:
        return load(recipe.model)
    if folder.exists():
        return load(folder)
    model, tokenizer = load(recipe.model)
    chat = LanguageModelPolicy(AGENT, model, tokenizer).chat
    pools = domain(recipe.game).pools
    experts = [(pools.find(name), weight) for name, weight in recipe.demonstrations.experts.items()]
    episodes = demonstrate(game, experts, recipe.demonstrations.episodes, [recipe.seed, 1])
    rows = demonstration_rows(game, episodes, chat)
    trained = _adapted(recipe, model)
    fit(trained, rows, recipe.sft, out)
    if recipe.lora.rank:
        trained = trained.merge_and_unload()
    _save(trained, tokenizer, folder)
    return load(folder)  # an adapter trained on it must name this folder as its base


def _adapted(recipe: Recipe, model: PreTrainedModel) -> Any:
    """The model with a fresh adapter where the recipe asks for one."""
    if not recipe.lora.rank:
        return model
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=recipe.lora.rank,
        lora_alpha=recipe.lora.alpha,
        lora_dropout=0.0,
        target_modules=list(recipe.lora.targets) or "all-linear",
        task_type="CAUSAL_LM",
    )
    torch.manual_seed(recipe.seed)  # the adapter's start is the same after a resume
    return get_peft_model(model, config)


def _reinforce(
    recipe: Recipe,
    game: Game,
    rules: Domain,
    start: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    out: Path,
    label: str,
) -> PreTrainedModel:
    reference = _reference(recipe, out)
    model: PreTrainedModel = _adapted(recipe, start)
    policy = LanguageModelPolicy(AGENT, model, tokenizer, recipe.sampling)
    play = SepoPlay(game, rules.corrected, recipe.play, recipe.objective.weights(game.scale), RULES[recipe.objective.rule])
    curve = Adversary(game, rules.pools.exploiter)
    checkpoints = out / "checkpoints"
    resumed = last_whole_checkpoint(checkpoints)
    if resumed is not None:
        _restore_adversary(play, json.loads((resumed / WHOLE).read_text())["state"])

    def collect(step: int) -> Experience:
        experience = play.collect(policy, [recipe.seed, 2], step)
        if step % recipe.rl.exact_every == 0:
            curve.refresh(policy)
            experience.metrics["nash_conv"] = curve.nash_conv
            experience.metrics["pool_exploitability"] = curve.pool_exploitability
        return experience

    config = grpo_config(
        checkpoints,
        steps=recipe.rl.steps,
        learning_rate=recipe.rl.learning_rate,
        temperature=recipe.sampling.temperature,
        micro_batches=recipe.rl.micro_batches,
        seed=recipe.seed,
        save_every=recipe.rl.save_every,
        log_every=recipe.rl.exact_every,
        report_to=recipe.rl.report_to,
    )
    callback = RunCallback(out, lambda: trainer.last_metrics, lambda: _adversary_state(play), label)
    trainer = EpisodeTrainer(
        model,
        tokenizer,
        config,
        collect,
        reference=reference,
        kl=recipe.objective.kl,
        kl_every=recipe.rl.exact_every,
        callbacks=[callback],
    )
    trainer.remove_callback(PrinterCallback)
    if resumed is not None and step_of(resumed) >= recipe.rl.steps:  # the Trainer would take one step too many
        trainer._load_from_checkpoint(str(resumed))
        cut_back(out / "metrics.jsonl", recipe.rl.steps)
    else:
        try:
            trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
        finally:
            callback.close()
    trainer.accelerator.end_training()
    model.eval()
    if callback.interrupted:
        raise Interrupted(f"stopped after step {trainer.state.global_step}; continue with --resume --out {out}")
    curve.refresh(policy)
    final = {"nash_conv": curve.nash_conv, "pool_exploitability": curve.pool_exploitability}
    _append(out / "metrics.jsonl", {"step": recipe.rl.steps + 1, **final})
    return model


def _reference(recipe: Recipe, out: Path) -> Reference | None:
    """Log-probabilities under a frozen copy of the model reinforcement learning starts from."""
    folder = out / "sft" if recipe.demonstrations.experts else recipe.model
    frozen, _ = load(folder)
    return lambda pairs: token_log_probs(frozen, pairs, recipe.sampling.temperature)


def _adversary_state(play: SepoPlay) -> Any:
    """The best response in use, as JSON: a resumed run goes on against the same one."""
    if play.adversary is None or play.adversary.tables is None:
        return None
    tables = [[[list(map(list, s)), list(row.items())] for s, row in t.items()] for t in play.adversary.tables]
    return {"tables": tables, "nash_conv": play.adversary.nash_conv}


def _restore_adversary(play: SepoPlay, state: Any) -> None:
    if play.adversary is None or state is None:
        return
    play.adversary.nash_conv = state["nash_conv"]
    play.adversary.tables = tuple(
        {
            tuple(
                Event(kind, player, tuple(value) if isinstance(value, list) else value) for kind, player, value in s
            ): {action: p for action, p in row}
            for s, row in table
        }
        for table in state["tables"]
    )


def _save(model: Any, tokenizer: Any, folder: Path, base: str = "") -> None:
    """Saves a model so that a crash leaves either nothing or the whole folder; an adapter names `base` as its base."""
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        model.config.use_cache = True  # the trainer switches it off
        model.save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        written = partial / "adapter_config.json"
        if written.is_file():  # a name that stays true when the run folder moves
            text = {**json.loads(written.read_text(encoding="utf-8")), "base_model_name_or_path": base}
            written.write_text(json.dumps(text, indent=1) + "\n", encoding="utf-8")
    except (OSError, RuntimeError, SafetensorError) as error:
        raise ValueError(f"cannot save the model to {folder}: {error}; free some space and use --resume") from error
    partial.replace(folder)


def _append(path: Path, record: dict[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
